"""Where a server listens and whom it admits: TCP, Unix sockets, PROXY headers, bounds, and clean failures."""

from __future__ import annotations

import os
import resource
import socket
import stat
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from fanlight import Limits, Listener

from .application import GET, application, connect, ended, get, issue, secure
from .conftest import Serving

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"


def proxy_header(address: str | None, command: int = 1) -> bytes:
    """A PROXY header, version 2, for a caller at `address`."""
    if address is None:
        return SIGNATURE + bytes((0x20 | command, 0, 0, 0))
    if ":" in address:
        body, kind = socket.inet_pton(socket.AF_INET6, address) * 2 + bytes(4), 0x21
    else:
        body, kind = socket.inet_aton(address) * 2 + bytes(4), 0x11
    return SIGNATURE + bytes((0x20 | command, kind)) + len(body).to_bytes(2, "big") + body


def proxied(**more: object) -> Listener:
    return Listener("main", "127.0.0.1:0", behind_trusted_proxy=True, trusted_proxies=("127.0.0.1/32",), **more)  # type: ignore[arg-type]


def test_several_listeners_and_their_addresses(serve: Serving, tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    served = serve(application(Listener("a", "127.0.0.1:0"), Listener("b", "[::1]:0"), Listener("c", f"unix:{path}")))
    assert [bound.listener for bound in served.bounds] == ["a", "b", "c"]
    assert served.bounds[0].url == f"http://127.0.0.1:{served.bounds[0].port}"
    assert served.bounds[1].url == f"http://[::1]:{served.bounds[1].port}"
    assert served.bounds[2].url == f"unix:{path}"
    with connect(served, "a") as first, connect(served, "c") as third:
        assert (get(first), get(third)) == (b"a", b"c")
    with socket.create_connection(("::1", served.bounds[1].port)) as second:
        assert (get(second), get(second, b"/peer")) == (b"b", b"::1")


def test_a_unix_socket_is_private_and_leaves_nothing_behind(serve: Serving, tmp_path: Path) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(path))  # what a server that died leaves
    served = serve(application(Listener("main", f"unix:{path}")))
    mode = path.stat().st_mode
    assert stat.S_ISSOCK(mode)
    assert stat.S_IMODE(mode) == 0o600
    with connect(served) as client:
        assert get(client, b"/peer") == b"-"
    with pytest.raises(OSError, match="in use"):
        serve(application(Listener("main", f"unix:{path}")))
    with connect(served) as client:
        assert get(client) == b"main"  # the second one has not taken it away
    served.stop()
    assert not path.exists()


def test_a_file_that_is_no_socket_is_not_removed(serve: Serving, tmp_path: Path) -> None:
    path = tmp_path / "s"
    path.write_text("mine")
    with pytest.raises(OSError, match="in use"):
        serve(application(Listener("main", f"unix:{path}")))
    assert path.read_text() == "mine"


def test_all_or_nothing_is_bound(serve: Serving, tmp_path: Path) -> None:
    path = tmp_path / "s"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(OSError, match="in use"):
            serve(application(Listener("a", f"unix:{path}"), Listener("b", address)))
    assert not path.exists()


def test_a_trusted_proxy_says_who_calls(serve: Serving) -> None:
    served = serve(application(proxied()))
    said = ("203.0.113.9", "2001:db8::1", "::ffff:203.0.113.9", None)
    for address, seen in zip(said, (b"203.0.113.9", b"2001:db8::1", b"203.0.113.9", b"127.0.0.1"), strict=True):
        with connect(served) as client:
            client.sendall(proxy_header(address, command=0 if address is None else 1))
            assert get(client, b"/peer") == seen


@pytest.mark.parametrize("start", [b"GET / HTTP/1.1\r\n", SIGNATURE + b"\x11\x11\0\0", SIGNATURE + b"\x21\x11\x04\x01"])
def test_a_trusted_proxy_must_say_so(serve: Serving, start: bytes) -> None:
    served = serve(application(proxied()))
    with connect(served) as client:
        client.sendall(start)
        assert ended(client)


def test_tls_follows_the_proxy_header(serve: Serving, tmp_path: Path) -> None:
    settings, trusted = issue(tmp_path, "ada")
    served = serve(application(proxied(tls=True), settings=settings))
    plain = connect(served)
    plain.sendall(proxy_header("203.0.113.9"))
    with secure(plain, trusted) as client:
        assert get(client, b"/peer") == b"203.0.113.9"


def test_callers_behind_a_proxy_are_bounded_before_they_speak(serve: Serving) -> None:
    served = serve(application(proxied(), limits=Limits(connections_per_peer=2, grace=0.3)))
    with ExitStack() as stack:
        callers = [stack.enter_context(connect(served)) for _ in range(3)]
        for caller in callers[:2]:
            caller.sendall(proxy_header("203.0.113.9"))
        _eventually(lambda: served.server.listeners["main"].peers.get("203.0.113.9") == 2)
        callers[2].sendall(proxy_header("203.0.113.9"))
        assert ended(callers[2])
        other = stack.enter_context(connect(served))
        other.sendall(proxy_header("203.0.113.10"))
        assert get(other) == get(callers[0]) == b"main"


def test_one_connection_too_many_is_closed(serve: Serving) -> None:
    served = serve(application(Listener("main", "127.0.0.1:0", max_connections=2)))
    with connect(served) as first, connect(served) as second:
        assert get(first) == get(second) == b"main"
        with connect(served) as third:
            assert ended(third)
        assert get(first) == b"main"
    _eventually(lambda: not served.server.connections)
    with connect(served) as again:
        assert get(again) == b"main"


def test_a_crowd_that_comes_while_the_loop_is_busy_is_served(serve: Serving) -> None:
    served = serve(application())
    with ExitStack() as stack:
        stack.enter_context(connect(served)).sendall(GET % b"/block")
        began = time.monotonic()
        crowd = [stack.enter_context(connect(served)) for _ in range(200)]
        assert time.monotonic() - began < 0.5, "a connection had to be tried twice"
        assert {get(client) for client in crowd} == {b"main"}


def test_without_descriptors_it_waits_and_then_goes_on(serve: Serving) -> None:
    served = serve(application())
    clients = [socket.socket() for _ in range(3)]
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    held = []
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(map(int, os.listdir("/proc/self/fd"))) + 1, hard))
        try:
            while True:
                held.append(os.dup(0))
        except OSError:
            pass
        for client in clients:
            client.settimeout(5.0)
            client.connect(served.address())
        before = time.process_time()
        time.sleep(0.5)
        assert time.process_time() - before < 0.25, "it spins"
    finally:
        for number in held:
            os.close(number)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    for client in clients:
        with client:
            assert get(client) == b"main"


def _eventually(there: Callable[[], bool]) -> None:
    until = time.monotonic() + 5.0
    while not there() and time.monotonic() < until:
        time.sleep(0.01)
    assert there()
