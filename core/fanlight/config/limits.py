"""Every bound of the server, as one value, applied where all bytes pass.

This module holds numbers and their reasons.  It enforces nothing: the wire
machines, the connection and the server do, each in one place.
"""

from __future__ import annotations

from attrs import frozen

KIB = 1024
MIB = 1024 * KIB


@frozen(kw_only=True)
class Limits:
    """Bounds for all connections of a server.  Sizes in bytes, times in seconds.

    The defaults are those of spec listeners.md (L4.1, L5.1) and threats.md
    (T7, T8, T15, T19); decisions.md 7 settles the rest.
    """

    # Connections, before any request (T19).
    connections_per_peer: int = 256

    # Request heads (T19): size of the whole head, of one field, number of fields.
    head_bytes: int = 64 * KIB
    target_bytes: int = 16 * KIB
    field_bytes: int = 16 * KIB
    fields: int = 128

    # Request bodies (L4.1) and what is read of one that nobody wants (L4.1).
    body_bytes: int = 5 * MIB
    unread_body_bytes: int = 256 * KIB
    chunk_extension_bytes: int = 256
    trailer_bytes: int = 16 * KIB

    # Buffers: output not yet taken by the socket, input not yet asked for.
    high_water: int = 64 * KIB
    input_bytes: int = 64 * KIB

    # WebSocket: one message after authentication, one before it (T7), fragments.
    message_bytes: int = 5 * MIB
    first_message_bytes: int = 64 * KIB
    first_message_fragments: int = 128
    first_messages: int = 256
    first_messages_per_peer: int = 16
    message_overhead_bytes: int = 16 * MIB
    waiting_messages: int = 32
    waiting_bytes: int = MIB

    # SUBSCRIBE: clients at once (decisions.md 7), and what is kept of one query's rows.
    subscriptions: int = 2000
    subscription_rows: int = 100_000
    subscription_bytes: int = 64 * MIB
    subscriptions_bytes: int = 256 * MIB

    # HTTP/2 abuse, counted over `flood_window` seconds (T15).
    streams: int = 100
    resets: int = 200
    control_frames: int = 500
    empty_frames: int = 200
    flood_window: float = 10.0

    # Work for one input, in events, before the host's loop gets its turn.
    events_per_turn: int = 64

    # Deadlines (L5.1, T8).
    proxy_header: float = 5.0
    tls_handshake: float = 10.0
    request_head: float = 10.0
    first_message: float = 10.0
    verification: float = 30.0
    body_progress: float = 30.0
    write_progress: float = 30.0
    progress_bytes: int = 8 * KIB  # so much, or all there is, is progress: 273 bytes a second, as others ask for too
    keep_alive: float = 75.0
    linger: float = 2.0
    cleanup: float = 10.0
    grace: float = 10.0
