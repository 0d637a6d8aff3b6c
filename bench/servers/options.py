"""The command line that all servers of the bench share."""

from __future__ import annotations

import argparse
from typing import Any

UVICORN: dict[str, Any] = {
    "host": "127.0.0.1",
    "http": "httptools",
    "access_log": False,
    "log_level": "warning",
    "timeout_keep_alive": 75,
}
"""How uvicorn serves a peer, if the peer does not say otherwise."""


def parse(**choices: tuple[str, ...]) -> argparse.Namespace:
    """`--port`, `--series`, `--rows`, and one option for each of `choices`, whose first value is the default."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--series", type=int, default=100)
    parser.add_argument("--rows", type=int, default=0, help="of the table for SQL, where the server makes it")
    for name, values in choices.items():
        parser.add_argument(f"--{name}", choices=values, default=values[0])
    return parser.parse_args()
