"""Engines that come later: a worker imports them with the page that asks them, and nobody else does."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from fanlight.pages.loading import ImportPage
from fanlight_engines.deferred import Deferred, Imports


def test_nothing_is_made_by_loading() -> None:
    made: list[str] = []

    def make() -> list[object]:
        made.append("engine")
        return []

    deferred = Deferred(("fanlight.pages.loading",), ("gate", "duckdb.gate"), make)  # type: ignore[arg-type]
    with pytest.raises(ModuleNotFoundError, match=r"fanlight_engines\.gate"):
        deferred.load()
    assert made == []
    assert (deferred.engines, deferred.engines, made) == ((), (), ["engine"])


def test_a_page_comes_with_its_engines_and_no_others() -> None:
    program = (
        "import json, sys\n"
        "from fanlight import App\n"
        "from fanlight.pages.loading import ImportPage\n"
        "from fanlight.server import Server\n"
        "from fanlight_engines.performer import SystemEntropy, now, performer_for\n"
        "performer = performer_for(Server(App(), now=now(), entropy=SystemEntropy()))\n"
        "seen = []\n"
        "for name in ('tracing', 'metrics', 'sql'):\n"
        "    performer.perform(ImportPage(f'fanlight.pages.{name}'))\n"
        "    seen.append([name in sys.modules for name in (\n"
        "        'fanlight_engines.process.introspection', 'fanlight_engines.gather', 'prometheus_client',\n"
        "        'fanlight_engines.duckdb.engine', 'fanlight_engines.outbound', 'duckdb')])\n"
        "print(json.dumps(seen))\n"
    )
    paths = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=paths)
    assert json.loads(done.stdout) == [
        [True, False, False, False, False, False],
        [True, True, True, False, False, False],
        [True, True, True, True, False, False],
    ]


def test_what_is_wanted_is_what_has_been_imported() -> None:
    assert Deferred(("fanlight.pages.loading", "fanlight.nothing"), (), list).wanted
    assert not Deferred(("fanlight.nothing",), (), list).wanted
    loaded = Imports([Deferred(("fanlight.nothing",), ("nothing",), list)])
    loaded.handlers[ImportPage](ImportPage("fanlight.pages.loading"))
    with pytest.raises(ModuleNotFoundError):
        Imports([Deferred(("fanlight.pages.loading",), ("nothing",), list)]).load_wanted()
