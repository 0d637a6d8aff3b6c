"""A headless Chromium, told what to do over a pipe (DevTools protocol): what it shows, asks for and complains about.

Messages are JSON, each ended by a NUL; the browser reads them from its
descriptor 3 and writes to 4.  Nothing here knows a page of ours.
"""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from attrs import define, field

PROGRAM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
PATIENCE = 30.0
REBOUND = "rebound.example"
"""A name that the browser resolves to this machine."""
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-extensions",
    "--no-first-run",
    f"--host-resolver-rules=MAP {REBOUND} 127.0.0.1",
    "--remote-debugging-pipe",
)

MOVING = (
    "import os, sys; r, w = (os.dup2(int(n), at) for n, at in zip(sys.argv[1:3], (50, 51)));"
    " os.dup2(r, 3); os.dup2(w, 4); os.execvp(sys.argv[3], sys.argv[3:])"
)
"""Moves the pipes to where the browser looks for them."""

Json = dict[str, Any]


class Silent(Exception):
    """The browser did not do in time what was waited for."""


@define
class Browser:
    """A running browser; `events` are what it told so far."""

    reading: int
    writing: int
    events: list[Json] = field(factory=list)
    _tabs: list[str] = field(factory=list)
    _number: int = 0
    _rest: bytes = b""

    def tell(self, method: str, session: str | None = None, **params: Any) -> int:
        """One command, whose result comes some time; its number."""
        self._number += 1
        command: Json = {"id": self._number, "method": method, "params": params}
        if session is not None:
            command["sessionId"] = session
        os.write(self.writing, json.dumps(command).encode() + b"\0")
        return self._number

    def call(self, method: str, session: str | None = None, **params: Any) -> Json:
        """One command, and its result."""
        number = self.tell(method, session, **params)
        until = time.monotonic() + PATIENCE
        while (message := self.receive(until)).get("id") != number:
            pass
        assert "error" not in message, (method, message["error"])
        result: Json = message["result"]
        return result

    def receive(self, until: float) -> Json:
        """The next message, whatever it is; events are kept."""
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self.reading], [], [], max(0.0, until - time.monotonic()))
            if not ready:
                raise Silent
            data = os.read(self.reading, 1 << 20)
            if not data:
                raise Silent("the browser is gone")
            self._rest += data
        head, _, self._rest = self._rest.partition(b"\0")
        message: Json = json.loads(head)
        if "method" in message:
            self.events.append(message)
        return message

    def listen(self, seconds: float) -> None:
        """Take events for so long."""
        until = time.monotonic() + seconds
        try:
            while True:
                self.receive(until)
        except Silent:
            pass

    def page(self, width: int = 1280, height: int = 900) -> Page:
        """A new tab of that size, in pixels."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._tabs.append(target)
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Runtime", "Log"):
            self.call(f"{domain}.enable", session)
        page = Page(self, session)
        page.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        return page

    def close_pages(self) -> None:
        """Close every tab that was opened, and forget what they told."""
        while self._tabs:
            self.call("Target.closeTarget", targetId=self._tabs.pop())
        self.events.clear()


@define
class Page:
    """A tab."""

    browser: Browser
    session: str

    def call(self, method: str, **params: Any) -> Json:
        """One command to this tab."""
        return self.browser.call(method, self.session, **params)

    def events(self, method: str, seen: int = 0) -> list[Json]:
        """The parameters of every such event of this tab, after the first `seen` of all events of the browser."""
        return [
            event["params"]
            for event in self.browser.events[seen:]
            if event["method"] == method and event.get("sessionId") == self.session
        ]

    def event(self, method: str, seen: int, fits: Callable[[Json], bool] = lambda params: True) -> Json:
        """The first such event that fits, waited for if need be."""
        until = time.monotonic() + PATIENCE
        while not (found := list(filter(fits, self.events(method, seen)))):
            self.browser.receive(until)
        return found[0]

    def go(self, url: str, dialog: tuple[str, str] | None = None) -> int:
        """Open a document; its status.  `dialog`: what is typed where the browser asks for name and password."""
        seen = len(self.browser.events)
        if dialog is None:
            self.call("Page.navigate", url=url)
        else:
            self._log_in(url, *dialog)
        return self.arrived(seen)

    def _log_in(self, url: str, username: str, password: str) -> None:
        seen = len(self.browser.events)
        self.call("Fetch.enable", handleAuthRequests=True)
        self.browser.tell("Page.navigate", self.session, url=url)
        paused = self.event("Fetch.requestPaused", seen)
        self.browser.tell("Fetch.continueRequest", self.session, requestId=paused["requestId"])
        asked = self.event("Fetch.authRequired", seen)
        typed = {"response": "ProvideCredentials", "username": username, "password": password}
        self.browser.tell(
            "Fetch.continueWithAuth", self.session, requestId=asked["requestId"], authChallengeResponse=typed
        )
        self.browser.tell("Fetch.disable", self.session)

    def arrived(self, seen: int) -> int:
        """Wait for a document asked for after `seen` events, and for what it names; its status."""
        response = self.event("Network.responseReceived", seen, lambda params: params["type"] == "Document")
        # An earlier end of loading is that of the document before.
        self.event("Page.loadEventFired", seen, lambda params: bool(params["timestamp"] >= response["timestamp"]))
        return int(response["response"]["status"])

    def cookies(self) -> list[Json]:
        """What the browser would send to this page's address."""
        found: list[Json] = self.call("Network.getCookies")["cookies"]
        return found

    def run(self, script: str) -> Any:
        """The value of an expression; of a promise its outcome."""
        answer = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def until(self, script: str, seconds: float = PATIENCE) -> Any:
        """The first value of an expression that is true; `Silent` when there is none in time."""
        until = time.monotonic() + seconds
        while not (value := self.run(script)):
            if time.monotonic() > until:
                raise Silent(f"never true: {script}")
            self.browser.listen(0.05)
        return value

    def press(self, *keys: str) -> None:
        """Press keys one after the other, by their DOM names (`ArrowDown`, `Enter`, `a`)."""
        for key in keys:
            text = {"Enter": "\r", "Tab": ""}.get(key, key if len(key) == 1 else "")
            code = {"Enter": 13, "Tab": 9, "Escape": 27}.get(key, 0)
            pressed = {"key": key, "code": key, "windowsVirtualKeyCode": code}
            self.call("Input.dispatchKeyEvent", type="keyDown", text=text, **pressed)
            self.call("Input.dispatchKeyEvent", type="keyUp", **pressed)

    def scheme(self, scheme: Literal["light", "dark"]) -> None:
        """The colour scheme that the person prefers."""
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def shot(self, path: Path) -> None:
        """A picture of what the window shows, as PNG."""
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))

    def asked(self) -> list[str]:
        """The URL of every request so far."""
        return [event["request"]["url"] for event in self.events("Network.requestWillBeSent")]

    def complaints(self) -> list[str]:
        """Exceptions, errors and warnings of the console, and what the browser itself logged (CSP, failed requests)."""
        thrown = [
            event["exceptionDetails"].get("exception", {}).get("description", event["exceptionDetails"]["text"])
            for event in self.events("Runtime.exceptionThrown")
        ]
        called = [
            json.dumps(event["args"])
            for event in self.events("Runtime.consoleAPICalled")
            if event["type"] in ("error", "warning", "assert")
        ]
        logged = [
            f"{event['entry']['text']} {event['entry'].get('url', '')}"
            for event in self.events("Log.entryAdded")
            if event["entry"]["level"] in ("error", "warning")
        ]
        return [*thrown, *called, *logged]


@contextmanager
def browsing() -> Iterator[Browser]:
    """A browser with a fresh profile, ended afterwards."""
    assert PROGRAM is not None
    in_read, in_write = os.pipe()
    out_read, out_write = os.pipe()
    profile = Path(tempfile.mkdtemp(prefix="browser-"))
    moved = (sys.executable, "-c", MOVING, str(in_read), str(out_write))
    try:
        with subprocess.Popen(
            [*moved, PROGRAM, *FLAGS, f"--user-data-dir={profile}", "about:blank"],
            pass_fds=(in_read, out_write),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as process:
            os.close(in_read)
            os.close(out_write)
            try:
                yield Browser(out_read, in_write)
            finally:
                process.terminate()
    finally:
        os.close(in_write)
        os.close(out_read)
        shutil.rmtree(profile, ignore_errors=True)
