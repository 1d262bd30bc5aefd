"""Rows of an LLM model that are asked together: fewer requests, an answer of its own for each."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from lupom import LupomError, Project
from lupom.cli import main
from tests.support.answers import fit, schema_of
from tests.support.commands import lupom
from tests.support.guesses_project import GUESSES, asked_in, make, questions, rows, run
from tests.support.llm_server import Fault

__all__ = ["make"]


def test_rows_of_one_person_share_a_request_and_each_has_an_answer_of_its_own(make, server):
    folder = make(4)
    assert run(folder).status == "success"
    assert server.requests == 2
    first = server.bodies[0]["messages"][0]["content"]
    assert first.count("Ann") == 1
    assert "Bob" not in first
    assert [asked_in(body) for body in server.bodies] == [
        [f"Question 0{i}?" for i in range(1, 5)]
    ] * 2
    found = rows(folder, "select distinct question, answer from guesses order by all")
    assert {question for question, _ in found} == {f"Question 0{i}?" for i in range(1, 5)}
    assert {a for q, a in found if q in ("Question 01?", "Question 03?")} <= {"yes", "no"}
    # Each row is a call of the ledger, with a key of its own.
    joined = "guesses join lupom.calls using (call_id)"
    assert rows(folder, f"select count(distinct call_id) from {joined}") == [(8,)]


def test_a_run_says_how_many_requests_its_rows_took_as_the_plan_foretold(make, server, capsys):
    folder = make(4)
    assert lupom("plan", "--project-dir", str(folder), "--format", "csv") == 0
    assert ",8,0,2," in capsys.readouterr().out
    assert lupom("run", "--project-dir", str(folder)) == 0
    assert "2 LLM calls for 8 rows, " in capsys.readouterr().err


def test_a_call_asks_no_more_rows_than_it_may(make, server):
    run(make(5, most=2))
    assert sorted(len(asked_in(body)) for body in server.bodies) == [1, 1, 2, 2, 2, 2]


def test_one_more_question_asks_only_that_one(make, server):
    folder = make(4)
    run(folder)
    server.reset()
    (folder / "seeds/questions.csv").write_text(questions(5))
    run(folder)
    assert [asked_in(body) for body in server.bodies] == [["Question 05?"]] * 2


def test_how_many_rows_a_call_may_have_decides_no_answer(make, server):
    folder = make(5, most=8)
    run(folder)
    before = rows(folder, "from guesses order by all")
    server.reset()
    (folder / "models/guesses.sql").write_text(GUESSES.format(most=2))
    assert run(folder).nodes == []
    (folder / "lupom.duckdb").unlink(missing_ok=True)
    run(folder, full_refresh=True)
    assert server.requests == 0
    assert rows(folder, "from guesses order by all") == before


def test_the_seed_of_a_request_is_its_draw(make, server):
    drawn = GUESSES.replace("'question'],", "'question', 'draw'],").replace(
        "select *", "select *, unnest([0, 1]) as draw"
    )
    sampled = "temperature: 1"
    run(make(3, settings=sampled, **{"models/guesses.sql": drawn.format(most=8)}))
    assert [(body.get("seed"), len(asked_in(body))) for body in server.bodies].count((1, 3)) == 2
    assert server.requests == 4


def test_only_the_invalid_rows_are_asked_again(make, server):
    def answers(body):
        whole = fit(schema_of(body), "x")
        if len(whole) == 4:
            whole["r2"] = {"answer": "Z"}
            del whole["r3"]
        return whole

    server.answers = answers
    folder = make(4, settings="mode: json_schema")
    run(folder)
    assert [asked_in(body) for body in server.bodies if len(asked_in(body)) < 4] == [
        ["Question 02?", "Question 03?"]
    ] * 2
    told = next(b for b in server.bodies if len(b["messages"]) > 1)["messages"]
    assert json.loads(told[1]["content"]) == {"r1": {"answer": "Z"}}
    assert "r1: 'answer': \"Z\" is not one of" in told[2]["content"]
    assert "r2: it is missing" in told[2]["content"]
    assert rows(folder, "select count(*) from guesses") == [(8,)]
    assert rows(folder, "select attempts, count(*) from lupom.calls group by all order by all") == [
        (1, 4),
        (2, 4),
    ]


def test_what_is_never_valid_is_quarantined_and_leaves_the_others_good(make, server):
    def answers(body):
        whole = fit(schema_of(body), "x")
        for place, question in enumerate(asked_in(body), 1):
            if question == "Question 02?":
                whole[f"r{place}"] = {"answer": "Z"}
        return whole

    server.answers = answers
    folder = make(3, settings="mode: json_schema")
    run(folder)
    assert rows(folder, "select count(*) from guesses") == [(4,)]
    bad = rows(folder, "select key from lupom_meta.quarantine order by all")
    assert [json.loads(key)["question"] for (key,) in bad] == ["Question 02?"] * 2
    server.reset()
    server.answers = None
    run(folder, retry_invalid=True)
    assert [asked_in(body) for body in server.bodies] == [["Question 02?"]] * 2
    assert rows(folder, "select count(*) from guesses") == [(6,)]


def test_tokens_and_costs_of_a_request_are_shared_out_to_the_last_one(make, server):
    folder = make(3, settings="price: {input: 3, output: 15}")
    run(folder)
    taken = rows(folder, "select sum(tokens_in), sum(tokens_out), sum(cost) from lupom.calls")
    sent = sum(max(1, len(body["messages"][0]["content"]) // 4) for body in server.bodies)
    tokens_in, tokens_out, cost = (float(value) for value in taken[0])
    assert tokens_in == sent
    assert cost == pytest.approx((3 * tokens_in + 15 * tokens_out) / 1e6)


def test_a_request_that_is_refused_is_asked_by_halves(make, server):
    def answers(body):
        if "Question 03?" in body["messages"][0]["content"]:
            return Fault(status=400, message="blocked", code="content_filter")
        return None

    server.answers = answers
    folder = make(4)
    run(folder)
    assert rows(folder, "select distinct question from guesses order by all") == [
        ("Question 01?",),
        ("Question 02?",),
        ("Question 04?",),
    ]


def test_a_reply_that_was_cut_off_keeps_what_was_whole(make, server):
    def answers(body):
        whole = json.dumps(fit(schema_of(body), "x"))
        return whole if len(asked_in(body)) < 4 else whole[: whole.index('"r3"') + 15]

    server.answers = answers
    folder = make(4, settings="mode: json_schema")
    run(folder)
    assert [asked_in(body) for body in server.bodies if len(asked_in(body)) < 4] == [
        ["Question 03?", "Question 04?"]
    ] * 2


def test_a_choice_asked_together_has_its_distribution(make, server):
    folder = make(3)
    server.distribution = lambda labels: {label: 1 / len(labels) for label in labels}
    run(folder)
    found = rows(folder, "select probabilities is not null, count(*) from guesses group by all")
    assert found == [(True, 6)]


def test_one_row_a_call_is_asked_as_if_there_were_no_groups(make, server):
    folder = make(2, most=1, **{"prompts/guess.jinja": "{{ person }}, {{ question }}"})
    run(folder)
    keys = set(rows(folder, "select call_id from guesses"))
    assert server.requests == 4
    alone = re.sub(r",\s+rows_per_call=.*?\]", "", GUESSES.format(most=1))
    assert "rows_together" not in alone
    (folder / "models/guesses.sql").write_text(alone)
    run(folder, full_refresh=True)
    assert server.requests == 4
    assert set(rows(folder, "select call_id from guesses")) == keys


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("rows_together=['person']", "rows_together=['persn']"), "no column 'persn'"),
        ((", rows_together=['person']", ""), "rows_per_call needs 'rows_together'"),
        (("select *", "select *, 1 as label"), "column 'label'"),
        (("rows_together=['person']", "rows_together=['question']"), "column 'person' differs"),
    ],
)
def test_a_mistake_is_said_before_anything_is_asked(make, server, change, words):
    text = GUESSES.format(most=8)
    assert change[0] in text
    folder = make(2, **{"models/guesses.sql": text.replace(*change)})
    try:
        result = run(folder)
        said = " ".join(node.message for node in result.nodes)
    except LupomError as error:
        said = str(error)
    assert words in said
    assert server.requests == 0


def test_one_template_says_rows_alone_and_together(make, server):
    either = """
        {% if rows is defined %}
        {% for row in rows %}
        {{ row.label }}.
        {% with question = row.question %}{% include 'question.jinja' %}{% endwith %}

        {% endfor %}
        {% else %}
        {% include 'question.jinja' %}
        {% endif %}
        """
    files = {
        "prompts/guess.jinja": either,
        "prompts/question.jinja": "{{ question }} Of {{ person }}",
    }
    run(make(2, most=8, **files))
    said = {body["messages"][0]["content"] for body in server.bodies}
    assert "r1.\nQuestion 01? Of Ann\nr2.\nQuestion 02? Of Ann" in said
    server.reset()
    run(make(2, most=1, **files))
    said = {body["messages"][0]["content"] for body in server.bodies}
    assert len(said) == 4
    assert "Question 01? Of Ann" in said


def test_a_prompt_without_a_place_for_rows_is_refused(make, server):
    folder = make(2, **{"prompts/guess.jinja": "{{ person }} {{ question }}"})
    with pytest.raises(LupomError, match="no place for the rows"):
        run(folder)


def test_a_plan_counts_requests_and_what_they_save(make, server, capsys):
    folder = make(6, most=3)
    with Project(folder) as project:
        estimate = next(s.estimate for s in project.plan().steps if s.node == "guesses")
    assert (estimate.rows, estimate.low, estimate.high) == (12, 4, 4)
    assert "12 rows in 4 requests save" in estimate.note
    assert estimate.saved.low > 0
    with pytest.raises(SystemExit):
        main(["run", "--project-dir", str(folder)])
    assert "12 calls in 4 requests" in capsys.readouterr().err
    taken = "select sum(tokens_in + tokens_out)::int from lupom.calls"
    assert estimate.tokens.holds(rows(folder, taken)[0][0])
    assert rows(folder, "select requests from lupom.nodes where node = 'guesses'") == [(4,)]
    # By what was taken, one more question is estimated narrowly.
    (folder / "seeds/questions.csv").write_text(questions(7))
    with Project(folder) as project:
        more = next(s.estimate for s in project.plan().steps if s.node == "guesses")
    assert (more.low, more.high) == (2, 2)
    before = rows(folder, taken)[0][0]
    run(folder)
    assert more.tokens.holds(rows(folder, taken)[0][0] - before)


def test_an_answer_is_explained_by_the_prompt_that_asks_it_alone(make, server):
    folder = make(3)
    run(folder)
    with Project(folder) as project:
        found = project.explain("guesses", "Ann", "Question 02?")
    assert (found.status, found.rows_per_call, found.prompt_changed) == ("ok", 8, False)
    assert "r1. Question 02?" in found.prompt[0]["content"]
    assert "up to 8 rows like it share a request" in found.as_text()
    (tokens,) = rows(
        folder,
        "select tokens_in from guesses join lupom.calls using (call_id)"
        " where person = 'Ann' and question = 'Question 02?'",
    )[0]
    assert found.tokens_in == tokens


def test_rows_of_several_llms_share_requests_with_their_own(make, server):
    guesses = GUESSES.replace("rows_per_call", "llm_column='llm', rows_per_call")
    guesses = guesses.replace("'question'],", "'question', 'llm'],")
    guesses = guesses.replace("select *", "select *, unnest(['default', 'other']) as llm")
    folder = make(3, **{"models/guesses.sql": guesses.format(most=8)})
    settings = folder / "lupom_project.yml"
    other = f"  other: {{provider: openai, base_url: '{server.base_url}', model: second}}\n"
    settings.write_text(settings.read_text() + other)
    assert run(folder).status == "success"
    assert sorted((body["model"], len(asked_in(body))) for body in server.bodies) == [
        ("second", 3),
        ("second", 3),
        ("test-model", 3),
        ("test-model", 3),
    ]


def test_what_one_llm_cannot_answer_goes_to_the_next_in_smaller_requests(make, server):
    def answers(body):
        whole = fit(schema_of(body), "x")
        if body["model"] == "test-model":
            whole["r1"] = {"answer": "Z"}
        return whole

    server.answers = answers
    folder = make(3, settings="mode: json_schema\n" + " " * 24 + "attempts: 1")
    settings = folder / "lupom_project.yml"
    text = settings.read_text().rstrip() + "\n    fallback: other\n"
    other = f"  other: {{provider: openai, base_url: '{server.base_url}', model: second}}\n"
    settings.write_text(text + other)
    assert run(folder).status == "success"
    asked = [(body["model"], asked_in(body)) for body in server.bodies]
    assert asked.count(("second", ["Question 01?"])) == 2
    assert len(asked) == 4
    assert rows(folder, "select count(*) from guesses") == [(6,)]


def test_killed_in_the_middle_asks_only_the_rows_that_had_not_come_back(make, server):
    folder = make(12, most=3, settings="concurrency: 2")
    seen = threading.Event()

    def answers(body):
        if server.requests >= 4:
            seen.set()
        return None

    server.answers, server.latency = answers, 0.05
    root = Path(__file__).parents[3]
    process = subprocess.Popen(
        [sys.executable, str(root / "cli.py"), "run", "--project-dir", str(folder)],
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    assert seen.wait(60)
    process.send_signal(signal.SIGKILL)
    process.wait()
    with Project(folder) as project:
        kept = len(project.context.state.calls_since(0))
    assert 0 < kept < 24
    server.answers, server.latency = None, 0.0
    server.reset()
    assert run(folder).status == "success"
    assert sum(len(asked_in(body)) for body in server.bodies) == 24 - kept
    assert rows(folder, "select count(*) from guesses") == [(24,)]


def test_two_models_that_ask_the_same_rows_ask_them_once(make, server):
    server.latency = 0.1
    both = {"models/again.sql": GUESSES.format(most=2)}
    run(make(4, most=4, **both), threads=2)
    people = [body["messages"][0]["content"].split()[2] for body in server.bodies]
    asked = [
        (person, question)
        for person, body in zip(people, server.bodies, strict=True)
        for question in asked_in(body)
    ]
    assert len(asked) == len(set(asked)) == 8


def test_a_budget_of_tokens_is_held_to_by_requests_of_several_rows(make, server):
    folder = make(8, most=2, settings="max_tokens: 20")
    result = run(folder, budget="400 tokens")
    assert result.status == "budget"
    taken = "select sum(tokens_in + tokens_out)::int from lupom.calls"
    assert 0 < rows(folder, taken)[0][0] <= 400
    assert run(folder).status == "success"
    assert rows(folder, "select count(*) from guesses") == [(16,)]
