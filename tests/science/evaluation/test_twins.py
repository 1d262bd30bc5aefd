"""A question asked twice gives its held-out answers away, and is reported."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from lupom.science.evaluation.twins import notes, question_twins

OPTIONS = ["yes", "no", "maybe"]


def survey(**answers: list[str | None]) -> tuple[pa.Table, pa.Table]:
    """Return known responses and questions, one of each name, worded by it without digits."""
    rows = [
        {"survey": "s", "respondent_id": f"p{i}", "question_id": name, "answer": answer}
        for name, given in answers.items()
        for i, answer in enumerate(given)
    ]
    questions = pa.Table.from_pylist(
        [
            {
                "survey": "s",
                "question_id": name,
                "question": f"About {name.rstrip('0123456789')}?",
                "options": OPTIONS,
            }
            for name in answers
        ]
    )
    return pa.Table.from_pylist(rows), questions


def drawn(seed: int, n: int = 100) -> list[str]:
    return [OPTIONS[k] for k in np.random.default_rng(seed).integers(3, size=n)]


def test_a_question_planted_twice_is_reported_whatever_it_is_called() -> None:
    known, questions = survey(dogs=drawn(1), cats=drawn(2), hounds=drawn(1))
    [row] = question_twins(known, questions).to_pylist()
    assert (row["question_id"], row["twin_id"]) == ("dogs", "hounds")
    assert (row["same_wording"], row["association"], row["determined"]) == (False, 1.0, 1.0)
    assert row["n"] == 100


def test_the_same_with_other_labels_and_a_few_slips_is_one_too() -> None:
    other = {"yes": "no", "no": "maybe", "maybe": "yes"}
    turned = [other[a] for a in drawn(1)]
    turned[:3] = ["yes"] * 3
    known, questions = survey(dogs=drawn(1), hounds=turned)
    [row] = question_twins(known, questions).to_pylist()
    assert 0.9 < row["association"] < 1.0


def test_one_wording_twice_is_reported_even_where_nobody_answered_both() -> None:
    half = [*drawn(1, 50), *[None] * 50], [*[None] * 50, *drawn(2, 50)]
    known, questions = survey(dogs1=half[0], dogs2=half[1])
    [row] = question_twins(known, questions).to_pylist()
    assert (row["same_wording"], row["association"], row["n"]) == (True, None, 0)


def people(**attributes: list[str]) -> pa.Table:
    rows = [
        {
            "survey": "s",
            "respondent_id": f"p{i}",
            "attributes": list(zip(attributes, row, strict=True)),
        }
        for i, row in enumerate(zip(*attributes.values(), strict=True))
    ]
    kind = pa.map_(pa.string(), pa.string())
    fields = [("survey", pa.string()), ("respondent_id", pa.string()), ("attributes", kind)]
    return pa.Table.from_pylist(rows, pa.schema(fields))


def test_an_attribute_that_says_the_same_is_reported() -> None:
    """Party, asked and on record; with the name of the question, too."""
    known, questions = survey(party=drawn(1), cats=drawn(2))
    told = [{"yes": "D", "no": "R", "maybe": ""}[a] for a in drawn(1)]
    found = question_twins(known, questions, people(party=told, region=drawn(3))).to_pylist()
    assert [(r["question_id"], r["twin_id"], r["attribute"]) for r in found] == [
        ("party", "party", True)
    ]
    # Of whom there is no record nothing can be read off it.
    assert found[0]["n"] == sum(map(bool, told))
    assert (found[0]["association"], found[0]["same_wording"]) == (1.0, False)


def test_a_note_names_the_first_and_counts_the_others() -> None:
    known, questions = survey(a=drawn(1), b=drawn(1), c=drawn(1), d=drawn(2))
    assert notes(question_twins(known, questions, people(a=drawn(2), b=drawn(3)))) == [
        "s: held-out answers can be read off others (a off b, a off c, b off c and 1 more), so that"
        " every metric is too good: leave one of the two out (table question_twins)"
    ]
    assert notes(question_twins(*survey(a=drawn(1), b=drawn(2)))) == []


def test_an_attribute_of_many_values_is_none_by_chance() -> None:
    """Each of 60 ages has one or two people, who of course agree."""
    known, questions = survey(dogs=drawn(1))
    ages = [str(18 + i % 60) for i in range(100)]
    assert question_twins(known, questions, people(age=ages)).num_rows == 0


@pytest.mark.parametrize("n", [10, 100])
def test_questions_that_merely_go_together_are_not(n: int) -> None:
    one = drawn(1, n)
    other = [a if i % 2 else b for i, (a, b) in enumerate(zip(one, drawn(2, n), strict=True))]
    known, questions = survey(dogs=one, cats=other, birds=["yes"] * n)
    assert question_twins(known, questions).num_rows == 0
