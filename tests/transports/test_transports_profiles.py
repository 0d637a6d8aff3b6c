"""Profiles over real sockets, with the real engines, under each loop: clients that leave, servers that stop, pprof."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fanlight import App, Limits, Listener
from tests.engines.working import burn, working
from tests.hosts import Host, Served
from tests.pprof import read
from tests.transports.application import connect

HEAD = b"%b %b HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"


@pytest.fixture
def served(over: Host) -> Iterator[Served]:
    """All pages of a server, by the performer that it has by itself."""
    made = over.serve(App(listeners=(Listener("main", "127.0.0.1:0"),), limits=Limits(grace=5.0)))
    yield made
    made.stop()


def ask(served: Served, path: str, body: bytes | None = None, kind: str = "application/json") -> tuple[int, bytes]:
    """Status and body of one request on a connection of its own."""
    with connect(served) as sock:
        sock.settimeout(20)
        sock.sendall(HEAD % (b"GET" if body is None else b"POST", path.encode()))
        if body is not None:
            sock.sendall(f"content-type: {kind}\r\ncontent-length: {len(body)}\r\n".encode())
        sock.sendall(b"\r\n" + (body or b""))
        data = b""
        while piece := sock.recv(65_536):
            data += piece
    head, _, rest = data.partition(b"\r\n\r\n")
    return int(head.split(b" ")[1]), rest


def is_sampling(served: Served) -> bool:
    state: dict[str, Any] = json.loads(ask(served, "/prof/mode")[1])
    found: bool = state["cpu_active"]
    return found


def wait_for(condition: Callable[[], object]) -> None:
    until = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.01)


def test_a_profile_and_the_state_meanwhile(served: Served) -> None:
    with working(("ada", burn)):
        found: list[tuple[int, bytes]] = []
        body = b'{"seconds": 2, "hz": 99}'
        asking = threading.Thread(target=lambda: found.append(ask(served, "/prof/cpu", body)))
        asking.start()
        wait_for(lambda: is_sampling(served))
        assert ask(served, "/prof/cpu", b'{"seconds": 1, "hz": 1}') == (409, b"CPU profiling is already running")
        assert ask(served, "/prof/mode", b'{"memory_active": true}')[0] == 409
        asking.join(20)
    ((status, data),) = found
    assert status == 200
    profile = read(data)
    assert "burn" in {frame.function for frame in profile.frames}
    assert profile.duration_nanos == pytest.approx(2e9, rel=0.2)
    assert not is_sampling(served)


def test_a_client_that_leaves_ends_the_capture(served: Served) -> None:
    with connect(served) as sock:
        sock.sendall(HEAD % (b"GET", b"/prof/profile?seconds=600") + b"\r\n")
        wait_for(lambda: is_sampling(served))
    wait_for(lambda: not is_sampling(served))
    wait_for(lambda: not [thread for thread in threading.enumerate() if thread.name == "fanlight-cpu-profiler"])


def test_a_server_that_stops_answers_with_what_it_saw(over: Host) -> None:
    made = over.serve(App(listeners=(Listener("main", "127.0.0.1:0"),), limits=Limits(grace=5.0)))
    found: list[tuple[int, bytes]] = []
    asking = threading.Thread(target=lambda: found.append(ask(made, "/prof/profile?seconds=600")))
    asking.start()
    wait_for(lambda: is_sampling(made))
    made.stop()
    asking.join(20)
    ((status, data),) = found
    assert status == 200
    assert any(comment.startswith("ended after ") for comment in read(data).comments)


def test_the_loop_goes_on_while_a_profile_is_taken(served: Served) -> None:
    asking = threading.Thread(target=ask, args=(served, "/prof/profile?seconds=1"))
    asking.start()
    wait_for(lambda: is_sampling(served))
    asked = 0
    while is_sampling(served):
        assert ask(served, "/api/livez")[0] == 200
        asked += 1
    asking.join(20)
    assert asked >= 3


def test_forms(served: Served) -> None:
    form = "application/x-www-form-urlencoded"
    status, page = ask(served, "/prof/", b"action=time_fg&time_secs=1&hz=50", form)
    assert status == 200
    assert b"CPU Time Flamegraph" in page
    status, page = ask(served, "/prof/", b"action=mem_fg", form)
    assert (status, page) == (403, b"heap profiling not activated")


def test_goroutines_tell_the_loop_that_serves(over: Host, served: Served) -> None:
    status, text = ask(served, "/debug/pprof/goroutine?debug=2")
    assert status == 200
    kind = b"trio" if over.name == "trio" else b"asyncio"
    assert kind + b" tasks: " in text
    assert b"serve (" in text


@pytest.mark.skipif(shutil.which("go") is None, reason="go is not installed")
@pytest.mark.parametrize(
    ("path", "kind", "expected"),
    [("profile?seconds=2", "cpu", "burn"), ("goroutine", "goroutine", "serve"), ("heap", "inuse_space", "hoard")],
)
def test_go_tool_pprof_finds_them_by_itself(
    served: Served, tmp_path: Path, path: str, kind: str, expected: str
) -> None:
    def hoard() -> list[bytearray]:
        return [bytearray(1000) for _ in range(1000)]

    heap = path == "heap"
    if heap:
        assert ask(served, "/prof/mode", b'{"memory_active": true}')[0] == 200
    kept = hoard()
    address = served.address()
    assert isinstance(address, tuple)
    host, port = address
    home = {**os.environ, "HOME": str(tmp_path), "PPROF_TMPDIR": str(tmp_path)}
    command = ["go", "tool", "pprof", "-top", "-nodefraction=0", f"http://{host}:{port}/debug/pprof/{path}"]
    with working(("ada", burn)):
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=home)
    if heap:
        assert ask(served, "/prof/mode", b'{"memory_active": false}')[0] == 200
    assert done.returncode == 0, done.stderr
    assert f"Type: {kind}" in done.stdout
    assert expected in done.stdout
    del kept
