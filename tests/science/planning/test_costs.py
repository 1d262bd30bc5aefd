"""How many people and LLM calls: least cost, checked by trying all others and by simulation."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from lupom.science.estimates import ppi
from lupom.science.estimates.design import Design
from lupom.science.estimates.estimates import estimates
from lupom.science.estimates.intervals import NORMAL
from lupom.science.planning import costs


def variance(n, m, r2):
    return (1 - r2) / n + r2 / m


@pytest.mark.parametrize(("r2", "call"), [(0.4, 0.01), (0.6, 0.001), (0.25, 0.03)])
def test_no_other_numbers_of_people_and_calls_cost_less(r2, call):
    target = 400.0
    found = costs.allocate(target, r2, 1.0, call)
    assert target * variance(found.people, found.predicted, r2) == pytest.approx(1)
    least = min(
        n + call * r2 / (1 / target - (1 - r2) / n)
        for n in np.linspace(target * (1 - r2) + 1, target - 1, 5000)
    )
    assert found.people + call * found.predicted == pytest.approx(least, rel=1e-4)


def test_a_pilot_whom_everything_was_asked_has_plans_with_an_llm_too():
    # Of nobody else there are predictions, so that estimates gain nothing by them.
    alone = pilot().filter(pa.array([True, False] * 4))
    head = {"survey": "s", "question_id": "wide", "predictor": "history", "llm": "big"}
    worth = pa.Table.from_pylist([{**head, "r2": 0.5, "low": 0.4, "high": 0.6, "n": 200}])
    prices = {"interview": 2.0, "llm_call": 0.001}
    table = costs.survey_plan(alone, worth=worth, prices=prices)
    same = costs.survey_plan(pilot(), prices=prices)
    for group in (None, "women"):
        wanted = {"question_id": "wide", "group": group}
        assert of(table, **wanted)[1]["plan"] == "humans_and_llm"
        for one, other in zip(of(table, **wanted), of(same, **wanted), strict=True):
            numbers = ("people", "llm_calls", "cost")
            assert [one[k] for k in numbers] == pytest.approx([other[k] for k in numbers], rel=1e-3)
    # Of the other question people alone, and it is told why.
    humans, with_llm = of(table, question_id="narrow", group=None)
    assert with_llm["reason"] == "it predicted fewer than 20 of the people who answered"
    assert (with_llm["people"], with_llm["r2"]) == (humans["people"], None)
    whole = of(table, question_id=None, plan="humans_and_llm", half_width=0.03)[0]
    assert "people alone answer narrow" in whole["reason"]


def test_predictions_pay_from_the_share_of_variance_that_their_price_asks_for():
    needed = costs.r2_needed(1.0, 0.05)
    for r2, pays in ((needed - 0.01, False), (needed + 0.01, True)):
        found = costs.allocate(1000.0, r2, 1.0, 0.05)
        assert (found.people + 0.05 * found.predicted < 1000.0) == pays


def test_a_plan_reaches_its_half_width_in_simulated_surveys():
    # Answers of 40 % yes, of whose variance predictions explain 40 %.
    rng = np.random.default_rng(0)
    r2, share, half_width = 0.4, 0.4, 0.04
    found = costs.allocate(share * (1 - share) * (NORMAL / half_width) ** 2, r2, 1.0, 0.01)
    n, m = round(found.people), round(found.predicted)
    assert n < 0.75 * share * (1 - share) * (NORMAL / half_width) ** 2
    errors = []
    for _ in range(300):
        p = share + np.where(rng.random(m) < 0.5, 1, -1) * np.sqrt(r2 * share * (1 - share))
        y = (rng.random(m) < p).astype(float)[:, None]
        answered = np.arange(m) < n
        everybody = np.ones(m, dtype=bool)
        mean = ppi.powered(y, answered, p[:, None], Design(np.ones(m)), everybody)
        errors.append(float(mean.value[0]) - share)
    assert NORMAL * np.std(errors) == pytest.approx(half_width, rel=0.12)


def pilot(r2=0.5, n=200, m=2000, share=0.5):
    """Estimates of two questions of everybody and of a group, with and without an LLM."""
    effective = 1 / variance(n, m, r2)
    rows = []
    for question, spread in (("wide", share * (1 - share)), ("narrow", 0.09)):
        for group in (None, "women"):
            head = {
                "survey": "s",
                "question_id": question,
                "statistic": "share",
                "option": "yes",
                "attribute": group and "SEX",
                "group": group,
                "against": None,
                "estimate": 0.5,
                "n_humans": n,
            }
            error = (spread / n) ** 0.5
            rows.append(
                {
                    **head,
                    "method": "classical",
                    "predictor": None,
                    "llm": None,
                    "std_error": error,
                    "n_predicted": 0,
                    "n_effective": float(n),
                }
            )
            rows.append(
                {
                    **head,
                    "method": "powered",
                    "predictor": "history",
                    "llm": "big",
                    "std_error": error * (n / effective) ** 0.5,
                    "n_predicted": m,
                    "n_effective": effective,
                }
            )
    return pa.Table.from_pylist(rows)


def of(table, **wanted):
    return [r for r in table.to_pylist() if all(r[k] == v for k, v in wanted.items())]


def test_what_a_pilot_says_is_what_is_planned_with():
    table = costs.survey_plan(pilot(), prices={"interview": 2.0, "llm_call": 0.001})
    alone, with_llm = of(table, question_id="wide", group=None)
    assert alone["people"] == int(np.ceil(0.25 * (NORMAL / 0.03) ** 2))
    assert with_llm["r2"] == pytest.approx(0.5)
    assert with_llm["people"] < 0.6 * alone["people"] < with_llm["llm_calls"]
    assert (alone["cheapest"], with_llm["cheapest"]) == (False, True)
    assert with_llm["r2_needed"] == pytest.approx(costs.r2_needed(1.0, 0.001))
    assert len(of(table, question_id="narrow", group="women")) == 2


def test_an_llm_that_is_too_dear_is_not_asked():
    table = costs.survey_plan(pilot(r2=0.1), prices={"llm_call": 0.2})
    alone, with_llm = of(table, question_id="wide", group=None)
    assert with_llm["llm_calls"] == 0
    assert with_llm["cost"] == alone["cost"]
    assert alone["cheapest"]
    assert with_llm["r2"] < with_llm["r2_needed"]


def test_the_frontier_of_the_whole_questionnaire():
    split = pa.table(
        {
            "survey": ["s", "s"],
            "question_id": ["wide", "narrow"],
            "asked": [0.5, 0.5],
            "efficiency": [0.6, 0.55],
        }
    )
    prices = {"interview": 5.0, "question": 4.0, "llm_call": 0.001}
    table = costs.survey_plan(pilot(), split, prices=prices)
    rows = of(table, question_id=None)
    widths = sorted({r["half_width"] for r in rows})
    assert widths[0] == 0.01
    assert 0.03 in widths
    for plan in ("humans", "split", "humans_and_llm"):
        spent = [
            r["cost"] for w in widths for r in rows if (r["plan"], r["half_width"]) == (plan, w)
        ]
        assert spent == sorted(spent, reverse=True)
    one = {r["plan"]: r for r in rows if r["half_width"] == 0.03}
    alone, parts, llm = one["humans"], one["split"], one["humans_and_llm"]
    assert parts["people"] == pytest.approx(alone["people"] / 0.6, abs=1)
    assert (alone["questions_each"], parts["questions_each"]) == (2, 1)
    assert alone["cost"] == alone["people"] * 13
    assert llm["cost"] < parts["cost"] < 1.2 * alone["cost"]
    assert llm["cheapest"]


def test_without_an_llm_there_are_people_and_blocks():
    table = costs.survey_plan(pilot().filter(pa.array([True, False] * 4)))
    assert {r["plan"] for r in table.to_pylist()} == {"humans"}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"half_width": 0.7}, "between 0 and .5"),
        ({"prices": {"interviews": 3}}, "has no 'interviews'; it has interview, question"),
        ({"prices": {"interview": 0}}, "plan_prices are above 0"),
    ],
)
def test_what_makes_no_plan_is_told(options, said):
    with pytest.raises(ValueError, match=said):
        costs.survey_plan(pilot(), **options)


def people(n=300):
    """Of 300 people in the pilot two in three answered; 250 are women."""
    return pa.table(
        {
            "survey": ["s"] * n,
            "attributes": pa.array(
                [[("SEX", "women" if i < 250 else "men")] for i in range(n)],
                pa.map_(pa.string(), pa.string()),
            ),
        }
    )


def test_as_many_people_are_met_as_it_takes_answers():
    table = costs.survey_plan(pilot(), None, people(), prices={"interview": 2.0})
    everybody = costs.survey_plan(pilot(), prices={"interview": 2.0})
    for question, group, answering in (
        ("wide", None, 2 / 3),
        ("narrow", None, 2 / 3),
        ("wide", "women", 0.8),
    ):
        mine, all_answer = (
            of(t, question_id=question, group=group, plan="humans")[0] for t in (table, everybody)
        )
        assert mine["answering"] == pytest.approx(answering)
        assert mine["people"] == int(np.ceil(all_answer["people"] / answering))
        # In an interview there are fewer answers, each the dearer.
        assert mine["cost"] == pytest.approx(all_answer["cost"] / answering)
    whole, before = (
        of(t, question_id=None, plan="humans", half_width=0.03)[0] for t in (table, everybody)
    )
    assert whole["people"] == pytest.approx(before["people"] * 1.5, abs=1)
    assert (whole["limited_by"], whole["questions_each"]) == ("wide", pytest.approx(4 / 3))
    llm = of(table, question_id=None, plan="humans_and_llm", half_width=0.03)[0]
    assert llm["people"] <= whole["people"]


@pytest.mark.parametrize("why", ["lot", "filter", "refusal"])
def test_a_planned_survey_reaches_its_half_width_where_not_all_answer(why):
    # A pilot of 600, three surveys as large as is planned by it in one: how widely shares scatter.
    rng = np.random.default_rng(3)

    def survey(n):
        said = (rng.random(n) < 0.4).astype(int)
        theirs = rng.random(n) < (0.35 if why == "filter" else 0.65)
        if why == "refusal":  # who says yes refuses more often
            theirs = rng.random(n) < np.where(said == 1, 0.5, 0.75)
        return said[theirs]

    first = survey(600)
    share = first.mean()
    row = {
        **of(pilot(), question_id="wide", group=None, method="classical")[0],
        "n_humans": len(first),
        "std_error": (share * (1 - share) / len(first)) ** 0.5,
    }
    [found] = of(
        costs.survey_plan(pa.Table.from_pylist([row]), None, people(600), half_width=0.04),
        question_id="wide",
        plan="humans",
    )
    shares = [survey(found["people"]).mean() for _ in range(2000)]
    assert NORMAL * np.std(shares) == pytest.approx(0.04, rel=0.08)


# As files have a scale of which the ends alone have words.
STEPS = ["Not at all", *map(str, range(1, 10)), "Wholly"]


def numbers(n=400, seed=0):
    """Estimates of a pilot with a scale of 0 to 10, money, a constant and a text; its tables."""
    rng = np.random.default_rng(seed)
    said = {
        "scale": rng.integers(0, 11, n),
        "steps": rng.integers(0, 11, n),
        "money": np.exp(rng.normal(10, 1, n)).round(2),
        "same": np.ones(n, dtype=int),
    }
    ids = [f"p{i}" for i in range(n)]
    responses = pa.Table.from_pylist(
        [
            {
                "survey": "s",
                "respondent_id": i,
                "question_id": question,
                "status": "answered",
                "answer": STEPS[value] if question == "steps" else str(value),
            }
            for question, values in said.items()
            for i, value in zip(ids, values, strict=True)
        ]
    )
    kinds = [*((q, "numeric") for q in said if q != "steps"), ("why", "text"), ("wide", "single")]
    kinds.append(("steps", "ordinal"))
    options = {"wide": ["yes", "no"], "steps": STEPS}
    questions = pa.Table.from_pylist(
        [
            {
                "survey": "s",
                "question_id": q,
                "kind": kind,
                "options": options.get(q, []),
                "ordinal": [float(i) for i in range(11)] if q == "steps" else None,
            }
            for q, kind in kinds
        ]
    )
    people = pa.table(
        {
            "survey": ["s"] * n,
            "respondent_id": ids,
            "attributes": pa.array([[]] * n, pa.map_(pa.string(), pa.string())),
            "weight": rng.uniform(0.5, 2.0, n),
        }
    )
    return said, estimates(responses, questions, people), responses, questions, people


def test_means_of_numbers_are_planned_beside_shares():
    said, pilots, responses, questions, people = numbers()
    given = {"respondents": people, "questions": questions, "responses": responses}
    table = costs.survey_plan(pilots, **given, half_widths={"money": 500.0})
    rows = {r["question_id"]: r for r in of(table, plan="humans", attribute=None)}
    # As well as a share of one half, at the weights' cost.
    weights = np.asarray(people["weight"])
    deff = len(weights) * np.square(weights).sum() / weights.sum() ** 2
    scale = rows["scale"]
    assert (scale["statistic"], scale["answering"]) == ("mean", 1)
    assert scale["half_width"] == pytest.approx(0.06 * said["scale"].std(), rel=0.05)
    assert scale["people"] == pytest.approx(deff * 0.25 * (NORMAL / 0.03) ** 2, rel=0.1)
    steps = rows["steps"]
    assert steps["statistic"] == "mean"
    assert steps["half_width"] == pytest.approx(0.06 * said["steps"].std(), rel=0.05)
    # What is asked for in the number's own units, checked on surveys of as many people.
    assert rows["money"]["half_width"] == 500
    n, p = rows["money"]["people"], weights / weights.sum()
    drawn = np.random.default_rng(1).choice(said["money"], (2000, n), p=p)
    assert NORMAL * drawn.mean(axis=1).std() * deff**0.5 == pytest.approx(500, rel=0.1)
    assert of(table, question_id=None, half_width=0.03)[0]["limited_by"] == "money"
    reasons = {r["question_id"]: r["reason"] for r in table.to_pylist() if r["people"] is None}
    assert set(reasons) == {"same", "why", "wide"}
    assert reasons["same"].startswith("all 400 people gave one answer")
    assert reasons["why"] == "answered in texts, which have no shares"
    assert reasons["wide"].startswith("fewer than two people answered it")
    with pytest.raises(ValueError, match="names 'mony', no question; did you mean 'money'"):
        costs.survey_plan(pilots, **given, half_widths={"mony": 500.0})


def test_a_recode_is_no_question_to_pay_for():
    reach = pa.table(
        {"survey": ["s", "s"], "question_id": ["wide", "narrow"], "recode_of": [None, "wide"]}
    )
    rows = costs.survey_plan(pilot(), None, None, reach).to_pylist()
    assert {r["question_id"] for r in rows} == {"wide", None}
    assert {r["questions_each"] for r in rows if r["question_id"] is None} == {1}


def test_whom_a_lot_left_out_may_be_asked_this_time():
    asked = {"survey": "s", "question_id": "wide", "recode_of": None, "asked_of": 0.9}
    reach = pa.Table.from_pylist([{**asked, "n_asked": 200}])

    def answering(question, group=None, **options):
        table = costs.survey_plan(pilot(), None, people(), reach, **options)
        return of(table, plan="humans", question_id=question, group=group)[0]["answering"]

    assert answering("wide") == pytest.approx(2 / 3)
    # A tenth of 300 people cannot be asked, and all others answer.
    assert answering("wide", close_gaps=True) == pytest.approx(0.9)
    assert answering("wide", "women", close_gaps=True) == 1.0
    # Of the other nobody knows who was asked.
    assert answering("narrow", close_gaps=True) == pytest.approx(2 / 3)
