"""The CPU profiler: begins captures, ends them, encodes what they saw.

One capture at a time in the process, whoever asks for it.  Sampling is done by
a thread that ends with the capture (`sampling`); encoding in the worker's
thread that asks, in slices.  This module never decides who may ask.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import cache
from threading import Lock
from typing import Any, ClassVar, Protocol
from weakref import WeakSet

from fanlight.asks import Effect
from fanlight.profiling.effects import (
    BeginCpu,
    CpuCapture,
    CpuRefused,
    EndCpu,
    FinishCpu,
    Profilers,
    ReadProfilers,
)
from fanlight.profiling.formats import ENCODERS

from .sampled import profile
from .sampling import Sampler
from .traces import run

JOIN_SECONDS = 2.0


class Stopping(Protocol):
    """What is read of a `Server`."""

    @property
    def stopping(self) -> bool:
        """Whether no new requests are taken any more."""
        ...


class _Process:
    """What there is one of in a process, however many profilers it has."""

    lock: ClassVar = Lock()
    sampler: ClassVar[Sampler | None] = None

    @classmethod
    def active(cls) -> bool:
        """Whether a capture runs."""
        return cls.sampler is not None and cls.sampler.running


class _Interrupted(Exception):
    """Nobody waits for the profile any more."""


class CpuProfiler:
    """Answers the CPU effects of `fanlight.profiling.effects`, from any thread."""

    def __init__(self, server: Stopping) -> None:
        self._server = server
        self._lock = Lock()
        self._begun: tuple[BeginCpu, Sampler] | None = None
        # An interrupt may come before the work begins, so it is kept with the effect that it is for.
        self._interrupted: WeakSet[Effect[Any]] = WeakSet()
        self.handlers: Mapping[type[Effect[Any]], Callable[[Any], Any]] = {
            ReadProfilers: lambda effect: Profilers(_Process.active(), has_native()),
            BeginCpu: self._begin,
            EndCpu: lambda effect: effect.capture.sampler.stop(),
            FinishCpu: self._finish,
        }
        self.interrupts: Mapping[type[Effect[Any]], Callable[[Any], None]] = {
            BeginCpu: self._interrupt,
            FinishCpu: self._interrupt,
        }

    def close(self) -> None:
        """End a capture of this profiler's, and its thread."""
        begun = self._begun
        if begun is not None:
            begun[1].stop()
            begun[1].join(JOIN_SECONDS)

    def _begin(self, effect: BeginCpu) -> CpuCapture | CpuRefused:
        sampler = Sampler(effect.seconds, effect.hz, effect.clock, lambda: self._server.stopping)
        with _Process.lock:
            if _Process.active():
                return CpuRefused("running")
            try:
                sampler.start()
            except RuntimeError:
                return CpuRefused("failed")
            _Process.sampler = sampler
        with self._lock:
            self._begun = (effect, sampler)
            if effect in self._interrupted:
                sampler.stop()
        return CpuCapture(sampler)

    def _finish(self, effect: FinishCpu) -> bytes | CpuRefused:
        sampler: Sampler = effect.capture.sampler
        sampler.stop()
        sampler.join()
        if sampler.failure is not None:
            raise sampler.failure
        try:
            return self._encode(effect, sampler)
        except _Interrupted:
            return CpuRefused("failed")

    def _encode(self, effect: FinishCpu, sampler: Sampler) -> bytes:
        def give_way() -> None:
            if effect in self._interrupted:
                raise _Interrupted
            time.sleep(0)

        made = run(profile(sampler, merge=effect.merge), give_way)
        pieces: list[bytes] = []
        for piece in ENCODERS[effect.format](made):
            pieces.append(piece)
            give_way()
        return b"".join(pieces)

    def _interrupt(self, effect: Effect[Any]) -> None:
        with self._lock:
            self._interrupted.add(effect)
            if self._begun is not None and self._begun[0] is effect:
                self._begun[1].stop()


@cache
def has_native() -> bool:
    """Whether the library that records native allocations is installed; it is not loaded."""
    from importlib.util import find_spec

    return find_spec("memray") is not None
