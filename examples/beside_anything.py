"""fanlight beside a program that has no event loop and blocks its main thread.

The server has a thread of its own and answers all the same.  Without changing
the program at all: `fanlight run program.py`.
"""

import sys

import fanlight_asyncio
from fanlight import App, Listener

ADDRESS = sys.argv[1] if sys.argv[1:] else "127.0.0.1:6876"


def work() -> None:
    """Stands for the program: whatever blocks."""
    input("press Enter to end\n")


def main() -> None:
    server = fanlight_asyncio.start_in_thread(App(listeners=(Listener("main", ADDRESS),)))
    print(server.addresses[0].url)
    work()
    server.stop()


if __name__ == "__main__":
    main()
