"""granian with the bench's ASGI application: one worker, as it is started in production."""

from __future__ import annotations

from granian import Granian
from granian.constants import Interfaces

from bench.servers.options import parse


def main() -> None:
    options = parse()
    Granian(
        "bench.servers.asgi:app",
        address="127.0.0.1",
        port=options.port,
        interface=Interfaces.ASGI,
        workers=1,
        log_access=False,
        log_enabled=False,
    ).serve()


if __name__ == "__main__":
    main()
