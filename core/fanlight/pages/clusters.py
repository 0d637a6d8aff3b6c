"""`GET /clusters`: the worker processes that the program registered, as one HTML table.

This process itself is among them.  The page shows what was registered and asks
nobody: whether a process answers is what `/metrics/public` tells.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from ..http.options import parse_options
from ..http.request import Request
from ..http.response import Response, html
from ..workers import Replica
from .document import document

_TABLE = """<table>
<thead><tr><th>Cluster</th><th>Replica</th><th>Cluster ID</th><th>Replica ID</th><th>Processes</th><th>HTTP</th></tr>
</thead>
<tbody>
{rows}
</tbody>
</table>"""


async def clusters(request: Request) -> Response:
    """200 with a row for each replica, system clusters first; 400 for malformed `options`."""
    parse_options(request.query)
    return html(200, page(request.server.app.workers.replicas))


def page(replicas: Iterable[Replica]) -> str:
    """The document; names are the program's and escaped."""
    rows = "\n".join(map(_row, replicas))
    listed = _TABLE.format(rows=rows) if rows else "<p>No replicas found.</p>"
    return document("Clusters", f"<main><h1>Clusters</h1>\n{listed}</main>")


def _row(replica: Replica) -> str:
    count = len(replica.addresses())
    names = (replica.cluster.name, replica.name, replica.cluster.id, replica.id, str(count))
    cells = "".join(f"<td>{escape(name)}</td>" for name in names)
    return f"<tr>{cells}<td>{_links(replica, count)}</td></tr>"


def _links(replica: Replica, count: int) -> str:
    base = f"/api/cluster/{replica.cluster.id}/replica/{replica.id}/process"
    return " ".join(f'<a href="{base}/{each}/">p{each}</a>' for each in range(count)) or "No HTTP endpoints"
