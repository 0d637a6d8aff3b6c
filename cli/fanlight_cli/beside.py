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

from .listening import Wish, app_for
from .program import NoProgram, check_file, run_file, run_module

MISUSED = 2
NOT_LISTENING = 1


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
    listening = start(app, quiet=quiet)
    if strict and not listening:
        return NOT_LISTENING
    run: Callable[[str, Sequence[str]], None] = run_module if module else run_file
    run(program, arguments)
    return 0


def start(app: App, *, quiet: bool) -> bool:
    """Start the server and say where it listens; False, and a line that says why, when it cannot."""
    try:
        handle = fanlight_asyncio.start_in_thread(app)
    except OSError as error:
        say(f"cannot listen ({error.strerror or error}); the program is not looked into")
        return False
    owner = os.getpid()

    def stop() -> None:
        # A fork inherits what is registered for the exit, but not the thread.
        if os.getpid() == owner:
            handle.stop()

    atexit.register(stop)
    if not quiet:
        for address in handle.addresses:
            say(address.url)
    return True


def say(line: str) -> None:
    """One line on standard error, which may be closed or full."""
    try:
        print(f"fanlight: {line}", file=sys.stderr, flush=True)
    except (OSError, ValueError):
        pass
