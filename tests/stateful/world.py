"""A small app whose routes do every kind of thing a routine can do, and effects that a test answers.

Shared by the stateful machines: what is acquired must be released, whatever
happens to the client.
"""

from __future__ import annotations

from attrs import frozen

from fanlight import App, Effect, Limits, Listener, Race, Request, Response, SendBody, Sleep
from fanlight.http.websocket import AcceptWebSocket, NextMessage, PeerClosed, SendMessage

PLAIN = (("content-type", "text/plain"),)
SECRET = "correct-horse-battery"  # in exceptions of ours: must never reach a client
CREDENTIAL = "staple-of-ada"  # from a client: must never reach a note
CHUNK = 8 * 1024
LIMITS = Limits(
    high_water=32 * 1024, input_bytes=16 * 1024, body_bytes=64 * 1024, message_bytes=64 * 1024, events_per_turn=8
)


@frozen
class Acquire(Effect[int]):
    """Something that must be given back."""

    path: str


@frozen
class Release(Effect[None]):
    """Gives it back."""

    held: int


@frozen
class Work(Effect[str]):
    """Takes as long as the test likes."""

    path: str


def app(limits: Limits = LIMITS) -> App:
    """Routes: `/now`, `/echo`, `/wait`, `/race`, `/stream`, `/hold`, `/bug`, and the WebSocket `/ws`."""
    made = App(listeners=(Listener("main", "127.0.0.1:6876"),), pages=False, limits=limits)

    @made.route("GET", "/now")
    async def now(request: Request) -> Response:
        return Response(200, PLAIN, b"now")

    @made.route("POST", "/echo")
    async def echo(request: Request) -> Response:
        return Response(200, PLAIN, await request.body())

    @made.route("GET", "/wait")
    async def wait(request: Request) -> Response:
        return Response(200, PLAIN, (await Work("/wait")).encode())

    @made.route("GET", "/race")
    async def race(request: Request) -> Response:
        winner, _ = await Race((Work("/race"), Sleep(3.0)))
        return Response(200, PLAIN, b"%d" % winner)

    @made.route("GET", "/stream")
    async def stream(request: Request) -> Response:
        async def produce() -> None:
            for _ in range(12):
                await SendBody(b"x" * CHUNK)
                await Sleep(0)

        return Response(200, PLAIN, produce)

    @made.route("POST", "/hold")
    async def hold(request: Request) -> Response:
        held = await Acquire("/hold")
        try:
            return Response(200, PLAIN, await request.body())
        finally:
            await Release(held)

    @made.route("GET", "/bug")
    async def bug(request: Request) -> Response:
        await Work("/bug")
        raise ValueError(SECRET)

    @made.route("GET", "/ws", group="ws", websocket=True)
    async def ws(request: Request) -> Response | None:
        await AcceptWebSocket(limit=32 * 1024)
        held = await Acquire("/ws")
        try:
            while not isinstance(message := await NextMessage(), PeerClosed):
                await SendMessage(message)
        finally:
            await Release(held)
        return None

    return made
