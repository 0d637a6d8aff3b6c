"""Log filters: which loggers let what through, as one line of text.

`info`, or `shop=debug,shop.cart=trace,warn`: levels by the names of loggers, and
at most one for all others.  The names of the levels are those of
`/api/tracing`.  It reads text and nothing else; an engine sets levels.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

from attrs import field, frozen

Level = Literal["off", "error", "warn", "info", "debug", "trace"]
LEVELS: Mapping[str, Level] = MappingProxyType(
    {"off": "off", "error": "error", "warn": "warn", "info": "info", "debug": "debug", "trace": "trace"}
)
LONGEST = 4096
MOST = 100

# A Rust path is taken for the name of a logger, since that is what others write here.
_DIRECTIVE = re.compile(r"(?:\s*([A-Za-z_][\w.:-]{0,254})\s*=)?\s*([A-Za-z]+)\s*", re.ASCII)


@frozen
class LogFilter:
    """Levels by logger; `default` is for the root logger, None leaves it as it is."""

    default: Level | None = None
    targets: Mapping[str, Level] = field(factory=dict[str, Level])

    def level_of(self, logger: str) -> Level | None:
        """The level for a logger: that of the longest name which is its own or an ancestor's, else the default."""
        while logger:
            if logger in self.targets:
                return self.targets[logger]
            logger = logger.rpartition(".")[0]
        return self.default


def read_filter(text: str) -> LogFilter | None:
    """The filter that `text` describes, an empty one for nothing; None for text that is none.

    A word that is no level is a mistake, not the name of a logger.  What comes
    later counts.
    """
    if not text.strip():
        return LogFilter()
    parts = text.split(",")
    if len(text) > LONGEST or len(parts) > MOST:
        return None
    default: Level | None = None
    targets: dict[str, Level] = {}
    for part in parts:
        found = _DIRECTIVE.fullmatch(part)
        level = LEVELS.get(found[2].lower()) if found is not None else None
        if found is None or level is None:
            return None
        name = (found[1] or "root").replace("::", ".")
        if name == "root":
            default = level
        else:
            targets[name] = level
    return LogFilter(default, MappingProxyType(targets))
