"""All attacks by name."""

from __future__ import annotations

from collections.abc import Callable

from bench.attacks import http1, http2, websocket

Attack = Callable[[int, float], str]
"""Attacks the server on a loopback port until a moment of the monotonic clock; says what came of it."""

ATTACKS: dict[str, Attack] = {**http1.ATTACKS, **http2.ATTACKS, **websocket.ATTACKS}
