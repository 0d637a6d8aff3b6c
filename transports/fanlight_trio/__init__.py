"""fanlight under trio: `await nursery.start(fanlight_trio.serve, app)`."""

from .server import serve as serve
