"""The home page: which process this is, and where to look into it.

The page is one small document without scripts; whatever it shows of the
process is escaped.  It decides nothing about access: a link that the caller
may not follow is shown all the same, and its own gates refuse.
"""

from __future__ import annotations

from html import escape

from attrs import frozen

from ..asks import Effect
from ..http.request import Request
from ..http.response import Response, html
from .document import document, paths


@frozen
class ProcessFacts:
    """What the process is: `argv0` is a base name, `python` a version such as `3.11.7`.

    `version` is fanlight's own.  No path, no argument, no variable of the
    environment: those may hold secrets, and everybody with the base roles sees
    this page.
    """

    pid: int
    argv0: str
    python: str
    version: str


@frozen
class DescribeProcess(Effect[ProcessFacts]):
    """The facts of this process.  Answered inline: an engine has them at hand."""

    runs = "loop"


_PLACES = (
    ("/metrics", "Prometheus metrics"),
    ("/metrics-viz", "metrics drawn as charts"),
    ("/prof/", "CPU and heap profiles"),
    ("/prof/heap", "heap profile for go tool pprof"),
    ("/debug/pprof/", "profiles under Go's paths"),
    ("/memory", "memory by module and type"),
    ("/hierarchical-memory", "memory as a tree"),
    ("/clusters", "workers and their replicas"),
    ("/internal-console/", "console: ask with SQL"),
    ("/console", "console"),
    ("/api/readyz", "readiness"),
    ("/api/tracing", "log level"),
    ("/api/catalog/dump", "what the process exposes (internal users)"),
    ("/api/coordinator/dump", "loops, tasks, threads, connections (internal users)"),
)
"""Paths with what is found there, in the order of the page."""

# Filled by `str.format`: it has no other braces.
_BODY = """<main><h1>{what}</h1>
<p class="what">SQL over this process: POST to <code>/api/sql</code>.</p>
<ul class="places">
{places}
</ul></main>"""


async def home(request: Request) -> Response:
    """GET /: the process, and a link to each page that this listener serves.

    Always 200.  Links are in the order of `_PLACES`, those of disabled groups left out.
    """
    facts = await DescribeProcess()
    served = paths(request)
    places = "\n".join(
        f'<li><a href="{path}">{path}</a><span>{escape(words)}</span></li>' for path, words in _PLACES if path in served
    )
    # `argv0` is chosen by whoever starts the process, so it is as foreign as any text.
    what = f"fanlight {facts.version} embedded in {facts.argv0} (pid {facts.pid}, Python {facts.python})"
    body = _BODY.format(what=escape(what), places=places)
    return html(200, document("Home", body))
