"""The page of relations is what their declarations say."""

from __future__ import annotations

from fanlight_engines.process.docs import page
from fanlight_engines.process.relations import DECLARED
from tests.docs.markdown import ROOT, headings, rows

PAGE = ROOT / "docs" / "reference" / "relations.md"


def test_the_page_is_up_to_date() -> None:
    # If not: python -m fanlight_engines.process.docs > docs/reference/relations.md
    assert PAGE.read_text(encoding="utf-8") == page()


def test_every_relation_and_every_column_is_on_it_and_says_something() -> None:
    assert headings(PAGE)[1:] == [f"{relation.schema}.{relation.name}" for relation in DECLARED]
    cells = [row for row in rows(PAGE) if row[0] != "column"]
    assert [row[0].strip("`") for row in cells] == [c.name for relation in DECLARED for c in relation.columns]
    assert all(len(row) == 3 and row[2].endswith(".") for row in cells)


def test_every_relation_says_what_it_is_and_what_it_costs() -> None:
    for relation in DECLARED:
        assert relation.doc.endswith("."), relation.name
        assert relation.cost.endswith("."), relation.name
