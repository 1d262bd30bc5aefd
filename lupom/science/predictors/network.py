"""A Bayesian network over answers and attributes, asked for the answer that is hidden."""

from __future__ import annotations

import numpy as np

from lupom.science.bayes.counting import Codes
from lupom.science.bayes.network import PersonaNetwork
from lupom.science.predictors.predictor import predictor
from lupom.science.predictors.task import Floats, Task

# Chosen on the tuning pairs of the General Social Survey 2018 (four draws of 1,000): log loss with
# iss 5, 10, 30 and 100 .717, .717, .716 and .730, with 2 parents for 3 .718; BIC is .006 worse.
SCORE = "bds"
IMAGINARY = 10.0
PARENTS = 3


@predictor("Bayesian network over answers and attributes")
def network_answers(task: Task, seed: int = 0) -> Floats:
    """Return the posterior of an answer given the other answers and the attributes, (P, width).

    Questions and attributes are the dimensions of one Bayesian network, found by tabu search under
    BDs on reference respondents (available cases). The answer's posterior given all that is known
    of a respondent is exact. Where so much is unknown that it would need a table beyond 256 MB, the
    network is found again with one parent a dimension, which needs none.
    """
    codes, cards = _codes(task)
    try:
        return _predict(task, codes, _fit(task, codes, cards, PARENTS, seed))
    except ValueError:
        return _predict(task, codes, _fit(task, codes, cards, 1, seed))


def _fit(task: Task, codes: Codes, cards: list[int], parents: int, seed: int) -> PersonaNetwork:
    return PersonaNetwork.fit(
        codes[task.reference],
        cards,
        [str(i) for i in range(len(cards))],
        score=SCORE,
        iss=IMAGINARY,
        max_parents=parents,
        missing="available",
        seed=seed,
    )


def _predict(task: Task, codes: Codes, network: PersonaNetwork) -> Floats:
    out = np.zeros((len(task.rows), task.width))
    for question, pairs in task.by_question():
        p = network.posterior(codes[task.rows[pairs]], str(question))
        out[pairs, : p.shape[1]] = p
    return out


def _codes(task: Task) -> tuple[Codes, list[int]]:
    """Return answers and attributes as codes, -1 where not known, and how many values each has."""
    codes = np.hstack([task.answers, task.traits]).astype(np.int32)
    return codes, [max(len(values), 1) for values in (*task.options, *task.trait_values)]
