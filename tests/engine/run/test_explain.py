"""Where an answer comes from: its prompt, call, cost and attempts, and the rows that went in."""

from __future__ import annotations

import json

import pytest

from lupom import LupomError, Project
from lupom.cli import main
from tests.support.llm_server import LLMServer
from tests.support.notes_project import RESPONSES

GUESS = """
    {{ config(materialized='llm', prompt='guess', response='Guess', key=['id', 'question'],
              max_invalid_share=1
              EXPLAIN) }}
    select p.id, q.question, p.name, q.options
    from {{ ref('people') }} as p cross join {{ ref('questions') }} as q
    """
FILES = {
    "prompts/responses.py": RESPONSES,
    "prompts/guess.jinja": "{{ name }} on {{ question }}:\n"
    "{% for c in choices %}{{ c.label }}. {{ c.option }}\n{% endfor %}",
    "prompts/note.jinja": "A note on {{ name }}.",
    "seeds/raw.csv": "id,name,town,q1\n1,Ada,Rome,never\n2,Bea,Oslo,often\n3,Q1,Bern,often\n",
    "seeds/friends.csv": "id,friend\n1,2\n1,3\n2,3\n",
    "seeds/said.csv": "id,question,said\n1,Q2,maybe\n2,Q1,yes\n2,Q2,no\n3,Q1,perhaps\n",
    "models/people.sql": "select id, name, town from {{ ref('raw') }}",
    "models/truths.sql": "{{ config(tags=['secret']) }}"
    " select id, 'Q1' as question, q1 as truth from {{ ref('raw') }}",
    "models/questions.sql": "select unnest(['Q1', 'Q2']) as question, ['yes', 'no'] as options",
    "models/copies.sql": "select * from {{ ref('guesses') }}",
}
TABLES = """,
    explain=['people', 'friends', {'said': {'id': 'friends.friend'}}, 'truths']"""


@pytest.fixture
def server():
    with LLMServer() as running:
        running.answers = lambda body: {"answer": "A"}
        yield running


@pytest.fixture
def make(make_project, server):
    def make(tables=""):
        return make_project(
            {
                "lupom_project.yml": f"""
                    name: demo
                    models: {{+materialized: table}}
                    guarded_tags: [secret]
                    llms:
                      default:
                        provider: openai
                        base_url: {server.base_url}
                        model: test-model
                        attempts: 2
                        price: {{input: 1, output: 1}}
                      dear: {{provider: openai, base_url: '{server.base_url}', model: dear}}
                    """,
                **FILES,
                "models/guesses.sql": GUESS.replace("EXPLAIN", tables),
            }
        )

    return make


def run(folder, **options):
    with Project(folder) as project:
        return project.run(**options)


def explain(folder, *values, **key):
    with Project(folder) as project:
        return project.explain("guesses", *values, **key)


def test_an_answer_with_its_prompt_options_call_and_cost(make, server):
    folder = make()
    result = run(folder)
    before = server.requests
    found = explain(folder, "2", "Q2")
    assert server.requests == before
    assert found.key == {"id": 2, "question": "Q2"}
    assert found.prompt[-1]["content"].startswith("Bea on Q2:")
    assert found.options == ["yes", "no"]
    assert [row["answer"] for row in found.answer] == ["yes"]
    assert (found.status, found.alias, found.llm) == ("ok", "default", "test-model")
    assert (found.attempts, found.invalid, found.run_id) == (1, [], result.run_id)
    assert found.cost == pytest.approx((found.tokens_in + found.tokens_out) / 1e6)
    assert not found.from_ledger
    assert not found.prompt_changed
    assert "Bea on Q2:" in str(found)
    assert "tokens: " in str(found)


def test_all_of_it_but_the_prompt_is_sql(make):
    folder = make()
    run(folder)
    found = explain(folder, "2", "Q2")
    sql = (
        "select g.answer, c.alias, c.model, c.tokens_in, c.cost, c.attempts, c.run_id"
        " from guesses g join lupom.calls c using (call_id) where id = 2 and question = 'Q2'"
    )
    with Project(folder) as project:
        assert project.query(sql).rows() == [
            ("yes", found.alias, found.llm, found.tokens_in, found.cost, 1, found.run_id)
        ]


def test_a_table_built_anew_says_that_its_answer_was_in_the_ledger(make):
    folder = make()
    first = run(folder)
    second = run(folder, full_refresh=True)
    found = explain(folder, "2", "Q2")
    assert found.from_ledger
    assert (found.run_id, found.built_by) == (first.run_id, second.run_id)
    assert "took it from the ledger" in str(found)


def test_what_was_not_valid_is_shown_and_quarantine_too(make, server):
    folder = make()

    # The second person is never answered, the third only at the second attempt.
    def answers(body):
        text, corrected = str(body["messages"]), len(body["messages"]) > 1
        bad = "Bea" in text or ("Q1 on Q1" in text and not corrected)
        return "no idea" if bad else {"answer": "A"}

    server.answers = answers
    run(folder)
    found = explain(folder, question="Q1", id=2)
    assert (found.status, found.answer, found.attempts) == ("invalid", [], 2)
    assert found.text == "no idea"
    assert "Answer: invalid" in str(found)
    found = explain(folder, id=3, question="Q1")
    assert (found.status, found.attempts) == ("ok", 2)
    assert [attempt.text for attempt in found.invalid] == ["no idea"]


def test_before_it_was_asked_there_is_a_prompt_and_no_answer(make, server):
    folder = make()
    run(folder, exclude="guesses+")
    found = explain(folder, "1", "Q1")
    assert found.status is None
    assert found.prompt[-1]["content"].startswith("Ada on Q1")
    assert "not asked yet" in str(found)
    assert server.requests == 0


def test_an_answer_to_an_earlier_prompt_is_told(make):
    folder = make()
    run(folder)
    path = folder / "prompts" / "guess.jinja"
    path.write_text("Please: " + path.read_text())
    found = explain(folder, "1", "Q1")
    assert found.prompt_changed
    assert found.status == "ok"
    assert "the answer is of an earlier one" in str(found)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (["1", "Q3"], "no row of guesses has 'Q3' as id or question"),
        (["1", "Q11"], "did you mean 'Q1'"),
        (["1"], "2 rows of guesses fit"),
        (["1"], "id=1 question=Q2"),
        (["Q1", "Q2"], "no row of guesses has all of Q1, Q2"),
        (["1", "Q1", "x"], "3 values for 2 key columns"),
    ],
)
def test_a_key_of_no_row_or_of_several_is_told(make, values, message):
    folder = make()
    run(folder)
    with pytest.raises(LupomError) as caught:
        explain(folder, *values)
    assert caught.value.exit_code == 2
    assert message in str(caught.value)


def test_a_model_of_no_rows_says_so(make):
    folder = make()
    (folder / "models" / "people.sql").write_text("select id, name from {{ ref('raw') }} limit 0")
    run(folder)
    with pytest.raises(LupomError, match="guesses has no rows"):
        explain(folder, "1", "Q1")


def test_a_model_without_an_llm_says_which_one_above_it_has_one(make):
    folder = make()
    with Project(folder) as project, pytest.raises(LupomError, match="lupom explain guesses"):
        project.explain("copies", "1", "Q1")
    with Project(folder) as project, pytest.raises(LupomError, match="did you mean 'guesses'"):
        project.explain("gueses", "1", "Q1")


def test_inputs_are_the_rows_above_that_share_the_key(make):
    folder = make()
    run(folder)
    inputs = {one.table: one for one in explain(folder, "1", "Q1").inputs}
    assert set(inputs) == {"people", "questions"}
    assert inputs["people"].rows == [{"id": 1, "name": "Ada", "town": "Rome"}]
    assert inputs["questions"].by == ["question"]


def test_a_table_that_is_about_much_more_is_only_named(make):
    folder = make()
    (folder / "models" / "people.sql").write_text(
        "select r.id, name, i as visit from {{ ref('raw') }} r cross join range(30) as v(i)"
    )
    (folder / "models" / "guesses.sql").write_text(
        GUESS.replace("EXPLAIN", "") + " where visit = 0"
    )
    run(folder)
    found = explain(folder, "1", "Q1")
    assert [one.table for one in found.inputs] == ["questions"]
    assert found.left_out == {"people": 30}
    assert "people (30 rows)" in str(found)


def test_the_config_says_which_tables_and_how_they_hang_together(make):
    folder = make(TABLES)
    run(folder)
    run(folder, select="friends said truths")
    found = explain(folder, "1", "Q1")
    assert [one.table for one in found.inputs] == ["people", "friends", "said"]
    # What the friends said to the question that is asked.
    assert [(row["id"], row["said"]) for row in found.inputs[-1].rows] == [
        (2, "yes"),
        (3, "perhaps"),
    ]
    assert "perhaps" in str(found)


def test_held_out_tables_and_what_they_are_made_of_are_shown_only_on_demand(make):
    folder = make(TABLES)
    run(folder)
    run(folder, select="friends said truths")
    hidden = explain(folder, "1", "Q1")
    assert not {"truths", "raw"} & {one.table for one in hidden.inputs}
    shown = explain(folder, "1", "Q1", truth=True)
    (truths,) = [one for one in shown.inputs if one.table == "truths"]
    assert truths.guarded
    assert truths.rows == [{"id": 1, "question": "Q1", "truth": "never"}]


def test_the_command_prints_text_or_json(make, capsys):
    folder = make()
    run(folder)

    def lupom(*arguments):
        with pytest.raises(SystemExit) as caught:
            main(["explain", *arguments, "--project-dir", str(folder)])
        return caught.value.code, capsys.readouterr()

    code, said = lupom("guesses", "1", "--key", "question=Q2")
    assert code == 0
    assert said.out.startswith("guesses: id 1, question Q2")
    code, said = lupom("guesses", "Q2", "1", "--format", "json")
    assert json.loads(said.out)["key"] == {"id": 1, "question": "Q2"}
    code, said = lupom("guesses", "1", "--key", "question")
    assert code == 2
    assert "no '='" in said.err


def test_control_characters_of_an_answer_do_not_reach_the_terminal(make, server):
    server.answers = lambda body: "\x1b[2Jgone"
    folder = make()
    run(folder)
    assert "\x1b" not in str(explain(folder, "1", "Q1"))
