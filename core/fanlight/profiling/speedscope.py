"""The speedscope format: JSON with one table of frames and one sampled profile for each thread.

Pure: a profile in, JSON text out.  Samples without a `thread` label make one
profile of their own.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from .collapsed import weight_index
from .profile import Frame, Sample, StackProfile

SCHEMA = "https://www.speedscope.app/file-format-schema.json"


def encode(profile: StackProfile) -> Iterator[bytes]:
    """The document, a piece for its frames and one for each thread.

    The weights are of the profile's default type.  A piece for a thread is as
    large as the thread's samples.
    """
    index = weight_index(profile)
    frames = [_frame(frame) for frame in profile.frames]
    yield f'{{"$schema":"{SCHEMA}","shared":{{"frames":{_compact(frames)}}},"profiles":['.encode()
    for number, (thread, samples) in enumerate(_by_thread(profile).items()):
        made = _sampled(thread or profile.program, samples, profile.types[index].unit, index)
        yield (b"," if number else b"") + _compact(made).encode()
    yield b'],"exporter":"fanlight"}'


def _frame(frame: Frame) -> dict[str, Any]:
    return {"name": frame.function, "file": frame.file, "line": frame.line}


def _by_thread(profile: StackProfile) -> dict[str, list[Sample]]:
    """The samples of each thread, by name, in the order of their first samples.

    At least one entry, so that a profile without samples is still one to show.
    """
    threads: dict[str, list[Sample]] = {}
    for sample in profile.samples:
        threads.setdefault(dict(sample.labels).get("thread", ""), []).append(sample)
    return threads or {"": []}


def _sampled(name: str, samples: list[Sample], unit: str, index: int) -> dict[str, Any]:
    """One profile: stacks root first, a weight for each, the sum of them as its length.

    Units that speedscope does not know are `none`, which it shows as plain
    numbers.
    """
    weights = [sample.values[index] for sample in samples]
    return {
        "type": "sampled",
        "name": name,
        "unit": unit if unit in ("bytes", "nanoseconds") else "none",
        "startValue": 0,
        "endValue": sum(weights),
        "samples": [list(reversed(sample.stack)) for sample in samples],
        "weights": weights,
    }


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))
