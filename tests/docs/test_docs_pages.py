"""Links lead somewhere, Python samples are Python, and every page can be reached from the first."""

from __future__ import annotations

import ast
import json
import tomllib
from pathlib import Path

import pytest

from tests.docs.markdown import PAGES, ROOT, Sample, anchor, headings, links, samples, titles

LOCAL = [(page, link) for page in PAGES for link in links(page) if "://" not in link and not link.startswith("mailto:")]


def target(page: Path, link: str) -> tuple[Path, str]:
    """The file and the fragment that `link` on `page` names."""
    name, _, fragment = link.partition("#")
    return (page.parent / name).resolve() if name else page, fragment


@pytest.mark.parametrize(("page", "link"), LOCAL, ids=lambda value: str(value).rpartition("/")[2])
def test_links_lead_to_files_and_headings_that_exist(page: Path, link: str) -> None:
    file, fragment = target(page, link)
    assert file.is_relative_to(ROOT)
    assert file.exists()
    if fragment:
        assert fragment in [anchor(heading) for heading in headings(file)]


def test_every_page_is_reached_from_the_index() -> None:
    index = ROOT / "docs" / "index.md"
    seen, waiting = {index}, [index]
    while waiting:
        page = waiting.pop()
        following = {target(page, link)[0] for link in links(page) if "://" not in link} & set(PAGES)
        waiting += following - seen
        seen |= following
    assert {page for page in PAGES if page.is_relative_to(ROOT / "docs")} - seen == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_has_one_title_and_starts_with_it(page: Path) -> None:
    assert page.read_text(encoding="utf-8").startswith("# ")
    assert titles(page) == 1


@pytest.mark.parametrize("sample", samples("python"), ids=str)
def test_python_samples_compile(sample: Sample) -> None:
    compile(sample.text, str(sample), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


@pytest.mark.parametrize("sample", samples("json"), ids=str)
def test_json_samples_are_json(sample: Sample) -> None:
    json.loads(sample.text)


@pytest.mark.parametrize("sample", samples("toml"), ids=str)
def test_toml_samples_are_toml(sample: Sample) -> None:
    tomllib.loads(sample.text)
