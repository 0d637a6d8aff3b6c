"""The page about the live relations, written from their declarations.

    python -m fanlight_engines.process.docs > docs/reference/relations.md

A test keeps the file equal to what this makes.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

from fanlight.relations import Column, Relation

from .relations import DECLARED

_INTRODUCTION = """\
# Relations

What SQL sees of the process, in the schema `process`, and of its audit log, in `mz_catalog`. Each relation is read
anew by every statement that names it, in a worker thread which gives way to the program while it reads; a statement
sees one snapshot of each. At most 100,000 rows of each are shown.

Relations marked *privileged* are for internal users and superusers; on a loopback listener that authenticates nobody
they are for everybody. Others get SQLSTATE 42501. Frames of the code that checks credentials are never shown, nor is
any local variable.

The program's own relations ([how to publish one](../how-to/relations.md)) are in the schema `public`.

This page is written by `python -m fanlight_engines.process.docs`.
"""


def page() -> str:
    """The whole page, in Markdown."""
    return "\n".join([_INTRODUCTION, *(line for relation in DECLARED for line in _section(relation))])


def _section(relation: Relation) -> Iterator[str]:
    yield f"## {relation.schema}.{relation.name}"
    yield ""
    yield relation.doc + (" *Privileged.*" if relation.privileged else "")
    yield ""
    yield f"Cost of a read: {relation.cost[0].lower()}{relation.cost[1:]}"
    yield ""
    yield "| column | type | what it is |"
    yield "|---|---|---|"
    yield from (_row(column) for column in relation.columns)
    yield ""


def _row(column: Column) -> str:
    unit = f" Unit: {column.unit}." if column.unit else ""
    return f"| `{column.name}` | {column.type} | {column.doc.replace('|', chr(92) + '|')}{unit} |"


if __name__ == "__main__":
    sys.stdout.write(page())
