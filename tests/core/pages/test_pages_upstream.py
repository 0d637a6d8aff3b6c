"""A console elsewhere: what goes there, what comes back, and how a preview build is chosen; the engine is scripted."""

from __future__ import annotations

from typing import Any

import pytest

from fanlight import App
from fanlight.config.settings import Settings
from fanlight.observe.records import Failure
from fanlight.pages.files import ReadAssets
from fanlight.pages.upstream import BrokenOff, CloseUpstream, OpenUpstream, ReadUpstream, Upstream, end_to_end, is_label
from tests.clients.blocking import HttpConnection
from tests.clients.messages import Answer, Outgoing
from tests.sim import LATER, Sim, table

PLAIN = Settings(console_upstream="https://console.example/app/")
PREVIEWS = Settings(console_upstream="https://console.example", console_preview_suffix="previews.example")
LABEL = "console-git-some-branch"
COOKIE = f"mz_console_preview_build={LABEL}; Max-Age=86400; Path=/internal-console; Secure; HttpOnly; SameSite=Lax"
CLEARED = "mz_console_preview_build=; Max-Age=0; Path=/internal-console; Secure; HttpOnly; SameSite=Lax"


class Elsewhere:
    """The other server: answers every request alike, and keeps what it was asked."""

    def __init__(self, pieces: list[bytes | None], *fields: tuple[str, str], status: int = 200) -> None:
        self.asked: list[OpenUpstream] = []
        self.closed = 0
        self.pieces = pieces
        self.upstream = Upstream(status, fields, self)

    def open(self, effect: OpenUpstream) -> Upstream:
        self.asked.append(effect)
        return self.upstream

    def close(self, effect: CloseUpstream) -> None:
        assert effect.handle is self
        self.closed += 1

    def table(self) -> Any:
        return table(
            {
                OpenUpstream: self.open,
                ReadUpstream: lambda effect: effect.handle.pieces.pop(0),
                CloseUpstream: self.close,
                ReadAssets: {},
            }
        )


def talk(settings: Settings, answering: Any, version: str = "1.1") -> tuple[HttpConnection, Sim]:
    sim = Sim(App(settings=settings), answering=answering)
    return HttpConnection(sim.connect(), version), sim


def get(elsewhere: Elsewhere, target: str, *fields: tuple[str, str], **more: Any) -> Answer:
    settings = more.pop("settings", PLAIN)
    http, _ = talk(settings, elsewhere.table(), more.pop("version", "1.1"))
    return http.exchange(Outgoing(target=target, fields=fields, **more))


@pytest.mark.parametrize("version", ["1.1", "2"])
def test_the_prefix_is_replaced_and_the_body_streamed(version: str) -> None:
    elsewhere = Elsewhere([b"one ", b"two", b""], ("content-type", "text/html"), ("etag", '"x"'))
    answer = get(elsewhere, "/internal-console/a/b%20c?x=1&y=%2F", version=version)
    assert (answer.status, answer.text()) == (200, "one two")
    assert answer.get("etag") == '"x"'
    assert elsewhere.asked[0].method == "GET"
    assert elsewhere.asked[0].url == "https://console.example/app/a/b%20c?x=1&y=%2F"
    assert elsewhere.closed == 1


def test_the_page_itself() -> None:
    elsewhere = Elsewhere([b"x", b""])
    assert get(elsewhere, "/internal-console/").text() == "x"
    assert elsewhere.asked[0].url == "https://console.example/app/"


def test_credentials_and_what_belongs_to_the_connection_stay_here() -> None:
    elsewhere = Elsewhere([b""])
    get(
        elsewhere,
        "/internal-console/",
        ("authorization", "Basic YWRhOng="),
        ("cookie", "mz_session=AAAA"),
        ("x-materialize-user", "mz_system"),
        ("proxy-authorization", "Basic YWRhOng="),
        ("x-forwarded-for", "192.0.2.1"),
        ("connection", "keep-alive, X-Hop"),
        ("x-hop", "1"),
        ("te", "trailers"),
        ("accept-language", "en"),
        ("if-none-match", '"x"'),
    )
    assert dict(elsewhere.asked[0].fields) == {"accept-language": "en", "if-none-match": '"x"'}


def test_what_belongs_to_the_other_connection_does_not_come_back() -> None:
    elsewhere = Elsewhere(
        [b"abc", b""],
        ("connection", "close, x-hop"),
        ("x-hop", "1"),
        ("keep-alive", "timeout=5"),
        ("transfer-encoding", "chunked"),
        ("date", "yesterday"),
        ("content-length", "3"),
    )
    answer = get(elsewhere, "/internal-console/")
    assert answer.text() == "abc"
    assert answer.get("x-hop") is None
    assert answer.get("keep-alive") is None
    assert answer.get("transfer-encoding") is None
    assert answer.get("content-length") == "3"
    assert len([name for name, _ in answer.fields if name == "date"]) == 1


@pytest.mark.parametrize("version", ["1.1", "2"])
def test_head(version: str) -> None:
    elsewhere = Elsewhere([], ("content-length", "12345"))
    answer = get(elsewhere, "/internal-console/x", method="HEAD", version=version)
    assert (answer.status, answer.body, answer.get("content-length")) == (200, b"", "12345")
    assert elsewhere.asked[0].method == "HEAD"
    assert elsewhere.closed == 1


@pytest.mark.parametrize("status", [204, 304])
def test_answers_without_a_body(status: int) -> None:
    elsewhere = Elsewhere([], ("etag", '"x"'), ("content-length", "9"), status=status)
    answer = get(elsewhere, "/internal-console/x")
    assert (answer.status, answer.body, answer.get("etag")) == (status, b"", '"x"')
    assert elsewhere.closed == 1


def test_nobody_answers() -> None:
    http, _ = talk(PLAIN, table({OpenUpstream: None}))
    answer = http.exchange(Outgoing(target="/internal-console/"))
    assert (answer.status, answer.body) == (400, b"")


def test_a_body_that_breaks_off_is_not_ended_as_if_it_were_whole() -> None:
    elsewhere = Elsewhere([b"half", None])
    http, sim = talk(PLAIN, elsewhere.table())
    answer = http.exchange(Outgoing(target="/internal-console/"))
    assert answer.broken
    assert elsewhere.closed == 1
    assert [type(note.error) for note in sim.notes if isinstance(note, Failure)] == [BrokenOff]


def test_without_an_upstream_posts_are_refused_as_on_any_page() -> None:
    for settings in (Settings(), PLAIN):
        http, _ = talk(settings, table({}))
        for target in ("/internal-console/", f"/internal-console/x?preview_build={LABEL}"):
            answer = http.exchange(Outgoing(method="POST", target=target))
            assert (answer.status, answer.body, answer.get("allow")) == (405, b"", "GET,HEAD")


@pytest.mark.parametrize(
    ("label", "good"),
    [
        (LABEL, True),
        ("console-git-a", True),
        ("console-git-" + "a" * 51, True),
        ("console-git-" + "a" * 52, False),
        ("console-git-", False),
        ("console-git-a-", False),
        ("console-git-A", False),
        ("console-git-a.b", False),
        ("console-git-a\n", False),
        ("console-git-ä", False),
        ("other", False),
        ("", False),
    ],
)
def test_labels(label: str, good: bool) -> None:
    assert is_label(label) == good


def test_a_link_to_a_preview_build_asks_first() -> None:
    answer = get(Elsewhere([]), f"/internal-console/?preview_build={LABEL}", settings=PREVIEWS)
    assert (answer.status, answer.get("content-type")) == (200, "text/html; charset=utf-8")
    assert LABEL in answer.text()
    assert '<form method="post">' in answer.text()
    assert answer.get("referrer-policy") == "same-origin"  # else the form would come with `Origin: null`
    assert answer.get("set-cookie") is None


def exchange(method: str, target: str, *fields: tuple[str, str]) -> Answer:
    http, _ = talk(PREVIEWS, table({OpenUpstream: None}))
    return http.exchange(Outgoing(method=method, target=target, fields=fields))


def test_a_preview_build_is_chosen_by_a_post() -> None:
    answer = exchange("POST", f"/internal-console/a/b?x=1&preview_build={LABEL}&y=2")
    assert (answer.status, answer.get("location")) == (303, "/internal-console/a/b?x=1&y=2")
    assert answer.get("set-cookie") == COOKIE


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_and_left_by_either(method: str) -> None:
    answer = exchange(method, "/internal-console/?preview_build=")
    assert (answer.status, answer.get("location"), answer.get("set-cookie")) == (303, "/internal-console/", CLEARED)


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("label", ["evil.example", "console-git-a%2Fb", "console-git-a.evil.example", "%0d%0a"])
def test_no_other_word_is_taken(method: str, label: str) -> None:
    answer = exchange(method, f"/internal-console/?preview_build={label}")
    assert (answer.status, answer.get("set-cookie"), answer.get("location")) == (400, None, None)


def test_a_post_without_the_parameter_is_refused() -> None:
    assert exchange("POST", "/internal-console/x?y=1").status == 405


def test_a_post_of_another_site_chooses_nothing() -> None:
    answer = exchange("POST", f"/internal-console/?preview_build={LABEL}", ("origin", "https://evil.example"))
    assert answer.status == 403
    assert answer.get("set-cookie") is None


@pytest.mark.parametrize(
    ("cookie", "url"),
    [
        (f"mz_console_preview_build={LABEL}", f"https://{LABEL}.previews.example/x"),
        (f"a=b; mz_console_preview_build={LABEL}; c=d", f"https://{LABEL}.previews.example/x"),
        ("mz_console_preview_build=evil.example/", "https://console.example/x"),
        ("mz_console_preview_build=", "https://console.example/x"),
    ],
)
def test_the_cookie_says_which_build(cookie: str, url: str) -> None:
    elsewhere = Elsewhere([b""])
    get(elsewhere, "/internal-console/x", ("cookie", cookie), settings=PREVIEWS)
    assert elsewhere.asked[0].url == url
    assert "cookie" not in dict(elsewhere.asked[0].fields)


def test_without_previews_the_cookie_says_nothing() -> None:
    elsewhere = Elsewhere([b""])
    get(elsewhere, "/internal-console/x", ("cookie", f"mz_console_preview_build={LABEL}"))
    assert elsewhere.asked[0].url == "https://console.example/app/x"


def test_a_preview_build_that_is_gone_leads_back() -> None:
    answer = exchange("GET", "/internal-console/", ("cookie", f"mz_console_preview_build={LABEL}"))
    assert answer.status == 502
    assert '<a href="?preview_build=">' in answer.text()
    assert LABEL in answer.text()


def test_a_client_that_leaves_ends_the_reading() -> None:
    elsewhere = Elsewhere([])

    def answering(effect: Any) -> Any:
        return LATER if isinstance(effect, ReadUpstream) else elsewhere.table()(effect)

    http, sim = talk(PLAIN, answering)
    http.begin(Outgoing(target="/internal-console/"))
    sim.advance(0.1)
    http.wire.abort()
    sim.advance(1.0)
    assert elsewhere.closed == 1


def test_fields_of_one_connection() -> None:
    fields = (("connection", "a,  B "), ("a", "1"), ("b", "2"), ("c", "3"), ("proxy-anything", "4"), ("trailer", "c"))
    assert end_to_end(fields) == (("c", "3"),)
