"""The switch interval goes down while somebody wants it, and comes back."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from fanlight_engines.profiling.switch_interval import EAGER, LOW, EagerSwitchInterval, LowSwitchInterval


@pytest.fixture(autouse=True)
def interval() -> Iterator[None]:
    """5 ms at first, whatever the test does with it; afterwards as before."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(0.005)
    yield
    sys.setswitchinterval(before)


def test_two_users_set_it_once_and_the_last_sets_it_back() -> None:
    with LowSwitchInterval():
        with LowSwitchInterval():
            assert sys.getswitchinterval() == pytest.approx(LOW)
        assert sys.getswitchinterval() == pytest.approx(LOW)
    assert sys.getswitchinterval() == pytest.approx(0.005)


def test_an_error_sets_it_back() -> None:
    with pytest.raises(ZeroDivisionError), LowSwitchInterval():
        _ = 1 / 0
    assert sys.getswitchinterval() == pytest.approx(0.005)


def test_a_lower_one_stays() -> None:
    sys.setswitchinterval(0.0001)
    with LowSwitchInterval():
        assert sys.getswitchinterval() == pytest.approx(0.0001)
    assert sys.getswitchinterval() == pytest.approx(0.0001)


def test_what_the_program_sets_meanwhile_stays() -> None:
    with LowSwitchInterval():
        sys.setswitchinterval(0.02)
    assert sys.getswitchinterval() == pytest.approx(0.02)
    with LowSwitchInterval():
        assert sys.getswitchinterval() == pytest.approx(LOW)
    assert sys.getswitchinterval() == pytest.approx(0.02)


def test_eager_for_a_moment() -> None:
    with LowSwitchInterval():
        with EagerSwitchInterval():
            assert sys.getswitchinterval() == pytest.approx(EAGER)
        assert sys.getswitchinterval() == pytest.approx(LOW)
    assert sys.getswitchinterval() == pytest.approx(0.005)
