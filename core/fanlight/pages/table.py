"""The route table: every page of ours, with the group whose rules apply.

A route that is not here does not exist.  Handlers are imported with their
modules; what is heavy in them loads at first use.
"""

from __future__ import annotations

from ..http.router import Route
from ..http.static import static
from . import health, root

ROUTES: tuple[Route, ...] = (
    Route("GET", "/", "base", root.home),
    Route("GET", "/static/{*path}", "base", static),
    Route("GET", "/api/livez", "metrics", health.livez),
    Route("GET", "/api/readyz", "metrics", health.readyz),
)
