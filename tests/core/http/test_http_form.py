"""Form bodies: the content type, the decoding, numbers."""

from __future__ import annotations

import pytest

from fanlight.http.form import form_number, read_form
from fanlight.http.request import ReadBody
from fanlight.http.response import Refused
from tests.core.pages.prof_driving import FORM, request


def read(body: bytes | None, *fields: tuple[str, str]) -> dict[str, str]:
    """The form of a request with this body; raises Refused as the reader does."""
    routine = read_form(request("POST", "/", *fields), "a", "b")
    assert isinstance(routine.send(None), ReadBody)
    with pytest.raises(StopIteration) as end:
        routine.send(body)
    found: dict[str, str] = end.value.value
    return found


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        (b"", {}),
        (b"a=1&b=x+y%21", {"a": "1", "b": "x y!"}),
        (b"a=%E2%82%AC&c=1&c=2", {"a": "€", "c": "2"}),
        ("a=€".encode(), {"a": "€"}),
    ],
)
def test_fields(body: bytes, fields: dict[str, str]) -> None:
    assert read(body, FORM) == fields


@pytest.mark.parametrize(
    "kind", ["application/x-www-form-urlencoded; charset=utf-8", "Application/X-WWW-Form-Urlencoded ;x"]
)
def test_parameters_and_case_of_the_content_type(kind: str) -> None:
    assert read(b"a=1", ("content-type", kind)) == {"a": "1"}


@pytest.mark.parametrize("fields", [(("content-type", "application/json"),), (("content-type", ""),), (("x", "y"),)])
def test_another_content_type_is_refused_before_the_body_is_asked_for(fields: tuple[tuple[str, str], ...]) -> None:
    with pytest.raises(Refused) as refused:
        read_form(request("POST", "/", *fields)).send(None)
    assert refused.value.response.status == 415
    assert refused.value.response.body == b"Form requests must have `Content-Type: application/x-www-form-urlencoded`"


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (b"a=%", b"invalid percent-encoding"),
        (b"a=%FF", b"invalid UTF-8"),
        (b"a=\xff", b"invalid UTF-8"),
        (b"a=1&a=2", b"duplicate field `a`"),
    ],
)
def test_what_cannot_be_decoded(body: bytes, detail: bytes) -> None:
    with pytest.raises(Refused) as refused:
        read(body, FORM)
    assert refused.value.response.status == 422
    assert refused.value.response.body == b"Failed to deserialize form body: " + detail


def test_a_body_that_is_too_long() -> None:
    with pytest.raises(Refused) as refused:
        read(None, FORM)
    assert refused.value.response.status == 413


def test_numbers() -> None:
    assert form_number({}, "n", 9) is None
    assert form_number({"n": "09"}, "n", 9) == 9
    for value in ("", "10", "-1", "+1", "1.0", "x", "²", "٣", "1" * 5000):
        with pytest.raises(Refused) as refused:
            form_number({"n": value}, "n", 9)
        assert refused.value.response.status == 422
