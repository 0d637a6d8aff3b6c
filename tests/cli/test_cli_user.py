"""`fanlight user`: a file that is edited while a server reads it."""

from __future__ import annotations

import base64
import http.client
import json
import os
import subprocess
import time
from pathlib import Path

import pytest

from fanlight.auth.scram import verify
from fanlight_engines.auth.users import load
from tests.cli.process import ENVIRONMENT, FANLIGHT, started


def fanlight(*words: str, say: str = "", cwd: Path | None = None) -> tuple[int, str, str]:
    done = subprocess.run(
        [*FANLIGHT, "user", *words], input=say, env=ENVIRONMENT, cwd=cwd, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def file(tmp_path: Path) -> str:
    return str(tmp_path / "users.json")


def test_a_life(file: str) -> None:
    assert fanlight("add", "-f", file, "ada", "--superuser", say="secret\n") == (0, "", "")
    assert os.stat(file).st_mode & 0o777 == 0o600
    ada = load(Path(file))["ada"]
    assert verify("secret", ada.stored or "") == "ok"
    assert (ada.superuser, ada.login) == (True, True)
    assert fanlight("add", "-f", file, "bob", "--nologin", say="other\n")[0] == 0
    assert fanlight("list", "-f", file) == (0, "ada\tsuperuser\nbob\tnologin\n", "")
    assert fanlight("passwd", "-f", file, "ada", say="new\n")[0] == 0
    changed = load(Path(file))["ada"]
    assert verify("new", changed.stored or "") == "ok"
    assert changed.epoch > ada.epoch
    assert changed.superuser
    assert fanlight("drop", "-f", file, "ada")[0] == 0
    assert fanlight("list", "-f", file)[1] == "bob\tnologin\n"


def test_mistakes_change_nothing_and_are_one_line(file: str) -> None:
    assert fanlight("list", "-f", file) == (1, "", f"fanlight: {file}: No such file or directory\n")
    fanlight("add", "-f", file, "ada", say="secret\n")
    before = Path(file).read_bytes()
    for words, say, code in (
        (("add", "ada"), "x\n", 1),
        (("add", "a\nb"), "x\n", 2),
        (("add", "bob"), "", 1),
        (("add", "bob"), "x" * 2000 + "\n", 1),
        (("passwd", "bob"), "x\n", 1),
        (("drop", "bob"), "", 1),
    ):
        done = fanlight(words[0], "-f", file, words[1], say=say)
        assert (done[0], done[1]) == (code, "")
        assert done[2].startswith("fanlight: ")
        assert done[2].count("\n") == 1
        assert "xxx" not in done[2]
    assert Path(file).read_bytes() == before
    Path(file).write_text("{")
    assert fanlight("drop", "-f", file, "ada")[0] == 2
    assert Path(file).read_text() == "{"


def asked(address: str, user: str, password: str) -> int:
    connection = http.client.HTTPConnection(address, timeout=30)
    field = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
    connection.request("GET", "/api/livez", headers={"authorization": field})
    status = connection.getresponse().status
    connection.close()
    return status


def test_a_running_server_follows(file: str, tmp_path: Path) -> None:
    fanlight("add", "-f", file, "ada", say="secret\n")
    roles = {"enabled": True, "allowed_roles": "Normal"}
    off = ("webhook", "internal", "profiling", "mcp_agent", "mcp_developer", "console_config", "base")
    routes = {"metrics": roles, **{group: {"enabled": False} for group in off}}
    main = {"addr": "127.0.0.1:0", "authenticator_kind": "Password", "enable_tls": False, "routes": routes}
    (tmp_path / "config.json").write_text(json.dumps({"sql": {}, "http": {"main": main}, "users_file": file}))
    (tmp_path / "wait.py").write_text("import time\ntime.sleep(60)\n")
    with started("run", "--config", "config.json", "wait.py", cwd=tmp_path) as process:
        address = process.address()
        assert asked(address, "ada", "secret") == 200
        assert asked(address, "ada", "new") == 401
        fanlight("passwd", "-f", file, "ada", say="new\n")
        deadline = time.monotonic() + 10
        while asked(address, "ada", "new") != 200:
            assert time.monotonic() < deadline
            time.sleep(0.7)
        assert asked(address, "ada", "secret") == 401


@pytest.mark.parametrize(("text", "code"), [(None, 1), ("{", 2)])
def test_a_users_file_that_cannot_be_used(tmp_path: Path, text: str | None, code: int) -> None:
    (tmp_path / "config.toml").write_text('users_file = "users.json"\n[sql]\n[http.main]\naddr = "127.0.0.1:0"\n'
        'authenticator_kind = "Password"\nenable_tls = false\nallowed_roles = "Normal"\n[http.main.routes]\n'
        "base = true\nwebhook = false\ninternal = false\nmetrics = false\nprofiling = false\n")  # fmt: skip
    (tmp_path / "program.py").write_text("print('it runs')\n")
    if text is not None:
        (tmp_path / "users.json").write_text(text)
    done = subprocess.run(
        [*FANLIGHT, "run", "--strict", "--config", "config.toml", "program.py"],
        env=ENVIRONMENT, cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (code, "")
    assert "users" in done.stderr
    assert "Traceback" not in done.stderr
