"""Facts about the host process, and the files that ship with the package."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import fanlight
from fanlight.pages.files import ReadAssets
from fanlight.pages.root import DescribeProcess, ProcessFacts

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable


class HostFacts:
    """Answers `DescribeProcess` and `ReadAssets`."""

    interrupts: Mapping[type, Callable[[Any], None]] = {}

    def __init__(self) -> None:
        self.handlers: Mapping[type, Callable[[Any], Any]] = {
            DescribeProcess: lambda effect: describe(),
            ReadAssets: lambda effect: read_assets(),
        }

    def close(self) -> None:
        """Nothing is held."""


def describe() -> ProcessFacts:
    """This process, as it is now."""
    argv0 = os.path.basename(sys.argv[0]) if sys.argv and sys.argv[0] else "python"
    return ProcessFacts(os.getpid(), argv0, platform.python_version(), fanlight.__version__)


def read_assets() -> dict[str, bytes]:
    """Every file below `fanlight/pages/static`."""
    # With it come modules that take most of a megabyte; few programs are ever asked for a page.
    from importlib.resources import files

    found: dict[str, bytes] = {}
    _collect(files("fanlight").joinpath("pages", "static"), "", found)
    return found


def _collect(folder: Traversable, prefix: str, found: dict[str, bytes]) -> None:
    for entry in folder.iterdir():
        path = prefix + entry.name
        if entry.is_dir():
            _collect(entry, path + "/", found)
        else:
            found[path] = entry.read_bytes()
