"""`fanlight user`: the users file, edited so that a server that reads it never sees half of it.

Passwords come from the terminal, unseen and twice, or from standard input;
never from the command line, which every user of the machine can read.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import click
from attrs import evolve

from fanlight import ConfigurationError
from fanlight.auth.scram import ITERATIONS
from fanlight.auth.users import Role, check_user
from fanlight_engines.auth.passwords import hash_password
from fanlight_engines.auth.users import fresh_epoch, load, rewriting

FAILED = 1
MISUSED = 2


def add(file: Path, name: str, *, superuser: bool, login: bool, iterations: int = ITERATIONS) -> int:
    """A new user with a password.  The answer of each of these is an exit code."""

    def work() -> int:
        check_user(name, None, "NAME")
        if file.exists() and name in load(file):
            return complain(f"there is a user {name} already; `fanlight user passwd` changes the password")
        stored = hash_password(ask_password(), iterations=iterations)
        with rewriting(file) as roles:
            roles[name] = Role(stored, login, superuser, fresh_epoch(roles.get(name)))
        return 0

    return guarded(file, work)


def change_password(file: Path, name: str, *, iterations: int = ITERATIONS) -> int:
    """Another password, which ends the sessions and sockets of the user."""

    def work() -> int:
        if name not in load(file):
            return complain(f"there is no user {name}")
        stored = hash_password(ask_password(), iterations=iterations)
        with rewriting(file) as roles:
            role = roles.get(name, Role())
            roles[name] = evolve(role, stored=stored, epoch=fresh_epoch(role))
        return 0

    return guarded(file, work)


def drop(file: Path, name: str) -> int:
    """No such user any more."""

    def work() -> int:
        with rewriting(file) as roles:
            known = roles.pop(name, None) is not None
        return 0 if known else complain(f"there is no user {name}")

    return guarded(file, work)


def show(file: Path) -> int:
    """One line for each user: the name, a tab, what is special."""

    def work() -> int:
        for name, role in load(file).items():
            words = ["superuser"] * role.superuser + ["nologin"] * (not role.login)
            words += ["nopassword"] * (role.stored is None)
            print(f"{name}\t{','.join(words)}")
        return 0

    return guarded(file, work)


def guarded(file: Path, work: Callable[[], int]) -> int:
    """Do `work`; say what is wrong with the file or the password in one line."""
    try:
        return work()
    except OSError as error:
        return complain(f"{error.filename or file}: {error.strerror}")
    except ConfigurationError as error:
        return complain(str(error), MISUSED)
    except ValueError as error:
        return complain(str(error))
    except click.Abort:
        return complain("nothing was changed")


def complain(problem: str, code: int = FAILED) -> int:
    """One line on standard error."""
    print(f"fanlight: {problem}", file=sys.stderr)
    return code


def ask_password() -> str:
    """From the terminal where there is one, else the first line of standard input."""
    if sys.stdin.isatty():
        password: str = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
        return password
    line = sys.stdin.readline()
    if not line.endswith("\n"):
        raise ValueError("no password: a line on standard input was expected")
    return line.removesuffix("\n")
