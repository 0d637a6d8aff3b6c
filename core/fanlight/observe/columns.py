"""What is remembered of a family between scrapes, so that a scrape only fills in numbers.

The children of a family are cut into blocks of a few hundred series.  For
each block everything that does not change is one bytes object with a hole for
each number; a block is made anew when its children are others than last time.
Nothing here refers to a metric or to a child of one, so both die when the host
drops them; label values and texts are let go by the next scrape.  Two threads
may render one family at the same time: what they share is replaced whole,
never changed.  This module knows no format: a `Dialect` spells.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any, Protocol

from .names import REMEMBERED, label_name, label_value
from .numbers import histogram_texts, number_text, texts
from .shapes import BYTES_OF_WORK, Kind, Piece, Shape

GRAIN = 256
"""Series in a block: making one anew is about half a millisecond, and a slice never adds more than one."""
COLD = 6
"""Making a block anew costs this many times the rendering of it."""

_ESCAPED = re.compile(r'[\\"\n%]')
"""What a label value may hold that cannot stand in a template as it is; `%` is the template's own sign."""


Keys = tuple[tuple[str, ...], ...]
"""The label values of each child of a block."""


class Dialect(Protocol):
    """What a text format decides about a family that is read directly."""

    created_inline: bool
    """`_created` stands behind the child's other samples; else all of them behind the family."""

    def heading(self, shape: Shape, /) -> bytes:
        """The comment lines before the samples."""
        ...

    def created_heading(self, shape: Shape, /) -> bytes:
        """The comment lines before the `_created` samples that follow the family."""
        ...

    def sample_name(self, name: str, /) -> str: ...

    @property
    def exemplar(self) -> Callable[[Any], bytes] | None:
        """Writes what follows the number of a sample with an exemplar; None where the format has no exemplars."""
        ...


@lru_cache(REMEMBERED)
def _labels(names: tuple[str, ...]) -> Labels:
    """The layout for these names; remembered, since families of one program are labelled alike."""
    return Labels(names)


class Labels:
    """How the labels of a family are laid out: in the order of their names, `le` among them.

    The text formats demand no order.  Sorted by name is how prometheus_client
    writes them, and tools that compare expositions byte for byte rely on it.
    """

    def __init__(self, names: tuple[str, ...]) -> None:
        places = {name: place for place, name in enumerate(names)}
        self._ordered = sorted(places)
        self._places = [places[name] for name in self._ordered]
        self._as_given = self._places == list(range(len(names)))

    def pattern(self, bound: str | None = None) -> str:
        """The labels in braces with a hole for each value, and `le` with `bound` if that is given."""
        pairs = [(name, f'{label_name(name)}="%s"') for name in self._ordered]
        if bound is not None:
            pairs.append(("le", f'le="{bound}"'))
        return "{" + ",".join([pair for _, pair in sorted(pairs)]) + "}" if pairs else ""

    def values(self, key: tuple[str, ...]) -> tuple[str, ...]:
        """A child's label values in the order of the pattern."""
        return key if self._as_given else tuple([key[place] for place in self._places])


class _Block:
    """The unchanging part of some children, and the numbers they had last time with their texts.

    `keys` and `created` tell whether it still fits; `template` holds the lines,
    `tail` the `_created` lines where those follow the family.  `memo` is
    `(values, texts)` of the last scrape: read and replaced as one object, so
    two scrapes at once may waste work, but never mix their numbers.

    Tuples, not lists: what is in them (texts, numbers, tuples of texts) is of
    no interest to the cyclic collector, which looks at such a tuple once and
    never again.  As lists they would hold up the host while the collector goes
    through a first scrape of 100,000 series.
    """

    __slots__ = ("created", "keys", "memo", "tail", "template")

    def __init__(self, keys: Keys, created: tuple[float, ...], template: bytes, tail: bytes) -> None:
        self.keys = keys
        self.created = created
        self.template = template
        self.tail = tail
        self.memo: tuple[tuple[Any, ...], tuple[bytes, ...]] = ((), ())


def _keys_in_template(keys: Keys) -> Keys:
    """`keys` as they are written, `%` doubled; most need nothing, which one search tells."""
    if _ESCAPED.search("".join(["".join(key) for key in keys])) is None:
        return keys
    return tuple([tuple([label_value(value).replace("%", "%%") for value in key]) for key in keys])


class Columns:
    """One family in one dialect.  `setting` tells whether it was made to show `_created`.

    `width` is how many samples a child has, `grain` how many children fit a
    block.  `whole` and `sliced` write the family; which one is for the caller
    to choose by the number of children.  The kind's answers must be of `shape`,
    or the template has another number of holes than there are texts: a
    `TypeError`.
    """

    def __init__(self, kind: Kind, shape: Shape, dialect: Dialect, setting: bool) -> None:
        slots = shape.slots()
        self.setting = setting
        self.created = shape.created
        self.width = len(slots)
        self.grain = max(1, GRAIN // (self.width + shape.created))
        self.heading = dialect.heading(shape)
        self._kind = kind
        self._buckets = len(shape.bounds)
        self._summed = shape.summed
        self._exemplar = dialect.exemplar
        self._tail_heading = b"" if not shape.created or dialect.created_inline else dialect.created_heading(shape)
        self._labels = _labels(tuple(shape.labels))
        self._lay_out(shape, dialect)
        self._blocks: list[_Block] = []

    def _lay_out(self, shape: Shape, dialect: Dialect) -> None:
        """Make the patterns of one child: of its lines, and of its `_created` line.

        A pattern is filled twice: once with label values (and, inline, the
        moment of creation), which makes a template, and then with numbers.
        """
        labels = self._labels
        self._pattern = "".join(
            [
                f"{dialect.sample_name(shape.name + slot.suffix)}{labels.pattern(slot.bound)} %%s\n"
                for slot in shape.slots()
            ]
        )
        self._created_pattern = f"{dialect.sample_name(shape.name + '_created')}{labels.pattern()} %s\n"
        self._inline = dialect.created_inline

    def _make(self, keys: Keys, created: tuple[float, ...]) -> _Block:
        """A block for children with these label values and moments of creation."""
        pattern, width = self._pattern, self.width
        values = [self._labels.values(key) for key in _keys_in_template(keys)]
        lines = [pattern % (each * width) for each in values]
        tail: list[str] = []
        if created:
            tail = [
                self._created_pattern % (*each, number_text(moment))
                for each, moment in zip(values, created, strict=True)
            ]
            if self._inline:
                lines = [line + born for line, born in zip(lines, tail, strict=True)]
                tail = []
        block = _Block(keys, created, "".join(lines).encode(), ("".join(tail) % ()).encode())
        # A histogram's values are its buckets and its sum; the count, which is shown, is not among them.
        count = len(keys) * (self._buckets + 1 if self._buckets else width)
        # None is the same object as no number, so the first filling renders everything.
        block.memo = ((None,) * count, (b"",) * (len(keys) * width))
        return block

    def _block(self, index: int, children: list[Any]) -> tuple[_Block, bool]:
        """The block number `index` for `children`, and whether it had to be made anew."""
        keys = tuple(self._kind.keys(children))
        created = tuple(self._kind.created(children)) if self.created else ()
        blocks = self._blocks
        if index < len(blocks):
            block = blocks[index]
            if block.keys == keys and block.created == created:
                return block, False
        block = self._make(keys, created)
        # A slice takes the place of an old block and appends a new one alike.
        blocks[index : index + 1] = [block]
        return block, True

    def _fill(self, block: _Block, children: list[Any]) -> bytes:
        """The lines of `children`, with the numbers that they have now.

        Leaves them in `block.memo` for the next scrape.  Exemplars are added to
        a copy: remembered texts are of numbers alone.
        """
        values = tuple(self._kind.values(children))
        before, known = block.memo
        if self._buckets:
            found = histogram_texts(values, self._buckets, self._summed, before, known)
        else:
            found = texts(values, before, known)
        block.memo = (values, found)
        if self._exemplar is not None:
            exemplars = self._kind.exemplars(children)
            if any(exemplars):
                shown = list(found)
                each = len(exemplars) // len(children)
                for place, exemplar in enumerate(exemplars):
                    if exemplar is not None:
                        # A histogram has an exemplar for each bucket, but more samples than those: places are
                        # converted.
                        shown[place // each * self.width + place % each] += self._exemplar(exemplar)
                return block.template % tuple(shown)
        return block.template % found

    def template(self, children: list[Any]) -> bytes:
        """The whole family as a template with a hole for each number.

        For `runs`, which joins several small families into one; `children` must
        be few enough for one block.
        """
        heading = self.heading.replace(b"%", b"%%")
        if not children:
            return heading
        block, _ = self._block(0, children)
        tail = self._tail_heading + block.tail
        return heading + block.template + tail.replace(b"%", b"%%")

    def whole(self, children: list[Any]) -> Piece:
        """The family in one piece; for at most `grain` children."""
        if not children:
            self._blocks.clear()
            return self.heading, 1
        # The family was larger last time: what is remembered of children that went is let go.
        if len(self._blocks) > 1:
            del self._blocks[1:]
        block, cold = self._block(0, children)
        work = len(children) * self.width * (COLD if cold else 1)
        text = self.heading + self._fill(block, children)
        return (text + self._tail_heading + block.tail if block.tail else text), work

    def sliced(self, children: list[Any]) -> Iterator[Piece]:
        """The family block by block, for any number of children."""
        yield self.heading, 1
        tails: list[bytes] = []
        for index, start in enumerate(range(0, len(children), self.grain)):
            part = children[start : start + self.grain]
            block, cold = self._block(index, part)
            tails.append(block.tail)
            yield self._fill(block, part), len(part) * self.width * (COLD if cold else 1)
        # Blocks behind the last child (rounded up) belong to children that are gone.
        del self._blocks[-(-len(children) // self.grain) :]
        if self._tail_heading:
            yield self._tail_heading, 1
            for tail in tails:
                yield tail, len(tail) // BYTES_OF_WORK
