"""One project, other backbones: a var away, each at its own price."""

from __future__ import annotations

import pytest

from lupom import LupomError, Project
from lupom.engine.diagnosis import diagnose
from tests.support.bedrock_server import BedrockServer
from tests.support.notes_project import FILES, people

pytest.importorskip("boto3")

MODEL = """
    {{ config(materialized='llm', prompt='note', response='Note', key='id',
              llm=var('predictor', 'default')) }}
    select id, name, town from {{ ref('people') }}
    """


@pytest.fixture
def bedrock(monkeypatch, tmp_path):
    with BedrockServer() as running:
        for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_BEARER_TOKEN_BEDROCK", "AWS_REGION"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
        monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", running.url)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        yield running


@pytest.fixture
def folder(make_project, server):
    return make_project(
        {
            "lupom_project.yml": f"""
                name: demo
                models: {{+materialized: table}}
                vars: {{predictor: default}}
                llms:
                  default: {{provider: openai, base_url: '{server.base_url}', model: m}}
                  sonnet: {{region: eu-west-1, fallback: haiku}}
                """,
            **FILES,
            "models/notes.sql": MODEL,
            "seeds/people.csv": people(5),
        }
    )


def run(folder, predictor, **options):
    with Project(folder, vars={"predictor": predictor}) as project:
        return project.run(**options)


def calls(folder, sql):
    with Project(folder) as project:
        return project.query(sql).rows()


def test_the_backbone_is_a_var_away_and_nothing_is_asked_twice(folder, server, bedrock):
    assert run(folder, "default").status == "success"
    assert (server.requests, bedrock.requests) == (5, 0)
    result = run(folder, "sonnet", budget="$1")
    assert result.status == "success"
    assert (server.requests, bedrock.requests) == (5, 5)
    (notes,) = [node for node in result.nodes if node.node == "notes"]
    expected = (notes.calls.usage.tokens_in * 3 + notes.calls.usage.tokens_out * 15) / 1e6
    assert notes.calls.usage.cost == pytest.approx(expected)
    # There and back: every answer is in the ledger.
    assert run(folder, "default").status == "success"
    assert run(folder, "sonnet").status == "success"
    assert (server.requests, bedrock.requests) == (5, 5)
    sql = "select alias, count(*), sum(cost) > 0 from lupom.calls group by alias order by alias"
    assert calls(folder, sql) == [("default", 5, None), ("sonnet", 5, True)]


def test_ready_aliases_need_no_declaration_and_may_fall_back_on_one_another(folder, bedrock):
    def answers(body):
        hard = "Person 3" in str(body["messages"])
        return "no" if hard and "sonnet" in bedrock.models[-1] else None

    bedrock.answers = answers
    assert run(folder, "sonnet").status == "success"
    sql = "select alias from notes join lupom.calls using (call_id) order by id"
    assert [alias for (alias,) in calls(folder, sql)] == [
        "sonnet",
        "sonnet",
        "haiku",
        "sonnet",
        "sonnet",
    ]
    assert run(folder, "mistrallarge").status == "success"


def test_without_access_the_run_fails_with_what_to_do(folder, bedrock):
    from tests.support.bedrock_server import Fault

    message = "You don't have access to the model with the specified model ID."
    bedrock.faults = lambda _n, _b: Fault(code="AccessDeniedException", message=message)
    result = run(folder, "sonnet")
    assert result.exit_code == 1
    (notes,) = [node for node in result.nodes if node.node == "notes"]
    assert "no access to the model" in notes.message
    assert "eu-west-1" in notes.message
    assert "Bedrock console" in notes.message


def test_an_alias_that_is_neither_declared_nor_ready_is_told(folder):
    with pytest.raises(LupomError, match="did you mean 'sonnet'"):
        run(folder, "sonet")


def test_debug_checks_the_aliases_that_vars_and_rows_name_and_their_fallbacks(folder, bedrock):
    def checked(**vars):
        with Project(folder, vars=vars) as project:
            return {c.what: c.ok for c in diagnose(project.context) if c.what.startswith("llm ")}

    # The project file's own, with what they fall back on.
    own = {"llm default": True, "llm haiku": True, "llm sonnet": True}
    assert checked() == own
    assert checked(predictor="llama70b3") == {**own, "llm llama70b3": True}
    named = "models/notes.sql"
    text = (folder / named).read_text()
    config = "materialized='llm', llm_column='backbone',"
    text = text.replace("materialized='llm',", config).replace(
        "select ", "select 'mistrallarge' as backbone, ", 1
    )
    (folder / named).write_text(text)
    with Project(folder) as project:
        assert project.run("notes").status == "success"
    assert checked() == {**own, "llm mistrallarge": True}
