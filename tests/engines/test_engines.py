"""The list of engines: every effect that a page can ask for has one engine that does it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from fanlight import App, Effect, Listener
from fanlight.asks import Task
from fanlight.config.settings import Settings
from fanlight.relations import Column, Relation
from fanlight.server import Server
from fanlight_engines.engines import engines_for
from fanlight_engines.performer import Engine
from tests.sim import START, Seeded


def engines(app: App | None = None) -> list[Engine]:
    """All of them, as if everything had been asked for."""
    at_work, deferred = engines_for(Server(app or App(), now=START, entropy=Seeded()))
    return [*at_work, *(engine for each in deferred for engine in each.engines)]


def effects(of: type[Effect[object]] = Effect) -> Iterator[type[Effect[object]]]:
    """Every kind of effect that the product defines, but for what a host does itself."""
    for kind in of.__subclasses__():
        if kind.__module__.startswith("fanlight.") and not issubclass(kind, Task):
            yield kind
        yield from effects(kind)


def test_every_effect_has_an_engine(tmp_path: Path) -> None:
    file = tmp_path / "users.json"
    file.write_text('{"users": {}}')
    file.chmod(0o600)
    listener = Listener(authenticator="Password")
    made = engines(
        App(listeners=[listener], settings=Settings(users_file=str(file), console_upstream="http://127.0.0.1:1"))
    )
    done = {kind for engine in made for kind in engine.handlers}
    for engine in made:
        engine.close()
    assert {kind.__name__ for kind in effects()} - {kind.__name__ for kind in done} == set()


def test_deferred_engines_are_found_by_their_effects() -> None:
    deferred = engines_for(Server(App(), now=START, entropy=Seeded()))[1]
    modules = [name for each in deferred for name in each.effects]
    assert len(modules) == len(set(modules))
    for each in deferred:
        # The other way round they would never be made.
        assert {kind.__module__ for engine in each.engines for kind in engine.handlers} <= set(each.effects)
        assert each.engines is each.engines
    for each in deferred:
        for engine in each.engines:
            engine.close()


def test_what_is_made_has_been_loaded() -> None:
    """Else the first effect would import it, on the loop's thread."""
    program = (
        "import sys\n"
        "from fanlight import App\n"
        "from fanlight.server import Server\n"
        "from fanlight_engines.engines import engines_for\n"
        "from fanlight_engines.performer import SystemEntropy, now\n"
        "at_work, deferred = engines_for(Server(App(), now=now(), entropy=SystemEntropy()))\n"
        "assert not any(each.wanted for each in deferred)\n"
        "for each in deferred: each.load()\n"
        "before = set(sys.modules)\n"
        "assert all(isinstance(each.engines, tuple) for each in deferred)\n"
        "print(*(set(sys.modules) - before))\n"
    )
    paths = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=paths)
    assert done.stdout.split() == []


def test_a_server_that_begins_imports_nothing() -> None:
    """It may do so on a running loop."""
    program = (
        "import sys\n"
        "from fanlight import App\n"
        "from fanlight_engines.hosting import Server\n"
        "from fanlight_engines.performer import SystemEntropy, now, performer_for\n"
        "app = App()\n"
        "before = set(sys.modules)\n"
        "performer_for(Server(app, now=now(), entropy=SystemEntropy()))\n"
        "print(*(set(sys.modules) - before))\n"
    )
    paths = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=paths)
    assert done.stdout.split() == []


def test_no_effect_has_two() -> None:
    kinds = [kind for engine in engines() for kind in engine.handlers]
    assert len(kinds) == len(set(kinds))


def test_only_what_is_done_can_be_interrupted() -> None:
    for engine in engines():
        assert set(engine.interrupts) <= set(engine.handlers)
        assert getattr(engine, "own_effects", frozenset()) <= set(engine.handlers)


def test_engines_that_were_never_asked_close() -> None:
    for engine in engines():
        engine.close()


def test_a_program_may_publish_a_name_that_the_process_has() -> None:
    app = App()
    own = Relation("tasks", (Column("id", "bigint"),), lambda: [(1,)])
    app.relations["tasks"] = own
    assert app.relations["tasks"] is own
    for engine in engines(app):
        engine.close()


def test_the_heavy_libraries_are_not_loaded() -> None:
    program = (
        "import sys\n"
        "from fanlight import App\n"
        "from fanlight.server import Server\n"
        "from fanlight_engines.engines import engines_for\n"
        "from fanlight_engines.performer import SystemEntropy, now\n"
        "engines_for(Server(App(), now=now(), entropy=SystemEntropy()))\n"
        "print(*(name for name in ('duckdb', 'nanoarrow', 'asyncio', 'trio', 'h2') if name in sys.modules))\n"
    )
    paths = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=paths)
    assert done.stdout.split() == []
