"""The command line: `fanlight run` puts fanlight beside any program, `fanlight demo` shows it.

This stratum puts the parts together and holds nothing that a program which
embeds fanlight would also need.  Here is only the way in; what the words on the
command line mean is in `commands`.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

__all__ = ["main"]

NO_CLICK = "fanlight: the command line needs click; install it with: pip install 'fanlight[cli]'"


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what `arguments` (default: those of the process) say; return the exit code.

    `fanlight run` does not return when the program it runs raises: SystemExit,
    KeyboardInterrupt and everything else go on to the interpreter.
    """
    try:
        from .commands import understand
    except ModuleNotFoundError as missing:
        if missing.name != "click":
            raise
        print(NO_CLICK, file=sys.stderr)
        return 2
    job = understand(sys.argv[1:] if arguments is None else arguments)
    return job if isinstance(job, int) else job()
