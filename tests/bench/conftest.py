"""Benchmarks move their process to the load's core: put it back afterwards."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest


@pytest.fixture
def own_core() -> Iterator[None]:
    """Restore the cores on which this process may run."""
    cores = os.sched_getaffinity(0)
    yield
    os.sched_setaffinity(0, cores)
