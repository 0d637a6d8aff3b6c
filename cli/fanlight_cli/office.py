"""A sample service to look into: a parcel office that is always busy.

A clerk takes parcels in, sorters look addresses up and write a ledger, a
janitor throws old things away, an auditor computes in a worker thread.  So
there are tasks that wait on different things, a queue that fills and drains,
memory that grows and shrinks, log records and Prometheus metrics.

Knows nothing of fanlight: this is the part that any program would have anyway.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import random
import time
from collections import OrderedDict, deque
from collections.abc import Iterator

from attrs import frozen
from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram

log = logging.getLogger("office")

TOWNS = ("Aarhus", "Bergen", "Cádiz", "Delft", "Évora", "Faro", "Graz", "Heraklion", "Izmir", "Jena")
CACHE_SIZE = 1_000
LEDGER_SIZE = 50_000


@frozen
class Parcel:
    """One parcel: what the clerk writes on it."""

    number: int
    town: str
    street: int
    grams: int
    taken: float


@frozen
class Entry:
    """One line of the ledger: where a parcel went and how long that took, in seconds."""

    parcel: Parcel
    sorter: str
    shelf: str
    seconds: float


class Address:
    """What a look-up of an address finds; a few hundred bytes, so that the cache is worth profiling."""

    def __init__(self, town: str, street: int) -> None:
        self.label = f"{street} Harbour Street, {town}"
        self.route = [f"{town[:2].upper()}-{street * step % 977:03d}" for step in range(1, 9)]

    def shelf(self) -> str:
        """The shelf for parcels to this address."""
        return self.route[-1]


class Figures:
    """The service's own metrics, as any program with prometheus_client has them."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.parcels = Counter("office_parcels", "Parcels, by what became of them.", ["outcome"], registry=registry)
        self.waiting = Gauge("office_queue_parcels", "Parcels that wait for a sorter.", registry=registry)
        self.cached = Gauge("office_cached_addresses", "Addresses held in memory.", registry=registry)
        self.ledger = Gauge("office_ledger_entries", "Lines of the ledger held in memory.", registry=registry)
        self.handling = Histogram(
            "office_handling_seconds", "From the counter to the shelf.", ["town"], registry=registry
        )


class Office:
    """The whole service; `run` works until it is cancelled.

    `pace` is the mean pause in seconds between two deliveries at the counter.
    """

    def __init__(self, *, registry: CollectorRegistry = REGISTRY, sorters: int = 4, pace: float = 0.05) -> None:
        self.figures = Figures(registry)
        self.sorters = sorters
        self.pace = pace
        self.queue: asyncio.Queue[Parcel] = asyncio.Queue(maxsize=500)
        self.addresses: OrderedDict[tuple[str, int], Address] = OrderedDict()
        self.ledger: deque[Entry] = deque()
        self.chance = random.Random(6876)
        self.number = 0

    async def run(self) -> None:
        """Open the office.  Returns only by being cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.clerk(), name="clerk")
            for sorter in range(1, self.sorters + 1):
                group.create_task(self.sorter(f"sorter-{sorter}"), name=f"sorter-{sorter}")
            group.create_task(self.janitor(), name="janitor")
            group.create_task(self.auditor(), name="auditor")

    async def clerk(self) -> None:
        """Take deliveries in: a few parcels at a time, sometimes a whole van."""
        while True:
            await asyncio.sleep(self.chance.expovariate(1 / self.pace))
            van = self.chance.random() < 0.02
            for _ in range(200 if van else self.chance.randint(1, 4)):
                await self.queue.put(self.parcel())
            if van:
                log.info("a van has come: %d parcels wait", self.queue.qsize())
            self.figures.waiting.set(self.queue.qsize())

    def parcel(self) -> Parcel:
        """The next parcel."""
        self.number += 1
        chance = self.chance
        street = int(chance.paretovariate(0.6)) % 2_000
        return Parcel(self.number, chance.choice(TOWNS), street, chance.randint(50, 9_000), time.time())

    async def sorter(self, name: str) -> None:
        """Put one parcel after the other on its shelf."""
        while True:
            parcel = await self.queue.get()
            address = await self.find(parcel.town, parcel.street)
            if parcel.grams > 8_950:
                log.warning("parcel %d is too heavy for shelf %s: %d g", parcel.number, address.shelf(), parcel.grams)
                self.figures.parcels.labels("refused").inc()
                continue
            seconds = time.time() - parcel.taken
            self.ledger.append(Entry(parcel, name, address.shelf(), seconds))
            self.figures.parcels.labels("sorted").inc()
            self.figures.handling.labels(parcel.town).observe(seconds)

    async def find(self, town: str, street: int) -> Address:
        """Look an address up: at once when it is remembered, else by asking the register, which is slow."""
        known = self.addresses.get((town, street))
        if known is None:
            await asyncio.sleep(self.chance.uniform(0.005, 0.06))
            known = self.addresses[town, street] = Address(town, street)
        self.addresses.move_to_end((town, street))
        return known

    async def janitor(self) -> None:
        """Forget old addresses and old lines of the ledger, in gulps, so that memory goes up and down."""
        while True:
            await asyncio.sleep(5)
            if len(self.addresses) > CACHE_SIZE or self.chance.random() < 0.1:
                self.forget()
            while len(self.ledger) > LEDGER_SIZE:
                self.ledger.popleft()
            self.figures.cached.set(len(self.addresses))
            self.figures.ledger.set(len(self.ledger))

    def forget(self) -> None:
        """Drop the half of the addresses that was not asked for lately."""
        half = len(self.addresses) // 2
        for _ in range(half):
            self.addresses.popitem(last=False)
        log.info("forgot %d addresses", half)

    async def auditor(self) -> None:
        """Sign the newest lines of the ledger: real work for the processor, in a thread."""
        while True:
            await asyncio.sleep(2)
            newest = list(self.ledger)[-2_000:]
            seal = await asyncio.to_thread(sign, newest)
            log.debug("signed %d lines: %s", len(newest), seal[:8])

    def shelves(self) -> Iterator[tuple[str, int, int, float]]:
        """Town, parcels, grams and mean handling seconds, over the ledger; safe in any thread."""
        sums: dict[str, list[float]] = {}
        for entry in self.ledger.copy():
            row = sums.setdefault(entry.parcel.town, [0, 0, 0.0])
            row[0] += 1
            row[1] += entry.parcel.grams
            row[2] += entry.seconds
        return ((town, int(count), int(grams), total / count) for town, (count, grams, total) in sorted(sums.items()))


def sign(entries: list[Entry]) -> str:
    """A digest over ledger lines, slow on purpose."""
    digest = hashlib.blake2b()
    for entry in entries:
        digest.update(hashlib.scrypt(entry.shelf.encode(), salt=b"ledger", n=2, r=8, p=1, dklen=16))
    return digest.hexdigest()
