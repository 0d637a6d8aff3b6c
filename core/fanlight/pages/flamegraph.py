"""The page of a flame graph: a shell around a profile in MZFG, drawn by a script of ours.

Pure: text in, a document out.
"""

from __future__ import annotations

import json
from html import escape

_ESCAPES = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"})

# Filled by `str.format`: the document has no other braces.
_PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title><link rel="stylesheet" href="/prof/static/css/flamegraph.css"></head>
<body>
<h1>{title}</h1>
<script type="application/json" id="mzfg">{mzfg}</script>
<script src="/prof/static/js/flamegraph.js" defer></script>
</body>
</html>
"""


def flamegraph_page(title: str, mzfg: str) -> bytes:
    """The whole document, UTF-8.

    `mzfg` is embedded as a JSON string that cannot end its element, whatever
    the names of functions and files are.
    """
    text = json.dumps(mzfg, ensure_ascii=False).translate(_ESCAPES)
    return _PAGE.format(title=escape(title), mzfg=text).encode(errors="replace")
