"""Budgets and estimates of whole runs, against a server that counts."""

from __future__ import annotations

import pytest

from lupom import LupomError, Project
from lupom.cli import main
from tests.support.llm_server import Fault
from tests.support.notes_project import FILES, people

PRICE = "price: {input: 100, output: 400}"


@pytest.fixture
def make(make_project, server):
    """Return a function that makes the project for so many people; `top` goes to its settings."""

    def make(count=20, settings=PRICE, top="", extra=None):
        return make_project(
            {
                "lupom_project.yml": f"""
                    name: demo
                    models: {{+materialized: table}}
                    {top}
                    llms:
                      default:
                        provider: openai
                        base_url: {server.base_url}
                        model: test-model
                        max_tokens: 40
                        concurrency: 2
                        {settings}
                    """,
                "seeds/people.csv": people(count),
                **FILES,
                **(extra or {}),
            }
        )

    return make


def run(folder, **options):
    with Project(folder) as project:
        return project.run(**options)


def lupom(capsys, *arguments):
    """Run a command; returns exit code, stdout and stderr."""
    with pytest.raises(SystemExit) as caught:
        main(list(arguments))
    out = capsys.readouterr()
    return caught.value.code, out.out, out.err


def spent(folder):
    with Project(folder) as project:
        return project.context.state.ledger.spent()


def test_a_run_stops_at_its_budget_and_says_what_is_left(make, server):
    folder = make(extra={"models/counts.sql": "select count(*) as n from {{ ref('people') }}"})
    result = run(folder, budget="$0.05")
    assert (result.status, result.exit_code) == ("budget", 3)
    assert result.message.startswith("the run's budget of $0.0500 is reached: $0.0")
    ended = {node.node: node for node in result.nodes}
    asked = ended["notes"].calls.asked
    assert 0 < asked < 20
    assert asked == server.requests
    assert ended["notes"].status == "stopped"
    assert ended["notes"].message.startswith(f"{20 - asked} of 20 rows, ")
    assert ended["notes"].message.endswith(" still to ask")
    assert ended["long_notes"].message == "notes is not done"
    # What needs no LLM is built all the same.
    assert ended["counts"].status == "success"
    assert spent(folder)[1] <= 0.05


def test_runs_within_a_budget_each_come_to_the_end_and_pay_once(make, server):
    folder = make()
    for _ in range(9):
        result = run(folder, budget="250 tokens")
        assert spent(folder)[0] <= 250 * (_ + 1)
        if result.status == "success":
            break
    assert result.status == "success"
    assert server.requests == 20


def test_the_project_s_budget_holds_over_its_runs(make, server):
    folder = make(top="budget: {project: 300 tokens, run: $5}")
    assert run(folder).exit_code == 3
    before = server.requests
    result = run(folder)
    assert result.exit_code == 3
    assert "the project's budget of 300 tokens" in result.message
    assert server.requests == before
    assert spent(folder)[0] <= 300


def test_a_budget_on_the_command_line_takes_the_place_of_the_run_s(make, server):
    folder = make(top="budget: {run: 0}")
    assert run(folder).exit_code == 3
    assert server.requests == 0
    assert run(folder, budget=5).status == "success"


def test_a_budget_of_money_is_refused_where_a_price_is_unknown(make, server):
    folder = make(settings="")
    with pytest.raises(LupomError, match="notes asks llm 'default', whose price is unknown"):
        run(folder, budget=1.0)
    assert server.requests == 0
    assert run(folder, budget="100k tokens").status == "success"
    # Nothing is to be asked any more, so there is nothing to refuse.
    assert run(folder, budget=1.0).status == "success"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("much", "--budget: 'much' is not a budget"),
        ("500k", "--budget: '500k' of what?"),
        ("$1, $2", "--budget: a budget of money appears twice"),
    ],
)
def test_a_budget_that_is_none_is_told(make, given, message):
    with pytest.raises(LupomError, match=message):
        run(make(), budget=given)


def test_the_command_says_it_and_exits_with_three(make, server, capsys):
    folder = str(make())
    code, _, err = lupom(capsys, "run", "--project-dir", folder, "--budget", "300 tokens")
    assert code == 3
    assert "Stopped at the budget in" in err
    assert "The run's budget of 300 tokens is reached" in err
    assert "  long_notes: notes is not done" in err
    assert "what was answered is kept" in err
    code, _, err = lupom(capsys, "run", "--project-dir", folder, "--budget", "9k tokens")
    assert code == 0


def test_the_plan_s_range_holds_what_the_run_then_takes(make, server, capsys):
    folder = make(30)
    with Project(folder) as project:
        (step,) = [s for s in project.plan().steps if s.node == "notes"]
    result = run(folder)
    (notes,) = [node for node in result.nodes if node.node == "notes"]
    assert step.estimate.tokens.holds(notes.calls.usage.tokens_in + notes.calls.usage.tokens_out)
    assert step.estimate.cost.holds(notes.calls.usage.cost)
    # Another prompt, by what this one took.
    (folder / "prompts" / "note.jinja").write_text("Now write a note on {{ name }} of {{ town }}.")
    code, out, _ = lupom(capsys, "plan", "--project-dir", str(folder), "--format", "csv")
    assert code == 0
    with Project(folder) as project:
        (step,) = [s for s in project.plan().steps if s.node == "notes"]
    assert f"${step.estimate.cost.low:.4f}-${step.estimate.cost.high:.4f}" in out
    assert step.estimate.cost.high < 1.6 * step.estimate.cost.low
    result = run(folder)
    (notes,) = [node for node in result.nodes if node.node == "notes"]
    assert step.estimate.tokens.holds(notes.calls.usage.tokens_in + notes.calls.usage.tokens_out)
    assert step.estimate.cost.holds(notes.calls.usage.cost)


def test_a_run_reports_what_it_was_estimated_at(make, capsys):
    folder = make(10)
    code, _, err = lupom(capsys, "run", "--project-dir", str(folder))
    assert code == 0
    (line,) = [line for line in err.splitlines() if "10 LLM calls" in line]
    assert " tokens, $" in line
    assert "(estimated " in line
    with Project(folder) as project:
        rows = project.query(
            "select tokens_in + tokens_out between tokens_low and tokens_high,"
            " cost between cost_low and cost_high from lupom.nodes where node = 'notes'"
        ).rows()
    assert rows == [(True, True)]


def test_what_a_failed_node_spent_is_reported(make, server):
    folder = make(10, settings="max_retries: 0\n                        " + PRICE)
    server.faults = lambda number, _body: Fault(status=404) if number > 4 else None
    result = run(folder)
    (notes,) = [node for node in result.nodes if node.node == "notes"]
    assert notes.status == "error"
    assert notes.calls.asked == 4
    assert notes.calls.usage.cost > 0


def test_the_plan_sums_up_what_several_nodes_take(make, capsys):
    more = """
        {{ config(materialized='llm', prompt='traits', response='Traits', key='id') }}
        select id, name from {{ ref('people') }}
        """
    folder = make(5, extra={"models/more.sql": more})
    code, _, err = lupom(capsys, "plan", "--project-dir", str(folder))
    assert code == 0
    assert "In all 10 calls: " in err
