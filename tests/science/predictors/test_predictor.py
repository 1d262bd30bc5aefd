"""A predictor of one's own: what may be one, and what it may give."""

from __future__ import annotations

import numpy as np
import pytest

from lupom.science.predictors import baselines
from lupom.science.predictors.predictor import as_predictor, predictor
from tests.science import synthetic


def even(task, seed=0):
    """All options alike."""
    counts = np.array([len(options) for options in task.options])[task.columns]
    return (np.arange(task.width) < counts[:, None]) / counts[:, None]


@pytest.fixture(scope="module")
def survey():
    return synthetic.survey()


def predict(survey, **predictors):
    return baselines.predict(
        survey.known, survey.pairs, survey.respondents, survey.questions, predictors=predictors
    )


def test_a_function_is_one(survey):
    table = predict(survey, even=even)
    assert set(table["predictor"].to_pylist()) == {"even"}
    for row in table["probabilities"].to_pylist():
        assert sum(p for _, p in row) == pytest.approx(1.0)


def test_a_function_says_itself_what_it_is():
    assert as_predictor(even, "even").title == "All options alike."
    assert as_predictor(even, "even").answers
    named = predictor("Even odds", answers=False)(even)
    assert (named.title, named.answers, named.__doc__) == ("Even odds", False, "All options alike.")


def test_those_that_are_shipped_say_what_they_are():
    for name, shipped in baselines.shipped().items():
        assert 10 < len(shipped.title) < 80, name
        assert shipped.__doc__.startswith("Return "), name


def test_they_are_described_in_their_order():
    majority = baselines.shipped()["majority"]
    table = baselines.described({"mine": even, "majority": majority})
    rows = [tuple(row.values()) for row in table.to_pylist()]
    assert rows[0] == ("mine", "All options alike.", True, None, __name__)
    assert rows[1] == ("majority", majority.title, False, None, majority.function.__module__)


@pytest.mark.parametrize(
    ("give", "message"),
    [
        (lambda task: np.ones((3, 2)), r"'odd' returned float64 of shape \(3, 2\), not numbers of"),
        (lambda task: [["a"] * task.width] * len(task.rows), "returned <U1 of shape"),
        (lambda task: even(task) * 2, "'odd' gave .* for respondent .* and .*the sum 1"),
        (lambda task: even(task) * np.nan, "'odd' gave .*nan"),
        (lambda task: 1 - 2 * even(task), "are at least 0"),
    ],
)
def test_what_is_no_distribution_is_an_error_that_names_the_pair(survey, give, message):
    with pytest.raises(ValueError, match=message):
        predict(survey, odd=lambda task, seed: give(task))


@pytest.mark.parametrize(
    ("found", "name", "message"),
    [
        (even, "stack", "no predictor can be called 'stack'"),
        ("majority", "mine", "'mine' is 'majority', and not a function of a task and a seed"),
    ],
)
def test_what_is_no_predictor(found, name, message):
    with pytest.raises(ValueError, match=message):
        as_predictor(found, name)
