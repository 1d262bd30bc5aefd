"""Unit tests of models: SQL, Python and LLM models on given rows, with no store and no LLM."""

from __future__ import annotations

import pytest

from lupom import Project
from lupom.engine.errors import ProjectError

FILES = {
    "lupom_project.yml": """
        name: demo
        vars: {least: 18}
        models: {+materialized: table}
        llms: {default: {provider: openai, base_url: "http://127.0.0.1:9/v1", model: m}}
        """,
    "seeds/people.csv": "id,age\n1,40\n",
    "models/adults.sql": "select id from {{ ref('people') }} where age >= {{ var('least') }}",
    "models/count.py": """
        def model(lupom):
            return lupom.ref("adults").aggregate("count(*) as n")
        """,
    "models/moods.sql": """
        {{ config(materialized='llm', prompt='mood', response='Mood', key='id') }}
        select id, ['good', 'bad'] as moods from {{ ref('adults') }}
        """,
    "prompts/mood.jinja": "How is person {{ id }}?",
    "prompts/responses.py": """
        from typing import Annotated

        from pydantic import BaseModel

        from lupom import OneOf


        class Mood(BaseModel):
            mood: Annotated[str, OneOf("moods")]
        """,
}

ADULTS = """
unit_tests:
  - name: adults_are_18
    model: adults
    given:
      - input: ref('people')
        rows: [{id: 1, age: 17}, {id: 2, age: 18}]
    expect:
      rows: [{id: 2}]
"""
MOODS = """
unit_tests:
  - name: moods_are_kept
    model: moods
    given: [{input: ref('adults'), rows: [{id: 1}, {id: 2}, {id: 3}]}]
    answers:
      - {when: {id: 1}, answer: {mood: good}}
      - {when: {id: 2}, answer: {mood: fair}}
      - {text: "I cannot say"}
    expect:
      rows: [{id: 1, mood: good}]
      invalid: 2
      prompts: [{when: {id: 2}, contains: [person 2], excludes: [person 1]}]
"""


@pytest.fixture
def outcome(make_project):
    """Return a function: the status and message of a project's one unit test."""

    def run(text, **files):
        folder = make_project({**FILES, "models/units.yml": text, **files})
        with Project(folder) as project:
            (node,) = project.test().nodes
        assert not (folder / "lupom.duckdb").exists()
        return node.status, node.message

    return run


@pytest.mark.parametrize(
    "text",
    [
        ADULTS,
        MOODS,
        ADULTS.replace("[{id: 2}]", "[{id: 1}, {id: 2}]").replace(
            "    expect:", "    overrides: {vars: {least: 10}}\n    expect:"
        ),
        ADULTS.replace(
            "rows: [{id: 1, age: 17}, {id: 2, age: 18}]",
            "format: csv\n        rows: |\n          id,age\n          1,17\n          2,18",
        ),
        """
unit_tests:
  - name: counted
    model: count
    given: [{input: ref('adults'), rows: [{id: 1}, {id: 5}]}]
    expect: {rows: [{n: 2.0}]}
""",
    ],
    ids=["sql", "llm", "vars", "csv", "python"],
)
def test_what_is_as_expected_passes(outcome, text):
    assert outcome(text) == ("pass", "")


@pytest.mark.parametrize(
    ("text", "status", "message"),
    [
        (
            ADULTS.replace("[{id: 2}]", "[{id: 7}]"),
            "fail",
            'expected and not there: {"id": 7}\nthere and not expected: {"id": 2}',
        ),
        (ADULTS.replace("[{id: 2}]", "[]"), "fail", "1 rows, not 0"),
        (MOODS.replace("mood: good}]", "mood: bad}]"), "fail", '"mood": "bad"'),
        (MOODS.replace("invalid: 2", "invalid: 0"), "fail", "invalid answers: 2, not 0"),
        (MOODS.replace("[person 2]", "[Person 2]"), "fail", "does not contain 'Person 2'"),
        (ADULTS.replace("ref('people')", "ref('peple')"), "error", "did you mean 'people'?"),
        (ADULTS.replace("[{id: 2}]", "[{idd: 2}]"), "error", "did you mean 'id'?"),
        (MOODS.replace('      - {text: "I cannot say"}\n', ""), "error", "no scripted answer fits"),
    ],
)
def test_what_is_not_is_told(outcome, text, status, message):
    got, said = outcome(text)
    assert got == status
    assert message in said


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (ADULTS.replace("model: adults", "model: adult"), "did you mean 'adults'?"),
        (ADULTS.replace("ref('people')", "people"), "'people' is not an input"),
        (ADULTS.replace("    expect:\n      rows: [{id: 2}]", "    expect: {}"), "expects 'rows'"),
    ],
)
def test_mistakes_are_told_with_file_and_line(make_project, text, message):
    folder = make_project({**FILES, "models/units.yml": text})
    with pytest.raises(ProjectError) as caught:
        Project(folder)
    assert message in str(caught.value)
    assert str(caught.value).startswith("models/units.yml:")


def test_build_does_not_build_a_model_whose_unit_test_fails(make_project):
    text = ADULTS.replace("[{id: 2}]", "[{id: 7}]")
    folder = make_project({**FILES, "models/units.yml": text})
    with Project(folder) as project:
        result = project.run(["adults", "count"], tests=True)
    assert {n.node: n.status for n in result.nodes} == {
        "adults_are_18": "fail",
        "people": "success",
        "adults": "skipped",
        "count": "skipped",
    }
