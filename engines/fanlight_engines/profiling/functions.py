"""Which function a line belongs to, told without reading any source.

A tracer that keeps only file and line loses the names.  The code objects of
the process know them: they are found from the loaded modules and from what is
running.  Looks only at exact built-in types and never calls or asks anything
of the host's own (no `__getattr__` of a proxy, no lazy module is loaded), so
it may run anywhere, in a forked child too.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Collection, Generator, Iterable, Iterator
from types import CodeType, FrameType, FunctionType, MethodType, ModuleType
from typing import Any

Line = tuple[str, int]
"""File name and line number."""

Function = tuple[str, int]
"""Qualified name and first line."""

_SLICE = 100
_SMALL = 100


def name_lines(
    wanted: Collection[Line], running: Iterable[CodeType]
) -> Generator[None, None, dict[Line, list[Function]]]:
    """Return, for each of the `wanted` lines, the functions that it is a line of, innermost first.

    `wanted` should be a set or a dict.  Lines that are missing in the result
    belong to no function (a module's code is gone after its import) or to a
    dead one.  Yields now and then so that the caller can give way.
    """
    files = {file for file, _ in wanted}
    named: dict[Line, list[Function]] = {}
    for code in living_code(files, running):
        if code is None:
            yield
        else:
            _claim(code, wanted, named)
    for functions in named.values():
        # Of two that share a line, the inner one begins later or has the longer name.
        functions.sort(key=lambda function: (function[1], len(function[0])), reverse=True)
    return named


def running_code() -> list[CodeType]:
    """The code of each frame of each thread: it includes the main script's own."""
    found: list[CodeType] = []
    leaves = list(sys._current_frames().values())
    # In the end no name means a frame: this one is among them, and would keep
    # itself alive, and with it the locals of every caller.
    while leaves:
        frame: FrameType | None = leaves.pop()
        while frame is not None:
            found.append(frame.f_code)
            frame = frame.f_back
    return found


def living_code(files: Collection[str], running: Iterable[CodeType]) -> Iterator[CodeType | None]:
    """Each code object of these files that is found from the loaded modules and from `running`, once.

    Between them None now and then, however few there are.
    """
    todo: list[Any] = [*running]
    modules: list[object] = list(sys.modules.values())
    for module in modules:
        # Programs put other things there too.
        if issubclass(type(module), ModuleType):
            todo += object.__getattribute__(module, "__dict__").values()
    seen: set[int] = set()
    while todo:
        thing = todo.pop()
        kind: type = type(thing)
        inside = _of_class if issubclass(kind, type) else _INSIDE.get(kind)
        if inside is None or id(thing) in seen:
            continue
        seen.add(id(thing))
        if len(seen) % _SLICE == 0:
            yield None
        if kind is CodeType:
            # What is inside of code is of the same file.
            if thing.co_filename not in files:
                continue
            yield thing
        todo += inside(thing)


def _claim(code: CodeType, wanted: Collection[Line], named: dict[Line, list[Function]]) -> None:
    function = (code.co_qualname, code.co_firstlineno)
    lines = {line for _, _, line in code.co_lines() if line is not None}
    # What happens on the line of a `def` happens in the function around it,
    # unless all of the function is on that line.
    if len(lines) > 1 and not code.co_name.startswith("<"):
        lines.discard(code.co_firstlineno)
    for line in lines:
        if (code.co_filename, line) in wanted:
            functions = named.setdefault((code.co_filename, line), [])
            if function not in functions:
                functions.append(function)


def _of_function(function: FunctionType) -> list[Any]:
    inner: list[Any] = [function.__code__, getattr(function, "__wrapped__", None)]
    for cell in function.__closure__ or ():
        try:
            inner.append(cell.cell_contents)
        except ValueError:
            pass
    return inner


def _of_class(cls: Any) -> list[Any]:
    return list(_CLASS_DICT.__get__(cls).values())


def _of_container(items: Collection[Any]) -> Collection[Any]:
    """Tables of functions are small; a cache with a million entries is none."""
    if len(items) > _SMALL:
        return ()
    return list(items.values()) if isinstance(items, dict) else items


_CLASS_DICT = type.__dict__["__dict__"]
_INSIDE: dict[type, Callable[[Any], Collection[Any]]] = {
    CodeType: lambda code: code.co_consts,
    FunctionType: _of_function,
    MethodType: lambda method: (method.__func__,),
    staticmethod: lambda method: (method.__func__,),
    classmethod: lambda method: (method.__func__,),
    property: lambda made: (made.fget, made.fset, made.fdel),
    functools.partial: lambda made: (made.func,),
    functools.cached_property: lambda made: (made.func,),
    type(functools.lru_cache(len)): lambda made: (made.__wrapped__,),
    dict: _of_container,
    list: _of_container,
    tuple: _of_container,
}
