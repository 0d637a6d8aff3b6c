"""What all tests share: the Hypothesis profiles.

`ci` (chosen when the variable CI is set) draws the same examples each time, so
a red build can be repeated; `local` draws fresh ones.  Neither has a deadline
per example: the machine may be slow, and a timed test tests the machine.
"""

from __future__ import annotations

import os

from hypothesis import settings

settings.register_profile("local", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")
