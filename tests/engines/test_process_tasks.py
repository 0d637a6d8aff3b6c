"""`process.tasks` and the chains of coroutines, read from outside while real loops run."""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
import types
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Generator, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import trio

from fanlight_engines.process import asyncio_tasks as process_asyncio
from fanlight_engines.process import tasks as process_tasks
from fanlight_engines.process import trio_tasks as process_trio
from fanlight_engines.process.frames import FRAMES
from fanlight_engines.process.stacks import awaited_frames, task_stack
from fanlight_engines.process.tasks import TASKS

Row = dict[str, Any]


def tasks(**wanted: Any) -> list[Row]:
    """The rows of `process.tasks` that have these values."""
    names = [column.name for column in TASKS.columns]
    found = [dict(zip(names, row, strict=True)) for row in TASKS.rows()]
    return [row for row in found if all(row[name] == value for name, value in wanted.items())]


def task(name: str) -> Row:
    (row,) = tasks(name=name)
    return row


@contextmanager
def in_thread(run: Callable[[threading.Event, threading.Event], None]) -> Iterator[threading.Thread]:
    """`run(ready, done)` in a thread: it sets `ready`, and ends soon after `done`."""
    ready, done = threading.Event(), threading.Event()
    thread = threading.Thread(target=run, args=(ready, done), name="looping")
    thread.start()
    try:
        assert ready.wait(10)
        yield thread
    finally:
        done.set()
        thread.join(10)


async def until(done: threading.Event) -> None:
    await asyncio.to_thread(done.wait, 10)


async def consume(queue: asyncio.Queue[int]) -> None:
    await queue.get()


async def endless() -> AsyncIterator[int]:
    while True:
        await asyncio.sleep(60)
        yield 1


async def iterate() -> None:
    async for _ in endless():
        pass


async def wait_for_future(future: asyncio.Future[None]) -> None:
    await future


async def wait_for_task(other: asyncio.Task[None]) -> None:
    await other


@types.coroutine
def old_style() -> Generator[Any, None, None]:
    yield from asyncio.sleep(60).__await__()


async def use_old_style() -> None:
    await old_style()


def asyncio_program(ready: threading.Event, done: threading.Event) -> None:
    async def main() -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        async with asyncio.TaskGroup() as group:
            consumer = group.create_task(consume(asyncio.Queue()), name="consumer")
            kept = [
                consumer,
                group.create_task(iterate(), name="iterator"),
                asyncio.create_task(wait_for_future(future), name="on future"),
                asyncio.create_task(wait_for_task(consumer), name="on task"),
                asyncio.create_task(use_old_style(), name="old style"),
                asyncio.create_task(asyncio.sleep(60), name="library\x1b[31m"),
            ]
            await asyncio.sleep(0.01)
            ready.set()
            await until(done)
            for item in kept:
                item.cancel()

    asyncio.run(main())


def test_asyncio_tasks_of_another_thread() -> None:
    with in_thread(asyncio_program) as thread:
        main = next(row for row in tasks(thread=thread.ident) if row["coroutine"].endswith("main"))
        assert main["kind"] == "asyncio"
        consumer = task("consumer")
        assert (consumer["coroutine"], consumer["function"], consumer["waiting_on"]) == (
            "consume",
            "consume",
            "Queue.get",
        )
        assert consumer["file"] == __file__
        assert consumer["line"] == consume.__code__.co_firstlineno + 1
        assert (consumer["loop"], consumer["thread"], consumer["parent"]) == (main["loop"], thread.ident, main["id"])
        assert (task("iterator")["function"], task("iterator")["waiting_on"]) == ("endless", "sleep")
        assert task("on future")["waiting_on"] == "Future"
        assert task("on future")["parent"] is None
        assert task("on task")["waiting_on"] == "task consumer"
        assert (task("old style")["function"], task("old style")["waiting_on"]) == ("old_style", "sleep")
        # A task that is nothing but the library's: where it began.  Its name comes escaped.
        assert task("library\\x1b[31m")["function"] == "sleep"


def test_a_running_task_stands_where_its_thread_stands() -> None:
    entered = threading.Event()

    def block(ready: threading.Event, done: threading.Event) -> None:
        async def busy() -> None:
            entered.set()
            ready.set()
            done.wait(10)

        async def main() -> None:
            soon = asyncio.get_running_loop().create_task(asyncio.sleep(0), name="soon")
            await asyncio.create_task(busy(), name="busy")
            await soon

        asyncio.run(main())

    with in_thread(block):
        assert entered.is_set()
        busy = task("busy")
        assert (busy["state"], busy["waiting_on"]) == ("running", None)
        assert busy["file"] == threading.__file__
        stack = [row for row in FRAMES.rows() if row[0] == "task" and row[1] == busy["id"]]
        assert [row[3] for row in stack][-1].endswith("busy")
        assert stack[0][3] == "Condition.wait"
        assert task("soon")["state"] in ("ready", "waiting")


def test_a_task_that_waits_for_its_turn_is_ready() -> None:
    def program(ready: threading.Event, done: threading.Event) -> None:
        async def main() -> None:
            later = asyncio.create_task(asyncio.sleep(0), name="later")
            ready.set()
            done.wait(10)  # The loop is held: `later` cannot have begun.
            await later

        asyncio.run(main())

    with in_thread(program):
        assert task("later")["state"] == "ready"


def test_a_task_that_is_done_but_kept() -> None:
    def program(ready: threading.Event, done: threading.Event) -> None:
        async def main() -> None:
            kept = asyncio.create_task(asyncio.sleep(0), name="kept")
            await kept
            ready.set()
            await until(done)
            del kept

        asyncio.run(main())

    with in_thread(program):
        row = task("kept")
        assert (row["state"], row["function"], row["line"], row["waiting_on"]) == ("done", None, None, None)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="Python 3.12 has eager tasks")
def test_eager_tasks_are_seen_while_they_run_for_the_first_time() -> None:
    def program(ready: threading.Event, done: threading.Event) -> None:
        async def eager() -> None:
            ready.set()
            done.wait(10)

        async def main() -> None:
            loop = asyncio.get_running_loop()
            loop.set_task_factory(getattr(asyncio, "eager_task_factory"))  # noqa: B009 - not in 3.11's stubs
            await loop.create_task(eager())

        asyncio.run(main())

    with in_thread(program):
        (row,) = [row for row in tasks(kind="asyncio") if row["coroutine"].endswith(".eager")]
        assert row["state"] == "running"
        assert row["file"] == threading.__file__


def test_uvloop_tasks() -> None:
    uvloop = pytest.importorskip("uvloop")

    def program(ready: threading.Event, done: threading.Event) -> None:
        async def main() -> None:
            consumer = asyncio.create_task(consume(asyncio.Queue()), name="on uvloop")
            await asyncio.sleep(0.01)
            ready.set()
            await until(done)
            consumer.cancel()

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(main())

    with in_thread(program) as thread:
        row = task("on uvloop")
        assert (row["state"], row["waiting_on"], row["thread"]) == ("waiting", "Queue.get", thread.ident)


def test_where_registries_are_out_of_sight_the_running_loops_are_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    with in_thread(asyncio_program):
        expected = {row["id"] for row in tasks(kind="asyncio") if row["state"] != "done"}
        monkeypatch.setattr(process_asyncio, "_REGISTRIES", ())
        assert {row["id"] for row in tasks(kind="asyncio")} == expected


class Stubborn:
    """Looks like a task and answers nothing."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(name)


def test_a_task_that_does_not_answer_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asyncio.tasks, process_asyncio._REGISTRIES[-1], {Stubborn()}, raising=False)
    assert all(row["kind"] == "trio" for row in tasks() if row["coroutine"] == "Stubborn")


async def on_event(event: trio.Event) -> None:
    await event.wait()


async def on_channel(channel: trio.MemoryReceiveChannel[int]) -> None:
    async for _ in channel:
        pass


def trio_program(ready: threading.Event, done: threading.Event) -> None:
    async def main() -> None:
        async with trio.open_nursery() as nursery:
            _, receiver = trio.open_memory_channel[int](0)
            nursery.start_soon(on_event, trio.Event(), name="on event")
            nursery.start_soon(on_channel, receiver, name="on channel")
            await trio.sleep(0.01)
            ready.set()
            await trio.to_thread.run_sync(done.wait, 10)
            nursery.cancel_scope.cancel()

    trio.run(main)


def check_trio(thread: int | None) -> None:
    event = task("on event")
    assert (event["kind"], event["state"], event["waiting_on"]) == ("trio", "waiting", "Event.wait")
    assert (event["function"], event["file"], event["thread"]) == ("on_event", __file__, thread)
    assert event["line"] == on_event.__code__.co_firstlineno + 1
    assert task("on channel")["waiting_on"] == "ReceiveChannel.__anext__"
    (main,) = tasks(id=event["parent"])
    assert main["loop"] == event["loop"]
    assert (main["coroutine"].endswith("main"), main["kind"]) == (True, "trio")
    (root,) = tasks(id=main["parent"])
    assert root["parent"] is None


def test_trio_tasks_of_another_thread() -> None:
    with in_thread(trio_program) as thread:
        check_trio(thread.ident)
    assert tasks(name="on event") == []


def test_a_running_trio_task() -> None:
    def program(ready: threading.Event, done: threading.Event) -> None:
        async def main() -> None:
            ready.set()
            done.wait(10)

        trio.run(main)

    with in_thread(program) as thread:
        (main,) = [row for row in tasks(kind="trio", thread=thread.ident) if row["coroutine"].endswith("main")]
        assert main["state"] == "running"
        assert main["file"] == threading.__file__


def test_a_run_that_is_the_guest_of_another_loop_is_remembered() -> None:
    """Between two turns such a run has no frame on any stack."""

    def program(ready: threading.Event, done: threading.Event) -> None:
        async def host() -> None:
            loop = asyncio.get_running_loop()
            finished = loop.create_future()

            async def guest() -> None:
                process_trio.remember_run()
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(on_event, trio.Event(), name="on event")
                    _, receiver = trio.open_memory_channel[int](0)
                    nursery.start_soon(on_channel, receiver, name="on channel")
                    await trio.sleep(0.01)
                    ready.set()
                    await trio.to_thread.run_sync(done.wait, 10)
                    nursery.cancel_scope.cancel()

            trio.lowlevel.start_guest_run(
                guest,
                run_sync_soon_threadsafe=loop.call_soon_threadsafe,
                done_callback=lambda outcome: finished.set_result(None),
                host_uses_signal_set_wakeup_fd=True,
            )
            await finished

        asyncio.run(host())

    with in_thread(program):
        rows = tasks(name="on event")
        assert [row["waiting_on"] for row in rows] == ["Event.wait"]
        assert len(tasks(id=rows[0]["parent"])) == 1
    gc.collect()
    assert tasks(name="on event") == []


def test_remembering_outside_a_run_does_nothing() -> None:
    before = len(process_trio._remembered)
    process_trio.remember_run()
    assert len(process_trio._remembered) == before


def test_both_kinds_at_once_and_their_frames() -> None:
    with in_thread(asyncio_program), in_thread(trio_program):
        frames = [row for row in FRAMES.rows() if row[0] == "task"]
        for name, functions in {
            "consumer": ["Queue.get", "consume"],
            "iterator": ["sleep", "endless", "iterate"],
            "on event": ["Event.wait", "on_event"],
        }.items():
            own = [row for row in frames if row[1] == task(name)["id"]]
            assert [row[2] for row in own] == list(range(len(own)))
            shown = [row[3] for row in own]
            assert shown[-len(functions) :] == functions


def nested(depth: int) -> Coroutine[Any, Any, None]:
    async def inner(left: int) -> None:
        if left:
            await inner(left - 1)
        else:
            await Suspended()

    return inner(depth)


class Suspended(Awaitable[None]):
    def __await__(self) -> Generator[None, None, None]:
        yield


def test_a_deep_chain_is_cut() -> None:
    coroutine = nested(400)
    coroutine.send(None)
    frames = awaited_frames(coroutine)
    assert len(frames) == 200
    # The generator of `__await__` is a frame, too, when the chain is short enough.
    coroutine.close()
    shallow = nested(1)
    shallow.send(None)
    assert task_stack(shallow)[0].function == "Suspended.__await__"
    shallow.close()
    assert task_stack(shallow) == []


def test_nothing_is_imported_for_the_walk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "asyncio.tasks")
    monkeypatch.delitem(sys.modules, "trio")
    assert list(process_tasks.all_tasks()) == []
    assert "trio" not in sys.modules
