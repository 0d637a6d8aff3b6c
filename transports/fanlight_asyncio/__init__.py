"""fanlight under asyncio: `await serve(app)` in your loop, or `start_in_thread(app)` beside anything."""

from .occasions import happened as happened
from .server import serve as serve
from .thread import Running as Running
from .thread import start_in_thread as start_in_thread
