"""Scrapes `/metrics` over one connection, the next when the last is read; says what came back."""

from __future__ import annotations

import argparse
import http.client
import json
import time


def scrape(connection: http.client.HTTPConnection, path: str, gzip: bool, user: str) -> tuple[int, int]:
    """One scrape: the status and the length of the body as it came."""
    fields = {"Accept": "text/plain;version=0.0.4", "Accept-Encoding": "gzip" if gzip else "identity"}
    if user:
        fields["x-materialize-user"] = user
    connection.request("GET", path, headers=fields)
    answer = connection.getresponse()
    return answer.status, len(answer.read())


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--path", default="/metrics")
    parser.add_argument("--gzip", action="store_true")
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--least", type=int, default=3)
    parser.add_argument("--user", default="", help="for privileged pages of a server that believes names")
    options = parser.parse_args()
    connection = http.client.HTTPConnection("127.0.0.1", options.port, timeout=60)
    deadline = time.monotonic() + options.seconds
    count = failed = size = 0
    while count < options.least or time.monotonic() < deadline:
        status, size = scrape(connection, options.path, options.gzip, options.user)
        count += 1
        failed += status != 200
    connection.close()
    print(json.dumps({"requests": count, "failed": failed, "bytes": size}))


if __name__ == "__main__":
    main()
