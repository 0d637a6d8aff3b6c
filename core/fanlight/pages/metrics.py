"""`GET /metrics`: the host's metrics and fanlight's own, in the representation that Accept asks for.

The body is made in slices with a turn of the host's loop between them, so a
scrape of any size delays nobody.  What fits one slice is answered whole; the
rest is streamed, and never more than a slice is held.  Which metrics there
are, and how they are written, is `observe`'s.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Protocol

from ..asks import EffectFailed, Race, Sleep
from ..federation.effects import ASKS_RULES, RULES
from ..http.media import allows
from ..http.request import Request
from ..http.response import Fields, Response, SendBody, text
from ..observe.exposition import Memory
from ..observe.gathering import PATIENCE, Gathered, GatherMetrics, ReportCollector
from ..observe.gzip import Gzip, compress
from ..observe.negotiation import Format, choose

if TYPE_CHECKING:
    from ..observe.exposition import Slices
    from ..observe.shapes import OwnFamily
    from ..server import Server

VARY = ("vary", "Accept, Accept-Encoding")
"""Caches must keep the representations apart; on every 200, whatever was sent."""
GZIP = ("content-encoding", "gzip")

WORTH_ZIPPING = 1024
"""Bytes up to which a body is sent as it is."""
_LONGEST_ERROR = 500
"""Characters of an error's text in a 500."""

Failures = list[tuple[str, Exception]]
"""Collectors that raised, with what they raised."""


class Sliced(Protocol):
    """An exposition slice by slice, as `observe.exposition.Slices`; `ended` is True once the last one is out."""

    @property
    def ended(self) -> bool: ...
    def __next__(self) -> bytes: ...


async def metrics(request: Request) -> Response:
    """200 with the exposition; 500 with the error's text when a family cannot be written.

    A collector that raises costs its own metrics and nothing else: it is
    counted in `fanlight_metrics_collector_errors_total` and logged.

    Once a streamed answer has begun, a family that cannot be written breaks it
    off: a scraper must not take half of the metrics for all of them.
    """
    form = choose(request.head.all("accept"))
    body, failures = await everything(request.server, form)
    return await respond(request, form, body, failures, _rules(request))


async def exposed(request: Request, families: Iterable[OwnFamily]) -> Response:
    """200 with `families` and nothing else, in the representation that Accept asks for.

    They are this scrape's own, so nothing is remembered of them.
    """
    form = choose(request.head.all("accept"))
    return await respond(request, form, Memory().slices(form, None, families), [], ())


async def everything(server: Server, form: Format) -> tuple[Slices, Failures]:
    """The host's metrics and fanlight's own in `form`, and the list that fills with what collectors raise."""
    own = server.metrics
    memory = own.memory = own.memory or Memory()
    failures: Failures = []

    def failed(collector: str, error: Exception) -> None:
        own.collector_failed(collector)
        failures.append((collector, error))

    # Before the walk begins: a generator cannot ask an engine.  One after the other, so that a scrape holds one
    # worker thread at most; each has its share of the patience.
    blocking = memory.blocking(server.registry)
    gathered = {each: await _gather(each, PATIENCE / len(blocking)) for each in blocking}
    return memory.slices(form, server.registry, own.shown, failed=failed, gathered=gathered), failures


async def respond(request: Request, form: Format, body: Sliced, failures: Failures, more: Fields) -> Response:
    """200 with an exposition in `form`, gzipped where the client wants that; 500 where it cannot begin."""
    try:
        first = await _first(body)
    except Exception as error:  # noqa: BLE001  whatever a broken family raises is the answer
        await _report([*failures, ("metrics", error)])
        return _refusal(error)
    fields = (("content-type", form.content_type), VARY, *more)
    # `_first` has read as far as this takes to be known.
    zipped = allows(request.head.all("accept-encoding"), "gzip") and len(first) > WORTH_ZIPPING
    if not body.ended:
        return _streamed(fields, first, body, failures, zipped=zipped)
    await _report(failures)
    return _whole(fields, first, zipped=zipped)


async def _first(body: Sliced) -> bytes:
    """The beginning of the body, long enough to know whether it is worth compressing.

    Nothing was sent before it, so what is raised here can still be answered.
    """
    first = next(body)
    while len(first) <= WORTH_ZIPPING and not body.ended:
        await Sleep(0)
        first += next(body)
    return first


def _whole(fields: Fields, body: bytes, *, zipped: bool) -> Response:
    """A body that is complete: sent with its length, compressed in one go (at most about a slice)."""
    if not zipped:
        return Response(200, fields, body)
    return Response(200, (*fields, GZIP), compress(body))


def _streamed(fields: Fields, first: bytes, body: Sliced, failures: Failures, *, zipped: bool) -> Response:
    """The slices as they are made, each after the client took the one before.

    The failures are reported after the last slice, since collectors are asked
    until then.  An empty slice sends nothing and still gives the loop its turn.
    """

    async def produce() -> None:
        await SendBody(first)
        while not body.ended:
            await Sleep(0)
            data = next(body)
            if data:
                await SendBody(data)
        await _report(failures)

    async def produce_zipped() -> None:
        # One gzip member for the whole answer; a slice often gives no bytes of it yet.
        stream = Gzip()
        data = stream.add(first)
        while True:
            if data:
                await SendBody(data)
            if body.ended:
                break
            await Sleep(0)
            data = stream.add(next(body))
        await SendBody(stream.end())
        await _report(failures)

    return Response(200, (*fields, GZIP), produce_zipped) if zipped else Response(200, fields, produce)


async def _gather(collector: Any, seconds: float) -> Gathered:
    """One collector's families; a failure where it raises or is not done after `seconds`.

    The race cancels the effect then, but a thread cannot be stopped: the engine
    refuses the next question to a collector that is still busy.
    """
    try:
        first, answer = await Race((GatherMetrics(collector), Sleep(seconds)))
    except EffectFailed as error:
        return Gathered((), error)
    # The sleep won.
    if first == 1:
        return Gathered((), TimeoutError(f"no metrics within {seconds:g} s"))
    given: Gathered = answer
    return given


async def _report(failures: Failures) -> None:
    """Have what failed logged.  A scrape does not fail because nobody can."""
    for collector, error in failures:
        try:
            await ReportCollector(collector, error)
        except EffectFailed:
            return


def _refusal(error: Exception) -> Response:
    """500 with the error's text: the operator of the scraper has to find the broken family.

    A text that cannot be encoded is repaired, an empty one replaced by the
    class.
    """
    said = str(error).encode("utf-8", "replace").decode() or type(error).__name__
    return text(500, said[:_LONGEST_ERROR])


def _rules(request: Request) -> Fields:
    """The enrichment rules, for those who asked: base64 of gzip of JSON; nothing where there are none.

    Asked by a field and answered by one, so the body stays what every scraper
    expects.
    """
    rules = request.server.app.metric_rules
    if not rules or request.field(ASKS_RULES) is None:
        return ()
    from ..federation.rules import encode_rules

    return ((RULES, encode_rules(rules)),)
