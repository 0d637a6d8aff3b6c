"""Running somebody's program in this process as `python` itself would.

The program runs in the main thread, as a module `__main__` that stays
`__main__` until the process ends: pickled classes, `multiprocessing` and
threads that outlive the main code all find it there.  `sys.argv` and
`sys.path[0]` are what `python` would have set.

Nothing that the program raises is caught: exit codes and signals are its own.
Only the frames of this package are kept out of the traceback.
"""

from __future__ import annotations

import errno
import os
import pkgutil
import runpy
import sys
from collections.abc import Callable, Sequence
from importlib.machinery import SourceFileLoader, SourcelessFileLoader
from types import CodeType, ModuleType, TracebackType
from typing import Any


class NoProgram(Exception):
    """There is no such file to run; the text says why, in the words of `python`."""


def check_file(path: str) -> None:
    """Raise `NoProgram` unless `path` is there and may be read.

    It is not opened: a pipe (`<(…)` of the shell) can be read only once.
    """
    number = 0 if os.access(path, os.R_OK) else errno.EACCES if os.path.exists(path) else errno.ENOENT
    if number:
        raise NoProgram(f"can't open file {os.path.abspath(path)!r}: [Errno {number}] {os.strerror(number)}")


def run_file(path: str, arguments: Sequence[str]) -> None:
    """Do what `python PATH ARGUMENTS…` does: a script, a `.pyc`, a folder or a zip file with `__main__`.

    Returns when the main code has ended; raises what it raises, SystemExit and
    KeyboardInterrupt included.
    """
    sys.argv[:] = [path, *arguments]
    if pkgutil.get_importer(path) is not None:
        put_first(os.path.abspath(path))
        become_main(lambda: run_as_main("__main__", alter_argv=False))
        return
    put_first(os.path.dirname(os.path.realpath(path)))
    script(os.path.abspath(path))


def run_module(name: str, arguments: Sequence[str]) -> None:
    """Do what `python -m NAME ARGUMENTS…` does; returns and raises as `run_file`."""
    # While parent packages are imported, argv[0] is "-m"; then it becomes the file.
    sys.argv[:] = ["-m", *arguments]
    put_first(os.getcwd())
    become_main(lambda: run_as_main(name, alter_argv=True))


def put_first(folder: str) -> None:
    """Set the first place that imports are looked for, unless the interpreter was told to have none."""
    if not sys.flags.safe_path:
        sys.path[0] = folder


def run_as_main(name: str, *, alter_argv: bool) -> None:
    """Run module `name` in `sys.modules["__main__"]`.

    The function has an underscore, and yet it is the one that the interpreter
    itself calls for `-m`; the public `run_module` takes its module away from
    `sys.modules` at the end, which breaks pickle and threads that go on.
    """
    run: Callable[[str, bool], object] = vars(runpy)["_run_module_as_main"]
    run(name, alter_argv)


def script(path: str) -> None:
    """Run one file of Python, source or compiled, as `__main__`."""
    loader, code = read(path)
    names = {"__file__": path, "__loader__": loader, "__cached__": None}
    become_main(lambda: exec(code, vars(sys.modules["__main__"])), names)


def read(path: str) -> tuple[object, CodeType]:
    """The loader and the code of one file; writes no `__pycache__`, as `python FILE` does not."""
    if path.endswith(".pyc"):
        compiled = SourcelessFileLoader("__main__", path)
        code = compiled.get_code("__main__")
        assert code is not None, "a loader of compiled files always has code"
        return compiled, code
    source = SourceFileLoader("__main__", path)
    try:
        return source, source.source_to_code(source.get_data(path), path)
    except SyntaxError as error:
        show_from(error, None)
        raise


def become_main(run: Callable[[], object], names: dict[str, Any] | None = None) -> None:
    """Make a fresh `__main__` with `names`, then `run` what belongs in it."""
    module = ModuleType("__main__")
    # Older interpreters give their `__main__` this name from the start, newer ones make it when it is asked for.
    if "__annotations__" in vars(sys.modules["__main__"]):
        module.__annotations__ = {}
    vars(module).update(names or {})
    sys.modules["__main__"] = module
    try:
        run()
    except BaseException as raised:
        # Two frames are ours: this one and the lambda; `run_as_main` is a third.
        show_from(raised, beyond(raised.__traceback__))
        raise


def beyond(trace: TracebackType | None) -> TracebackType | None:
    """`trace` without its leading frames of this file."""
    while trace is not None and trace.tb_frame.f_code.co_filename == __file__:
        trace = trace.tb_next
    return trace


def show_from(raised: BaseException, trace: TracebackType | None) -> None:
    """Let `sys.excepthook`, whoever set it, see `raised` with `trace` only.

    On its way up the exception gathers the frames of this package; the hook
    that the interpreter calls in the end must not be shown them.
    """
    hook = sys.excepthook

    def show(kind: type[BaseException], value: BaseException, whole: TracebackType | None) -> Any:
        if value is not raised:
            return hook(kind, value, whole)
        return hook(kind, value.with_traceback(trace), trace)

    sys.excepthook = show
