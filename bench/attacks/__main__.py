"""`python -m bench.attacks NAME --port N --seconds S`: one attack, then one line about it."""

from __future__ import annotations

import argparse
import json
import time

from bench.attacks.catalogue import ATTACKS


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.attacks", description=__doc__)
    parser.add_argument("name", choices=list(ATTACKS))
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--seconds", type=float, default=5.0)
    options = parser.parse_args()
    outcome = ATTACKS[options.name](options.port, time.monotonic() + min(options.seconds, 30.0))
    print(json.dumps({"outcome": outcome}))


if __name__ == "__main__":
    main()
