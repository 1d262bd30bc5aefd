"""What the plan says of LLM models: rows, answers there are, calls to make, what they cost."""

from __future__ import annotations

import pytest

from tests.support.notes_project import make, people, plan, rows, run

__all__ = ["make"]


def test_the_plan_counts_rows_answers_and_calls_and_makes_none(make, server):
    folder = make(3, settings="price: {input: 10, output: 20}")
    first = plan(folder)
    assert (first.action, first.reason) == ("run", "first build")
    # The seed is read in memory for it: nothing is built yet, and nothing is asked.
    assert (first.estimate.rows, first.estimate.high) == (3, 3)
    assert not (folder / "lupom.duckdb").exists()
    run(folder)
    assert plan(folder).action == "up to date"
    (folder / "prompts" / "note.jinja").write_text("A note on {{ name }} of {{ town }}, please.")
    step = plan(folder)
    assert step.reason == "prompt changed"
    estimate = step.estimate
    assert (estimate.rows, estimate.cached, estimate.low, estimate.high) == (3, 0, 3, 3)
    assert estimate.cost.low > 0
    assert server.requests == 3
    below = plan(folder, "long_notes")
    assert (below.action, below.reason) == ("maybe", "would run if notes changes")


def test_below_a_changed_seed_the_plan_knows_the_calls(make, server):
    folder = make(3)
    run(folder)
    (folder / "seeds" / "people.csv").write_text(people(5))
    step = plan(folder)
    assert (step.action, step.reason) == ("maybe", "would run if people changes")
    assert (step.estimate.rows, step.estimate.cached, step.estimate.high) == (5, 3, 2)
    assert rows(folder, "select count(*) from people") == [(3,)]


def test_below_an_llm_model_that_is_to_be_asked_the_plan_gives_a_range(make, server):
    second = """
        {{ config(materialized='llm', prompt='traits', response='Traits', key='id') }}
        select id, text as name from {{ ref('notes') }}
        """
    folder = make(3, extra={"models/second.sql": second})
    assert plan(folder, "second").estimate.note == "rows are known once notes is built"
    run(folder)
    (folder / "prompts" / "note.jinja").write_text("A note on {{ name }}.")
    step = plan(folder, "second")
    assert (step.action, step.reason) == ("maybe", "would run if notes changes")
    assert (step.estimate.low, step.estimate.high) == (0, 3)


def test_a_price_makes_the_calls_cost(make, server):
    folder = make(2, settings="price: {input: 1000, output: 1000}")
    run(folder)
    ((cost, tokens),) = rows(
        folder, "select sum(cost), sum(tokens_in + tokens_out)::double from lupom.calls"
    )
    assert cost == pytest.approx(tokens / 1000)
