"""OpenMetrics 1.0, byte for byte as prometheus_client's `openmetrics.exposition.generate_latest` writes it.

What differs from text 0.0.4 is here: families named without `_total`, units,
quotes escaped in help texts, `_created` beside its series, exemplars, `# EOF`.
Native histograms are not of this version and are left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from .names import REMEMBERED, label_value, labels_text, metric_name, openmetrics_sample_name
from .numbers import number_text
from .shapes import Piece, Shape
from .text import SAMPLE, Renderer, batches


def exemplar_text(exemplar: Any) -> str:
    """` # {trace="1"} 0.5 1700000000.5`: the labels, the value, the time if it is known.

    `exemplar` is prometheus_client's.  Raises TypeError or ValueError for a
    value that is no number.
    """
    labels = ",".join([f'{name}="{label_value(value)}"' for name, value in sorted(exemplar.labels.items())])
    moment = "" if exemplar.timestamp is None else f" {exemplar.timestamp}"
    return f" # {{{labels}}} {number_text(exemplar.value)}{moment}"


def _may_have_exemplars(family: Any, name: str) -> bool:
    """Whether the format allows an exemplar at the sample `name` of `family`.

    A histogram's own name is allowed as well: that is where a native one keeps
    them, and prometheus_client lets it pass.
    """
    if family.type == "counter":
        return bool(name.endswith("_total"))
    if family.type in ("histogram", "gaugehistogram") and name.endswith("_bucket"):
        return True
    return bool(family.type == "histogram" and name == family.name)


def _line(family: Any, sample: Any) -> str:
    """One line.  Raises ValueError for an exemplar where the format allows none.

    Checked before a native histogram is left out, so that a misplaced exemplar
    is an error wherever it is.
    """
    exemplar = ""
    if sample.exemplar:
        if not _may_have_exemplars(family, sample.name):
            raise ValueError(f"Metric {family.name} has exemplars, but is not a histogram bucket or counter")
        exemplar = exemplar_text(sample.exemplar)
    if getattr(sample, "native_histogram", None):
        return ""
    value = "" if sample.value is None else number_text(sample.value)
    moment = "" if sample.timestamp is None else f" {sample.timestamp}"
    labels = tuple(sample.labels.items()) if sample.labels else ()
    return f"{_before_number(sample.name, labels)}{value}{moment}{exemplar}\n"


@lru_cache(REMEMBERED)
def _comments(name: str, doc: str, kind: str, unit: str) -> str:
    """HELP, TYPE and, where there is a unit, UNIT.  Help texts escape quotes here, as label values do."""
    shown = metric_name(name)
    units = f"# UNIT {shown} {unit}\n" if unit else ""
    return f"# HELP {shown} {label_value(doc)}\n# TYPE {shown} {kind}\n{units}"


@lru_cache(REMEMBERED)
def _before_number(name: str, labels: tuple[tuple[str, str], ...]) -> str:
    """A sample up to its number; remembered, since series recur from scrape to scrape."""
    return f"{openmetrics_sample_name(name)}{labels_text(labels)} "


class OpenMetrics(Renderer):
    """OpenMetrics 1.0.0, names with underscores.

    `end` is demanded by the format: without it a reader takes the exposition
    for one that broke off.
    """

    content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8"
    created_inline = True
    end = b"# EOF\n"

    # `columns.Dialect`: what this format decides about families that are read directly.
    def heading(self, shape: Shape) -> bytes:
        return _comments(shape.name, shape.doc, shape.type, shape.unit).encode()

    def created_heading(self, shape: Shape) -> bytes:
        """Never needed: `_created` stands inline."""
        return b""

    def sample_name(self, name: str) -> str:
        return openmetrics_sample_name(name)

    @staticmethod
    def exemplar(exemplar: Any) -> bytes:
        return exemplar_text(exemplar).encode()

    def collected(self, family: Any) -> Iterator[Piece]:
        """The samples in the collector's order: this format has no family of its own for `_created`."""
        held = [_comments(family.name, family.documentation, family.type, family.unit)]
        for batch in batches(family.samples):
            held += [_line(family, sample) for sample in batch]
            yield "".join(held).encode(), SAMPLE * len(batch)
            held.clear()
        if held:
            yield "".join(held).encode(), 1
