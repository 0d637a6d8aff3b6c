"""The flame graph page: a profile, and the script that draws it.

The profile travels inside the page as MZFG text in a JSON string, which no
browser runs; so the page can be saved, and needs nothing but its static files.
"""

from __future__ import annotations

import json

from .document import document, scripted

_ESCAPES = str.maketrans({character: f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"})
"""What could end the script element, or a string in old readers of JSON; all of them occur inside strings only."""


def flamegraph_page(title: str, mzfg: str) -> bytes:
    """The complete document, UTF-8: `title` and the profile `mzfg` (spec profiling.md section 5).

    Both may hold anything, names of functions and threads included: nothing of
    them becomes markup.  The page asks for `/prof/static/` only, so it works on
    listeners that serve nothing but profiles.
    """
    # Lone surrogates (names of files may have them) cannot be encoded: JSON's own escapes can.
    data = json.dumps(mzfg, ensure_ascii=not _encodable(mzfg)).translate(_ESCAPES)
    rest = f'\n<script type="application/json" id="mzfg">{data}</script>'
    body = scripted(title, served=("/prof/",), here="", rest=rest)
    return document(title, body, styles=("flamegraph",), script="flamegraph", static="/prof/static").encode(
        errors="replace"
    )


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
