"""What a model would be if it were built now, and what another prompt would say."""

from __future__ import annotations

import pytest

from lupom import Project
from lupom.engine.errors import StoreError, UsageError
from lupom.engine.run.diff import Change, diff
from lupom.engine.run.trial import try_prompt
from tests.support.notes_project import FILES, people

PLAIN = {
    "seeds/people.csv": "id,name\n1,Ann\n2,Bob\n3,Cy\n",
    "models/names.sql": "{{ config(meta={}) }} select id, name from {{ ref('people') }}",
    "models/loud.sql": "select id, upper(name) as name from {{ ref('names') }}",
    "models/loud.yml": "models: [{name: loud, columns: [{name: id, data_tests: [unique]}]}]",
}


@pytest.fixture
def folder(make_project):
    folder = make_project(PLAIN)
    with Project(folder) as project:
        project.run()
    return folder


def compared(folder, *arguments):
    with Project(folder) as project:
        return diff(project.context, *arguments)


def test_nothing_changed_is_no_difference(folder):
    found = compared(folder, "loud")
    assert (found.keys, found.same, found.changes) == (["id"], 3, [])


def test_a_change_far_above_is_seen_and_nothing_is_built(folder):
    (folder / "seeds" / "people.csv").write_text("id,name\n1,Ann\n2,Rob\n4,Dee\n")
    found = compared(folder, "loud")
    assert (found.added, found.gone, found.changed, found.same) == (1, 1, 1, 1)
    assert Change("changed", (2,), "name", "BOB", "ROB") in found.changes
    assert Change("added", (4,)) in found.changes
    with Project(folder) as project:
        assert sorted(project.table("loud").rows()) == [(1, "ANN"), (2, "BOB"), (3, "CY")]
        assert project.plan().doing()


def test_without_a_key_rows_are_compared_as_a_whole(folder):
    (folder / "models" / "names.sql").write_text(
        "select id, name from {{ ref('people') }} where id < 3"
    )
    found = compared(folder, "names")
    assert (found.added, found.gone, found.same) == (0, 1, 2)
    assert found.changes == [Change("gone", (3, "Cy"))]


def test_columns_that_come_and_go_are_named(folder):
    (folder / "models" / "loud.sql").write_text("select id, 1 as n from {{ ref('names') }}")
    assert compared(folder, "loud").columns == ["+n", "-name"]


def test_mistakes(folder):
    with pytest.raises(UsageError, match="did you mean 'loud'"):
        compared(folder, "lud")
    with pytest.raises(UsageError, match="no column 'nam'"):
        compared(folder, "loud", ["nam"])
    (folder / "models" / "fresh.sql").write_text("select 1 as n")
    with pytest.raises(StoreError, match="'fresh' is not built yet"):
        compared(folder, "fresh")


@pytest.fixture
def asked(make_project, server):
    folder = make_project(
        {
            "lupom_project.yml": f"""
                name: demo
                models: {{+materialized: table}}
                llms:
                  default:
                    provider: openai
                    base_url: '{server.base_url}'
                    model: m
                    price: {{input: 1000, output: 1000}}
                """,
            **FILES,
            "seeds/people.csv": people(6),
        }
    )
    with Project(folder) as project:
        assert project.run().status == "success"
    return folder


def test_of_an_llm_model_the_rows_to_ask_are_counted_and_none_is(asked, server):
    before = server.requests
    (asked / "seeds" / "people.csv").write_text(people(9))
    found = compared(asked, "notes")
    assert (found.same, found.to_ask, server.requests) == (6, 3, before)
    assert 0 < found.cost.low <= found.cost.high


def test_another_prompt_is_asked_of_a_sample_and_its_answers_are_kept(asked, server, tmp_path):
    before = server.requests
    other = tmp_path / "other.jinja"
    other.write_text((asked / "prompts" / "note.jinja").read_text() + "\nBe brief.")
    with Project(asked) as project:
        trial = try_prompt(project.context, "notes", other, sample=2)
    assert (len(trial.pairs), trial.asked, trial.rest) == (2, 2, 4)
    assert server.requests == before + 2
    assert trial.cost == pytest.approx(trial.tokens / 1000)
    assert trial.rest_cost.low > 0
    # The same sample again is in the ledger; adopted, only the others are asked.
    with Project(asked) as project:
        again = try_prompt(project.context, "notes", other, sample=2)
    assert (again.asked, again.pairs) == (0, trial.pairs)
    (asked / "prompts" / "note.jinja").write_text(other.read_text())
    with Project(asked) as project:
        project.run()
    assert server.requests == before + 6


def test_a_prompt_is_for_an_llm_model(asked, tmp_path):
    with Project(asked) as project, pytest.raises(UsageError, match="asks no LLM"):
        try_prompt(project.context, "people", tmp_path / "x.jinja")
    with Project(asked) as project, pytest.raises(UsageError, match="no prompt at"):
        try_prompt(project.context, "notes", tmp_path / "x.jinja")
