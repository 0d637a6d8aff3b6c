"""Assertions on exposed metrics: text, OpenMetrics and delimited protobuf families."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

from attrs import frozen
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as plain
from prometheus_client.samples import Sample

from ..clients.messages import Answer
from .model import Json, short
from .wirefmt import delimited as read_delimited


class Unreadable(Exception):
    """The exposition cannot be parsed."""


@frozen
class Exposition:
    """A parsed exposition and its text."""

    text: str
    families: tuple[Metric, ...]

    def samples(self, name: str, labels: Mapping[str, str]) -> list[Sample]:
        """The samples of that name that carry at least these labels."""
        return [
            sample
            for family in self.families
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        ]


def read(answer: Answer) -> Exposition:
    """Parse by the content type; raises `Unreadable`."""
    text = answer.text()
    parser: Callable[[str], Iterable[Metric]] = plain
    if "openmetrics" in (answer.get("content-type") or ""):
        parser = openmetrics
    try:
        families = tuple(parser(text))
    except Exception as error:
        raise Unreadable(f"{error}") from error
    return Exposition(text, families)


def check(assertions: Sequence[Mapping[str, Json]], answer: Answer, saved: Mapping[str, Answer]) -> str | None:
    """The first assertion that does not hold, or None."""
    shown = read(answer)
    for assertion in assertions:
        handler = next((_ASSERTIONS[name] for name in assertion if name in _ASSERTIONS), None)
        if handler is None:
            return f"the case uses an unknown assertion {assertion}"
        why = handler(assertion, shown, saved)
        if why:
            return why
    return None


def _sample(assertion: Mapping[str, Json], shown: Exposition, saved: Mapping[str, Answer]) -> str | None:
    name, labels = assertion["sample"], assertion.get("labels", {})
    found = shown.samples(name, labels)
    if not found:
        return f"no sample {name}{labels}"
    wanted = assertion.get("value")
    if wanted is None or any(_value(wanted, sample.value, name, labels, saved) for sample in found):
        return None
    return f"{name}{labels} is {[sample.value for sample in found]}, expected {wanted}"


def _value(wanted: Json, actual: float, name: str, labels: Mapping[str, str], saved: Mapping[str, Answer]) -> bool:
    if not isinstance(wanted, dict):
        return bool(actual == wanted)
    if "gte" in wanted:
        return bool(actual >= wanted["gte"])
    earlier = read(saved[wanted["delta_from"]]).samples(name, labels)
    return bool(actual - sum(sample.value for sample in earlier) == wanted["by"])


def _no_sample(assertion: Mapping[str, Json], shown: Exposition, saved: Mapping[str, Answer]) -> str | None:
    del saved
    found = shown.samples(assertion["no_sample"], assertion.get("labels", {}))
    return f"there is a sample {short(found[0])}" if found else None


def _header(kind: str, assertion: Mapping[str, Json], shown: Exposition) -> str | None:
    """The `# TYPE` or `# HELP` line, read from the text: parsers rename families."""
    name, wanted = assertion[kind.lower()], str(assertion["is"])
    lines = [line for line in shown.text.splitlines() if line.startswith(f"# {kind} {name} ")]
    expected = f"# {kind} {name} {wanted}"
    return None if lines == [expected] else f"lines {lines}, expected {expected!r}"


def _label_absent(assertion: Mapping[str, Json], shown: Exposition, saved: Mapping[str, Answer]) -> str | None:
    del saved
    name, label = assertion["label_absent"]
    bad = [sample for sample in shown.samples(name, {}) if label in sample.labels]
    return f"{short(bad[0])} has the label {label}" if bad else None


def _buckets(assertion: Mapping[str, Json], shown: Exposition, saved: Mapping[str, Answer]) -> str | None:
    del saved
    found = shown.samples(assertion["buckets"] + "_bucket", {})
    bounds = sorted({float(sample.labels["le"]) for sample in found})
    wanted = [*map(float, assertion["le"]), float("inf")]
    return None if bounds == wanted else f"buckets {bounds}, expected {wanted}"


def _one_header(assertion: Mapping[str, Json], shown: Exposition, saved: Mapping[str, Answer]) -> str | None:
    del assertion, saved
    heads = [tuple(line.split(" ")[1:3]) for line in shown.text.splitlines() if line.startswith(("# HELP ", "# TYPE "))]
    twice = [head for head, count in Counter(heads).items() if count > 1]
    bare = {name for _, name in heads} - {name for kind, name in heads if kind == "TYPE"}
    return f"headers that occur twice {twice} or without a type {bare}" if twice or bare else None


def _eof(assertion: Mapping[str, Json], shown: Exposition, saved: Mapping[str, Answer]) -> str | None:
    del assertion, saved
    return None if shown.text.endswith("# EOF\n") else "the text does not end with # EOF"


_Assertion = Callable[[Mapping[str, Json], Exposition, Mapping[str, Answer]], str | None]
_ASSERTIONS: dict[str, _Assertion] = {
    "sample": _sample,
    "no_sample": _no_sample,
    "type": lambda assertion, shown, _: _header("TYPE", assertion, shown),
    "help": lambda assertion, shown, _: _header("HELP", assertion, shown),
    "label_absent": _label_absent,
    "buckets": _buckets,
    "one_header_per_family": _one_header,
    "eof": _eof,
}


def delimited(wanted: Mapping[str, Json], body: bytes) -> str | None:
    """The names of a stream of MetricFamily messages."""
    names = [family.blobs(1)[0].decode() for family in read_delimited(body)]
    missing = [name for name in wanted["contains"] if name not in names]
    return f"families {short(names)} lack {missing}" if missing else None
