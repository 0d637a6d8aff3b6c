"""The document of `/prof/`: what state the profilers are in, and a form or a link for all that can be done.

Pure: values in, HTML out.  Links are relative, so that the page works below
another path too.
"""

from __future__ import annotations

from html import escape

from ..profiling.effects import HeapMode, Profilers
from ..profiling.mzfg import si
from .document import document as framed

COSTS = ((1, 4, 86), (10, 7, 86), (25, 7, 86), (64, 14, 86))
"""Frames kept, slow-down of code that allocates much, megabytes for 1.8 million live blocks: measured."""

# Filled by `str.format`: it has no other braces.
_BODY = """<main><h1>Profiling</h1>
<p class="what"><a href="../">home</a></p>
<section>
<h2>Heap</h2>
<p>{state}</p>
{facts}
{heap}
<p><a href="?action=dump_stats">Statistics of the allocators</a></p>
{costs}
</section>
<section>
<h2>CPU</h2>
{cpu}
<form method="post" action="./">
<p><label>seconds <input type="number" name="time_secs" value="10" min="1" max="3600" required></label>
<label>Hz <input type="number" name="hz" value="99" min="1" max="999" required></label>
<label>time <select name="mode"><option value="cpu">of the processor</option>
<option value="wall">that passes</option></select></label>
<label><input type="checkbox" name="threads" value="merge"> merge threads</label></p>
<p><button name="action" value="time_fg">Flame graph</button></p>
</form>
<form method="get" action="profile">
<p><label>seconds <input type="number" name="seconds" value="10" min="1" max="3600" required></label>
<label>Hz <input type="number" name="hz" value="99" min="1" max="999" required></label>
<label>format {formats}</label>
<button>Download</button></p>
</form>
<p class="cost">Sampling takes at most a twentieth of a core, and answers when the time is over.</p>
</section>
<section>
<h2>Native memory</h2>
{native}
</section>
<section>
<h2>Threads and tasks</h2>
<p><a href="../debug/pprof/goroutine?debug=1">Where each of them stands</a>,
<a href="../debug/pprof/goroutine?debug=2">with stacks</a>.
For <code>go tool pprof</code>: <a href="../debug/pprof/">/debug/pprof/</a>.</p>
</section></main>"""

_BUTTON = '<form method="post" action="./"><button name="action" value="{action}">{words}</button></form>'
_DUMPS = (
    ("mem_fg", "Flame graph"),
    ("dump_sym_mzfg", "Download as MZFG"),
    ("dump_jeheap", "Download as heap dump"),
)
_DOWNLOADS = ("pprof", "collapsed", "speedscope")
_WARNING = (
    '<p class="cost">While it is on, code that allocates much runs several times slower, and every live block takes '
    "50 bytes more. Blocks from before are invisible, and so is the memory of native allocators.</p>"
)


def document(mode: HeapMode, profilers: Profilers) -> str:
    """The whole page for these states."""
    running = "<p><strong>A CPU profile is being taken.</strong></p>" if profilers.cpu_active else ""
    body = _BODY.format(
        state=escape(_state(mode)),
        facts=_facts(mode),
        heap=_heap(mode),
        costs=_costs() if mode.available else "",
        cpu=running,
        formats=_select(),
        native=_native(profilers.native),
    )
    return framed("Profiling", body, styles=("prof",), static="static")


def _state(mode: HeapMode) -> str:
    if not mode.available:
        return "Heap profiling is not available."
    if not mode.active:
        return "Heap profiling enabled but inactive."
    if mode.seconds is None:
        return "Heap profiling active, begun by the application."
    return f"Heap profiling active for {elapsed(mode.seconds)}"


def elapsed(seconds: float) -> str:
    """A duration for people: `1h 2m 3s`, without leading zeros."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return " ".join(([f"{hours}h"] if hours else []) + ([f"{minutes}m"] if hours or minutes else []) + [f"{rest}s"])


def _facts(mode: HeapMode) -> str:
    if not mode.available:
        return ""
    depth = f"<p>{mode.frames} frames of each stack"
    if not mode.active:
        return f"{depth} would be kept.</p>"
    return f"{depth} kept; {si(mode.traced_bytes)} traced, {si(mode.tracer_bytes)} taken by the tracer.</p>"


def _heap(mode: HeapMode) -> str:
    """What can be done in this state."""
    if not mode.available:
        return ""
    if not mode.active:
        return _WARNING + _button("activate", "Activate")
    dumps = "\n".join(_button(action, words) for action, words in _DUMPS)
    links = " ".join(f'<a href="heap?format={name}">{name}</a>' for name in _DOWNLOADS)
    return f"{_WARNING}{_button('deactivate', 'Deactivate')}\n{dumps}\n<p>Download as {links}</p>"


def _button(action: str, words: str) -> str:
    return _BUTTON.format(action=action, words=words)


def _costs() -> str:
    """The measured table."""
    rows = "".join(f"<tr><td>{frames}</td><td>{times}x</td><td>{size} MB</td></tr>" for frames, times, size in COSTS)
    return (
        "<table><caption>What heap tracing costs: a program that allocates 1.8 million live blocks</caption>"
        "<tr><th>frames kept</th><th>time, against no tracing</th><th>memory of the tracer</th></tr>"
        f"{rows}</table>"
    )


def _select() -> str:
    options = "".join(f'<option value="{name}">{name}</option>' for name in (*_DOWNLOADS, "mzfg"))
    return f'<select name="format">{options}</select>'


def _native(installed: bool) -> str:
    if not installed:
        return "<p>memray is not installed; it comes with the extra <code>memray</code> of fanlight.</p>"
    return (
        '<form method="post" action="./"><p><label>seconds '
        '<input type="number" name="time_secs" value="10" min="1" max="3600" required></label> '
        '<button name="action" value="memray_capture">Record with memray</button></p></form>\n'
        '<p class="cost">While it records, code that allocates much runs about three times slower.</p>'
    )
