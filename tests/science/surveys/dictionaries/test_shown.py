"""Branching, as REDCap and XLSForm write it."""

from __future__ import annotations

import pytest

from lupom.science.surveys.dictionaries.shown import NotRead, evaluate

ROW = {"sex": "1", "age": "30", "tea___2": "1", "likes": "red blue", "job": ""}


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ("[sex] = '1'", True),
        ("[sex]='2' or [tea(2)] = '1'", True),
        ("[sex] = '1' and ([age] < 18 or [age] > 65)", False),
        ("[job] <> ''", False),
        ("${age} >= 18 and not(selected(${likes}, 'green'))", True),
        ("selected(${likes}, 'blue')", True),
        ('[age] != "30"', False),
    ],
)
def test_a_condition_holds_or_not(condition, holds):
    assert evaluate(condition, ROW.get) is holds


@pytest.mark.parametrize(
    "condition", ["[nobody] = '1'", "datediff([a], 'now')", "[sex] = ", "((((", "[sex] like '1'"]
)
def test_a_condition_in_other_words_is_not_read(condition):
    with pytest.raises(NotRead):
        evaluate(condition, ROW.get)
