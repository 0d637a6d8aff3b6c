"""Federation over real transports with real worker processes: each a fanlight on a Unix socket of its own."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from attrs import define
from prometheus_client import CollectorRegistry, Counter, Gauge

from fanlight import App, Listener, MetricQuery, MetricQuerySet
from tests.clients.blocking import HttpConnection
from tests.clients.messages import Answer, Outgoing
from tests.clients.wires import SocketWire
from tests.hosts import Host, Served
from tests.samples import Samples, samples_of

ROOT = Path(__file__).resolve().parents[2]
DELAY = 30.0


@define
class Worker:
    """A child process and where it listens."""

    path: str
    process: subprocess.Popen[bytes]


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """Short enough for the path of a Unix socket."""
    made = Path(tempfile.mkdtemp(prefix="fl-"))
    yield made
    shutil.rmtree(made)


@pytest.fixture(scope="module")
def workers(folder: Path) -> Iterator[list[Worker]]:
    """One under asyncio, one under trio."""
    with ExitStack() as stack:
        started: list[Worker] = []
        for over in ("asyncio", "trio"):
            path = str(folder / f"{over}.sock")
            command = [sys.executable, "-m", "tests.transports.worker", over, f"unix:{path}", over]
            process = stack.enter_context(subprocess.Popen(command, stdin=subprocess.PIPE, cwd=ROOT))
            assert process.stdin is not None
            stack.callback(process.stdin.close)
            started.append(Worker(path, process))
        for each in started:
            listens(each)
        yield started


def listens(worker: Worker) -> None:
    until = time.monotonic() + DELAY
    while time.monotonic() < until:
        assert worker.process.poll() is None, "the worker has ended"
        with socket.socket(socket.AF_UNIX) as attempt:
            if attempt.connect_ex(worker.path) == 0:
                return
        time.sleep(0.02)
    raise AssertionError("the worker does not listen")


@define
class House:
    """A parent that is served, and its workers."""

    app: App
    served: Served

    def get(self, target: str, version: str = "1.1", **fields: str) -> Answer:
        """One request on a connection of its own."""
        http = HttpConnection(SocketWire(self.served.address()), version)
        try:
            return http.exchange(Outgoing(target=target, fields=tuple(fields.items())), 20)
        finally:
            http.wire.close()


@pytest.fixture
def house(over: Host, workers: list[Worker], folder: Path) -> Iterator[House]:
    """A parent with two workers that live, one that is dead, and one that hangs."""
    registry = CollectorRegistry()
    Counter("shop_orders", "Orders of the parent.", ["shop"], registry=registry).labels("parent").inc()
    Gauge("shop_open", "Open.", registry=registry).set(1)
    app = App(listeners=[Listener(address="127.0.0.1:0")], registry=registry)
    app.metrics_from_sql(
        MetricQuerySet(
            "shop",
            (
                MetricQuery(
                    metric_name="shop_stock",
                    help="Stock.",
                    query="SELECT name, amount FROM stock",
                    value_column_name="amount",
                    per_replica=True,
                ),
            ),
        )
    )
    cluster = app.workers.add_cluster("shops")
    app.workers.add_replica(cluster, "alive", [f"unix:{each.path}" for each in workers])
    served = over.serve(app)
    yield House(app, served)
    served.stop()


def samples(answer: Answer) -> Samples:
    assert answer.status == 200, answer.text()
    return samples_of(answer.text())


def labels(process: int, **more: str) -> tuple[tuple[str, str], ...]:
    ids = {"cluster_id": "u1", "replica_id": "u2", "process": str(process)}
    return tuple(sorted({**ids, **more}.items()))


NAMES = {"cluster_name": "shops", "replica_name": "alive"}


@pytest.mark.parametrize("version", ["1.1", "2"])
def test_the_metrics_of_all_processes(house: House, version: str) -> None:
    found = samples(house.get("/metrics/public", version))
    assert found["shop_orders_total", (("shop", "parent"),)] == 1
    for process, name in enumerate(("asyncio", "trio")):
        more = {**NAMES, "served_by": "shops", "shop": f'{name}"\\\n'}
        assert found["shop_orders_total", labels(process, **more)] == 3
        assert found["shop_wait_seconds_bucket", labels(process, **NAMES, le="1.0")] == 1
        assert found["fanlight_federation_up", labels(process)] == 1


def test_one_that_is_dead_and_one_that_hangs_cost_only_themselves(house: House, folder: Path) -> None:
    path = str(folder / "hangs.sock")
    Path(path).unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX) as hanging:
        hanging.bind(path)
        hanging.listen()
        bad = house.app.workers.add_replica("shops", "bad", [f"unix:{folder}/none.sock", f"unix:{path}"])
        began = time.monotonic()
        found = samples(house.get("/metrics/public"))
        assert time.monotonic() - began < 10
        house.app.workers.remove_replica(bad)
    assert found["fanlight_federation_up", labels(0)] == 1
    for process in ("0", "1"):
        ids = (("cluster_id", "u1"), ("process", process), ("replica_id", bad.id))
        assert found["fanlight_federation_up", ids] == 0
    assert found["shop_open", ()] == 1


def test_a_query_runs_in_each_process(house: House) -> None:
    found = samples(house.get("/metrics/shop"))
    there = {"instance_id": "u1", "replica_full_name": "shops.alive", "replica_id": "u2"}
    # The parent has no such relation: that costs its own samples only.
    assert found == {
        ("shop_stock", tuple(sorted({**there, "name": "asyncio"}.items()))): 7,
        ("shop_stock", tuple(sorted({**there, "name": "trio"}.items()))): 4,
    }


def test_the_defaults_of_every_process(house: House) -> None:
    found = samples(house.get("/metrics/mz_compute"))
    peeks = [dict(key) for name, key in found if name == "mz_compute_replica_peek_count"]
    assert sorted(each["replica_full_name"] for each in peeks) == ["process.r1", "shops.alive", "shops.alive"]
    assert len({each["worker_id"] for each in peeks}) == 3


def test_the_table_of_workers(house: House) -> None:
    text = house.get("/clusters").text()
    for process in (0, 1):
        assert f'href="/api/cluster/u1/replica/u2/process/{process}/"' in text


def test_promtool_takes_it(house: House) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("no promtool here")
    for target in ("/metrics", "/metrics/public", "/metrics/mz_usage", "/metrics/mz_frontier", "/metrics/mz_compute"):
        body = house.get(target).body
        done = subprocess.run([promtool, "check", "metrics"], input=body, capture_output=True, check=False)
        # Its remarks are about names that are a contract, and about one bucketed unit; a broken text is an error.
        remarks = [line for line in done.stderr.decode().splitlines() if line]
        assert done.returncode in (0, 3), (target, remarks)
        assert all(line.split(" ")[0].startswith("mz_") for line in remarks), (target, remarks)
