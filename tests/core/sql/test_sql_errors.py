"""Errors and notices: members, their order, sizes in words."""

from __future__ import annotations

import json

import pytest

from fanlight.sql import errors
from fanlight.sql.errors import Notice, SqlError


def test_an_error_has_only_the_members_that_are_there() -> None:
    assert SqlError("m", "42601").json() == b'{"message":"m","code":"42601"}'


def test_members_come_in_their_order() -> None:
    text = SqlError("é\n", "42601", detail="d", hint="h", position=0).json()
    assert text == '{"message":"é\\n","code":"42601","detail":"d","hint":"h","position":0}'.encode()


def test_a_notice_says_how_severe_it_is() -> None:
    assert Notice("n").json() == b'{"message":"n","code":"00000","severity":"notice"}'
    assert list(json.loads(Notice("n", "25P01", "warning", "d", "h").json())) == [
        "message",
        "code",
        "severity",
        "detail",
        "hint",
    ]


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (1_000_000, "976.6 KiB"),
        (1024**2, "1.0 MiB"),
        (1_000_000_000, "953.7 MiB"),
        (5 * 1024**3, "5.0 GiB"),
        (5 * 1024**4, "5120.0 GiB"),
    ],
)
def test_sizes(size: int, text: str) -> None:
    assert errors.size_text(size) == text


def test_texts_that_clients_know() -> None:
    assert errors.unsupported("copy x").message == "unsupported via this API: copy x"
    assert (
        errors.wrong_parameters(2, "select $1", 1).message == "request supplied 2 parameters, but select $1 requires 1"
    )
    assert errors.unknown_variable("x") == SqlError('unrecognized configuration parameter "x"', "42704")
    assert errors.syntax_error("").code == errors.syntax_error("x").code == "42601"
    assert errors.result_too_large(1024**2) == SqlError("result exceeds max size of 1.0 MiB", "53200")
    assert errors.batch_too_large(1_000_000) == SqlError("statement batch size cannot exceed 976.6 KiB", "XX000")
