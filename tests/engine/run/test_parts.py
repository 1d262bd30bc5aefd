"""Rows are asked a part at a time, so that memory does not grow with them; nobody notices."""

from __future__ import annotations

import json

import pytest

from lupom import Project
from lupom.engine.run.materializations import rows as parts
from lupom.engine.run.results import Silent
from tests.support.notes_project import FILES, people


@pytest.fixture
def make(make_project, server, monkeypatch):
    """Return a function that makes the project for so many people, six to a part."""
    monkeypatch.setattr(parts, "ROWS", 6)

    def make(count):
        return make_project(
            {
                "lupom_project.yml": f"""
                    name: demo
                    models: {{+materialized: table}}
                    llms:
                      default: {{provider: openai, base_url: '{server.base_url}', model: m,
                                 concurrency: 1, max_tokens: 40, price: {{input: 9, output: 9}}}}
                    """,
                **FILES,
                "seeds/people.csv": people(count),
            }
        )

    return make


def run(folder, **options):
    with Project(folder) as project:
        result = project.run(**options)
    (notes,) = [node for node in result.nodes if node.node == "notes"]
    return result, notes


def rows(folder, sql):
    with Project(folder) as project:
        return project.query(sql).rows()


def test_the_table_and_the_counts_are_of_all_parts(make, server):
    folder = make(20)
    result, notes = run(folder)
    assert result.status == "success"
    assert rows(folder, "select id from notes order by id") == [(i,) for i in range(1, 21)]
    counts = notes.calls
    assert (counts.total, counts.asked, counts.cached) == (20, 20, 0)
    taken = counts.usage.tokens_in + counts.usage.tokens_out
    assert counts.tokens_low <= taken <= counts.tokens_high
    assert counts.usage.cost == pytest.approx(taken * 9e-6)
    assert server.requests == 20
    # What is added is asked, wherever it stands.
    (folder / "seeds" / "people.csv").write_text(people(23))
    _, notes = run(folder)
    assert (notes.calls.total, notes.calls.asked, notes.calls.cached) == (23, 3, 20)


def test_progress_goes_on_from_part_to_part(make, server):
    seen = []

    class Heard(Silent):
        def progressed(self, index, total, node, progress):
            seen.append((progress.done, progress.total))

    run(make(20), reporter=Heard())
    assert seen == sorted(seen)
    assert seen[-1] == (20, 20)
    assert {total for _, total in seen} == {20}


def test_equal_calls_of_different_parts_are_asked_once(make, server):
    folder = make(1)
    lines = "\n".join(f"{i},Ann,Town" for i in range(15))
    (folder / "seeds" / "people.csv").write_text(f"id,name,town\n{lines}\n")
    _, notes = run(folder)
    assert server.requests == 1
    assert notes.calls.asked == 1
    assert rows(folder, "select count(*), count(distinct call_id) from notes") == [(15, 1)]


def test_two_rows_of_one_key_are_found_across_parts_before_any_call(make, server):
    folder = make(20)
    path = folder / "seeds" / "people.csv"
    path.write_text(path.read_text() + "3,Another,Town\n")
    _, notes = run(folder)
    assert "two rows have the key {'id': 3}; nothing was asked" in notes.message
    assert server.requests == 0


def test_quarantine_and_share_of_invalid_answers_are_of_all_parts(make, server):
    folder = make(20)
    bad = ("Person 2,", "Person 9,", "Person 19,")
    server.answers = lambda body: "no" if any(b in str(body["messages"]) for b in bad) else None
    _, notes = run(folder)
    assert notes.message == "3 of 20 answers invalid"
    with Project(folder) as project:
        keys = [json.loads(row[0])["id"] for row in project.quarantine("notes").rows()]
    assert sorted(keys) == [2, 9, 19]
    path = folder / "models" / "notes.sql"
    path.write_text(path.read_text().replace("key='id'", "key='id', max_invalid_share=0.1"))
    (folder / "prompts" / "note.jinja").write_text("A note on {{ name }}, {{ town }}.")
    _, notes = run(folder)
    assert "3 of 20 answers are invalid, more than max_invalid_share 0.1" in notes.message


def test_what_is_left_at_the_budget_is_counted_over_all_parts(make, server):
    folder = make(20)
    result, notes = run(folder, budget="400 tokens")
    assert result.exit_code == 3
    asked = server.requests
    assert 6 < asked < 20
    assert notes.message.startswith(f"{20 - asked} of 20 rows, ")
    assert notes.calls.asked == asked
    with Project(folder) as project:
        (step,) = [s for s in project.plan().steps if s.node == "notes"]
    assert (step.estimate.rows, step.estimate.cached, step.estimate.low) == (20, asked, 20 - asked)
