"""`fanlight demo`: the parcel office with fanlight inside, and what to try on it.

Shows on one page how an asyncio program embeds fanlight and publishes a
relation.  The service itself, which knows nothing of fanlight, is in `office`.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Iterable, Sequence

import fanlight_asyncio
from fanlight import App, ConfigurationError
from fanlight_engines.sockets import Bound

from .listening import Wish, app_for, reason, warnings
from .office import Office

HINTS = """\
  Open       {url}
  Metrics    {url}/metrics
  Alive      {url}/api/livez

  Ask with SQL what the tasks are doing, and what the office publishes about itself:
    curl -s {url}/api/sql -H 'content-type: application/json' \\
      -d '{{"query": "select * from process.tasks"}}'
    curl -s {url}/api/sql -H 'content-type: application/json' \\
      -d '{{"query": "select * from shelves order by parcels desc limit 3"}}'

  See who holds the memory (switch tracing on, wait a little, read the profile):
    curl -s {url}/prof/mode -H 'content-type: application/json' -d '{{"memory_active": true}}'
    go tool pprof -top {url}/prof/heap

  Over HTTP/2:
    curl --http2-prior-knowledge {url}/api/readyz
"""


def run_demo(wish: Wish, *, verbose: bool) -> int:
    """Run the office until SIGINT or SIGTERM; 0 then, 2 for a mistake, 1 when it cannot listen."""
    keep_log(verbose=verbose)
    try:
        app, remarks = app_for(wish)
    except ConfigurationError as mistake:
        print(f"fanlight: {mistake}", file=sys.stderr)
        return 2
    try:
        asyncio.run(open_office(app, [*remarks, *warnings(app.remarks)]))
    except asyncio.CancelledError:
        print("closed")
    except ConfigurationError as mistake:  # in a file that the first one names
        print(f"fanlight: {mistake}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"fanlight: {reason(error, app)}", file=sys.stderr)
        return 1
    return 0


def keep_log(*, verbose: bool) -> None:
    """Make log records from level INFO on; print all of them, or only errors."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    for handler in logging.getLogger().handlers:
        handler.setLevel(logging.INFO if verbose else logging.ERROR)


async def open_office(app: App, remarks: Sequence[str]) -> None:
    """Run the office and the server in one loop until a signal says stop: then it is cancelled."""
    office = Office()

    @app.relation(town=str, parcels=int, grams=int, mean_seconds=float)
    def shelves() -> Iterable[tuple[str, int, int, float]]:
        """What lies on the shelves, by town."""
        return office.shelves()

    def ready(bound: Sequence[Bound]) -> None:
        welcome([address.url for address in bound], remarks)

    stop_on_signals()
    work = asyncio.create_task(office.run(), name="office")
    try:
        await fanlight_asyncio.serve(app, ready=ready)
    finally:
        work.cancel()


def stop_on_signals() -> None:
    """Let SIGINT and SIGTERM cancel the task that calls this."""
    task = asyncio.current_task()
    assert task is not None, "called inside a task"
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)


def welcome(addresses: Sequence[str], remarks: Sequence[str]) -> None:
    """Say where to look and what to try."""
    print(f"a parcel office with fanlight inside (asyncio, process {os.getpid()}); Ctrl-C closes it\n")
    for line in remarks:
        print(f"  warning: {line}\n")
    for address in addresses:
        print(HINTS.format(url=address))
    sys.stdout.flush()
