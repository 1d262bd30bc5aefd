"""The shipped project on the embedded LLM, small: every stage with real answers."""

from __future__ import annotations

import pytest

from lupom import Project
from tests.shipped.conftest import copy_project

VARS = {
    "test_pairs": 200,
    "tuning_pairs": 200,
    "llm_test_respondents": 12,
    "llm_reference_respondents": 12,
    "llm_pairs": 20,
    "llm_tuning_pairs": 2,
}


@pytest.mark.embedded
def test_personas_are_inferred_refined_matched_and_used(tmp_path):
    folder = copy_project(tmp_path / "project", respondents=400)
    with Project(folder, vars=VARS) as project:
        result = project.run()
        assert [node.message for node in result.nodes if node.status == "error"] == []

        def one(sql):
            ((value,),) = project.query(sql).rows()
            return value

        assert one("select count(*) from persona_dimensions") >= 3
        assert one("select count(distinct level) from persona_dimensions") >= 2
        assert one("select count(distinct respondent_id) from persona_values") == 24
        assert one("select count(*) from refined_persona_values") > 0
        assert one("select count(*) from similar_respondents") > 0
        assert one("select count(*) from predictions") == 2 * one("select count(*) from llm_pairs")
        assert one("select count(*) from llm_pairs where role = 'test'") >= 10
        assert one("select count(*) from metrics where pairs = 'llm'") > 0
        # Values are candidate values, whatever a model of this size would rather say.
        assert (
            one(
                """
            select count(*)
            from persona_values join persona_dimensions using (survey, dimension_id)
            where value is not null and not list_contains(candidate_values, value)
            """
            )
            == 0
        )
        assert project.run().run_id is None
