"""`fanlight.workers`: ids, names, addresses, and what a registry refuses."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanlight.config.listeners import Address
from fanlight.config.settings import ConfigurationError
from fanlight.workers import SELF, WorkerRegistry, local_address


def test_the_process_itself_is_there_from_the_start() -> None:
    registry = WorkerRegistry()
    assert registry.replicas == (SELF,)
    assert (SELF.cluster.id, SELF.id, SELF.full_name, SELF.addresses()) == ("s1", "s1", "process.r1", (None,))
    assert list(registry.remote) == []
    assert (registry.cluster_name("s1"), registry.replica_name("s1", "s1")) == ("process", "r1")


def test_ids_count_clusters_and_replicas_together() -> None:
    registry = WorkerRegistry()
    cluster = registry.add_cluster("quickstart")
    first = registry.add_replica(cluster, "r1", ["unix:/run/shop/0.sock", "127.0.0.1:7000"])
    second = registry.add_replica("quickstart", "r2", [])
    assert (cluster.id, first.id, second.id) == ("u1", "u2", "u3")
    assert [(replica.id, number, address) for replica, number, address in registry.remote] == [
        ("u2", 0, Address(path="/run/shop/0.sock")),
        ("u2", 1, Address("127.0.0.1", 7000)),
    ]
    assert (registry.cluster_name("u1"), registry.replica_name("u1", "u2")) == ("quickstart", "r1")
    assert (registry.cluster_name("u2"), registry.replica_name("u2", "u2")) == (None, None)


def test_ids_that_the_program_brings_are_never_given_again() -> None:
    registry = WorkerRegistry()
    registry.add_cluster("a", id="u1")
    registry.add_cluster("b", id="u2")
    assert registry.add_cluster("c").id == "u3"
    with pytest.raises(ValueError, match="is taken"):
        registry.add_cluster("d", id="u2")
    for bad in ("", "x1", "u", "u01", "u-1", "u1 ", f"u{1 << 64}", "s1"):
        with pytest.raises(ValueError, match="id"):
            registry.add_cluster("d", id=bad)


def test_names_are_one_of_their_kind() -> None:
    registry = WorkerRegistry()
    registry.add_cluster("a")
    registry.add_replica("a", "r1", [])
    with pytest.raises(ValueError, match="already"):
        registry.add_cluster("a")
    with pytest.raises(ValueError, match="already"):
        registry.add_cluster("process")
    with pytest.raises(ValueError, match="already"):
        registry.add_replica("a", "r1", [])
    for bad in ("", "a\nb", "x" * 256):
        with pytest.raises(ValueError, match="name"):
            registry.add_cluster(bad)
    with pytest.raises(ValueError, match="no such cluster"):
        registry.add_replica("b", "r1", [])
    with pytest.raises(ValueError, match="itself"):
        registry.add_replica("process", "r2", [])


def test_an_unknown_cluster_object_is_refused() -> None:
    stranger = WorkerRegistry().add_cluster("elsewhere")
    with pytest.raises(ValueError, match="no such cluster"):
        WorkerRegistry().add_replica(stranger, "r1", [])


@pytest.mark.parametrize(
    "text",
    [
        "10.0.0.1:80",
        "0.0.0.0:80",
        "[::]:80",
        "localhost:80",
        "127.0.0.1:0",
        "127.0.0.1",
        "unix:",
        "http://127.0.0.1:80",
        "169.254.169.254:80",
        "[::ffff:10.0.0.1]:80",
    ],
)
def test_workers_are_on_this_machine_only(text: str) -> None:
    with pytest.raises(ConfigurationError):
        local_address(text)


@pytest.mark.parametrize("text", ["unix:/a", "127.0.0.1:1", "127.9.9.9:65535", "[::1]:80"])
def test_addresses_are_read_and_written(text: str) -> None:
    assert str(local_address(text)) == text


def test_a_bad_address_is_refused_when_it_is_registered() -> None:
    registry = WorkerRegistry()
    registry.add_cluster("a")
    with pytest.raises(ConfigurationError):
        registry.add_replica("a", "r", ["unix:/a", "10.0.0.1:80"])
    with pytest.raises(ConfigurationError):
        registry.add_replica("a", "r", "unix:/a")
    assert registry.replicas == (SELF,)


def test_addresses_may_come_late() -> None:
    registry = WorkerRegistry()
    registry.add_cluster("a")
    known: list[str] = []

    def locate() -> Sequence[str]:
        if len(known) > 2:
            raise OSError("the supervisor is gone")
        return known

    replica = registry.add_replica("a", "r", locate)
    assert replica.addresses() == ()
    known += ["unix:/a", "10.0.0.1:80"]
    assert replica.addresses() == (Address(path="/a"), None)
    known += ["more"]
    assert replica.addresses() == ()


def test_what_is_removed_is_gone() -> None:
    registry = WorkerRegistry()
    cluster = registry.add_cluster("a")
    replica = registry.add_replica(cluster, "r1", [])
    registry.add_replica(cluster, "r2", [])
    registry.remove_replica(replica)
    registry.remove_replica(replica)
    assert [each.name for each in registry.replicas] == ["r1", "r2"]  # its own, and the other
    registry.remove_cluster(cluster)
    registry.remove_cluster(cluster)
    registry.remove_replica(SELF)
    registry.remove_cluster(SELF.cluster)
    assert registry.replicas == (SELF,)
    assert registry.clusters == (SELF.cluster,)


def test_system_clusters_come_first_then_names() -> None:
    registry = WorkerRegistry()
    for name, id_ in (("b", None), ("a", None), ("z", "s7")):
        registry.add_replica(registry.add_cluster(name, id=id_), "r", [])
    registry.add_replica("a", "q", [])
    assert [each.full_name for each in registry.replicas] == ["process.r1", "z.r", "a.q", "a.r", "b.r"]


@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("pqr"), st.booleans())))
def test_ids_are_never_given_twice(steps: list[tuple[str, str, bool]]) -> None:
    registry = WorkerRegistry()
    given_ids: list[str] = [registry.add_cluster(name).id for name in "ab"]
    for cluster, name, remove in steps:
        found = [each for each in registry.replicas if each.full_name == f"{cluster}.{name}"]
        if found and remove:
            registry.remove_replica(found[0])
        elif not found:
            given_ids.append(registry.add_replica(cluster, name, []).id)
    assert len(set(given_ids)) == len(given_ids)
