"""Predictors that need no LLM."""

from __future__ import annotations

import pandas as pd
import pytest

from lupom.science.predictors import baselines
from tests.science import synthetic


def predicted(s: synthetic.Survey, seed: int = 0) -> pd.DataFrame:
    table = baselines.predict(s.known, s.pairs, s.respondents, s.questions, seed=seed)
    frame = table.to_pandas()
    frame["probabilities"] = [dict(p) for p in frame["probabilities"]]
    return frame.sort_values(["predictor", "respondent_id", "question_id"], ignore_index=True)


def accuracy(frame: pd.DataFrame, s: synthetic.Survey) -> pd.Series:
    truth = s.holdout.rename(columns={"answer": "truth"})
    joined = frame.merge(truth, on=["survey", "respondent_id", "question_id"])
    return (joined["answer"] == joined["truth"]).groupby(joined["predictor"]).mean()


@pytest.fixture(scope="module")
def s() -> synthetic.Survey:
    return synthetic.survey(people=240, held=120)


@pytest.fixture(scope="module")
def frame(s: synthetic.Survey) -> pd.DataFrame:
    return predicted(s)


def test_one_row_per_pair_and_predictor(frame: pd.DataFrame, s: synthetic.Survey) -> None:
    assert len(frame) == len(s.holdout) * len(baselines.BASELINES)
    assert set(frame["predictor"]) == set(baselines.BASELINES)
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
    for name in ("neighbours_answers", "logistic_answers", "forest_answers"):
        assert share["logistic_demographics"] + 0.05 < share[name]


def test_majority_is_the_share_among_reference_respondents() -> None:
    s = synthetic.survey()
    table = predicted(s)
    reference = set(s.known["respondent_id"]) - set(s.holdout["respondent_id"])
    row = table[table["predictor"] == "majority"].iloc[0]
    given = s.known[
        s.known["respondent_id"].isin(reference) & (s.known["question_id"] == row["question_id"])
    ]["answer"].dropna()
    for option, probability in row["probabilities"].items():
        counts = (given == option).sum() + 1
        assert probability == pytest.approx(counts / (len(given) + len(row["probabilities"])))


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
    for pairs in (s.holdout, permuted):
        table = baselines.predict(s.known, pairs, s.respondents, s.questions).to_pandas()
        table["probabilities"] = [dict(p) for p in table["probabilities"]]
        table = table.sort_values(["predictor", "respondent_id", "question_id"], ignore_index=True)
        pd.testing.assert_frame_equal(table, frame)


def test_other_answers_of_test_respondents_train_nothing(
    frame: pd.DataFrame, s: synthetic.Survey
) -> None:
    # One test respondent's known answers change: nobody else's predictions do.
    person = s.holdout["respondent_id"].iloc[0]
    known = s.known.copy()
    of_person = (known["respondent_id"] == person) & known["answer"].notna()
    options = dict(zip(s.questions["question_id"], s.questions["options"], strict=True))
    known.loc[of_person, "answer"] = [options[q][0] for q in known[of_person]["question_id"]]
    again = predicted(synthetic.Survey(known, s.holdout, s.respondents, s.questions))
    others = frame["respondent_id"] != person
    pd.testing.assert_frame_equal(again[others], frame[others])


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
    unanswered = table[table["question_id"] == "q1"]
    assert all(p == {"Low": 0.5, "High": 0.5} for p in unanswered["probabilities"])


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
