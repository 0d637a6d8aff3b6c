"""Assertions on profiles: pprof, the mzfg text, speedscope and collapsed stacks."""

from __future__ import annotations

import gzip
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from attrs import frozen

from .model import Json, Skipped, short
from .wirefmt import Message, parse


@frozen
class Pprof:
    """The parts of a pprof profile that the cases look at."""

    sample_types: list[list[str]]
    samples: int
    functions: list[str]
    labels: set[str]
    period: list[str]


def read_pprof(body: bytes) -> Pprof:
    """Decode a gzipped profile.proto; `ValueError` when it is none."""
    try:
        profile = parse(gzip.decompress(body))
    except (OSError, EOFError) as error:
        raise ValueError(f"not gzip: {error}") from error
    strings = [value.decode() for value in profile.blobs(6)]
    if not strings or strings[0]:
        raise ValueError("the string table does not begin with the empty string")
    samples = profile.messages(2)
    types = [_pair(each, strings) for each in profile.messages(1)]
    _sound(profile, samples, len(types))
    period = profile.messages(11)
    return Pprof(
        sample_types=types,
        samples=len(samples),
        functions=[strings[each.integer(2)] for each in profile.messages(5)],
        labels={strings[label.integer(1)] for sample in samples for label in sample.messages(3)},
        period=_pair(period[0], strings) if period else [],
    )


def _pair(value_type: Message, strings: list[str]) -> list[str]:
    return [strings[value_type.integer(1)], strings[value_type.integer(2)]]


def _sound(profile: Message, samples: list[Message], types: int) -> None:
    """Every reference leads somewhere, every sample has one value for each type."""
    locations = {each.integer(1) for each in profile.messages(4)}
    functions = {each.integer(1) for each in profile.messages(5)}
    for sample in samples:
        if not set(sample.ints(1)) <= locations or len(sample.ints(2)) != types:
            raise ValueError("a sample refers to a location that is not there, or lacks values")
    for location in profile.messages(4):
        if not {line.integer(1) for line in location.messages(4)} <= functions:
            raise ValueError("a location refers to a function that is not there")


def pprof(wanted: Mapping[str, Json], body: bytes) -> str | None:
    """Why the profile is not as wanted, or None."""
    profile = read_pprof(body)
    if "sample_types" in wanted and profile.sample_types != wanted["sample_types"]:
        return f"sample types {profile.sample_types}, expected {wanted['sample_types']}"
    if profile.samples < wanted.get("min_samples", 0):
        return f"{profile.samples} samples, expected at least {wanted['min_samples']}"
    for name in wanted.get("functions_contain", []):
        if not any(name in function for function in profile.functions):
            return f"no function {name} among {short(profile.functions)}"
    missing = set(wanted.get("labels_contain", [])) - profile.labels
    present = set(wanted.get("labels_absent", [])) & profile.labels
    if missing or present:
        return f"labels {sorted(profile.labels)}: missing {sorted(missing)}, unwanted {sorted(present)}"
    if "period" in wanted and profile.period != wanted["period"]:
        return f"period {profile.period}, expected {wanted['period']}"
    if "go_tool_top_contains" in wanted:
        return _go_tool(wanted["go_tool_top_contains"], body)
    return None


def _go_tool(text: str, body: bytes) -> str | None:
    go = shutil.which("go")
    if go is None:
        raise Skipped("needs go, which this machine does not have")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "profile.pb.gz")
        path.write_bytes(body)
        command = [go, "tool", "pprof", "-top", str(path)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    good = done.returncode == 0 and text in done.stdout
    return None if good else f"go tool pprof: {short(done.stdout + done.stderr)}"


def mzfg(wanted: Mapping[str, Json], text: str) -> str | None:
    """Header lines `key: value`, an empty line, then stacks."""
    head, _, stacks = text.partition("\n\n")
    header = dict(line.split(": ", 1) for line in head.splitlines() if ": " in line)
    for name, value in wanted.get("header", {}).items():
        if header.get(name) != value:
            return f"header {name} is {header.get(name)!r}, expected {value!r}"
    count = len([line for line in stacks.splitlines() if line.strip()])
    least = wanted.get("min_stacks", 0)
    return None if count >= least else f"{count} stacks, expected at least {least}"


def speedscope(wanted: Mapping[str, Json], document: Json) -> str | None:
    """The shared frames and the unit of every profile."""
    frames = len(document["shared"]["frames"])
    if frames < wanted.get("min_frames", 0):
        return f"{frames} frames, expected at least {wanted['min_frames']}"
    units = {profile["unit"] for profile in document["profiles"]}
    return None if units <= {wanted.get("unit", next(iter(units), ""))} else f"units {units}, expected {wanted['unit']}"


def collapsed(wanted: Mapping[str, Json], text: str) -> str | None:
    """Lines `a;b;c <integer>`."""
    lines = [line for line in text.splitlines() if line]
    for line in lines:
        stack, _, count = line.rpartition(" ")
        if not stack or not count.isdigit():
            return f"a line that is no collapsed stack: {short(line)}"
    least = wanted.get("min_lines", 0)
    return None if len(lines) >= least else f"{len(lines)} lines, expected at least {least}"
