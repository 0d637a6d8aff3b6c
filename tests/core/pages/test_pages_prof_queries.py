"""What every profile that is asked for by a GET makes of its query: refused before anything is asked, or understood."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from attrs import frozen
from hypothesis import given
from hypothesis import strategies as st

from fanlight.asks import Routine
from fanlight.http.request import Request
from fanlight.http.response import Response
from fanlight.pages.debug_pprof import goroutine
from fanlight.pages.prof import heap
from fanlight.pages.prof_cpu import profile
from tests.core.pages.prof_driving import drive, refusal, refused_at_once, request

UNREADABLE = "Failed to deserialize query string: "


@frozen
class Profile:
    """A handler, its path, and its parameters that are whole numbers."""

    handler: Callable[[Request], Routine[Response]]
    path: str
    numbers: tuple[str, ...]

    def ask(self, query: str) -> Routine[Response]:
        return self.handler(request("GET", f"{self.path}?{query}"))

    def refuses(self, query: str, text: str) -> None:
        response, asked = drive(self.ask(query))
        assert refusal(response) == (400, text.encode())
        assert asked == []


PROFILES = (
    Profile(heap, "/prof/heap", ("seconds",)),
    Profile(profile, "/prof/profile", ("seconds", "hz")),
    Profile(goroutine, "/debug/pprof/goroutine", ("debug",)),
)

each = pytest.mark.parametrize("each", PROFILES, ids=lambda each: each.path)


@each
@pytest.mark.parametrize("value", ["", "x", "-1", "1.5", "%D9%A1", "%C2%B2", "1" * 5000])
def test_a_number_has_digits_of_ascii_and_not_too_many(each: Profile, value: str) -> None:
    for name in each.numbers:
        each.refuses(f"{name}={value}", f"{UNREADABLE}`{name}` must be a whole number")


@each
def test_a_parameter_comes_once(each: Profile) -> None:
    for name in (*each.numbers, "format"):
        each.refuses(f"{name}=1&{name}=1", f"{UNREADABLE}duplicate field `{name}`")


@each
def test_a_format_is_one_of_those_there_are(each: Profile) -> None:
    each.refuses("format=nope", "unrecognized format: nope")
    each.refuses("format=", "unrecognized format: ")
    each.refuses("format=%", f"{UNREADABLE}invalid percent-encoding")


NOISE = st.text(alphabet=st.characters(max_codepoint=255, exclude_characters="#"), max_size=30)
NAMED = st.lists(
    st.builds("{}={}".format, st.sampled_from(["seconds", "hz", "debug", "format", "mode"]), NOISE), max_size=3
)


@each
@given(query=NOISE | st.builds("&".join, NAMED))
def test_any_query_is_answered_or_refused(each: Profile, query: str) -> None:
    assert refused_at_once(each.ask(query)) in {None, 400}
