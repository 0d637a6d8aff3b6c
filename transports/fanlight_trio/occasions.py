"""Waiting for an occasion in a trio task."""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

if TYPE_CHECKING:
    from fanlight.health.occasion import Occasion


async def happened(occasion: Occasion) -> None:
    """Wait until `occasion` has happened, in whichever thread it does."""
    event = trio.Event()
    token = trio.lowlevel.current_trio_token()

    def told() -> None:
        try:
            token.run_sync_soon(event.set)
        except trio.RunFinishedError:
            pass  # nobody waits any more

    forget = occasion.watch(told)
    try:
        await event.wait()
    finally:
        forget()
