"""`/api/leader/*` to the letter, in every state, over both versions."""

from __future__ import annotations

import pytest

from fanlight import App, Listener, ManualLeader
from fanlight.health.leadership import State
from fanlight.observe.records import Failure
from tests.clients.blocking import HttpConnection
from tests.clients.messages import Answer, Outgoing
from tests.conformance.worlds import WAYS
from tests.sim import Sim

NOT_PROMOTED = b'{"result":{"Failure":{"message":"cannot promote leader while initializing"}}}'
NOT_SKIPPED = b'{"message":"cannot skip catchup in this phase of initialization; try again later"}'
JSON = "application/json"


@pytest.fixture(params=["1.1", "2"])
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def app_at(state: State) -> App:
    app = App(leader=ManualLeader())
    for move in WAYS.get(state, ()):
        move(app.leadership)
    return app


def ask(sim: Sim, version: str, method: str, path: str, *fields: tuple[str, str], body: bytes = b"") -> Answer:
    request = Outgoing(method=method, target=f"/api/leader/{path}", fields=fields, body=body)
    return HttpConnection(sim.connect(), version).exchange(request)


@pytest.mark.parametrize(
    ("state", "status"),
    [
        ("Initializing", "Initializing"),
        ("CatchingUp", "Initializing"),
        ("ReadyToPromote", "ReadyToPromote"),
        ("Promoting", "Promoting"),
        ("IsLeader", "IsLeader"),
    ],
)
def test_status(state: State, status: str, version: str) -> None:
    answer = ask(Sim(app_at(state)), version, "GET", "status")
    assert (answer.status, answer.get("content-type")) == (200, JSON)
    assert answer.body == b'{"status":"%b"}' % status.encode()
    assert ask(Sim(app_at(state)), version, "HEAD", "status").body == b""


@pytest.mark.parametrize(
    ("state", "code", "after"),
    [
        ("Initializing", 400, "Initializing"),
        ("CatchingUp", 400, "CatchingUp"),
        ("ReadyToPromote", 200, "Promoting"),
        ("Promoting", 200, "Promoting"),
        ("IsLeader", 200, "IsLeader"),
    ],
)
def test_promote(state: State, code: int, after: State, version: str) -> None:
    app = app_at(state)
    answer = ask(Sim(app), version, "POST", "promote", body=b"is not read")
    assert (answer.status, answer.get("content-type")) == (code, JSON)
    assert answer.body == (b'{"result":"Success"}' if code == 200 else NOT_PROMOTED)
    assert app.leadership.state == after
    assert app.leadership.promoted.happened == (after == "Promoting")


@pytest.mark.parametrize("state", ["Initializing", "CatchingUp", "ReadyToPromote", "Promoting", "IsLeader"])
def test_skip_catchup(state: State, version: str) -> None:
    app = app_at(state)
    answer = ask(Sim(app), version, "POST", "skip-catchup")
    if state == "Initializing":
        assert (answer.status, answer.get("content-type"), answer.body) == (400, JSON, NOT_SKIPPED)
    else:
        assert (answer.status, answer.get("content-type"), answer.body) == (204, None, b"")
    assert app.leadership.state == state
    assert app.leadership.skipped.happened == (state == "CatchingUp")


def test_there_is_one_process_unless_somebody_says_otherwise(version: str) -> None:
    assert ask(Sim(App()), version, "GET", "status").body == b'{"status":"IsLeader"}'


def test_a_watcher_of_the_program_that_raises_is_its_bug_and_no_500(version: str) -> None:
    app = app_at("ReadyToPromote")

    def bad(state: State) -> None:
        raise ValueError("of the program")

    app.leadership.watch(bad)
    sim = Sim(app)
    assert ask(sim, version, "POST", "promote").status == 200
    assert [note.where for note in sim.notes if isinstance(note, Failure)] == ["a watcher of the leadership"]
    app = App(leader=ManualLeader())
    app.leadership.set_catching_up().watch(lambda: bad("CatchingUp"))
    assert ask(Sim(app), version, "POST", "skip-catchup").status == 204


def test_wrong_methods_roles_and_foreign_pages(version: str) -> None:
    answer = ask(Sim(App()), version, "GET", "promote")
    assert (answer.status, answer.get("allow")) == (405, "POST")
    app = App(listeners=(Listener(groups={"internal": "Internal"}),), leader=ManualLeader())
    app.leadership.set_ready_to_promote()
    assert ask(Sim(app), version, "POST", "promote").status == 401
    assert app.leadership.state == "ReadyToPromote"
    app = app_at("ReadyToPromote")
    answer = ask(Sim(app), version, "POST", "promote", ("origin", "https://evil.example"))
    assert answer.status == 403
    assert answer.get("access-control-allow-origin") is None
    assert app.leadership.state == "ReadyToPromote"


def test_only_the_leader_is_ready_where_that_is_asked_for(version: str) -> None:
    app = App(leader=ManualLeader(), ready_requires_leader=True)
    sim = Sim(app)
    client = HttpConnection(sim.connect(), version)
    assert client.exchange(Outgoing(target="/api/readyz")).status == 503
    app.leadership.set_is_leader()
    assert client.exchange(Outgoing(target="/api/readyz")).status == 200
    app.leadership.lose("the lock is gone")
    assert client.exchange(Outgoing(target="/api/readyz?wait=true")).status == 503


def test_an_app_that_is_served_again_stands_anew_but_for_what_the_program_did(version: str) -> None:
    manual, alone = app_at("Promoting"), App()
    for app, state in ((manual, b"Promoting"), (alone, b"IsLeader")):
        first = app.leadership
        sims = Sim(app), Sim(app)
        assert ask(sims[1], version, "GET", "status").body == b'{"status":"%b"}' % state
        assert (app.leadership is first) == (app is manual)


def test_what_was_asked_for_is_in_the_audit_log_with_who_asked(version: str) -> None:
    app = App(leader=ManualLeader())
    app.wall = lambda: 7.0
    sim = Sim(app)
    for path in ("promote", "skip-catchup"):
        assert ask(sim, version, "POST", path).status == 400
    app.leadership.set_catching_up()
    for _ in range(2):
        assert ask(sim, version, "POST", "skip-catchup").status == 204
    app.leadership.set_ready_to_promote()
    for _ in range(2):
        assert ask(sim, version, "POST", "promote", ("authorization", "Basic YWRhOg==")).status == 200
    told = [(each.event.details, each.event.user) for each in app.audit_log.events()]
    assert [each for each in told if "StateV1" not in each[0]] == [
        ('{"SkipCatchupV1":{}}', "anonymous_http_user"),
        ('{"PromoteV1":{}}', "ada"),
    ]
