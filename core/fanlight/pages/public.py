"""`GET /metrics/public`: the metrics of this process and of its workers, merged into one text.

Every worker process that is registered is asked for its `/metrics`, all at
once.  One that does not answer in time, or answers nonsense, is left out,
logged, and shown as down; the answer is a 200 all the same.  What the answers
become is `federation`'s, how the text is sent `metrics`'s.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..asks import Moment, Race, Sleep
from ..federation.effects import ASKS_RULES, AskWorkers, Call, NoReply, Reply, WorkOut
from ..federation.merging import Digested, Merged, digest, up
from ..federation.rules import Directory, read_rules
from ..http.options import parse_options
from ..http.request import Request
from ..http.response import Response, empty
from ..observe.negotiation import PROTOBUF, TEXT
from ..observe.records import Report, Trouble
from .metrics import everything, respond

if TYPE_CHECKING:
    from ..app import App
    from ..config.listeners import Address
    from ..workers import Replica

PATIENCE = 10.0
"""Seconds for all workers together: Prometheus gives up after ten by default."""
_EACH = 5.0
"""Seconds for one worker, so that those who wait for their turn get one."""
_ASKING = PATIENCE - 1.0
"""Seconds after which answers are read, whoever is missing."""
_BODY = 16 * 1024 * 1024
_MEMORY = 128 * 1024 * 1024
"""Bytes of one answer, and of all of them together."""

_FIELDS = (("accept", f"{PROTOBUF.content_type}, text/plain;version=0.0.4;q=0.5"), (ASKS_RULES, "1"))

Process = tuple["Replica", int, "Address | None"]


async def public(request: Request) -> Response:
    """200 with text 0.0.4, whatever Accept says; 503, empty, where it is switched off; 400 for malformed `options`."""
    app = request.server.app
    parse_options(request.query)
    if app.system.get("enable_public_metrics_endpoint") == "off":
        return empty(503)
    directory = _directory(app)
    found = await _federated(list(app.workers.remote), directory)
    await _tell([f"{replica.full_name}/{process}: {each.trouble}" for replica, process, each in found if each.trouble])
    own, failures = await everything(request.server, TEXT)

    def conflict(name: str) -> None:
        failures.append((name, TypeError("a worker has another type of it: left out")))

    parts = [up(found), *[digested.parts for _, _, digested in found]]
    merged = Merged(own, parts, read_rules(app.metric_rules), directory, conflict)
    return await respond(request, TEXT, merged, failures, ())


def _directory(app: App) -> Directory:
    """The names that this process knows; its relations have ids from now on."""
    for relation in list(app.relations.values()):
        app.catalog.identify(relation)
    return Directory(app.workers, app.catalog)


async def _federated(processes: Sequence[Process], directory: Directory) -> list[tuple[Replica, int, Digested]]:
    """Ask all, then read one answer after the other; who is not read in time is down."""
    if not processes:
        return []
    until = (await Moment()).mono + PATIENCE
    replies = iter(await _ask([address for _, _, address in processes if address is not None]))
    found: list[tuple[Replica, int, Digested]] = []
    for replica, process, address in processes:
        reply = next(replies) if address is not None else NoReply("unreachable")
        left = until - (await Moment()).mono
        work = WorkOut(digest, (reply, replica, process, directory))
        first, digested = await Race((work, Sleep(max(0.0, left))))
        found.append((replica, process, digested if first == 0 else Digested({}, False, "timeout")))
    return found


async def _ask(addresses: Sequence[Address]) -> Sequence[Reply]:
    """The reply of each, in order."""
    calls = tuple([Call(address, "GET", "/metrics", _FIELDS) for address in addresses])
    first, replies = await Race((AskWorkers(calls, _EACH, _ASKING, _BODY, _MEMORY), Sleep(_ASKING + 0.5)))
    if first == 1:
        return [NoReply("timeout")] * len(calls)
    answered: Sequence[Reply] = replies
    return answered


async def _tell(troubles: Sequence[str]) -> None:
    """One record for a scrape, however many workers are down."""
    if troubles:
        more = f" and {len(troubles) - 5} more" if len(troubles) > 5 else ""
        await Report(Trouble(f"workers left out of a scrape: {'; '.join(troubles[:5])}{more}"))
