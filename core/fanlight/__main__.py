"""`python -m fanlight`: the same as the command `fanlight`.

Holds nothing itself: the command line is a stratum of its own, above the
core, and this is the only place where the core names it.
"""

from __future__ import annotations

import sys


def main() -> int:
    """Hand over to the command line; return its exit code."""
    # Imported here so that nothing but this command loads it.
    from fanlight_cli import main as command

    return command()


if __name__ == "__main__":
    sys.exit(main())
