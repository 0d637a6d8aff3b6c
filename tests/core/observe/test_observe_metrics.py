"""`fanlight.observe.metrics`: requests counted once, active until answered, and what a scrape shows of it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics

from fanlight.observe.exposition import Memory
from fanlight.observe.metrics import BUCKETS, HttpMetrics, Spread
from fanlight.observe.negotiation import OPENMETRICS, PROTOBUF, TEXT, Format
from fanlight.observe.shapes import walk_own
from tests.core.observe.decoding import families
from tests.samples import Samples, samples_of


def shown(metrics: HttpMetrics) -> Samples:
    """Every sample of the text."""
    text = b"".join(Memory().slices(TEXT, None, metrics.families)).decode()
    return samples_of(text)


def labels(**found: str) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(found.items()))


def test_one_request() -> None:
    metrics = HttpMetrics()
    metrics.started("/api/sql", "main")
    here = labels(path="/api/sql", source="main")
    assert shown(metrics)["mz_http_requests_active", here] == 1
    assert not any(name == "mz_http_requests_total" for name, _ in shown(metrics))
    metrics.answered("/api/sql", "main", 404, 0.0025)
    found = shown(metrics)
    assert found["mz_http_requests_total", labels(path="/api/sql", source="main", status="404")] == 1
    assert found["mz_http_requests_active", here] == 0
    buckets = {dict(key)["le"]: value for (name, key), value in found.items() if "duration_seconds_bucket" in name}
    assert {float(le): value for le, value in buckets.items()} == {
        **{bound: float(bound >= 0.0025) for bound in BUCKETS},
        float("inf"): 1.0,
    }
    assert found["mz_http_request_duration_seconds_sum", here] == 0.0025


def test_a_dropped_request_is_neither_counted_nor_timed() -> None:
    metrics = HttpMetrics()
    metrics.started("/", "main")
    metrics.dropped("/", "main")
    found = shown(metrics)
    assert found["mz_http_requests_active", labels(path="/", source="main")] == 0
    assert not any("requests_total" in name or "request_duration" in name for name, _ in found)


@pytest.mark.parametrize("bound", BUCKETS)
def test_bounds_are_inclusive(bound: float) -> None:
    spread = Spread(())
    spread.observe(bound)
    spread.observe(bound * 1.0001)
    index = BUCKETS.index(bound)
    assert spread.counts[index] == 1
    assert spread.counts[index + 1] == 1


def test_the_documented_buckets() -> None:
    assert BUCKETS == (
        0.000128, 0.000256, 0.000512, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 0.512, 1, 2, 4, 8,
    )  # fmt: skip


def test_help_texts_and_types() -> None:
    text = b"".join(Memory().slices(TEXT, None, HttpMetrics().families)).decode()
    for line in (
        "# HELP mz_http_requests_total Total number of http requests received since process start.",
        "# TYPE mz_http_requests_total counter",
        "# HELP mz_http_requests_active Number of currently active/open http requests.",
        "# TYPE mz_http_requests_active gauge",
        "# HELP mz_http_request_duration_seconds How long it takes for a request to complete in seconds.",
        "# TYPE mz_http_request_duration_seconds histogram",
        "# TYPE fanlight_http_response_bytes_total counter",
        "# TYPE fanlight_connections_open gauge",
        "# TYPE fanlight_event_loop_lag_seconds histogram",
        "# TYPE fanlight_metrics_collector_errors_total counter",
    ):
        assert line in text.splitlines()


def busy() -> HttpMetrics:
    metrics = HttpMetrics()
    for status in (200, 200, 503):
        metrics.started("/api/readyz", "main")
        metrics.answered("/api/readyz", "main", status, 0.1)
    metrics.sent("main", 1000)
    metrics.sent("main", 24)
    metrics.opened("main", "h2")
    metrics.opened("main", "h2")
    metrics.closed("main", "h2")
    metrics.lagged(0.003)
    metrics.collector_failed("Broken")
    return metrics


def test_the_other_metrics() -> None:
    found = shown(busy())
    assert found["fanlight_http_response_bytes_total", labels(source="main")] == 1024
    assert found["fanlight_connections_open", labels(protocol="h2", source="main")] == 1
    assert found["fanlight_event_loop_lag_seconds_count", ()] == 1
    assert found["fanlight_metrics_collector_errors_total", labels(collector="Broken")] == 1


def test_all_formats_say_the_same() -> None:
    metrics = busy()

    def flat(samples: Any) -> list[Any]:
        return sorted(
            (name, tuple(sorted((k, str(float(v)) if k == "le" else v) for k, v in dict(key).items())), float(value))
            for name, key, value in samples
        )

    openmetrics = b"".join(Memory().slices(OPENMETRICS, None, metrics.families)).decode()
    parsed: Any = parse_openmetrics(openmetrics)  # type: ignore[no-untyped-call]
    decoded = families(b"".join(Memory().slices(PROTOBUF, None, metrics.families)))
    expected = flat((name, key, value) for (name, key), value in shown(metrics).items())
    assert flat((s.name, s.labels, s.value) for family in parsed for s in family.samples) == expected
    assert flat(each for family in decoded for each in family.readings()) == expected
    assert not any("_created" in name for name, _, _ in expected)


@pytest.mark.parametrize("form", [TEXT, OPENMETRICS, PROTOBUF], ids=lambda form: form.name)
def test_families_written_together_are_those_written_apart(form: Format) -> None:
    metrics, memory = busy(), Memory()
    for path in ("/", "/metrics", "/"):
        for _ in range(2):
            together = b"".join(memory.slices(form, None, metrics.shown))
            assert together == b"".join(Memory().slices(form, None, metrics.families))
        metrics.started(path, "main")
        metrics.answered(path, "main", 200, 0.1)


def test_a_name_that_is_taken_leaves_the_others() -> None:
    metrics = busy()
    names = [family.shape.name for _, family, _ in walk_own(metrics.shown, {"fanlight_connections_open"})]
    assert names == [family.shape.name for family in metrics.families if "open" not in family.shape.name]


def test_cells_of_a_route_are_kept() -> None:
    metrics = HttpMetrics()
    cells = metrics.route("/", "main")
    assert metrics.route("/", "main") is cells
    cells.started()
    cells.answered(101, 0.5)
    metrics.started("/", "main")
    cells.dropped()
    assert shown(metrics)["mz_http_requests_total", labels(path="/", source="main", status="101")] == 1
    assert shown(metrics)["mz_http_requests_active", labels(path="/", source="main")] == 0


class Counting(RuleBasedStateMachine):
    """Requests come, are answered or dropped; the numbers agree with a plain count."""

    def __init__(self) -> None:
        super().__init__()
        self.metrics = HttpMetrics()
        self.active: list[tuple[str, str]] = []
        self.answers: dict[tuple[str, str, int], int] = {}

    @rule(path=st.sampled_from(["/", "/api/sql"]), source=st.sampled_from(["a", "b"]))
    def start(self, path: str, source: str) -> None:
        self.metrics.started(path, source)
        self.active.append((path, source))

    @rule(pick=st.integers(0, 9), status=st.sampled_from([200, 404]), seconds=st.floats(0, 10))
    def answer(self, pick: int, status: int, seconds: float) -> None:
        if self.active:
            path, source = self.active.pop(pick % len(self.active))
            self.metrics.answered(path, source, status, seconds)
            self.answers[path, source, status] = self.answers.get((path, source, status), 0) + 1

    @rule(pick=st.integers(0, 9))
    def drop(self, pick: int) -> None:
        if self.active:
            self.metrics.dropped(*self.active.pop(pick % len(self.active)))

    @invariant()
    def numbers_agree(self) -> None:
        found = shown(self.metrics)
        for (path, source, status), count in self.answers.items():
            assert found["mz_http_requests_total", labels(path=path, source=source, status=str(status))] == count
        assert sum(value for (name, _), value in found.items() if name == "mz_http_requests_active") == len(self.active)
        timed = sum(value for (name, _), value in found.items() if name == "mz_http_request_duration_seconds_count")
        assert timed == sum(self.answers.values())


TestCounting = Counting.TestCase
TestCounting.settings = settings(max_examples=50, stateful_step_count=30)
