"""First messages: the three forms, in their order, and what is none of them."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanlight.auth.authorization import Password, Token
from fanlight.sql.opening import DEPTH, Opening, read_opening

ADA = Password("ada", "p")


@pytest.mark.parametrize(
    ("text", "opening"),
    [
        ('{"user":"ada","password":"p"}', Opening(ADA, {})),
        ('{"user":"ada","password":"p","token":"t","colour":1}', Opening(ADA, {})),
        ('{"token":"t","options":{"b":"2","a":"1"}}', Opening(Token("t"), {"a": "1", "b": "2"})),
        ('{"user":"ada","token":"t"}', Opening(Token("t"), {})),
        ('{"user":"ada","password":null,"token":"t"}', Opening(Token("t"), {})),
        ("{}", Opening(None, {})),
        ('{"query":"select 1"}', Opening(None, {})),
        ('{"user":"ada"}', Opening(None, {})),
        ('{"user":"ada","password":7}', Opening(None, {})),
        ('{"token":5}', Opening(None, {})),
    ],
)
def test_forms(text: str, opening: Opening) -> None:
    assert read_opening(text) == read_opening(text.encode()) == opening


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        "[]",
        '["ada","p"]',
        '"ada"',
        "null",
        '{"user":"ada","password":"p"} x',
        '{"user":"ada","password":"p","options":null}',
        '{"user":"ada","password":"p","options":[]}',
        '{"user":"ada","password":"p","options":{"a":1}}',
        '{"user":"ada","password":"p","user":"bob"}',
        '{"user":"ada","password":"p","x":[{"y":1,"y":2}]}',
        '{"user":"ada","password":"p","options":{"a":"1","a":"1"}}',
    ],
)
def test_what_is_none(text: str) -> None:
    assert read_opening(text) is None


def test_nesting_is_bounded() -> None:
    def nested(depth: int) -> str:
        return '{"user":"ada","password":"p","x":' + "[" * depth + "]" * depth + "}"

    assert read_opening(nested(DEPTH - 1)) == Opening(ADA, {})
    assert read_opening(nested(DEPTH)) is None


def test_bytes_that_are_no_utf_8_are_none() -> None:
    assert read_opening(b'{"user":"\xff","password":"p"}') is None


def test_a_repr_tells_no_secret() -> None:
    opening = read_opening('{"user":"ada","password":"hush","options":{"application_name":"hush"}}')
    assert "hush" not in repr(opening)
    assert "hush" not in repr(read_opening('{"token":"hush"}'))


values: st.SearchStrategy[object] = st.none() | st.integers() | st.text(max_size=3) | st.just({}) | st.just([])
documents = st.dictionaries(st.sampled_from(["user", "password", "token", "options", "x"]), values)


@given(documents)
def test_the_forms_by_their_definition(document: dict[str, object]) -> None:
    text = isinstance(document.get("user"), str) and isinstance(document.get("password"), str)
    opening = read_opening(json.dumps(document))
    if document.get("options", {}) != {} or ("options" in document and not isinstance(document["options"], dict)):
        assert opening is None
    else:
        assert opening is not None
        kind = Password if text else Token if isinstance(document.get("token"), str) else type(None)
        assert type(opening.credentials) is kind
