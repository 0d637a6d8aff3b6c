"""fanlight inside an asyncio program: one task.

Run it, then open the address that it prints.
"""

import asyncio
import sys

import fanlight_asyncio
from fanlight import App, Listener

ADDRESS = sys.argv[1] if sys.argv[1:] else "127.0.0.1:6876"


async def work() -> None:
    """Stands for the program."""
    await asyncio.to_thread(input, "press Enter to end\n")


async def main() -> None:
    app = App(listeners=(Listener("main", ADDRESS),))
    server = asyncio.create_task(fanlight_asyncio.serve(app, ready=lambda bound: print(bound[0].url)))
    await work()
    server.cancel()


if __name__ == "__main__":
    asyncio.run(main())
