"""`python -m fuzz TARGET [--runs N] [--seconds N]`: throw bytes at a target until it breaks."""

from __future__ import annotations

import argparse
import sys
import time

from fuzz import CORPUS, TARGETS, seeds, target


def with_atheris(name: str, runs: int, seconds: int) -> None:
    """Coverage-guided: new inputs that reach new code are kept in the corpus."""
    import atheris

    with atheris.instrument_imports(include=["fanlight", "h11", "h2", "hpack", "hyperframe", "wsproto"]):
        one_input = target(name)
    folder = CORPUS / name
    folder.mkdir(parents=True, exist_ok=True)
    options = [f"-runs={runs}", f"-max_total_time={seconds}", "-max_len=4096", "-timeout=20", str(folder)]
    atheris.Setup([sys.argv[0], *options], one_input)
    atheris.Fuzz()


def with_hypothesis(name: str, runs: int, seconds: int) -> None:
    """Blind: the seeds, whole and spoilt, and bytes of no sense."""
    from hypothesis import HealthCheck, given, settings

    from fuzz.inputs import inputs

    one_input, until = target(name), time.monotonic() + seconds if seconds else float("inf")

    @settings(max_examples=runs if runs > 0 else 1_000_000, deadline=None, suppress_health_check=list(HealthCheck))
    @given(inputs([path.read_bytes() for path in seeds(name)]))
    def search(data: bytes) -> None:
        if time.monotonic() < until:
            one_input(data)

    search()
    print(f"{name}: nothing found")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("--runs", type=int, default=-1, help="how many inputs (default: no end)")
    parser.add_argument("--seconds", type=int, default=0, help="for how long (default: no end)")
    given = parser.parse_args()
    try:
        with_atheris(given.target, given.runs, given.seconds)
    except ModuleNotFoundError as missing:
        if missing.name != "atheris":
            raise
        with_hypothesis(given.target, given.runs, given.seconds)


if __name__ == "__main__":
    main()
