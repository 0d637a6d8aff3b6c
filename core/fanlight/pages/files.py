"""Static files: a table of what ships with the package, looked up by exact key.

No path of a request ever reaches a file system: the engine reads the shipped
files once, and from then on they are answered from memory.  No ranges, no
directory index.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256

from attrs import frozen

from ..asks import Effect
from ..http.request import Request
from ..http.response import Response, empty, text

NOT_FOUND = text(404, "not found")
_TYPES = {"js": "text/javascript", "css": "text/css"}
"""Content types by suffix, of what is shipped; nosniff holds browsers to them."""
_OTHER = "application/octet-stream"


@frozen
class ReadAssets(Effect[Mapping[str, bytes]]):
    """Every shipped file by its path below the static folder, with `/` between folders."""


@frozen
class Asset:
    """One file, ready to be answered: its fields and its strong ETag.

    `no-cache` has the client ask each time: another version of the program
    answers with another ETag.
    """

    etag: str
    response: Response


class Assets:
    """The table, made when the first file is asked for."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self._assets = {path: _asset(path, data) for path, data in files.items()}

    def answer(self, path: str, none_match: str | None) -> Response:
        """200 with the file, 304 when the client has it (RFC 9110 13.1.2), else 404 `not found`."""
        asset = self._assets.get(path)
        if asset is None:
            return NOT_FOUND
        if none_match is not None and _matches(none_match, asset.etag):
            return empty(304, ("etag", asset.etag), ("cache-control", "no-cache"))
        return asset.response


async def static(request: Request) -> Response:
    """GET /static/{*path}, /prof/static/{*path} and /internal-console/static/…."""
    server = request.server
    if server.assets is None:
        server.assets = Assets(await ReadAssets())
    # The path as it was sent: keys are plain names, so an encoded one is simply not among them.
    return server.assets.answer(request.path.partition("/static/")[2], request.field("if-none-match"))


def _asset(path: str, data: bytes) -> Asset:
    """The answer for one file; the ETag is of its bytes, so it is the same in every process."""
    kind = _TYPES.get(path.rpartition(".")[2], _OTHER) if "." in path else _OTHER
    etag = f'"{sha256(data).hexdigest()[:32]}"'
    fields = (("content-type", kind), ("etag", etag), ("cache-control", "no-cache"))
    return Asset(etag, Response(200, fields, data))


def _matches(value: str, etag: str) -> bool:
    """Weak comparison, as If-None-Match asks for (RFC 9110 8.8.3.2)."""
    return value.strip() == "*" or any(tag.strip().removeprefix("W/") == etag for tag in value.split(","))
