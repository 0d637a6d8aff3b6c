"""`process.modules`: what is loaded, with versions and files.

Modules are looked at without asking them: some do things when an attribute is
touched.  Nothing is imported.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

from fanlight.catalog.catalog import Module
from fanlight.relations import Column, Relation

from .pace import line, never, polite


def _members(module: object) -> dict[str, Any]:
    """The dict of a module, past any `__getattribute__` of a lazy one; empty for what is no module."""
    if not issubclass(type(module), ModuleType):
        return {}
    found = object.__getattribute__(module, "__dict__")
    return found if isinstance(found, dict) else {}


def _text(value: object) -> str | None:
    return line(value, 1024) if isinstance(value, str) else None


def module_file(module: object) -> str | None:
    """The file that a module was loaded from, as it is; None for built-in ones."""
    file = _members(module).get("__file__")
    return file if isinstance(file, str) else None


def loaded() -> list[tuple[str, object]]:
    """`sys.modules` as it is now, sorted by name; entries whose name is no string are left out."""
    found = list(sys.modules.items())
    return sorted(((name, module) for name, module in found if type(name) is str), key=lambda entry: entry[0])


def modules(stopped: Callable[[], bool] = never) -> Iterator[Module]:
    """The loaded modules for the catalog."""
    for name, module in polite(loaded(), stopped=stopped):
        members = _members(module)
        yield Module(line(name), _text(members.get("__version__")), _text(members.get("__file__")))


def _rows() -> Iterator[tuple[object, ...]]:
    for name, module in polite(loaded()):
        members = _members(module)
        yield (
            line(name),
            _text(members.get("__package__")) or None,
            _text(members.get("__version__")),
            _text(members.get("__file__")),
            len(members),
        )


MODULES = Relation(
    name="modules",
    columns=(
        Column("name", "text", "The module's name in `sys.modules`."),
        Column("package", "text", "The package it belongs to."),
        Column("version", "text", "Its `__version__`, where that is a string."),
        Column("file", "text", "The file it was loaded from; null for built-in ones."),
        Column("attributes", "bigint", "How many names it defines."),
    ),
    rows=_rows,
    doc="The modules that are loaded.",
    cost="About 2 microseconds for each module.",
)
