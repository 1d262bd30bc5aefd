"""What hangs on a held-out answer is hidden with it: a survey with a filter, staged."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from tests.support.fake_project import FakeProject

N = 300
STAGED = (
    *("drawn_pairs.sql", "unscored_responses.sql", "follow_ups.py"),
    *("holdout.sql", "known_responses.sql"),
)


def project(flipped: object = (), **vars: object) -> FakeProject:
    """Return 300 people of whom some work and were asked two questions about it.

    `flipped` are those who would have said the other thing.
    """
    rng = np.random.default_rng(1)
    work = rng.random(N) < 0.6
    others = {name: np.where(rng.random(N) < 0.5, "Yes", "No") for name in ("like", "tv", "radio")}
    hours = rng.integers(10, 60, N).astype(str)
    people = [f"p{i:03}" for i in range(N)]
    work ^= np.isin(people, list(flipped))
    answers = {
        "work": np.where(work, "Yes", "No").tolist(),
        "like": [one if asked else None for one, asked in zip(others["like"], work, strict=True)],
        "hours": [one if asked else None for one, asked in zip(hours, work, strict=True)],
        "tv": others["tv"].tolist(),
        "radio": others["radio"].tolist(),
    }
    made = FakeProject(**{"seed": 1, "test_pairs": 200, "tuning_pairs": 100, **vars})
    rows = [
        {
            "survey": "s",
            "respondent_id": person,
            "question_id": name,
            "status": "not_asked" if answer is None else "answered",
            "answer": answer,
        }
        for name, told in answers.items()
        for person, answer in zip(people, told, strict=True)
    ]
    nothing = pa.array([{}] * N, pa.map_(pa.string(), pa.string()))
    questions = [
        {"survey": "s", "question_id": name, "kind": kind, "options": options}
        for name in answers
        for kind, options in [("numeric", []) if name == "hours" else ("nominal", ["No", "Yes"])]
    ]
    made.add("responses", pa.Table.from_pylist(rows))
    made.add(
        "respondents",
        pa.table(
            {
                "survey": ["s"] * N,
                "respondent_id": people,
                "attributes": nothing,
                "weight": [1.0] * N,
            }
        ),
    )
    made.add("questions", pa.Table.from_pylist(questions))
    for name in STAGED:
        made.build(f"staging/{name}")
    return made


def held_out(made: FakeProject) -> list[str]:
    """Return whose answer to the filter is held out to be scored."""
    rows = made.rows(
        "select respondent_id from holdout "
        "where question_id = 'work' and role in ('test', 'tuning')"
    )
    return [person for (person,) in rows]


def test_what_hangs_on_it_is_hidden_answered_or_blank() -> None:
    made = project()
    assert made.rows("select question_id, follow_up from follow_ups order by all") == [
        ("work", "hours"),
        ("work", "like"),
    ]
    people = held_out(made)
    assert 50 < len(people) < N
    told = (
        "select status, count(*), count(answer) from known_responses "
        "where question_id in ('hours', 'like') and respondent_id {} in "
        f"{tuple(people)} group by all order by all"
    )
    assert made.rows(told.format("")) == [("held_out", 2 * len(people), 0)]
    others = {status for status, _, _ in made.rows(told.format("not"))}
    assert {"answered", "not_asked"} <= others
    # Blanks as well, and all in the place of an answer, on which nobody is scored.
    hidden = made.rows(
        "select count(*), count(answer) from holdout where role = 'hidden' and scenario = 'known'"
    )
    assert hidden[0][0] == 2 * len(people)
    assert 0 < hidden[0][1] < hidden[0][0]


def test_the_other_answer_with_all_that_comes_of_it_changes_nothing_that_is_known() -> None:
    made = project()
    people = held_out(made)
    other = project(flipped=people)
    # Others have more or fewer answers now, so that some other pairs are drawn.
    both = tuple(sorted(set(people) & set(held_out(other))))
    assert len(both) > 50
    of = f"respondent_id in {both} order by all"
    scored = f"select answer from holdout where question_id = 'work' and {of}"
    assert made.rows(scored) != other.rows(scored)
    assert made.rows("from follow_ups order by all") == other.rows("from follow_ups order by all")
    hangs = (
        "select respondent_id, question_id, status, answer from known_responses "
        f"where question_id in ('work', 'hours', 'like') and {of}"
    )
    assert made.rows(hangs) == other.rows(hangs)


def test_what_hangs_on_a_scored_answer_is_not_scored_with_it() -> None:
    """Whoever is asked to predict it would be told that the person works."""
    made = project()
    both = (
        "select h.role, count(*) from drawn_pairs as d join holdout as h using "
        "(survey, respondent_id, question_id) where d.role <> 'hidden' and question_id in "
        "('hours', 'like') and respondent_id {} in (select respondent_id from drawn_pairs "
        "where question_id = 'work') group by all order by all"
    )
    assert [role for role, _ in made.rows(both.format(""))] == ["hidden"]
    assert [role for role, _ in made.rows(both.format("not"))] == ["test", "tuning"]


def test_a_new_question_hides_what_hangs_on_it_of_those_who_are_scored() -> None:
    made = project(new_questions=["work"], new_question_pairs=80)
    people = held_out(made)
    assert len(people) == 80
    left = made.rows(
        "select count(*) from known_responses where question_id in ('hours', 'like') and "
        f"status <> 'held_out' and respondent_id in {tuple(people)}"
    )
    assert left == [(0,)]


def test_published_evaluations_hid_the_drawn_answers_alone() -> None:
    made = project()
    drawn = made.rows("from drawn_pairs order by all")
    for vars in ({"follow_ups": "known"}, {"protocol": "persona_db"}):
        made.vars = {"seed": 1, **vars}
        made.build("staging/holdout.sql")
        assert made.rows("from holdout order by all") == drawn
