"""The stack, on pairs of which it is known who knows the answers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from lupom.science.predictors import stack
from tests.science.predictors.made import NO_LLM, Made, made, noise, powered


def stacked(m: Made, baselines: pa.Table, predictions: pa.Table = NO_LLM, **settings) -> pa.Table:
    return stack.stack(baselines, predictions, m.tuning, m.questions, **settings)


def weights(m: Made, baselines: pa.Table, predictions: pa.Table = NO_LLM) -> pd.DataFrame:
    return stack.weights(baselines, predictions, m.tuning, m.questions).to_pandas()


@pytest.fixture(scope="module")
def m() -> Made:
    return made(people=400)


def test_it_is_as_good_as_the_part_that_knows(m):
    baselines = m.table(knows=m.true, guesses=noise(m), guesses_too=noise(m, 2))
    p, has = m.read(stacked(m, baselines), "stack_plain")
    assert has.all()
    assert m.loss(p) < m.loss(m.true) + 0.02
    found = weights(m, baselines).set_index("part")["weight"]
    assert found["knows"] > 0.8
    assert found.drop("knows").max() < 0.15


def test_it_is_better_than_parts_that_know_different_things(m):
    rng = np.random.default_rng(3)
    parts = {}
    for name in ("one", "two", "three"):
        blurred = m.true * np.exp(rng.normal(0, 1.0, m.true.shape))
        parts[name] = powered(blurred, 1.0)
    p, _ = m.read(stacked(m, m.table(**parts)), "stack_plain")
    assert m.loss(p) < min(map(m.loss, parts.values())) - 0.03


def test_an_overconfident_part_is_calibrated(m):
    sure = powered(m.true, 2.0)
    baselines = m.table(sure=sure)
    p, _ = m.read(stacked(m, baselines), "stack_plain")
    assert m.loss(p) < m.loss(sure) - 0.02
    assert weights(m, baselines)["weight"].item() == pytest.approx(0.5, abs=0.08)


def test_answers_of_test_pairs_are_not_looked_at(m):
    baselines, llm = m.table(knows=m.true, guesses=noise(m)), m.llm(history=powered(m.true, 0.5))
    before = stacked(m, baselines, llm)
    test = m.pairs.roles == "test"
    changed = Made(m.pairs, m.true, np.where(test, (m.answers + 1) % 3, m.answers))
    assert stacked(changed, baselines, llm).equals(before)
    tuned = Made(m.pairs, m.true, np.where(test, m.answers, (m.answers + 1) % 3))
    assert not stacked(tuned, baselines, llm).equals(before)


def test_the_order_of_rows_decides_nothing(m):
    baselines, llm = m.table(knows=m.true, guesses=noise(m)), m.llm(history=noise(m, 4))
    mixed = baselines.take(np.random.default_rng(5).permutation(baselines.num_rows))
    assert stacked(m, mixed, llm).equals(stacked(m, baselines, llm))


def test_an_llm_that_knows_nothing_hurts_nothing(m):
    baselines, llm = m.table(knows=powered(m.true, 0.5)), m.llm(history=noise(m, 4))
    table = stacked(m, baselines, llm)
    plain, _ = m.read(table, "stack_plain")
    p, _ = m.read(table, "stack", "one")
    assert m.loss(p) < m.loss(plain) + 0.005
    found = weights(m, baselines, llm)
    heard = found[(found["predictor"] == "stack") & (found["part"] != "stack_plain")]
    assert len(heard) == 2
    assert heard["weight"].max() < 0.1


def test_an_llm_that_always_gives_the_first_option_hurts_nothing(m):
    first = np.tile([0.96, 0.02, 0.02], (len(m.true), 1))
    table = stacked(m, m.table(knows=powered(m.true, 0.5)), m.llm(history=first))
    plain, _ = m.read(table, "stack_plain")
    p, _ = m.read(table, "stack", "one")
    assert m.loss(p) == pytest.approx(m.loss(plain), abs=0.01)


def test_an_llm_that_knows_more_is_heard_though_it_leans_to_the_first_option(m):
    leaning = m.true * [6.0, 1.0, 1.0]
    leaning /= leaning.sum(axis=1, keepdims=True)
    table = stacked(m, m.table(guesses=noise(m)), m.llm(history=leaning))
    plain, _ = m.read(table, "stack_plain")
    p, _ = m.read(table, "stack", "one")
    assert m.loss(p) < m.loss(plain) - 0.2
    assert m.loss(p) < m.loss(leaning) - 0.2


def test_with_few_tuning_pairs_of_an_llm_the_stack_is_the_plain_one(m):
    tuning = np.flatnonzero(m.pairs.roles == "tuning")[:20]
    asked = np.sort(np.concatenate([tuning, np.flatnonzero(m.pairs.roles == "test")]))
    table = stacked(m, m.table(guesses=noise(m)), m.llm(asked, history=m.true))
    plain, _ = m.read(table, "stack_plain")
    p, has = m.read(table, "stack", "one")
    assert np.flatnonzero(has).tolist() == asked.tolist()
    np.testing.assert_allclose(p[has], plain[has], atol=1e-12)


def test_answers_without_distributions_and_invalid_ones(m):
    llm = m.llm(history=m.true).to_pandas()
    llm["probabilities"] = None
    llm.loc[::10, ["status", "answer"]] = ["invalid", None]
    table = stacked(m, m.table(guesses=noise(m)), pa.Table.from_pandas(llm, schema=NO_LLM.schema))
    plain, _ = m.read(table, "stack_plain")
    p, has = m.read(table, "stack", "one")
    assert has.all()
    assert m.loss(p) < m.loss(plain) - 0.1


def answers_alone(table: pa.Table) -> pa.Table:
    """Return predictions without their distributions."""
    none = pa.nulls(table.num_rows, NO_LLM.schema.field("probabilities").type)
    return table.set_column(table.schema.get_field_index("probabilities"), "probabilities", none)


def few(m: Made, people: int) -> Made:
    """Return the same with so many people who have tuning pairs."""
    known = np.unique(m.pairs.respondents[m.pairs.truth >= 0])[:people]
    keep = (m.pairs.roles == "test") | np.isin(m.pairs.respondents, known)
    return Made(m.pairs.only(keep), m.true[keep], m.answers[keep])


def right(m: Made, p: np.ndarray) -> float:
    return float((p.argmax(axis=1) == m.answers)[m.pairs.roles == "test"].mean())


def test_an_llm_that_says_one_option_for_another_is_understood(m):
    # Its answers to two questions are those before the person's.
    shifted = np.where((m.pairs.columns < 2)[:, None], np.roll(m.true, -1, axis=1), m.true)
    llm = answers_alone(m.llm(history=shifted))
    table = stacked(m, m.table(guesses=noise(m)), llm)
    p, _ = m.read(table, "stack", "one")
    said, _ = m.read(llm, "history")
    assert right(m, said) < 0.5
    assert right(m, p) > right(m, m.true) - 0.02


@pytest.mark.parametrize("people", [12, 50])
def test_the_stack_is_as_good_as_the_better_of_the_llm_and_the_plain_one(people):
    lost, more = [], []
    for seed in range(6):
        m = few(made(people=400, seed=seed), people)
        # Plain predictors that know little, and an LLM that states answers and knows much.
        baselines = m.table(little=powered(m.true, 0.1), guesses=noise(m, seed + 9))
        llm = answers_alone(m.llm(history=m.true))
        table = stacked(m, baselines, llm)
        plain, _ = m.read(table, "stack_plain")
        p, _ = m.read(table, "stack", "one")
        alone, _ = m.read(stack.calibrated(llm, baselines, m.tuning, m.questions), "history")
        said, _ = m.read(llm, "history")
        lost.append(m.loss(p) - min(m.loss(plain), m.loss(alone)))
        more.append(right(m, p) - max(right(m, plain), right(m, said)))
    assert np.mean(lost) < 0.005
    assert np.mean(more) > -0.005
    assert min(more) > -0.019


@pytest.mark.parametrize("people", [12, 50])
def test_answers_of_one_that_knows_nothing_cost_nothing_where_there_are_few_people(people):
    lost = []
    for seed in range(6):
        m = few(made(people=400, seed=seed), people)
        llm = answers_alone(m.llm(history=noise(m, seed + 9)))
        table = stacked(m, m.table(knows=powered(m.true, 0.7)), llm)
        plain, _ = m.read(table, "stack_plain")
        p, _ = m.read(table, "stack", "one")
        lost.append(m.loss(p) - m.loss(plain))
    assert np.mean(lost) < 0.005


def test_calibrated_answers_are_those_of_whom_an_llm_gave_no_distribution(m):
    where = np.arange(len(m.true)) % 3 > 0
    llm = pa.concat_tables(
        [answers_alone(m.llm(where, history=noise(m))), m.llm(llm="two", history=noise(m))]
    )
    baselines = m.table(guesses=noise(m))
    found = stack.calibrated(llm, baselines, m.tuning, m.questions)
    assert found.schema == baselines.schema
    assert set(found["llm"].to_pylist()) == {"one"}
    p, has = m.read(found, "history", "one")
    assert (has == where).all()
    said, _ = m.read(llm, "history", "one")
    rows = np.flatnonzero(has & (m.pairs.roles == "test"))
    losses = [-np.log(q[rows, m.answers[rows]]).mean() for q in (p, said)]
    assert losses[0] < np.log(3) + 0.01
    assert losses[1] > losses[0] + 0.1


def test_several_settings_and_llms_are_parts_of_their_own(m):
    llm = pa.concat_tables(
        [m.llm(history=noise(m, 4), everything=m.true), m.llm(llm="two", history=noise(m, 5))]
    )
    found = weights(m, m.table(guesses=noise(m)), llm)
    own = found[found["llm"] == "one"].set_index("part")["weight"]
    assert own.index[0] == "stack_plain"
    of_everything = own[[part for part in own.index if part.startswith("everything")]].sum()
    assert of_everything == pytest.approx(1.0, abs=0.25)
    assert set(found["llm"].dropna()) == {"one", "two"}


def test_personas_join_the_stack_with_the_llm_and_not_the_plain_one(m):
    baselines, llm = m.table(guesses=noise(m)), m.llm(history=noise(m, 4))
    by_persona = m.table(network_persona=m.true)
    table = stacked(m, baselines, llm, personas=by_persona)
    plain, _ = m.read(table, "stack_plain")
    without, _ = m.read(stacked(m, baselines, llm), "stack_plain")
    assert (plain == without).all()
    p, _ = m.read(table, "stack", "one")
    assert m.loss(p) < m.loss(plain) - 0.2


def test_every_scenario_has_weights_of_its_own():
    # The one part knows of usual questions, the other of new ones.
    m = made(people=60, questions=80)
    new = m.pairs.columns >= 40
    m.pairs.scenarios[new] = "new_question"
    usual = np.where(new[:, None], noise(m), m.true)
    other = np.where(new[:, None], m.true, noise(m))
    baselines = m.table(usual=usual, other=other)
    found = weights(m, baselines).set_index(["scenario", "part"])["weight"]
    assert found["known", "usual"] > 0.8 > 0.2 > found["known", "other"]
    assert found["new_question", "other"] > 0.8 > 0.2 > found["new_question", "usual"]
    scenarios = set(stacked(m, baselines)["scenario"].to_pylist())
    assert scenarios == {"known", "new_question"}


def test_of_few_new_questions_the_best_part_is_taken_as_it_is():
    # Both parts are too sure of these questions, which says little about others.
    m = made(people=100, questions=6)
    m.pairs.scenarios[:] = "new_question"
    baselines = m.table(knows=powered(m.true, 2.0), guesses=powered(noise(m), 2.0))
    found = weights(m, baselines).set_index("part")["weight"]
    assert found.sum() == pytest.approx(1.0)
    assert found["knows"] > 0.9


def test_without_tuning_pairs_all_parts_count_the_same(m):
    none = m.tuning.iloc[:0]
    flat = np.full(m.true.shape, 1 / 3)
    table = stack.stack(m.table(knows=m.true, flat=flat), NO_LLM, none, m.questions)
    p, _ = m.read(table, "stack_plain")
    np.testing.assert_allclose(p, powered(m.true, 0.5), atol=1e-9)


def test_without_an_llm_there_is_the_plain_stack_alone(m):
    table = stacked(m, m.table(knows=m.true))
    assert set(table["predictor"].to_pylist()) == {"stack_plain"}
    assert stack.stack(NO_LLM, NO_LLM, m.tuning, m.questions).num_rows == 0


def test_routed_is_the_llms_stack_where_it_is_recommended_else_the_plain_one():
    m = made(people=600)
    helps = (m.pairs.columns == 0)[:, None]
    plain_part = np.where(helps, noise(m), m.true)
    llm = np.where(helps, m.true, noise(m, 4))
    table = stacked(m, m.table(plain=plain_part), m.llm(history=llm))
    routed, has = m.read(table, "routed", "one")
    assert (has == (m.pairs.roles == "test")).all()
    with_llm, _ = m.read(table, "stack", "one")
    plain, _ = m.read(table, "stack_plain")
    first = m.pairs.columns == 0
    np.testing.assert_allclose(routed[has & first], with_llm[has & first], atol=1e-12)
    np.testing.assert_allclose(routed[has & ~first], plain[has & ~first], atol=1e-12)


def test_an_answer_that_is_no_option_is_named(m):
    tuning = m.tuning
    tuning.loc[m.pairs.roles == "tuning", "answer"] = "purple"
    with pytest.raises(ValueError, match="'purple' to q0 is none of its options"):
        stack.stack(m.table(knows=m.true), NO_LLM, tuning, m.questions)
