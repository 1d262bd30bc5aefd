"""The conditional Gaussian over answers as 0 and 1."""

from __future__ import annotations

import numpy as np

from lupom.science.gaussian import model
from lupom.science.gaussian.encoding import Encoding
from lupom.science.gaussian.model import Gaussian
from lupom.science.predictors.predictor import State, predictor
from lupom.science.predictors.task import Floats, Task


def _fit(task: Task, seed: int = 0) -> State:
    learned = task.reference
    encoding = _encoding(task)
    fitted = model.fit(encoding, task.answers[learned], task.attributes[learned])
    return {
        "shares": fitted.shares,
        "mean": fitted.mean,
        "covariance": fitted.covariance,
        "ridge": fitted.ridge,
        "n": fitted.n,
    }


@predictor("Conditional Gaussian over answers and attributes", fit=_fit)
def gaussian_answers(state: State, task: Task) -> Floats:
    """Return probabilities by a Gaussian over answers and attributes as 0 and 1, (P, width).

    Mean and covariance are fitted by EM to reference respondents, with a ridge (`gaussian.model`);
    an answer's probabilities are its conditional mean given all that is known of the respondent.
    Since what is not known is left out, it is the best of all where few answers are: five of a
    person.
    """
    fitted = Gaussian(
        _encoding(task),
        np.asarray(state["shares"]),
        np.asarray(state["mean"]),
        np.asarray(state["covariance"]),
        float(state["ridge"]),
        int(state["n"]),
    )
    people, place = np.unique(task.rows, return_inverse=True)
    p = fitted.probabilities(task.answers[people], task.attributes[people])
    return task.of_pairs(p, place)


def _encoding(task: Task) -> Encoding:
    return Encoding(tuple(map(len, task.options)), task.attributes.shape[1])
