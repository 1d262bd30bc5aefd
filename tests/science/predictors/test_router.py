"""The router: gains by question, and what is recommended."""

from __future__ import annotations

import numpy as np
import pytest

from lupom.science.predictors import router, stack
from tests.science.predictors.made import made, noise


def rows(m, plain, llm, **settings):
    baselines, predictions = m.table(plain=plain), m.llm(history=llm)
    table = stack.stack(baselines, predictions, m.tuning, m.questions)
    found = router.router(table, m.tuning, m.questions, **settings).to_pandas()
    return found.set_index(found["question_id"].fillna("all"))


@pytest.fixture(scope="module")
def m():
    return made(people=600)


@pytest.fixture(scope="module")
def helped(m):
    """The LLM knows the first question, of which the plain predictor knows nothing."""
    first = (m.pairs.columns == 0)[:, None]
    return np.where(first, noise(m), m.true), np.where(first, m.true, noise(m, 4))


def test_the_llm_is_recommended_where_it_helps_and_nowhere_else(m, helped):
    found = rows(m, *helped)
    assert list(found.index) == ["q0", "q1", "q2", "q3", "all"]
    assert found.loc["q0", "recommendation"] == "llm"
    assert set(found.loc["q1":"q3", "recommendation"]) == {"plain"}
    assert found.loc["q0", "nll_gain_low"] > 0
    assert found.loc["q0", "accuracy_gain"] > 0.1
    assert found["n"].tolist() == [300] * 4 + [1200]
    assert found.loc["all", "nll_gain"] == pytest.approx(found.loc[:"q3", "nll_gain"].mean())


def test_a_useless_llm_is_recommended_nowhere(m):
    found = rows(m, m.true, noise(m, 4))
    assert set(found["recommendation"]) == {"plain"}
    assert found["nll_gain"].abs().max() < 0.01


def test_an_llm_that_knows_all_is_recommended_everywhere(m):
    found = rows(m, noise(m), m.true)
    assert set(found["recommendation"]) == {"llm"}
    assert found["price"].isna().all()


def test_a_price_must_be_worth_it(m):
    plain, llm = noise(m), m.true
    dear = rows(m, plain, llm, prices={"one": 0.5}, worth=1.0)
    assert set(dear["recommendation"]) == {"plain"}
    assert dear.loc["all", "price_per_correct"] == pytest.approx(
        0.5 / dear.loc["all", "accuracy_gain"]
    )
    cheap = rows(m, plain, llm, prices={"one": 0.01}, worth=1.0)
    assert set(cheap["recommendation"]) == {"llm"}
    assert set(rows(m, plain, llm, min_gain=5.0)["recommendation"]) == {"plain"}


def estimated(gain: np.ndarray, rng: np.random.Generator, pairs: int) -> router.Gains:
    """Return gains as found in some pairs of 30 people, given what each question truly gains."""
    group = rng.integers(len(gain), size=pairs)
    person = rng.integers(30, size=pairs)
    values = rng.normal(gain[group], 0.6)
    found = router.partially_pooled(values, group, person, len(gain))
    n = np.bincount(group, minlength=len(gain))
    return router.Gains(np.append(n, n.sum()), found, found)


def test_a_clear_gain_of_all_questions_is_used():
    # As an LLM beside 30 people, each question having six pairs, none of which proves a thing.
    rng = np.random.default_rng(0)
    regrets = []
    for _ in range(20):
        gain = rng.normal(0.14, 0.05, 34)
        chosen = router.recommended(estimated(gain, rng, 200))
        assert chosen[-1]
        regrets.append(gain.mean() - (gain * chosen[:-1]).mean())
    assert np.mean(regrets) < 0.01


def test_an_llm_that_hurts_is_recommended_hardly_anywhere():
    rng = np.random.default_rng(0)
    costs = []
    for _ in range(20):
        gain = rng.normal(-0.1, 0.05, 34)
        costs.append(-(gain * router.recommended(estimated(gain, rng, 200))[:-1]).mean())
    assert np.mean(costs) < 0.01


def test_what_a_correct_answer_is_worth_decides_for_whom_an_llm_is_paid():
    rng = np.random.default_rng(0)
    gain = np.repeat([0.3, 0.0], 10)
    found = estimated(gain, rng, 4000)
    # An answer costs what a tenth of a correct one is worth.
    chosen = router.recommended(found, price=0.1, worth=1.0)[:-1]
    assert chosen[:10].all()
    assert not chosen[10:].any()
    assert router.recommended(found, price=0.001, worth=1.0)[:10].all()


def test_scenarios_are_judged_apart():
    # The LLM knows of new questions, of which the others tell nothing. Some of them are tuned on,
    # others tested.
    m = made(people=120, questions=16)
    new = m.pairs.columns >= 4
    m.pairs.scenarios[new] = "new_question"
    m.pairs.roles[new] = np.where(m.pairs.columns[new] < 10, "tuning", "test")
    plain = np.where(new[:, None], noise(m), m.true)
    llm = np.where(new[:, None], m.true, noise(m, 4))
    found = rows(m, plain, llm)
    assert set(found[found["scenario"] == "known"]["recommendation"]) == {"plain"}
    of_new = found[found["scenario"] == "new_question"]
    assert set(of_new["recommendation"]) == {"llm"}
    assert of_new.loc["q12", "n"] == 0
    assert np.isnan(of_new.loc["q12", "nll_gain"])
    # What no pair tells is less certain than what some do.
    width = of_new["nll_gain_high"] - of_new["nll_gain_low"]
    assert width["q12"] > width["q5"]


def test_questions_that_do_not_differ_get_the_gain_of_all():
    rng = np.random.default_rng(0)
    values, group = rng.normal(0.1, 1.0, 600), np.repeat(np.arange(20), 30)
    found = router.partially_pooled(values, group, np.arange(600), 21)
    assert np.ptp(found.raw[:20]) > 0.4
    assert np.ptp(found.pooled[:20]) < 0.2
    # Of the last there is nothing but what the others say.
    assert np.isnan(found.raw[20])
    assert found.pooled[20] == pytest.approx(found.pooled[21], abs=0.01)


def test_questions_that_differ_keep_their_own():
    rng = np.random.default_rng(0)
    means = np.array([2.0, 0.0, -2.0])
    group = np.repeat(np.arange(3), 100)
    found = router.partially_pooled(rng.normal(means[group], 1.0), group, np.arange(300), 3)
    np.testing.assert_allclose(found.pooled[:3], found.raw[:3], atol=0.05)
    # A question nobody was asked may have any of them.
    other = router.partially_pooled(rng.normal(means[group], 1.0), group, np.arange(300), 4)
    assert other.high[3] - other.low[3] > 4


def test_intervals_hold_the_true_gain_as_often_as_they_say():
    rng = np.random.default_rng(1)
    inside = []
    for _ in range(60):
        true = rng.normal(0.0, 0.2, 15)
        group = rng.integers(15, size=400)
        found = router.partially_pooled(
            rng.normal(true[group], 1.0), group, rng.integers(200, size=400), 15
        )
        inside.append((found.low[:15] < true) & (true < found.high[:15]))
    assert 0.92 < np.mean(inside) < 0.98


def test_without_values_there_is_no_gain_and_no_interval():
    none = np.zeros(0, dtype=np.int64)
    found = router.partially_pooled(np.zeros(0), none, none, 2)
    assert found.pooled.tolist() == [0.0, 0.0, 0.0]
    assert np.isnan(found.low).all()
