"""Who is asked which blocks: forms in an order drawn by lot."""

from __future__ import annotations

from collections import Counter

import pyarrow as pa

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


def test_a_persons_questions_are_in_the_order_of_the_questionnaire():
    survey = tables(three_themes(n=300))
    designed = blocks.design_blocks(*survey, blocks=3, asked=2)
    ids = [r["question_id"] for r in designed.to_pylist()]
    last_first = [
        {"survey": "s", "question_id": name, "position": len(ids) - place}
        for place, name in enumerate(ids)
    ]
    asked = pa.Table.from_pylist(
        [{**row, "survey": designed["survey"][0].as_py()} for row in last_first]
    )
    rows = assignments.design_assignments(designed, survey[1], questions=asked, people=3)
    for row in rows.to_pylist():
        assert row["questions"] == [q for q in ids[::-1] if q in row["questions"]]
        assert len(row["questions"]) > 1
