"""The frame of every HTML page: head, links to the other pages, a place for what a script shows.

Pages hold no script and no style of their own, so the content security policy
(listeners.md L4.4) can forbid both; everything comes from the static files of
this server and nothing from any other.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..http.request import Request

LINKS = (
    ("/", "Home"),
    ("/memory", "Memory"),
    ("/hierarchical-memory", "Memory as a tree"),
    ("/metrics-viz", "Metrics"),
    ("/prof/", "Profiles"),
    ("/clusters", "Workers"),
    ("/internal-console/", "Console"),
)
"""Paths of pages for people, with the words that link to them, in the order of the page."""

FORMS = ("referrer-policy", "same-origin")
"""For pages with forms: under the usual `no-referrer` browsers send them with `Origin: null`, which is refused."""

# Filled by `str.format`: the document has no other braces.
_DOCUMENT = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
{head}
</head>
<body{classes}>
{body}
</body>
</html>
"""

_NO_SCRIPT = "<noscript><p>This page is drawn by a script, which the browser does not run.</p></noscript>"


def paths(request: Request) -> set[str]:
    """The paths that the request's listener serves, as they were declared."""
    return {place.path for place in request.listener.router.places()}


def document(title: str, body: str, *, styles: Iterable[str] = (), script: str = "", static: str = "/static") -> str:
    """A whole document.  `body` is markup, everything else is text.

    `styles` and `script` are names of static files below `css` and `js`,
    without their suffixes; `static` is where this listener serves those.
    Pages with a script are as wide as the window allows.
    """
    head = [f'<link rel="icon" href="{static}/icon.png">']
    head += [f'<link rel="stylesheet" href="{static}/css/{name}.css">' for name in ("page", *styles)]
    if script:
        head.append(f'<script type="module" src="{static}/js/{script}.js"></script>')
    return _DOCUMENT.format(
        title=escape(title), head="\n".join(head), classes=' class="wide"' if script else "", body=body
    )


def scripted(title: str, *, served: Container[str], here: str, rest: str = "") -> str:
    """The body of a page that a script fills: links to the pages in `served`, the title, an empty `main`.

    `here` is the path of the page itself; `rest` is more markup.
    """
    return f'{_navigation(served, here)}\n<main id="main"><h1>{escape(title)}</h1>{_NO_SCRIPT}</main>{rest}'


def _navigation(served: Container[str], here: str) -> str:
    links = "".join(
        f'<a href="{path}"{_CURRENT if path == here else ""}>{words}</a>' for path, words in LINKS if path in served
    )
    return f'<nav class="pages" aria-label="Pages">{links}</nav>'


_CURRENT = ' aria-current="page"'
