"""What the program has a part in, over real loops: its checks, its leadership, its own loop that may be stuck."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import threading
import time
from collections.abc import Awaitable, Callable, Iterator

import pytest
import trio

import fanlight_asyncio
import fanlight_trio
from fanlight import App, Limits, Listener
from fanlight.health.occasion import Occasion
from tests.hosts import Host, Served

from .application import connect

PATIENCE = 10.0
Sleeper = Callable[[float], Awaitable[None]]


@pytest.fixture
def app() -> App:
    return App(listeners=(Listener("main", "127.0.0.1:0"),))


@pytest.fixture
def served(over: Host, app: App) -> Iterator[Served]:
    served = over.serve(app)
    yield served
    served.stop()


@pytest.fixture
def sleep(over: Host) -> Sleeper:
    """How one sleeps in the loop that serves."""
    return trio.sleep if over.name == "trio" else asyncio.sleep


def get(address: str | tuple[str, int], path: str) -> tuple[int, bytes]:
    assert not isinstance(address, str)
    client = http.client.HTTPConnection(*address, timeout=PATIENCE)
    try:
        client.request("GET", path)
        answer = client.getresponse()
        return answer.status, answer.read()
    finally:
        client.close()


def eventually(holds: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.01)


def test_an_async_check_runs_in_the_loop_that_serves(app: App, served: Served, sleep: Sleeper) -> None:
    threads: list[str] = []

    @app.readiness.check("database")
    async def ping() -> bool:
        await sleep(0.01)
        threads.append(threading.current_thread().name)
        return True

    assert get(served.address(), "/api/readyz") == (200, b"ready")
    assert threads[0] not in (threading.current_thread().name, "fanlight-checks-1")


def test_an_async_check_that_hangs_is_cancelled(app: App, served: Served, sleep: Sleeper) -> None:
    cancelled = threading.Event()

    @app.readiness.check("database", timeout=0.2)
    async def ping() -> None:
        try:
            await sleep(60.0)
        except BaseException:
            cancelled.set()
            raise

    assert get(served.address(), "/api/readyz") == (503, b"not ready")
    assert cancelled.wait(PATIENCE)
    eventually(lambda: not app.readiness.checks[0].busy)


def test_a_check_that_blocks_its_thread_blocks_nobody_else(app: App, served: Served) -> None:
    hang, begun = threading.Event(), threading.Event()

    @app.readiness.check("disk", timeout=30.0)
    def look() -> bool:
        begun.set()
        return hang.wait(PATIENCE)

    answers: list[tuple[int, bytes]] = []
    asking = threading.Thread(target=lambda: answers.append(get(served.address(), "/api/readyz")))
    asking.start()
    assert begun.wait(PATIENCE)
    assert get(served.address(), "/api/livez") == (200, b"Liveness check successful!")
    assert answers == []
    hang.set()
    asking.join(PATIENCE)
    assert answers == [(200, b"ready")]


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_check_that_raises_raises_into_nobody(app: App, served: Served, asynchronous: bool) -> None:
    def bad() -> None:
        raise ValueError("staple")

    async def worse() -> None:
        raise ValueError("staple")

    app.readiness.check("bad", every=0.1)(worse if asynchronous else bad)
    for _ in range(3):
        assert get(served.address(), "/api/readyz") == (503, b"not ready")
        time.sleep(0.11)
    assert get(served.address(), "/api/livez")[0] == 200


def test_a_server_that_stops_waits_for_no_check(over: Host, sleep: Sleeper) -> None:
    begun = threading.Event()
    app = App(listeners=(Listener("main", "127.0.0.1:0"),), limits=Limits(grace=0.3))

    @app.readiness.check("database", timeout=60.0)
    async def ping() -> None:
        begun.set()
        await sleep(60.0)

    served = over.serve(app)
    with contextlib.suppress(OSError), connect(served) as client:
        client.sendall(b"GET /api/readyz?wait=true HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert begun.wait(PATIENCE)
        began = time.monotonic()
        served.stop()
        assert time.monotonic() - began < PATIENCE


def test_a_server_whose_leadership_is_lost_ends(over: Host, app: App) -> None:
    served = over.serve(app)
    assert get(served.address(), "/api/leader/status") == (200, b'{"status":"IsLeader"}')
    app.leadership.lose("said by the program")

    def refused() -> bool:
        try:
            connect(served).close()
        except OSError:
            return True
        return False

    eventually(refused)
    served.stop()


def test_a_task_waits_for_an_occasion_of_another_thread() -> None:
    async def under_asyncio(occasion: Occasion) -> None:
        threading.Timer(0.05, occasion.happen).start()
        await asyncio.wait_for(fanlight_asyncio.happened(occasion), PATIENCE)
        await fanlight_asyncio.happened(occasion)

    async def under_trio(occasion: Occasion) -> None:
        threading.Timer(0.05, occasion.happen).start()
        with trio.fail_after(PATIENCE):
            await fanlight_trio.happened(occasion)
            await fanlight_trio.happened(occasion)

    asyncio.run(under_asyncio(Occasion()))
    trio.run(under_trio, Occasion())


def test_a_task_that_waits_no_more_is_not_told() -> None:
    occasions = [Occasion(), Occasion()]

    async def under_asyncio() -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(fanlight_asyncio.happened(occasions[0]), 0.01)

    async def under_trio() -> None:
        with trio.move_on_after(0.01):
            await fanlight_trio.happened(occasions[1])

    asyncio.run(under_asyncio())
    trio.run(under_trio)
    for occasion in occasions:
        assert not occasion._told
        occasion.happen()


@pytest.mark.parametrize("kind", ["asyncio", "trio"])
def test_beside_a_loop_that_is_stuck_the_process_is_not_alive(kind: str, app: App) -> None:
    stuck, release = threading.Event(), threading.Event()

    def block() -> None:
        stuck.set()
        release.wait(PATIENCE)

    async def under_asyncio() -> None:
        loop = asyncio.get_running_loop()
        app.liveness.watch(loop.call_soon_threadsafe, seconds=1)
        await asyncio.sleep(0.5)
        block()
        await asyncio.sleep(1.0)

    async def under_trio() -> None:
        app.liveness.watch(trio.lowlevel.current_trio_token().run_sync_soon, seconds=1)
        await trio.sleep(0.5)
        block()
        await trio.sleep(1.0)

    with fanlight_asyncio.start_in_thread(app) as running:
        address = (running.addresses[0].host, running.addresses[0].port)
        program = threading.Thread(
            target=lambda: asyncio.run(under_asyncio()) if kind == "asyncio" else trio.run(under_trio)
        )
        program.start()
        assert get(address, "/api/livez")[0] == 200
        assert stuck.wait(PATIENCE)
        eventually(lambda: get(address, "/api/livez") == (503, b"event loop unresponsive"))
        release.set()
        eventually(lambda: get(address, "/api/livez")[0] == 200)
        program.join(PATIENCE)
        time.sleep(0.6)  # the loop is gone: that is no reason to be dead
        assert get(address, "/api/livez")[0] == 200
