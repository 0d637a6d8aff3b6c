"""Listening sockets: TCP and Unix, all of them or none, and what an accepted one is told."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from fanlight import App, Listener, Settings
from fanlight.server import Server
from fanlight_engines.sockets import Bound, close_socket, open_sockets, peer_of, prepare, remove
from tests.engines.certificates import Files
from tests.sim import START, Seeded

Opened = list[tuple[Bound, socket.socket]]


def server(*addresses: str, settings: Settings | None = None, tls: bool = False) -> Server:
    listeners = tuple(Listener(f"l{n}", address, tls=tls) for n, address in enumerate(addresses))
    return Server(App(listeners=listeners, settings=settings), now=START, entropy=Seeded())


@pytest.fixture
def opened() -> Iterator[Opened]:
    """A list whose sockets are closed in the end."""
    found: Opened = []
    yield found
    for bound, sock in found:
        close_socket(bound, sock)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder whose name is short enough for a Unix socket."""
    return tmp_path


def test_a_free_port_is_bound_and_told(opened: Opened) -> None:
    made = server("127.0.0.1:0")
    opened += open_sockets(made)
    ((bound, sock),) = opened
    assert (bound.listener, bound.host, bound.tls, bound.path) == ("l0", "127.0.0.1", False, None)
    assert bound.port == sock.getsockname()[1] > 0
    assert bound.url == f"http://127.0.0.1:{bound.port}"
    assert not sock.getblocking()
    assert made.origins.allows(f"http://127.0.0.1:{bound.port}")
    with socket.create_connection((bound.host, bound.port), timeout=5):
        pass


@pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6 here")
def test_ipv6_is_bound_alone(opened: Opened) -> None:
    try:
        opened += open_sockets(server("[::1]:0"))
    except OSError:
        pytest.skip("no IPv6 here")
    ((bound, sock),) = opened
    assert bound.url == f"http://[::1]:{bound.port}"
    assert sock.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY) == 1


def test_a_unix_socket_is_for_its_owner(opened: Opened, folder: Path) -> None:
    path = folder / "s"
    before = os.umask(0o022)
    try:
        opened += open_sockets(server(f"unix:{path}"))
        assert os.umask(0o022) == 0o022
    finally:
        os.umask(before)
    ((bound, _),) = opened
    assert (bound.path, bound.url, bound.port) == (str(path), f"unix:{path}", 0)
    mode = path.stat().st_mode
    assert stat.S_ISSOCK(mode)
    assert stat.S_IMODE(mode) == 0o600
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))


def test_closing_leaves_no_file(folder: Path) -> None:
    path = folder / "s"
    for bound, sock in open_sockets(server(f"unix:{path}")):
        close_socket(bound, sock)
    assert not path.exists()
    remove(Bound("l0", path=str(path)))  # once more is no error


def test_a_socket_that_nobody_listens_on_is_replaced(opened: Opened, folder: Path) -> None:
    path = folder / "s"
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(path))
    opened += open_sockets(server(f"unix:{path}"))
    assert len(opened) == 1


def test_a_socket_that_somebody_listens_on_is_not(opened: Opened, folder: Path) -> None:
    path = folder / "s"
    opened += open_sockets(server(f"unix:{path}"))
    with pytest.raises(OSError):
        open_sockets(server(f"unix:{path}"))
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))


def test_a_file_is_never_replaced(folder: Path) -> None:
    path = folder / "precious"
    path.write_text("data")
    with pytest.raises(OSError):
        open_sockets(server(f"unix:{path}"))
    assert path.read_text() == "data"


def test_all_are_bound_or_none(opened: Opened, folder: Path) -> None:
    opened += open_sockets(server("127.0.0.1:0"))
    taken = opened[0][0].port
    with pytest.raises(OSError):
        open_sockets(server(f"unix:{folder}/s", f"127.0.0.1:{taken}"))
    assert not (folder / "s").exists()


def test_several_at_once_in_the_order_of_their_names(opened: Opened, folder: Path) -> None:
    made = server("127.0.0.1:0", f"unix:{folder}/s", "127.0.0.1:0")
    opened += open_sockets(made)
    assert [bound.listener for bound, _ in opened] == ["l0", "l1", "l2"]
    for port in (opened[0][0].port, opened[2][0].port):
        assert made.origins.allows(f"http://localhost:{port}")


def test_tls_needs_files_that_are_there(tmp_path: Path) -> None:
    settings = Settings(tls_certificate=str(tmp_path / "none"), tls_key=str(tmp_path / "none"))
    with pytest.raises(OSError):
        open_sockets(server("127.0.0.1:0", settings=settings, tls=True))


def test_tls_listeners_make_channels(opened: Opened, tmp_path: Path) -> None:
    files = Files(tmp_path)
    settings = Settings(tls_certificate=str(files.certificate), tls_key=str(files.key))
    made = server("127.0.0.1:0", settings=settings, tls=True)
    opened += open_sockets(made)
    assert opened[0][0].url.startswith("https://127.0.0.1:")
    channel = made.listeners["l0"].channel
    assert channel is not None
    assert channel() is not channel()


def test_an_accepted_socket_is_prepared(opened: Opened) -> None:
    opened += open_sockets(server("127.0.0.1:0"))
    bound, sock = opened[0]
    sock.setblocking(True)
    with socket.create_connection((bound.host, bound.port), timeout=5):
        accepted, _ = sock.accept()
        with accepted:
            prepare(accepted)
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            assert accepted.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            if hasattr(socket, "TCP_KEEPIDLE"):
                assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 60
    one, other = socket.socketpair()
    with one, other:
        prepare(one)  # nothing to set


@pytest.mark.parametrize(
    ("address", "peer"),
    [
        (("192.0.2.1", 4711), "192.0.2.1"),
        (("2001:db8::1", 4711, 0, 0), "2001:db8::1"),
        (("fe80::1%eth0", 4711, 0, 2), "fe80::1"),
        (("::ffff:192.0.2.1", 4711, 0, 0), "192.0.2.1"),
        (("::ffff:1", 4711, 0, 0), "::ffff:1"),
        ("", ""),
        (b"", ""),
        ("/run/s", ""),
        (None, ""),
        ((), ""),
    ],
)
def test_who_a_peer_is(address: object, peer: str) -> None:
    assert peer_of(address) == peer
