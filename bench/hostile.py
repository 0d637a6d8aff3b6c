"""`python -m bench.hostile`: every attack beside a well-behaved neighbour, as a table.

For each attack a fresh `python -m tests.echo` is started on loopback.  Wanted:
at most 32 MB of growth, the neighbour's p99 at most 50 ms, none of its requests
refused, and a server that still answers when the attack is over.
"""

from __future__ import annotations

import argparse
import datetime
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from attrs import frozen

from bench.attacks.catalogue import ATTACKS
from bench.processes import LOAD_CORE, Running, compile_sources, cpu, pin, rss, spawn, start
from bench.report import table

MB = 1_000_000
GROWTH, P99 = 32 * MB, 0.050
# Idle connections are held, not refused: 5.2 kB for each of ten thousand is what the leanest peers need.
GROWTHS = {"h1 10,000 idle connections": 52 * MB}
RESULTS = Path(__file__).resolve().parent / "results"
SERVERS = {
    "asyncio": ("tests.echo", "--over", "asyncio", "--listen", "127.0.0.1:{port}"),
    "trio": ("tests.echo", "--over", "trio", "--listen", "127.0.0.1:{port}"),
}


@frozen(kw_only=True)
class Result:
    """What one attack did to the server and to the neighbour."""

    attack: str
    growth: int
    latencies: tuple[float, ...]
    asked: int
    refusals: tuple[str, ...]
    burned: float
    outcome: str
    alive: bool

    @property
    def p99(self) -> float:
        return self.latencies[int(len(self.latencies) * 0.99)] if self.latencies else float("inf")

    @property
    def passed(self) -> bool:
        refused = self.asked - len(self.latencies)
        return self.alive and self.growth <= GROWTHS.get(self.attack, GROWTH) and self.p99 <= P99 and refused == 0


class Peak:
    """The most resident bytes that a server had, looked at every 20 ms."""

    def __init__(self, server: int) -> None:
        self._server = server
        self._stop = threading.Event()
        self.most = self.first = rss(server)
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        while not self._stop.wait(0.02):
            self.most = max(self.most, rss(self._server))

    def growth(self) -> int:
        self._stop.set()
        self._thread.join()
        return self.most - self.first


def _child(module: str, *words: str) -> subprocess.Popen[str]:
    return spawn(module, *words, stderr=subprocess.PIPE)


def _said(child: subprocess.Popen[str], patience: float) -> dict[str, object]:
    try:
        out, err = child.communicate(timeout=patience)
    except subprocess.TimeoutExpired:
        child.kill()
        child.communicate()
        return {"outcome": "did not end in time"}
    lines = [line for line in out.splitlines() if line.startswith("{")]
    found: dict[str, object] = json.loads(lines[-1]) if lines else {"outcome": err.strip()[-200:]}
    return found


def _warm(running: Running) -> None:
    """Bring in what is imported lazily, so that growth is the attack's: one of each protocol, and some requests."""
    for name in ("h2 requests without end", "ws one-byte messages, echoes read", "h1 pipelining, all read"):
        _said(_child("bench.attacks", name, "--port", str(running.port), "--seconds", "0.2"), 20)
    _said(_child("bench.load.neighbour", *_neighbour(running, 0.5)), 20)
    time.sleep(0.3)


def _neighbour(running: Running, seconds: float) -> list[str]:
    return ["--port", str(running.port), "--server", str(running.pid), "--seconds", str(seconds)]


def attack(name: str, server: Sequence[str], *, seconds: float, logs: Path) -> Result:
    """Run one attack against a fresh server.  Raises `NotStarted`."""
    running = start(f"echo-{name}", server, logs)
    try:
        _warm(running)
        peak, burned = Peak(running.pid), cpu(running.pid)
        neighbour = _child("bench.load.neighbour", *_neighbour(running, seconds + 1))
        time.sleep(0.3)
        attacker = _child("bench.attacks", name, "--port", str(running.port), "--seconds", str(seconds))
        outcome = str(_said(attacker, seconds + 40).get("outcome", ""))
        told = _said(neighbour, seconds + 40)
        burned = cpu(running.pid) - burned
        return _result(name, told, outcome, peak.growth(), burned, _answers(running))
    finally:
        running.stop()


def _result(name: str, told: dict[str, object], outcome: str, growth: int, burned: float, alive: bool) -> Result:
    latencies, refusals, count = told.get("latencies"), told.get("refusals"), told.get("count")
    return Result(
        attack=name,
        growth=growth,
        latencies=tuple(sorted(latencies)) if isinstance(latencies, list) else (),
        asked=count if isinstance(count, int) else 1,
        refusals=tuple(refusals) if isinstance(refusals, list) else (),
        burned=burned,
        outcome=outcome,
        alive=alive,
    )


def _answers(running: Running) -> bool:
    """Whether the server is up and serves a new client after the attack."""
    if not running.alive():
        return False
    told = _said(_child("bench.load.neighbour", *_neighbour(running, 0.2)), 20)
    return bool(told.get("latencies")) and not told.get("refusals")


def rows(results: Sequence[Result]) -> list[list[str]]:
    found = []
    for result in results:
        refused = result.asked - len(result.latencies)
        slow = result.latencies or (float("inf"),)
        words = ["ok" if result.passed else "MISSED", result.attack, f"{result.growth / MB:.1f}"]
        times = [f"{value * 1e3:.1f}" for value in (slow[len(slow) // 2], result.p99, slow[-1])]
        more = "" if result.alive else " SERVER GONE"
        reason = f" ({result.refusals[0]})" if result.refusals else ""
        last = " ".join((result.outcome + reason + more).replace("|", "/").split())[-150:]
        found.append([*words, *times, f"{result.asked}", f"{refused}", f"{result.burned:.1f}", last])
    return found


HEAD = ["", "attack", "growth MB", "p50 ms", "p99", "max", "asked", "refused", "CPU s", "what came of it"]


def main(words: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.hostile", description=__doc__)
    parser.add_argument("--over", default="asyncio,trio", help="transports, by comma")
    parser.add_argument("--only", default="", help="attacks whose name contains this")
    parser.add_argument("--seconds", type=float, default=5.0, help="length of one attack, at most 30")
    parser.add_argument("--out", type=Path, help="the file to write (default: bench/results/hostile-DATE.md)")
    options = parser.parse_args(words)
    compile_sources()
    pin(LOAD_CORE)
    parts = [f"# Hostile clients, {datetime.date.today().isoformat()}, {options.seconds:g} s each"]
    missed = 0
    with tempfile.TemporaryDirectory() as logs:
        for over in options.over.split(","):
            results = []
            for name in ATTACKS:
                if options.only in name:
                    print(f"… {over}: {name}", file=sys.stderr, flush=True)
                    results.append(attack(name, SERVERS[over], seconds=min(30.0, options.seconds), logs=Path(logs)))
            missed += sum(not result.passed for result in results)
            parts.append(f"## {over}\n\n" + table(HEAD, rows(results)))
    text = "\n\n".join(parts) + "\n"
    print(text)
    out = options.out or RESULTS / f"hostile-{datetime.date.today().isoformat()}.md"
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(text)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
