"""Who is asked which blocks: forms in an order drawn by lot."""

from __future__ import annotations

from collections import Counter

from lupom.science.planning import assignments, blocks
from tests.support.planned_surveys import tables, three_themes


def test_forms_are_balanced_whenever_fieldwork_ends():
    survey = tables(three_themes(n=1200))
    designed = blocks.design_blocks(*survey, blocks=3, asked=2)
    rows = assignments.design_assignments(designed, survey[1], people=100, seed=5).to_pylist()
    assert [r["person"] for r in rows] == list(range(1, 101))
    for end in (3, 30, 100):
        counts = Counter(r["form"] for r in rows[:end])
        assert max(counts.values()) - min(counts.values()) <= 1
    named = {r["question_id"]: r["block"] for r in designed.to_pylist()}
    assert all({named[q] for q in r["questions"]} == set(r["blocks"].split()) for r in rows)
    other = assignments.design_assignments(designed, survey[1], people=100, seed=6).to_pylist()
    assert [r["form"] for r in other] != [r["form"] for r in rows]
    assert assignments.design_assignments(designed, survey[1]).num_rows == 1200
