"""The value curve, of people whose answers hang together."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from lupom.science.evaluation.value_curve import value_curve
from lupom.science.predictors import fitted

OPTIONS = ["no", "perhaps", "yes"]
PEOPLE, QUESTIONS, TEST, ASKED = 160, 6, 40, 40


class Survey:
    """160 people, six questions, two held-out answers each; the last 40 are test respondents."""

    def __init__(self, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        trait = rng.normal(size=(PEOPLE, 1))
        noisy = trait + rng.normal(scale=0.5, size=(PEOPLE, QUESTIONS))
        self.answers = np.digitize(noisy, [-0.5, 0.5])
        self.hidden = np.zeros((PEOPLE, QUESTIONS), bool)
        for row in self.hidden:
            row[rng.choice(QUESTIONS, 2, replace=False)] = True

    def role(self, person: int) -> str:
        return "test" if person >= PEOPLE - TEST else "tuning"

    def cells(self, hidden: bool | None = None) -> list[dict]:
        return [
            {
                **{"survey": "s", "respondent_id": f"p{i:03}", "question_id": f"q{j}"},
                **{"role": self.role(i) if self.hidden[i, j] else "known", "scenario": "known"},
                "answer": OPTIONS[self.answers[i, j]],
            }
            for i in range(PEOPLE)
            for j in range(QUESTIONS)
            if hidden is None or self.hidden[i, j] == hidden
        ]

    def curve(self, llm: pa.Table, by=value_curve, **settings) -> pa.Table:
        known = [
            r | {"answer": None if r["role"] != "known" else r["answer"]} for r in self.cells()
        ]
        held = pa.Table.from_pylist(self.cells(hidden=True))
        people = [
            {"survey": "s", "respondent_id": f"p{i:03}", "attributes": [("AGE", str(i % 3))]}
            for i in range(PEOPLE)
        ]
        schema = pa.schema(
            [
                *((name, pa.string()) for name in ("survey", "respondent_id")),
                ("attributes", pa.map_(pa.string(), pa.string())),
            ]
        )
        asked = [
            {"survey": "s", "question_id": f"q{j}", "options": OPTIONS} for j in range(QUESTIONS)
        ]
        table = pa.Table.from_pylist(known)
        return by(
            table,
            table.filter(pc.is_in(table["role"], pa.array(["test", "tuning"]))),
            pa.Table.from_pylist(people, schema=schema),
            pa.Table.from_pylist(asked),
            llm,
            held.filter(pc.equal(held["role"], "tuning")).select(
                ["survey", "respondent_id", "question_id", "answer"]
            ),
            held,
            resamples=50,
            **settings,
        )

    def llm(self) -> pa.Table:
        """What an LLM that knows everything said of the first 40 people and of those tested."""
        rows = []
        for cell in self.cells(hidden=True):
            if cell["role"] == "test" or int(cell["respondent_id"][1:]) < ASKED:
                said = cell["answer"]
                chances = [(o, 0.8 if o == said else 0.1) for o in OPTIONS]
                rows.append(
                    {
                        **{k: cell[k] for k in ("survey", "respondent_id", "question_id")},
                        **{"predictor": "history", "llm": "one", "answer": said},
                        **{"probabilities": chances, "status": "valid"},
                    }
                )
        strings = ("survey", "respondent_id", "question_id", "predictor", "llm", "answer")
        kinds = [(name, pa.string()) for name in strings]
        chances_kind = ("probabilities", pa.map_(pa.string(), pa.float64()))
        schema = pa.schema([*kinds, chances_kind, ("status", pa.string())])
        return pa.Table.from_pylist(rows, schema=schema)


def reference_states(known: pa.Table, people: pa.Table, questions: pa.Table) -> pa.Table:
    """What predictors learn of those who are not tested."""
    tested = pc.unique(known.filter(pc.equal(known["role"], "test"))["respondent_id"])
    of = [t.filter(pc.invert(pc.is_in(t["respondent_id"], tested))) for t in (known, people)]
    answers = of[0].filter(pc.is_valid(of[0]["answer"])).drop_columns(["role", "scenario"])
    return fitted.fit(answers, of[1], questions)


def accuracy(curve: pa.Table, respondents: int, predictor: str, pairs: str = "all") -> float:
    [found] = [
        row["accuracy"]
        for row in curve.to_pylist()
        if (row["respondents"], row["predictor"], row["pairs"]) == (respondents, predictor, pairs)
    ]
    return found


@pytest.fixture(scope="module")
def survey():
    return Survey()


@pytest.fixture(scope="module")
def curve(survey):
    return survey.curve(survey.llm(), sizes=[10, 40, 500])


def test_more_people_are_worth_more_and_sizes_that_are_not_there_are_left_out(curve):
    assert sorted(set(curve["respondents"].to_pylist())) == [10, 40, 120]
    assert accuracy(curve, 10, "logistic_answers") < accuracy(curve, 120, "logistic_answers")
    assert accuracy(curve, 120, "majority") < accuracy(curve, 120, "stack_plain")
    assert set(curve["n"].to_pylist()) == {2 * TEST}
    assert pc.all(pc.less_equal(curve["low"], curve["high"])).as_py()


def test_an_llm_that_knows_takes_the_place_of_people(curve):
    assert accuracy(curve, 40, "stack", "llm") > 0.95
    assert accuracy(curve, 40, "stack", "llm") > accuracy(curve, 120, "stack_plain", "llm")


def test_only_those_learned_from_count(survey):
    # Whom the LLM was asked about comes first: with 40, nobody else's answer is looked at.
    settings = {"sizes": [ASKED], "predictors": ["majority", "logistic_answers"]}
    before = survey.curve(survey.llm(), **settings)
    other = Survey()
    others = slice(ASKED, PEOPLE - TEST)
    other.answers[others] = 2 - other.answers[others]
    after = other.curve(survey.llm(), **settings)
    size = pc.equal(before["respondents"], ASKED)
    assert before.filter(size).equals(after.filter(size))
    assert not before.equals(after)


@pytest.mark.parametrize("learners", [range(60), range(100, PEOPLE), range(PEOPLE)])
def test_the_last_point_is_of_all_who_are_learned_from_tested_or_not(survey, learners):
    people = {"survey": ["s"] * len(learners), "respondent_id": [f"p{i:03}" for i in learners]}
    settings = {"sizes": [30, 500], "predictors": ["majority"], "learners": pa.table(people)}
    curve = survey.curve(survey.llm().slice(0, 0), **settings)
    assert sorted(set(curve["respondents"].to_pylist())) == [30, len(learners)]


def test_without_an_llm_there_are_all_pairs_alone(survey):
    curve = survey.curve(survey.llm().slice(0, 0), sizes=[], predictors=["majority"])
    assert set(curve["pairs"].to_pylist()) == {"all"}
    assert sorted(curve["predictor"].to_pylist()) == ["majority", "stack_plain"]


def test_what_was_learned_of_everyone_is_not_learned_again(survey):
    tables = {}

    def learned(*given, **settings):
        tables["states"] = fitted.read(reference_states(*given[:1], *given[2:4]))
        return value_curve(*given, **settings, states=tables["states"])

    llm, settings = survey.llm(), {"sizes": [40]}
    assert survey.curve(llm, by=learned, **settings).equals(survey.curve(llm, **settings))
    assert {"logistic_answers", "factors_answers"} <= tables["states"]["s"].keys()
