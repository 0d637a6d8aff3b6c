"""`fanlight demo`: it is busy, it shows itself, it ends when it is told to."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from fanlight_cli.office import Office
from tests.cli.process import Process, ask, demonstrated, finished, rows


@pytest.fixture
def demo() -> Iterator[tuple[Process, str]]:
    """The demo and the address that it has printed."""
    with demonstrated() as found:
        yield found


def test_every_address_it_prints_answers(demo: tuple[Process, str]) -> None:
    process, where = demo
    assert ask(where, "/api/livez") == (200, b"Liveness check successful!")
    assert ask(where, "/")[0] == 200
    status, body = ask(where, "/metrics")
    assert status == 200
    assert b"office_parcels_total" in body
    sorters = rows(where, "select name from process.tasks where name like 'sorter-%' order by name")
    assert sorters == [["sorter-1"], ["sorter-2"], ["sorter-3"], ["sorter-4"]]
    assert len(rows(where, "select town, parcels from shelves")) <= 10
    process.popen.terminate()
    assert process.end() == 0
    assert process.errors == []


def test_an_interrupt_ends_it_cleanly(demo: tuple[Process, str]) -> None:
    process, _ = demo
    process.popen.send_signal(signal.SIGINT)
    assert process.end() == 0
    assert process.errors == []


def test_it_says_so_when_it_cannot_listen(demo: tuple[Process, str]) -> None:
    _, where = demo
    done = finished("demo", "--listen", where)
    assert done.returncode == 1
    assert "cannot listen" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_office_works() -> None:
    registry = CollectorRegistry()
    office = Office(registry=registry, pace=0.001)

    async def run() -> None:
        work = asyncio.create_task(office.run())
        while len(office.ledger) < 200:  # noqa: ASYNC110  (the office tells nobody how far it is)
            await asyncio.sleep(0.01)
        office.forget()
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)

    asyncio.run(run())
    shelves = list(office.shelves())
    assert sum(parcels for _, parcels, _, _ in shelves) == len(office.ledger) >= 200
    assert all(grams > 0 and seconds > 0 for _, _, grams, seconds in shelves)
    assert b'office_parcels_total{outcome="sorted"}' in generate_latest(registry)
