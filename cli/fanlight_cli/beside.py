"""`fanlight run`: a server in a thread, then somebody's program in the main thread.

The program comes first.  A server that cannot start is a line on standard
error, not a reason to stop; nothing here catches a signal, an exception or an
exit code of the program.
"""

from __future__ import annotations

import atexit
import os
import sys
from collections.abc import Callable, Sequence

import fanlight_asyncio
from fanlight import App, ConfigurationError

from .listening import Wish, app_for, reason
from .program import NoProgram, check_file, run_file, run_module

MISUSED = 2
NOT_LISTENING = 1

# How long the program's exit may wait for requests in hand: shorter than any server would give them.
STOP_SECONDS = 2.0


def run_beside(wish: Wish, program: str, arguments: Sequence[str], *, module: bool, strict: bool, quiet: bool) -> int:
    """Run `program` with fanlight beside it; 0 when its main code has ended.

    Raises what the program raises.  2 for a mistake on the command line or in
    the file of `--config`, 1 when it may not listen and `strict` is given: then
    the program has not been started.
    """
    try:
        app, remarks = app_for(wish)
        if not module:
            check_file(program)
    except (ConfigurationError, NoProgram) as mistake:
        say(str(mistake))
        return MISUSED
    for remark in remarks:
        say(remark)
    try:
        start(app, quiet=quiet)
    except ConfigurationError as mistake:  # in a file that the first one names
        say(str(mistake))
        return MISUSED
    except OSError as error:
        say(reason(error, app) + ("" if strict else "; the program runs without it"))
        if strict:
            return NOT_LISTENING
    run: Callable[[str, Sequence[str]], None] = run_module if module else run_file
    run(program, arguments)
    return 0


def start(app: App, *, quiet: bool) -> None:
    """Start the server, have it stopped at exit, and say where it listens.  Raises OSError when it cannot listen."""
    handle = fanlight_asyncio.start_in_thread(app)
    owner = os.getpid()

    def stop() -> None:
        # A fork inherits what is registered for the exit, but not the thread.
        if os.getpid() == owner:
            handle.stop(STOP_SECONDS)

    atexit.register(stop)
    if not quiet:
        for address in handle.addresses:
            say(address.url)


def say(line: str) -> None:
    """One line on standard error, which may be closed or full."""
    try:
        print(f"fanlight: {line}", file=sys.stderr, flush=True)
    except (OSError, ValueError):
        pass
