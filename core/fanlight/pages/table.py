"""The route table: every page of ours, with the group whose rules apply.

A route that is not here does not exist.  Handlers are imported with their
modules; what is heavy in them loads at first use.
"""

from __future__ import annotations

from ..http.router import Route
from ..http.static import static
from . import (
    catalog,
    console,
    debug_pprof,
    health,
    leader,
    login,
    metrics,
    oauth,
    prof,
    prof_cpu,
    prof_page,
    root,
    sql,
    sql_socket,
    tools,
    tracing,
    upstream,
)

ROUTES: tuple[Route, ...] = (
    Route("GET", "/", "base", root.home),
    Route("GET", "/static/{*path}", "base", static),
    Route("GET", "/memory", "base", tools.memory),
    Route("GET", "/hierarchical-memory", "base", tools.hierarchical_memory),
    Route("GET", "/metrics-viz", "base", tools.metrics_viz),
    Route("POST", "/api/sql", "base", sql.sql),
    Route("GET", "/api/experimental/sql", "ws", sql_socket.sql_socket, websocket=True),
    Route("POST", "/api/login", "login", login.login),
    Route("POST", "/api/logout", "logout", login.logout),
    *(Route("GET", oauth.PATH + path, "oauth_metadata", oauth.protected_resource) for path in oauth.RESOURCES),
    Route("GET", "/metrics", "metrics", metrics.metrics),
    Route("GET", "/api/livez", "metrics", health.livez),
    Route("GET", "/api/readyz", "metrics", health.readyz),
    Route("GET", "/prof/", "profiling", prof_page.page),
    Route("POST", "/prof/", "profiling", prof_page.form),
    Route("POST", "/prof/cpu", "profiling", prof_cpu.cpu),
    Route("GET", "/prof/profile", "profiling", prof_cpu.profile),
    Route("GET", "/prof/heap", "profiling", prof.heap),
    Route("GET", "/prof/mode", "profiling", prof.mode),
    Route("POST", "/prof/mode", "profiling", prof.switch_mode),
    Route("GET", "/prof/static/{*path}", "profiling", static),
    Route("GET", "/internal-console", "internal", console.redirect),
    Route("GET", "/internal-console/", "internal", console.page),
    Route("POST", "/internal-console/", "internal", upstream.choose),
    Route("GET", "/internal-console/{*path}", "internal", console.files),
    Route("POST", "/internal-console/{*path}", "internal", upstream.choose),
    Route("GET", "/api/console/config", "console_config", console.config),
    Route("GET", "/debug/pprof/", "profiling", debug_pprof.index),
    Route("GET", "/debug/pprof/heap", "profiling", prof.heap),
    Route("GET", "/debug/pprof/profile", "profiling", prof_cpu.profile),
    Route("GET", "/debug/pprof/goroutine", "profiling", debug_pprof.goroutine),
    Route("GET", "/debug/pprof/cmdline", "profiling", debug_pprof.cmdline),
    Route("GET", "/debug/pprof/symbol", "profiling", debug_pprof.symbol),
    Route("POST", "/debug/pprof/symbol", "profiling", debug_pprof.symbol),
    Route("GET", "/api/tracing", "internal", tracing.tracing),
    Route("PUT", "/api/opentelemetry/config", "internal", tracing.opentelemetry_config),
    Route("PUT", "/api/stderr/config", "internal", tracing.stderr_config),
    Route("GET", "/api/leader/status", "leader", leader.status),
    Route("POST", "/api/leader/promote", "leader", leader.promote),
    Route("POST", "/api/leader/skip-catchup", "leader", leader.skip_catchup),
    Route("GET", "/api/catalog/dump", "internal", catalog.catalog_dump, privileged=True),
    Route("GET", "/api/catalog/check", "internal", catalog.catalog_check, privileged=True),
    Route("POST", "/api/catalog/inject-audit-events", "internal", catalog.inject_audit_events, privileged=True),
    Route("GET", "/api/coordinator/check", "internal", catalog.coordinator_check, privileged=True),
    Route("GET", "/api/coordinator/dump", "internal", catalog.coordinator_dump, privileged=True),
)
