"""The stack on the shipped survey: not worse than the best of its parts on the test pairs."""

from __future__ import annotations

import numpy as np
import pytest

from lupom import Project
from lupom.science.predictors import baselines
from lupom.science.predictors.centres import LEFT_OUT

SHIPPED = baselines.shipped()


@pytest.fixture(scope="module")
def scored(without_llm):
    """One row a test pair; whether each predictor is right, and its log loss."""
    with Project(without_llm) as project:
        frame = project.query(
            """
            select
                p.respondent_id, p.question_id, p.predictor,
                (p.answer = h.answer)::double as accuracy,
                -ln(greatest(p.probabilities[h.answer], 1e-4)) as nll
            from (from baselines union all from stacked) as p
            join holdout as h using (survey, respondent_id, question_id)
            where h.role = 'test'
            """
        ).df()
    return frame.pivot_table(
        index=["respondent_id", "question_id"], columns="predictor", values=["accuracy", "nll"]
    )


def difference(scored, metric, one, other):
    """Return the mean difference and its 95 % interval, respondents drawn with all their pairs."""
    pairs = scored[metric][one] - scored[metric][other]
    sums = pairs.groupby("respondent_id").agg(["sum", "count"]).to_numpy().T
    drawn = np.random.default_rng(0).integers(sums.shape[1], size=(1000, sums.shape[1]))
    means = sums[0][drawn].sum(axis=1) / sums[1][drawn].sum(axis=1)
    return (pairs.mean(), *np.quantile(means, [0.025, 0.975]))


def test_every_test_pair_is_there(scored):
    assert len(scored) == 1000
    assert set(scored["nll"].columns) == {*SHIPPED, "stack_plain"}
    assert not scored.isna().any().any()


def test_its_log_loss_is_below_that_of_every_part(scored):
    for name in SHIPPED:
        mean, _, high = difference(scored, "nll", "stack_plain", name)
        assert mean < 0, name
        # Over eight draws of pairs the difference to the best part is -.001 [-.004, +.002].
        assert high < 0.01, name


def test_its_accuracy_is_not_below_that_of_any_part_by_more_than_chance(scored):
    """Of ten parts one may be ahead on the pairs of one draw; over eight none is at all."""
    for name in SHIPPED:
        mean, low, high = difference(scored, "accuracy", "stack_plain", name)
        assert low < mean < high
        assert high > 0, name
        # A standard error of one draw is .007.
        assert mean > -0.01, name


def test_weights_are_those_of_the_parts(without_llm):
    with Project(without_llm) as project:
        weights = dict(project.query("select part, weight from stack_weights").rows())
        assert project.query("select count(*) from router").rows() == [(0,)]
    assert set(weights) == set(SHIPPED) - LEFT_OUT
    assert min(weights.values()) >= 0
    # None does the work alone.
    assert sorted(weights.values())[-3] > 0.05
    assert max(weights.values()) < 0.9
