"""A Bayesian network over answers and attributes, asked for the answer that is hidden."""

from __future__ import annotations

import numpy as np

from lupom.science.bayes.counting import Codes
from lupom.science.bayes.network import PersonaNetwork
from lupom.science.bayes.parameters import ConditionalTable
from lupom.science.bayes.scores import Score
from lupom.science.predictors.predictor import State, predictor
from lupom.science.predictors.task import Floats, Task

# Chosen on the tuning pairs of the General Social Survey 2018 (four draws of 1,000): log loss with
# iss 5, 10, 30 and 100 .717, .717, .716 and .730, with 2 parents for 3 .718; BIC is .006 worse.
SCORE = "bds"
IMAGINARY = 10.0
PARENTS = 3


def _learned(task: Task, seed: int = 0) -> State:
    codes, cards = _codes(task)
    network = _network(task, codes, cards, PARENTS, seed)
    tables = {"": network}
    if network.engine.entangled():
        tables["one_parent."] = _network(task, codes, cards, 1, seed)
    return {
        prefix + name: array
        for prefix, found in tables.items()
        for name, array in _arrays(found).items()
    }


@predictor("Bayesian network over answers and attributes", fit=_learned)
def network_answers(state: State, task: Task) -> Floats:
    """Return the posterior of an answer given the other answers and the attributes, (P, width).

    Questions and attributes are the dimensions of one Bayesian network, found by tabu search under
    BDs on reference respondents (available cases). The answer's posterior given all that is known
    of a respondent is exact. Of whom so much is unknown that it would need a table beyond 256 MB,
    it is that of a second network with one parent a dimension, which needs none.
    """
    codes, cards = _codes(task)
    network = _restored(state, "", cards)
    second = _restored(state, "one_parent.", cards) if "one_parent.parents" in state else None
    out = np.zeros((len(task.rows), task.width))
    p = network.cells(codes, task.rows, task.columns)
    lost = np.isnan(p).any(axis=1)
    if second is not None and lost.any():
        p[lost, :] = 0.0
        instead = second.cells(codes, task.rows[lost], task.columns[lost])
        p[lost, : instead.shape[1]] = instead
    out[:, : p.shape[1]] = p
    return out


def _network(task: Task, codes: Codes, cards: list[int], parents: int, seed: int) -> PersonaNetwork:
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


def _codes(task: Task) -> tuple[Codes, list[int]]:
    """Return answers and attributes as codes, -1 where not known, and how many values each has."""
    codes = np.hstack([task.answers, task.traits]).astype(np.int32)
    return codes, [max(len(values), 1) for values in (*task.options, *task.trait_values)]


def _arrays(network: PersonaNetwork) -> State:
    """Return the tables of a network, one after the other."""
    tables = network.tables
    return {
        "parents": np.concatenate([[-1], *(t.parents for t in tables)]).astype(np.int64)[1:],
        "parents_of": np.array([len(t.parents) for t in tables], dtype=np.int64),
        "configurations": np.concatenate([t.configurations.reshape(-1) for t in tables]),
        "configurations_of": np.array([len(t.configurations) for t in tables], dtype=np.int64),
        "probabilities": np.concatenate([t.probabilities[:-1].reshape(-1) for t in tables]),
    }


def _restored(state: State, prefix: str, cards: list[int]) -> PersonaNetwork:
    """Return the network that `_arrays` took apart."""
    tables, at = [], np.zeros(3, dtype=np.int64)
    shape = zip(state[prefix + "parents_of"], state[prefix + "configurations_of"], strict=True)
    for child, (parents, rows) in enumerate(shape):
        upto = at + np.array([parents, rows * parents, rows * cards[child]])
        given, configurations, probabilities = (
            state[prefix + name][start:stop]
            for name, start, stop in zip(
                ("parents", "configurations", "probabilities"), at, upto, strict=True
            )
        )
        tables.append(
            ConditionalTable(
                cards,
                child,
                given.tolist(),
                configurations.reshape(rows, parents),
                probabilities.reshape(rows, cards[child]),
            )
        )
        at = upto
    names = [str(i) for i in range(len(cards))]
    return PersonaNetwork(tables, names, ["mid"] * len(names), Score(SCORE, IMAGINARY))
