"""Effects of authentication: who claims an attempt has it, and only he."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fanlight.auth.effects import Attempt, Secret


@given(st.lists(st.booleans(), min_size=1, max_size=6))
def test_the_first_claim_decides(claims: list[bool]) -> None:
    attempt = Attempt()
    answers = [attempt.begin() if begins else attempt.abandon() for begins in claims]
    assert answers == [begins is claims[0] for begins in claims]


def test_a_secret_is_equal_to_nothing_but_itself() -> None:
    secret = Secret("x")
    assert secret == secret
    assert secret != Secret("x")
    assert secret.reveal() == "x"
