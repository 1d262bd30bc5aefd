"""Rows that are asked together, by the batch: a record asks several, and each has its answer."""

from __future__ import annotations

import json

from tests.support.answers import fit, schema_of
from tests.support.guesses_project import asked_in, make, rows, run
from tests.support.llm_server import Fault

__all__ = ["make"]

BATCH = "batch: true\n" + " " * 24 + "price: {input: 10, output: 10}"


def test_a_record_asks_several_rows(make, server):
    folder = make(4, settings=BATCH)
    server.batches = "wait"
    result = run(folder)
    assert (result.status, result.nodes[-1].message) == (
        "waiting",
        "8 of 8 rows are out in a batch",
    )
    assert [len(asked_in(body)) for body in server.batched[0]] == [4, 4]
    server.batches = "complete"
    assert run(folder).status == "success"
    assert len(server.batched) == 1
    assert server.answered == 0
    joined = "guesses join lupom.calls using (call_id)"
    ((count, cost, tokens),) = rows(
        folder, f"select count(*), sum(cost), sum(tokens_in + tokens_out) from {joined}"
    )
    assert count == 8
    assert float(cost) == float(tokens) * 5 / 1e6


def test_invalid_rows_are_in_the_next_batch_in_a_smaller_record(make, server):
    folder = make(4, settings=BATCH)

    def answers(body):
        whole = fit(schema_of(body), "x")
        if len(whole) == 4:
            del whole["r3"]
        return whole

    server.answers = answers
    assert run(folder).status == "waiting"
    assert run(folder).status == "waiting"
    assert [asked_in(body) for body in server.batched[1]] == [["Question 03?"]] * 2
    assert "it is missing" in json.dumps(server.batched[1][0]["messages"])
    assert run(folder).status == "success"
    assert rows(folder, "select count(*) from guesses") == [(8,)]


def test_a_record_that_is_refused_is_asked_by_halves_at_once(make, server):
    folder = make(4, settings=BATCH)

    def answers(body):
        if "Question 03?" in body["messages"][0]["content"]:
            return Fault(status=400, message="content_filter: blocked")
        return None

    server.answers = answers
    assert run(folder).status == "waiting"
    assert run(folder).status == "success"
    assert len(server.batched) == 1
    assert rows(folder, "select count(*), count(distinct question) from guesses") == [(6, 3)]


def test_a_question_that_was_dropped_meanwhile_keeps_its_answer(make, server):
    folder = make(4, settings=BATCH)
    run(folder)
    seed = folder / "seeds/questions.csv"
    whole = seed.read_text()
    seed.write_text("\n".join(whole.splitlines()[:4]) + "\n")
    assert run(folder).status == "success"
    assert rows(folder, "select count(*) from guesses") == [(6,)]
    seed.write_text(whole)
    assert run(folder).status == "success"
    assert rows(folder, "select count(*) from guesses") == [(8,)]
    assert len(server.batched) == 1
    assert server.answered == 0
