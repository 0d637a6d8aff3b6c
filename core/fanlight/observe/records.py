"""Records: what a connection notes for logs, as values.

None of them holds a secret or raw text of a caller: paths are route templates,
names are escaped before they come here.  This module writes no log.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from attrs import frozen

from ..asks import Op


class AccessRecord(NamedTuple):
    """One finished exchange: exactly one for every request head that was read.

    `path` is the route's template (or `unknown`); `status` 0 says that the
    client left before a head was sent; `seconds` is the time to the response
    head; `wall` is when the request arrived (Unix seconds).
    """

    wall: float
    seconds: float
    listener: str
    peer: str
    method: str
    path: str
    status: int
    user: str
    version: str
    sent: int


@frozen
class Exposure:
    """Credentials that came in the clear, to a listener with TLS which then sent their owner there."""

    listener: str
    peer: str


@frozen
class RefusalsOmitted:
    """`count` refusals alike (see `auth.gates.Refusal`) of one peer network within a second, beside those recorded."""

    text: str
    status: int
    listener: str
    group: str
    kind: str
    network: str
    count: int


@frozen
class Report(Op[None]):
    """Note `record`, a value without secrets, for the logs.  Never waits."""

    record: Any


@frozen
class Failure:
    """A bug: an exception where none is expected.  The client sees a 500 at most."""

    where: str
    error: BaseException


@frozen
class Trouble:
    """Something the operator should know once: not a bug of ours, nothing was refused."""

    text: str


@frozen
class Recovery:
    """What a `Trouble` told is over."""

    text: str


@frozen
class Checked:
    """A readiness check fails now for another reason than before, or passes again (`reason` empty)."""

    name: str
    reason: str
    error: BaseException | None = None


@frozen
class MetricSkipped:
    """A metric from SQL that one scrape had to do without; `why` is what the engine said, or a worker."""

    path: str
    metric: str
    why: str
