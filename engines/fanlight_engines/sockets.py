"""Listening sockets: opened here, the same way for every transport.

They are non-blocking and not yet accepting in any loop.  Nothing else of a
connection happens here.
"""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Iterator
from typing import TYPE_CHECKING

from attrs import frozen

from .tls import Certificates

if TYPE_CHECKING:
    from fanlight.server import Server

BACKLOG = 1024
ACCEPTED_AT_ONCE = 16
EXHAUSTED_PAUSE = 0.1
"""Seconds to wait when the system has no room for another socket."""


@frozen
class Bound:
    """Where a listener really is: host and port, or the path of a Unix socket."""

    listener: str
    host: str = ""
    port: int = 0
    path: str | None = None
    tls: bool = False

    @property
    def url(self) -> str:
        """What a browser or curl wants: `http://127.0.0.1:6876`, or `unix:/path`."""
        if self.path is not None:
            return f"unix:{self.path}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.tls else 'http'}://{host}:{self.port}"


def open_sockets(server: Server) -> list[tuple[Bound, socket.socket]]:
    """Bind every listener of `server` in the order of names, or none: raises OSError.

    Also tells the server its ports and where its TLS channels come from.
    """
    opened: list[tuple[Bound, socket.socket]] = []
    settings = server.app.settings
    try:
        if any(state.tls for state in server.listeners.values()):
            certificates = Certificates(settings.tls_certificate or "", settings.tls_key or "")
            for state in server.listeners.values():
                state.channel = certificates.channel
        for state in server.listeners.values():
            where = state.listener.where
            sock = _bind_unix(where.path) if where.path is not None else _bind_tcp(where.host, where.port)
            opened.append((_describe(state.name, sock, where.path, tls=state.tls), sock))
    except BaseException:
        for bound, sock in opened:
            close_socket(bound, sock)
        raise
    server.bound({bound.listener: bound.port for bound, _ in opened if bound.path is None})
    return opened


def close_socket(bound: Bound, sock: socket.socket) -> None:
    """Close a listening socket; a Unix one leaves no file behind."""
    sock.close()
    remove(bound)


def remove(bound: Bound) -> None:
    """Remove the file of a Unix socket."""
    if bound.path is not None:
        try:
            os.unlink(bound.path)
        except OSError:
            pass  # somebody else removed it


def _describe(name: str, sock: socket.socket, path: str | None, *, tls: bool) -> Bound:
    if path is not None:
        return Bound(name, path=path, tls=tls)
    host, port = sock.getsockname()[:2]
    return Bound(name, host=host, port=port, tls=tls)


def _bind_tcp(host: str, port: int) -> socket.socket:
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if sock.family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind((host, port))
        sock.listen(BACKLOG)
    except BaseException:
        sock.close()
        raise
    return sock


def _bind_unix(path: str) -> socket.socket:
    """Bind with mode 0600; a socket that nobody listens on any more is replaced."""
    _remove_stale(path)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        sock.bind(path)
        # Not by the umask, which belongs to all threads of the host.  Nobody can connect before `listen`.
        os.chmod(path, 0o600)
        sock.listen(BACKLOG)
    except BaseException:
        sock.close()
        raise
    return sock


def _remove_stale(path: str) -> None:
    try:
        if not stat.S_ISSOCK(os.stat(path).st_mode):
            return
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)  # a server that is alive and full would make us wait
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            os.unlink(path)
        except BlockingIOError:
            pass  # in use, as binding will say


def waiting(listening: socket.socket) -> Iterator[tuple[socket.socket, object]]:
    """The peers that wait to be accepted, a few at a time, each with its address.

    Raises OSError when the system has no room for another one: pause, then go on.
    """
    for _ in range(ACCEPTED_AT_ONCE):
        try:
            sock, address = listening.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return  # nobody, or gone while it waited
        sock.setblocking(False)
        yield sock, address


def prepare(sock: socket.socket) -> None:
    """Options of an accepted TCP socket: no delay; keep-alive 60 s idle, 60 s interval, 9 probes."""
    if sock.family == socket.AF_UNIX:
        return
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if hasattr(socket, "TCP_KEEPIDLE"):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 60)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 60)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 9)


def peer_of(address: object) -> str:
    """The peer's address without port; IPv4 inside IPv6 as IPv4, empty for a Unix socket."""
    if not isinstance(address, tuple) or not address:
        return ""
    host = str(address[0]).partition("%")[0]
    return host.removeprefix("::ffff:") if host.startswith("::ffff:") and "." in host else host
