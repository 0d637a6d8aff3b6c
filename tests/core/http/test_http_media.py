"""`fanlight.http.media`: Accept and Accept-Encoding as RFC 9110 has them."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanlight.http.media import Match, MediaRange, MediaType, accept, allows, codings, match

JSON = MediaType("application", "json")
PLAIN = MediaType("text", "plain", (("version", "0.0.4"),), frozenset({"charset"}))


@pytest.mark.parametrize(
    ("values", "ranges"),
    [
        ([], []),
        ([""], []),
        ([" , ,"], []),
        (["text/html"], [MediaRange("text", "html")]),
        (["Text/HTML;Level=1"], [MediaRange("text", "html", (("level", "1"),))]),
        (
            ["a/b;q=0.5, c/*;q=0, */*"],
            [MediaRange("a", "b", (), 0.5), MediaRange("c", "*", (), 0.0), MediaRange("*", "*")],
        ),
        (["a/b", "c/d;q=1.000"], [MediaRange("a", "b"), MediaRange("c", "d")]),
        (["a/b ; x=1 ; q=0.25"], [MediaRange("a", "b", (("x", "1"),), 0.25)]),
        (["a/b;q=0.25;ext=1"], [MediaRange("a", "b", (), 0.25)]),
        (["a/b;;x=1;"], [MediaRange("a", "b", (("x", "1"),))]),
        (['a/b;x="1,2;3"'], [MediaRange("a", "b", (("x", "1,2;3"),))]),
        (['a/b;x="say \\"hi\\"", c/d'], [MediaRange("a", "b", (("x", 'say "hi"'),)), MediaRange("c", "d")]),
        (["a/b;Q=0.1"], [MediaRange("a", "b", (), 0.1)]),
    ],
)
def test_ranges(values: list[str], ranges: list[MediaRange]) -> None:
    assert accept(values) == tuple(ranges)


@pytest.mark.parametrize(
    "element",
    [
        "a", "*", "a/", "/b", "*/b", "a/b/c", "a b/c", "a/b;q=2", "a/b;q=1.001", "a/b;q=.5", "a/b;q=-1", "a/b;q=0.1234",
        "a/b;q=", "a/b;q=nan", "a/b;x", "a/b;x= 1", "a/b;=1", 'a/b;x="', "ä/b", "a/b;q=٠",
    ],
)  # fmt: skip
def test_what_follows_no_grammar_is_as_if_it_were_not_there(element: str) -> None:
    assert accept([f"text/html, {element}"])[:1] == (MediaRange("text", "html"),)
    assert len(accept([f"{element}"])) == 0


@pytest.mark.parametrize(
    ("value", "offer", "found"),
    [
        ("application/json", JSON, Match(1.0, True)),
        ("APPLICATION/JSON;q=0.3", JSON, Match(0.3, True)),
        ("application/*;q=0.3", JSON, Match(0.3, False)),
        ("*/*;q=0.3", JSON, Match(0.3, False)),
        ("text/*, */*;q=0", JSON, Match(0.0, False)),
        ("application/json;q=0, */*", JSON, Match(0.0, True)),
        ("*/*, application/*;q=0.1", JSON, Match(0.1, False)),
        ("application/json;q=0.1, application/json;q=0.9", JSON, Match(0.9, True)),
        ("application/json;v=1", JSON, Match(0.0, False)),
        ("text/plain", PLAIN, Match(1.0, True)),
        ("text/plain;version=0.0.4;q=0.2, text/plain;q=0.9", PLAIN, Match(0.2, True)),
        ("text/plain;version=1.0.0", PLAIN, Match(0.0, False)),
        ("text/plain;charset=latin-1", PLAIN, Match(1.0, True)),
        ("", JSON, Match(0.0, False)),
    ],
)
def test_the_most_specific_range_decides(value: str, offer: MediaType, found: Match) -> None:
    assert match(accept([value]), offer) == found


@pytest.mark.parametrize(
    ("values", "weights"),
    [
        ([], {}),
        (["gzip"], {"gzip": 1.0}),
        (["GZip;q=0.5, br", "*;q=0"], {"gzip": 0.5, "br": 1.0, "*": 0.0}),
        (["x-gzip"], {"gzip": 1.0}),
        (["x-other"], {"x-other": 1.0}),
        (["gzip;level=1, gzip q, ;q=1, gzip;q=7"], {}),
        (["gzip;q=0, gzip;q=0.4"], {"gzip": 0.4}),
    ],
)
def test_codings(values: list[str], weights: dict[str, float]) -> None:
    assert codings(values) == weights


@pytest.mark.parametrize(
    ("value", "allowed"),
    [
        ("gzip", True),
        ("gzip;q=0.001", True),
        ("gzip;q=0", False),
        ("gzip;q=0.000", False),
        ("*", True),
        ("*;q=0", False),
        ("gzip;q=0, *", False),
        ("identity", False),
        ("deflate, br", False),
        ("", False),
    ],
)
def test_gzip_is_allowed(value: str, allowed: bool) -> None:
    assert allows([value], "gzip") is allowed


def test_nothing_is_allowed_without_the_field() -> None:
    assert not allows([], "gzip")


elements = st.lists(
    st.sampled_from(["a/b", "*/*", "text/*", ";q=0.5", ";q=", ";x=1", ';x="', '"', "\\", ",", ";", " ", "\t", "=", "é"])
).map("".join)


@given(st.lists(elements | st.text(), max_size=4))
def test_any_text_is_read(values: list[str]) -> None:
    assert all(0.0 <= range_.q <= 1.0 for range_ in accept(values))
    assert all(0.0 <= q <= 1.0 for q in codings(values).values())
    assert 0.0 <= match(accept(values), JSON).q <= 1.0


@pytest.mark.parametrize("piece", ["a/b;", '"', "\\", "a/b,", "; ", 'a/b;x="\\', "a/b; ;\t"])
def test_long_fields_take_time_in_proportion(piece: str) -> None:
    value = piece * (16_384 // len(piece))
    started = time.process_time()
    accept([value])
    codings([value])
    assert time.process_time() - started < 1.0
