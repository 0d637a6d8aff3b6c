"""The registry of workers: clusters, their replicas, and where the processes of each listen.

A cluster is a group of worker processes, a replica one supervised set of them,
a process one address in it.  This process itself is the first of all, system
cluster `s1` with replica `s1` and process 0, and needs no socket.  The registry
starts nothing, watches nothing and never connects anywhere.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import count

from attrs import field, frozen

from .config.listeners import Address, parse_address
from .config.settings import ConfigurationError

OWN = "s1"
"""The id of the cluster and of the replica that this process is."""
OWN_CLUSTER_NAME = "process"
OWN_REPLICA_NAME = "r1"

Locate = Callable[[], Sequence[str]]
"""Where the processes of a replica listen just now; asked anew for each request, so it must be cheap."""

_ID = re.compile(r"[su](?:0|[1-9][0-9]{0,19})")
_NAME = re.compile(r"[^\x00-\x1f\x7f]{1,255}")


@frozen
class Cluster:
    """A group of worker processes."""

    id: str
    name: str


@frozen
class Replica:
    """One set of processes of a cluster; `locate` is None for the process itself."""

    id: str
    name: str
    cluster: Cluster
    locate: Locate | None = field(default=None, eq=False, repr=False)

    @property
    def full_name(self) -> str:
        """`cluster.replica`, by name."""
        return f"{self.cluster.name}.{self.name}"

    def addresses(self) -> tuple[Address | None, ...]:
        """Where its processes listen, in order; None for one whose address is of no use.

        The process itself has one process without an address.  Empty as well
        where the program cannot tell just now: whatever it raises.
        """
        if self.locate is None:
            return (None,)
        try:
            return tuple(map(_address, self.locate()))
        except Exception:  # noqa: BLE001  the host's own function: a replica that nobody can find, no more
            return ()


def local_address(text: str) -> Address:
    """`unix:PATH`, or `IP:PORT` with a loopback address and a port; else `ConfigurationError`.

    Workers are asked in the clear and without credentials, so never over a network.
    """
    address = parse_address(text)
    if not address.loopback or (address.path is None and not address.port):
        raise ConfigurationError("address", "a worker listens on a Unix socket or on a loopback address")
    return address


def _address(text: str) -> Address | None:
    try:
        return local_address(text)
    except ConfigurationError:
        return None


SELF = Replica(OWN, OWN_REPLICA_NAME, Cluster(OWN, OWN_CLUSTER_NAME))
"""This process."""


class WorkerRegistry:
    """What the program told about its worker processes.  Each method may be called from any thread.

    Ids are `u1`, `u2`, … as they come, of clusters and replicas together,
    unless the program brings its own (`s` or `u` and a number).
    """

    def __init__(self) -> None:
        self._serials = count(1)
        self._clusters: dict[str, Cluster] = {OWN: SELF.cluster}
        self._replicas: dict[tuple[str, str], Replica] = {(OWN, OWN): SELF}

    def add_cluster(self, name: str, *, id: str | None = None) -> Cluster:  # noqa: A002 - what it is
        """A new cluster.  Raises `ValueError` for a name or an id that is malformed or taken."""
        _check_name(name)
        if any(cluster.name == name for cluster in list(self._clusters.values())):
            raise ValueError(f"there is a cluster {name!r} already")
        cluster = Cluster(self._id(id, self._clusters), name)
        if self._clusters.setdefault(cluster.id, cluster) is not cluster:
            raise ValueError(f"the id {cluster.id} is taken")
        return cluster

    def add_replica(
        self,
        cluster: Cluster | str,
        name: str,
        addrs: Sequence[str] | Locate,
        *,
        id: str | None = None,  # noqa: A002 - what it is
    ) -> Replica:
        """A new replica of `cluster` (itself or its name), with the address of each process in order.

        `addrs` are texts as `local_address` takes them, or a function that
        returns them, for processes that start late.  Raises `ValueError` for an
        unknown cluster, a name or id that is malformed or taken in it, and
        `ConfigurationError` (a ValueError) for an address.
        """
        owner = self._cluster(cluster)
        _check_name(name)
        if owner.id == OWN:
            raise ValueError("the process itself has no other replicas")
        if any(each.name == name for each in self.replicas if each.cluster == owner):
            raise ValueError(f"{owner.name} has a replica {name!r} already")
        taken = [known for cluster_id, known in list(self._replicas) if cluster_id == owner.id]
        replica = Replica(self._id(id, taken), name, owner, addrs if callable(addrs) else _fixed(addrs))
        self._replicas[owner.id, replica.id] = replica
        return replica

    def remove_replica(self, replica: Replica) -> None:
        """Forget a replica; one that is not there is fine."""
        if replica.cluster.id != OWN:
            self._replicas.pop((replica.cluster.id, replica.id), None)

    def remove_cluster(self, cluster: Cluster) -> None:
        """Forget a cluster and all of its replicas; one that is not there is fine."""
        if cluster.id != OWN:
            for replica in self.replicas:
                if replica.cluster.id == cluster.id:
                    self.remove_replica(replica)
            self._clusters.pop(cluster.id, None)

    @property
    def clusters(self) -> tuple[Cluster, ...]:
        """Every cluster, this process's own first, then in the order of coming."""
        return tuple(self._clusters.values())

    @property
    def replicas(self) -> tuple[Replica, ...]:
        """Every replica: those of system clusters first, then by the names of cluster and replica."""
        return tuple(sorted(self._replicas.values(), key=_place))

    @property
    def remote(self) -> Iterator[tuple[Replica, int, Address | None]]:
        """Every process but this one, with its number in its replica and where it listens now."""
        for replica in self.replicas:
            if replica.locate is not None:
                for number, address in enumerate(replica.addresses()):
                    yield replica, number, address

    def cluster_name(self, cluster_id: str) -> str | None:
        """The name of the cluster with that id; None for none."""
        cluster = self._clusters.get(cluster_id)
        return cluster.name if cluster is not None else None

    def replica(self, cluster_id: str, replica_id: str) -> Replica | None:
        """The replica with these ids; None for none."""
        return self._replicas.get((cluster_id, replica_id))

    def replica_name(self, cluster_id: str, replica_id: str) -> str | None:
        """The name of the replica with these ids; None for none."""
        replica = self._replicas.get((cluster_id, replica_id))
        return replica.name if replica is not None else None

    def _cluster(self, given: Cluster | str) -> Cluster:
        found = [each for each in self.clusters if each == given or each.name == given]
        if not found:
            raise ValueError("there is no such cluster")
        return found[0]

    def _id(self, given: str | None, taken: Sequence[str] | dict[str, Cluster]) -> str:
        if given is None:
            return next(fresh for fresh in (f"u{number}" for number in self._serials) if fresh not in taken)
        if not _ID.fullmatch(given) or int(given[1:]) >= 1 << 64:
            raise ValueError("an id is `s` or `u` and a number of 64 bits")
        if given in taken:
            raise ValueError(f"the id {given} is taken")
        return given


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise ValueError("a name is 1 to 255 characters without controls")


def _fixed(addrs: Sequence[str]) -> Locate:
    """Addresses that never change, checked once."""
    if isinstance(addrs, str):
        raise ConfigurationError("addrs", "expected a list of addresses, got one string")
    known = tuple(addrs)
    for text in known:
        local_address(text)
    return lambda: known


def _place(replica: Replica) -> tuple[bool, str, str]:
    return not replica.cluster.id.startswith("s"), replica.cluster.name, replica.name
