"""Samples of Prometheus's text format, as a test compares them."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]
"""Values by name and labels, these in order of their names."""


def samples_of(text: str) -> Samples:
    """Every sample that prometheus_client reads in `text`."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
