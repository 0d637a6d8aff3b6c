"""Header, cookie and first message are one: the same credentials give the same identity, or the same refusal.

Over both versions of HTTP, for users that are and users that are not.
"""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fanlight.auth.scram import derive
from tests.clients.websocket import Closed, Text

from .passwords import House, basic, cookie

NAMES = st.sampled_from(["ada", "Ada", "nobody", "mz_system", "pg_x", "nologin", "nopass", "a\nb", "é", ""])
WORDS = st.sampled_from(["wonderland", "builder", "", "pässword:with colon", "x" * 1025])


def house(version: str) -> House:
    made = House(version, auth_failure_burst=0, peer_auth_failure_burst=0)
    for name, password in (("ada", "wonderland"), ("pg_x", "builder"), ("é", "pässword:with colon"), ("nologin", "")):
        made.users.put(name, str(derive(password, bytes(32), 2)), login=name != "nologin")
    made.users.put("nopass", None)
    made.users.put("mz_system", str(derive("", bytes(32), 2)))
    return made


def by_header(made: House, user: str, password: str) -> str | None:
    """Whoever is admitted is told that the method is another one; nobody else is."""
    return user if made.ask("/", basic(user, password), method="DELETE").status == 405 else None


def by_cookie(made: House, user: str, password: str) -> str | None:
    """The same after a login."""
    login = made.log_in(user, password)
    if login.status != 200:
        assert (login.status, login.body) == (401, b"")
        return None
    return user if made.ask("/", cookie(login), method="DELETE").status == 405 else None


def by_message(made: House, user: str, password: str) -> str | None:
    """The same in the first message."""
    _, socket = made.socket(first={"user": user, "password": password})
    said = socket.receive()
    assert said in (Text(user), Closed(1002, "unauthorized"))
    return user if isinstance(said, Text) else None


def by_carried_cookie(made: House, user: str, password: str) -> str | None:
    """The same with the session in the handshake."""
    login = made.log_in(user, password)
    _, socket = made.socket(cookie(login), first={}) if login.status == 200 else (None, None)
    return user if socket is not None and isinstance(socket.receive(), Text) else None


@settings(max_examples=60, suppress_health_check=list(HealthCheck), deadline=None)
@given(NAMES, WORDS)
def test_one_chain(user: str, password: str) -> None:
    outcomes = {
        way(house(version), user, password)
        for version in ("1.1", "2")
        for way in (by_header, by_cookie, by_message, by_carried_cookie)
    }
    assert len(outcomes) == 1, (user, password, outcomes)
