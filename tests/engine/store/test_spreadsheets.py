"""Text that a spreadsheet would run."""

from __future__ import annotations

import duckdb
import pytest

from lupom.engine.store.spreadsheets import safe, safe_sql

FORMULAS = [
    "=1+1",
    "+SUM(A1)",
    "-2+3",
    "@now",
    "\t=1",
    "\r=1",
    "\n=1",
    "\uff1d1+1",
    "-",
    "=cmd|' /C x'!A0",
]
TEXTS = ["", "yes", "a=b", "1=1", "-5", "+1.5", "-1e-3", "-,5", "'=1", " - no"]


@pytest.mark.parametrize("text", FORMULAS)
def test_what_begins_like_a_formula_gets_an_apostrophe(text):
    assert safe(text) == f"'{text}"


@pytest.mark.parametrize("text", TEXTS)
def test_other_texts_and_numbers_stay(text):
    assert safe(text) == text


def test_sql_does_the_same():
    texts = [*FORMULAS, *TEXTS, None]
    query = f"select {safe_sql('t')} from (select unnest(?) as t)"
    found = [text for (text,) in duckdb.execute(query, [texts]).fetchall()]
    assert found == [None if text is None else safe(text) for text in texts]
