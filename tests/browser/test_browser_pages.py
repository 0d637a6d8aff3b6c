"""The pages in a headless Chromium, over a running demo: they show data, ask nobody else, complain about nothing."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import pytest

import fanlight_asyncio
from fanlight import App, Listener
from fanlight.auth.scram import derive
from fanlight.auth.users import Role, Users
from fanlight.http.request import Request
from fanlight.http.response import HTML, Response
from fanlight.pages.flamegraph import flamegraph_page
from tests.chromium import Browser, Page

ROWS = "document.querySelectorAll('tbody tr').length"
PAINTED = (
    "(() => { const c = document.querySelector('canvas');"
    " const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;"
    " const colours = new Set(); for (let i = 0; i < d.length; i += 4) colours.add(d[i] << 16 | d[i+1] << 8 | d[i+2]);"
    " return colours.size; })()"
)
"""How many colours a canvas has."""

AXE = Path(__file__).resolve().parents[2] / "console" / "node_modules" / "axe-core" / "axe.min.js"
PATHS = ("/", "/memory", "/hierarchical-memory", "/metrics-viz", "/prof/", "/clusters", "/internal-console/")
NASTY = '</script><script>alert("x")</script>&amp;\u2028<img src=x onerror=alert(1)>'


def opened(browser: Browser, url: str, scheme: Literal["light", "dark"] = "light") -> Page:
    page = browser.page()
    page.scheme(scheme)
    page.go(url)
    return page


def quiet(page: Page, origin: str) -> None:
    """Nothing was complained about, nobody else was asked, and the policy stands against inline script and style."""
    assert page.complaints() == []
    strangers = [url for url in page.asked() if not url.startswith((origin, "blob:", "about:"))]
    assert strangers == []
    # A policy that lets these through is none.
    page.run(
        "(() => { const s = document.createElement('script'); s.textContent = 'window.ran = true';"
        " document.body.append(s); document.body.setAttribute('style', 'outline: 7px solid red'); })()"
    )
    assert page.run("window.ran === undefined && document.body.style.outlineWidth !== '7px'")


def text(page: Page, selector: str) -> str:
    found: str = page.run(f"document.querySelector({json.dumps(selector)}).innerText")
    return found


def accessible(page: Page) -> None:
    """The rules of axe find nothing: names, roles, contrast, landmarks, tables."""
    page.run(AXE.read_text(encoding="utf-8") + ";0")
    found = page.run("axe.run().then(r => r.violations.map(v => v.id + ': ' + v.nodes.map(n => n.html).join(' ')))")
    assert found == []


def tabs_to(page: Page, selector: str) -> None:
    """Reach an element with the Tab key alone."""
    for _ in range(40):
        page.press("Tab")
        if page.run(f"document.activeElement.matches({json.dumps(selector)})"):
            outline = page.run("getComputedStyle(document.activeElement).outlineStyle")
            assert outline != "none", f"nobody sees where the focus is on {selector}"
            return
    raise AssertionError(f"Tab does not lead to {selector}")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_home_links_every_page(browser: Browser, demo: str, scheme: Literal["light", "dark"]) -> None:
    page = opened(browser, demo + "/", scheme)
    links = page.run("[...document.querySelectorAll('a')].map(a => a.getAttribute('href'))")
    assert {"/memory", "/hierarchical-memory", "/metrics-viz", "/metrics", "/internal-console/"} <= set(links)
    dark = page.run("getComputedStyle(document.body).backgroundColor") == "rgb(20, 23, 28)"
    assert dark == (scheme == "dark")
    tabs_to(page, "a")
    quiet(page, demo)


def test_memory_shows_types_and_sorts(browser: Browser, demo: str) -> None:
    page = opened(browser, demo + "/memory")
    page.until(f"{ROWS} > 50")
    assert "Resident" in text(page, "dl.figures")
    assert "MB" in text(page, "dl.figures")
    assert page.run("document.querySelector('th[aria-sort]').innerText.startsWith('Bytes')")
    first = "document.querySelector('.sorted tbody tr').innerText"
    assert page.run(first).startswith(("dict", "type", "function", "tuple", "list"))
    page.run("document.querySelector('input[type=search]').focus()")
    page.press(*"parcel")
    page.until(f"{first}.startsWith('Parcel') || {first}.startsWith('deque')")
    assert page.run("document.querySelector('canvas').width > 0")
    tabs_to(page, "th button")
    page.press("Enter")
    assert page.run("document.activeElement.parentElement.getAttribute('aria-sort')") == "ascending"
    quiet(page, demo)


def test_memory_shows_lines_while_tracing_is_on(browser: Browser, traced: str) -> None:
    page = opened(browser, traced + "/memory")
    page.until(f"{ROWS} > 50")
    page.run("document.querySelector('input[value=line]').click()")
    page.until("document.querySelector('.sorted')?.innerText.includes('office.py:')")
    assert "tracemalloc" in page.run("document.body.innerText")
    page.run("document.querySelector('input[value=module]').click()")
    page.until("document.querySelector('.sorted caption').innerText.includes('modules')")
    assert "fanlight_cli.office" in text(page, ".sorted")
    quiet(page, traced)


def test_lines_without_tracing_say_what_to_do(browser: Browser, demo: str) -> None:
    page = opened(browser, demo + "/memory")
    page.until(f"{ROWS} > 50")
    page.run("document.querySelector('input[value=line]').click()")
    page.until("document.body.innerText.includes('memory_active')")
    quiet(page, demo)


def test_the_tree_of_memory_is_drawn_and_can_be_walked_with_the_keyboard(browser: Browser, traced: str) -> None:
    page = opened(browser, traced + "/hierarchical-memory")
    page.until("document.querySelectorAll('[role=row]').length > 5")
    assert page.run(PAINTED) > 5
    levels = page.run("[...document.querySelectorAll('[role=row]')].slice(0, 3).map(r => r.ariaLevel)")
    assert levels == ["1", "2", "3"]
    tabs_to(page, "canvas")
    page.press("ArrowDown", "ArrowDown")
    assert "of all" in text(page, ".told")
    page.press("Enter")
    assert not page.run("[...document.querySelectorAll('button')].find(b => b.innerText == 'Zoom out').disabled")
    tabs_to(page, "[role=row]")
    page.press("ArrowDown", "ArrowDown", "ArrowRight", "ArrowDown")
    assert page.run("document.activeElement.ariaLevel") == "4"
    page.press("ArrowLeft", "ArrowLeft")
    assert page.run("document.activeElement.ariaLevel + document.activeElement.ariaExpanded") == "3false"
    quiet(page, traced)


def test_metrics_are_charts_that_can_be_searched(browser: Browser, demo: str) -> None:
    page = opened(browser, demo + "/metrics-viz")
    page.until("document.querySelectorAll('.card').length > 10 && document.querySelectorAll('.u-wrap').length > 3")
    page.run(
        "(() => { const s = document.querySelector('select'); s.value = '2'; s.dispatchEvent(new Event('change')) })()"
    )
    rate = "document.querySelector('[aria-label=office_parcels_total] tbody')?.innerText"
    page.until(f"/[1-9].*\\/s/.test({rate})")
    tabs_to(page, "input[type=search]")
    page.press(*"handling")
    page.until("document.querySelectorAll('.card').length === 1")
    page.until("/p99\\s+[0-9.]+ (m?s|µs)/.test(document.querySelector('.card').innerText)")
    assert page.run("location.hash") == "#q=handling"
    quiet(page, demo)


def test_the_console_asks_with_sql(browser: Browser, demo: str) -> None:
    page = opened(browser, demo + "/internal-console/")
    page.until("document.querySelector('.results')?.innerText.includes('sorter-1')")
    page.until("document.querySelectorAll('.relations li').length > 10")
    assert "__live" not in text(page, ".relations")
    page.run("document.querySelector('textarea').value = \"select '<b>x</b>' as a, null as b; select nope\"")
    page.run("[...document.querySelectorAll('button')].find(b => b.innerText == 'Run').click()")
    page.until("document.querySelector('.results').innerText.includes('42703')")
    assert "<b>x</b>" in text(page, ".results")
    assert page.run("document.querySelector('.results b')") is None
    quiet(page, demo)


@pytest.mark.skipif(not AXE.exists(), reason="npm ci was not run in console/")
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", PATHS)
def test_everybody_can_use_it(browser: Browser, traced: str, path: str, scheme: Literal["light", "dark"]) -> None:
    page = opened(browser, traced + path, scheme)
    page.until("!document.querySelector('.refresh') || document.querySelector('tbody tr') !== null")
    accessible(page)


@contextmanager
def profiled(mzfg: str) -> Iterator[str]:
    """A server with one flame graph page, and no group but that of profiles."""
    app = App(listeners=[Listener("main", "127.0.0.1:0", groups={"profiling": "NormalAndInternal"})])

    @app.route("GET", "/prof/graph", group="profiling")
    async def graph(request: Request) -> Response:
        return Response(200, (HTML,), flamegraph_page("CPU Time Flamegraph", mzfg))

    server = fanlight_asyncio.start_in_thread(app)
    try:
        yield server.addresses[0].url
    finally:
        server.stop()


PROFILE = (
    "mz_fg_version: 1\ndisplay_bytes: 1\nAllocated: 7.0 MB\n\n"
    "0x1;0x2; 4000000 MainThread\n0x1;0x3; 2000000 MainThread\n0x1;0x2; 1000000 pool\n\n"
    f"0x1 main (app.py:1);\n0x2 load (app.py:2);\n0x3 {NASTY.replace(';', chr(92) + ';')};\n"
)
SEARCH = (
    "(() => { const i = document.querySelector('input[type=search]'); i.value = %s;"
    " i.dispatchEvent(new Event('input')); return document.querySelector('.found').innerText })()"
)


def test_a_flame_graph(browser: Browser) -> None:
    with profiled(PROFILE) as url:
        page = opened(browser, url + "/prof/graph", "dark")
        page.until("document.getElementById('main').dataset.milliseconds")
        assert page.run(PAINTED) > 4
        assert "7.0 MB" in text(page, "dl.facts")
        assert page.run(SEARCH % '"load"') == "matched: 5.0 MB, 71.4 %"
        tabs_to(page, "canvas")
        page.press("ArrowDown")
        assert text(page, ".told").startswith("MainThread · 6.0 MB, 85.7 % of all")
        page.press("ArrowDown", "ArrowDown", "ArrowRight")
        assert NASTY.replace("\u2028", "")[:20] in text(page, ".told")
        page.press("Enter")
        assert "100.0 % of what is zoomed to" in text(page, ".told")
        page.press("Escape", "Home")
        assert text(page, ".told").startswith("all · 7.0 MB")
        page.run("document.querySelector('details summary').click()")
        page.until("document.querySelectorAll('details tbody tr').length === 5")
        assert page.run("document.querySelectorAll('img').length") == 0
        quiet(page, url)
        if AXE.exists():
            accessible(page)


def test_a_flame_graph_from_a_file_and_into_one(browser: Browser) -> None:
    with profiled(PROFILE) as url:
        page = opened(browser, url + "/prof/graph")
        page.until("document.getElementById('main').dataset.milliseconds")
        # What the person picks, and what the browser would write.
        offer = (
            "(() => { const f = document.querySelector('input[type=file]'); const t = new DataTransfer();"
            " t.items.add(new File([%s], 'other.mzfg')); f.files = t.files; f.dispatchEvent(new Event('change')) })()"
        )
        page.run(offer % json.dumps("mz_fg_version: 1\n\n0x1; 41\n\n0x1 other;\n"))
        page.until("document.querySelector('dl.facts').innerText.includes('41')")
        saved = page.run(
            "new Promise(done => { const make = URL.createObjectURL; URL.createObjectURL = b => { b.text().then(done);"
            " return make(b) }; HTMLAnchorElement.prototype.click = function () { window.saved = this.download };"
            " [...document.querySelectorAll('button')].find(b => b.innerText.startsWith('Save')).click() })"
        )
        assert saved == "mz_fg_version: 1\n\n0x1; 41\n\n0x1 other;\n"
        assert page.run("window.saved") == "trace.mzfg"
        page.run(offer % json.dumps("something else"))
        page.until("document.querySelector('[role=alert]').innerText.includes('other.mzfg: line 1')")
        quiet(page, url)


@pytest.mark.parametrize(("action", "title"), [("time_fg", "CPU Time Flamegraph"), ("mem_fg", "Heap Flamegraph")])
def test_a_flame_graph_of_the_demo(browser: Browser, traced: str, action: str, title: str) -> None:
    page = opened(browser, traced + "/prof/")
    page.run("document.querySelector('input[name=time_secs]').value = 1")
    page.run(f"document.querySelector('button[value={action}]').click()")
    page.until("document.getElementById('main')?.dataset.milliseconds")
    assert text(page, "h1") == title
    page.run(SEARCH % '"office.py"')
    assert page.run("document.querySelector('.found').innerText") != "matched: 0 B, 0 %"
    assert page.run(PAINTED) > 4
    quiet(page, traced)


def test_an_empty_profile_says_so(browser: Browser) -> None:
    with profiled("mz_fg_version: 1\nSampling time (s): 1\n\n\n") as url:
        page = opened(browser, url + "/prof/graph")
        page.until("document.querySelector('[role=alert]')?.innerText.includes('no stacks')")
        quiet(page, url)


def test_an_ordinary_user_with_a_password_sees_the_same(browser: Browser) -> None:
    role = Role(str(derive("secret of ada", bytes(32), 4096)))
    listener = Listener("main", "127.0.0.1:0", authenticator="Password", groups={"base": "Normal"})
    server = fanlight_asyncio.start_in_thread(App(listeners=[listener], users=Users({"ada": role})))
    try:
        url = server.addresses[0].url
        page = browser.page()
        token = base64.b64encode(b"ada:secret of ada").decode()
        page.call("Network.setExtraHTTPHeaders", headers={"authorization": f"Basic {token}"})
        page.go(url + "/memory")
        page.until(f"{ROWS} > 50")
        page.go(url + "/metrics-viz")
        page.until("document.querySelector('[role=alert]')?.innerText.includes('/metrics')")
        links: Any = page.run("[...document.querySelectorAll('nav a')].map(a => a.getAttribute('href'))")
        assert links == ["/", "/memory", "/hierarchical-memory", "/metrics-viz"]
    finally:
        server.stop()
