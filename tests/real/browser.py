"""A headless Chromium, driven over its DevTools protocol by a WebSocket: what a person's browser does with a server."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from attrs import define, field
from websockets.sync.client import ClientConnection, connect

PROGRAM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PATIENCE = 30.0
REBOUND = "rebound.example"
"""A name that the browser resolves to this machine."""
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    f"--host-resolver-rules=MAP {REBOUND} 127.0.0.1",
)


@define
class Page:
    """A tab."""

    browser: Browser
    session: str

    def go(self, url: str, dialog: tuple[str, str] | None = None) -> int:
        """Open `url`; the status of its document.  `dialog`: what is typed where the browser asks for a password."""
        seen = len(self.browser.events)
        if dialog is None:
            self.browser.call("Page.navigate", {"url": url}, self.session)
            return self.arrived(seen)
        self.browser.call("Fetch.enable", {"handleAuthRequests": True}, self.session)
        self.browser.tell("Page.navigate", {"url": url}, self.session)
        self._pass_on("Fetch.requestPaused", seen, "Fetch.continueRequest")
        typed = {"response": "ProvideCredentials", "username": dialog[0], "password": dialog[1]}
        self._pass_on("Fetch.authRequired", seen, "Fetch.continueWithAuth", authChallengeResponse=typed)
        self.browser.tell("Fetch.disable", {}, self.session)
        return self.arrived(seen)

    def _pass_on(self, event: str, seen: int, command: str, **more: Any) -> None:
        paused = self.browser.event(event, seen)["params"]["requestId"]
        self.browser.tell(command, {"requestId": paused, **more}, self.session)

    def arrived(self, seen: int) -> int:
        """Wait for a document that was asked for after so many events; its status."""
        response = self.browser.event("Network.responseReceived", seen, lambda e: e["type"] == "Document")
        self.browser.event("Page.loadEventFired", self.browser.events.index(response))
        return int(response["params"]["response"]["status"])

    def run(self, script: str) -> Any:
        """The value of an expression, of a promise its outcome."""
        answer = self.browser.call(
            "Runtime.evaluate", {"expression": script, "awaitPromise": True, "returnByValue": True}, self.session
        )
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def cookies(self) -> list[dict[str, Any]]:
        """What the browser would send to this page's address."""
        found: list[dict[str, Any]] = self.browser.call("Network.getCookies", {}, self.session)["cookies"]
        return found


@define
class Browser:
    """A running browser; `events` are what it told so far."""

    socket: ClientConnection
    events: list[dict[str, Any]] = field(factory=list)
    _number: int = 0

    def call(self, method: str, params: dict[str, Any], session: str | None = None) -> dict[str, Any]:
        """One command, and its result."""
        self.tell(method, params, session)
        until = time.monotonic() + PATIENCE
        while (message := self._receive(until)).get("id") != self._number:
            pass
        assert "error" not in message, message
        result: dict[str, Any] = message["result"]
        return result

    def tell(self, method: str, params: dict[str, Any], session: str | None = None) -> None:
        """One command, whose result comes some time."""
        self._number += 1
        command = {"id": self._number, "method": method, "params": params}
        self.socket.send(json.dumps(command | ({"sessionId": session} if session else {})))

    def _receive(self, until: float) -> dict[str, Any]:
        message: dict[str, Any] = json.loads(self.socket.recv(timeout=max(0.0, until - time.monotonic())))
        if "method" in message:
            self.events.append(message)
        return message

    def event(self, method: str, seen: int, fits: Any = lambda params: True) -> dict[str, Any]:
        """The first event of that name after `seen` ones that fits."""
        until = time.monotonic() + PATIENCE
        while True:
            for event in self.events[seen:]:
                if event["method"] == method and fits(event["params"]):
                    return event
            self._receive(until)

    def page(self) -> Page:
        """A new tab."""
        target = self.call("Target.createTarget", {"url": "about:blank"})["targetId"]
        session = self.call("Target.attachToTarget", {"targetId": target, "flatten": True})["sessionId"]
        for domain in ("Page", "Network", "Runtime"):
            self.call(f"{domain}.enable", {}, session)
        return Page(self, session)


@contextmanager
def browsing() -> Iterator[Browser]:
    """A browser with a fresh profile."""
    assert PROGRAM is not None
    profile = Path(tempfile.mkdtemp(prefix="profile-"))
    command = [PROGRAM, *FLAGS, "--remote-debugging-port=0", f"--user-data-dir={profile}", "about:blank"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            port, path = _told(profile / "DevToolsActivePort")
            with connect(f"ws://127.0.0.1:{port}{path}", proxy=None, max_size=None) as socket:
                yield Browser(socket)
        finally:
            process.terminate()
            process.wait(PATIENCE)
            shutil.rmtree(profile, ignore_errors=True)


def _told(file: Path) -> tuple[str, str]:
    """Where it listens, which it writes to a file once it does."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        lines = file.read_text().splitlines() if file.exists() else []
        if len(lines) == 2:
            return lines[0], lines[1]
        time.sleep(0.05)
    raise TimeoutError("the browser does not start")
