"""fanlight under trio: `await nursery.start(fanlight_trio.serve, app)`."""

from .occasions import happened as happened
from .server import serve as serve
