r"""Playbooks: conversations with the server as data, played over the core, asyncio and trio.

A `.play` file in `plays/` is one client's story, line by line:

    # a comment
    > GET /ask/moon HTTP/1.1\r\n      bytes that the client sends
    ? Question(text='moon')           an effect that the server asks for
    = 'cheese'                        its answer (a Python literal), or ! and a text: it raises
    < HTTP/1.1 200 OK\r\n             bytes that the server sends, exactly
    @ +5s                             time passes
    ~ Question(text='moon')           the effect is cancelled
    ! eof | gone                      the client sends no more | drops the connection
    . closed | half                   the server closes | sends no more

Bytes are latin-1 with the escapes \r \n \t \\ \xNN; consecutive lines of one
kind are one.  `{date}` stands for any HTTP date.  After the last line nothing
more may come.
"""

from __future__ import annotations

import ast
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, Protocol

from attrs import frozen

from fanlight import App, Effect, EffectFailed, Listener, Request, Response, Route
from fanlight.http.response import SendBody, text
from fanlight.http.websocket import AcceptWebSocket, NextMessage, PeerClosed, SendMessage

from . import hosts
from .clients.wires import SocketWire
from .sim import Pending, Sim

PLAYS = Path(__file__).parent / "plays"
PATIENCE = 5.0
_KINDS = ">?=<@~!."
_DATE = rb"[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT"


@frozen
class Question(Effect[str]):
    """Something only the outside knows."""

    text: str


async def ask(request: Request) -> Response:
    """`GET /ask/{text}`: the answer to one question."""
    try:
        return text(200, await Question(request.params["text"]))
    except EffectFailed:
        return text(502, "nobody knows")


async def stream(request: Request) -> Response:
    """`GET /stream/{text}`: a chunk for each answer, until the answer is empty."""
    question = Question(request.params["text"])

    async def produce() -> None:
        while answer := await question:
            await SendBody(answer.encode())

    return Response(200, (("content-type", "text/plain"),), produce)


async def measure(request: Request) -> Response:
    """`POST /measure`: how long the body is."""
    return text(200, str(len(await request.body())))


async def chat(request: Request) -> None:
    """WebSocket `/chat`: each text message is a question."""
    del request
    await AcceptWebSocket(limit=1000)
    while not isinstance(message := await NextMessage(), PeerClosed):
        await SendMessage(await Question(str(message)))


def application() -> App:
    """What the plays talk to."""
    routes = (
        Route("GET", "/ask/{text}", "metrics", ask),
        Route("GET", "/stream/{text}", "metrics", stream),
        Route("POST", "/measure", "metrics", measure),
        Route("GET", "/chat", "metrics", chat, websocket=True),
    )
    return App(listeners=[Listener(address="127.0.0.1:0", groups={"metrics": "Normal"})], routes=routes, pages=False)


@frozen
class Act:
    """One line, or several of one kind: what happens, and where it is written."""

    kind: str
    text: str
    line: int


def read(path: Path) -> list[Act]:
    """The acts of a play; `ValueError` for a line of no known kind."""
    acts: list[Act] = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        kind, told = line[0], line[2:]
        if kind not in _KINDS or line[1:2] not in ("", " "):
            raise ValueError(f"{path.name}:{number}: {line!r} is no act")
        if acts and kind in "<>" and acts[-1].kind == kind:
            acts[-1] = Act(kind, acts[-1].text + told, acts[-1].line)
        else:
            acts.append(Act(kind, told, number))
    return acts


def raw(told: str) -> bytes:
    """The bytes that a line means."""
    value: bytes = ast.literal_eval('b"' + told.replace('"', '\\"') + '"')
    return value


def pattern(told: str) -> re.Pattern[bytes]:
    """What a `<` line accepts."""
    return re.compile(_DATE.join(re.escape(raw(part)) for part in told.split("{date}")), re.DOTALL)


class Cast(Protocol):
    """The client's side of one host, as the plays need it."""

    def send(self, data: bytes) -> None:
        """Send bytes."""
        ...

    def receive(self, seconds: float) -> bytes | None:
        """Bytes, b"" for the end, None for silence."""
        ...

    def asked(self) -> tuple[str, Callable[[Any, BaseException | None], None]]:
        """The next effect and the way to answer it."""
        ...

    def cancelled(self) -> str:
        """The next effect that was cancelled."""
        ...

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        ...

    def leave(self, how: str) -> None:
        """`eof` or `gone`."""
        ...


class CoreCast:
    """The core in memory."""

    def __init__(self) -> None:
        self.sim = Sim(application())
        self.wire = self.sim.connect()

    def send(self, data: bytes) -> None:
        """Send bytes."""
        self.wire.send(data)

    def receive(self, seconds: float) -> bytes | None:
        """What has come by now: time passes only where the play says so."""
        del seconds
        return self.wire.receive(0)

    def asked(self) -> tuple[str, Callable[[Any, BaseException | None], None]]:
        """The oldest open effect."""
        assert self.sim.pending, "no effect was asked for"
        pending: Pending = self.sim.pending[0]
        return repr(pending.effect), lambda answer, error: self.sim.reply(pending, answer, error)

    def cancelled(self) -> str:
        """The oldest cancelled effect."""
        assert self.sim.cancelled, "no effect was cancelled"
        return repr(self.sim.cancelled.pop(0).effect)

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.sim.advance(seconds)

    def leave(self, how: str) -> None:
        """`eof` or `gone`."""
        (self.wire.finish if how == "eof" else self.wire.abort)()


class Prompter:
    """The performer of a play: it hands the questions to whoever plays."""

    def __init__(self) -> None:
        self.questions: SimpleQueue[tuple[Any, Callable[[object, BaseException | None], None]]] = SimpleQueue()
        self.interrupted: SimpleQueue[Any] = SimpleQueue()

    def perform(self, effect: Effect[Any]) -> Any:
        """Plays have no effects that are answered at once."""
        raise LookupError(f"nobody answers {effect!r} on the spot")

    def perform_promptly(self, effect: Effect[Any]) -> Any:
        """Every question is the player's."""

    def submit(self, effect: Effect[Any], done: Callable[[object, BaseException | None], None]) -> None:
        """Ask the player."""
        self.questions.put((effect, done))

    def interrupt(self, effect: Effect[Any]) -> None:
        """Tell the player."""
        self.interrupted.put(effect)

    def note(self, record: Any) -> None:
        """Nobody reads the records of a play."""

    def close(self) -> None:
        """Nothing to close."""


class SocketCast:
    """A transport on a real socket."""

    def __init__(self, host: hosts.Host) -> None:
        self.host = host
        self.prompter = Prompter()
        self.served = host.serve(application(), lambda server, performer: _replace(performer, self.prompter))
        self.wire = SocketWire(self.served.address())

    def send(self, data: bytes) -> None:
        """Send bytes."""
        self.wire.send(data)

    def receive(self, seconds: float) -> bytes | None:
        """What comes within `seconds`."""
        return self.wire.receive(seconds)

    def asked(self) -> tuple[str, Callable[[Any, BaseException | None], None]]:
        """The next effect."""
        effect, done = _next(self.prompter.questions)
        return repr(effect), done

    def cancelled(self) -> str:
        """The next interrupted effect."""
        return repr(_next(self.prompter.interrupted))

    def advance(self, seconds: float) -> None:
        """Shift the host's clocks.  What was sent before has to be handled first: give it a moment."""
        time.sleep(0.05)
        self.host.shift.move(seconds)
        self.host.wake()

    def leave(self, how: str) -> None:
        """`eof` or `gone`."""
        (self.wire.finish if how == "eof" else self.wire.abort)()

    def stop(self) -> None:
        """End the client and the server."""
        self.wire.close()
        self.served.stop()


def _replace(performer: Any, prompter: Prompter) -> Prompter:
    performer.close()
    return prompter


def _next(queue: SimpleQueue[Any]) -> Any:
    try:
        return queue.get(timeout=PATIENCE)
    except Empty:
        raise AssertionError("nothing was asked for in time") from None


class Player:
    """Plays acts with a cast; an `AssertionError` names the line that went wrong."""

    def __init__(self, cast: Cast) -> None:
        self.cast = cast
        self.answer: Callable[[Any, BaseException | None], None] | None = None
        self.got = b""
        self.ended = False

    def play(self, acts: list[Act]) -> None:
        """The whole play, and silence after it."""
        for act in acts:
            try:
                _ACTS[act.kind](self, act.text)
            except AssertionError as error:
                raise AssertionError(f"line {act.line}, {act.kind} {act.text[:60]}: {error}") from error
        rest = self.got or (None if self.ended else self.cast.receive(0.05))
        assert not rest, f"after the last line came {rest!r}"

    def _send(self, told: str) -> None:
        self.cast.send(raw(told))

    def _expect(self, told: str) -> None:
        wanted = pattern(told)
        while not (found := wanted.match(self.got)):
            data = None if self.ended else self.cast.receive(PATIENCE)
            assert data, f"got {self.got!r}"
            self.got += data
        self.got = self.got[found.end() :]

    def _asked(self, told: str) -> None:
        shown, self.answer = self.cast.asked()
        assert shown == told, f"asked {shown}"

    def _answer(self, told: str) -> None:
        assert self.answer is not None, "nothing was asked"
        if told.startswith("!"):
            self.answer(None, RuntimeError(told[1:].strip()))
        else:
            self.answer(ast.literal_eval(told), None)

    def _wait(self, told: str) -> None:
        self.cast.advance(float(told.removeprefix("+").removesuffix("s")))

    def _cancelled(self, told: str) -> None:
        shown = self.cast.cancelled()
        assert shown == told, f"cancelled {shown}"

    def _closed(self, told: str) -> None:
        assert told in ("closed", "half")
        data = self.cast.receive(PATIENCE)
        assert data == b"", f"got {data!r}"
        self.ended = True

    def _leave(self, told: str) -> None:
        assert told in ("eof", "gone")
        self.cast.leave(told)
        self.ended = self.ended or told == "gone"


_ACTS: dict[str, Callable[[Player, str], None]] = {
    ">": Player._send,
    "<": Player._expect,
    "?": Player._asked,
    "=": Player._answer,
    "@": Player._wait,
    "~": Player._cancelled,
    ".": Player._closed,
    "!": Player._leave,
}


def plays() -> Iterator[Path]:
    """Every play there is."""
    return iter(sorted(PLAYS.glob("*.play")))
