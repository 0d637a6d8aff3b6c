"""The console elsewhere that a case wants behind `/internal-console/`: on loopback, it says what it was asked."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from .model import Skipped


class _Echo(BaseHTTPRequestHandler):
    """200 with the request as JSON."""

    def do_GET(self) -> None:
        headers = [[name.lower(), value] for name, value in self.headers.items()]
        body = json.dumps({"method": self.command, "target": self.path, "headers": headers, "body": ""}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Nothing."""


@contextmanager
def console(kind: str | None) -> Iterator[str | None]:
    """The URL of the console that a case names, listening until the end; None where it names none."""
    if kind is None:
        yield None
        return
    if kind != "echo":
        raise Skipped(f"not built yet: a console that is {kind}")
    with ThreadingHTTPServer(("127.0.0.1", 0), _Echo) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
