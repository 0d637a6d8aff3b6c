"""`fanlight.federation.effects`: values that are asked and answered."""

from __future__ import annotations

from fanlight.federation.effects import AskWorkers, Replied, Steps, WorkOut, finish


def test_the_first_field_of_a_name_counts() -> None:
    reply = Replied(200, (("a", "1"), ("a", "2")), b"secret")
    assert (reply.get("a"), reply.get("b")) == ("1", None)
    assert "secret" not in repr(reply)


def test_an_interrupt_is_for_one_effect_and_not_for_its_like() -> None:
    assert AskWorkers((), 1.0, 1.0, 1, 1) != AskWorkers((), 1.0, 1.0, 1, 1)
    assert WorkOut(counting, (3,)) != WorkOut(counting, (3,))


def counting(most: int) -> Steps[str]:
    for _ in range(most):
        yield
    return "done"


def test_work_is_done_with_pauses_between_its_pieces() -> None:
    pauses: list[int] = []
    assert finish(counting(3), lambda: pauses.append(1)) == "done"
    assert len(pauses) == 3
    assert finish(counting(0)) == "done"
