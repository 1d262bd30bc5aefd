"""What answers are read as: options, or places on a scale."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from lupom.science.planning import positions
from lupom.science.planning.moments import Cells, cells
from lupom.science.predictors.task import everyone
from tests.support.planned_surveys import tables


def people(codes, sizes):
    ends = np.concatenate([[0], np.cumsum(sizes)])
    return Cells(codes, np.zeros((len(codes), ends[-1]), np.float32), np.ones(len(codes)), ends)


@pytest.fixture
def answered():
    rng = np.random.default_rng(1)
    codes = np.column_stack([rng.integers(0, 11, 500), rng.integers(0, 3, 500)])
    return people(codes, [11, 3])


def test_a_scale_is_its_places_and_their_squares(answered):
    found = positions.columns(answered, [np.arange(11.0), None])
    read = found.read(answered.codes, np.zeros((500, 0), np.float32))
    assert read.shape == (500, 2 + 3)
    place, square = read[:, 0], read[:, 1]
    order = np.argsort(answered.codes[:, 0], kind="stable")
    assert (np.diff(place[order]) >= 0).all()
    for column in (place, square):
        assert column.mean() == pytest.approx(0, abs=0.01)
        assert column.std() == pytest.approx(0.5, abs=0.01)
    # Both ends have the largest square.
    assert set(answered.codes[square > np.quantile(square, 0.9), 0]) <= {0, 10}


def test_an_option_without_a_place_is_a_column_of_its_own(answered):
    place = np.append(np.arange(10.0), np.nan)
    found = positions.columns(answered, [place, None])
    assert found.values(0, np.array([10])).tolist() == [[0, 0, 1]]
    assert found.values(0, np.array([3]))[0, 2] == 0


def test_few_steps_are_options(answered):
    few = np.repeat([1.0, 2.0, 3.0, 4.0], [2, 3, 3, 3])
    assert positions.columns(answered, [few, None]).parts == (None, None)


def test_columns_vary_as_their_options_do(answered):
    found = positions.columns(answered, [np.arange(11.0), None])
    after = np.random.default_rng(2).random((500, 2)).astype(np.float32)
    options = np.hstack([np.eye(11)[answered.codes[:, 0]], np.eye(3)[answered.codes[:, 1]], after])
    covariance = np.cov(options.T)
    read = found.read(answered.codes, after)
    assert found.within(covariance) == pytest.approx(np.cov(read.T.astype(float)), abs=1e-5)


def test_what_tells_options_has_mean_0_and_variance_1():
    share = np.array([0.1, 0.2, 0.4, 0.2, 0.1])
    kept = np.array([True, True, False, True, True, True])
    part = np.column_stack([np.arange(6.0), np.arange(6.0) ** 2])
    scores = positions.orthonormal(part, kept, share)
    assert share @ scores == pytest.approx([0, 0])
    assert scores.T @ (scores * share[:, None]) == pytest.approx(np.eye(2))
    assert positions.orthonormal(None, np.ones(5, bool), share).T @ np.diag(share) == pytest.approx(
        np.diag(np.sqrt(share))
    )


def test_which_questions_are_scales_is_told_by_positions():
    rng = np.random.default_rng(3)
    answers = {name: rng.integers(0, 5, 50) for name in ("grade", "party", "same")}
    responses, respondents, questions = tables(answers)
    questions = pd.DataFrame(questions).assign(
        ordinal=[[1.0, 2.0, 3.0, 4.0, None], [None] * 5, [1.0] * 5]
    )
    (task,) = everyone(responses, respondents, questions)
    scales = dict(zip(task.questions, positions.scales(task, questions), strict=True))
    assert np.array_equal(scales["grade"], [1, 2, 3, 4, np.nan], equal_nan=True)
    assert (scales["party"], scales["same"]) == (None, None)
    assert positions.scales(task, questions.drop(columns="ordinal")) == [None] * 3
    assert cells(task).codes.shape == (50, 3)
