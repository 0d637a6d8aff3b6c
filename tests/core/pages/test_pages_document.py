"""The frame of every page: titles are text, links are those of the listener, nothing is inline."""

from __future__ import annotations

from html.parser import HTMLParser

from fanlight.pages.document import LINKS, document, scripted


class Elements(HTMLParser):
    """Every element with its attributes."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(markup)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def test_a_title_is_text() -> None:
    page = document("<b>&", "<p>x</p>")
    assert "<title>&lt;b&gt;&amp;</title>" in page
    assert "<h1>&lt;b&gt;&amp;</h1>" in scripted("<b>&", served=(), here="/")


def test_styles_and_the_script_come_from_where_the_listener_has_them() -> None:
    elements = Elements(document("x", "", styles=("a",), script="b", static="/there")).found
    assert [attributes["href"] for tag, attributes in elements if tag == "link"] == [
        "/there/icon.png",
        "/there/css/page.css",
        "/there/css/a.css",
    ]
    assert [attributes["src"] for tag, attributes in elements if tag == "script"] == ["/there/js/b.js"]


def test_nothing_is_inline() -> None:
    page = document("x", scripted("x", served=[path for path, _ in LINKS], here="/"), script="b")
    for tag, attributes in Elements(page).found:
        assert tag != "style"
        assert tag != "script" or attributes.get("src")
        assert not any(name == "style" or name.startswith("on") for name in attributes)


def test_links_are_those_that_are_served_and_the_page_itself_is_marked() -> None:
    elements = Elements(scripted("Memory", served={"/", "/memory", "/other"}, here="/memory")).found
    assert [attributes for tag, attributes in elements if tag == "a"] == [
        {"href": "/"},
        {"href": "/memory", "aria-current": "page"},
    ]


def test_without_scripts_it_says_so() -> None:
    assert "<noscript>" in scripted("x", served=(), here="/")
