"""prometheus_client's own server, `start_http_server`."""

from __future__ import annotations

import threading

from prometheus_client import start_http_server

from bench.servers.families import registry
from bench.servers.options import parse


def main() -> None:
    options = parse()
    start_http_server(options.port, "127.0.0.1", registry(options.series))
    threading.Event().wait()


if __name__ == "__main__":
    main()
