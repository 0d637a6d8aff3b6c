"""A client's idea of a relation, made of nothing but what a SUBSCRIBE told it."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from fanlight.sql.changes import Rows
from fanlight.sql.statements import Envelope

VIOLATED = ["violated"]


class Replica:
    """Applies rows of one form; `columns` are the names of the relation's own.

    Rows are what the client parsed, timestamp first.
    """

    def __init__(self, envelope: Envelope | None, columns: list[str], progress: bool = False) -> None:
        self.rows: Counter[str] = Counter()
        self.keyed: dict[str, Any] = {}
        self.envelope = envelope
        self._progress = progress
        key = () if envelope is None else envelope.key
        self._key = [columns.index(name) for name in key]
        self._rest = [at for at in range(len(columns)) if at not in self._key]

    def apply(self, cells: list[Any]) -> None:
        """One row; progress rows change nothing."""
        told = cells[1:]
        if self._progress and told.pop(0):
            return
        if self.envelope is None:
            self.rows[json.dumps(told[1:])] += int(told[0])
            return
        state, key, values = told[0], json.dumps(told[1 : 1 + len(self._key)]), told[1 + len(self._key) :]
        known = self.keyed.get(key)
        if self.envelope.kind == "debezium":
            before, values = values[: len(self._rest)], values[len(self._rest) :]
            nothing = [None] * len(self._rest)
            expected = nothing if known is None or known is VIOLATED or state == "key_violation" else known
            assert before == expected
            assert (state == "insert") <= (known is None)
        if state == "delete":
            assert known is not None
            del self.keyed[key]
        else:
            self.keyed[key] = VIOLATED if state == "key_violation" else values

    def agree(self, state: Rows) -> None:
        """The relation is really this."""
        if self.envelope is None:
            real = {json.dumps(json.loads(row)): count for row, count in state.items() if count}
            assert {row: count for row, count in self.rows.items() if count} == real
            return
        live: dict[str, list[Any]] = {}
        for row, count in state.items():
            cells = json.loads(row)
            key = json.dumps([cells[at] for at in self._key])
            live.setdefault(key, []).extend([[cells[at] for at in self._rest]] * count)
        assert self.keyed == {
            key: values[0] if len(values) == 1 else VIOLATED for key, values in live.items() if values
        }
