"""What hangs on the answer to a question of any kind."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from lupom.science.planning.follow_ups import follow_ups

N = 400


def survey(**answers):
    """Return the tables of questions by name: kind, and answers, None of who was not asked."""
    people = [f"p{i:03}" for i in range(N)]
    rows = [
        {
            "survey": "s",
            "respondent_id": person,
            "question_id": name,
            "status": "not_asked" if answer is None else "answered",
            "answer": answer,
        }
        for name, (_, told) in answers.items()
        for person, answer in zip(people, told, strict=True)
    ]
    questions = [
        {
            "survey": "s",
            "question_id": name,
            "kind": kind,
            "options": sorted({one for one in told if one}) if kind == "closed" else [],
        }
        for name, (kind, told) in answers.items()
    ]
    nothing = pa.array([{}] * N, pa.map_(pa.string(), pa.string()))
    respondents = pa.table({"survey": ["s"] * N, "respondent_id": people, "attributes": nothing})
    return pa.Table.from_pylist(rows), respondents, pa.Table.from_pylist(questions)


@pytest.fixture(scope="module")
def made():
    rng = np.random.default_rng(1)
    work = rng.random(N) < 0.6
    children, hours = rng.integers(0, 4, N), rng.integers(10, 60, N)
    income = np.where(rng.random(N) < 0.3, 0, rng.integers(1, 90_000, N))
    yes = np.where(rng.random((N, 2)) < 0.5, "Yes", "No")
    return survey(
        work=("closed", np.where(work, "Yes", "No").tolist()),
        hours=("numeric", [str(h) if w else None for w, h in zip(work, hours, strict=True)]),
        job=("text", ["a job" if w else None for w in work]),
        children=("numeric", [str(c) for c in children]),
        eldest=("closed", [y if c else None for c, y in zip(children, yes[:, 0], strict=True)]),
        income=("numeric", [str(i) for i in income]),
        tax=("closed", [y if i else None for i, y in zip(income, yes[:, 1], strict=True)]),
        lot=("closed", ["a" if r else None for r in rng.random(N) < 0.5]),
        plain=("closed", np.where(rng.random(N) < 0.5, "a", "b").tolist()),
    )


def test_filters_and_follow_ups_are_of_any_kind(made):
    found = follow_ups(*made).to_pylist()
    assert [(row["question_id"], row["follow_up"]) for row in found] == [
        ("children", "eldest"),
        ("income", "tax"),
        ("work", "hours"),
        ("work", "job"),
    ]


def test_what_was_answered_where_an_answer_is_held_out_is_not_needed(made):
    """Of some people the filter's answer is missing, as where it is held out."""
    responses, *rest = made
    rows = responses.to_pylist()
    for row in rows[:N:4]:
        assert row["question_id"] == "work"
        row["answer"] = None
    assert follow_ups(pa.Table.from_pylist(rows), *rest).equals(follow_ups(*made))


def test_without_filters_there_are_no_rows():
    plain = ("closed", ["a", "b"] * (N // 2))
    assert follow_ups(*survey(one=plain, other=plain)).num_rows == 0


def test_a_missing_column_is_named(made):
    responses, *rest = made
    with pytest.raises(ValueError, match="status"):
        follow_ups(responses.drop_columns(["status"]), *rest)
