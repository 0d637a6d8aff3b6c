"""`GET /clusters`: what is registered, escaped, with a link for each process."""

from __future__ import annotations

import pytest

from fanlight import App
from fanlight.pages.clusters import page
from fanlight.workers import SELF
from tests.clients.blocking import HttpConnection
from tests.clients.messages import Answer, Outgoing
from tests.sim import Sim


def get(app: App, version: str = "1.1", target: str = "/clusters") -> Answer:
    return HttpConnection(Sim(app).connect(), version).exchange(Outgoing(target=target))


@pytest.mark.parametrize("version", ["1.1", "2"])
def test_a_row_for_each_replica(version: str) -> None:
    app = App()
    app.workers.add_replica(app.workers.add_cluster("quickstart"), "r9", ["unix:/0", "unix:/1"])
    answer = get(app, version)
    assert (answer.status, answer.get("content-type")) == (200, "text/html; charset=utf-8")
    text = answer.text()
    row = "<td>quickstart</td><td>r9</td><td>u1</td><td>u2</td><td>2</td>"
    links = [f'<a href="/api/cluster/u1/replica/u2/process/{number}/">p{number}</a>' for number in (0, 1)]
    assert f"<tr>{row}<td>{' '.join(links)}</td></tr>" in text
    assert text.index("<td>process</td>") < text.index("<td>quickstart</td>")


def test_a_replica_whose_processes_nobody_knows() -> None:
    app = App()
    app.workers.add_replica(app.workers.add_cluster("quickstart"), "r9", list)
    assert "<td>0</td><td>No HTTP endpoints</td>" in get(app).text()


def test_names_are_never_markup() -> None:
    app = App()
    app.workers.add_replica(app.workers.add_cluster("<script>{x}"), '"&', [])
    text = get(app).text()
    assert "<td>&lt;script&gt;{x}</td><td>&quot;&amp;</td>" in text
    assert "<script>" not in text


def test_without_any_replica() -> None:
    assert "<p>No replicas found.</p>" in page([])
    assert "No replicas" not in page([SELF])


def test_malformed_options() -> None:
    assert get(App(), target="/clusters?options=1").status == 400


def test_a_trailing_slash_is_another_path() -> None:
    assert get(App(), target="/clusters/").status == 404
