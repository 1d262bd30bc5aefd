"""Multiple imputation: draws that keep what people say, and intervals that hold."""

from __future__ import annotations

import numpy as np
import pytest

from lupom.science.planning import imputation, imputed, rubin
from lupom.science.planning.moments import Cells, Moments, cells
from lupom.science.planning.positions import columns
from lupom.science.predictors.task import everyone
from tests.support.planned_surveys import noisy, tables


def test_rubin_s_rules_by_hand():
    # Three sets with estimates 1, 2, 3 and variance 1: between 1, total 1 + 4/3.
    found = rubin.pool(np.array([1.0, 2.0, 3.0]), np.ones(3), 100.0)
    assert found.value == pytest.approx(2)
    assert found.std_error**2 == pytest.approx(7 / 3)
    share = (4 / 3) / (7 / 3)
    old, observed = 2 / share**2, 101 / 103 * 100 * (1 - share)
    assert found.degrees == pytest.approx(1 / (1 / old + 1 / observed))
    assert found.low < 2 < found.high


def test_sets_that_agree_are_a_complete_set():
    found = rubin.pool(np.full((5, 2), 0.4), np.full((5, 2), 0.01), 50.0)
    assert found.std_error == pytest.approx([0.1, 0.1])
    assert found.missing == pytest.approx([0, 0])
    assert found.degrees == pytest.approx([51 / 53 * 50] * 2)


def test_one_set_does_not_say_how_unsure_it_is():
    with pytest.raises(ValueError, match="1 imputed set"):
        rubin.pool(np.ones((1, 2)), np.ones((1, 2)), 50.0)


def gapped(answers, asked):
    """Return tables with the answers of those asked, and the status of the others."""
    responses, respondents, questions = tables(
        {name: np.where(asked[name], codes, -1) for name, codes in answers.items()}
    )
    responses["status"] = np.where(responses["answer"].isna(), "not_asked", "answered")
    questions["options"] = [[f"o{i}" for i in range(int(c.max()) + 1)] for c in answers.values()]
    return responses, respondents, questions


def people(seed: int, n: int):
    rng = np.random.default_rng(seed)
    trait = (rng.random(n) < 0.3).astype(int)
    answers = {f"q{i}": noisy(rng, trait, 0.1) for i in range(4)}
    answers["three"] = np.where(rng.random(n) < 0.4, 2, noisy(rng, trait, 0.1))
    # Everybody is asked q0, and two in three each of the others: each pair of them somebody.
    luck = rng.integers(0, 3, n)
    asked = {name: (luck != place % 3) | (place == 0) for place, name in enumerate(answers)}
    return answers, asked


@pytest.fixture(scope="module")
def drawn():
    answers, asked = people(0, 3000)
    given = gapped(answers, asked)
    return answers, asked, given, imputed.imputations(*given, sets=3).to_pandas()


def test_only_what_was_not_asked_is_drawn(drawn):
    answers, asked, _, table = drawn
    assert set(table["imputation"]) == {1, 2, 3}
    for name in answers:
        of = table[(table["question_id"] == name) & (table["imputation"] == 1)]
        assert len(of) == (~asked[name]).sum()


def test_draws_have_the_shares_and_the_associations_of_people(drawn):
    answers, asked, _, table = drawn
    gap = ~asked["q1"]
    for number in (1, 2, 3):
        said = table[(table["imputation"] == number) & (table["question_id"] == "q1")]
        q1 = (said.sort_values("respondent_id")["answer"] == "o1").to_numpy()
        assert q1.mean() == pytest.approx(answers["q1"][gap].mean(), abs=0.04)
        drawn_together = np.corrcoef(q1, answers["q0"][gap])[0, 1]
        assert drawn_together == pytest.approx(0.6, abs=0.08)


def test_refusals_stay_what_they_are(drawn):
    answers, asked = people(1, 200)
    responses, respondents, questions = gapped(answers, asked)
    refused = (responses["question_id"] == "q2") & responses["answer"].isna()
    responses.loc[refused, "status"] = "refused"
    table = imputed.imputations(responses, respondents, questions, sets=2).to_pandas()
    assert "q2" not in set(table["question_id"])
    assert imputed.imputations(responses, respondents, questions, sets=0).num_rows == 0
    with pytest.raises(ValueError, match="how unsure"):
        imputed.imputations(responses, respondents, questions, sets=1)


def test_a_question_of_hardly_any_answers_is_not_imputed(drawn):
    answers, asked = people(1, 200)
    responses, respondents, questions = gapped(answers, asked)
    own = (responses["question_id"] == "q2") & responses["answer"].notna()
    few = responses.index[own][imputed.FEWEST - 1 :]
    responses.loc[few, "answer"] = None
    responses.loc[few, "status"] = "not_asked"
    table = imputed.imputations(responses, respondents, questions, sets=2).to_pandas()
    assert "q2" not in set(table["question_id"])
    assert "q1" in set(table["question_id"])


def test_estimates_are_pooled_and_say_what_is_missing(drawn):
    answers, asked, given, table = drawn
    import pyarrow as pa

    rows = imputed.estimates(*given, pa.Table.from_pandas(table)).to_pandas()
    rows = rows[rows["attribute"].isna()].set_index(["question_id", "option"])
    assert "q0" not in rows.index.get_level_values(0)
    one = rows.loc[("q1", "o1")]
    assert one["low"] < answers["q1"].mean() < one["high"]
    assert 0 < one["missing"] < 1
    assert (one["n"], one["n_asked"]) == (3000, asked["q1"].sum())
    sums = rows.groupby(level=0)["estimate"].sum()
    assert sums.to_numpy() == pytest.approx(np.ones(len(sums)))


def test_intervals_hold_as_often_as_they_promise():
    truth = 0.3 * 0.9 + 0.7 * 0.1
    held = []
    for seed in range(24):
        answers, asked = people(100 + seed, 200)
        given = gapped(answers, asked)
        table = imputed.imputations(*given, sets=5, seed=seed)
        rows = imputed.estimates(*given, table).to_pylist()
        own = [r for r in rows if r["question_id"] in ("q1", "q2", "q3") and r["option"] == "o1"]
        held += [r["low"] <= truth <= r["high"] for r in own]
    # Of 72 intervals of 95 % fewer than 62 hold once in a thousand times, of 85 % every other time.
    assert sum(held) >= 62


def test_strong_associations_stay_as_strong_as_they_are():
    # Five questions of one scale, of which the strongest pairs have correlations of .75, the
    # others of .35, and eight that tell nothing.
    rng = np.random.default_rng(3)
    n = 1200
    trait = rng.standard_normal(n)
    answers = {
        f"q{i}": (trait + noise * rng.standard_normal(n) > 0).astype(int)
        for i, noise in enumerate((0.3, 0.3, 0.3, 1.2, 1.2))
    }
    answers |= {f"other{i}": rng.integers(0, 3, n) for i in range(8)}
    luck = rng.integers(0, 4, n)
    asked = {name: luck != place % 4 for place, name in enumerate(answers)}
    (task,) = everyone(*gapped(answers, asked))
    names = [task.questions.index(f"q{i}") for i in range(5)]
    told = np.array([answers[f"q{i}"] for i in range(5)])
    truth = np.arctanh(np.corrcoef(told)[np.triu_indices(5, 1)])
    drawn = [
        np.arctanh(np.corrcoef(codes[:, names].T)[np.triu_indices(5, 1)])
        for codes in imputation.draws(cells(task), 5)
    ]
    ratio = np.mean(drawn, axis=0) / truth
    strong = truth > 0.7
    assert strong.sum() == 3
    assert ratio[strong].mean() == pytest.approx(1, abs=0.06)
    assert ratio[~strong].mean() == pytest.approx(1, abs=0.06)


def test_what_a_block_s_questions_say_of_each_other_is_drawn_at_once():
    # Half of the people are asked no question of the block: nothing else tells their answers.
    rng = np.random.default_rng(5)
    n = 800
    trait = rng.standard_normal(n)
    block = {f"q{i}": (trait + 0.4 * rng.standard_normal(n) > 0).astype(int) for i in range(3)}
    answers = block | {f"other{i}": rng.integers(0, 2, n) for i in range(3)}
    half = np.arange(n) % 2 == 0
    asked = {name: half if name in block else np.ones(n, dtype=bool) for name in answers}
    (task,) = everyone(*gapped(answers, asked))
    names = [task.questions.index(name) for name in block]
    pairs = np.triu_indices(3, 1)
    truth = np.corrcoef(np.array(list(block.values())))[pairs].mean()
    # After one sweep: it does not take a chain to find them.
    drawn = [
        np.corrcoef(codes[np.ix_(~half, names)].T)[pairs].mean()
        for codes in imputation.draws(cells(task), 4, sweeps=1)
    ]
    assert np.mean(drawn) == pytest.approx(truth, abs=0.05)


def test_choices_that_rule_each_other_out_are_never_drawn_together():
    # One in five gave none of six choices, and so "none of these"; two in three were asked.
    rng = np.random.default_rng(4)
    trait = rng.normal(size=600)
    given = [(trait + rng.normal(size=600) > 0.1 * i).astype(int) for i in range(6)]
    none = (np.sum(given, axis=0) == 0).astype(int)
    answers = {f"choice{i}": one for i, one in enumerate(given)} | {"none": none}
    answers |= {f"q{i}": (trait + rng.normal(size=600) > 0).astype(int) for i in range(4)}
    luck = rng.permutation(600) % 3
    asked = {name: (luck != 0) | name.startswith("q") for name in answers}
    (task,) = everyone(*gapped(answers, asked)[:2], gapped(answers, asked)[2])
    place = [task.questions.index(name) for name in answers]
    for codes in imputation.draws(cells(task), 3, seed=1):
        drawn = codes[luck == 0][:, place]
        assert not ((drawn[:, 6] == 1) & (drawn[:, :6].sum(axis=1) > 0)).any()
        assert drawn[:, 6].mean() == pytest.approx(none[luck != 0].mean(), abs=0.08)


def test_scales_of_eleven_steps_go_together_as_they_do():
    # Twelve questions of 0 to 10 on one trait, correlations of .4; each person is asked half.
    rng = np.random.default_rng(6)
    n = 1200
    trait = rng.standard_normal(n)
    score = 0.8 * trait[:, None] + rng.standard_normal((n, 12))
    answers = {
        f"q{i:02}": np.clip(np.round(5 + 2 * s), 0, 10).astype(int) for i, s in enumerate(score.T)
    }
    luck = rng.integers(0, 2, (n, 3))
    asked = {name: luck[:, place % 3] == place % 2 for place, name in enumerate(answers)}
    (task,) = everyone(*gapped(answers, asked))
    people = cells(task)
    # Options of the tables are o0, o1, o2, ...: o10 is the last.
    scales = [np.array([float(option[1:]) for option in told]) for told in task.options]
    pairs = np.triu_indices(12, 1)
    truth = np.corrcoef(np.array(list(answers.values())))[pairs].mean()

    def ratio(read_as):
        drawn = [
            np.corrcoef(np.array([scale[c] for scale, c in zip(scales, codes.T, strict=True)]))[
                pairs
            ]
            for codes in imputation.draws(people, 2, scales=read_as)
        ]
        return np.mean(drawn) / truth

    assert ratio(scales) == pytest.approx(1, abs=0.07)
    # As options, of which each pair has 121, much of what goes together is lost.
    assert ratio(None) < 0.92


def test_a_square_that_chance_relates_comes_after_places():
    # Thirty scales that do not depend on each other, but for the last: it is high at both ends of
    # the first, and weakly goes with the second. Each person is asked half.
    rng = np.random.default_rng(8)
    n, count = 800, 30
    scores = rng.standard_normal((n, count))
    scores[:, -1] += 1.5 * scores[:, 0] ** 2 + 0.3 * scores[:, 1]
    codes = np.array([np.searchsorted(np.quantile(s, np.arange(0.1, 1, 0.1)), s) for s in scores.T])
    codes = np.where(rng.random((n, count)) < 0.5, codes.T, -1)
    values = np.where(codes[:, :, None] == np.arange(10), 1.0, 0.0).reshape(n, -1)
    people = Cells(codes, values.astype(np.float32), np.ones(n), np.arange(count + 1) * 10)
    read_as = columns(people, [np.arange(10.0)] * count)
    moments = Moments(values.mean(axis=0), np.cov(values.T), people.offsets, 0.001)
    order = imputation.nearest(moments, read_as, people.there)
    others = [column for column in order[-1] if read_as.owner[column] != count - 1]
    assert others[0] == 1
    assert read_as.squares[others[0]]
    # Of the 29 squares the one that tells, and hardly one by chance.
    assert read_as.squares[others[: count + 1]].sum() <= 3


def test_somebody_who_has_to_give_a_choice_is_given_one():
    # Of five choices everybody gave one at least, half of the people were asked.
    rng = np.random.default_rng(7)
    n = 1000
    trait = rng.normal(size=n)
    given = np.array([(trait + rng.normal(size=n) > 0.4 + 0.2 * i) for i in range(5)]).astype(int)
    nothing = np.flatnonzero(given.sum(axis=0) == 0)
    given[rng.integers(0, 5, len(nothing)), nothing] = 1
    answers = {f"use_{i}": one for i, one in enumerate(given)}
    answers |= {f"q{i}": (trait + rng.normal(size=n) > 0).astype(int) for i in range(4)}
    half = np.arange(n) % 2 == 0
    asked = {name: half if name.startswith("use") else np.ones(n, bool) for name in answers}
    responses, respondents, questions = gapped(answers, asked)
    questions["kind"] = np.where(
        questions["question_id"].str.startswith("use"), "multiple", "single"
    )
    table = imputed.imputations(responses, respondents, questions, sets=3).to_pandas()
    counts = (
        table.assign(given=table["answer"] == "o1")
        .groupby(["imputation", "respondent_id"])["given"]
        .sum()
    )
    assert len(counts) == 3 * (n // 2)
    assert counts.min() == 1
    # Nor are they given more often than by those who were asked.
    assert counts.mean() == pytest.approx(given[:, half].sum(axis=0).mean(), abs=0.1)
    shares = table.assign(given=table["answer"] == "o1").groupby("question_id")["given"].mean()
    assert shares.to_numpy() == pytest.approx(given[:, half].mean(axis=1), abs=0.06)
