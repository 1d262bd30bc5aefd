"""The published ablation, four backbones by four settings, is one run of the shipped project."""

from __future__ import annotations

import pytest

from lupom import Project
from tests.support.bedrock_server import BedrockServer
from tests.support.llm_server import LLMServer
from tests.support.shipped import SMALL_EVALUATION, copy_project

pytest.importorskip("boto3")

BACKBONES = ["haiku", "llama70b3", "mistrallarge", "sonnet"]
SETTINGS = ["demographics", "everything", "history", "history_neighbours"]
VARS = {
    **SMALL_EVALUATION,
    "predictor": BACKBONES,
    "prediction_settings": SETTINGS,
    "llm_pairs": 3,
    "llm_tuning_pairs": 1,
    "llm_test_respondents": 4,
    "llm_reference_respondents": 4,
}


@pytest.fixture
def bedrock(monkeypatch, tmp_path):
    with BedrockServer() as running:
        for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_BEARER_TOKEN_BEDROCK"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
        monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", running.url)
        monkeypatch.setenv("AWS_REGION", "us-east-1")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        yield running


def test_four_backbones_by_four_settings_are_one_run_and_one_table(tmp_path, bedrock):
    with LLMServer() as personas:
        folder = copy_project(tmp_path / "project", respondents=150, base_url=personas.base_url)
        with Project(folder, vars=VARS) as project:
            result = project.run(select="+predictions")
            assert [n.message for n in result.nodes if n.status == "error"] == []
            sql = (
                "select llm, predictor, count(*) from predictions where status = 'valid'"
                " group by all order by all"
            )
            rows = project.query(sql).rows()
            asked = project.query(
                "select alias, count(*), min(model) from lupom.calls where provider = 'bedrock'"
                " group by alias order by alias"
            ).rows()
        combinations = [(llm, setting) for llm in BACKBONES for setting in SETTINGS]
        assert [row[:2] for row in rows] == combinations
        assert {row[2] for row in rows} == {4}
        # One call for each row of the table, to the model of its backbone. (Rows of equal prompts
        # share theirs.)
        assert [alias for alias, _, _ in asked] == BACKBONES
        assert len(set(bedrock.models)) == 4
        assert sum(count for _, count, _ in asked) == bedrock.requests <= 64
        before = bedrock.requests, personas.requests
        with Project(folder, vars=VARS) as project:
            assert project.run(select="+predictions").run_id is None
            project.run(select="+predictions", full_refresh=True)
            one = project.query("select respondent_id, question_id from predictions").rows()[0]
            found = project.explain("prediction_distributions", *one, "everything", llm="sonnet")
        assert (bedrock.requests, personas.requests) == before
        assert (found.alias, found.provider, found.status) == ("sonnet", "bedrock", "ok")
