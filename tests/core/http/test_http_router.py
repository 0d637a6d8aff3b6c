"""Routes: byte by byte, one place for each path, no way around a rule by spelling."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanlight.http.request import Request
from fanlight.http.response import Response, empty
from fanlight.http.router import Place, Route, Router, decode_segments


async def handler(request: Request) -> Response:
    return empty(200)


def route(method: str, path: str, **more: bool) -> Route:
    return Route(method, path, "base", handler, **more)


ROUTER = Router(
    [
        route("GET", "/"),
        route("GET", "/a"),
        route("POST", "/a"),
        route("GET", "/a/{name}"),
        route("PUT", "/a/{name}"),
        route("GET", "/a/fixed"),
        route("GET", "/files/{*path}"),
        route("GET", "/a/{name}/b/{other}"),
        route("GET", "/dotted.{name}"),
    ]
)


@pytest.mark.parametrize(
    ("path", "place", "params"),
    [
        ("/", "/", {}),
        ("/a", "/a", {}),
        ("/a/x", "/a/{name}", {"name": "x"}),
        ("/a/%2F", "/a/{name}", {"name": "%2F"}),
        ("/a/fixed", "/a/fixed", {}),
        ("/a/Fixed", "/a/{name}", {"name": "Fixed"}),
        ("/files/x", "/files/{*path}", {"path": "x"}),
        ("/files/x/../y", "/files/{*path}", {"path": "x/../y"}),
        ("/a/x/b/y", "/a/{name}/b/{other}", {"name": "x", "other": "y"}),
        ("/dotted.x", "/dotted.{name}", {"name": "x"}),
    ],
)
def test_matches(path: str, place: str, params: dict[str, str]) -> None:
    found, captured = ROUTER.match(path)
    assert found is not None
    assert (found.path, captured) == (place, params)


NOWHERE = [
    "",
    "*",
    "/A",
    "/a/",
    "//a",
    "/a//",
    "/./a",
    "/%61",
    "/a;x",
    "/files/",
    "/files",
    "/a/x/",
    "/dottedxx",
    "/a/x/b",
]


@pytest.mark.parametrize("path", NOWHERE)
def test_no_path_is_repaired(path: str) -> None:
    assert ROUTER.match(path) == (None, {})


def test_a_place_has_routes_by_method() -> None:
    place, _ = ROUTER.match("/a")
    assert place is not None
    assert sorted(place.routes) == ["GET", "POST"]
    get = place.find("GET")
    assert get is not None
    assert place.find("HEAD") is get
    assert place.find("CONNECT") is get
    assert place.find("PUT") is None
    assert place.find("get") is None


@pytest.mark.parametrize(
    ("path", "allow"), [("/a", "GET,HEAD,POST"), ("/a/x", "GET,HEAD,PUT"), ("/files/x", "GET,HEAD")]
)
def test_405_names_the_methods(path: str, allow: str) -> None:
    place, _ = ROUTER.match(path)
    assert place is not None
    assert place.not_allowed() == empty(405, ("allow", allow))


def test_head_needs_a_get() -> None:
    place = Place("/p")
    place.add(route("POST", "/p"))
    assert place.find("HEAD") is None
    assert place.not_allowed().fields == (("allow", "POST"),)


def test_every_place_is_told() -> None:
    assert [place.path for place in ROUTER.places()][:3] == ["/", "/a", "/a/fixed"]
    assert len(ROUTER.places()) == 7


def test_a_method_is_taken_once() -> None:
    with pytest.raises(ValueError, match="two routes for GET /x"):
        Router([route("GET", "/x"), route("GET", "/x")])


def test_a_path_belongs_to_one_group() -> None:
    with pytest.raises(ValueError, match="different groups"):
        Router([Route("GET", "/x", "base", handler), Route("POST", "/x", "metrics", handler)])


def test_one_privileged_route_makes_its_path_privileged() -> None:
    place = Place("/x")
    place.add(route("GET", "/x"))
    before = place.privileged
    place.add(route("POST", "/x", privileged=True))
    assert (before, place.privileged, place.group) == (False, True, "base")


@pytest.mark.parametrize(
    ("raw", "decoded"),
    [({"a": "x"}, {"a": "x"}), ({"a": "%2e%2E%2f"}, {"a": "../"}), ({"a": "%C3%A9", "b": "+"}, {"a": "é", "b": "+"})],
)
def test_segments_are_decoded_after_the_match(raw: dict[str, str], decoded: dict[str, str]) -> None:
    assert decode_segments(raw) == decoded


@pytest.mark.parametrize("raw", ["%FF", "%C3", "%ED%A0%80", "\xff%ff"])
def test_a_segment_that_is_no_utf_8(raw: str) -> None:
    assert decode_segments({"a": raw}) is None


@given(st.text(max_size=20))
def test_any_path_finds_one_place_or_none(path: str) -> None:
    place, params = ROUTER.match(path)
    if place is None:
        assert params == {}
    elif "{" not in place.path:
        assert path == place.path
    else:
        rebuilt = place.path
        for name, value in params.items():
            rebuilt = rebuilt.replace("{*" + name + "}", value).replace("{" + name + "}", value)
        assert rebuilt == path
