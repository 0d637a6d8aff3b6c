"""What the command line says about itself, and what it needs."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.metadata import version

import pytest

from tests.cli.process import ENVIRONMENT, finished
from tests.docs.markdown import ROOT

COMMANDS = [(), ("run",), ("demo",), ("user",), *(("user", word) for word in ("add", "passwd", "drop", "list"))]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_is_what_a_person_would_like(command: tuple[str, ...]) -> None:
    done = finished(*command, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Usage: fanlight")
    assert all(len(line) <= 100 for line in done.stdout.splitlines())


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_is_documented(command: tuple[str, ...]) -> None:
    text = (ROOT / "docs" / "reference" / "command-line.md").read_text(encoding="utf-8")
    options = set(re.findall(r"^ +(?:-\w, )?(--[a-z]+)", finished(*command, "--help").stdout, re.MULTILINE))
    assert options
    assert [option for option in sorted(options) if f"`{option}" not in text] == []


def test_the_version_is_the_distributions() -> None:
    done = finished("--version")
    assert (done.returncode, done.stdout) == (0, f"fanlight {version('fanlight')}\n")


def test_without_a_command_it_explains_itself() -> None:
    done = finished()
    assert done.returncode in {0, 2}  # click has changed its mind about this one
    assert "fanlight run script.py" in done.stdout + done.stderr


def test_without_click_it_says_what_to_install() -> None:
    program = "import sys; sys.modules['click'] = None; from fanlight_cli import main; sys.exit(main(['demo']))"
    done = subprocess.run([sys.executable, "-c", program], env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == "fanlight: the command line needs click; install it with: pip install 'fanlight[cli]'\n"
