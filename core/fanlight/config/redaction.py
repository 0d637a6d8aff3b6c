"""What a dump or a relation may show of a setting: everything but secrets.

Two rules, applied wherever names and values of somebody's configuration leave
the process: a text whose name says that it is secret is not shown, and no URL
keeps its userinfo.  This module finds secrets by how they are called; it
cannot know one by its looks.
"""

from __future__ import annotations

import re
from functools import lru_cache

REDACTED = "<redacted>"

_SECRET = re.compile(
    r"pass(?:word|wd|phrase|code)|\bpwd\b|secret|token|credential|authori[sz]ation|api_?key|access_?key|private_?key"
    r"|signing_?key|encryption_?key|\bcookies?\b|session_?id|\bsalt\b|\bdsn\b|^key$|\bauth$"
)
# Names *about* secrets: how long, how many, which field or file.  They say nothing of the secret itself.
_ABOUT = re.compile(r"(?:name|header|field|path|file|url|limit|count|bytes|seconds|length|size|kind|type|algorithm)s?$")
_WORD = re.compile(r"[^A-Za-z0-9]+|(?<=[a-z0-9])(?=[A-Z])")
# What a URL cannot hold, so where one ends.
_BETWEEN = re.compile(r"([\s\"'<>]+)")


@lru_cache(maxsize=1024)
def is_secret_name(name: str) -> bool:
    """Whether a text under this name is to be kept secret (`db_password`, `apiKey`, `X-Auth-Token`)."""
    words = "_".join(word.lower() for word in _WORD.sub("_", name).split("_") if word)
    # `\b` sees no boundary at an underscore, so the words are also looked at with blanks between them.
    spaced = words.replace("_", " ")
    return not _ABOUT.search(words) and bool(_SECRET.search(words) or _SECRET.search(spaced))


def without_userinfo(text: str, limit: int | None = None) -> str:
    """`text` with the userinfo of every URL in it replaced (`https://<redacted>@host/`).

    RFC 3986 3.2.1, and laxer, since passwords are pasted into URLs unescaped:
    whatever stands between `://` and the last `@` before a blank or quote.
    With `limit` the text is cut first, and a URL that the cut may have left
    without its `@` is redacted to the end.
    """
    cut = limit is not None and len(text) > limit
    kept = text[:limit]
    if "://" not in kept or not (cut or "@" in kept):
        return kept
    words = [_without_userinfo(word) for word in _BETWEEN.split(kept)]
    scheme, colon, rest = words[-1].partition("://")
    if cut and colon and not rest.startswith(REDACTED):
        words[-1] = f"{scheme}{colon}{REDACTED}"
    return "".join(words)


def _without_userinfo(word: str) -> str:
    start, end = word.find("://"), word.rfind("@")
    return f"{word[: start + 3]}{REDACTED}{word[end:]}" if 0 <= start < end else word


def shown(name: str, text: str) -> str:
    """What may be shown of the text called `name`."""
    return REDACTED if text and is_secret_name(name) else without_userinfo(text)
