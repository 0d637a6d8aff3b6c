"""Engines that are neither imported nor made before somebody asks for what they do.

An effect is known by the module that defines it.  A page brings the effects
that it asks for, so once such a module is there its engines will soon be needed:
`Imports` has a worker load them along with the page, and the performer makes
them when the first effect comes.  Nothing here knows what an engine does.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING, Any

from fanlight.pages.loading import ImportPage

if TYPE_CHECKING:
    from .performer import Engine


class Deferred:
    """The engines behind all effects that the modules `effects` define.

    `modules` of this package are what `make` needs; it is called once, on the
    thread that serves.
    """

    def __init__(self, effects: Sequence[str], modules: Sequence[str], make: Callable[[], Sequence[Engine]]) -> None:
        self.effects = effects
        self._modules = modules
        self._make = make

    @property
    def wanted(self) -> bool:
        """Whether somebody has imported such effects, and may ask for them soon."""
        return any(name in sys.modules for name in self.effects)

    def load(self) -> None:
        """Import what is to be imported; any thread may do so."""
        for name in self._modules:
            import_module(f"{__package__}.{name}")

    @cached_property
    def engines(self) -> tuple[Engine, ...]:
        """The engines, made now if they have not been."""
        return tuple(self._make())


class Imports:
    """The engine that imports pages, with the engines in `deferred` that they will ask."""

    interrupts: Mapping[type, Callable[[Any], None]] = {}

    def __init__(self, deferred: Sequence[Deferred]) -> None:
        self._deferred = deferred
        self.handlers: Mapping[type, Callable[[Any], Any]] = {ImportPage: self._import}

    def _import(self, effect: ImportPage) -> None:
        import_module(effect.name)
        self.load_wanted()

    def load_wanted(self) -> None:
        """Load every engine whose effects are there."""
        # First of all: engines know effects of others, which nobody may ever ask for.
        for each in [each for each in self._deferred if each.wanted]:
            each.load()

    def close(self) -> None:
        """Nothing is held."""
