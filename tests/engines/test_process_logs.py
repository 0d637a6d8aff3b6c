"""The ring of log records: invisible to the program, bounded, one line each."""

from __future__ import annotations

import logging
import pickle
import subprocess
import sys
import weakref
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanlight_engines.process.logs import bound
from fanlight_engines.process.recent_logs import LONGEST_MESSAGE, Logged, RecentLogs

log = logging.getLogger("tests.process_logs")


@pytest.fixture
def ring() -> Iterator[RecentLogs]:
    logs = RecentLogs(kept=5)
    yield logs
    logs.close()


def last(ring: RecentLogs) -> Logged:
    return list(ring)[-1]


def test_a_record_is_kept_with_where_it_came_from(ring: RecentLogs) -> None:
    try:
        raise KeyError("sesame")
    except KeyError:
        log.exception("lost %d of %s", 3, "orders")
    kept = last(ring)
    assert (kept.level, kept.logger, kept.message) == ("ERROR", log.name, "lost 3 of orders")
    assert (kept.file, kept.function, kept.thread) == (
        __file__,
        "test_a_record_is_kept_with_where_it_came_from",
        "MainThread",
    )
    assert kept.exception == "KeyError"
    (row,) = bound(ring).rows()
    assert len(row) == len(bound(ring).columns)
    assert "sesame" not in repr(row)


def test_the_change_counter_moves_with_each_record_that_is_kept(ring: RecentLogs) -> None:
    version = bound(ring).version
    assert version is not None
    seen = [version()]
    for _ in range(8):
        log.warning("again")
        seen.append(version())
    assert len(set(map(str, seen))) == len(seen)
    log.debug("not made")
    assert version() == seen[-1]


def test_only_the_last_ones_are_kept(ring: RecentLogs) -> None:
    for number in range(9):
        log.warning("%d", number)
    assert [record.message for record in ring] == ["4", "5", "6", "7", "8"]


def test_what_its_logger_does_not_let_through_is_not_made(ring: RecentLogs) -> None:
    log.setLevel(logging.WARNING)
    try:
        log.info("quiet")
    finally:
        log.setLevel(logging.NOTSET)
    assert list(ring) == []


class Hostile:
    def __str__(self) -> str:
        raise RuntimeError("no")


@pytest.mark.parametrize(
    ("message", "args", "text"),
    [
        ("a\nb\x1b[31m\u202e", (), "a\\x0ab\\x1b[31m\\u202e"),
        ('say "hi" \\ é', (), 'say "hi" \\ é'),
        ("%s", (Hostile(),), "<unprintable>"),
        ("%d", ("x",), "<unprintable>"),
        ("%s %s", (1,), "<unprintable>"),
        (Hostile(), (), "<unprintable>"),
        ("\ud800", (), "\\ud800"),
        ("x" * 1024, (), "x" * 1024),
        ("x" * 1025, (), "x" * 1021 + "..."),
        ("\x00" * 400, (), "\\x00" * 255 + "..."),
    ],
)
def test_messages_are_one_line(ring: RecentLogs, message: Any, args: tuple[Any, ...], text: str) -> None:
    # Nobody else formats these: the tests' own handlers would complain.
    record = logging.getLogRecordFactory()(log.name, logging.INFO, __file__, 1, message, args, None)
    assert last(ring).message == text
    assert record.msg is message


class Shouting(str):
    """A string that changes its mind."""

    loud = False

    def __str__(self) -> str:
        return "LOUD" if Shouting.loud else "quiet"


def test_a_message_is_shown_as_it_was_whatever_becomes_of_its_arguments(ring: RecentLogs) -> None:
    items = [1]
    mapping = {"name": "ada"}
    log.warning("%s", items)
    log.warning("%(name)s", mapping)
    log.warning("%s", Shouting("x"))
    log.warning(Shouting("x"))
    log.warning("%s %r %d %.1f %s %s", "a", "b", 3, 0.5, True, None)
    items.append(2)
    mapping["name"] = "eve"
    Shouting.loud = True
    try:
        messages = [record.message for record in ring]
    finally:
        Shouting.loud = False
    assert messages == ["[1]", "ada", "quiet", "quiet", "a 'b' 3 0.5 True None"]


def test_nothing_of_the_program_s_is_kept_alive(ring: RecentLogs) -> None:
    held = Hostile()
    quiet = type("Quiet", (), {"__str__": lambda self: "q"})()
    gone = [weakref.ref(held), weakref.ref(quiet)]
    for record in (("%s", (held,)), ("%s", (quiet,)), (held, ())):
        logging.getLogRecordFactory()(log.name, logging.INFO, __file__, 1, *record, None)
    del held, quiet, record
    assert [ref() for ref in gone] == [None, None]
    assert [record.message for record in ring] == ["<unprintable>", "q", "<unprintable>"]


@pytest.mark.parametrize("args", [("x" * 5_000_000,), ("x" * 600, "y" * 600), tuple("x" * 60_000), (1 << 50_000,)])
def test_what_is_kept_is_small(ring: RecentLogs, args: tuple[object, ...]) -> None:
    template = "%s" * len(args)
    logging.getLogRecordFactory()(log.name, logging.INFO, __file__, 1, template, args, None)
    assert last(ring).message
    assert len(pickle.dumps(ring._records[-1])) < 4096


def test_a_record_that_words_itself_is_asked_at_once(ring: RecentLogs) -> None:
    class Braces(logging.LogRecord):
        """A record whose message is made with braces."""

        def getMessage(self) -> str:  # noqa: N802
            return str(self.msg).format(*(self.args or ()))

    logging.setLogRecordFactory(Braces)
    inner = RecentLogs()
    try:
        log.warning("{} and {}", "this", "that")  # noqa: PLE1205
        assert last(inner).message == "this and that"
    finally:
        inner.close()
        logging.setLogRecordFactory(ring._link)


@given(st.text(max_size=1500))
def test_any_message_is_printable_and_bounded(message: str) -> None:
    ring = RecentLogs()
    try:
        logging.getLogRecordFactory()(log.name, logging.INFO, __file__, 1, message, (), None)
        text = last(ring).message
    finally:
        ring.close()
    assert text.isprintable()
    assert len(text.encode()) <= LONGEST_MESSAGE
    if message.isprintable() and len(message.encode()) <= LONGEST_MESSAGE:
        assert text == message


def test_records_made_for_somebody_elses_are_not_ours(ring: RecentLogs) -> None:
    logging.makeLogRecord({"name": "remote", "msg": "hello"})
    assert list(ring) == []


def test_the_factory_is_given_back() -> None:
    before = logging.getLogRecordFactory()
    first, second = RecentLogs(), RecentLogs()
    log.warning("both")
    first.close()  # Not on top: it stays as a link.
    log.warning("second")
    assert [record.message for record in first] == []
    assert [record.message for record in second] == ["both", "second"]
    second.close()
    second.close()
    log.warning("nobody")
    assert list(second) == []
    logging.setLogRecordFactory(before)


def test_a_factory_of_the_programs_own_stays(ring: RecentLogs) -> None:
    before = logging.getLogRecordFactory()

    class Own(logging.LogRecord):
        """A record of the program's own kind."""

    def own(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = before(*args, **kwargs)
        record.own = True
        return record

    logging.setLogRecordFactory(own)
    try:
        log.warning("seen by both")
        assert last(ring).message == "seen by both"
        ring.close()
        assert logging.getLogRecordFactory() is own
        log.warning("still works")
        assert list(ring) == []
    finally:
        logging.setLogRecordFactory(before)


PROGRAM = """
import logging, sys
{prepare}
logging.getLogger("a").warning("last resort")
logging.basicConfig(format="configured %(message)s")
logging.getLogger("a").warning("hello")
logging.warning("root")
"""
PREPARE = "from fanlight_engines.process.recent_logs import RecentLogs; ring = RecentLogs()"


def test_a_program_logs_as_it_would_without_us() -> None:
    outputs = [
        subprocess.run(
            [sys.executable, "-c", PROGRAM.format(prepare=prepare)],
            capture_output=True,
            text=True,
            check=True,
            env={"PYTHONPATH": ":".join(sys.path)},
        )
        for prepare in ("", PREPARE)
    ]
    assert outputs[0].stderr == "last resort\nconfigured hello\nconfigured root\n"
    assert outputs[1].stderr == outputs[0].stderr
