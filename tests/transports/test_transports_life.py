"""How connections and servers live and end: back-pressure, shutdown with everything under way, bugs, cancellation."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import struct
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest
import trio

import fanlight_asyncio
import fanlight_trio
from fanlight import Limits, Listener, Settings
from fanlight.auth.users import Role
from fanlight.auth.users_file import write_users
from fanlight_engines.auth.passwords import hash_password
from fanlight_engines.performer import Performer
from fanlight_engines.sockets import Bound
from tests.hosts import Host

from .application import GET, UPGRADE, Naps, answer, application, connect, ended, get, issue, secure, until
from .conftest import Serving

CLOSE_1001 = b"\x88\x02\x03\xe9"


def test_a_slow_reader_is_served_as_long_as_it_reads(serve: Serving) -> None:
    served = serve(application(limits=Limits(write_progress=0.4, grace=0.3)))
    with connect(served, receive_buffer=65_536) as client, connect(served) as neighbour:
        client.sendall(GET % b"/big")
        until_then = time.monotonic() + 1.5
        while time.monotonic() < until_then:
            assert client.recv(65_536)
            time.sleep(0.01)
        assert get(neighbour) == b"main"
        assert len(served.server.connections) == 2


def test_one_who_does_not_read_is_dropped(serve: Serving) -> None:
    served = serve(application(limits=Limits(write_progress=0.4, grace=0.3)))
    with connect(served, receive_buffer=65_536) as client, connect(served) as neighbour:
        client.sendall(GET % b"/big")
        time.sleep(1.0)
        assert get(neighbour) == b"main"
        assert len(served.server.connections) == 1
        assert ended(client)


def test_a_body_that_drips_ends_and_a_slow_one_does_not(serve: Serving) -> None:
    served = serve(application(limits=Limits(body_progress=1.0, progress_bytes=1000)))
    post = b"POST /count HTTP/1.1\r\nHost: localhost\r\nContent-Length: 15000\r\n\r\n"
    with connect(served) as dripping, connect(served) as slow:
        for client in (dripping, slow):
            client.sendall(post)
        for _ in range(15):
            with contextlib.suppress(ConnectionError):
                dripping.sendall(b"x")
            slow.sendall(b"x" * 1000)
            time.sleep(0.1)
        assert answer(slow) == b"15000"
        assert dripping.recv(65_536).startswith(b"HTTP/1.1 408 ")


def test_a_client_that_leaves_interrupts_its_effect(serve: Serving) -> None:
    served = serve(application())
    with connect(served) as client:
        client.sendall(GET % b"/nap")
        time.sleep(0.1)
    until_then = time.monotonic() + 5.0
    while served.server.connections and time.monotonic() < until_then:
        time.sleep(0.01)
    assert not served.server.connections


def test_shutdown_with_everything_under_way(serve: Serving, tmp_path: Path) -> None:
    settings, trusted = issue(tmp_path, "ada")
    served = serve(
        application(Listener("main", "127.0.0.1:0"), Listener("tls", "127.0.0.1:0", tls=True), settings=settings)
    )
    with ExitStack() as stack:

        def begin(data: bytes, listener: str = "main") -> socket.socket:
            client = stack.enter_context(connect(served, listener))
            client.sendall(data)
            return client

        idle, half_head, handshaking = begin(b""), begin(b"GET / HT"), begin(b"\x16\x03", "tls")
        websocket = begin(UPGRADE)
        assert b"101" in until(websocket, b"\r\n\r\n")
        streaming, napping, soon = begin(GET % b"/big"), begin(GET % b"/nap"), begin(GET % b"/soon")
        safe = stack.enter_context(secure(connect(served, "tls"), trusted))
        assert get(safe) == b"tls"
        streaming.recv(1000)
        time.sleep(0.05)
        began = time.monotonic()
        stopping = threading.Thread(target=served.stop)
        stopping.start()
        assert answer(soon) == b"soon"  # what can be finished is finished
        assert until(websocket, CLOSE_1001)
        assert ended(idle)
        assert time.monotonic() - began < 0.55
        assert ended(safe)
        for client in (half_head, handshaking, streaming, napping, websocket, soon):
            assert ended(client)
        stopping.join(10.0)
        assert not stopping.is_alive()
        assert 0.3 < time.monotonic() - began < 3.0
        with pytest.raises(ConnectionRefusedError):
            connect(served)
    assert not served.server.connections


def test_a_bug_in_the_core_costs_one_client_and_nothing_else(
    serve: Serving, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = serve(application())
    with connect(served) as first, connect(served) as second:
        assert get(first) == get(second) == b"main"

        def bug(connection: object) -> bytes:
            raise ZeroDivisionError

        with monkeypatch.context() as patched:
            patched.setattr(served.server, "date", bug)
            assert get(first) == b""
        assert get(second) == b"main"
        assert any("failure in a connection" in record.getMessage() for record in caplog.records)
        began = time.monotonic()
        served.stop()  # not hindered by what the bug has left
        assert time.monotonic() - began < 2.0


def test_a_bug_at_a_deadline_does_not_stop_the_clock(serve: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    served = serve(application(limits=Limits(request_head=0.2, grace=0.3)))
    with connect(served) as first, connect(served) as second:
        assert get(second) == b"main"

        def bug(connection: object) -> bytes:
            raise ZeroDivisionError

        with monkeypatch.context() as patched:
            patched.setattr(served.server, "date", bug)
            first.sendall(b"GET / HT")
            assert ended(first)
        second.sendall(b"GET / HT")
        assert b"408" in until(second, b"\r\n\r\n")


def test_a_listener_that_fails_inside_goes_on(serve: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    served = serve(application())
    with connect(served) as first:
        assert get(first) == b"main"

        def bug(*_: object) -> bool:
            raise ZeroDivisionError

        with monkeypatch.context() as patched:
            patched.setattr(served.server, "_admits", bug)
            with connect(served) as second:
                assert ended(second)
        with connect(served) as third:
            assert get(third) == b"main"


# ---- a server's own beginning and end, without a host around it ---------------


def napping(server: object) -> Performer:
    """A performer of naps."""
    return Performer([Naps()])


def leaves_nothing(bounds: tuple[Bound, ...]) -> bool:
    """Nobody listens any more, and no thread works."""
    for bound in bounds:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((bound.host, bound.port))
    until_then = time.monotonic() + 2.0
    while time.monotonic() < until_then:
        if not any(thread.name.startswith("fanlight") for thread in threading.enumerate()):
            return True
        time.sleep(0.01)
    return False


def under_trio(ticks: int) -> tuple[Bound, ...]:
    """Serve, cancel after `ticks` turns of the loop; returns the addresses, if it came so far."""
    bounds: tuple[Bound, ...] = ()

    class Status:
        def started(self, value: tuple[Bound, ...] = ()) -> None:
            nonlocal bounds
            bounds = value

    async def main() -> None:
        async def cancel(scope: trio.CancelScope) -> None:
            for _ in range(ticks):
                await trio.lowlevel.checkpoint()
            scope.cancel()

        with trio.fail_after(10.0):
            async with trio.open_nursery() as nursery:
                if ticks:
                    nursery.start_soon(cancel, nursery.cancel_scope)
                else:
                    nursery.cancel_scope.cancel()
                await fanlight_trio.serve(application(), performing=napping, task_status=Status())

    trio.run(main)
    return bounds


def under_asyncio(ticks: int, factory: Callable[[], asyncio.AbstractEventLoop] | None = None) -> tuple[Bound, ...]:
    """The same under asyncio."""
    bounds: list[tuple[Bound, ...]] = []

    async def main() -> None:
        task = asyncio.ensure_future(fanlight_asyncio.serve(application(), ready=bounds.append, performing=napping))
        for _ in range(ticks):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(task, 10.0)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(main())
    return bounds[0] if bounds else ()


@pytest.mark.parametrize("ticks", range(6))
@pytest.mark.parametrize("over_loop", [under_trio, under_asyncio])
def test_serving_may_be_cancelled_at_any_moment(over_loop: Callable[[int], tuple[Bound, ...]], ticks: int) -> None:
    assert leaves_nothing(over_loop(ticks))


def test_a_second_cancellation_ends_the_grace() -> None:
    async def main() -> None:
        ready: asyncio.Future[tuple[Bound, ...]] = asyncio.get_running_loop().create_future()
        app = application(limits=Limits(grace=30.0))
        task = asyncio.ensure_future(fanlight_asyncio.serve(app, ready=ready.set_result, performing=napping))
        bound = (await ready)[0]
        reader, writer = await asyncio.open_connection(bound.host, bound.port)
        writer.write(GET % b"/nap")
        await asyncio.sleep(0.1)
        task.cancel()
        await asyncio.sleep(0.1)
        assert not task.done()  # the nap may be finished
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(task, 5.0)
        with contextlib.suppress(ConnectionResetError):
            assert await reader.read() == b""
        writer.close()
        with contextlib.suppress(ConnectionResetError):
            await writer.wait_closed()
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main())
    assert leaves_nothing(())


@pytest.mark.parametrize("serving", ["asyncio", "trio"])
def test_what_cannot_be_bound_is_an_error_of_serve(serving: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        app = application(Listener("main", f"127.0.0.1:{taken.getsockname()[1]}"))

        async def main() -> None:
            await (fanlight_asyncio if serving == "asyncio" else fanlight_trio).serve(app, performing=napping)

        with pytest.raises(OSError, match="in use"):
            trio.run(main) if serving == "trio" else asyncio.run(main())
    assert leaves_nothing(())


def test_a_ready_callback_that_fails_ends_the_server() -> None:
    def ready(bounds: tuple[Bound, ...]) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        asyncio.run(fanlight_asyncio.serve(application(), ready=ready, performing=napping))
    assert leaves_nothing(())


# ---- in a thread ----------------------------------------------------------------


def test_a_thread_answers_although_the_host_is_stuck() -> None:
    """The host's loop is blocked for as long as the client asks and is answered."""

    async def host() -> bytes:
        with fanlight_asyncio.start_in_thread(application()) as running:
            bound = running.addresses[0]
            with socket.create_connection((bound.host, bound.port), 5.0) as client:  # blocks the host's loop
                return get(client)

    assert asyncio.run(host()) == b"main"
    assert leaves_nothing(())


def test_two_threads_of_one_app_and_many_stops() -> None:
    app = application(limits=Limits(grace=5.0))
    first, second = fanlight_asyncio.start_in_thread(app), fanlight_asyncio.start_in_thread(app)
    assert first.addresses != second.addresses
    bound = second.addresses[0]
    with socket.create_connection((bound.host, bound.port), 5.0) as client:
        client.sendall(GET % b"/soon")
        time.sleep(0.05)
        stops = [threading.Thread(target=second.stop) for _ in range(3)]
        for stop in stops:
            stop.start()
        assert answer(client) == b"soon"  # the stops that followed have not cut the grace
        for stop in stops:
            stop.join(10.0)
    assert [second.stop(), second.stop(), first.stop(), first.stop()] == [True] * 4
    assert leaves_nothing(())


def test_a_thread_that_cannot_bind_raises_where_it_was_started() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="in use"):
        fanlight_asyncio.start_in_thread(application(Listener("main", f"127.0.0.1:{taken.getsockname()[1]}")))
    assert leaves_nothing(())


def test_a_server_may_stop_itself() -> None:
    app = application()
    running: list[fanlight_asyncio.Running] = []

    @app.route("GET", "/stop")
    async def stop(request: object):  # type: ignore[no-untyped-def]
        from fanlight import Response

        return Response(200, (), str(running[0].stop()).encode())

    running.append(fanlight_asyncio.start_in_thread(app))
    bound = running[0].addresses[0]
    with socket.create_connection((bound.host, bound.port), 5.0) as client:
        assert get(client, b"/stop") == b"False"
        assert ended(client)
    assert running[0].stop(5.0)


def test_uvloop_in_a_thread() -> None:
    import uvloop

    with fanlight_asyncio.start_in_thread(application(), loop_factory=uvloop.new_event_loop) as running:
        bound = running.addresses[0]
        with socket.create_connection((bound.host, bound.port), 5.0) as client:
            assert get(client) == b"main"
    assert leaves_nothing(())


def test_hosts_are_told_nothing_of_all_this(over: Host, serve: Serving, caplog: pytest.LogCaptureFixture) -> None:
    """Ordinary life and rude clients leave no warning in any log."""
    served = serve(application())
    for data in (b"", b"GET / HT", b"\x16\x03\x01", b"junk\r\n\r\n", GET % b"/big", GET % b"/nap", UPGRADE):
        for reset in (False, True):
            with connect(served) as client:
                client.sendall(data)
                if reset:
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                time.sleep(0.02)
    with ExitStack() as stack:  # all leave while an endless answer is being written to them
        for _ in range(20):
            client = stack.enter_context(connect(served))
            client.sendall(GET % b"/big")
            client.recv(1 << 20)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    served.stop()
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_a_task_in_the_background_outlives_its_client_and_ends_with_the_server(serve: Serving) -> None:
    served = serve(application())
    with connect(served) as client:
        assert get(client, b"/begin") == b"begun"
    deadline = time.monotonic() + 5.0
    with connect(served) as client:
        while get(client, b"/ended") != b"slept":
            assert time.monotonic() < deadline
            time.sleep(0.01)
    began = time.monotonic()
    served.stop()
    assert time.monotonic() - began < 5.0
    assert len(served.server.background) == 0


def test_a_password_is_hashed_anew_and_nobody_waits_for_it(over: Host, tmp_path: Path) -> None:
    file = tmp_path / "users.json"
    file.write_text(write_users({"ada": Role(hash_password("secret", iterations=4096))}))
    file.chmod(0o600)
    served = over.serve(
        application(
            Listener("main", "127.0.0.1:0", "Password"),
            settings=Settings(users_file=str(file), scram_iterations=5000),
        )
    )
    head = b"GET / HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic YWRhOnNlY3JldA==\r\n\r\n"
    deadline = time.monotonic() + 10.0
    with connect(served) as client:
        client.sendall(head)
        assert answer(client) == b"main"
        while "SCRAM-SHA-256$5000:" not in file.read_text():
            assert time.monotonic() < deadline
            time.sleep(0.01)
        client.sendall(head)
        assert answer(client) == b"main"
        assert len(served.server.background) == 0
    served.stop()
