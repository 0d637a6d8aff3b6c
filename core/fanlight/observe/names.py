"""Names, label values and help texts as the Prometheus text formats spell them.

Pure functions from str to str.  Names that are not of the old character set
are spelt with underscores, which is what the formats ask for when the scraper
negotiated no other escaping; label values may hold anything.  This module
never sees a number (`numbers`) and never cuts a text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

# `$` also stands before a final newline.  That is how prometheus_client tells good names from bad ones, and
# whoever registered a metric called "a\n" gets the same bytes from both.
_METRIC = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*$")
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*$")
_NOT_OF_METRIC = re.compile(r"[^a-zA-Z0-9_:]")
_NOT_OF_LABEL = re.compile(r"[^a-zA-Z0-9_]")
_SPECIAL = re.compile(r'[\\"\n]')

REMEMBERED = 1024
"""Names and line beginnings that are remembered: the usual collectors have fewer, and it is little memory."""


def _underscored(name: str, strange: re.Pattern[str]) -> str:
    """Each strange character becomes one underscore, and so does a digit in front."""
    plain = strange.sub("_", name)
    return "_" + plain[1:] if plain[:1].isdigit() else plain


@lru_cache(REMEMBERED)
def metric_name(name: str) -> str:
    """The name of a family, or of a sample in text 0.0.4: `a.b` is `a_b`, colons stay."""
    return name if _METRIC.match(name) else _underscored(name, _NOT_OF_METRIC)


@lru_cache(REMEMBERED)
def openmetrics_sample_name(name: str) -> str:
    """The name of a sample in OpenMetrics 1.0: as `metric_name`, but colons go too."""
    return _underscored(name, _NOT_OF_LABEL)


@lru_cache(REMEMBERED)
def label_name(name: str) -> str:
    """The name of a label: `a.b` is `a_b`."""
    return name if _LABEL.match(name) else _underscored(name, _NOT_OF_LABEL)


def label_value(value: str) -> str:
    """What stands between the quotes of a label: backslash, quote and newline escaped."""
    if _SPECIAL.search(value) is None:
        return value
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def help_text(text: str) -> str:
    """What stands behind HELP in text 0.0.4: backslash and newline escaped."""
    return text.replace("\\", r"\\").replace("\n", r"\n")


def labels_text(labels: Iterable[tuple[str, str]]) -> str:
    """`{a="1",b="2"}` in the order of the unescaped names; nothing for no labels."""
    pairs = [f'{label_name(name)}="{label_value(value)}"' for name, value in sorted(labels)]
    if not pairs:
        return ""
    return "{" + ",".join(pairs) + "}"
