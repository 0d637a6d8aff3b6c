"""Which pages a case touches, and which of them are not built yet.

The table is the whole surface that the cases know.  A page counts as built
when the application has a route for its path; so nothing has to be changed
here when one is added.
"""

from __future__ import annotations

import re

from fanlight.app import App

_REPLICA = "/api/cluster/{cluster_id}/replica/{replica_id}/process/{process}/"

PAGES: tuple[tuple[str, str, str], ...] = (
    ("base", "/", "the home page"),
    ("base", "/static/{*path}", "static files"),
    ("base", "/memory", "the memory pages"),
    ("base", "/hierarchical-memory", "the memory pages"),
    ("base", "/metrics-viz", "the metrics page"),
    ("base", "/metrics/public", "federated metrics"),
    ("base", "/api/sql", "SQL over HTTP"),
    ("base", "/api/experimental/sql", "SQL over WebSocket"),
    ("profiling", "/prof/", "the profiling page"),
    ("profiling", "/prof/cpu", "CPU profiles"),
    ("profiling", "/prof/mode", "the profiling mode"),
    ("profiling", "/prof/heap", "heap profiles"),
    ("profiling", "/prof/static/{*path}", "the profiling page"),
    ("webhook", "/api/webhook/{database}/{schema}/{id}", "webhooks"),
    ("internal", "/api/opentelemetry/config", "log filters"),
    ("internal", "/api/stderr/config", "log filters"),
    ("internal", "/api/tracing", "the log level"),
    ("internal", "/api/catalog/dump", "catalog dumps"),
    ("internal", "/api/catalog/check", "catalog checks"),
    ("internal", "/api/catalog/inject-audit-events", "audit events"),
    ("internal", "/api/coordinator/check", "catalog checks"),
    ("internal", "/api/coordinator/dump", "coordinator dumps"),
    ("internal", "/internal-console", "the console"),
    ("internal", "/internal-console/", "the console"),
    ("internal", "/internal-console/{*path}", "the console"),
    ("internal", "/clusters", "worker clusters"),
    ("internal", _REPLICA, "the proxy to workers"),
    ("internal", _REPLICA + "{*path}", "the proxy to workers"),
    ("internal", "/api/leader/status", "leadership"),
    ("internal", "/api/leader/promote", "leadership"),
    ("internal", "/api/leader/skip-catchup", "leadership"),
    ("metrics", "/metrics", "metrics"),
    ("metrics", "/metrics/mz_usage", "metrics from SQL"),
    ("metrics", "/metrics/mz_frontier", "metrics from SQL"),
    ("metrics", "/metrics/mz_compute", "metrics from SQL"),
    ("metrics", "/metrics/mz_storage", "metrics from SQL"),
    ("metrics", "/api/livez", "the liveness probe"),
    ("metrics", "/api/readyz", "the readiness probe"),
    ("console_config", "/api/console/config", "the console"),
    ("mcp_agent", "/api/mcp/agent", "MCP"),
    ("mcp_developer", "/api/mcp/developer", "MCP"),
    ("oauth_metadata", "/.well-known/oauth-protected-resource", "OAuth metadata"),
    ("oauth_metadata", "/.well-known/oauth-protected-resource/{*path}", "OAuth metadata"),
)


def _pattern(template: str) -> re.Pattern[str]:
    parts = re.split(r"(\{\*?\w+\})", template)
    return re.compile("".join(_part(part) for part in parts))


def _part(part: str) -> str:
    if part.startswith("{*"):
        return ".+"
    return "[^/]+" if part.startswith("{") else re.escape(part)


_PATTERNS = tuple((group, _pattern(template), template, name) for group, template, name in PAGES)


def unbuilt_page(app: App, target: str, groups: set[str]) -> str | None:
    """What `target` leads to when that is a page of an enabled group that the application does not have."""
    path = target.partition("?")[0]
    built = {route.path for route in app.routes}
    for group, pattern, template, name in _PATTERNS:
        if group in groups and pattern.fullmatch(path):
            return None if template in built else name
    return None


def built(app: App, template: str) -> bool:
    """Whether the application has a route with that path template."""
    return any(route.path == template for route in app.routes)
