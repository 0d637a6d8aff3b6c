"""A program with two worker processes, whose metrics are shown as one: each worker has a fanlight on a Unix socket.

Run it, then ask:

    curl -s 127.0.0.1:6876/metrics/public
    curl -s 127.0.0.1:6876/clusters
"""

import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from prometheus_client import Counter

from fanlight import App, Listener
from fanlight_asyncio import start_in_thread

ADDRESS = sys.argv[1] if sys.argv[1:] else "127.0.0.1:6876"
JOBS = Counter("shop_jobs_total", "Jobs done.", ["queue"])


def worker(address: str) -> None:
    """A worker does its work and serves; it ends with its standard input, and so with the parent."""
    JOBS.labels("mail").inc(3)
    with start_in_thread(App(listeners=(Listener("main", address),))):
        print("ready", flush=True)
        sys.stdin.read()


def parent() -> None:
    """The parent starts two workers and tells fanlight where they listen."""
    app = App(listeners=(Listener("main", ADDRESS),))
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        addresses = [f"unix:{folder / name}.sock" for name in ("0", "1")]
        for address in addresses:
            command = [sys.executable, __file__, address]
            child = stack.enter_context(
                subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE),
            )
            assert child.stdin is not None
            assert child.stdout is not None
            stack.callback(child.stdin.close)
            child.stdout.readline()  # it listens
        cluster = app.workers.add_cluster("mailers")
        app.workers.add_replica(cluster, "r1", addresses)
        JOBS.labels("office").inc()
        with start_in_thread(app) as running:
            print(running.addresses[0].url)
            input("press Enter to end\n")


if __name__ == "__main__":
    worker(ADDRESS) if ADDRESS.startswith("unix:") else parent()
