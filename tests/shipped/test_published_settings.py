"""Four backbones by the published settings, on a Converse that answers as Claude does: one run."""

from __future__ import annotations

import pytest

from lupom import Project
from tests.shipped.conftest import copy_project
from tests.shipped.test_capable import converse, lupom, switched

__all__ = ["converse"]

pytest.importorskip("boto3")

BACKBONES = ["haiku", "llama70b3", "mistrallarge", "sonnet"]
# History; with demographics; with the persona raw, and after each network; and everything.
SETTINGS = [
    *("published_history", "published_demographics", "published_persona"),
    *("published_bds", "published_bdeu", "published_bic", "everything"),
]
VARS = {
    **{"test_pairs": 60, "tuning_pairs": 60, "llm_pairs": 4, "llm_tuning_pairs": 2},
    **{"llm_test_respondents": 4, "llm_reference_respondents": 4},
    **{"predictor": BACKBONES, "prediction_settings": SETTINGS, "questions_per_call": 8},
}


def test_four_backbones_by_the_published_settings_lose_no_answer(tmp_path, converse):
    alias = "{provider: bedrock, model: anthropic.claude-3-sonnet-20240229-v1:0}"
    folder = switched(copy_project(tmp_path / "project", respondents=150), alias)
    vars = ", ".join(f"{key}: {value}" for key, value in VARS.items()).replace("'", "")
    assert lupom("run", "--project-dir", str(folder), "--vars", f"{{{vars}}}") == 0
    with Project(folder, vars=VARS) as project:
        rows = project.query(
            "select llm, predictor, count(*), bool_and(status = 'valid'),"
            " bool_and(probabilities is not null), bool_or(probabilities is not null)"
            " from predictions group by all order by all"
        ).rows()
        wrong = project.query("select error from lupom.calls where status <> 'ok'").rows()
        attempts = project.query("select max(attempts), sum(attempts) from lupom.calls").rows()
        shown = project.query(
            "select distinct p.value from prediction_requests, unnest(persona) as u(p)"
            " where setting = 'published_bds' and p.certainty is not null"
        ).rows()
        parts = project.query(
            "select distinct llm from stack_weights where part = 'everything' order by all"
        ).rows()
    assert wrong == []
    assert attempts[0][0] == 1
    # Questions that share a request are calls of their own, so there are fewer requests.
    assert converse.requests <= attempts[0][1]
    pairs = {count for _, _, count, *_ in rows}
    assert pairs == {6}
    stated = [(llm, name) for llm in BACKBONES for name in sorted(SETTINGS)]
    assert [row[:2] for row in rows] == stated
    for _, name, _, valid, all_of_them, any_of_them in rows:
        assert valid
        # As published an answer is an answer; besides, the probabilities are stated.
        assert (all_of_them, any_of_them) == ((name == "everything",) * 2)
    assert shown == []
    # Too few tuning pairs to hear an LLM: the stack says so rather than fail.
    assert [llm for (llm,) in parts] in ([], BACKBONES)
