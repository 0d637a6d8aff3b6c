"""The lexer: tokens without gaps, statements where they are, and agreement with DuckDB's own splitter."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanlight.sql.lexer import name_of, quote, split, string_value, tokens, words


def pieces(text: str) -> list[str]:
    return [text[span.start : span.end] for span in split(text)]


@pytest.mark.parametrize(
    ("text", "statements"),
    [
        ("", []),
        (" ;; ; \n", []),
        ("-- only\n/* comments */", []),
        ("select 1", ["select 1"]),
        ("select 1; select 2;", ["select 1", "select 2"]),
        ("select 'a;b'; select \"c;d\"", ["select 'a;b'", 'select "c;d"']),
        ("select 'it''s;'; b", ["select 'it''s;'", "b"]),
        (r"select e'\';'; b", [r"select e'\';'", "b"]),
        (r"select date'\'; b", [r"select date'\'", "b"]),
        ("select $$;$$; b", ["select $$;$$", "b"]),
        ("select $tag$;$$;$tag$; b", ["select $tag$;$$;$tag$", "b"]),
        ("select a$b$c; d$b$", ["select a$b$c", "d$b$"]),
        ("select $1; b", ["select $1", "b"]),
        ("a -- ; \n; b", ["a", "b"]),
        ("a /* ; /* ; */ ; */; b", ["a", "b"]),
        ("/* x */ a /* y */ ; -- z", ["a"]),
        ("select 'open; b", ["select 'open; b"]),
        ("select $a$ open; b", ["select $a$ open; b"]),
        ("a /* open; b", ["a"]),
        ("1--2;\n; b", ["1", "b"]),
    ],
)
def test_split(text: str, statements: list[str]) -> None:
    assert pieces(text) == statements


def test_the_first_word_is_known() -> None:
    assert [span.first for span in split("select 1; (select 2); Begin")] == ["SELECT", "", "BEGIN"]


ANYTHING = st.text(alphabet="aeE'\"$;-/*\n \\1x_?.é(", max_size=40)


@given(ANYTHING)
def test_tokens_leave_no_gaps(text: str) -> None:
    found = list(tokens(text))
    assert "".join(token.text for token in found) == text
    assert all(token.start == at for token, at in zip(found, _starts(found), strict=True))


def _starts(found: list[Any]) -> list[int]:
    starts, at = [], 0
    for token in found:
        starts.append(at)
        at = token.end
    return starts


@given(ANYTHING)
def test_splitting_a_statement_again_changes_nothing(text: str) -> None:
    for piece in pieces(text):
        assert pieces(piece) == [piece]


@given(st.text())
def test_a_quoted_text_is_one_string(value: str) -> None:
    literal = quote(value)
    (token,) = words(literal)
    assert token.kind == "string"
    assert string_value(literal) == value


@pytest.mark.parametrize(
    ("literal", "value"),
    [
        ("'a''b'", "a'b"),
        (r"'a\nb'", r"a\nb"),
        (r"E'a\n\t\x41\101\u00e9\'\\'", "a\n\tAAé'\\"),
        (r"e'\ud800'", "\ufffd"),
        ("$$a'b$$", "a'b"),
        ("$x$a$$b$x$", "a$$b"),
    ],
)
def test_string_values(literal: str, value: str) -> None:
    assert string_value(literal) == value


def test_names() -> None:
    assert [name_of(token) for token in words('Foo "Foo" "a""b" 1 \'x\'')] == ["foo", "Foo", 'a"b', None, None]


# --- Against DuckDB's parser: where it takes a script, both see as many statements. ---

FRAGMENTS = st.sampled_from(
    [
        "select 1",
        "select 'a;b'",
        "select 'it''s'",
        "select $$x;y$$",
        "select $t$ ; $$ ; $t$",
        r"select e'\';'",
        'select 1 as "a;b"',
        "select 1 -- ; c\n",
        "select /* ; /* ; */ */ 2",
        "values (1)",
        "from (select 1)",
        "select 5 % 2",
        "select 1 --x",
        "select 7-- ;\n",
        "select a from t where b = $1",
        "explain select 1",
        "",
        " ",
        "\n",
        "/* alone; */",
        "-- alone;\n",
    ]
)


@given(st.lists(FRAGMENTS, max_size=6), st.sampled_from([";", " ; ", ";\n"]))
def test_agreement_with_duckdb(fragments: list[str], separator: str) -> None:
    _compare(separator.join(fragments))


@given(st.text(alphabet="select 1'\"$;-/*\nE\\ax", max_size=30).map(lambda tail: "select 1 " + tail))
def test_agreement_with_duckdb_on_noise(text: str) -> None:
    _compare(text)


def _compare(text: str) -> None:
    duckdb = pytest.importorskip("duckdb")
    try:
        theirs = _CONNECTION.setdefault("c", duckdb.connect()).extract_statements(text)
    except duckdb.Error:
        return
    assert len(pieces(text)) == len(theirs)


_CONNECTION: dict[str, Any] = {}
