"""Merging: the families of worker processes, labelled and enriched, put between the lines of our own exposition.

`digest` makes finished lines of one process' answer, which may take long and is
done in a worker's thread; `Merged` passes our own text on, slice by slice, and
puts behind each family what the workers have of it.  Everything is text 0.0.4.
No series is written twice, and of two types under one name the first one stays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from attrs import field, frozen

from ..observe.names import help_text, label_name, labels_text
from ..observe.negotiation import PROTOBUF, TEXT
from ..workers import Replica
from .effects import RULES, NoReply, Replied, Reply, Steps
from .exposition import Families, Family, Line, Sink, Undecodable, read_line, read_protobuf, read_text
from .rules import BadRules, Directory, Labels, Rules, decode_rules, enrich

IDS = ("cluster_id", "replica_id", "process")
"""The labels that tell the processes apart; what a process itself calls so is `exported_…` here."""
_RESERVED = "__name__"
_HELP = b"# HELP "
_PIECE = 64 * 1024
"""Bytes of lines of workers in one slice."""
_ENRICHED_AT_ONCE = 64
"""Lines of our own that are enriched in one slice."""


@frozen
class Part:
    """What one process has of a family: its type and help, and its lines, ready to be sent."""

    kind: str
    doc: str
    lines: bytes = field(repr=False)


Parts = Mapping[str, Part]


@frozen
class Digested:
    """One process' answer: its parts by family; `trouble` says what of it could not be used, or why there is none."""

    parts: Parts = field(repr=False)
    up: bool
    trouble: str = ""


def digest(reply: Reply, replica: Replica, process: int, directory: Directory) -> Steps[Digested]:
    """What a process answered to a scrape, as finished lines.  Never raises."""
    if isinstance(reply, NoReply):
        return Digested({}, False, reply.reason)
    if reply.status != 200:
        return Digested({}, False, f"status {reply.status}")
    rules, trouble = _rules(reply)
    labelled = _Labelled(replica, process, rules, directory)
    try:
        families = yield from _read(reply, labelled.take)
    except Undecodable as refusal:
        return Digested({}, False, str(refusal))
    parts: dict[str, Part] = {}
    for name, family in families.items():
        parts[name] = Part(family.kind, family.doc, "".join(labelled.lines[name]).encode())
        yield
    return Digested(parts, True, trouble)


def _read(reply: Replied, sink: Sink) -> Steps[Families]:
    kind = (reply.get("content-type") or "").partition(";")[0].strip().lower()
    if kind == f"{PROTOBUF.offer.type}/{PROTOBUF.offer.subtype}":
        return (yield from read_protobuf(reply.body, sink))
    if kind == f"{TEXT.offer.type}/{TEXT.offer.subtype}":
        return (yield from read_text(reply.body, sink))
    raise Undecodable("a content type that is neither text nor protobuf")


def _rules(reply: Replied) -> tuple[Rules, str]:
    """Rules that cannot be read are none; the second says so."""
    text = reply.get(RULES)
    if text is None:
        return {}, ""
    try:
        return decode_rules(text), ""
    except BadRules as refusal:
        return {}, f"enrichment rules: {refusal}"


@frozen
class _Labelled:
    """The samples of one process, labelled: `lines` are finished, by family; `seen` are the series so far."""

    replica: Replica
    process: int
    rules: Rules
    directory: Directory
    lines: dict[str, list[str]] = field(factory=dict[str, list[str]])
    seen: set[str] = field(factory=set[str])

    def take(self, family: Family, line: Line) -> None:
        """One sample; of two with equal name and labels only the first."""
        lines = self.lines.setdefault(family.name, [])
        labels = self._labels(line.labels)
        enrich(labels, self.rules.get(family.name, ()), self.directory)
        series = line.name + labels_text(labels.items())
        if series not in self.seen:
            self.seen.add(series)
            lines.append(f"{series} {line.rest}\n")

    def _labels(self, given: Iterable[tuple[str, str]]) -> Labels:
        """The sample's own, those that would hide an id renamed; the ids; the names where they are known."""
        own: Labels = {}
        for name, value in given:
            shown = label_name(name)
            if shown != _RESERVED and shown:
                own.setdefault(shown, value)
        labels = {name: value for name, value in own.items() if name not in IDS}
        for name in IDS:
            if name in own:
                exported = f"exported_{name}"
                while exported in labels:
                    exported = f"exported_{exported}"
                labels[exported] = own[name]
        labels |= zip(IDS, (self.replica.cluster.id, self.replica.id, str(self.process)), strict=True)
        labels.setdefault("cluster_name", self.replica.cluster.name)
        labels.setdefault("replica_name", self.replica.name)
        return labels


def up(found: Iterable[tuple[Replica, int, Digested]]) -> Parts:
    """Whether each process answered, as a family of its own."""
    lines = [
        "fanlight_federation_up"
        + labels_text(zip(IDS, (replica.cluster.id, replica.id, str(process)), strict=True))
        + (" 1.0\n" if digested.up else " 0.0\n")
        for replica, process, digested in found
    ]
    doc = "Whether a worker process answered this scrape."
    return {"fanlight_federation_up": Part("gauge", doc, "".join(lines).encode())} if lines else {}


class Merged:
    """Our own exposition with the parts of others in it, slice by slice: see `pages.metrics.Sliced`.

    `own` is text 0.0.4 in slices, `parts` come in order.  `rules` are those of
    our own metrics.  `conflict` is told each name under which a process has
    another type than the first one had; its lines are left out.
    """

    def __init__(
        self,
        own: Iterable[bytes],
        parts: Sequence[Parts],
        rules: Rules,
        directory: Directory,
        conflict: Callable[[str], object],
    ) -> None:
        self.ended = False
        self._conflict = conflict
        self._own = own
        self._waiting = _by_family(parts)
        self._rules = rules
        self._directory = directory
        self._slices = self._all()

    def __next__(self) -> bytes:
        """The next slice, which may be empty."""
        if self.ended:
            raise StopIteration
        data = next(self._slices, None)
        if data is None:
            self.ended = True
            return b""
        return data

    def _all(self) -> Iterator[bytes]:
        """Our own families, each with its parts behind it, then those that only others have."""
        open_family: _OpenFamily | None = None
        rest = b""
        for data in self._own:
            whole, _, rest = (rest + data).rpartition(b"\n")
            for chunk in _chunks(whole + b"\n" if whole else b""):
                if chunk.startswith(_HELP):
                    yield from self._close(open_family)
                    open_family = _OpenFamily(chunk)
                if open_family is not None:
                    yield from self._pass(open_family, chunk)
                else:
                    yield chunk
            yield b""
        yield from self._close(open_family)
        for name in list(self._waiting):
            yield from self._foreign(name)

    def _pass(self, family: _OpenFamily, chunk: bytes) -> Iterator[bytes]:
        """Some lines of our own, enriched where there are rules for them."""
        rules = self._rules.get(family.name, ())
        waiting = family.name in self._waiting
        if not rules and not (waiting and b'replica_id="' in chunk):
            yield chunk
            return
        lines = chunk.decode().split("\n")[:-1]
        for start in range(0, len(lines), _ENRICHED_AT_ONCE):
            some = lines[start : start + _ENRICHED_AT_ONCE]
            yield "".join([self._line(family, line, waiting) + "\n" for line in some]).encode()

    def _line(self, family: _OpenFamily, line: str, waiting: bool) -> str:
        """One line of our own; its series is remembered where a worker might have the same."""
        if line.startswith("#"):
            return line
        try:
            sample = read_line(line)
        except Undecodable:
            return line
        labels = dict(sample.labels)
        enrich(labels, self._rules.get(family.name, ()), self._directory)
        series = sample.name + labels_text(labels.items())
        if waiting and all(name in labels for name in IDS):
            family.series.add(series)
        return f"{series} {sample.rest}"

    def _close(self, family: _OpenFamily | None) -> Iterator[bytes]:
        """The lines that others have of a family of ours."""
        if family is not None:
            for part in self._waiting.pop(family.name, ()):
                if _shape(part.kind) == _shape(family.kind):
                    yield from _pieces(_without(part.lines, family.series))
                else:
                    self._conflict(family.name)

    def _foreign(self, name: str) -> Iterator[bytes]:
        """A family that only others have: help and type of the first."""
        parts = self._waiting.pop(name)
        first = parts[0]
        yield f"# HELP {name} {help_text(first.doc)}\n# TYPE {name} {first.kind}\n".encode()
        for part in parts:
            if _shape(part.kind) == _shape(first.kind):
                yield from _pieces(part.lines)
            else:
                self._conflict(name)


class _OpenFamily:
    """The family of ours that is being written: its name, its type, and series that a worker might have too."""

    def __init__(self, chunk: bytes) -> None:
        head = chunk.split(b"\n", 2)
        self.name = head[0].removeprefix(_HELP).partition(b" ")[0].decode()
        self.kind = head[1].rpartition(b" ")[2].decode() if len(head) > 1 else "untyped"
        self.series: set[str] = set()


def _by_family(parts: Iterable[Parts]) -> dict[str, list[Part]]:
    """The parts of each family, in order."""
    found: dict[str, list[Part]] = {}
    for each in parts:
        for name, part in each.items():
            found.setdefault(name, []).append(part)
    return found


def _shape(kind: str) -> str:
    """Types whose families have the same samples are one."""
    return kind if kind in ("histogram", "summary") else "single"


def _chunks(data: bytes) -> Iterator[bytes]:
    """`data`, whole lines, cut in front of each HELP."""
    at = 0
    while at < len(data):
        end = data.find(b"\n" + _HELP, at) + 1
        yield data[at : end or len(data)]
        at = end or len(data)


def _pieces(lines: bytes) -> Iterator[bytes]:
    """Lines in slices."""
    for start in range(0, len(lines), _PIECE):
        yield lines[start : start + _PIECE]


def _without(lines: bytes, series: set[str]) -> bytes:
    """Lines whose series are not among `series`."""
    if not series:
        return lines
    kept = [line for line in lines.decode().split("\n")[:-1] if line.rpartition("} ")[0] + "}" not in series]
    return "".join([line + "\n" for line in kept]).encode()
