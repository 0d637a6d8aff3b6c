"""`fanlight.federation.merging`: labelled, enriched, merged; and whatever workers answer, a text that scrapers take."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from fanlight.catalog.catalog import Catalog
from fanlight.federation import merging
from fanlight.federation.effects import RULES, NoReply, Replied, Reply, finish
from fanlight.federation.merging import Digested, Merged, up
from fanlight.federation.rules import Directory, Rules, encode_rules, read_rules
from fanlight.observe.names import help_text, labels_text
from fanlight.observe.negotiation import OPENMETRICS, PROTOBUF, TEXT
from fanlight.workers import Replica, WorkerRegistry


def house() -> tuple[Directory, Replica]:
    workers = WorkerRegistry()
    replica = workers.add_replica(workers.add_cluster("quickstart"), "r1", ["unix:/0", "unix:/1"])
    return Directory(workers, Catalog()), replica


DIRECTORY, REPLICA = house()
IDS = 'cluster_id="u1",cluster_name="quickstart"'


def reply(text: str | bytes, kind: str = TEXT.content_type, *more: tuple[str, str], status: int = 200) -> Replied:
    body = text.encode() if isinstance(text, str) else text
    return Replied(status, (("content-type", kind), *more), body)


def digest(answer: Reply, replica: Replica, process: int, directory: Directory) -> Digested:
    return finish(merging.digest(answer, replica, process, directory))


def digested(text: str, *more: tuple[str, str], process: int = 0) -> Digested:
    return digest(reply(text, TEXT.content_type, *more), REPLICA, process, DIRECTORY)


def lines(text: str, *more: tuple[str, str]) -> list[str]:
    return [line for part in digested(text, *more).parts.values() for line in part.lines.decode().split("\n") if line]


def merged(own: str, *others: Digested, rules: Rules | None = None, cut: int = 1 << 20) -> tuple[str, list[str]]:
    data = own.encode()
    slices = [data[at : at + cut] for at in range(0, len(data), cut)]
    conflicts: list[str] = []
    made = Merged(slices, [each.parts for each in others], rules or {}, DIRECTORY, conflicts.append)
    found: list[bytes] = []
    while not made.ended:
        found.append(next(made))
    with pytest.raises(StopIteration):
        next(made)
    return b"".join(found).decode(), conflicts


# --- One process. ---


def test_samples_are_told_apart_by_ids_and_names() -> None:
    found = digested('# HELP a help\n# TYPE a gauge\na{k="c"} 5\n', process=7)
    part = found.parts["a"]
    assert (part.kind, part.doc, found.up, found.trouble) == ("gauge", "help", True, "")
    assert part.lines.decode() == f'a{{{IDS},k="c",process="7",replica_id="u2",replica_name="r1"}} 5\n'


def test_a_label_called_like_an_id_is_exported() -> None:
    (line,) = lines('a{process="x",exported_process="y",cluster_id="z"} 1\n')
    assert line == (
        f'a{{{IDS},exported_cluster_id="z",exported_exported_process="x",exported_process="y",'
        'process="0",replica_id="u2",replica_name="r1"} 1'
    )


def test_names_that_are_there_stay() -> None:
    (line,) = lines('a{cluster_name="mine",replica_name=""} 1\n')
    assert 'cluster_name="mine"' in line
    assert 'replica_name=""' in line


def test_the_rules_of_the_process_come_last() -> None:
    rule = {"kind": "cluster_name_lookup", "cluster_id_label": "cluster_id", "output_label": "where"}
    field = (RULES, encode_rules({"a": [rule]}))
    first, second = lines("a 1\nb 1\n", field)
    assert 'where="quickstart"' in first
    assert "where" not in second


def test_rules_that_cannot_be_read_are_none_and_told() -> None:
    found = digested("a 1\n", (RULES, "junk"))
    assert found.up
    assert found.trouble.startswith("enrichment rules: ")
    assert found.parts["a"].lines == f'a{{{IDS},process="0",replica_id="u2",replica_name="r1"}} 1\n'.encode()


def test_a_series_that_comes_twice_comes_once() -> None:
    assert len(lines('a{x="1",y="2"} 1\na{y="2",x="1"} 2\nb{x="1"} 1\na{x="1",y="2"} 3\n')) == 2
    assert len(lines("# TYPE h summary\nh_count 1\nh_sum 1\n# TYPE h_count gauge\nh_count 2\n")) == 2


def test_a_label_that_scrapers_keep_for_themselves_is_dropped() -> None:
    assert lines('a{__name__="b",__x="y"} 1\n') == [
        f'a{{__x="y",{IDS},process="0",replica_id="u2",replica_name="r1"}} 1'
    ]


@pytest.mark.parametrize(
    ("answer", "trouble"),
    [
        (NoReply("timeout"), "timeout"),
        (reply("a 1\n", status=401), "status 401"),
        (reply("<html>", "text/html"), "a content type that is neither text nor protobuf"),
        (reply("a 1\n# EOF\n", OPENMETRICS.content_type), "a content type that is neither text nor protobuf"),
        (reply("<html>"), "a line that is no sample"),
        (reply(b"junk", PROTOBUF.content_type), "not MetricFamily messages"),
        (Replied(200, (), b"a 1\n"), "a content type that is neither text nor protobuf"),
    ],
)
def test_what_is_of_no_use_is_down(answer: Reply, trouble: str) -> None:
    assert digest(answer, REPLICA, 0, DIRECTORY) == Digested({}, False, trouble)


def test_content_types_are_read_as_such() -> None:
    for kind in ("Text/Plain", "text/plain;charset=utf-8", " text/plain ; version=0.0.4"):
        assert digest(reply("a 1\n", kind), REPLICA, 0, DIRECTORY).up


def test_who_is_up() -> None:
    parts = up([(REPLICA, 0, digested("a 1\n")), (REPLICA, 1, digest(NoReply("refused"), REPLICA, 1, DIRECTORY))])
    assert parts["fanlight_federation_up"].lines.decode() == (
        'fanlight_federation_up{cluster_id="u1",process="0",replica_id="u2"} 1.0\n'
        'fanlight_federation_up{cluster_id="u1",process="1",replica_id="u2"} 0.0\n'
    )
    assert up([]) == {}


# --- All of them. ---

OWN = '# HELP a own help\n# TYPE a gauge\na{k="p"} 1.0\n# HELP b other\n# TYPE b counter\nb 2.0\n'


def test_without_workers_nothing_changes() -> None:
    assert merged(OWN)[0] == OWN


@pytest.mark.parametrize("cut", [1, 7, 50, 1000])
def test_lines_of_workers_stand_behind_ours(cut: int) -> None:
    first = digested('# HELP a child help\n# TYPE a untyped\na{k="c"} 5\n# HELP c new\n# TYPE c gauge\nc 1\n')
    second = digested("c 2\na 6\n", process=1)
    text, _ = merged(OWN, first, second, cut=cut)
    rest = 'replica_id="u2",replica_name="r1"}'
    assert text == (
        '# HELP a own help\n# TYPE a gauge\na{k="p"} 1.0\n'
        f'a{{{IDS},k="c",process="0",{rest} 5\na{{{IDS},process="1",{rest} 6\n'
        "# HELP b other\n# TYPE b counter\nb 2.0\n"
        f'# HELP c new\n# TYPE c gauge\nc{{{IDS},process="0",{rest} 1\nc{{{IDS},process="1",{rest} 2\n'
    )


def test_of_two_types_the_first_one_stays() -> None:
    histogram = '# TYPE a histogram\na_bucket{le="+Inf"} 1\na_sum 1\na_count 1\n'
    assert merged(OWN, digested(histogram)) == (OWN, ["a"])
    text, conflicts = merged("", digested("# TYPE a gauge\na 1\n"), digested(histogram, process=1))
    assert conflicts == ["a"]
    assert text.count("\n") == 3


def test_our_own_rules_are_applied_to_our_own_lines() -> None:
    own = '# HELP a x\n# TYPE a gauge\na{c="u1"} 1.0 1700\na{c="u9"} +Inf\n# HELP b x\n# TYPE b gauge\nb{c="u1"} 1.0\n'
    rules = read_rules({"a": [{"kind": "cluster_name_lookup", "cluster_id_label": "c", "output_label": "n"}]})
    text, _ = merged(own, rules=rules)
    assert text == own.replace('a{c="u1"}', 'a{c="u1",n="quickstart"}')


def test_a_series_of_ours_is_not_written_again() -> None:
    ids = f'{{{IDS},process="0",replica_id="u2",replica_name="r1"}}'
    own = f"# HELP a x\n# TYPE a gauge\na{ids} 1.0\n"
    text, _ = merged(own, digested('a 2\na{k="v"} 3\n'))
    assert text.count("\n") == 4
    assert f"a{ids} 1.0\n" in text
    assert f"a{ids} 2" not in text


def test_lines_that_nobody_can_read_are_passed_on() -> None:
    own = '# HELP a x\n# TYPE a gauge\na{replica_id="\\x} odd\n'
    assert merged(own, digested("a 1\n"))[0].startswith(own)
    assert merged("stray 1\n" + OWN)[0] == "stray 1\n" + OWN


# --- Whatever workers answer. ---

NAMES = st.sampled_from(["a", "b", "a_count", "a_bucket", "fanlight_federation_up", "x:y"])
LABELS = st.sampled_from(["k", "cluster_id", "replica_id", "process", "exported_process", "cluster_name", "c", "le"])
VALUES = st.sampled_from(["", "u1", "u2", "0", 'q"\\\n} 1', "{", "\u2028\x85\x0b\r", "é"]) | st.text(
    st.characters(codec="utf-8"), max_size=5
)
PAIRS = st.dictionaries(LABELS, VALUES, max_size=4)
KINDS = st.sampled_from(["gauge", "counter", "untyped", "summary", "histogram"])


@st.composite
def families(draw: st.DrawFn, *, own: bool) -> str:
    """A text 0.0.4; our own is as a registry writes it, a worker's may repeat itself."""
    text: list[str] = []
    names = draw(st.lists(NAMES, max_size=4, unique=own))
    seen: set[str] = set()
    for name in names:
        kind = draw(KINDS)
        text += [f"# HELP {name} {help_text(draw(VALUES))}", f"# TYPE {name} {kind}"]
        for pairs in draw(st.lists(PAIRS, max_size=3)):
            pairs.pop("le", None)
            for series in _series(name, kind, pairs):
                if not own or series not in seen:
                    seen.add(series)
                    text.append(f"{series} {draw(st.sampled_from(['1.0', '+Inf', 'NaN', '2e-07']))}")
    return "".join(line + "\n" for line in text)


def _series(name: str, kind: str, pairs: dict[str, str]) -> Iterator[str]:
    labels = labels_text(pairs.items())
    if kind == "histogram":
        yield f"{name}_bucket{labels_text({**pairs, 'le': '+Inf'}.items())}"
    if kind == "summary":
        yield f"{name}{labels_text({**pairs, 'quantile': '0.5'}.items())}"
    yield from (
        [f"{name}{suffix}{labels}" for suffix in ("_sum", "_count")]
        if kind in ("histogram", "summary")
        else [f"{name}{labels}"]
    )


RULE = {"kind": "cluster_name_lookup", "cluster_id_label": "cluster_id", "output_label": "c"}


def check(text: str) -> None:
    """Each line well formed, each family with one head, no series twice; by a parser that is not ours."""
    assert text == "" or text.endswith("\n")
    heads = Counter(line.split(" ")[2] for line in text.split("\n") if line.startswith("# TYPE "))
    assert set(heads.values()) <= {1}
    series: Counter[Any] = Counter()
    for line in text.split("\n"):
        if line and not line.startswith("#"):
            (family,) = text_string_to_metric_families(line.replace("\x85", "?"))
            (sample,) = family.samples
            series[sample.name, tuple(sorted(sample.labels.items()))] += 1
    doubled = [each for each, count in series.items() if count > 1]
    assert doubled == []


@settings(max_examples=120, deadline=None)
@given(families(own=True), st.lists(families(own=False), max_size=3), st.booleans(), st.integers(1, 200))
def test_the_whole_is_well_formed(own: str, others: Sequence[str], ruled: bool, cut: int) -> None:
    field = ((RULES, encode_rules({"a": [RULE]})),) if ruled else ()
    found = [digested(text, *field, process=number) for number, text in enumerate(others)]
    rules = read_rules({"a": [RULE], "b": [RULE]}) if ruled else {}
    text, _ = merged(own, *found, rules=rules, cut=cut)
    check(text)
    kept = {line for line in own.split("\n") if line.startswith("#")}
    assert kept <= set(text.split("\n"))
