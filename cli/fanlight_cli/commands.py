"""What the words on the command line mean.

Parsing ends before anything starts: each command returns a job, and the job
runs after the parser has left the stack.  So a program under `fanlight run`
never has the parser between itself and the interpreter.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

import click

Job = Callable[[], int]
Command = TypeVar("Command", bound=Callable[..., Any])

SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


def understand(arguments: Sequence[str]) -> Job | int:
    """The job that `arguments` ask for, or the exit code when there is none (help, a mistake)."""
    try:
        job: Job | int = fanlight.main(list(arguments), prog_name="fanlight", standalone_mode=False)
    except click.ClickException as mistake:
        mistake.show()
        return mistake.exit_code
    return job


def common(command: Command) -> Command:
    """The options that both commands have."""
    listen = click.option(
        "--listen",
        "-l",
        "addresses",
        multiple=True,
        metavar="ADDRESS",
        help="Where to listen: HOST:PORT (port 0 picks a free one) or unix:PATH.  "
        "May be given more than once.  [default: 127.0.0.1:6876]",
    )
    config = click.option(
        "--config",
        "-c",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        metavar="FILE",
        help="Read listeners and settings from a TOML or JSON file instead.",
    )
    return listen(config(command))


@click.group(context_settings=SETTINGS)
@click.version_option(version("fanlight"), message="fanlight %(version)s")
def fanlight() -> None:
    """Look into a running Python process: metrics, heap profiles, SQL.

    \b
      fanlight demo               start a busy sample service and look around
      fanlight run script.py      run your own program, unchanged, with fanlight beside it
    """


@fanlight.command(
    context_settings={**SETTINGS, "allow_interspersed_args": False, "ignore_unknown_options": False},
    short_help="Run a Python program with fanlight beside it.",
    options_metavar="[OPTIONS]",
)
@common
@click.option("--module", "-m", is_flag=True, help="PROGRAM is the name of a module, as in `python -m`.")
@click.option("--strict", is_flag=True, help="Do not start the program when fanlight cannot listen.")
@click.option("--quiet", "-q", is_flag=True, help="Do not print the addresses.")
@click.argument("program")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def run(
    program: str,
    arguments: tuple[str, ...],
    *,
    module: bool,
    addresses: tuple[str, ...],
    config: Path | None,
    strict: bool,
    quiet: bool,
) -> Job:
    """Run PROGRAM (a script, or with -m a module) as `python` would, with fanlight in a thread beside it.

    Everything after PROGRAM belongs to it.  Its exit code, its output and what
    signals do to it stay its own.  When an address is taken, a line on standard
    error says so and the program runs without fanlight, unless --strict is given.

    \b
      fanlight run server.py --port 8000
      fanlight run -m http.server 8000
      fanlight run --listen 127.0.0.1:0 --listen unix:/tmp/app.sock server.py
    """

    def job() -> int:
        from .beside import run_beside
        from .listening import Wish

        return run_beside(Wish(addresses, config), program, arguments, module=module, strict=strict, quiet=quiet)

    return job


@fanlight.command(context_settings=SETTINGS, short_help="Start a busy sample service with fanlight inside it.")
@common
@click.option("--verbose", "-v", is_flag=True, help="Print the log of the sample service.")
def demo(*, addresses: tuple[str, ...], config: Path | None, verbose: bool) -> Job:
    """Start a sample service with fanlight inside it, and print what to try.

    The service is a parcel office: asyncio tasks, a queue, caches that grow and
    shrink, a worker thread, log records and metrics of its own.  Ctrl-C ends it.
    """

    def job() -> int:
        from .demo import run_demo
        from .listening import Wish

        return run_demo(Wish(addresses, config), verbose=verbose)

    return job


@fanlight.group(context_settings=SETTINGS, short_help="Edit a users file.")
def user() -> None:
    """Edit the file that the setting users_file names: who may log in on listeners of kind Password.

    A running server reads it again by itself.  Passwords are asked for on the
    terminal, or read as one line of standard input.
    """


def of_file(command: Command) -> Command:
    """The option that every command about users has."""
    return click.option(
        "--file",
        "-f",
        type=click.Path(dir_okay=False, path_type=Path),
        required=True,
        metavar="FILE",
        help="The users file; it is made when the first user is added.",
    )(command)


@user.command(context_settings=SETTINGS, short_help="Add a user.")
@of_file
@click.option("--superuser", is_flag=True, help="May write by SQL and see what internal users see.")
@click.option("--nologin", is_flag=True, help="May not log in, for now.")
@click.argument("name")
def add(*, file: Path, name: str, superuser: bool, nologin: bool) -> Job:
    """Add a user NAME and ask for the password."""

    def job() -> int:
        from . import users

        return users.add(file, name, superuser=superuser, login=not nologin)

    return job


@user.command(context_settings=SETTINGS, short_help="Change a password.")
@of_file
@click.argument("name")
def passwd(*, file: Path, name: str) -> Job:
    """Give the user NAME another password, which ends what the user has open."""

    def job() -> int:
        from . import users

        return users.change_password(file, name)

    return job


@user.command(context_settings=SETTINGS, short_help="Remove a user.")
@of_file
@click.argument("name")
def drop(*, file: Path, name: str) -> Job:
    """Remove the user NAME, which ends what the user has open."""

    def job() -> int:
        from . import users

        return users.drop(file, name)

    return job


@user.command("list", context_settings=SETTINGS, short_help="List the users.")
@of_file
def list_users(*, file: Path) -> Job:
    """Print a line for each user: the name, a tab, and any of superuser, nologin, nopassword."""

    def job() -> int:
        from . import users

        return users.show(file)

    return job
