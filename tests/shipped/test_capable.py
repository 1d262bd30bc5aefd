"""The shipped project on an LLM that answers as Claude does, `llms.default` switched and no more.

Its names are long, its values its own, its replies begin with thoughts or stand in a fence;
patterns, lengths and counts are not enforced, and there are no log-probabilities.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from lupom import Project
from tests.support.bedrock_server import BedrockServer, Model
from tests.support.capable import Capable, useless
from tests.support.commands import lupom
from tests.support.concepts import CONCEPTS
from tests.support.llm_server import LLMServer
from tests.support.shipped import RESPONSES, SMALL_EVALUATION, copy_project, read_csv, write_csv

SMALL = {
    **SMALL_EVALUATION,
    "test_pairs": 60,
    "tuning_pairs": 60,
    "llm_test_respondents": 4,
    "llm_reference_respondents": 4,
    "llm_pairs": 4,
    "llm_tuning_pairs": 4,
}
QUESTIONS = 25
NAMES = {name for concept in CONCEPTS for name in concept[1]}


def switched(folder: Path, alias: str) -> Path:
    """Put another alias under `llms.default`, and edit nothing else."""
    path = folder / "lupom_project.yml"
    head, tail = path.read_text(encoding="utf-8").split("  default:\n    provider: embedded\n")
    rest = tail[tail.index("\nembeddings:") :]
    path.write_text(f"{head}  default: {alias}\n{rest}", encoding="utf-8")
    return folder


def served(url: str) -> str:
    return f"{{provider: openai, base_url: {url}, model: claude-like}}"


def run(folder: Path, *arguments: str) -> int:
    vars = ", ".join(f"{key}: {value}" for key, value in SMALL.items())
    return lupom("run", "--project-dir", str(folder), "--vars", f"{{{vars}}}", *arguments)


def rows(folder: Path, sql: str) -> list[tuple]:
    with Project(folder) as project:
        return project.query(sql).rows()


def one(folder: Path, sql: str):
    ((value,),) = rows(folder, sql)
    return value


def assert_nothing_was_wasted(folder: Path, requests: int) -> None:
    """Every request had a valid answer at once, and each call was one request."""
    assert (
        rows(folder, "select node, error from lupom.calls where status <> 'ok' or attempts <> 1")
        == []
    )
    assert one(folder, "select count(*) from lupom.calls where provider <> 'embedded'") == requests


def assert_dimensions_survived(folder: Path) -> None:
    """What the LLM wrote is what is there: names, whole descriptions, values, of all levels."""
    found = rows(
        folder,
        "select name, description, level, candidate_values, ordered from persona_dimensions",
    )
    by_name = {name: concept for concept in CONCEPTS for name in concept[1]}
    assert len(found) >= 8
    assert {level for _, _, level, _, _ in found} == {"low", "mid", "high"}
    for name, description, level, values, ordered in found:
        concept = by_name[name]
        assert (level, description, tuple(values), ordered) == (
            concept[0],
            *concept[2:],
        )
    # Of the pool of dimensions one restates what is known of everybody, and is found out.
    assert not {name for name, *_ in found} & set(CONCEPTS[-1][1])
    assert one(folder, "select count(distinct ordered) from persona_dimensions") == 2


def test_a_fresh_demo_runs_on_a_capable_llm_from_end_to_end(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with LLMServer(answers=Capable(), logprobs="ignore") as server:
        assert lupom("init", "demo") == 0
        folder = switched(tmp_path / "demo", served(server.base_url))
        write_csv(folder / RESPONSES, read_csv(folder / RESPONSES)[:151])
        assert run(folder) == 0, capsys.readouterr().err
        assert_nothing_was_wasted(folder, server.requests)
        assert_dimensions_survived(folder)
        # One request a question, a cluster of several names, a check and a person.
        asked = dict(rows(folder, "select node, count(*) from lupom.calls group by node"))
        assert asked["dimension_candidates"] == QUESTIONS
        assert asked["demographic_checks"] == one(folder, "select count(*) from dimension_drafts")
        assert asked["persona_values"] == 8
        assert asked["prediction_answers"] == 2 * one(folder, "select count(*) from llm_pairs")
        # Values are the dimensions' own, or unknown, and every person has each.
        values, known = rows(folder, "select count(*), count(value) from persona_values")[0]
        assert values == 8 * one(folder, "select count(*) from persona_dimensions")
        assert 0.6 * values < known < values
        assert one(folder, "select count(*) from predictions where status <> 'valid'") == 0
        assert one(folder, "select count(*) from refined_persona_values") == values
        # A second run asks nothing.
        before = server.requests
        assert run(folder) == 0
        assert server.requests == before


@pytest.fixture
def converse(monkeypatch, tmp_path):
    """A Converse that takes tools and no schemas, as Claude 3 on Bedrock."""
    pytest.importorskip("boto3")
    with BedrockServer(answers=Capable(), model=Model(json_schema=False)) as running:
        for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_BEARER_TOKEN_BEDROCK"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
        monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", running.url)
        monkeypatch.setenv("AWS_REGION", "us-east-1")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        yield running


def test_one_call_a_dimension_on_converse_shares_the_person(tmp_path, converse):
    alias = "{provider: bedrock, model: anthropic.claude-3-sonnet-20240229-v1:0}"
    folder = switched(copy_project(tmp_path / "project", respondents=150), alias)
    with Project(folder, vars=SMALL | {"persona_calls": "dimension"}) as project:
        result = project.run(select="+persona_values")
    assert [node.message for node in result.nodes if node.status == "error"] == []
    assert_nothing_was_wasted(folder, converse.requests)
    assert_dimensions_survived(folder)
    dimensions = one(folder, "select count(*) from persona_dimensions")
    asked = one(folder, "select count(*) from lupom.calls where node = 'persona_values'")
    assert asked == 8 * dimensions == one(folder, "select count(*) from persona_values")
    # All that comes before the dimension is the same in all calls about a person: tool and system,
    # and the answers.
    calls = [body for body in converse.bodies if "Answers of the person" in str(body["messages"])]
    assert len(calls) == asked
    said = ["".join(b.get("text", "") for m in c["messages"] for b in m["content"]) for c in calls]
    people = {text.split("Where does the person stand")[0] for text in said}
    assert len(people) == 8
    assert len({str(c["toolConfig"]) + str(c["system"]) for c in calls}) == 1


def test_several_dimensions_of_a_person_share_a_call(tmp_path):
    with LLMServer(answers=Capable(), logprobs="ignore") as server:
        folder = switched(copy_project(tmp_path / "p", respondents=150), served(server.base_url))
        vars = SMALL | {"persona_calls": "dimension", "persona_parts_per_call": 50}
        with Project(folder, vars=vars) as project:
            result = project.run(select="+persona_values")
        assert [node.message for node in result.nodes if node.status == "error"] == []
        values = one(folder, "select count(*) from persona_values")
        assert values == 8 * one(folder, "select count(*) from persona_dimensions")
        people = [b for b in server.bodies if "Answers of the person" in str(b["messages"])]
        assert len(people) == 8
        assert rows(folder, "select error from lupom.calls where status <> 'ok'") == []


def test_an_llm_whose_answers_are_of_no_use_stops_the_run(tmp_path, capsys):
    with LLMServer(answers=useless, logprobs="ignore") as server:
        folder = switched(copy_project(tmp_path / "p", respondents=150), served(server.base_url))
        assert run(folder, "--select", "+persona_values") == 1
        said = capsys.readouterr().err
        assert "20 of the first 20 answers are invalid" in said
        # Nothing below was asked, or built of nothing.
        assert rows(folder, "select distinct node from lupom.calls") == [("dimension_candidates",)]
        assert one(folder, "select count(*) from lupom.calls") == 20 < QUESTIONS
        assert server.requests == one(folder, "select sum(attempts) from lupom.calls")
        with Project(folder) as project:
            assert "persona_dimensions" not in project.store.records()


def test_a_setting_that_cannot_be_asked_is_an_error_before_anything_is_paid(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    with LLMServer(answers=Capable(), logprobs="ignore") as server:
        assert lupom("init", "demo") == 0
        folder = switched(tmp_path / "demo", served(server.base_url))
        # Five draws at temperature 0 would be five times the same.
        path = folder / "lupom_project.yml"
        text = path.read_text(encoding="utf-8")
        assert "prediction_settings: [history, everything]" in text
        path.write_text(text.replace("[history, everything]", "[history_draws]"), encoding="utf-8")
        narrow = ("--select", "prediction_settings", "+dimension_candidates")
        assert lupom("run", "--project-dir", str(folder), *narrow) == 1
        assert server.requests == 0
        assert "are all alike at temperature 0" in capsys.readouterr().err
