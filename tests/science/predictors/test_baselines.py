"""Predictors that need no LLM."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd
import pytest

from lupom import entry_points
from lupom.science.predictors import autoencoder, baselines, forest, states
from lupom.science.predictors.predictor import GROUP, as_predictors
from lupom.science.predictors.task import Task, tasks
from tests.science import synthetic

SHIPPED = baselines.shipped()
# Ours, those that are used by name only among them.
OURS = as_predictors({name: offer.load() for name, offer in entry_points.own(GROUP).items()})
QUICK = {name: f for name, f in SHIPPED.items() if name != "forest_answers"}


def predicted(s: synthetic.Survey, seed: int = 0, predictors: Any = SHIPPED) -> pd.DataFrame:
    table = baselines.predict(
        s.known, s.pairs, s.respondents, s.questions, seed=seed, predictors=predictors
    )
    frame = table.to_pandas()
    frame["probabilities"] = [dict(p) for p in frame["probabilities"]]
    return frame.sort_values(["predictor", "respondent_id", "question_id"], ignore_index=True)


def by(*names: str) -> dict[str, Any]:
    return {name: SHIPPED[name] for name in names}


def task_of(s: synthetic.Survey) -> Task:
    [task] = tasks(s.known, s.pairs, s.respondents, s.questions)
    return task


def accuracy(frame: pd.DataFrame, s: synthetic.Survey) -> pd.Series:
    truth = s.holdout.rename(columns={"answer": "truth"})
    joined = frame.merge(truth, on=["survey", "respondent_id", "question_id"])
    return (joined["answer"] == joined["truth"]).groupby(joined["predictor"]).mean()


@pytest.fixture(scope="module", autouse=True)
def fewer() -> Iterator[None]:
    """Half the networks and a fifth of the trees: what holds here holds of any number."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(autoencoder, "MEMBERS", 2)
        patch.setattr(forest, "TREES", 8)
        yield


@pytest.fixture(scope="module")
def s() -> synthetic.Survey:
    return synthetic.survey(people=240, held=120)


@pytest.fixture(scope="module")
def frame(s: synthetic.Survey) -> pd.DataFrame:
    return predicted(s)


def test_one_row_per_pair_and_predictor(frame: pd.DataFrame, s: synthetic.Survey) -> None:
    assert len(frame) == len(s.holdout) * len(SHIPPED)
    assert set(frame["predictor"]) == set(SHIPPED)
    assert set(frame["status"]) == {"valid"}
    assert frame["llm"].isna().all()


def test_probabilities_cover_the_options_and_sum_to_one(
    frame: pd.DataFrame, s: synthetic.Survey
) -> None:
    options = dict(zip(s.questions["question_id"], s.questions["options"], strict=True))
    for row in frame.itertuples():
        assert list(row.probabilities) == options[row.question_id]
        assert sum(row.probabilities.values()) == pytest.approx(1.0)
        assert min(row.probabilities.values()) > 0
        assert row.probabilities[row.answer] == max(row.probabilities.values())


def test_answers_tell_more_than_demographics_and_these_more_than_nothing(
    frame: pd.DataFrame, s: synthetic.Survey
) -> None:
    share = accuracy(frame, s)
    assert share["majority"] < share["logistic_demographics"]
    for name in [n for n, p in SHIPPED.items() if p.answers]:
        assert share["logistic_demographics"] + 0.05 < share[name]


def test_majority_is_the_share_among_reference_respondents() -> None:
    s = synthetic.survey()
    table = predicted(s, predictors=by("majority"))
    reference = set(s.known["respondent_id"]) - set(s.holdout["respondent_id"])
    row = table[table["predictor"] == "majority"].iloc[0]
    given = s.known[
        s.known["respondent_id"].isin(reference) & (s.known["question_id"] == row["question_id"])
    ]["answer"].dropna()
    for option, probability in row["probabilities"].items():
        counts = (given == option).sum() + 1
        assert probability == pytest.approx(counts / (len(given) + len(row["probabilities"])))


def test_learners_are_who_is_learned_from_tested_or_not() -> None:
    s = synthetic.survey()
    tested = s.holdout["respondent_id"].unique()
    learners = s.respondents[s.respondents["respondent_id"].isin(tested)]
    table = baselines.predict(
        *(s.known, s.pairs, s.respondents, s.questions),
        predictors=by("majority"),
        learners=learners[["survey", "respondent_id"]],
    ).to_pandas()
    row = table.iloc[0]
    mine = s.known["respondent_id"].isin(tested) & (s.known["question_id"] == row["question_id"])
    given = s.known[mine]["answer"].dropna()
    shares = dict(row["probabilities"])
    for option, probability in shares.items():
        count = (given == option).sum() + 1
        assert probability == pytest.approx(count / (len(given) + len(shares)))


def test_the_same_seed_gives_the_same_and_the_order_of_rows_nothing(
    frame: pd.DataFrame, s: synthetic.Survey
) -> None:
    shuffled = synthetic.Survey(
        *(
            t.sample(frac=1, random_state=3)
            for t in (s.known, s.holdout, s.respondents, s.questions)
        )
    )
    pd.testing.assert_frame_equal(predicted(shuffled), frame)


def test_two_runs_agree_to_the_last_digit(frame: pd.DataFrame, s: synthetic.Survey) -> None:
    # A forest whose trees are summed by several threads does not.
    again = predicted(s)
    assert again["probabilities"].tolist() == frame["probabilities"].tolist()


def test_permuted_held_out_answers_change_no_prediction(
    frame: pd.DataFrame, s: synthetic.Survey
) -> None:
    # The pairs may come with the answers beside them; no predictor looks.
    permuted = s.holdout.assign(
        answer=s.holdout.groupby("question_id")["answer"].transform(lambda a: a[::-1].values)
    )
    assert (permuted["answer"] != s.holdout["answer"]).any()
    table = baselines.predict(s.known, permuted, s.respondents, s.questions).to_pandas()
    table["probabilities"] = [dict(p) for p in table["probabilities"]]
    table = table.sort_values(["predictor", "respondent_id", "question_id"], ignore_index=True)
    pd.testing.assert_frame_equal(table, frame)


def of_one_person_changed(s: synthetic.Survey) -> tuple[str, synthetic.Survey]:
    """Return a test respondent, and the survey with other known answers of theirs."""
    person = s.holdout["respondent_id"].iloc[0]
    known = s.known.copy()
    of_person = (known["respondent_id"] == person) & known["answer"].notna()
    options = dict(zip(s.questions["question_id"], s.questions["options"], strict=True))
    given = [options[q][-(a == options[q][0])] for _, _, q, _, a in known[of_person].values]
    known.loc[of_person, "answer"] = given
    return person, synthetic.Survey(known, s.holdout, s.respondents, s.questions)


def test_other_answers_of_test_respondents_train_nothing(
    frame: pd.DataFrame, s: synthetic.Survey
) -> None:
    # One test respondent's known answers change: nobody else's predictions do.
    person, changed = of_one_person_changed(s)
    again = predicted(changed)
    others = frame["respondent_id"] != person
    pd.testing.assert_frame_equal(again[others], frame[others])


@pytest.mark.parametrize("name", sorted(OURS.keys() - SHIPPED.keys()))
def test_what_is_used_by_name_only_leaks_nothing_either(name: str) -> None:
    s, only = synthetic.survey(), {name: OURS[name]}
    before = predicted(s, predictors=only)
    person, changed = of_one_person_changed(s)
    # Hidden answers may stand beside the pairs, and may be any.
    changed.holdout = s.holdout.assign(answer=s.holdout["answer"][::-1].values)
    known = (changed.known, changed.holdout, changed.respondents, changed.questions)
    after = predicted(changed, predictors=only)
    others = before["respondent_id"] != person
    pd.testing.assert_frame_equal(after[others], before[others])
    told = baselines.predict(*known, predictors=only).to_pandas()
    told["probabilities"] = [dict(p) for p in told["probabilities"]]
    told = told.sort_values(["predictor", "respondent_id", "question_id"], ignore_index=True)
    pd.testing.assert_frame_equal(told, after)


def test_every_predictor_of_ours_learns_the_same_whoever_is_predicted() -> None:
    # What is kept of reference respondents depends on nobody who is predicted, to the last bit.
    s = synthetic.survey(people=90)
    _, changed = of_one_person_changed(s)
    before, after = task_of(s), task_of(changed)
    assert (before.answers != after.answers).any()
    for name, predictor in OURS.items():
        kept = [states.to_bytes(states.fit(predictor, task)) for task in (before, after)]
        assert kept[0] == kept[1], name


def test_a_known_answer_is_not_predicted() -> None:
    s = synthetic.survey()
    s.known.loc[s.known["role"] == "test", "answer"] = s.holdout["answer"].iloc[0]
    s.known = s.known[s.known["question_id"] == s.holdout["question_id"].iloc[0]]
    pairs = s.pairs[s.pairs["question_id"] == s.holdout["question_id"].iloc[0]]
    with pytest.raises(ValueError, match="is to be predicted and is among the known ones"):
        baselines.predict(s.known, pairs, s.respondents, s.questions)


def test_a_question_with_one_answer_and_one_nobody_answered() -> None:
    s = synthetic.survey()
    reference = ~s.known["respondent_id"].isin(s.holdout["respondent_id"])
    s.known.loc[reference & (s.known["question_id"] == "q0"), "answer"] = "No"
    s.known.loc[reference & (s.known["question_id"] == "q1"), "answer"] = None
    table = predicted(s)
    assert set(table[table["question_id"] == "q0"]["answer"]) == {"No"}
    # q4 has the same options: its shares are what q1 is thought to have.
    unanswered = table[(table["question_id"] == "q1") & (table["predictor"] == "majority")]
    given = s.known[reference & (s.known["question_id"] == "q4")]["answer"].dropna()
    low = ((given == "Low").sum() + 1) / (len(given) + 2)
    assert len(unanswered)
    assert all(p["Low"] == pytest.approx(low) for p in unanswered["probabilities"])


def test_a_question_unlike_any_other_that_nobody_answered() -> None:
    s = synthetic.survey()
    s.known.loc[s.known["question_id"] == "q1", "answer"] = None
    s.questions.at[1, "options"] = ["Hot", "Cold"]
    table = predicted(s, predictors=QUICK)
    unanswered = table[table["question_id"] == "q1"]
    assert set(unanswered["predictor"]) == set(QUICK)
    assert all(p == {"Hot": 0.5, "Cold": 0.5} for p in unanswered["probabilities"])


def test_answers_to_alike_questions_tell_a_new_one() -> None:
    s = synthetic.survey(people=240, items=12, held=120)
    s.known.loc[s.known["question_id"] == "q0", "answer"] = None
    table = predicted(s, predictors=by("majority", "majority_group", "logistic_answers"))
    new = table[table["question_id"] == "q0"]
    share = accuracy(new, s)
    assert share["logistic_answers"] > share["majority"] + 0.2
    assert share["majority_group"] == share["majority"]


def test_of_whom_nothing_is_known_demographics_are_all_there_is() -> None:
    s = synthetic.survey()
    person = s.holdout["respondent_id"].iloc[0]
    s.known.loc[s.known["respondent_id"] == person, "answer"] = None
    table = predicted(s, predictors=QUICK)
    mine = table[table["respondent_id"] == person].set_index("predictor")
    one = mine[mine["question_id"] == mine["question_id"].iloc[0]]["probabilities"]
    for name in set(QUICK) - {"majority", "majority_group"}:
        assert one[name] == one["logistic_demographics"]
    assert one["majority"] != one["logistic_demographics"]


def test_majority_counts_a_respondent_by_weight() -> None:
    s = synthetic.survey()
    given = s.known[s.known["question_id"] == "q1"].set_index("respondent_id")["answer"]
    high = s.respondents["respondent_id"].map(given) == "High"
    s.respondents["weight"] = high.map({True: 0.0, False: 2.0})
    table = predicted(s, predictors=by("majority", "logistic_demographics"))
    one = table[table["question_id"] == "q1"].groupby("predictor")["probabilities"].first()
    assert one["majority"]["High"] < 0.02
    assert 0.3 < one["logistic_demographics"]["High"] < 0.7


def test_a_group_is_what_the_telling_attribute_makes_or_the_ones_named() -> None:
    s = synthetic.survey(people=240, held=120)
    only = {name: QUICK[name] for name in ("majority", "majority_group")}
    share = accuracy(predicted(s, predictors=only), s)
    assert share["majority_group"] > share["majority"] + 0.03

    def grouped(group: object) -> list[dict[str, float]]:
        table = baselines.predict(
            s.known, s.pairs, s.respondents, s.questions, group=group, predictors=only
        )
        frame = table.to_pandas()
        return [dict(p) for p in frame[frame["predictor"] == "majority_group"]["probabilities"]]

    chosen = grouped([])
    assert grouped(["AGE"]) == chosen
    assert grouped({"s": ["AGE"], "t": ["SEX"]}) == chosen
    assert grouped(["SEX"]) != chosen
    with pytest.raises(ValueError, match="no respondent has the attribute 'AGEE'; known are AGE"):
        grouped(["AGEE"])


def test_role_and_scenario_are_those_of_the_pair() -> None:
    s = synthetic.survey()
    only = {"majority": QUICK["majority"]}

    def majority(pairs: pd.DataFrame) -> pd.DataFrame:
        return baselines.predict(
            s.known, pairs, s.respondents, s.questions, predictors=only
        ).to_pandas()

    pairs = s.holdout[["survey", "respondent_id", "question_id"]].assign(
        role="tuning", scenario="new_question"
    )
    table = majority(pairs)
    assert set(zip(table["role"], table["scenario"], strict=True)) == {("tuning", "new_question")}
    without = majority(s.pairs)
    assert set(zip(without["role"], without["scenario"], strict=True)) == {("test", "known")}


def test_a_network_too_entangled_for_exact_inference_becomes_a_tree(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from lupom.science.bayes import posterior

    s = synthetic.survey(people=240, held=120)
    only = {"network_answers": QUICK["network_answers"]}
    exact = accuracy(predicted(s, predictors=only), s)["network_answers"]
    monkeypatch.setattr(posterior, "MAX_TABLE", 12)
    tree = predicted(s, predictors=only)
    assert exact > accuracy(tree, s)["network_answers"] > exact - 0.1
    assert tree["probabilities"].map(lambda p: sum(p.values())).to_numpy() == pytest.approx(1.0)


def test_surveys_do_not_mix(s: synthetic.Survey, frame: pd.DataFrame) -> None:
    both = [
        pd.concat([table, table.assign(survey="t")])
        for table in (s.known, s.pairs, s.respondents, s.questions)
    ]
    table = baselines.predict(*both, seed=0).to_pandas()
    table["probabilities"] = [dict(p) for p in table["probabilities"]]
    for name in ("s", "t"):
        one = table[table["survey"] == name].assign(survey="s")
        one = one.sort_values(["predictor", "respondent_id", "question_id"], ignore_index=True)
        pd.testing.assert_frame_equal(one, frame)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"answer": "Purple"}, "'Purple' is none of its question's options"),
        ({"respondent_id": "nobody"}, "respondent nobody has no row of its own"),
        ({"question_id": "q99"}, "question q99 has no row of its own"),
    ],
)
def test_what_does_not_fit_is_named(change: dict[str, str], message: str) -> None:
    s = synthetic.survey()
    row = s.known.index[s.known["answer"].notna()][0]
    for column, value in change.items():
        s.known.loc[row, column] = value
    with pytest.raises(ValueError, match=message):
        baselines.predict(s.known, s.pairs, s.respondents, s.questions)


def test_no_pairs_no_predictions() -> None:
    s = synthetic.survey()
    table = baselines.predict(s.known, s.pairs.iloc[:0], s.respondents, s.questions)
    assert table.num_rows == 0
    assert table.schema == baselines.PREDICTIONS
