"""fanlight inside a trio program: one line in a nursery.

Run it, then open the address that it prints.
"""

import sys

import trio

import fanlight_trio
from fanlight import App, Listener

ADDRESS = sys.argv[1] if sys.argv[1:] else "127.0.0.1:6876"


async def work() -> None:
    """Stands for the program."""
    await trio.to_thread.run_sync(input, "press Enter to end\n")


async def main() -> None:
    app = App(listeners=(Listener("main", ADDRESS),))
    async with trio.open_nursery() as nursery:
        bound = await nursery.start(fanlight_trio.serve, app)
        print(bound[0].url)
        await work()
        nursery.cancel_scope.cancel()


if __name__ == "__main__":
    trio.run(main)
