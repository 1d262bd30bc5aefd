"""Queries that the documents show, on tables whose right answers are known."""

from __future__ import annotations

import re
from pathlib import Path

import duckdb
import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
# Tables with a row for each survey: a query of one predictor's row must say which survey it is of.
BY_SURVEY = ("leaderboard", "metrics", "comparisons", "order_effects", "group_metrics")


def queries(text: str) -> list[str]:
    """Return the SQL of every query a page shows, in a shell or in Python."""
    shell = re.findall(r'lupom query "(.*?)"', text, re.S)
    python = re.findall(r"\.query\(\s*((?:\"[^\"]*\"\s*)+)", text)
    joined = ["".join(re.findall(r'"([^"]*)"', part)) for part in python]
    return [re.sub(r"\s+", " ", sql) for sql in shell + joined]


def test_the_ablation_has_a_row_for_each_survey_and_llm() -> None:
    """One setting, right in .367, .217 and .300 of three waves: no wave's figure stands for all."""
    page = (ROOT / "docs" / "howto-ablation.md").read_text(encoding="utf-8")
    [pivot] = [sql for sql in queries(page) if sql.startswith("pivot")]
    connection = duckdb.connect()
    connection.execute(
        "create table leaderboard as select *, 'known' as scenario, 'llm' as pairs from (values "
        "('W34', 'haiku', 'history', .367), ('W41', 'haiku', 'history', .217), "
        "('W82', 'haiku', 'history', .300), ('W34', 'haiku', 'everything', .4), "
        "('W34', null, 'majority', .5)) as t(survey, llm, predictor, accuracy)"
    )
    result = connection.execute(pivot)
    assert [column[0] for column in result.description] == [
        *("survey", "scenario", "llm", "everything", "history")
    ]
    rows = [(survey, float(history)) for survey, _, _, _, history in result.fetchall()]
    assert rows == [("W34", 0.367), ("W41", 0.217), ("W82", 0.3)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_query_says_which_survey_a_figure_is_of(page: Path) -> None:
    for sql in queries(page.read_text(encoding="utf-8")):
        tables = set(re.findall(r"\bfrom (\w+)", sql))
        if tables & set(BY_SURVEY):
            assert "survey" in sql or "select *" in sql, sql


def test_queries_are_found_on_the_pages() -> None:
    found = [sql for page in PAGES for sql in queries(page.read_text(encoding="utf-8"))]
    assert len(found) > 10
    assert any("from leaderboard where pairs = ?" in sql for sql in found)
