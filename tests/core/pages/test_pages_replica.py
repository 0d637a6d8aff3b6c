"""A worker through its parent: what it is sent, what comes back, what goes wrong on the way; the engine is a script."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Mapping
from hashlib import sha1
from typing import Any

import pytest

from fanlight import App, Effect, Listener
from fanlight.config.limits import Limits
from fanlight.federation.effects import NoReply
from fanlight.federation.lines import Dial, Drain, HangUp, Offer, ReceiveHead, ReceivePiece, Replying
from fanlight.observe.records import Failure
from fanlight.pages.effects import ReadLogLevel
from fanlight.pages.files import ReadAssets
from tests.clients.blocking import HttpConnection
from tests.clients.messages import Answer, Outgoing
from tests.core.pages.passwords import House, basic, cookie
from tests.sim import LATER, Answered, Outcome, Sim, SimWire, table

BASE = "/api/cluster/u1/replica/u2/process/0"
WHO = "u1/u2/0"
OPENING = (
    ("connection", "Upgrade"),
    ("upgrade", "websocket"),
    ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ("sec-websocket-version", "13"),
)

SIMS: list[Sim] = []


@pytest.fixture(autouse=True)
def everybody_leaves() -> Iterator[None]:
    """A routine that is dropped where it waits is an error of the host's."""
    yield
    while SIMS:
        for wire in SIMS.pop().wires:
            wire.abort()


class Child:
    """The worker, as a script: its head, the pieces of its body, and what it was asked."""

    def __init__(self, status: int = 200, *fields: tuple[str, str], pieces: tuple[bytes | None, ...] = (b"",)) -> None:
        self.answers: dict[type[Any], Any] = {
            Dial: self.dial,
            Offer: lambda effect: self.offered.append(effect.data),
            Drain: True,
            ReceiveHead: Replying(status, fields),
            ReceivePiece: lambda effect: pieces[effect.number] if effect.number < len(pieces) else LATER,
            HangUp: lambda effect: self.hung_up.append(effect.dial),
            ReadAssets: {},
            ReadLogLevel: "info",
        }
        self.dials: list[Dial] = []
        self.offered: list[bytes] = []
        self.hung_up: list[Dial] = []

    def dial(self, effect: Dial) -> None:
        self.dials.append(effect)

    def answer(self, effect: Effect[Any]) -> Outcome:
        """By the table; what it calls may be late too."""
        outcome = table(self.answers)(effect)
        return LATER if isinstance(outcome, Answered) and outcome.answer is LATER else outcome

    @property
    def fields(self) -> Mapping[str, str]:
        return dict(self.dials[0].fields)

    def sim(self, **more: Any) -> Sim:
        app = App(**more)
        cluster = app.workers.add_cluster("shops", id="u1")
        app.workers.add_replica(cluster, "r1", ["127.0.0.1:9", "unix:/run/x", "[::1]:9"], id="u2")
        SIMS.append(Sim(app, answering=self.answer))
        return SIMS[-1]


def talk(child: Child, version: str = "1.1", **more: Any) -> tuple[HttpConnection, Sim]:
    sim = child.sim(**more)
    return HttpConnection(sim.connect(), version), sim


def ask(child: Child, target: str = f"{BASE}/", *, version: str = "1.1", **request: Any) -> Answer:
    http, sim = talk(child, version)
    answer = http.exchange(Outgoing(target=target, **request))
    assert [note for note in sim.notes if isinstance(note, Failure)] == []
    assert set(child.dials) == set(child.hung_up)  # every connection is let go
    return answer


BOTH = pytest.mark.parametrize("version", ["1.1", "2"])


@BOTH
@pytest.mark.parametrize(
    ("asked", "target"),
    [
        ("/", "/"),
        ("/?a=1", "/?a=1"),
        ("/prof/heap?a=b&c=%26", "/prof/heap?a=b&c=%26"),
        ("/a%2Fb/%ff/..%2F/../x", "/a%2Fb/%ff/..%2F/../x"),
        ("//evil.example/", "//evil.example/"),
    ],
)
def test_the_rest_of_the_target_goes_on_as_it_is(version: str, asked: str, target: str) -> None:
    child = Child(pieces=(b"one ", b"two", b""))
    answer = ask(child, BASE + asked, version=version)
    assert (answer.status, answer.text()) == (200, "one two")
    assert child.dials[0].target == target
    assert str(child.dials[0].address) == "127.0.0.1:9"


@pytest.mark.parametrize(
    ("process", "host"), [("0", "127.0.0.1"), ("1", "localhost"), ("2", "[::1]"), ("00", "127.0.0.1")]
)
def test_the_host_is_the_workers_without_its_port(process: str, host: str) -> None:
    child = Child()
    ask(child, f"/api/cluster/u01/replica/u2/process/{process}/")
    assert child.fields["host"] == host


@pytest.mark.parametrize(
    ("target", "status", "text"),
    [
        ("/api/cluster/x1/replica/u2/process/0/", 400, "Invalid cluster_id 'x1'"),
        ("/api/cluster/u/replica/u2/process/0/", 400, "Invalid cluster_id 'u'"),
        ("/api/cluster/u18446744073709551616/replica/u2/process/0/", 400, "Invalid cluster_id 'u18446744073709551616'"),
        ("/api/cluster/u%D9%A1/replica/u2/process/0/", 400, "Invalid cluster_id 'u\u0661'"),
        ("/api/cluster/u1/replica/zzz/process/0/", 400, "Invalid replica_id 'zzz'"),
        ("/api/cluster/u1/replica/u2/process/-1/", 400, "Invalid process '-1'"),
        ("/api/cluster/u1/replica/u2/process/x/y", 400, "Invalid process 'x'"),
        (f"/api/cluster/u{'1' * 5000}/replica/u2/process/0/", 400, "Invalid cluster_id"),
        ("/api/cluster/u1/replica/u9/process/0/", 404, "No HTTP address found for cluster u1, replica u9, process 0"),
        ("/api/cluster/u1/replica/u2/process/3/x", 404, "No HTTP address found for cluster u1, replica u2, process 3"),
        ("/api/cluster/u18446744073709551615/replica/u2/process/0/", 404, "No HTTP address found"),
        ("/api/cluster/s1/replica/s1/process/1/", 404, "No HTTP address found for cluster s1, replica s1, process 1"),
        ("/api/cluster/s1/replica/u2/process/0/", 404, "No HTTP address found for cluster s1, replica u2, process 0"),
    ],
)
def test_places_that_are_none(target: str, status: int, text: str) -> None:
    answer = ask(Child(), target)
    assert (answer.status, answer.get("content-type")) == (status, "text/plain; charset=utf-8")
    assert answer.text().startswith(text)


def test_a_path_without_its_slash_is_no_page() -> None:
    assert ask(Child(), BASE).status == 404


@BOTH
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "PROPFIND"])
def test_any_method_and_its_body(method: str, version: str) -> None:
    child = Child()
    assert ask(child, f"{BASE}/x", method=method, body=b"hello", version=version).status == 200
    assert child.dials[0].method == method
    assert child.offered == [b"hello", b""]


@BOTH
def test_bodies_are_framed_anew(version: str) -> None:
    known, unknown, none = Child(), Child(), Child()
    ask(known, method="POST", body=b"hello", fields=(("content-length", "5"),), version=version)
    assert (known.fields["content-length"], known.fields.get("transfer-encoding")) == ("5", None)
    ask(unknown, method="POST", body=b"hello", chunked=True, version=version)
    if version == "1.1":
        assert (unknown.fields["transfer-encoding"], unknown.fields.get("content-length")) == ("chunked", None)
    ask(none, version=version)
    assert not {"content-length", "transfer-encoding"} & set(none.fields)
    assert none.fields["connection"] == "close"


def test_credentials_stay_here_and_the_caller_is_named() -> None:
    child = Child()
    fields = (
        ("authorization", "Basic bXpfc3lzdGVtOg=="),
        ("cookie", "mz_session=SENTINEL"),
        ("proxy-authorization", "SENTINEL"),
        ("x-forwarded-for", "192.0.2.1"),
        ("x-forwarded-proto", "https"),
        ("forwarded", "for=192.0.2.1"),
        ("connection", "x-hop"),
        ("x-hop", "1"),
        ("te", "trailers"),
        ("accept", "text/plain"),
        ("via", "1.1 elsewhere"),
        ("origin", "http://localhost"),
        ("sec-fetch-site", "same-origin"),
    )
    ask(child, method="POST", fields=fields)
    *others, (last, via), proto, peer, user, close = (
        pair for pair in child.dials[0].fields if pair[0] != "content-length"
    )
    assert others == [("host", "127.0.0.1"), ("accept", "text/plain"), ("via", "1.1 elsewhere")]
    assert last == "via"
    assert via.startswith("1.1 fanlight-")
    assert proto == ("x-forwarded-proto", "http")
    assert peer == ("x-forwarded-for", "127.0.0.1")
    assert user == ("x-materialize-user", "mz_system")
    assert close == ("connection", "close")


def test_only_those_are_named_whom_a_worker_believes() -> None:
    child = Child()
    ask(child, fields=(("authorization", "Basic YWRhOg=="),))
    assert "x-materialize-user" not in child.fields


@BOTH
def test_what_a_worker_answers_is_handed_on(version: str) -> None:
    fields = (
        ("content-type", "text/plain"),
        ("connection", "x-hop"),
        ("x-hop", "1"),
        ("keep-alive", "timeout=5"),
        ("location", "http://elsewhere.example/"),
        ("set-cookie", "a=1"),
        ("set-cookie", "b=2"),
        ("date", "yesterday"),
    )
    answer = ask(Child(302, *fields, pieces=(b"x", b"")), version=version)
    assert (answer.status, answer.text(), answer.get("location")) == (302, "x", "http://elsewhere.example/")
    assert [value for name, value in answer.fields if name == "set-cookie"] == ["a=1", "b=2"]
    assert answer.get("x-hop") is None
    assert answer.get("keep-alive") is None
    assert len([name for name, _ in answer.fields if name == "date"]) == 1


@BOTH
@pytest.mark.parametrize(("status", "method"), [(204, "GET"), (304, "GET"), (200, "HEAD"), (404, "HEAD")])
def test_answers_without_a_body(status: int, method: str, version: str) -> None:
    answer = ask(Child(status, ("etag", '"x"')), method=method, version=version)
    assert (answer.status, answer.body, answer.get("etag")) == (status, b"", '"x"')


@BOTH
def test_a_body_that_breaks_off_is_not_ended_as_if_it_were_whole(version: str) -> None:
    answer = ask(Child(200, ("content-length", "9"), pieces=(b"half", None)), version=version)
    assert answer.status == 200
    assert answer.broken


@pytest.mark.parametrize(
    ("kind", "given", "status", "text"),
    [
        (Dial, NoReply("refused"), 502, "Failed to connect to 127.0.0.1:9: connection refused"),
        (Dial, NoReply("unreachable"), 502, "Failed to connect to 127.0.0.1:9: "),
        (Dial, NoReply("timeout"), 504, "Connection timeout to 127.0.0.1:9 after 5s"),
        (Dial, LATER, 504, "Connection timeout to 127.0.0.1:9 after 5s"),
        (ReceiveHead, NoReply("broken"), 502, f"Error proxying to clusterd {WHO}: "),
        (ReceiveHead, LATER, 504, f"Request timeout to clusterd {WHO} after 60s"),
        (ReceiveHead, Replying(101, ()), 502, f"Error proxying to clusterd {WHO}: "),
        (ReceiveHead, Replying(200, (("x", "a\x01"),)), 502, f"Error proxying to clusterd {WHO}: "),
    ],
)
def test_a_worker_that_cannot_be_spoken_to(kind: type[Any], given: Any, status: int, text: str) -> None:
    child = Child()
    child.answers[kind] = given
    http, sim = talk(child)
    answer = http.exchange(Outgoing(target=f"{BASE}/"), 70)
    assert (answer.status, answer.get("content-type")) == (status, "text/plain; charset=utf-8")
    assert answer.text().startswith(text)
    assert len(child.hung_up) == 1
    assert [note for note in sim.notes if isinstance(note, Failure)] == []


def test_an_answer_before_the_end_of_the_body_is_the_answer() -> None:
    child = Child(413)
    child.answers[Drain] = LATER
    http, _ = talk(child)
    answer = http.exchange(Outgoing(method="POST", target=f"{BASE}/", body=b"x" * 100_000))
    assert answer.status == 413
    assert child.offered[-1] != b""


def test_a_worker_that_takes_no_more_may_have_answered() -> None:
    child = Child(401)
    child.answers[Drain] = False
    assert ask(child, method="POST", body=b"x").status == 401


@BOTH
def test_a_body_beyond_the_limit_goes_nowhere(version: str) -> None:
    announced = Child()
    http, _ = talk(announced, version, limits=Limits(body_bytes=10))
    answer = http.exchange(
        Outgoing(method="POST", target=f"{BASE}/", body=b"x" * 11, fields=(("content-length", "11"),))
    )
    assert (answer.status, announced.dials) == (413, [])
    child = Child()
    child.answers[ReceiveHead] = LATER
    wire = child.sim(limits=Limits(body_bytes=10)).connect()
    wire.send(f"POST {BASE}/ HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n".encode())
    wire.send(b"8\r\nxxxxxxxx\r\n")
    wire.send(b"3\r\nyyy\r\n0\r\n\r\n")
    assert bytes(wire.received).startswith(b"HTTP/1.1 413 ")
    assert set(child.hung_up) == set(child.dials)
    assert child.offered == [b"x" * 8]


def test_a_slow_client_slows_its_worker_down() -> None:
    child = Child(pieces=(b"x" * 60_000,) * 50)
    sim = child.sim()
    wire = sim.connect(credit=False)
    wire.send(f"GET {BASE}/ HTTP/1.1\r\nhost: localhost\r\n\r\n".encode())
    assert len(wire.received) < 300_000
    for _ in range(200):
        wire.take()
        sim.advance(0)
    assert len(wire.received) >= 3_000_000


@pytest.mark.parametrize("waits", [Dial, ReceiveHead, ReceivePiece])
def test_a_client_that_leaves_ends_it(waits: type[Any]) -> None:
    child = Child()
    child.answers[waits] = LATER
    sim = child.sim()
    wire = sim.connect()
    wire.send(f"GET {BASE}/ HTTP/1.1\r\nhost: localhost\r\n\r\n".encode())
    assert child.hung_up == []
    wire.abort()
    assert len(set(child.hung_up)) == 1
    assert sim.pending == []


def test_a_request_that_comes_back_is_a_loop() -> None:
    child = Child()
    http, sim = talk(child)
    via = ("via", f"1.1 other, 1.1 {sim.server.pseudonym}")
    answer = http.exchange(Outgoing(target=f"{BASE}/", fields=(via,)))
    assert (answer.status, answer.text()) == (508, "proxy loop detected")
    assert child.dials == []


# ---- this process itself ---------------------------------------------------------

OWN = "/api/cluster/s1/replica/s1/process/0"


@BOTH
def test_the_process_itself_is_asked_without_a_connection(version: str) -> None:
    child = Child()
    answer = ask(child, f"{OWN}/api/livez", version=version)
    assert (answer.status, answer.text()) == (200, "Liveness check successful!")
    assert ask(child, f"{OWN}/api/readyz?wait=1", version=version).status == 400
    assert ask(child, f"{OWN}/api/livez", version=version, method="POST").status == 405
    assert ask(child, f"{OWN}/no/such/page", version=version).status == 404
    assert child.dials == []


def test_its_own_proxy_is_a_loop() -> None:
    answer = ask(Child(), f"{OWN}{OWN}/api/livez")
    assert (answer.status, answer.text()) == (508, "proxy loop detected")


def test_the_roles_of_the_other_group_hold() -> None:
    groups = {"internal": "NormalAndInternal", "metrics": "Internal", "base": "Normal"}
    http, _ = talk(Child(), listeners=[Listener(groups=groups)])

    def status(target: str, *fields: tuple[str, str]) -> int:
        return http.exchange(Outgoing(target=OWN + target, fields=fields)).status

    system = ("authorization", "Basic bXpfc3lzdGVtOg==")
    assert status("/api/livez") == 401
    assert status("/api/livez", system) == 200
    assert status("/api/tracing") == 200
    assert status("/api/coordinator/check") == 401
    assert status("/prof/", system) == 404


def test_metrics_have_the_template_for_a_label() -> None:
    http, sim = talk(Child())
    for target in (f"{BASE}/x", f"{OWN}/api/livez", f"{BASE}/"):
        http.exchange(Outgoing(target=target))
    paths = [record.path for record in sim.server.recent]
    base = "/api/cluster/{cluster_id}/replica/{replica_id}/process/{process}/"
    assert paths == [base + "{*path}", base + "{*path}", base]


# ---- tunnels ---------------------------------------------------------------------


class Tunnel(Child):
    """A worker that speaks in bytes; what it says is queued, and then it is silent."""

    def __init__(self, *fields: tuple[str, str]) -> None:
        super().__init__(101, ("upgrade", "websocket"), ("connection", "Upgrade"), *fields)
        self.said: list[bytes | None] = []
        self.answers[ReceivePiece] = lambda effect: (
            self.said[effect.number] if effect.number < len(self.said) else LATER
        )


def opened(child: Child, *, credit: bool = True) -> tuple[Sim, SimWire]:
    sim = child.sim()
    wire = sim.connect(credit=credit)
    fields = "".join(f"{name}: {value}\r\n" for name, value in OPENING)
    wire.send(f"GET {BASE}/ws HTTP/1.1\r\nhost: localhost\r\n{fields}\r\n".encode())
    return sim, wire


def test_a_handshake_is_bridged() -> None:
    child = Tunnel(("sec-websocket-accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), ("sec-websocket-protocol", "x"))
    _, wire = opened(child)
    head, _, rest = bytes(wire.received).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 101 ")
    assert b"sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in head
    assert b"sec-websocket-protocol: x" in head
    assert head.lower().count(b"\r\nupgrade: websocket") == 1
    assert rest == b""
    sent = dict(child.dials[0].fields)
    assert {name: sent[name].lower() for name in ("connection", "upgrade")} == {
        "connection": "upgrade",
        "upgrade": "websocket",
    }
    assert sent["sec-websocket-key"] == "dGhlIHNhbXBsZSBub25jZQ=="
    wire.send(b"\x81\x83abcd")
    wire.send(b"\xff")
    assert child.offered == [b"", b"\x81\x83abcd", b"\xff"]
    assert child.hung_up == []
    wire.abort()
    assert set(child.hung_up) == set(child.dials)


def test_what_the_worker_says_and_its_end() -> None:
    child = Tunnel()
    child.said = [b"\x81\x01x", b"more", b""]
    _, wire = opened(child)
    assert bytes(wire.received).endswith(b"\r\n\r\n\x81\x01xmore")
    assert wire.half_closed
    assert set(child.hung_up) == set(child.dials)


def test_neither_direction_waits_for_the_other() -> None:
    child = Tunnel()
    child.said = [b"x" * 60_000] * 20
    sim, wire = opened(child, credit=False)
    wire.take()
    wire.send(b"hello")  # though the client takes nothing, and the worker's words fill the buffers
    sim.advance(0.1)
    assert len(wire.received) < 300_000
    for _ in range(200):
        wire.take()
        sim.advance(0)
    assert len(wire.received) > 1_200_000
    assert child.offered == [b"", b"hello"]


def test_over_http2_the_key_is_ours_and_checked() -> None:
    child = Tunnel(("sec-websocket-accept", "wrong"))
    http, _ = talk(child, "2")
    answer, socket = http.websocket(f"{BASE}/ws")
    assert (answer.status, socket) == (502, None)
    assert set(child.hung_up) == set(child.dials)


def test_a_refused_handshake_is_handed_on() -> None:
    child = Child(403, ("content-type", "text/plain"), pieces=(b"no", b""))
    _, wire = opened(child)
    assert bytes(wire.received).startswith(b"HTTP/1.1 403 ")
    assert set(child.hung_up) == set(child.dials)


def test_a_page_of_another_site_opens_no_tunnel() -> None:
    child = Tunnel()
    http, _ = talk(child)
    answer = http.exchange(
        Outgoing(target=f"{BASE}/ws", fields=(("host", "localhost"), ("origin", "https://evil.example"), *OPENING))
    )
    assert (answer.status, child.dials) == (403, [])


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_a_page_of_another_site_writes_nothing_through_here(method: str) -> None:
    child = Child()
    answer = ask(child, f"{BASE}/api/leader/promote", method=method, fields=(("origin", "https://evil.example"),))
    assert (answer.status, child.dials) == (403, [])


@BOTH
@pytest.mark.parametrize("by", ["session", "password"])
def test_a_tunnel_ends_with_the_identity_that_it_rests_on(version: str, by: str) -> None:
    child, house = Tunnel(), House(version)
    house.app.workers.add_replica(house.app.workers.add_cluster("shops", id="u1"), "r1", ["127.0.0.1:9"], id="u2")

    def answer(effect: Effect[Any]) -> Outcome:
        return child.answer(effect) if type(effect) in child.answers else House.answer(house, effect)

    house.sim.answering = answer
    SIMS.append(house.sim)
    sessions = [cookie(house.log_in()), cookie(house.log_in("bob"))]
    who = sessions if by == "session" else [basic("ada"), basic("bob")]
    child.answers[ReceiveHead] = lambda effect: Replying(101, (("sec-websocket-accept", accept_of(effect.dial)),))
    tunnels = [HttpConnection(house.sim.connect(), version) for _ in who]
    for http, field in zip(tunnels, who, strict=True):
        _, socket = http.websocket(f"{BASE}/ws", (field,))
        assert socket is not None
    mine, other = child.dials
    house.users.drop("ada")
    house.sim.advance(0)
    assert set(child.hung_up) == {mine}
    if version == "1.1":
        assert tunnels[0].wire.receive(0.1) == b""
    house.sim.advance(9 * 3600)
    assert (other in child.hung_up) is (by == "session")  # eight hours, as every socket of a session
    assert len(house.sim.server.vouched) == (0 if by == "session" else 1)


def accept_of(dial: Dial) -> str:
    key = dict(dial.fields)["sec-websocket-key"]
    return b64encode(sha1(f"{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11".encode()).digest()).decode()


def test_the_process_itself_keeps_the_rules_for_pages_of_other_sites() -> None:
    house = House()
    SIMS.append(house.sim)
    evil, me = ("origin", "https://evil.example"), basic("ada")
    mine = cookie(house.log_in())
    # A browser sends both by itself; the rule of `internal` lets one's own credentials pass, that of logout does not.
    assert house.ask(f"{OWN}/api/logout", me, mine, evil, method="POST").status == 403
    assert house.ask("/api/livez", mine).status == 200
    assert house.ask(f"{OWN}/api/logout", me, mine, method="POST").status == 200
    assert house.ask("/api/livez", mine).status == 401
    assert house.ask(f"{OWN}/api/login", me, ("content-type", "application/json"), evil, method="POST").status == 403
