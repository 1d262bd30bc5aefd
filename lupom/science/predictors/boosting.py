"""Gradient boosting for each question, on the questions that tell most of it."""

from __future__ import annotations

import warnings
import zlib
from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from lupom.science.predictors.predictor import State, predictor
from lupom.science.predictors.task import HIDDEN, Bools, Floats, Ints, Task
from lupom.science.predictors.telling import told_by

# Chosen on tuning pairs of the General Social Survey 2018 (eight draws), of a survey of 92
# questions and 1,615 people and one of 25 with six options (four each). Log loss by 25 rounds at a
# rate of .15 .672, .537, 1.376; by 35 at .11 .669, .535, 1.372; by 50 at .08 .669, .534, 1.369 for
# a third more. The mean of four surveys is .691 instead of .687 with 10 leaves, .688 with 30 people
# in a leaf, .691 with a ridge of 20, .686 on 15 and .688 on 60 questions instead of 30.
ROUNDS, RATE = 35, 0.11
TOLD_BY = 30
LEAVES, LEAST_PEOPLE, RIDGE = 6, 15, 5.0
# The share of features that are tried at a split.
TRIED = 0.4

# What is kept of a tree's nodes.
_NODES = {
    "feature": np.int32,
    "bound": np.float32,
    "unknown_left": np.bool_,
    "left": np.int32,
    "right": np.int32,
    "value": np.float32,
}


def _fit(task: Task, seed: int = 0) -> State:
    tells = told_by(task, TOLD_BY)
    codes = _codes(task, np.arange(len(task.respondents)), task.answered)
    attributes = np.arange(len(task.questions), codes.shape[1])
    nodes: dict[str, list[npt.NDArray[Any]]] = {name: [] for name in _NODES}
    sizes, trees, fitted, start, options = [], [], [], [], []
    for question in range(len(task.questions)):
        learners = task.learners(question)
        given = task.answers[learners, question]
        columns = np.concatenate([np.flatnonzero(tells[question]), attributes])
        columns = columns[~np.isnan(codes[np.ix_(learners, columns)]).all(axis=0)]
        # Nothing to tell apart, or nothing to tell by: the shares are all there is.
        if len(np.unique(given)) < 2 or not len(columns):
            continue
        draw = np.random.SeedSequence([seed, zlib.crc32(task.questions[question].encode())])
        model = _grown(codes[np.ix_(learners, columns)], given, int(draw.generate_state(1)[0]))
        # There is no public way to them; a test holds what is made of them beside predict_proba.
        grown = [tree.nodes for several in model._predictors for tree in several]  # noqa: SLF001
        for tree in grown:
            ends = tree["is_leaf"].astype(bool)
            itself = np.arange(len(tree))
            nodes["feature"].append(np.where(ends, 0, columns[tree["feature_idx"]]))
            nodes["bound"].append(np.where(ends, 0.0, tree["num_threshold"]))
            nodes["unknown_left"].append(tree["missing_go_to_left"].astype(bool))
            # A leaf leads to itself, so that everybody can go as deep as the deepest.
            nodes["left"].append(np.where(ends, itself, tree["left"]))
            nodes["right"].append(np.where(ends, itself, tree["right"]))
            nodes["value"].append(np.where(ends, tree["value"], 0.0))
            sizes.append(len(tree))
        fitted.append(question)
        trees.append(len(grown))
        start.append(model._baseline_prediction.ravel())  # noqa: SLF001
        options.append(model.classes_)
    return {
        **{
            name: np.concatenate([np.empty(0), *parts]).astype(_NODES[name])
            for name, parts in nodes.items()
        },
        "nodes": np.array(sizes, dtype=np.int64),
        "trees": np.array(trees, dtype=np.int64),
        "question": np.array(fitted, dtype=np.int64),
        "start": np.concatenate([np.empty(0), *start]).astype(np.float64),
        "option": np.concatenate([np.empty(0), *options]).astype(np.int64),
        "options": np.array([len(one) for one in options], dtype=np.int64),
        "shares": task.shares(),
        "learners": (task.answers[task.reference] != HIDDEN).sum(axis=0),
        "answered": task.answered,
    }


@predictor("Gradient boosting on the answers that tell most and the attributes", fit=_fit)
def boosted_answers(state: State, task: Task) -> Floats:
    """Return probabilities by gradient-boosted trees on other answers and attributes, (P, width).

    Friedman 2001, with second-order leaves on binned features (scikit-learn's histogram trees). An
    answer is a number, its place among the options, so that one split parts a scale; one that is
    not known goes to the side that learned best, so that who was not asked a question is told from
    who was. A question's trees see the 30 others that tell most of it, as the forest does; their
    seed is made of `seed` and the question's id.
    """
    out = np.zeros((len(task.rows), task.width))
    people, place = np.unique(task.rows, return_inverse=True)
    codes = _codes(task, people, np.asarray(state["answered"]))
    models = dict(_models(state))
    for question, pairs in task.by_question():
        part = slice(int(task.offsets[question]), int(task.offsets[question + 1]))
        prior = np.tile(state["shares"][part], (len(pairs), 1))
        p = prior
        if question in models:
            options, start, trees = models[question]
            p = np.zeros_like(prior)
            p[:, options] = _boosted(state, codes[place[pairs]], start, trees, len(options))
        # One answer's worth of the shares, so that no option is held to be impossible.
        learners = state["learners"][question]
        out[pairs, : prior.shape[1]] = (p * learners + prior) / (learners + 1.0)
    return out


def _codes(task: Task, people: Ints, answered: Bools) -> npt.NDArray[np.float32]:
    """Return answers and attributes as numbers, NaN where not known, (n, Q + attributes)."""
    answers, traits = task.answers[people], task.traits[people]
    known = np.where((answers != HIDDEN) & answered, answers, np.nan)
    told = np.where(traits != HIDDEN, traits, np.nan)
    return np.hstack([known, told]).astype(np.float32)


def _grown(table: npt.NDArray[np.float32], given: Ints, seed: int) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier

    model = HistGradientBoostingClassifier(
        max_iter=ROUNDS,
        learning_rate=RATE,
        max_leaf_nodes=LEAVES,
        min_samples_leaf=LEAST_PEOPLE,
        l2_regularization=RIDGE,
        max_features=TRIED,
        early_stopping=False,
        random_state=seed,
    )
    # Threads that share so small a tree mostly wait for each other: on two busy cores the General
    # Social Survey took 8 to 15 CPU seconds with two, and .8 with one.
    with _trees().limit(limits=1, user_api="openmp"), warnings.catch_warnings():
        # Forty options of a hundred people are no regression.
        warnings.filterwarnings("ignore", "The number of unique classes", UserWarning)
        return model.fit(table, given)


@cache
def _trees() -> Any:
    """Return what limits the threads of the libraries that are loaded, the trees' among them."""
    from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]

    return ThreadpoolController()


def _models(state: State) -> Iterator[tuple[int, tuple[Ints, Floats, Ints]]]:
    """Yield each question that has trees, its options, where these start, and its trees."""
    tree = np.concatenate([[0], np.cumsum(state["trees"])])
    option = np.concatenate([[0], np.cumsum(state["options"])])
    # Two options have one score, that of the second.
    begin = np.concatenate([[0], np.cumsum(np.where(state["options"] == 2, 1, state["options"]))])
    for i, question in enumerate(state["question"]):
        options = state["option"][option[i] : option[i + 1]]
        start = state["start"][begin[i] : begin[i + 1]]
        yield int(question), (options, start, np.arange(tree[i], tree[i + 1]))


def _boosted(
    state: State, codes: npt.NDArray[np.float32], start: Floats, trees: Ints, options: int
) -> Floats:
    """Return the probability of each option, (n, options)."""
    first = np.concatenate([[0], np.cumsum(state["nodes"])])[trees]
    last = int(first[-1] + state["nodes"][trees[-1]])
    base = np.repeat(first, state["nodes"][trees])
    here = slice(int(first[0]), last)
    left, right = state["left"][here] + base, state["right"][here] + base
    at = np.tile(first, (len(codes), 1))
    person = np.arange(len(codes))[:, None]
    for _ in range(LEAVES - 1):
        value = codes[person, state["feature"][at]]
        goes = np.where(np.isnan(value), state["unknown_left"][at], value <= state["bound"][at])
        at = np.where(goes, left[at - first[0]], right[at - first[0]])
    raw = state["value"][at].astype(np.float64)
    # Trees come by round, and within it by option.
    scores = start + raw.reshape(len(codes), -1, len(start)).sum(axis=1)
    if options == 2:
        scores = np.hstack([np.zeros_like(scores), scores])
    p = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(p / p.sum(axis=1, keepdims=True))
