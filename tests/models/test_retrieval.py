"""Who is compared with whom, as the SQL model of retrieval says."""

from __future__ import annotations

import pandas as pd

from tests.support.fake_project import FakeProject


def test_neighbours_are_wanted_of_those_with_a_persona_or_a_held_out_pair():
    project = FakeProject()
    roles = {"a": "reference", "b": "reference", "t": "test", "n": "new", "p": "reference"}
    project.add(
        "histories",
        pd.DataFrame(
            {"survey": "w", "respondent_id": list(roles), "role": list(roles.values())},
        ),
    )
    project.add("llm_respondents", pd.DataFrame({"survey": ["w"], "respondent_id": ["p"]}))
    held = {"a": "known", "b": "tuning", "t": "test", "n": "test", "p": "known"}
    project.add(
        "known_responses",
        pd.DataFrame(
            [("w", r, q, role) for r, role in held.items() for q in ("q1", "q2")],
            columns=["survey", "respondent_id", "question_id", "role"],
        ),
    )
    project.build("retrieval/retrieval_respondents.sql")
    found = project.rows(
        "select respondent_id, role, has_persona, asked from retrieval_respondents order by 1"
    )
    assert [tuple(row) for row in found] == [
        ("a", "reference", False, False),
        ("b", "reference", False, True),
        ("n", "new", False, True),
        ("p", "reference", True, True),
        ("t", "test", False, True),
    ]
