"""The throttle: how many wrong guesses a stranger may make (threats: T1).

Two buckets of tokens decide before any hash: one for a peer network and the
user name as sent, one for the network alone.  A failed check takes a token of
each, a success none.  Nothing about a bucket depends on whether the user
exists, and no bucket is the user's alone: nobody can lock somebody else out.

An attempt reserves its tokens before the check, so that parallel guesses get no
more than the burst.  It reads no clock and keeps no name for longer than it is
needed.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from ipaddress import ip_network

from attrs import frozen

from ..asks import Moment
from ..health.latch import Await, Latch

BUCKETS = 65_536
"""How many are kept; a full one says nothing and need not be."""
_WAITING = 64
"""How many attempts may wait for reserved tokens of one bucket."""
_LOOKED_AT = 64
_DUST = 1e-9  # adding up refills loses a little: what is so much short of a token is one

Key = str | tuple[str, str]


@frozen
class Rate:
    """A bucket holds `burst` tokens and gets one back every `refill` seconds; burst 0: no bucket at all."""

    burst: int
    refill: float


class Bucket:
    """Tokens, as of a moment; `reserved` ones are in the hands of attempts that are under way."""

    __slots__ = ("_tokens", "at", "rate", "reserved", "waiting")

    def __init__(self, rate: Rate, mono: float) -> None:
        self.rate = rate
        self.reserved = 0
        self.waiting: deque[Latch] = deque()
        self._tokens = float(rate.burst)
        self.at = mono

    def tokens(self, mono: float) -> float:
        """What is in it at `mono`, reserved ones included; time only moves forward."""
        if mono > self.at:
            self._tokens = min(float(self.rate.burst), self._tokens + (mono - self.at) / self.rate.refill)
            self.at = mono
        return self._tokens

    def delay(self, mono: float) -> float:
        """Seconds until there is a whole token; 0 when there is one."""
        missing = 1.0 - self.tokens(mono)
        return missing * self.rate.refill if missing > _DUST else 0.0

    def take(self, mono: float) -> None:
        """A check has failed."""
        self._tokens = max(0.0, self.tokens(mono) - 1.0)

    def idle(self, mono: float) -> bool:
        """Full and in nobody's hands: as good as none."""
        return not self.reserved and not self.waiting and self.tokens(mono) >= self.rate.burst

    def room(self, mono: float) -> bool:
        """Is there a token that nobody has reserved?"""
        return self.tokens(mono) - self.reserved >= 1.0 - _DUST

    def wake(self, mono: float) -> None:
        """Let the one who waits longest look again, if there is an answer for it: a token, or no hope."""
        if self.waiting and (self.room(mono) or self.delay(mono)):
            self.waiting.popleft().open()


class Throttle:
    """The buckets of a server, shared by all its listeners."""

    def __init__(self, named: Rate, peer: Rate, most: int = BUCKETS) -> None:
        self._named = named
        self._peer = peer
        self._most = most
        self._buckets: OrderedDict[Key, Bucket] = OrderedDict()
        self._overflowed = False

    def __len__(self) -> int:
        return len(self._buckets)

    def delay(self, network: str, user: str, mono: float) -> float:
        """Seconds until an attempt is allowed; 0: it is now.  Makes no bucket and takes nothing."""
        if not self._buckets:
            return 0.0
        return max((self._delay(key, mono) for key, _ in self._keys(network, user)), default=0.0)

    def _delay(self, key: Key, mono: float) -> float:
        bucket = self._buckets.get(key)
        if bucket is None and self._overflowed:
            bucket = self._buckets.get(_wider(key))
        return bucket.delay(mono) if bucket is not None else 0.0

    def peer_delay(self, network: str, mono: float) -> float:
        """The same for an attempt that no name goes with."""
        return self._delay(network, mono) if self._buckets and self._peer.burst else 0.0

    async def reserve(self, network: str, user: str) -> Reservation | float:
        """Reserve what a failure will cost; a number: the seconds until trying again makes sense.

        While every token that is left is in somebody's hands it waits, in
        order: whoever holds them may have the right password.
        """
        woken = False
        while True:
            mono = (await Moment()).mono
            held = [self._bucket(key, rate, mono) for key, rate in self._keys(network, user)]
            delay = max((bucket.delay(mono) for bucket in held), default=0.0)
            crowded = next((bucket for bucket in held if _crowded(bucket, woken, mono)), None)
            if delay or crowded is None:
                if not delay:
                    for bucket in held:
                        bucket.reserved += 1
                for bucket in held:
                    bucket.wake(mono)  # the next in line may fit as well, or is to be refused, too
                return delay or Reservation(self, tuple(held))
            if len(crowded.waiting) >= _WAITING:
                return 1.0
            await _wait_for(crowded, mono)
            woken = True

    def spend(self, network: str, mono: float) -> None:
        """A token was refused that no name goes with: the network's bucket pays."""
        if self._peer.burst:
            self._bucket(network, self._peer, mono).take(mono)

    def settle(self, mono: float) -> None:
        """Forget buckets at the old end of the table that say nothing."""
        for key in [key for key, _ in zip(self._buckets, range(_LOOKED_AT), strict=False)]:
            if self._buckets[key].idle(mono):
                del self._buckets[key]

    def _keys(self, network: str, user: str) -> list[tuple[Key, Rate]]:
        both: list[tuple[Key, Rate]] = [((network, user), self._named), (network, self._peer)]
        return [(key, rate) for key, rate in both if rate.burst]

    def _bucket(self, key: Key, rate: Rate, mono: float) -> Bucket:
        """The bucket of `key`, made if need be; in a table full of used ones, one for a wider network."""
        bucket = self._buckets.get(key)
        if bucket is None and len(self._buckets) >= self._most:
            self.settle(mono)
            if len(self._buckets) >= self._most:
                self._overflowed = True
                key = _wider(key) if len(self._buckets) < 2 * self._most else "overflow"
                bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = Bucket(rate, mono)
        self._buckets.move_to_end(key)
        return bucket


class Reservation:
    """A token of each bucket, in the hands of one attempt.  Ends by `release`, once."""

    __slots__ = ("_buckets", "_throttle")

    def __init__(self, throttle: Throttle, buckets: tuple[Bucket, ...]) -> None:
        self._throttle = throttle
        self._buckets = buckets

    def release(self, *, failed: bool) -> None:
        """The attempt is over; `failed`: the tokens are spent.

        Asks for no time, since it is called when nothing may be awaited any
        more: the moment of the latest look is late enough.
        """
        for bucket in self._buckets:
            bucket.reserved -= 1
            if failed:
                bucket.take(bucket.at)
            bucket.wake(bucket.at)
        self._throttle.settle(max((bucket.at for bucket in self._buckets), default=0.0))


async def _wait_for(bucket: Bucket, mono: float) -> None:
    """Stand in line; whoever leaves it hands a turn that it has got to the next."""
    latch = Latch()
    bucket.waiting.append(latch)
    try:
        await Await(latch)
    except BaseException:
        if latch.is_open:
            bucket.wake(mono)
        else:
            bucket.waiting.remove(latch)
        raise


def _crowded(bucket: Bucket, woken: bool, mono: float) -> bool:
    """All that is left is reserved, or others came before."""
    return not bucket.room(mono) or (bool(bucket.waiting) and not woken)


def _wider(key: Key) -> Key:
    """The key of the overflow bucket: all names together, networks by /16 (IPv4) or /48 (IPv6)."""
    network = key if isinstance(key, str) else key[0]
    address = network.partition("/")[0]
    wide = str(ip_network(f"{address}/{48 if ':' in address else 16}", strict=False)) if address else ""
    return f"overflow {wide}" if isinstance(key, str) else ("overflow", wide)
