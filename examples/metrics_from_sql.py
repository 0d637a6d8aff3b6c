"""A program whose metrics come from SQL: a relation, a query over it, and Prometheus scrapes the result.

Run it, then ask:

    curl -s 127.0.0.1:6876/metrics/shop
"""

import asyncio
import sys

import fanlight_asyncio
from fanlight import App, Listener, MetricQuery, MetricQuerySet

ADDRESS = sys.argv[1] if sys.argv[1:] else "127.0.0.1:6876"
JOBS = {17: ("mail", "waiting"), 18: ("mail", "running"), 19: ("print", "waiting"), 20: ("mail", "waiting")}

SHOP = MetricQuerySet(
    "shop",
    (
        MetricQuery(
            metric_name="shop_jobs",
            help="Jobs by queue and state.",
            query="SELECT queue, state, count(*) AS value FROM jobs GROUP BY ALL ORDER BY ALL",
        ),
        MetricQuery(
            metric_name="shop_waiting_tasks",
            help="Tasks of the program that wait.",
            query="SELECT count(*) AS value FROM process.tasks WHERE state = 'waiting'",
        ),
    ),
)


async def main() -> None:
    app = App(listeners=(Listener("main", ADDRESS),))
    app.metrics_from_sql(SHOP)

    @app.relation(id=int, queue=str, state=str)
    def jobs() -> list[tuple[int, str, str]]:
        return [(number, queue, state) for number, (queue, state) in JOBS.copy().items()]

    server = asyncio.create_task(fanlight_asyncio.serve(app, ready=lambda bound: print(bound[0].url)))
    await asyncio.to_thread(input, "press Enter to end\n")
    server.cancel()


if __name__ == "__main__":
    asyncio.run(main())
