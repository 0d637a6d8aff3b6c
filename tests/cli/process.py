"""Running the command line as a person does: a process, its lines, its end."""

from __future__ import annotations

import http.client
import json
import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parent.parent.parent
ROOTS = os.pathsep.join(str(ROOT / folder) for folder in ("core", "engines", "transports", "cli"))
ENVIRONMENT = {**os.environ, "PYTHONPATH": ROOTS, "PYTHONUNBUFFERED": "1"}
FANLIGHT = (sys.executable, "-m", "fanlight")


class Process:
    """A running command.  Its standard error is read all the time and kept in `errors`."""

    def __init__(self, popen: subprocess.Popen[str]) -> None:
        self.popen = popen
        self.errors: list[str] = []
        self._news = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.popen.stderr is not None
        for line in self.popen.stderr:
            with self._news:
                self.errors.append(line.rstrip("\n"))
                self._news.notify_all()

    def line(self) -> str:
        """The next line of standard output."""
        assert self.popen.stdout is not None
        return self.popen.stdout.readline().rstrip("\n")

    def address(self) -> str:
        """The first address that the command tells on standard error: `host:port`, or `unix:PATH`."""
        return self.addresses(1)[0]

    def addresses(self, count: int) -> list[str]:
        """The first `count` addresses."""
        with self._news:
            self._news.wait_for(lambda: len(self._told()) >= count, timeout=30)
        told = self._told()
        assert len(told) >= count, self.errors
        return told

    def _told(self) -> list[str]:
        found = [re.fullmatch(r"fanlight: (?:http://(\S+)|(unix:\S+))", line) for line in self.errors]
        return [told[1] or told[2] for told in found if told]

    def end(self, timeout: float = 30.0) -> int:
        """Wait for the end; the exit code, negative for a signal."""
        code = self.popen.wait(timeout)
        self._reader.join(timeout)
        return code

    def own_errors(self) -> list[str]:
        """What the program wrote on standard error, fanlight's lines left out."""
        return [line for line in self.errors if not line.startswith("fanlight: ")]


@contextmanager
def started(*words: str, cwd: Path | None = None) -> Iterator[Process]:
    """`fanlight WORDS`, killed in the end if it is still there."""
    with subprocess.Popen(
        [*FANLIGHT, *words],
        cwd=cwd,
        env=ENVIRONMENT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as popen:
        try:
            yield Process(popen)
        finally:
            popen.kill()


@contextmanager
def demonstrated() -> Iterator[tuple[Process, str]]:
    """A demo that is open, and the `host:port` that it has printed."""
    with started("demo", "--listen", "127.0.0.1:0") as process:
        while "Open" not in (line := process.line()):
            assert process.popen.poll() is None, process.errors
        yield process, line.split("http://")[1].rstrip("/")


def finished(*words: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """`fanlight WORDS`, run to its end."""
    return subprocess.run(
        [*FANLIGHT, *words], cwd=cwd, env=ENVIRONMENT, capture_output=True, text=True, timeout=60, check=False
    )


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=20)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(20)
        self.sock.connect(self._path)


def ask(where: str, path: str, body: object = None) -> tuple[int, bytes]:
    """GET, or POST with a JSON body; `where` is `host:port`, `unix:PATH` or a URL."""
    where = urlsplit(where).netloc or where
    connection = (
        UnixConnection(where.removeprefix("unix:"))
        if where.startswith("unix:")
        else http.client.HTTPConnection(where, timeout=20)
    )
    try:
        if body is None:
            connection.request("GET", path)
        else:
            connection.request("POST", path, json.dumps(body), {"content-type": "application/json"})
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def rows(where: str, query: str) -> list[list[Any]]:
    """What a statement returns."""
    status, body = ask(where, "/api/sql", {"query": query})
    assert status == 200, body
    result = json.loads(body)["results"][0]
    assert "rows" in result, result
    found: list[list[Any]] = result["rows"]
    return found


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
