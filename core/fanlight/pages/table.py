"""The route table: every page of ours, with the group whose rules apply.

A route that is not here does not exist.  Pages are named, and imported when the
first request for them comes (`loading`); only the probes are there from the
beginning, since whoever asks them does not like to wait.
"""

from __future__ import annotations

from ..http.router import Route
from . import health
from .loading import page

DEFAULT_SETS = ("mz_usage", "mz_frontier", "mz_compute", "mz_storage")
"""The metrics from SQL that there always are: `observe.default_queries`."""

_METADATA = "/.well-known/oauth-protected-resource"
_RESOURCES = ("", "/api/mcp/agent", "/api/mcp/developer")
"""What may be appended to the path; the document is the same (RFC 9728 3.1)."""

ROUTES: tuple[Route, ...] = (
    Route("GET", "/", "base", page("root.home")),
    Route("GET", "/static/{*path}", "base", page("files.static")),
    Route("GET", "/metrics/public", "base", page("public.public")),
    Route("GET", "/memory", "base", page("tools.memory")),
    Route("GET", "/hierarchical-memory", "base", page("tools.hierarchical_memory")),
    Route("GET", "/metrics-viz", "base", page("tools.metrics_viz")),
    Route("POST", "/api/sql", "base", page("sql.sql")),
    Route("GET", "/api/experimental/sql", "ws", page("sql_socket.sql_socket"), websocket=True),
    Route("POST", "/api/login", "login", page("login.login")),
    Route("POST", "/api/logout", "logout", page("login.logout")),
    *(Route("GET", _METADATA + path, "oauth_metadata", page("oauth.protected_resource")) for path in _RESOURCES),
    Route("GET", "/metrics", "metrics", page("metrics.metrics")),
    *(Route("GET", f"/metrics/{name}", "metrics", page("promsql.query_set")) for name in DEFAULT_SETS),
    Route("GET", "/api/livez", "metrics", health.livez),
    Route("GET", "/api/readyz", "metrics", health.readyz),
    Route("GET", "/prof/", "profiling", page("prof_page.page")),
    Route("POST", "/prof/", "profiling", page("prof_page.form")),
    Route("POST", "/prof/cpu", "profiling", page("prof_cpu.cpu")),
    Route("GET", "/prof/profile", "profiling", page("prof_cpu.profile")),
    Route("GET", "/prof/heap", "profiling", page("prof.heap")),
    Route("GET", "/prof/mode", "profiling", page("prof.mode")),
    Route("POST", "/prof/mode", "profiling", page("prof.switch_mode")),
    Route("GET", "/prof/static/{*path}", "profiling", page("files.static")),
    Route("GET", "/internal-console", "internal", page("console.redirect")),
    Route("GET", "/internal-console/", "internal", page("console.page")),
    Route("POST", "/internal-console/", "internal", page("upstream.choose")),
    Route("GET", "/internal-console/{*path}", "internal", page("console.files")),
    Route("POST", "/internal-console/{*path}", "internal", page("upstream.choose")),
    Route("GET", "/api/console/config", "console_config", page("console.config")),
    Route("GET", "/debug/pprof/", "profiling", page("debug_pprof.index")),
    Route("GET", "/debug/pprof/heap", "profiling", page("prof.heap")),
    Route("GET", "/debug/pprof/profile", "profiling", page("prof_cpu.profile")),
    Route("GET", "/debug/pprof/goroutine", "profiling", page("debug_pprof.goroutine")),
    Route("GET", "/debug/pprof/cmdline", "profiling", page("debug_pprof.cmdline")),
    Route("GET", "/debug/pprof/symbol", "profiling", page("debug_pprof.symbol")),
    Route("POST", "/debug/pprof/symbol", "profiling", page("debug_pprof.symbol")),
    Route("GET", "/api/tracing", "internal", page("tracing.tracing")),
    Route("PUT", "/api/opentelemetry/config", "internal", page("tracing.opentelemetry_config")),
    Route("PUT", "/api/stderr/config", "internal", page("tracing.stderr_config")),
    Route("GET", "/api/leader/status", "leader", page("leader.status")),
    Route("POST", "/api/leader/promote", "leader", page("leader.promote")),
    Route("POST", "/api/leader/skip-catchup", "leader", page("leader.skip_catchup")),
    Route("GET", "/clusters", "internal", page("clusters.clusters")),
    Route("GET", "/api/catalog/dump", "internal", page("catalog.catalog_dump"), privileged=True),
    Route("GET", "/api/catalog/check", "internal", page("catalog.catalog_check"), privileged=True),
    Route("POST", "/api/catalog/inject-audit-events", "internal", page("catalog.inject_audit_events"), privileged=True),
    Route("GET", "/api/coordinator/check", "internal", page("catalog.coordinator_check"), privileged=True),
    Route("GET", "/api/coordinator/dump", "internal", page("catalog.coordinator_dump"), privileged=True),
)
