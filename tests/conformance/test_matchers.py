"""The runner's own parts: matchers that can fail, readers that refuse, requests as they are written."""

from __future__ import annotations

import copy
import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.clients.messages import Answer, Data, End, Head
from tests.conformance import match_mcp, match_operations, match_sql, profiles, prom, suite_operations, suite_sql
from tests.conformance.__main__ import report
from tests.conformance.model import Case, Outcome, load, suite_of
from tests.conformance.suite_mcp import expanded
from tests.conformance.wirefmt import delimited, parse

CASES = Path(__file__).parent / "cases"

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text("ab", max_size=3),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text("xyz", min_size=1, max_size=2), inner, max_size=3)
    ),
    max_leaves=12,
)


def answer(status: int = 200, body: bytes = b"", **fields: str) -> Answer:
    """A whole answer, as a client would have read it."""
    made = Answer()
    pairs = tuple((name.replace("_", "-"), value) for name, value in fields.items())
    for event in (Head(1, status, pairs), Data(1, body), End(1)):
        made.apply(event)
    return made


@pytest.mark.parametrize("suite", ["sql", "operations", "auth", "mcp"])
def test_every_case_file_is_read_as_its_own_format(suite: str) -> None:
    cases = load(CASES / f"{suite}.jsonl")
    assert {case.suite for case in cases} == {suite}
    assert len(cases) >= 100


def test_a_record_of_no_format_is_refused() -> None:
    with pytest.raises(ValueError, match="no known format"):
        suite_of({"id": "x"})


def test_a_name_that_occurs_twice_is_refused(tmp_path: Path) -> None:
    line = json.dumps({"id": "a", "area": "probes", "server": {}, "steps": []})
    path = tmp_path / "cases.jsonl"
    path.write_text(f"{line}\n{line}\n")
    with pytest.raises(ValueError, match="twice"):
        load(path)


def test_sql_matcher_takes_runs_and_bags() -> None:
    match = match_sql.match
    many_strings = {"$many": {"$type": "string"}, "min": 1}
    assert match([1, many_strings, {"$maybe": None}, True], [1, "a", "b", True]) is None
    assert match([{"$many": {"$any": True}}, 3], [1, 2, 3]) is None
    assert match([{"$maybe": 1}, 1], [1]) is None
    assert match([{"$bag": [1, 2]}, 3], [2, 1, 3]) is None
    assert match({"$bag": [1, 2]}, [2, 1]) is None
    assert match({"a": {"$opt": 1}, "b": {"$absent": True}}, {}) is None
    assert match({"$has": {"a": {"$re": "x+"}}}, {"a": "xx", "z": 0}) is None
    assert match(["1", {"$many": {"$re": "[0-9]+"}, "min": 2, "max": 2}, "9"], ["1", "2", "3", "9"]) is None


@pytest.mark.parametrize(
    ("expected", "actual"),
    [
        ({"a": 1}, {"a": 1, "b": 2}),
        ({"a": "1"}, {"a": 1}),
        ({"a": 1}, {"a": True}),
        ([{"$bag": [1, 2]}], [1, 1]),
        ({"$bag": [1, 2]}, [1]),
        ([many := {"$many": 1, "min": 2, "max": 2}, 9], [1, 1, 1, 9]),
        ([many, 9], [1, 9]),
        ({"$re": "a"}, "ab"),
        ({"$prefix": "b"}, "ab"),
        ({"$contains": "c"}, None),
        ({"$one_of": [1, 2]}, 3),
        ({"$type": "integer"}, True),
        ({"$type": "number"}, "1"),
        ({"$type": "null"}, 0),
        ({"a": {"$absent": True}}, {"a": None}),
        ({"a": {"$opt": 1}}, {"a": 2}),
        ({"$has": {"a": 1}}, {}),
        ([1], []),
        ([], [1]),
        ([1], {"0": 1}),
        ({}, []),
    ],
)
def test_sql_matcher_refuses(expected: Any, actual: Any) -> None:
    assert match_sql.match(expected, actual)


@given(json_values, json_values)
def test_plain_values_match_exactly_themselves(one: Any, other: Any) -> None:
    as_text = [json.dumps(value, sort_keys=True) for value in (one, other)]
    same = as_text[0] == as_text[1]
    assert match_sql.match(one, copy.deepcopy(one)) is None
    assert (match_sql.match(one, other) is None) == same
    assert match_mcp.same(one, other) == same
    assert match_mcp.match({"$exact": one}, copy.deepcopy(one)) is None


@pytest.mark.parametrize(
    ("expected", "actual", "good"),
    [
        ({"a": 1}, {"a": 1.0, "b": 2}, True),
        ({"a": 1}, {"a": True}, False),
        ({"a": {"$absent": True}}, {}, True),
        ({"a": {"$absent": True}}, {"a": None}, False),
        ({"a": {"$null_or_absent": True}}, {"a": None}, True),
        ({"a": {"$present": True}}, {}, False),
        ({"a": 1}, {}, False),
        ({"$exact": {"a": 1}}, {"a": 1, "b": 2}, False),
        ({"$re": "b"}, "abc", True),
        ({"$not": {"$contains": "x"}}, "abc", True),
        ({"$text_json": [["beta"]]}, '[["beta"]]', True),
        ({"$text_json": [1]}, "nothing", False),
        ({"$min_len": 1}, [], False),
        ({"$len": 2}, "ab", True),
        ({"$min": 3}, 2, False),
        ({"$items": {"$type": "integer"}}, [1, "2"], False),
        ({"$has_items": [{"name": "q"}]}, [{"name": "p"}, {"name": "q", "x": 1}], True),
        ({"$names": ["a", "b"]}, [{"name": "b"}, {"name": "a"}], False),
        ({"$any_of": [1, 2]}, 2, True),
        ({"$all_of": [{"$prefix": "a"}, {"$contains": "z"}]}, "abc", False),
        ([1, 2], [1], False),
        ({"$unheard": 1}, 1, False),
    ],
)
def test_mcp_matcher(expected: Any, actual: Any, good: bool) -> None:
    assert (match_mcp.match(expected, actual) is None) == good


def test_mcp_templates() -> None:
    value = {"a": ["{{cluster}}", {"$repeat": ["ab", 2]}], "b": {"$concat": ["x", {"$repeat": ["y", 3]}]}}
    assert expanded(value, {"cluster": "default"}) == {"a": ["default", "abab"], "b": "xyyy"}


@pytest.mark.parametrize(
    ("expected", "given", "good"),
    [
        ({"status": 200}, answer(), True),
        ({"status": [401, 403]}, answer(200), False),
        ({"headers": {"allow": {"set": ["GET", "HEAD"]}}}, answer(allow="head, get"), True),
        ({"headers": {"allow": {"set": ["GET"]}}}, answer(allow="GET,HEAD"), False),
        ({"headers": {"etag": {"present": True}}}, answer(), False),
        ({"headers": {"etag": {"absent": True}}}, answer(etag="x"), False),
        ({"headers": {"content-type": {"media_type": "text/css"}}}, answer(content_type="text/css; charset=x"), True),
        ({"headers": {"x": {"regex": "b"}}}, answer(x="abc"), True),
        ({"headers": {"x": {"unheard": 1}}}, answer(x="abc"), False),
        ({"body": {"empty": True}}, answer(body=b"x"), False),
        ({"body": {"text": {"contains_all": ["a", "z"]}}}, answer(body=b"abc"), False),
        ({"body": {"text": {"not_contains": "a"}}}, answer(body=b"abc"), False),
        ({"body": {"json": {"a": 1}}}, answer(body=b'{"a":1}'), True),
        ({"body": {"json": {"a": 1}}}, answer(body=b'{"a":1,"b":2}'), False),
        ({"body": {"json": {"a": 1}}}, answer(body=b"nothing"), False),
        ({"body": {"json_subset": {"a": {}}}}, answer(body=b'{"a":{"x":1},"b":2}'), True),
        ({"body": {"json_subset": {"a": 1}}}, answer(body=b'{"a":true}'), False),
        ({"body": {"json_keys": ["a", "b"]}}, answer(body=b'{"b":1,"a":2}'), True),
        ({"body": {"json_keys": ["a"]}}, answer(body=b'{"b":1,"a":2}'), False),
        ({"body": {"bytes": {"b64": "YQ=="}}}, answer(body=b"b"), False),
        ({"body": {"unheard": 1}}, answer(body=b"b"), False),
        ({"body": {"truncated": True}}, answer(body=b"b"), False),
        ({"unheard": 1}, answer(), False),
    ],
)
def test_operations_matcher(expected: dict[str, Any], given: Answer, good: bool) -> None:
    assert (match_operations.match(expected, given, {}) is None) == good


METRICS = b"""# HELP a_total Counts.
# TYPE a_total counter
a_total{p="/x",s="1"} 3.0
# HELP h A histogram.
# TYPE h histogram
h_bucket{le="1.0"} 1.0
h_bucket{le="+Inf"} 2.0
h_count 2.0
h_sum 3.0
"""


@pytest.mark.parametrize(
    ("assertion", "good"),
    [
        ({"sample": "a_total", "labels": {"p": "/x"}, "value": 3}, True),
        ({"sample": "a_total", "labels": {"p": "/y"}}, False),
        ({"sample": "a_total", "value": {"gte": 4}}, False),
        ({"sample": "a_total", "value": {"delta_from": "before", "by": 1}}, True),
        ({"sample": "a_total", "value": {"delta_from": "before", "by": 2}}, False),
        ({"no_sample": "a_total"}, False),
        ({"no_sample": "b_total"}, True),
        ({"type": "h", "is": "histogram"}, True),
        ({"type": "h", "is": "gauge"}, False),
        ({"help": "a_total", "is": "Counts."}, True),
        ({"label_absent": ["a_total", "s"]}, False),
        ({"label_absent": ["a_total", "t"]}, True),
        ({"buckets": "h", "le": [1]}, True),
        ({"buckets": "h", "le": [1, 2]}, False),
        ({"one_header_per_family": True}, True),
        ({"eof": True}, False),
        ({"unheard": 1}, False),
    ],
)
def test_assertions_on_metrics(assertion: dict[str, Any], good: bool) -> None:
    saved = {"before": answer(body=METRICS.replace(b" 3.0\n# HELP h", b" 2.0\n# HELP h"))}
    assert (prom.check([assertion], answer(body=METRICS), saved) is None) == good


def test_metrics_that_cannot_be_read_are_a_failure() -> None:
    why = match_operations.match({"body": {"prom": [{"eof": True}]}}, answer(body=b"# TYPE a nonsense\na{ 1"), {})
    assert why is not None
    assert "Unreadable" in why


def test_a_header_that_occurs_twice_is_seen() -> None:
    twice = METRICS + b"# TYPE a_total counter\n"
    assert prom.check([{"one_header_per_family": True}], answer(body=twice), {})


def field(number: int, value: int | bytes) -> bytes:
    """One protobuf field, for values below 128."""
    if isinstance(value, int):
        return bytes([number << 3, value])
    return bytes([number << 3 | 2, len(value)]) + value


def profile(location_of_sample: int = 1) -> bytes:
    """A profile with one sample in function `work`."""
    strings = b"".join(field(6, text) for text in (b"", b"inuse_space", b"bytes", b"work", b"thread"))
    label = field(1, 4) + field(2, 3)
    sample = field(1, bytes([location_of_sample])) + field(2, bytes([7])) + field(3, label)
    location = field(1, 1) + field(4, field(1, 1) + field(2, 5))
    function = field(1, 1) + field(2, 3)
    types = field(1, 1) + field(2, 2)
    return field(1, types) + field(2, sample) + field(4, location) + field(5, function) + strings + field(11, types)


@pytest.mark.parametrize(
    ("wanted", "good"),
    [
        ({"sample_types": [["inuse_space", "bytes"]], "min_samples": 1}, True),
        ({"sample_types": [["inuse_objects", "count"]]}, False),
        ({"min_samples": 2}, False),
        ({"functions_contain": ["work"], "labels_contain": ["thread"]}, True),
        ({"functions_contain": ["idle"]}, False),
        ({"labels_absent": ["thread"]}, False),
        ({"period": ["inuse_space", "bytes"]}, True),
        ({"period": ["cpu", "nanoseconds"]}, False),
    ],
)
def test_assertions_on_profiles(wanted: dict[str, Any], good: bool) -> None:
    assert (profiles.pprof(wanted, gzip.compress(profile())) is None) == good


@pytest.mark.parametrize("body", [b"", b"no gzip", gzip.compress(b"\x0a\x05ab"), gzip.compress(profile(9))])
def test_a_profile_that_does_not_hold_together_is_a_failure(body: bytes) -> None:
    assert match_operations.match({"body": {"pprof": {}}}, answer(body=body), {})


def test_text_profiles() -> None:
    stacks = "mz_fg_version: 1\ndisplay_bytes: 1\n\n0 a;b 3\n"
    assert profiles.mzfg({"header": {"display_bytes": "1"}, "min_stacks": 1}, stacks) is None
    assert profiles.mzfg({"header": {"display_bytes": "0"}}, stacks)
    assert profiles.mzfg({"min_stacks": 2}, stacks)
    assert profiles.collapsed({"min_lines": 1}, "a;b 3\n") is None
    assert profiles.collapsed({"min_lines": 1}, "a;b x\n")
    assert profiles.collapsed({"min_lines": 1}, "")
    scope = {"shared": {"frames": [{}]}, "profiles": [{"unit": "bytes"}]}
    assert profiles.speedscope({"unit": "bytes", "min_frames": 1}, scope) is None
    assert profiles.speedscope({"unit": "nanoseconds"}, scope)
    assert profiles.speedscope({"min_frames": 2}, scope)


@given(st.binary(max_size=60))
def test_protobuf_readers_refuse_or_read_but_never_hang(data: bytes) -> None:
    for reader in (parse, delimited):
        try:
            reader(data)
        except ValueError:
            continue


def mutated(value: Any) -> Iterator[Any]:
    """`value` with one scalar changed, once for each scalar."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from ({**value, name: changed} for changed in mutated(inner))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from ([*value[:index], changed, *value[index + 1 :]] for changed in mutated(inner))
    else:
        yield "something else" if value != "something else" else 0


def test_each_changed_value_of_an_expectation_fails() -> None:
    row = {
        "tag": "SELECT 1",
        "rows": [["42", None]],
        "notices": [],
        "desc": {"columns": [{"name": "a", "type_oid": 23}]},
    }
    changed = list(mutated(row))
    assert len(changed) == 5
    assert all(match_sql.match(wrong, row) for wrong in changed)


def test_bodies_of_operations_requests() -> None:
    data, fields = suite_operations.body_of({"form": {"action": "x y"}, "coding": "gzip", "truncate": 1})
    assert fields == (("content-type", "application/x-www-form-urlencoded"), ("content-encoding", "gzip"))
    assert data == gzip.compress(b"action=x+y")[:-1]
    assert suite_operations.body_of({"repeat": {"byte": 42, "count": 3}}) == (b"***", ())


def test_a_sql_request_as_it_is_written() -> None:
    given = {"json": {"query": "select 1"}, "options": {"a": "b"}, "auth": {"user": "u", "password": "p"}}
    request = suite_sql.request_of(given, "127.0.0.1:1")
    assert request.target == "/api/sql?options=%7B%22a%22%3A%20%22b%22%7D"
    assert request.fields == (("content-type", "application/json"), ("authorization", "Basic dTpw"))
    filled = suite_sql.request_of({"body_fill": {"head": "a", "fill": "-", "tail": "z", "total": 5}}, "127.0.0.1:1")
    assert (filled.body, filled.fields) == (b"a---z", ())


def test_the_report_ends_with_the_count() -> None:
    case = Case("operations", "a.b", {})
    outcomes = [
        Outcome(case, "passed"),
        Outcome(case, "failed", "step 1", "bad", "2"),
        Outcome(case, "skipped", reason="r"),
    ]
    assert report(outcomes).splitlines() == [
        "FAILED a.b [HTTP/2] step 1: bad",
        "skipped    1  r",
        "1 passed, 1 failed, 1 skipped",
    ]
