"""Waiting for an occasion in an asyncio task."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fanlight.health.occasion import Occasion


async def happened(occasion: Occasion) -> None:
    """Wait until `occasion` has happened, in whichever thread it does."""
    event = asyncio.Event()
    loop = asyncio.get_running_loop()

    def told() -> None:
        try:
            loop.call_soon_threadsafe(event.set)
        except RuntimeError:
            pass  # the loop is closed: nobody waits any more

    forget = occasion.watch(told)
    try:
        await event.wait()
    finally:
        forget()
