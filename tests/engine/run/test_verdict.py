"""An LLM model whose first answers are useless stops before the rest is paid for."""

from __future__ import annotations

import json

import pytest

from lupom import Project
from lupom.cli import main
from lupom.engine.llm.verdict import FIRST, IN_A_ROW, Verdict
from tests.support.llm_server import Fault, LLMServer
from tests.support.notes_project import FILES, people

USELESS = "I would rather talk about the weather."


@pytest.fixture
def other():
    with LLMServer() as running:
        yield running


@pytest.fixture
def make(make_project, server, other):
    """Return a function that makes a project of so many people to write notes on."""

    def make(count, *, alias="", config="", places=50, attempts=1):
        return make_project(
            {
                "lupom_project.yml": f"""
                    name: demo
                    models: {{+materialized: table}}
                    llms:
                      default: {{provider: openai, base_url: '{server.base_url}', model: m,
                                 concurrency: {places}, attempts: {attempts}, {alias}}}
                      stronger: {{provider: openai, base_url: '{other.base_url}', model: n,
                                  concurrency: 50, attempts: 1}}
                    """,
                **FILES,
                "models/notes.sql": f"""
                    {{{{ config(materialized='llm', prompt='note', response='Note', key='id'
                                {config}) }}}}
                    select id, name, town from {{{{ ref('people') }}}}
                    """,
                "models/guesses.sql": """
                    {{ config(materialized='llm', prompt='guess', response='Guess', key='id') }}
                    select id, text as name, ['Yes', 'No'] as options from {{ ref('notes') }}
                    """,
                "seeds/people.csv": people(count),
            }
        )

    return make


def run(folder, **options):
    with Project(folder) as project:
        result = project.run(**options)
    found = {node.node: node for node in result.nodes}
    return result, found.get("notes")


def about(body):
    """Return the number of the person that a request is about; 0 where it is about none."""
    _, _, number = body["messages"][-1]["content"].partition("Person ")
    return int(number.partition(",")[0] or 0)


# One by one


def test_a_small_model_may_fail_at_most_of_the_rows(make, server):
    """It costs nothing, and some prompts are beyond it: 8 of 10 are no fault of the project's."""
    server.answers = lambda body: None if about(body) <= 2 else USELESS
    codes = {}
    for profile in ("capable", "small"):
        result, _ = run(make(10, alias=f"profile: {profile}"), select="notes", retry_invalid=True)
        codes[profile] = result.exit_code
    assert codes == {"capable": 1, "small": 0}


def test_an_llm_that_goes_bad_later_is_not_asked_for_all_the_rest(make, server):
    server.answers = lambda _body: None if server.requests <= 30 else USELESS
    folder = make(300, places=1)
    result, notes = run(folder, select="notes")
    assert result.exit_code == 1
    assert server.requests == 30 + IN_A_ROW
    assert "the last 100 answers are all invalid; the first: there is no JSON" in notes.message
    assert "170 of 300 rows were not asked" in notes.message
    # A run without an edit asks none of them again.
    assert run(folder, select="notes")[0].exit_code == 1
    assert server.requests == 30 + IN_A_ROW


def test_of_a_useless_llm_twenty_calls_are_made_and_no_more(make, server):
    server.answers = lambda _body: USELESS
    folder = make(300)
    result, notes = run(folder)
    assert result.exit_code == 1
    assert server.requests == FIRST
    assert notes.message.startswith(
        "models/notes.sql: 20 of the first 20 answers are invalid, more than max_invalid_share 0.5;"
        " the first: there is no JSON object in it; it said: I would rather talk about the"
        " weather.; 280 of 300 rows were not asked"
    )
    # What to edit, by the names of the files.
    for place in ("prompts/note.jinja", "class Note in prompts/responses.py", "llms.default"):
        assert place in notes.message
    # Nothing is built from nothing.
    statuses = {node.node: node.status for node in result.nodes}
    assert statuses["guesses"] == statuses["long_notes"] == "skipped"
    with Project(folder) as project:
        assert project.query("select count(*) from lupom.calls").rows() == [(FIRST,)]


def test_each_of_them_has_its_attempts(make, server):
    server.answers = lambda _body: USELESS
    run(make(300, attempts=3))
    assert server.requests == 3 * FIRST


def test_the_command_ends_with_1_and_says_so(make, server, capsys):
    server.answers = lambda _body: USELESS
    with pytest.raises(SystemExit) as caught:
        main(["run", "--project-dir", str(make(300))])
    assert caught.value.code == 1
    err = " ".join(capsys.readouterr().err.split())
    assert "20 of the first 20 answers are invalid" in err
    assert "edit prompts/note.jinja" in err


def test_run_again_it_costs_nothing_and_ends_the_same(make, server):
    server.answers = lambda _body: USELESS
    folder = make(300)
    run(folder)
    result, notes = run(folder)
    assert result.exit_code == 1
    assert "20 of the first 20 answers are invalid" in notes.message
    assert server.requests == FIRST


def test_retry_asks_them_again_and_goes_on(make, server):
    server.answers = lambda _body: USELESS
    folder = make(100)
    run(folder)
    result, _ = run(folder, retry_invalid=True)
    assert result.exit_code == 1
    assert server.requests == 2 * FIRST
    server.answers = None
    server.reset()
    result, notes = run(folder, retry_invalid=True)
    assert (result.exit_code, notes.status) == (0, "success")
    assert len([b for b in server.bodies if "Person" in str(b)]) == 100


def test_after_an_edit_all_is_asked_anew_and_what_was_paid_is_kept(make, server):
    server.answers = lambda _body: USELESS
    folder = make(60)
    run(folder)
    (folder / "prompts" / "note.jinja").write_text("Write one JSON on {{ name }}, {{ town }}.")
    server.answers = None
    result, notes = run(folder)
    assert (result.exit_code, notes.calls.asked) == (0, 60)
    with Project(folder) as project:
        sql = "select status, count(*) from lupom.calls where node = 'notes' group by all"
        assert dict(project.query(sql).rows()) == {"invalid": FIRST, "ok": 60}


def test_of_fewer_rows_all_count(make, server):
    server.answers = lambda body: USELESS if about(body) in (1, 2) else None
    result, notes = run(make(3))
    assert result.exit_code == 1
    assert "2 of 3 answers are invalid" in notes.message


@pytest.mark.parametrize(("bad", "code"), [(10, 0), (11, 1)])
def test_half_of_them_may_be_invalid(make, server, bad, code):
    # Asked in the order of their texts: 1, 10, 100, 101, ...
    first = sorted(range(1, 201), key=lambda n: f"Person {n}, ")[:FIRST]
    server.answers = lambda body: USELESS if about(body) in first[:bad] else None
    result, notes = run(make(200, places=1))
    assert result.exit_code == code
    assert notes.calls.asked == (200 if code == 0 else FIRST)


def test_a_share_of_one_takes_whatever_comes(make, server):
    server.answers = lambda _body: USELESS
    result, notes = run(make(40, config=", max_invalid_share=1"))
    assert [n.message for n in result.nodes if n.status == "error"] == []
    assert (result.exit_code, notes.message) == (0, "40 of 40 answers invalid")
    # What reads it says that there is nothing to ask, in place of silence.
    (guesses,) = [node for node in result.nodes if node.node == "guesses"]
    assert (guesses.status, guesses.message) == (
        "warn",
        "its select gives no rows: nothing was asked",
    )


def test_answers_of_the_ledger_count(make, server):
    folder = make(30)
    run(folder)
    server.reset()
    server.answers = lambda _body: USELESS
    (folder / "seeds" / "people.csv").write_text(people(50))
    result, notes = run(folder)
    # Thirty were good, so twenty more are all asked, and are few enough.
    assert (result.exit_code, notes.calls.asked) == (0, 20)
    assert notes.message == "20 of 50 answers invalid"


# Speed


def test_before_the_verdict_twenty_are_out_and_then_as_many_as_there_are_places(make, server):
    waiting: list[int] = []

    def faults(_number, _body):
        # Counted when it comes in; answered after the latency.
        waiting.append(server.answered)
        return None

    server.faults, server.latency = faults, 0.05
    _, notes = run(make(200))
    assert notes.status == "success"
    asked = waiting[: notes.calls.asked]
    # No request beyond the twentieth came in before ten had good answers.
    assert min(asked[FIRST:]) >= FIRST // 2
    assert server.max_in_flight > FIRST


def test_nobody_waits_for_a_straggler_among_the_first():
    verdict = Verdict(0.5, 10_000)
    assert verdict.may_send(FIRST)
    assert not verdict.may_send(1)
    for _ in range(FIRST // 2):
        verdict.note(invalid=False)
    # Were the other ten all invalid, they would still be few enough.
    assert verdict.may_send(1)
    assert not verdict.failed


def test_rows_that_a_provider_refuses_make_room_for_others(make, server):
    """They have no end before it is known whose fault it is, and nobody waits for that."""
    first = sorted(range(1, 61), key=lambda n: f"Person {n}, ")[:FIRST]
    # Nine useless and nine good ones are no verdict yet: two more are to be asked.
    refused, useless = first[5:7], first[7:16]

    def answers(body):
        if about(body) in refused:
            return Fault(status=400, message="this text is unwelcome")
        return USELESS if about(body) in useless else None

    server.answers = answers
    _, notes = run(make(60))
    assert notes.message == "11 of 60 answers invalid"


# Several rows a request, several aliases, fallbacks, batches


def test_rows_of_one_request_count_each(make, server):
    folder = make(100, config=", rows_per_call=5, rows_together=['half']")
    path = folder / "models" / "notes.sql"
    path.write_text(path.read_text().replace("select id,", "select id, id % 2 as half,"))
    (folder / "prompts" / "note.jinja").write_text(
        "{% for row in rows %}{{ row.label }}: {{ row.name }}, {{ row.town }}\n{% endfor %}"
    )
    server.answers = lambda _body: USELESS
    result, notes = run(folder)
    assert result.exit_code == 1
    assert "20 of the first 20 answers are invalid" in notes.message
    assert {json.dumps(b["messages"]).count("Person") for b in server.bodies[:4]} == {5}
    assert notes.calls.asked == FIRST


def test_a_fallback_s_answers_are_those_that_count(make, server, other):
    server.answers = lambda _body: USELESS
    folder = make(100, alias="fallback: stronger")
    result, notes = run(folder)
    assert (result.exit_code, notes.status) == (0, "success")
    assert (notes.calls.total, notes.calls.asked, notes.calls.invalid) == (100, 200, 0)
    assert len([body for body in other.bodies if "Person" in str(body)]) == 100


def test_with_a_useless_fallback_twenty_rows_are_asked_of_both(make, server, other):
    server.answers = other.answers = lambda _body: USELESS
    folder = make(100, alias="fallback: stronger")
    for _ in range(2):
        result, notes = run(folder)
        assert result.exit_code == 1
        assert "20 of the first 20 answers are invalid" in notes.message
        assert "80 of 100 rows were not asked" in notes.message
        assert (server.requests, other.requests) == (FIRST, FIRST)


def test_of_several_aliases_the_useless_one_is_named(make, server, other):
    folder = make(60, config=", llm_column='llm'")
    path = folder / "models" / "notes.sql"
    path.write_text(
        path.read_text().replace(
            "select id,", "select id, if(id % 2 = 0, 'stronger', 'default') as llm,"
        )
    )
    other.answers = lambda _body: USELESS
    result, notes = run(folder)
    assert result.exit_code == 1
    assert "20 of the first 20 answers are invalid" in notes.message
    assert "of llm 'stronger'" in notes.message
    assert "or llms.stronger (model" in notes.message
    # What the other one answered is in the ledger.
    assert (server.requests, other.requests) == (30, FIRST)


def test_before_a_large_batch_the_first_answers_are_asked_for_one_by_one(make, server):
    server.answers = lambda _body: USELESS
    folder = make(300, alias="batch: true")
    result, notes = run(folder)
    assert result.exit_code == 1
    assert "20 of the first 20 answers are invalid" in notes.message
    assert (server.requests, server.batched) == (FIRST, [])
    server.answers = None
    assert run(folder, retry_invalid=True)[0].exit_code == 4
    assert [len(batch) for batch in server.batched] == [300 - FIRST]


def test_a_small_batch_goes_out_at_once_and_is_judged_when_it_is_back(make, server):
    server.answers = lambda _body: USELESS
    folder = make(100, alias="batch: true")
    assert run(folder)[0].exit_code == 4
    assert [len(batch) for batch in server.batched] == [100]
    result, notes = run(folder)
    assert result.exit_code == 1
    assert "answers are invalid, more than max_invalid_share 0.5" in notes.message
    assert len(server.batched) == 1


# The plan


def test_the_plan_says_when_a_run_would_stop(make, server):
    folder = make(300)

    def note():
        with Project(folder) as project:
            (step,) = [s for s in project.plan().steps if s.node == "notes"]
        return step.estimate.note

    assert note() == "stops if over 50% of the first 20 answers are invalid"
    server.answers = lambda _body: USELESS
    run(folder)
    assert note() == (
        "would stop at once: 20 of the first 20 answers are invalid, more than"
        " max_invalid_share 0.5"
    )
    assert server.requests == FIRST
