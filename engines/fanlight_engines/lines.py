"""Connections to the program's own worker processes: all of them in one thread.

HTTP/1.1 by h11 over sockets that never block, under one selector, so that a
worker that is silent and a tunnel that is idle cost no thread.  A socket is
read only while somebody waits for what it brings.  No name is resolved, no
redirect followed and nothing decided: how long anybody waits is said elsewhere.
"""

from __future__ import annotations

import logging
import selectors
import socket
import threading
from collections import deque
from collections.abc import Callable, Mapping
from errno import EINPROGRESS
from typing import Any
from weakref import WeakKeyDictionary, finalize

import h11

from fanlight.config.listeners import Address
from fanlight.federation.effects import NoReply, Reason
from fanlight.federation.lines import Dial, Drain, HangUp, Offer, ReceiveHead, ReceivePiece, Replying

Done = Callable[[object, "BaseException | None"], None]

log = logging.getLogger("fanlight")

MOST = 1024
"""Connections at once; each takes a descriptor, of which the host has other uses."""
PIECE = 64 * 1024
_HEAD = 1024 * 1024
"""Bytes of a response head, which may hold enrichment rules."""
_JOIN_SECONDS = 5.0


class _Waiting:
    """One who waits for an answer of some kind; the one before has lost a race and is not told."""

    def __init__(self) -> None:
        self._done: Done | None = None

    def __bool__(self) -> bool:
        return self._done is not None

    def set(self, done: Done) -> None:
        """From here on `done` is told."""
        self._done = done

    def tell(self, answer: object) -> None:
        """Answer whoever waits."""
        done, self._done = self._done, None
        if done is not None:
            done(answer, None)


class _Line:
    """One connection.  Everything happens in the thread of its `Lines`."""

    def __init__(self, selector: selectors.BaseSelector, ended: Callable[[], None]) -> None:
        self._selector = selector
        self._ended = ended
        self._watched = 0
        self._socket: socket.socket | None = None
        self._machine = h11.Connection(h11.CLIENT, max_incomplete_event_size=_HEAD)
        self._unsent = b""
        self._deaf = False  # the other side takes nothing any more
        self._connected = False
        self._failed: Reason | None = None
        self._reply: Replying | None = None
        self._pieces = 0
        self._piece: bytes | None = None
        self._wanted = -1
        self.dialled, self.drained, self.head, self.piece = _Waiting(), _Waiting(), _Waiting(), _Waiting()

    # ---- what is asked -------------------------------------------------------

    def dial(self, address: Address, head: h11.Request, done: Done) -> None:
        """Begin to connect; the head is the first to go."""
        self.dialled.set(done)
        unix = address.path is not None
        family = socket.AF_UNIX if unix else socket.AF_INET6 if ":" in address.host else socket.AF_INET
        try:
            self._unsent = self._machine.send(head) or b""
            self._socket = socket.socket(family, socket.SOCK_STREAM)
            self._socket.setblocking(False)
            self._socket.connect(address.path if address.path is not None else (address.host, address.port))
        except h11.LocalProtocolError:
            self._fail("broken")
        except OSError as error:
            if error.errno != EINPROGRESS:
                self._fail(_reason(error))
        self._watch()

    def offer(self, data: bytes) -> None:
        """Have `data` sent; what cannot be framed is the end of it."""
        if self._failed is not None:
            return
        try:
            if self._raw:
                self._unsent += data
            elif not self._deaf:
                self._unsent += self._machine.send(h11.Data(data=data) if data else h11.EndOfMessage()) or b""
        except h11.LocalProtocolError:
            self._deaf = True
        self._watch()

    def drain(self, done: Done) -> None:
        """Tell once nothing is unsent."""
        self.drained.set(done)
        self._settle()

    def receive_head(self, done: Done) -> None:
        """Tell the response head."""
        self.head.set(done)
        self._settle()

    def receive_piece(self, number: int, done: Done) -> None:
        """Tell the piece `number`: the one told last, or the next."""
        self.piece.set(done)
        self._wanted = number
        self._settle()

    def close(self) -> None:
        """The end, for whoever still waits too."""
        self._fail("interrupted")

    # ---- what moves ----------------------------------------------------------

    @property
    def _raw(self) -> bool:
        return self._machine.their_state is h11.SWITCHED_PROTOCOL

    def step(self, events: int) -> None:
        """The socket can move."""
        assert self._socket is not None
        if events & selectors.EVENT_WRITE:
            self._write(self._socket)
        if events & selectors.EVENT_READ and self._failed is None:
            try:
                data = self._socket.recv(PIECE)
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                self._fail(_reason(error))
                return
            self._take(data)
        self._settle()

    def _write(self, sock: socket.socket) -> None:
        if not self._connected:
            error = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if error:
                self._fail(_reason(OSError(error, "")))
                return
            self._connected = True
            self.dialled.tell(None)
        try:
            if self._unsent:
                self._unsent = self._unsent[sock.send(self._unsent) :]
        except (BlockingIOError, InterruptedError):
            pass
        except OSError:
            self._deaf, self._unsent = True, b""  # what it has answered can still be read

    def _take(self, data: bytes) -> None:
        """Bytes from the other side; b"" is its end."""
        if self._raw:
            self._keep(data)
            return
        try:
            self._machine.receive_data(data)
        except h11.RemoteProtocolError:
            self._fail("broken")

    def _settle(self) -> None:
        """Answer what can be answered, then watch for the rest."""
        if self._failed is None and (self._deaf or (self._connected and not self._unsent)):
            self.drained.tell(not self._deaf)
        try:
            if self.head:
                self._read_head()
            if self._reply is not None:
                self.head.tell(self._reply)
            if self.piece:
                self._read_piece()
        except h11.RemoteProtocolError:
            self._fail("broken")
        if self._failed is not None:
            self._fail(self._failed)
        self._watch()

    def _read_head(self) -> None:
        while self._reply is None and self._failed is None:
            event = self._machine.next_event()
            if isinstance(event, h11.Response) or (isinstance(event, h11.InformationalResponse) and self._raw):
                fields = tuple([(name.decode(), value.decode("latin-1")) for name, value in event.headers])
                self._reply = Replying(event.status_code, fields)
                if self._raw and self._machine.trailing_data[0]:
                    self._keep(self._machine.trailing_data[0])
            elif event is h11.NEED_DATA:
                return
            elif not isinstance(event, h11.InformationalResponse):
                self._fail("broken")

    def _read_piece(self) -> None:
        """The piece that is wanted, if it is there."""
        if self._wanted >= self._pieces and not self._raw:
            event = self._machine.next_event()
            while isinstance(event, h11.Data) and not event.data:
                event = self._machine.next_event()
            if isinstance(event, h11.Data):
                self._keep(bytes(event.data))
            elif isinstance(event, h11.EndOfMessage):
                self._keep(b"")
            elif event is not h11.NEED_DATA:
                self._fail("broken")
        if self._wanted == self._pieces - 1:
            self.piece.tell(self._piece)

    def _keep(self, data: bytes) -> None:
        self._piece = data
        self._pieces += 1

    def _fail(self, reason: Reason) -> None:
        """It is over: nobody waits in vain, now or later."""
        if self._failed is None:
            self._failed = reason
            self._ended()
        self._unwatch()
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        self._unsent = b""
        self.dialled.tell(NoReply(self._failed))
        self.drained.tell(False)
        self.head.tell(self._reply if self._reply is not None else NoReply(self._failed))
        self.piece.tell(self._piece if self._wanted == self._pieces - 1 else None)

    # ---- the selector --------------------------------------------------------

    def _watch(self) -> None:
        """Look at the socket for what somebody waits for, and for nothing else."""
        sock = self._socket
        if sock is None:
            return
        events = 0 if self._connected and not self._unsent else selectors.EVENT_WRITE
        if self.head or self.piece:
            events |= selectors.EVENT_READ
        if events == self._watched:
            return
        if not events:
            self._unwatch()
        elif self._watched:
            self._selector.modify(sock, events, self)
        else:
            self._selector.register(sock, events, self)
        self._watched = events

    def _unwatch(self) -> None:
        if self._watched and self._socket is not None:
            self._selector.unregister(self._socket)
        self._watched = 0


class Lines:
    """The engine: its thread starts with the first `Dial` and ends with `close`."""

    interrupts: Mapping[type, Callable[[Any], None]]

    def __init__(self) -> None:
        self._lines: WeakKeyDictionary[Dial, _Line] = WeakKeyDictionary()
        self._orders: deque[tuple[_Line, Callable[[_Line], None]]] = deque()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._wake: socket.socket | None = None
        self._selector: selectors.BaseSelector
        self._closed = False
        self._open = 0
        self.begins: Mapping[type, Callable[[Any, Done], None]] = {
            Dial: self._dial,
            Drain: lambda effect, done: self._ask(effect.dial, done, lambda line: line.drain(done)),
            ReceiveHead: lambda effect, done: self._ask(effect.dial, done, lambda line: line.receive_head(done)),
            ReceivePiece: lambda effect, done: self._ask(
                effect.dial, done, lambda line: line.receive_piece(effect.number, done)
            ),
        }
        self.handlers: Mapping[type, Callable[[Any], Any]] = {
            Offer: lambda effect: self._tell(effect.dial, lambda line: line.offer(effect.data)),
            HangUp: lambda effect: self._tell(effect.dial, _Line.close),
        }
        self.interrupts = {Dial: lambda effect: self._tell(effect, _Line.close)}

    def close(self) -> None:
        """End the thread, and every connection with it."""
        with self._lock:
            self._closed = True
            thread = self._thread
        if thread is not None:
            self._rouse()
            thread.join(_JOIN_SECONDS)

    def _dial(self, effect: Dial, done: Done) -> None:
        """Raises RuntimeError when no thread can start any more."""
        with self._lock:
            if self._closed:
                done(NoReply("interrupted"), None)
                return
            if self._open >= MOST:
                done(NoReply("crowded"), None)
                return
            if self._thread is None:
                self._start()
            self._open += 1
        line = self._lines[effect] = _Line(self._selector, self._ended)
        finalize(effect, self._order, line, _Line.close).atexit = False  # nobody can hang up any more
        try:
            head = h11.Request(
                method=effect.method,
                target=effect.target,
                headers=[(name.encode(), value.encode("latin-1")) for name, value in effect.fields],
            )
        except (h11.LocalProtocolError, UnicodeEncodeError):
            done(NoReply("broken"), None)
            return
        self._order(line, lambda line: line.dial(effect.address, head, done))

    def _ended(self) -> None:
        with self._lock:
            self._open -= 1

    def _start(self) -> None:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        theirs.setblocking(False)
        selector = selectors.DefaultSelector()
        selector.register(ours, selectors.EVENT_READ, None)
        thread = threading.Thread(target=self._run, args=(selector, ours, theirs), name="fanlight-lines", daemon=True)
        thread.start()
        self._thread, self._wake, self._selector = thread, theirs, selector

    def _ask(self, dial: Dial, done: Done, ask: Callable[[_Line], None]) -> None:
        line = self._lines.get(dial)
        if line is None:
            raise LookupError("nobody has dialled")
        self._order(line, ask)

    def _tell(self, dial: Dial, tell: Callable[[_Line], None]) -> None:
        line = self._lines.get(dial)
        if line is not None:
            self._order(line, tell)

    def _order(self, line: _Line, order: Callable[[_Line], None]) -> None:
        """Have `order` done in the thread; from any thread."""
        self._orders.append((line, order))
        self._rouse()

    def _rouse(self) -> None:
        wake = self._wake
        if wake is not None:
            try:
                wake.send(b"\0")
            except OSError:
                pass  # it is awake already, or has ended

    def _run(self, selector: selectors.BaseSelector, ours: socket.socket, theirs: socket.socket) -> None:
        while not self._closed:
            for key, events in selector.select():
                if key.data is not None:
                    _do(key.data, lambda line, events=events: line.step(events))  # type: ignore[misc]
                    continue
                ours.recv(4096)
                while self._orders:
                    _do(*self._orders.popleft())
        while self._orders:
            _do(*self._orders.popleft())
        for line in list(self._lines.values()):
            line.close()
        selector.close()
        ours.close()
        theirs.close()


def _do(line: _Line, order: Callable[[_Line], None]) -> None:
    """One step of one line; a bug in it ends that line and is told to the log."""
    try:
        order(line)
    except Exception:
        log.exception("a connection to a worker process")
        line.close()


def _reason(error: OSError) -> Reason:
    if isinstance(error, ConnectionRefusedError | FileNotFoundError):
        return "refused"
    return "broken" if isinstance(error, ConnectionError) else "unreachable"
