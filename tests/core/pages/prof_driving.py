"""Drives the handlers of the profiling pages by hand: requests in, answers to their asks, responses out."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from fanlight.asks import Ask, Routine
from fanlight.config.limits import Limits
from fanlight.http.request import Head, Request
from fanlight.http.response import TEXT, Refused, Response
from fanlight.moment import Now

JSON_BODY = ("content-type", "application/json")
FORM = ("content-type", "application/x-www-form-urlencoded")


def request(method: str, target: str, *fields: tuple[str, str]) -> Request:
    """A request whose server is not stopping; a POST without fields says that it brings JSON."""
    given = fields or ((JSON_BODY,) if method == "POST" else ())
    head = Head(method, target, given, version="1.1", authority="localhost")
    server: Any = SimpleNamespace(limits=Limits(), stopping=False)
    return Request(
        head, stream=1, arrived=Now(0.0, 0.0), peer="", secure=False, listener=cast(Any, None), server=server
    )


def drive(routine: Routine[Response], *answers: object) -> tuple[Response, list[Ask[Any]]]:
    """Run the handler with these answers; its response and all that it asked."""
    asked: list[Ask[Any]] = []
    left = list(answers)
    answer: object = None
    try:
        while True:
            asked.append(routine.send(answer))
            answer = left.pop(0)
    except StopIteration as end:
        response = end.value
    except Refused as refused:
        response = refused.response
    assert left == []
    return response, asked


def refused_at_once(routine: Routine[Response], answer: object = None) -> int | None:
    """The status of a refusal that `answer` leads to (None: the beginning); None when the handler asks for more."""
    try:
        routine.send(answer)
        routine.close()
    except Refused as refused:
        return refused.response.status
    return None


def refusal(response: Response) -> tuple[int, bytes]:
    """Status and text of an answer that is nothing but a text."""
    assert response.fields == (TEXT,)
    assert isinstance(response.body, bytes)
    return response.status, response.body
