"""Feeds: who evaluates, who is woken when, what is new to whom."""

from __future__ import annotations

from math import inf

import pytest

from fanlight.moment import Now
from fanlight.sql.changes import Form
from fanlight.sql.effects import Evaluated
from fanlight.sql.errors import CANCELLED, SqlError
from fanlight.sql.feeds import Feed, Feeds, Load, Seat
from fanlight.sql.values import text_column

COLUMNS = (text_column("a"),)
ONE = Evaluated(COLUMNS, {b'["1"]': 1})
SAME = Evaluated(COLUMNS, ONE.rows)
TWO = Evaluated(COLUMNS, {b'["2"]': 1})


def at(seconds: float) -> Now:
    return Now(100 + seconds, 1_700_000_000 + seconds)


def told(feed: Feed, seat: Seat) -> None:
    """The subscriber has told its client everything."""
    assert feed.current is not None
    seat.seen, seat.version, seat.told = feed.current.rows, feed.version, feed.timestamp


def tick(feed: Feed, seat: Seat, now: Now, evaluated: Evaluated) -> None:
    """`seat` evaluates."""
    assert feed.is_due(seat, now)
    feed.begin(seat, now)
    feed.unpark(seat)
    assert not feed.is_due(seat, now)
    feed.publish(evaluated, {}, now)


def settled(count: int, up_to: int | None = None, form: Form | None = None) -> tuple[Feed, list[Seat]]:
    """A feed whose subscribers all know its rows, and wait."""
    feed = Feed(1.0, Load())
    seats = [feed.seat(form or Form(), up_to) for _ in range(count)]
    for seat in seats:
        feed.park(seat, at(0))
    tick(feed, seats[0], at(0), ONE)
    for seat in seats:
        feed.unpark(seat)
        told(feed, seat)
    for seat in seats:
        feed.park(seat, at(0))
    return feed, seats


def test_the_first_is_due_at_once_and_all_that_came_before_share_what_it_finds() -> None:
    feed = Feed(1.0, Load())
    first, second = feed.seat(Form(), None), feed.seat(Form(), None)
    feed.park(first, at(0))
    assert first.signal.at == at(0).mono
    feed.unpark(first)
    feed.begin(first, at(0))
    feed.park(second, at(0))
    assert second.signal.at == inf
    feed.publish(ONE, {}, at(0))
    assert second.signal.at == at(0).mono
    assert feed.has_news(first)
    assert feed.has_news(second)


def test_who_comes_during_an_evaluation_waits_for_the_next() -> None:
    feed = Feed(1.0, Load())
    first = feed.seat(Form(), None)
    feed.begin(first, at(0))
    late = feed.seat(Form(), None)
    feed.park(late, at(0))
    feed.publish(ONE, {}, at(0.1))
    assert not feed.has_news(late)
    assert late.signal.at == at(0.1).mono
    tick(feed, late, at(0.1), TWO)
    assert feed.has_news(late)


def test_one_of_many_keeps_watch_and_another_one_when_it_is_away() -> None:
    feed, seats = settled(3)
    assert [seat.signal.at for seat in seats] == [at(1).mono, inf, inf]
    feed.unpark(seats[0])
    assert [seat.signal.at for seat in seats[1:]] == [at(1).mono, inf]
    feed.leave(seats[1], at(0.5))
    assert seats[2].signal.at == at(1).mono


def test_a_tick_without_a_change_wakes_nobody() -> None:
    feed, seats = settled(3)
    before = feed.timestamp
    tick(feed, seats[0], at(1), SAME)
    assert feed.timestamp == before + 1000
    assert feed.changed == before
    assert not any(map(feed.has_news, seats))
    assert sorted(seat.signal.at for seat in seats[1:]) == [at(2).mono, inf]


def test_a_change_wakes_all() -> None:
    feed, seats = settled(3)
    tick(feed, seats[0], at(1), TWO)
    assert all(map(feed.has_news, seats))
    assert [seat.signal.at for seat in seats[1:]] == [at(1).mono] * 2
    assert feed.changed == feed.timestamp


def test_timestamps_never_go_back() -> None:
    feed, seats = settled(1)
    before = feed.timestamp
    feed.unpark(seats[0])
    feed.begin(seats[0], at(1))
    feed.publish(TWO, {}, Now(at(1).mono, 5.0))
    assert feed.timestamp == before + 1


def test_progress_and_a_bound_make_each_tick_news() -> None:
    feed, (seat,) = settled(1, form=Form(progress=True))
    tick(feed, seat, at(1), SAME)
    assert feed.has_news(seat)
    feed, (seat,) = settled(1, up_to=int(at(2).wall * 1000))
    tick(feed, seat, at(1), SAME)
    assert not feed.has_news(seat)
    tick(feed, seat, at(2), SAME)
    assert feed.has_news(seat)


def test_what_takes_longer_than_its_tick_is_evaluated_less_often() -> None:
    feed, (seat,) = settled(1)
    feed.unpark(seat)
    feed.begin(seat, at(1))
    feed.publish(SAME, {}, at(4))
    feed.park(seat, at(4))
    assert seat.signal.at == at(7).mono


def test_an_evaluation_that_is_abandoned_is_the_next_ones() -> None:
    feed, seats = settled(2)
    feed.unpark(seats[0])
    feed.begin(seats[0], at(1))
    assert not feed.is_due(seats[1], at(1))
    feed.leave(seats[0], at(1.5))
    assert seats[1].signal.at <= at(1.5).mono
    assert feed.is_due(seats[1], at(1.5))


def test_a_failure_is_the_end_for_all() -> None:
    feed, seats = settled(3)
    feed.unpark(seats[0])
    feed.begin(seats[0], at(1))
    feed.fail(CANCELLED, at(1))
    assert all(map(feed.has_news, seats))
    assert not any(feed.is_due(seat, at(9)) for seat in seats)
    assert [seat.signal.at for seat in seats[1:]] == [at(1).mono] * 2


def test_other_columns_are_the_end() -> None:
    feed, (seat,) = settled(1)
    tick(feed, seat, at(1), Evaluated((text_column("b"),), ONE.rows))
    assert feed.failure is not None
    assert feed.failure.code == "0A000"


def test_shapes_stay_as_long_as_somebody_wants_them() -> None:
    feed, seats = settled(2)
    other = feed.seat(Form(progress=True), None)
    assert feed.shape(other.form, COLUMNS) is feed.shape(other.form, COLUMNS)
    feed.shape(Form(), COLUMNS)
    feed.leave(other, at(0))
    feed.leave(seats[0], at(0))
    assert list(feed.shapes) == [Form()]
    feed.leave(seats[1], at(0))
    assert feed.shapes == {}
    assert feed.seats == 0


def test_feeds_are_shared_by_key_and_forgotten_with_their_last() -> None:
    feeds = Feeds(3)
    first, second, other = feeds.join("a", 1.0), feeds.join("a", 1.0), feeds.join("b", 0.1)
    assert first is second
    assert first is not None
    assert other is not None
    assert other.poll == 0.1
    assert feeds.join("c", 1.0) is None
    seats = [first.seat(Form(), None), first.seat(Form(), None)]
    for seat in seats:
        first.leave(seat, at(0))
        assert len(feeds) == 2
        feeds.leave("a", first)
    assert len(feeds) == 1
    assert feeds.subscribers == 1


def test_a_feed_that_failed_takes_nobody() -> None:
    feeds = Feeds(3)
    first = feeds.join("a", 1.0)
    assert first is not None
    seat = first.seat(Form(), None)
    first.fail(SqlError("gone", "42704"), at(0))
    second = feeds.join("a", 1.0)
    assert second is not None
    assert second is not first
    newer = second.seat(Form(), None)
    first.leave(seat, at(0))
    feeds.leave("a", first)
    assert feeds.join("a", 1.0) is second
    second.leave(newer, at(0))


@pytest.mark.parametrize("count", [1, 50])
def test_a_quiet_feed_wakes_one_connection_a_tick(count: int) -> None:
    feed, seats = settled(count)
    wakes = 0
    for second in range(1, 20):
        due = [seat for seat in seats if seat.signal.at <= at(second).mono]
        wakes += len(due)
        for seat in due:
            tick(feed, seat, at(second), SAME)
            assert not feed.has_news(seat)
            told_before = seat.told
            feed.park(seat, at(second))
            assert seat.told == told_before
    assert wakes == 19


def test_nobody_is_to_wake_in_the_past() -> None:
    feed = Feed(1.0, Load())
    first, second = feed.seat(Form(), None), feed.seat(Form(), None)
    feed.park(first, at(0))
    feed.begin(first, at(0))
    feed.unpark(first)
    feed.park(second, at(3))
    feed.leave(first, at(4))
    assert second.signal.at == at(4).mono
    feed, seats = settled(2)
    feed.unpark(seats[0])
    feed.unpark(seats[1])
    feed.park(seats[1], at(9))
    assert seats[1].signal.at == at(9).mono


def test_all_together_leave_a_worker_time_for_others() -> None:
    feeds = Feeds(100)
    joined = [feeds.join(number, 1.0) for number in range(8)]
    seats = [feed.seat(Form(), None) for feed in joined if feed is not None]
    for moment in (0, 100):
        for feed, seat in zip(joined, seats, strict=True):
            assert feed is not None
            feed.begin(seat, at(moment))
            feed.publish(ONE, {}, at(moment + 0.25))
            told(feed, seat)
    # Eight quarters of a second are two seconds: of them, each has its turn.
    assert feeds.load.total == pytest.approx(2.0)
    (last, seat) = (joined[-1], seats[-1])
    assert last is not None
    assert not last.is_due(seat, at(101.9))
    assert last.is_due(seat, at(102.1))
    for number, (feed, seat) in enumerate(zip(joined, seats, strict=True)):
        assert feed is not None
        feed.leave(seat, at(103))
        feeds.leave(number, feed)
    assert feeds.load.total == pytest.approx(0.0)


def test_few_that_are_quick_keep_their_ticks() -> None:
    feeds = Feeds(100)
    for number in range(8):
        feed = feeds.join(number, 1.0)
        assert feed is not None
        seat = feed.seat(Form(), None)
        tick(feed, seat, at(0), ONE)
        told(feed, seat)
        assert not feed.is_due(seat, at(0.9))
        assert feed.is_due(seat, at(1.1))
