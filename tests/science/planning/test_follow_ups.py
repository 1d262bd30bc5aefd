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


def closed(asked):
    """Return a question that some were asked."""
    told = np.random.default_rng(int(asked.sum())).random(N) < 0.5
    return "closed", [
        ("a" if t else "b") if here else None for here, t in zip(asked, told, strict=True)
    ]


def yes(told):
    return "closed", np.where(told, "Yes", "No").tolist()


def hangs_on(**answers):
    """Return by follow-up the questions that it hangs on."""
    out = {}
    for row in follow_ups(*survey(**answers)).to_pylist():
        out.setdefault(row["follow_up"], set()).add(row["question_id"])
    return out


@pytest.fixture
def draw():
    rng = np.random.default_rng(7)
    return lambda share: rng.random(N) < share


def test_any_of_several_answers_may_lead_to_a_question(draw):
    now, once, other = draw(0.3), draw(0.4), draw(0.5)
    found = hangs_on(
        now=yes(now),
        once=yes(once),
        other=yes(other),
        how_many=closed(now | once),
        all=yes(draw(0.5)),
    )
    assert found == {"how_many": {"now", "once"}}


def test_any_of_a_list_of_things_may_lead_to_a_question(draw):
    ills = {f"ill_{number}": draw(0.08) for number in range(8)}
    some = np.any(list(ills.values()), axis=0)
    found = hangs_on(**{name: yes(told) for name, told in ills.items()}, treated=closed(some))
    assert found == {"treated": set(ills)}


@pytest.mark.parametrize(
    "rule",
    [
        lambda a, b, c: a & (b | c),
        lambda a, b, c: a | (b & c),
        lambda a, b, c: a & b & c,
        lambda a, b, c: ~a | ~b | c,
    ],
)
def test_filters_may_be_of_filters(draw, rule):
    a, b, c = draw(0.5), draw(0.5), draw(0.5)
    found = hangs_on(a=yes(a), b=yes(b), c=yes(c), d=yes(draw(0.5)), then=closed(rule(a, b, c)))
    assert found == {"then": {"a", "b", "c"}}


def test_a_filter_that_some_interviews_contradict_is_one(draw):
    work = draw(0.6)
    assert hangs_on(work=yes(work), boss=closed(work ^ draw(0.03))) == {"boss": {"work"}}


@pytest.mark.parametrize("least", [3, 20, 64])
def test_a_number_may_have_to_be_large_enough(least):
    age = np.random.default_rng(2).integers(0, 90, N)
    numbers = ("numeric", [str(one) for one in age])
    assert hangs_on(age=numbers, then=closed(age >= least)) == {"then": {"age"}}


def test_what_hangs_on_a_follow_up_hangs_on_its_filter(draw):
    now, once = draw(0.3), draw(0.4)
    often = draw(0.5)
    asked = now | once
    often_told = (
        "closed",
        [("Yes" if o else "No") if a else None for a, o in zip(asked, often, strict=True)],
    )
    found = hangs_on(now=yes(now), once=yes(once), often=often_told, more=closed(asked & often))
    assert found == {"often": {"now", "once"}, "more": {"now", "once", "often"}}


def test_blanks_that_a_lot_or_people_made_hang_on_nothing(draw):
    """Halves of a questionnaire, and people who leave out what they have no opinion on."""
    half, shy = draw(0.5), draw(0.2)
    some = {f"q{n}": closed(~(draw(0.02) | (shy & draw(0.3)))) for n in range(10)}
    halves = {f"a{n}": closed(half & ~draw(0.02)) for n in range(4)}
    rest = {f"b{n}": closed(~half & ~draw(0.02)) for n in range(4)}
    views = {
        f"v{n}": ("closed", np.where(shy & draw(0.5), "No opinion", "a").tolist()) for n in "12"
    }
    assert hangs_on(**some, **halves, **rest, **views) == {}
