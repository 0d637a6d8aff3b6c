"""The cursor over the words of a statement."""

from __future__ import annotations

import pytest

from fanlight.sql.errors import Unreadable
from fanlight.sql.reading import Words


def test_words_are_taken_one_after_another() -> None:
    words = Words('verb one "Two" , -- comment\n 3')
    assert words.take("ONE")
    assert not words.take("TWO")
    assert (words.peek(), words.peek(1), words.peek(9)) == ('"Two"', ",", "")
    assert words.rest() == '"Two" , -- comment\n 3'
    assert words.name() == "Two"
    words.expect(",")
    with pytest.raises(Unreadable, match='at or near "3"'):
        words.end()
    assert words.next().text == "3"
    words.end()


def test_a_syntax_error_tells_its_place_in_bytes() -> None:
    words = Words('verb "é" x')
    words.next()
    with pytest.raises(Unreadable) as refused:
        words.end()
    assert refused.value.error.position == 10
    with pytest.raises(Unreadable) as refused:
        Words("verb é").expect("É", "Y")
    assert refused.value.error.position == 7


def test_what_is_not_there_is_a_syntax_error() -> None:
    with pytest.raises(Unreadable, match="end of input"):
        Words("verb").next()
    with pytest.raises(Unreadable, match='near "x"'):
        Words("verb x").expect("Y")
    with pytest.raises(Unreadable, match="end of input"):
        Words("verb").expect("Y")
    with pytest.raises(Unreadable, match='near "7"'):
        Words("verb 7").name()


def test_parentheses_enclose_whatever_is_balanced() -> None:
    words = Words("verb (a (b) [c, {d}] ')' ) e")
    start, end = words.enclosed()
    assert words.text[start:end] == "a (b) [c, {d}] ')' "
    assert words.peek() == "E"
    with pytest.raises(Unreadable):
        Words("verb (a (b)").enclosed()
