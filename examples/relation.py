"""A program that publishes a relation of its own: two lines, and SQL can read it.

Run it, then ask:

    curl -s 127.0.0.1:6876/api/sql -H 'content-type: application/json' \\
      -d '{"query": "select * from jobs where state = $$waiting$$"}'
"""

import asyncio
import sys
from datetime import UTC, datetime

import fanlight_asyncio
from fanlight import App, Listener

ADDRESS = sys.argv[1] if sys.argv[1:] else "127.0.0.1:6876"
JOBS = {
    17: ("waiting", datetime(2026, 5, 1, 9, 30, tzinfo=UTC)),
    18: ("running", datetime(2026, 5, 1, 9, 31, tzinfo=UTC)),
    19: ("waiting", datetime(2026, 5, 1, 9, 33, tzinfo=UTC)),
}


async def main() -> None:
    app = App(listeners=(Listener("main", ADDRESS),))

    @app.relation(id=int, state=str, since=datetime)
    def jobs() -> list[tuple[int, str, datetime]]:
        return [(number, state, since) for number, (state, since) in JOBS.copy().items()]

    server = asyncio.create_task(fanlight_asyncio.serve(app, ready=lambda bound: print(bound[0].url)))
    await asyncio.to_thread(input, "press Enter to end\n")
    server.cancel()


if __name__ == "__main__":
    asyncio.run(main())
