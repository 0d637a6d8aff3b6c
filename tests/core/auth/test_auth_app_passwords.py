"""App passwords: one exchange for all, sessions that are kept fresh while somebody wants them, outages."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fanlight import App, Listener
from fanlight.asks import ClientGone, Sleep
from fanlight.auth.chain import Rejected, too_many
from fanlight.auth.effects import FetchDocument, Fetched, FetchFailed, VerifySignature
from fanlight.auth.frontegg import BAD, OUTAGE
from fanlight.auth.identity import Identity
from fanlight_engines.auth.tokens import verify
from tests.clients.blocking import HttpConnection
from tests.clients.websocket import Closed, Text
from tests.core.pages.passwords import whoami
from tests.sim import Answered, Outcome, Sim

from .tenancy import CLAIMS, NOW, OTHER, PASSWORD, SETTINGS, URSULA, Bearer, Tenant, reply


def test_an_exchange() -> None:
    tenant = Tenant()
    actor = tenant.start()
    effect = tenant.crowd.answer(reply())
    assert isinstance(effect, FetchDocument)
    assert effect.body is not None
    assert json.loads(effect.body)["clientId"] == "0f0f0f0f-0f0f-0f0f-0f0f-0f0f0f0f0f0f"
    assert "a0a0" not in repr(effect)
    assert actor.result == URSULA
    assert actor.result.proof.ends is None
    assert tenant.tokens.passwords.holds(actor.result.proof.grant)


def test_a_live_one_is_joined_by_its_user_only() -> None:
    tenant = Tenant()
    assert tenant.prove(reply(), "wrong@example.com") == Rejected(BAD, user="wrong@example.com")
    assert tenant.start().result == URSULA
    assert tenant.start("other@example.com").result == Rejected(BAD, user="other@example.com")
    tenant.crowd.pass_time(799)
    assert tenant.start().ended
    assert tenant.tokens.passwords.exchanges == 1


def test_one_exchange_for_all_who_wait_and_each_by_his_own_name() -> None:
    tenant = Tenant()
    actors = [tenant.start(user) for user in ("wrong@example.com", "ursula@example.com", "URSULA@EXAMPLE.COM")]
    tenant.crowd.answer(reply())
    assert [type(ask) for _, ask in tenant.crowd.asked] == [Sleep]
    assert [actor.result for actor in actors] == [Rejected(BAD, user="wrong@example.com"), URSULA, URSULA]


def test_who_exchanges_and_leaves_is_replaced() -> None:
    tenant = Tenant()
    first, second = tenant.start(), tenant.start()
    first.leave()
    assert isinstance(first.error, ClientGone)
    tenant.crowd.answer(reply())
    assert second.result == URSULA


def test_a_wrong_secret_counts_and_is_not_remembered() -> None:
    tenant = Tenant()
    for _ in range(3):
        assert tenant.prove(Fetched(403, b"")) == Rejected(BAD, user="ursula@example.com")
    assert tenant.prove(reply()) == too_many(60, "ursula@example.com")
    tenant.crowd.pass_time(60)
    assert tenant.prove(reply()) == URSULA


@pytest.mark.parametrize(
    "answer",
    [Fetched(500, b""), Fetched(408, b""), Fetched(429, b""), FetchFailed("timeout"), FetchFailed("refused")],
)
def test_an_outage_is_tried_again_for_half_a_minute_and_costs_no_try(answer: Any) -> None:
    tenant = Tenant()
    began = tenant.crowd.now.mono
    for _ in range(4):
        assert tenant.prove(answer) == Rejected(OUTAGE, user="ursula@example.com")
    assert 4 * 25 <= tenant.crowd.now.mono - began <= 4 * 30
    assert tenant.prove(reply()) == URSULA
    assert tenant.tokens.passwords.exchanges == 5


def test_pauses_grow() -> None:
    tenant = Tenant()
    tenant.start()
    pauses = []
    for _ in range(6):
        tenant.crowd.answer(Fetched(503, b""))
        pauses.append(tenant.crowd.answer(None).seconds)
    assert pauses == [0.2, 0.4, 0.8, 1.6, 2.0, 2.0]


@pytest.mark.parametrize(
    "answer",
    [
        Fetched(200, b"<html>"),
        Fetched(200, b"{}"),
        reply(expiresIn="5"),
        reply(refreshToken=None),
        reply(accessToken="garbage"),
        reply({**CLAIMS, "exp": NOW - 1}),
        reply({**CLAIMS, "tenantId": OTHER}),
    ],
)
def test_answers_that_are_none(answer: Fetched) -> None:
    tenant = Tenant()
    assert tenant.prove(answer) == Rejected(OUTAGE, user="ursula@example.com")
    assert tenant.prove(reply()) == URSULA


def test_a_session_that_somebody_rests_on_is_kept_fresh() -> None:
    tenant = Tenant()
    tenant.rests.append(Bearer(tenant.prove(reply())))
    for round_ in range(3):
        assert tenant.counted()["refresh_tasks_active"] == 1
        tenant.wake(800)
        claims = {**CLAIMS, "exp": NOW + 800 * (round_ + 1) + 1000, "groups": [f"g{round_}"]}
        effect = tenant.crowd.answer(reply(claims))
        assert isinstance(effect, FetchDocument)
        assert tenant.rests[0].identity.groups == (f"g{round_}",)
        assert tenant.start().result.groups == (f"g{round_}",)
    assert tenant.tokens.passwords.exchanges == 4
    assert tenant.ended == []
    assert tenant.counted() == {
        "request_count exchange_secret_for_token 200": 4,
        "refresh_tasks_active": 1,
        "session_request_count new": 1,
        "session_request_count active": 3,
        "session_refresh_count true false": 3,
    }


def test_rights_come_at_the_next_refresh_and_their_loss_ends_what_rests_on_them() -> None:
    tenant = Tenant()
    bearer = Bearer(tenant.prove(reply()))
    tenant.rests.append(bearer)
    tenant.wake(800)
    tenant.crowd.answer(reply({**CLAIMS, "exp": NOW + 1800, "roles": ["mzadmin"]}))
    assert bearer.identity is not None
    assert (bearer.identity.superuser, bearer.identity.admin) == (True, True)
    tenant.wake(800)
    tenant.crowd.answer(reply({**CLAIMS, "exp": NOW + 2600}))
    assert len(tenant.ended) == 1
    assert not tenant.start().ended


def test_a_session_that_nobody_wants_ends() -> None:
    tenant = Tenant()
    tenant.prove(reply())
    tenant.wake(800)
    assert tenant.crowd.asked == []
    assert len(tenant.ended) == 1
    assert not tenant.tokens.passwords.holds(tenant.ended[0])
    assert tenant.counted()["refresh_tasks_active"] == 0
    assert tenant.counted()["session_refresh_count false false"] == 1
    assert not tenant.start().ended


@pytest.mark.parametrize(("before", "fetched"), [(49, True), (51, False)])
def test_one_that_was_used_a_moment_ago_goes_on(before: float, fetched: bool) -> None:
    tenant = Tenant()
    tenant.prove(reply())
    tenant.crowd.pass_time(800 - before)
    assert tenant.start().result == URSULA
    tenant.wake(before)
    assert [type(ask) for _, ask in tenant.crowd.asked] == ([FetchDocument] if fetched else [])


@pytest.mark.parametrize(
    "answer",
    [Fetched(403, b""), Fetched(200, b"{}"), reply({**CLAIMS, "email": "other@example.com", "exp": NOW + 9000})],
)
def test_a_refresh_that_fails_ends_the_session(answer: Fetched) -> None:
    tenant = Tenant()
    tenant.rests.append(Bearer(tenant.prove(reply())))
    tenant.wake(800)
    tenant.crowd.answer(answer)
    assert tenant.ended == [tenant.rests[0].identity.proof.grant]
    assert tenant.counted()["refresh_tasks_active"] == 0
    assert len(tenant.throttle) == 0


def test_an_outage_while_refreshing_is_waited_for() -> None:
    tenant = Tenant()
    tenant.rests.append(Bearer(tenant.prove(reply())))
    tenant.wake(800)
    for _ in range(3):
        tenant.crowd.answer(FetchFailed("timeout"))
        tenant.wake(2)
        assert tenant.start().result == URSULA
    tenant.crowd.answer(reply({**CLAIMS, "exp": NOW + 3000}))
    assert tenant.ended == []
    assert tenant.counted()["request_count exchange_secret_for_token timeout"] == 3


def test_a_session_that_made_room_for_others_ends_when_it_would_be_renewed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fanlight.auth.app_passwords.KEPT", 1)
    tenant = Tenant()
    first = tenant.prove(reply())
    assert isinstance(first, Identity)
    actor = tenant.start(password=PASSWORD.replace("0f", "1f"))
    tenant.crowd.answer(reply(), 1)
    assert actor.result == URSULA
    assert first.proof is not None
    assert not tenant.tokens.passwords.holds(first.proof.grant or b"")
    tenant.wake(800)
    assert tenant.ended == [first.proof.grant]


def test_a_token_of_no_time_counts_as_a_minute() -> None:
    tenant = Tenant()
    tenant.rests.append(Bearer(tenant.prove(reply({**CLAIMS, "exp": NOW}))))
    ((_, sleep),) = tenant.crowd.asked
    assert sleep.seconds == 48


class House:
    """A server of the tenant's, and a socket that an app password opened."""

    def __init__(self) -> None:
        app = App(listeners=[Listener(authenticator="Frontegg")], frontegg=SETTINGS)
        app.route("GET", "/whoami", group="ws", websocket=True)(whoami)
        self.answer: Fetched | FetchFailed = reply()
        self.sim = Sim(app, answering=self.perform)
        self.wire = self.sim.connect()
        _, socket = HttpConnection(self.wire, "1.1").websocket("/whoami", ())
        assert socket is not None
        self.socket = socket
        self.socket.send(json.dumps({"user": "ursula@example.com", "password": PASSWORD}))

    def perform(self, effect: Any) -> Outcome:
        return Answered(verify(effect) if isinstance(effect, VerifySignature) else self.answer)

    @property
    def identity(self) -> Identity | None:
        ((conversation, _),) = self.sim.server.vouched.items()
        return conversation.exchange.request.identity


def test_a_socket_lives_as_long_as_its_session() -> None:
    house = House()
    assert house.socket.receive() == Text("Ursula@Example.com")
    for number in range(1, 4):
        house.answer = reply({**CLAIMS, "exp": NOW + 800 * number + 1000, "groups": [f"g{number}"]})
        house.sim.advance(800)
        assert house.identity is not None
        assert house.identity.groups == (f"g{number}",)
    house.answer = Fetched(403, b"")
    house.sim.advance(801)
    assert house.socket.receive() == Closed(1008, "authentication expired")
    assert len(house.sim.server.background) == 0


def test_a_session_ends_with_its_last_socket_and_with_the_server() -> None:
    house = House()
    house.socket.receive()
    house.wire.abort()
    house.sim.advance(801)
    assert len(house.sim.server.background) == 0
    house = House()
    house.socket.receive()
    assert len(house.sim.server.background) == 1
    house.sim.shutdown(0.0)
    assert len(house.sim.server.background) == 0


def test_metrics_are_shown_where_the_kind_is() -> None:
    shown = [part.shape.name for part in House().sim.server.metrics.families]
    assert [name for name in shown if name.startswith("mz_auth")] == [
        "mz_auth_request_count",
        "mz_auth_refresh_tasks_active",
        "mz_auth_session_request_count",
        "mz_auth_session_refresh_count",
        "mz_auth_request_duration_seconds",
    ]
    assert not [part for part in Sim(App()).server.metrics.families if part.shape.name.startswith("mz_auth")]


def test_an_outage_may_be_told_from_a_wrong_password() -> None:
    tenant = Tenant(upstream_failure_status=503)
    outcome = tenant.prove(FetchFailed("timeout"))
    assert (outcome.status, outcome.body, outcome.reason) == (503, "service unavailable", OUTAGE)
    assert tenant.prove(Fetched(403, b"")).status == 401
