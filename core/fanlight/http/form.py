"""Form bodies (application/x-www-form-urlencoded), read as strictly as query strings.

What a form means is for its handler: here it becomes names and texts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .query import BadQuery, parse_query
from .response import Refused, Response, text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .request import Request

_TYPE = "application/x-www-form-urlencoded"
WRONG_TYPE = text(415, f"Form requests must have `Content-Type: {_TYPE}`")

U32, U64 = (1 << 32) - 1, (1 << 64) - 1


async def read_form(request: Request, *known: str) -> dict[str, str]:
    """The fields of the request's body; those in `known` may come once, of others the last value stays.

    Raises `Refused`: 415 for another content type (before the body is asked
    for), 413 for a body that is too long, 422 for one that cannot be decoded.
    """
    kind = request.field("content-type")
    # Parameters, such as a charset, say nothing for this type.
    if kind is None or kind.partition(";")[0].strip(" \t").lower() != _TYPE:
        raise Refused(WRONG_TYPE)
    body = await request.body()
    try:
        return parse_query(body.decode("latin-1"), known)
    except BadQuery as error:
        raise Refused(wrong_form(str(error))) from None


def form_number(form: Mapping[str, str], name: str, most: int) -> int | None:
    """The field `name` as a whole number from 0 to `most`; None where it is absent, 422 for anything else.

    Length and ASCII are asked first: `int` also reads other scripts' digits,
    and takes quadratic time for long ones.
    """
    value = form.get(name)
    if value is None:
        return None
    if not (value.isascii() and value.isdigit() and len(value) <= 20) or int(value) > most:
        raise Refused(wrong_form(f"{name}: expected a whole number from 0 to {most}"))
    return int(value)


def wrong_form(detail: str) -> Response:
    """The answer to a form that is not of the shape that its handler reads."""
    return text(422, f"Failed to deserialize form body: {detail}")
