"""Occasions: things that happen once, told to whoever wants to know, in whichever thread.

No event loop and no lock: each operation is a few single steps on a dict.  A
transport makes one awaitable (`fanlight_asyncio.happened`,
`fanlight_trio.happened`); a thread watches with the `set` of an Event.
"""

from __future__ import annotations

from collections.abc import Callable

Told = Callable[[], object]


class Occasion:
    """Has not happened until `happen`, and has from then on."""

    __slots__ = ("_told", "happened")

    def __init__(self) -> None:
        self.happened = False
        self._told: dict[object, Told] = {}

    def happen(self) -> None:
        """It happens; those who watch are called now, on this thread.  Doing it again does nothing.

        Raises what the first of them raised that raised something, after all were called.
        """
        self.happened = True
        failure: Exception | None = None
        while self._told:
            try:
                _, told = self._told.popitem()
            except KeyError:  # another thread was faster
                break
            try:
                told()
            except Exception as error:  # noqa: BLE001 - the others are to hear of it as well
                failure = failure or error
        if failure is not None:
            raise failure

    def watch(self, told: Told) -> Callable[[], None]:
        """Have `told()` called once: when it happens, or now if it has; returns how to stop that."""
        key = object()
        self._told[key] = told
        # Whoever takes the entry out calls it: so it is called once, though both threads may try.
        if self.happened and self._told.pop(key, None) is not None:
            told()
        return lambda: self._told.pop(key, None) and None
