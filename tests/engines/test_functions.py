"""Names of lines: found in live code of every kind, without waking anything up."""

from __future__ import annotations

import functools
import gc
import os
import sys
import weakref
from collections.abc import Callable, Generator
from types import CodeType, FrameType, ModuleType
from typing import Any

import pytest

from fanlight_engines.profiling.functions import Function, Line, living_code, name_lines, running_code
from fanlight_engines.profiling.traces import run

HERE = __file__


def line() -> Line:
    """Where this is called."""
    frame: FrameType | None = sys._getframe(1)
    assert frame is not None
    return HERE, frame.f_lineno


def names(*wanted: Line, running: tuple[CodeType, ...] = ()) -> list[Function | None]:
    """The innermost function of each line."""
    found: dict[Line, list[Function]] = run(name_lines(set(wanted), running), lambda: None)
    return [found.get(one, [None])[0] for one in wanted]


def plain() -> Line:
    return line()


def outer() -> Callable[[], Line]:
    def inner() -> Line:
        return line()

    return inner


def one_liner() -> Line: return line()  # fmt: skip


def wrapping(function: Callable[..., Line]) -> Callable[..., Line]:
    @functools.wraps(function)
    def wrapper(*args: Any) -> Line:
        return function(*args)

    return wrapper


@wrapping
def wrapped() -> Line:
    return line()


@functools.lru_cache
def cached() -> Line:
    return line()


def with_arguments(_: int) -> Line:
    return line()


partial = functools.partial(with_arguments, 1)


class Box:
    def method(self) -> Line:
        return line()

    @classmethod
    def of_class(cls) -> Line:
        return line()

    @staticmethod
    def static() -> Line:
        return line()

    @property
    def made(self) -> Line:
        return line()

    @functools.cached_property
    def kept(self) -> Line:
        return line()

    class Inner:
        def method(self) -> Line:
            return line()


table = {
    "lambda": lambda: line(),
    "nested": [(lambda: line(),)],
}


def generator() -> Generator[Line, None, None]:
    yield line()


def comprehension() -> list[Line]:
    return [
        line()  # a line of its own, since comprehensions are inlined from 3.12 on
        for _ in range(1)
    ]


@pytest.fixture(autouse=True)
def _loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Depending on how tests are imported, this very module may not be among the loaded ones."""
    if not any(getattr(module, "__file__", None) == HERE for module in list(sys.modules.values())):
        module = ModuleType("loaded")
        module.__dict__.update(globals())
        monkeypatch.setitem(sys.modules, "loaded", module)


@pytest.mark.parametrize(
    ("where", "name"),
    [
        (plain, "plain"),
        (outer(), "outer.<locals>.inner"),
        (one_liner, "one_liner"),
        (wrapped, "wrapped"),
        (cached, "cached"),
        (partial, "with_arguments"),
        (Box().method, "Box.method"),
        (Box.of_class, "Box.of_class"),
        (Box.static, "Box.static"),
        (lambda: Box().made, "Box.made"),
        (lambda: Box().kept, "Box.kept"),
        (Box.Inner().method, "Box.Inner.method"),
        (table["lambda"], "<lambda>"),
        (table["nested"][0][0], "<lambda>"),  # type: ignore[index]
        (lambda: next(generator()), "generator"),
    ],
)
def test_functions_of_every_kind_are_named(where: Callable[[], Line], name: str) -> None:
    (found,) = names(where())
    assert found is not None
    assert found[0] == name
    assert 0 < found[1] <= where()[1]


def test_a_comprehension_is_named_where_it_is_a_function() -> None:
    (found,) = names(comprehension()[0])
    assert found is not None
    assert found[0] == ("comprehension.<locals>.<listcomp>" if sys.version_info < (3, 12) else "comprehension")


def test_the_line_of_a_def_belongs_to_what_is_around_it() -> None:
    assert names((HERE, outer.__code__.co_firstlineno)) == [None]
    assert names((HERE, outer.__code__.co_firstlineno + 1)) == [("outer", outer.__code__.co_firstlineno)]


def test_a_line_of_several_is_the_innermost_first() -> None:
    def around() -> Any: return (lambda: line())()  # fmt: skip

    found: dict[Line, list[Function]] = run(name_lines({around()}, ()), lambda: None)
    start = around.__code__.co_firstlineno
    prefix = "test_a_line_of_several_is_the_innermost_first.<locals>.around"
    assert found == {
        (HERE, start): [
            (f"{prefix}.<locals>.<lambda>", start),
            (prefix, start),
            ("test_a_line_of_several_is_the_innermost_first", start - 1),
        ]
    }


def test_a_module_is_named_while_it_runs() -> None:
    source = "\n\ncodes = running_code()\n"
    scope = {"running_code": running_code}
    exec(compile(source, "script.py", "exec"), scope)
    codes: Any = scope["codes"]
    assert names(("script.py", 3)) == [None]
    assert names(("script.py", 3), running=tuple(codes)) == [("<module>", 1)]


def test_running_code_is_that_of_each_frame() -> None:
    codes = running_code()
    assert test_running_code_is_that_of_each_frame.__code__ in codes


def test_looking_at_what_runs_keeps_nothing_alive() -> None:
    class Local:
        pass

    def look() -> weakref.ref[Local]:
        local = Local()
        assert running_code()
        return weakref.ref(local)

    gc.disable()
    try:
        assert look()() is None
    finally:
        gc.enable()


def test_each_code_object_of_the_files_comes_once() -> None:
    found = list(living_code({HERE}, [plain.__code__, plain.__code__, functools.wraps.__code__]))
    codes = [code for code in found if code is not None]
    assert len(found) - len(codes) > 10  # it gave way
    assert len(codes) == len(set(map(id, codes)))
    assert plain.__code__ in codes
    assert {code.co_filename for code in codes} == {HERE}


class Touchy:
    """Anything that is asked of it is an error, as with a proxy that is not bound."""

    def __getattribute__(self, name: str) -> Any:
        raise AssertionError(f"asked for {name}")

    def __eq__(self, other: object) -> bool:
        raise AssertionError("compared")

    def __hash__(self) -> int:
        raise AssertionError("hashed")


class Lazy(ModuleType):
    """A module that is loaded when it is first asked for something."""

    def __getattribute__(self, name: str) -> Any:
        raise AssertionError(f"asked for {name}")


class Meta(type):
    def __getattribute__(cls, name: str) -> Any:
        raise AssertionError(f"asked for {name}")


def test_nothing_of_the_host_is_woken_up(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("touchy")
    module.__dict__["things"] = [Touchy(), {"a": Touchy()}, Meta("Class", (), {"f": plain}), [None] * 1000]
    monkeypatch.setitem(sys.modules, "touchy", module)
    monkeypatch.setitem(sys.modules, "lazy", Lazy("lazy"))
    monkeypatch.setitem(sys.modules, "strange", Touchy())
    monkeypatch.setitem(sys.modules, "none", None)
    assert list(living_code({HERE, os.__file__}, ()))
