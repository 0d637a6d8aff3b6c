"""`/debug/pprof/`: profiles under the paths that Go programs have, so that tools find them by themselves.

`heap` and `profile` are those of `/prof/`.  What Go calls goroutines are
threads and tasks here.  Go's other profiles have no counterpart and no path.
"""

from __future__ import annotations

from ..http.query import read_query
from ..http.request import Request
from ..http.response import TEXT, Response, html, text
from ..profiling.effects import CaptureStacks, DescribeStacks
from .prof_cpu import find_format, query_number
from .root import DescribeProcess

_PROFILES = (
    ("cmdline", "The name of the running program; its arguments stay its own."),
    ("goroutine", "Where every thread and every task stands; text with ?debug=1, with stacks ?debug=2."),
    ("heap", "Live blocks by the stack that allocated them; ?seconds=N for what changes. Tracing must be on."),
    ("profile", "Processor time; ?seconds=N (30), ?hz=N (99), ?mode=wall for the time that passes."),
    ("symbol", "For go tool pprof: profiles bring their names, so nothing is to be looked up."),
)

# Filled by `str.format`: the document has no other braces.
_PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>/debug/pprof/</title><link rel="stylesheet" href="../../prof/static/css/page.css"></head>
<body>
<h1>/debug/pprof/</h1>
<p class="what">Profiles of this process for <code>go tool pprof</code>; forms and switches are at
<a href="../../prof/">/prof/</a>.</p>
<ul class="places">
{places}
</ul>
</body>
</html>
"""


async def index(request: Request) -> Response:
    """`GET /debug/pprof/`: which profiles there are."""
    del request
    places = (f'<li><a href="{name}">{name}</a><span>{words}</span></li>' for name, words in _PROFILES)
    return html(200, _PAGE.format(places="\n".join(places)))


async def goroutine(request: Request) -> Response:
    """`GET /debug/pprof/goroutine`: threads and tasks.

    Query: `debug` (0: a profile, in `format`; 1: text with a line for each; 2 and
    above: text with whole stacks).  Tasks are shown below those that wait for them.
    """
    query = read_query(request, "debug", "format")
    debug = query_number(query, "debug", 0)
    if debug:
        return text(200, await DescribeStacks(whole=debug >= 2))
    chosen = find_format(query.get("format", "pprof"))
    return Response(200, (chosen.field,), await CaptureStacks(chosen.name))


async def cmdline(request: Request) -> Response:
    """`GET /debug/pprof/cmdline`: the program's base name; arguments may hold secrets."""
    del request
    return text(200, (await DescribeProcess()).argv0)


async def symbol(request: Request) -> Response:
    """`GET` and `POST /debug/pprof/symbol`: no address has a name here, whichever is asked for."""
    await request.body()
    return Response(200, (TEXT,), b"num_symbols: 0\n")
