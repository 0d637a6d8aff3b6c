"""The fuzz targets in the normal run: every seed, and a short search around the seeds."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from fuzz import CORPUS, TARGETS, seeds, target
from fuzz.inputs import inputs

SEEDS = [(name, path) for name in TARGETS for path in seeds(name)]


@pytest.mark.parametrize(("name", "path"), SEEDS, ids=lambda value: value.stem if isinstance(value, Path) else value)
def test_seed(name: str, path: Path) -> None:
    target(name)(path.read_bytes())


@pytest.mark.parametrize("name", TARGETS)
def test_short_search(name: str) -> None:
    one_input = target(name)

    @settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
    @given(inputs([path.read_bytes() for path in seeds(name)]))
    def search(data: bytes) -> None:
        one_input(data)

    search()


@pytest.mark.parametrize("name", TARGETS)
def test_nothing_is_an_input_too(name: str) -> None:
    target(name)(b"")


def test_every_target_has_seeds_and_every_seed_a_target() -> None:
    assert {path.name for path in CORPUS.iterdir()} == set(TARGETS)
    assert all(len(seeds(name)) >= 3 for name in TARGETS)
    assert all(path.suffix == ".bin" for path in CORPUS.rglob("*") if path.is_file())
