"""Fuzz targets: one module for each parser and each kind of conversation, each with `one_input(data)`.

A target raises when the server breaks a promise; refusing the input is no
breach.  `python -m fuzz TARGET` runs one under atheris where that is installed,
else under Hypothesis.  The seeds in `corpus/` are replayed by the tests.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path

CORPUS = Path(__file__).parent / "corpus"
TARGETS = (
    "head",
    "chunked",
    "proxy",
    "h1",
    "h2",
    "ws",
    "operations",
    "sql_frames",
    "subscribe",
    "credentials",
    "scram",
    "tokens",
)

Target = Callable[[bytes], None]


def target(name: str) -> Target:
    """`one_input` of the target called `name`."""
    one_input: Target = import_module(f"{__name__}.{name}").one_input
    return one_input


def seeds(name: str) -> list[Path]:
    """The files of the corpus of the target called `name`, in order."""
    return sorted((CORPUS / name).glob("*.bin"))
