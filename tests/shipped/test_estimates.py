"""What the plan says the survey's calls will take holds what they then take, at every LLM model."""

from __future__ import annotations

import pytest

from lupom import Project
from tests.support.answers import personas
from tests.support.llm_server import LLMServer
from tests.support.shipped import copy_project

VARS = {
    "test_pairs": 200,
    "tuning_pairs": 200,
    "llm_test_respondents": 15,
    "llm_reference_respondents": 15,
    "llm_pairs": 20,
    "llm_tuning_pairs": 5,
}


@pytest.fixture
def folder(tmp_path):
    with LLMServer(answers=personas) as server:
        yield copy_project(tmp_path / "project", respondents=200, base_url=server.base_url)


def go(folder):
    """Plan and run; return what the plan says by node, and what each node asked."""
    with Project(folder, vars=VARS) as project:
        steps = project.plan("+predictions").doing()
        result = project.run("+predictions")
    assert [node.message for node in result.nodes if node.status == "error"] == []
    planned = {step.node: step.estimate.tokens for step in steps if step.estimate}
    return planned, {n.node: n.calls for n in result.nodes if n.calls and n.calls.asked}


def test_on_the_shipped_survey_the_range_holds_the_actual(folder):
    planned, asked = go(folder)
    # Without any history: of the first model by the plan, of those below it when they begin.
    assert len(asked) >= 4
    first = next(iter(asked))
    for node, calls in asked.items():
        actual = calls.usage.tokens_in + calls.usage.tokens_out
        assert calls.tokens_low <= actual <= calls.tokens_high, node
    assert planned[first].holds(asked[first].usage.tokens_in + asked[first].usage.tokens_out)
    # By the ledger: other prompts at every model, which now has a range before the run.
    for prompt in (folder / "prompts").glob("*.jinja"):
        with prompt.open("a", encoding="utf-8") as file:
            file.write("\nTake your time.\n")
    planned, asked = go(folder)
    assert len(asked) >= 4
    for node, calls in asked.items():
        actual = calls.usage.tokens_in + calls.usage.tokens_out
        assert calls.tokens_low <= actual <= calls.tokens_high, node
        assert planned[node].holds(actual), node
    # A range by the ledger says something: it is no wider than half and twice.
    assert planned[first].high < 2 * planned[first].low
