"""A profile as a value: stacks and what was measured at each of them.

`StackProfile` belongs to no format and to no profiler.  Profilers (engines)
build one, encoders (`pprof` and its siblings, see `formats`) write one.  This
module never walks a stack and never measures anything.
"""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen


@frozen
class ValueType:
    """What a number means: `inuse_space` in `bytes`, `cpu` in `nanoseconds`."""

    type: str
    unit: str


@frozen
class Frame:
    """A line of a function.

    `function` is the qualified name of the code object, `<module>` where the
    line belongs to no function; `first_line` is where the function begins, 0
    where that is not known.
    """

    function: str
    file: str
    line: int
    first_line: int = 0


@frozen
class Sample:
    """A stack, leaf first, as indices into the profile's frames, with its values.

    There are as many values as the profile has types; in a difference of two
    profiles they may be negative.  `labels` are pairs of key and text.
    """

    stack: tuple[int, ...]
    values: tuple[int, ...]
    labels: tuple[tuple[str, str], ...] = ()


@frozen(kw_only=True)
class StackProfile:
    """A whole profile.

    `default_type` names the one of `types` to show first.  `period` is how
    much of `period_type` stands behind one observation.  `time_nanos` is when
    it was taken (Unix time), `duration_nanos` how long it took to observe, 0
    for a snapshot.  `program` is the name of the file that was running.
    `facts` are names and texts for formats that have a heading.
    """

    types: tuple[ValueType, ...]
    default_type: str
    period_type: ValueType
    period: int
    frames: Sequence[Frame]
    samples: Sequence[Sample]
    time_nanos: int
    duration_nanos: int = 0
    comments: tuple[str, ...] = ()
    program: str = "python3"
    facts: tuple[tuple[str, str], ...] = ()
