"""`/memory`, `/hierarchical-memory` and `/metrics-viz`: pages that scripts draw in the browser.

The server sends frames only.  What is shown comes through `POST /api/sql` and
`/metrics`, with the rights of whoever looks; there is no endpoint behind these
pages that other clients do not have.
"""

from __future__ import annotations

from ..http.request import Request
from ..http.response import Response, html
from .document import document, paths, scripted


async def memory(request: Request) -> Response:
    """GET /memory: how much memory there is, whether it grows, which types and lines hold it."""
    return _page(request, "Memory", "/memory", "memory", "memory")


async def hierarchical_memory(request: Request) -> Response:
    """GET /hierarchical-memory: the same from the process down to the line."""
    return _page(request, "Memory as a tree", "/hierarchical-memory", "memory", "hierarchical-memory")


async def metrics_viz(request: Request) -> Response:
    """GET /metrics-viz: every metric as a chart."""
    return _page(request, "Metrics", "/metrics-viz", "metrics", "metrics-viz")


def _page(request: Request, title: str, path: str, style: str, script: str) -> Response:
    body = scripted(title, served=paths(request), here=path)
    return html(200, document(title, body, styles=(style,), script=script))
