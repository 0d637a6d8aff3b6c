"""`fanlight.pages.metrics`: stepped by hand, one ask at a time."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import pytest
from attrs import define, field
from prometheus_client import CollectorRegistry, Counter, Gauge
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import generate_latest

from fanlight.app import App
from fanlight.asks import Ask, EffectFailed, Race, Sleep
from fanlight.http.request import Head, Request
from fanlight.http.response import Response, SendBody
from fanlight.moment import Now
from fanlight.observe.gathering import Gathered, GatherMetrics, ReportCollector
from fanlight.observe.negotiation import OPENMETRICS, PROTOBUF, TEXT
from fanlight.pages.metrics import WORTH_ZIPPING, metrics
from fanlight.server import Server
from tests.core.observe.decoding import families
from tests.core.observe.registries import openmetrics
from tests.routines import driven

NOW = Now(0.0, 0.0)


class Dice:
    """Entropy that nobody asks for here."""

    def token(self, nbytes: int, /) -> bytes:
        return bytes(nbytes)


@define
class Scrape:
    """A finished scrape: the response, its body, and everything that was awaited in order."""

    response: Response
    body: bytes = b""
    asked: list[Ask[Any]] = field(factory=list)
    sent: list[bytes] = field(factory=list)

    @property
    def fields(self) -> dict[str, str]:
        return dict(self.response.fields)

    def asks(self, type_: type) -> list[Any]:
        return [ask for ask in self.asked if isinstance(ask, type_)]


def answer_nothing(ask: Ask[Any]) -> Any:
    """Reports are taken, everything else is answered with None."""
    return None


def serve(registry: CollectorRegistry | None = None, rules: dict[str, list[dict[str, Any]]] | None = None) -> Server:
    app = App(registry=registry if registry is not None else CollectorRegistry(), metric_rules=rules, pages=False)
    return Server(app, now=NOW, entropy=Dice())


def step(routine: Any, asked: list[Ask[Any]], answering: Callable[[Ask[Any]], Any]) -> Any:
    """Run a routine to its end; an answer that is an exception is thrown."""

    def answered(ask: Ask[Any]) -> Any:
        asked.append(ask)
        return answering(ask)

    return driven(routine, answered)


def scrape(server: Server, *fields: tuple[str, str], answering: Callable[[Ask[Any]], Any] = answer_nothing) -> Scrape:
    head = Head("GET", "/metrics", fields, version="1.1", authority="localhost")
    request = Request(
        head, stream=1, arrived=NOW, peer="", secure=False, listener=server.listeners["main"], server=server
    )
    asked: list[Ask[Any]] = []
    response = step(metrics(request), asked, answering)
    assert isinstance(response, Response)
    made = Scrape(response, asked=asked)
    if isinstance(response.body, bytes):
        made.body = response.body
    else:
        step(response.body(), asked, answering)
        made.sent = [ask.data for ask in asked if isinstance(ask, SendBody)]
        made.body = b"".join(made.sent)
    return made


def small() -> CollectorRegistry:
    registry = CollectorRegistry()
    Gauge("demo_gauge", "a demo", ["k"], registry=registry).labels('v"\\\n').set(1.5)
    return registry


def large() -> CollectorRegistry:
    registry = CollectorRegistry()
    counter = Counter("c", "", ["i"], registry=registry)
    for index in range(5000):
        counter.labels(str(index)).inc(index)
    return registry


class Raises:
    def collect(self) -> Iterator[Metric]:
        raise RuntimeError("no")


class Slow:
    fanlight_blocking = True

    def collect(self) -> Iterator[Metric]:
        raise AssertionError("asked on the wrong thread")


def test_a_small_scrape_is_answered_whole_without_a_turn() -> None:
    server = serve(small())
    first, made = scrape(server), scrape(server)
    assert first.body == made.body
    assert made.response.status == 200
    assert isinstance(made.response.body, bytes)
    assert made.asked == []
    assert made.fields == {"content-type": TEXT.content_type, "vary": "Accept, Accept-Encoding"}
    assert made.body.startswith(generate_latest(server.registry))
    assert b"# TYPE mz_http_requests_total counter" in made.body


@pytest.mark.parametrize("form", [TEXT, OPENMETRICS, PROTOBUF], ids=lambda form: form.name)
def test_a_large_scrape_is_streamed_with_a_turn_between_slices(form: Any) -> None:
    server = serve(large())
    for _ in range(2):
        made = scrape(server, ("accept", form.content_type))
        assert made.fields["content-type"] == form.content_type
        assert len(made.sent) > (1 if form is PROTOBUF else 3)
        kinds = [type(ask) for ask in made.asked]
        for first, second in pairwise(kinds):
            assert first is not SendBody or second is Sleep
        assert {ask.seconds for ask in made.asks(Sleep)} == {0}
        assert all(made.sent)
    match form.name:
        case "text":
            assert made.body.startswith(generate_latest(server.registry))
        case "openmetrics":
            assert made.body.startswith(openmetrics(server.registry).removesuffix(b"# EOF\n"))
            assert made.body.endswith(b"# EOF\n")
        case _:
            assert families(made.body)[0].name == "c_total"


@pytest.mark.parametrize("form", [TEXT, OPENMETRICS, PROTOBUF], ids=lambda form: form.name)
@pytest.mark.parametrize("registry", [small, large])
def test_gzip_is_the_same_body(form: Any, registry: Callable[[], CollectorRegistry]) -> None:
    server = serve(registry())
    for status in range(200, 230):
        server.metrics.answered("/", "main", status, 0.1)
    plain = scrape(server, ("accept", form.content_type))
    zipped = scrape(server, ("accept", form.content_type), ("accept-encoding", "deflate, gzip;q=0.5"))
    assert zipped.fields["content-encoding"] == "gzip"
    assert zipped.fields["vary"] == "Accept, Accept-Encoding"
    assert gzip.decompress(zipped.body) == plain.body
    assert "content-encoding" not in plain.fields


@pytest.mark.parametrize("value", ["identity", "gzip;q=0", "br", ""])
def test_no_gzip_for_those_who_did_not_ask(value: str) -> None:
    made = scrape(serve(large()), ("accept-encoding", value))
    assert "content-encoding" not in made.fields
    assert made.body.startswith(b"# HELP")


def test_small_bodies_are_not_worth_it() -> None:
    server = serve(small())
    for _ in range(2):
        made = scrape(server, ("accept", PROTOBUF.content_type), ("accept-encoding", "gzip"))
        assert 0 < len(made.body) <= WORTH_ZIPPING
        assert "content-encoding" not in made.fields
    assert made.fields["vary"] == "Accept, Accept-Encoding"


RULES = {"demo_gauge": [{"kind": "cluster_name_lookup", "cluster_id_label": "id", "output_label": "cluster"}]}


def test_rules_for_those_who_ask() -> None:
    server = serve(small(), RULES)
    made = scrape(server, ("x-materialize-accept-enrich-rules", "1"))
    sent = made.fields["x-materialize-enrich-rules"]
    assert json.loads(gzip.decompress(base64.b64decode(sent, validate=True))) == RULES
    assert "x-materialize-enrich-rules" not in scrape(server).fields


def test_no_field_without_rules() -> None:
    made = scrape(serve(small()), ("x-materialize-accept-enrich-rules", "1"))
    assert "x-materialize-enrich-rules" not in made.fields


@pytest.mark.parametrize("reported", [None, EffectFailed("nobody writes logs")])
def test_a_collector_that_raises_costs_nothing_else(reported: Exception | None) -> None:
    registry = small()
    registry.register(Raises())
    server = serve(registry)
    made = scrape(server, answering=lambda ask: reported if isinstance(ask, ReportCollector) else None)
    assert made.response.status == 200
    assert b"demo_gauge" in made.body
    assert b'fanlight_metrics_collector_errors_total{collector="Raises"} 1.0' in made.body
    (report,) = made.asks(ReportCollector)
    assert (report.collector, str(report.error)) == ("Raises", "no")


def test_failures_of_a_large_scrape_are_reported_behind_it() -> None:
    registry = large()
    registry.register(Raises())
    for fields in ([], [("accept-encoding", "gzip")]):
        made = scrape(serve(registry), *fields)
        assert isinstance(made.asked[-1], ReportCollector)


def broken(after: int) -> CollectorRegistry:
    registry = large() if after else CollectorRegistry()
    Gauge("broken", "", ["a"], registry=registry).labels("\ud800").set(1)
    return registry


def test_what_cannot_be_written_is_500_with_the_error() -> None:
    made = scrape(serve(broken(0)))
    assert made.response.status == 500
    assert made.fields["content-type"] == "text/plain; charset=utf-8"
    assert b"surrogates not allowed" in made.body
    (report,) = made.asks(ReportCollector)
    assert isinstance(report.error, UnicodeEncodeError)


def test_behind_the_head_it_is_an_end_without_an_end() -> None:
    with pytest.raises(UnicodeEncodeError):
        scrape(serve(broken(5000)))


@pytest.mark.parametrize(("said", "shown"), [("", b"ValueError"), ("\ud800", b"?"), ("x" * 600, b"x" * 500)])
def test_texts_of_errors_can_always_be_sent(said: str, shown: bytes) -> None:
    class Bad:
        def __float__(self) -> float:
            raise ValueError(said)

    registry = CollectorRegistry()
    family = Metric("m", "", "gauge")
    number: Any = Bad()
    family.add_sample("m", {}, number)

    class Gives:
        def collect(self) -> Iterator[Metric]:
            yield family

    registry.register(Gives())
    made = scrape(serve(registry))
    assert (made.response.status, made.body) == (500, shown)


def test_blocking_collectors_are_asked_in_a_worker() -> None:
    registry = small()
    slow = Slow()
    registry.register(slow)

    def answering(ask: Ask[Any]) -> Any:
        if not isinstance(ask, Race):
            return None
        gather, sleep = ask.asks
        assert isinstance(gather, GatherMetrics)
        assert gather.collector is slow
        assert isinstance(sleep, Sleep)
        assert sleep.seconds == 10.0
        return 0, Gathered((GaugeMetricFamily("slow_gauge", "", value=4),))

    made = scrape(serve(registry), answering=answering)
    assert len(made.asks(Race)) == 1
    assert b"slow_gauge 4.0" in made.body
    assert b'collector_errors_total{collector="Slow"' not in made.body


@pytest.mark.parametrize(
    "answer",
    [(1, None), EffectFailed("worker is gone"), (0, Gathered((), ValueError("no")))],
    ids=["late", "failed", "raised"],
)
def test_a_blocking_collector_that_gives_nothing_is_skipped(answer: Any) -> None:
    registry = small()
    registry.register(Slow())
    registry.register(Slow())
    seconds: list[float] = []

    def answering(ask: Ask[Any]) -> Any:
        if isinstance(ask, Race):
            seconds.append(ask.asks[1].seconds)  # type: ignore[attr-defined]
            return answer
        return None

    made = scrape(serve(registry), answering=answering)
    assert made.response.status == 200
    assert b"demo_gauge" in made.body
    assert b'fanlight_metrics_collector_errors_total{collector="Slow"} 2.0' in made.body
    assert seconds == [5.0, 5.0]


def test_requests_show_in_the_next_scrape() -> None:
    server = serve(small())
    server.metrics.started("/metrics", "main")
    assert b'mz_http_requests_active{path="/metrics",source="main"} 1.0' in scrape(server).body
    server.metrics.answered("/metrics", "main", 200, 0.001)
    assert b'mz_http_requests_total{path="/metrics",source="main",status="200"} 1.0' in scrape(server).body
