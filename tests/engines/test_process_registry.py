"""`process.workers` and `process.objects`: names of what the program registered."""

from __future__ import annotations

import os

from fanlight.app import App
from fanlight.server import Server
from fanlight_engines.performer import SystemEntropy
from fanlight_engines.process.registry import bound
from tests.sim import START


def rows(app: App) -> tuple[list[tuple[object, ...]], list[tuple[object, ...]]]:
    server = Server(app, now=START, entropy=SystemEntropy())
    workers, objects = bound(server, tuple)
    return [tuple(row) for row in workers.rows()], [tuple(row) for row in objects.rows()]


def test_this_process_is_there_from_the_start() -> None:
    workers, objects = rows(App())
    assert workers == [("s1", "process", "s1", "r1", 0, None, True, os.getpid())]
    assert objects == []


def test_what_is_registered() -> None:
    app = App()
    app.workers.add_replica(app.workers.add_cluster("shop"), "r1", lambda: ["unix:/0", "10.0.0.1:1"])
    app.catalog.add("Source", "orders")
    app.catalog.add("Table", "audit", system=True)
    app.relation(id=int)(invoices)
    workers, objects = rows(app)
    assert workers[1:] == [
        ("u1", "shop", "u2", "r1", 0, "unix:/0", False, None),
        ("u1", "shop", "u2", "r1", 1, None, False, None),
    ]
    assert sorted(row[1:] for row in objects) == [
        ("Source", "materialize", "public", "orders"),
        ("Table", "", "public", "audit"),
        ("View", "materialize", "public", "invoices"),
    ]
    identities = [row[0] for row in objects]
    assert all(identity in app.catalog for identity in identities)


def invoices() -> list[tuple[int]]:
    return [(1,)]
