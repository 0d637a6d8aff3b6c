"""Enrichment rules: which labels a reader adds to a metric, from ids that are in its labels already.

A process offers rules for its metrics in a response field of `/metrics`; whoever
federates it applies them, with the names that it knows.  Reading, writing and
applying, nothing else: nobody is asked here.
"""

from __future__ import annotations

import json
import zlib
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from attrs import frozen

from ..observe.queries import LABEL_NAME

if TYPE_CHECKING:
    from ..catalog.catalog import Catalog
    from ..workers import WorkerRegistry

MOST_BYTES = 1024 * 1024
"""Bytes of the JSON of one process' rules."""
_GZIP = 31
"""What tells zlib to read gzip."""

_TAKEN = ("le", "quantile")
"""Labels that are numbers of a histogram or summary, and no ids or names."""

Labels = dict[str, str]


class BadRules(ValueError):
    """These are no enrichment rules; the text says why."""


@frozen
class Directory:
    """The names that ids stand for in this process; may be asked from any thread."""

    workers: WorkerRegistry
    catalog: Catalog


@frozen
class ClusterNameLookup:
    """Adds the name of the cluster whose id is in a label."""

    cluster_id_label: str
    output_label: str

    def added(self, labels: Labels, directory: Directory) -> Labels:
        """The labels to add; none where the id is absent or unknown."""
        name = directory.workers.cluster_name(labels.get(self.cluster_id_label, ""))
        return {} if name is None else {self.output_label: name}


@frozen
class ReplicaNameLookup:
    """Adds the name of the replica whose id, and whose cluster's, are in labels."""

    cluster_id_label: str
    replica_id_label: str
    output_label: str

    def added(self, labels: Labels, directory: Directory) -> Labels:
        """The labels to add; none where an id is absent or unknown."""
        ids = labels.get(self.cluster_id_label, ""), labels.get(self.replica_id_label, "")
        name = directory.workers.replica_name(*ids)
        return {} if name is None else {self.output_label: name}


@frozen
class ObjectNameLookup:
    """Adds name, schema and database of the catalog object whose id is in a label."""

    object_id_label: str
    output_object_label: str
    output_schema_label: str
    output_database_label: str

    def added(self, labels: Labels, directory: Directory) -> Labels:
        """The labels to add, the database empty for objects of the system; none where the id is absent or unknown."""
        place = directory.catalog.place(labels.get(self.object_id_label, ""))
        if place is None:
            return {}
        outputs = (self.output_object_label, self.output_schema_label, self.output_database_label)
        return dict(zip(outputs, (place.name, place.schema, place.database), strict=True))


Rule = ClusterNameLookup | ReplicaNameLookup | ObjectNameLookup
Rules = Mapping[str, tuple[Rule, ...]]
"""By the name of the family, as it is exposed."""

_KINDS: Mapping[str, tuple[Callable[..., Rule], tuple[str, ...]]] = {
    "cluster_name_lookup": (ClusterNameLookup, ("cluster_id_label", "output_label")),
    "replica_name_lookup": (ReplicaNameLookup, ("cluster_id_label", "replica_id_label", "output_label")),
    "object_name_lookup": (
        ObjectNameLookup,
        ("object_id_label", "output_object_label", "output_schema_label", "output_database_label"),
    ),
}
"""By the tag `kind`: what a rule is, and its members, all of them names of labels."""


def read_rules(document: Any) -> Rules:
    """`{metric: [rule, …]}`; raises `BadRules` for anything else.  Members that nobody knows are ignored."""
    if not isinstance(document, Mapping):
        raise BadRules("not an object of metrics")
    given: Mapping[Any, Any] = document
    rules: dict[str, tuple[Rule, ...]] = {}
    for metric, listed in given.items():
        if not isinstance(metric, str) or not isinstance(listed, list | tuple):
            raise BadRules("not lists of rules by the names of metrics")
        rules[metric] = tuple(map(_rule, listed))
    return rules


def _rule(document: Any) -> Rule:
    if not isinstance(document, Mapping):
        raise BadRules("a rule is an object")
    given: Mapping[str, Any] = document
    kind = given.get("kind")
    if not isinstance(kind, str) or kind not in _KINDS:
        raise BadRules("a rule of no known kind")
    make, members = _KINDS[kind]
    values = [given.get(member) for member in members]
    if not all(isinstance(value, str) and LABEL_NAME.fullmatch(value) and value not in _TAKEN for value in values):
        raise BadRules(f"the members of {kind} are {', '.join(members)}, each the name of a label")
    return make(*values)


def encode_rules(document: Mapping[str, Any]) -> str:
    """The response field: base64 of gzip of JSON."""
    from ..observe.gzip import compress

    data = json.dumps(dict(document), separators=(",", ":")).encode()
    return b2a_base64(compress(data), newline=False).decode()


def decode_rules(text: str) -> Rules:
    """The rules in a response field; raises `BadRules` for anything that is none, or too long."""
    try:
        inflate = zlib.decompressobj(_GZIP)
        data = inflate.decompress(a2b_base64(text, strict_mode=True), MOST_BYTES)
        if not inflate.eof:
            raise BadRules("not a whole gzip member, or too long")
        return read_rules(json.loads(data))
    except BadRules:
        raise
    except (ValueError, zlib.error, RecursionError):
        raise BadRules("not base64 of gzip of JSON") from None


def enrich(labels: Labels, rules: tuple[Rule, ...], directory: Directory) -> None:
    """Add what the rules add, one after the other; a label that is there already stays as it is."""
    for rule in rules:
        for name, value in rule.added(labels, directory).items():
            labels.setdefault(name, value)
