"""Answers as values: their types, their texts, refusals."""

from __future__ import annotations

import pytest

from fanlight.http.response import Refused, Response, SendBody, empty, html, json, phrase, text


def test_text_is_utf_8_and_says_so() -> None:
    answer = text(400, "nö", ("x", "y"))
    assert answer == Response(400, (("content-type", "text/plain; charset=utf-8"), ("x", "y")), "nö".encode())


def test_html() -> None:
    assert html(200, "<p>ü").fields[0] == ("content-type", "text/html; charset=utf-8")
    assert html(200, "<p>ü").body == "<p>ü".encode()


def test_json_is_given_as_bytes() -> None:
    assert json(200, b"{}", ("a", "b")) == Response(200, (("content-type", "application/json"), ("a", "b")), b"{}")


def test_empty_has_no_type() -> None:
    assert empty(405, ("allow", "GET")) == Response(405, (("allow", "GET"),), b"")


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (400, "bad request"),
        (408, "request timeout"),
        (413, "content too large"),
        (414, "uri too long"),
        (416, "range not satisfiable"),
        (422, "unprocessable content"),
        (431, "request header fields too large"),
        (500, "internal server error"),
        (505, "http version not supported"),
    ],
)
def test_a_refusal_without_a_text_says_its_phrase(status: int, said: str) -> None:
    assert phrase(status) == text(status, said)


def test_a_refusal_carries_its_answer_and_tells_only_the_status() -> None:
    refused = Refused(text(403, "secret reason"))
    assert refused.response.status == 403
    assert str(refused) == "403"


def test_answers_are_values() -> None:
    assert hash(text(200, "a")) == hash(text(200, "a"))
    assert SendBody(b"a") == SendBody(b"a")
    with pytest.raises(AttributeError):
        text(200, "a").status = 201  # type: ignore[misc]
