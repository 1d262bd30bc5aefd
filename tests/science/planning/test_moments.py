"""Means and covariances of answers: what is known of the rest, however few were asked the same."""

from __future__ import annotations

import numpy as np
import pytest

from lupom.science.planning.moments import cells, fit
from lupom.science.planning.options import Options
from lupom.science.predictors.task import everyone
from tests.support.planned_surveys import tables, three_themes


@pytest.fixture(scope="module")
def people():
    answers = three_themes(n=300)
    # Answers that are missing, so that people differ in what they can be asked.
    luck = np.random.default_rng(1).random(300)
    answers["a0"] = np.where(luck < 0.4, -1, answers["a0"])
    (task,) = everyone(*tables(answers))
    return cells(task)


def test_sums_of_options_are_of_each_question_whatever_their_numbers():
    sizes = np.random.default_rng(0).integers(1, 9, 60)
    offsets = np.append(0, sizes.cumsum())
    values = np.random.default_rng(1).random((3, 5, offsets[-1])).astype(np.float32)
    options = Options(offsets)
    sums = np.add.reduceat(values, offsets[:-1], axis=-1)
    assert options.total(values) == pytest.approx(sums, rel=1e-5)
    assert (options.each(sums)[..., offsets[:-1]] == sums).all()


def test_means_of_many_people_are_those_of_each_alone(people):
    moments = fit(people)
    asked = np.random.default_rng(2).random(people.codes.shape) < 0.3
    told, start = people.told(asked), moments.start(people)
    found = moments.means(start, people.answers, told)
    for person in range(20):
        slope, _ = moments.given(told[person])
        surprise = people.answers[person, told[person]] - moments.mean[told[person]]
        assert found[person] == pytest.approx(moments.mean + surprise @ slope, abs=1e-5)


def test_covariances_are_those_given_what_each_was_asked(people):
    moments = fit(people)
    asked = np.random.default_rng(3).random(people.codes.shape) < 0.3
    told = people.told(asked)
    seen = set()
    for rows, of, covariance in moments.covariances(told):
        seen.update(rows.tolist())
        for row, one in zip(rows[:10], of[:10], strict=True):
            assert covariance[one] == pytest.approx(moments.given(told[row])[1], abs=1e-5)
    assert seen == set(range(len(told)))


def test_pairs_that_different_people_have_make_a_covariance_all_the_same():
    rng = np.random.default_rng(4)
    answers = {
        f"q{i}": np.where(rng.random(40) < 0.5, -1, rng.integers(0, 2, 40)) for i in range(9)
    }
    (task,) = everyone(*tables(answers))
    assert np.linalg.eigvalsh(fit(cells(task)).covariance).min() > 0
