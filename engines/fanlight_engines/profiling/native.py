"""Recordings of native allocations, by memray, into a temporary file.

Only what memray aggregates is written, so the file stays small however long
the recording is.  memray is loaded with the first recording; there is one
recording in a process, and somebody else's counts as well.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from importlib import import_module
from threading import Lock, Timer
from typing import Any
from weakref import WeakSet

from fanlight.asks import Effect
from fanlight.profiling.effects import BeginNative, EndNative, FinishNative, NativeCapture, NativeRefused


class Recorder:
    """A recording that runs: memray's tracker, the folder of its file, and the timer that ends it."""

    def __init__(self, seconds: float) -> None:
        memray: Any = import_module("memray")
        from tempfile import TemporaryDirectory

        self._lock = Lock()
        self._folder = TemporaryDirectory(prefix="fanlight-", ignore_cleanup_errors=True)
        self._path = os.path.join(self._folder.name, "memray.bin")
        self._tracker: Any = memray.Tracker(
            self._path, native_traces=False, file_format=memray.FileFormat.AGGREGATED_ALLOCATIONS
        )
        try:
            self._tracker.__enter__()
        except BaseException:
            self._folder.cleanup()
            raise
        self._timer = Timer(seconds, self.end)
        self._timer.daemon = True
        self._timer.name = "fanlight-native-recording"
        self._timer.start()

    def end(self) -> None:
        """End the recording; the file stays until `drop`."""
        with self._lock:
            tracker, self._tracker = self._tracker, None
            self._timer.cancel()
            if tracker is not None:
                tracker.__exit__(None, None, None)

    def result(self) -> bytes:
        """The file, after the end."""
        with open(self._path, "rb") as file:
            return file.read()

    def drop(self) -> None:
        """End, and delete the file."""
        self.end()
        self._folder.cleanup()


class NativeRecorder:
    """Answers the effects of native recordings, from any thread."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._begun: tuple[Effect[Any], Recorder] | None = None
        self._interrupted: WeakSet[Effect[Any]] = WeakSet()
        self.handlers: Mapping[type[Effect[Any]], Callable[[Any], Any]] = {
            BeginNative: self._begin,
            EndNative: lambda effect: effect.capture.recorder.drop(),
            FinishNative: self._finish,
        }
        self.interrupts: Mapping[type[Effect[Any]], Callable[[Any], None]] = {BeginNative: self._interrupt}

    def close(self) -> None:
        """End a recording, and delete its file."""
        if self._begun is not None:
            self._begun[1].drop()

    def _begin(self, effect: BeginNative) -> NativeCapture | NativeRefused:
        try:
            recorder = Recorder(effect.seconds)
        except ImportError:
            return NativeRefused("missing")
        except RuntimeError:
            return NativeRefused("running")
        except OSError:
            return NativeRefused("failed")
        with self._lock:
            self._begun = (effect, recorder)
            interrupted = effect in self._interrupted
        if interrupted:
            recorder.drop()
        return NativeCapture(recorder)

    def _finish(self, effect: FinishNative) -> bytes | NativeRefused:
        recorder: Recorder = effect.capture.recorder
        recorder.end()
        try:
            return recorder.result()
        except OSError:
            return NativeRefused("failed")
        finally:
            recorder.drop()

    def _interrupt(self, effect: Effect[Any]) -> None:
        """Called on the loop's thread: the recording ends where the file is dropped, in a thread."""
        with self._lock:
            self._interrupted.add(effect)
            begun = self._begun
        if begun is not None and begun[0] is effect:
            Timer(0, begun[1].drop).start()
