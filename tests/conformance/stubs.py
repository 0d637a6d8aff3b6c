"""The replicas of a case: processes that answer in the ways its format names, on loopback sockets of their own."""

from __future__ import annotations

import json
import socket
import socketserver
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler
from typing import Any

from attrs import frozen

from .model import Json, Skipped


@frozen
class ReplicaOf:
    """A replica as a case describes it, with where its processes really listen."""

    cluster_id: str
    cluster_name: str
    replica_id: str
    replica_name: str
    addresses: tuple[str, ...]


@contextmanager
def replicas(server: Mapping[str, Json]) -> Iterator[tuple[ReplicaOf, ...]]:
    """The replicas that a case asks for, listening until the end."""
    answers = {
        each["metric_name"]: each["rows"]
        for definitions in server.get("promsql", {}).values()
        for each in definitions
        if "rows" in each
    }
    with ExitStack() as stack:
        yield tuple(
            ReplicaOf(
                each["cluster_id"],
                each["cluster_name"],
                each["replica_id"],
                each["replica_name"],
                tuple(stack.enter_context(_stub(kind, answers)) for kind in each["processes"]),
            )
            for each in server.get("replicas", ())
        )


@contextmanager
def console(kind: str | None) -> Iterator[str | None]:
    """The URL of the console that a case wants behind `/internal-console/`; None where it wants none."""
    with ExitStack() as stack:
        yield None if kind is None else f"http://{stack.enter_context(_stub(kind, {}))}"


def query_of(name: str, definition: Mapping[str, Json]) -> str:
    """A query that gives the rows of a definition, or its error; its comment says to stubs which one it is."""
    if "error" in definition:
        return f"SELECT error({_literal(definition['error'])})"
    rows = definition["rows"]
    columns = ", ".join(f'"{column}"' for column in rows["columns"])
    listed = ", ".join("(" + ", ".join(map(_literal, row)) + ")" for row in rows["data"])
    return f"/* {name} */ SELECT * FROM (VALUES {listed}) given({columns})"


def _literal(value: Json) -> str:
    return "NULL" if value is None else "'" + str(value).replace("'", "''") + "'"


@contextmanager
def _stub(kind: str, answers: Mapping[str, Json]) -> Iterator[str]:
    """One process; the address where it listens."""
    if kind == "refuse":
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
        yield f"127.0.0.1:{port}"
        return
    if kind == "ws-echo":
        raise Skipped("not built yet: the proxy to workers")
    handler = type("Stub", (_HANDLERS[kind.partition(":")[0]],), {"given": kind.partition(":")[2], "answers": answers})
    with _Server(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_address[1]}"
        finally:
            server.ending.set()
            server.shutdown()
            thread.join()


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.ending = threading.Event()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients leave; that is part of the cases."""


class _Stub(BaseHTTPRequestHandler):
    """What all of them share."""

    given = ""
    answers: Mapping[str, Json] = {}
    server: _Server

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name in the base class
        """Say nothing."""

    def body(self) -> bytes:
        """The body of the request."""
        return self.rfile.read(int(self.headers.get("content-length") or 0))

    def answer(self, kind: str, body: bytes) -> None:
        """200, whole."""
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class _Echo(_Stub):
    """What was asked, as JSON; for SQL the rows that the case gives."""

    def handle_one_request(self) -> None:
        """Any method is answered."""
        self.raw_requestline = self.rfile.readline(65537)
        if not self.raw_requestline or not self.parse_request():
            self.close_connection = True
            return
        body = self.body()
        if self.path == "/api/sql":
            self.answer("application/json", _compact(self.results(json.loads(body)["query"])))
            return
        headers = [[name.lower(), value] for name, value in self.headers.items()]
        shown = {"method": self.command, "target": self.path, "headers": headers, "body": body.decode("latin-1")}
        self.answer("application/json", json.dumps(shown).encode())

    def results(self, query: str) -> Json:
        """Four results: the three statements before the query, and the rows of its definition."""
        rows = next(rows for name, rows in self.answers.items() if f"/* {name} */" in query)
        columns = [{"name": name, "type_oid": 25, "type_len": -1, "type_mod": -1} for name in rows["columns"]]
        last = {"tag": f"SELECT {len(rows['data'])}", "rows": rows["data"], "desc": {"columns": columns}, "notices": []}
        return {"results": [*[{"ok": "SET", "notices": []}] * query.count("SET "), last]}


def _compact(document: Json) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()


class _Prom(_Stub):
    """A text of metrics on `/metrics`."""

    def do_GET(self) -> None:
        """The text."""
        self.answer("text/plain; version=0.0.4", self.given.encode())


class _Hang(_Stub):
    """Accepts and never answers."""

    def handle(self) -> None:
        """Wait for the end."""
        self.server.ending.wait()


class _Slow(_Stub):
    """An endless chunked body, a byte each 10 ms."""

    def do_GET(self) -> None:
        """Until the client leaves."""
        self.wfile.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ntransfer-encoding: chunked\r\n\r\n")
        while not self.server.ending.is_set():
            self.wfile.write(b"1\r\n#\r\n")
            time.sleep(0.01)


class _Die(_Stub):
    """The head and a part of the body, then the end."""

    def do_GET(self) -> None:
        """Half an answer."""
        self.wfile.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 100\r\n\r\n# HELP half")


_HANDLERS: Mapping[str, type[_Stub]] = {
    "echo": _Echo,
    "prom": _Prom,
    "hang": _Hang,
    "slow": _Slow,
    "die": _Die,
}
