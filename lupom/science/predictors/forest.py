"""A random forest for each question, on the questions that tell most of it."""

from __future__ import annotations

import zlib

import numpy as np
import numpy.typing as npt

from lupom.science.predictors.predictor import State, predictor
from lupom.science.predictors.task import HIDDEN, Floats, Ints, Task
from lupom.science.predictors.telling import told_by

# Chosen on tuning pairs of the General Social Survey 2018, of a survey of 92 questions and 1,615
# people (two draws each), and of a made one of 150 questions and 5,000 people. Log loss of 60 trees
# on the 8, 15 and 30 questions that tell most: .680, .675, .681 of the first (which has 24 others),
# .554, .549, .553 of the second, the last two .926 and .909 of the third, where all questions have
# .924. The stack's log loss on tuning pairs of the second is .5245 with 40 trees on 15, .5271 on
# 30, .5245 with 100 trees on all (four draws each); of the first .6707, .6706 and .6693, and on its
# test pairs .6774, .6773 and .6780.
LEAF = 3
TREES = 40
TOLD_BY = 15
# A tree is grown on at most so many people, drawn with replacement.
PEOPLE = 1500

Table = npt.NDArray[np.uint8]


def _fit(task: Task, seed: int = 0) -> State:
    tells = told_by(task, TOLD_BY)
    kept = np.append(tells, np.ones((len(tells), 1), dtype=bool), axis=1)
    # Attributes, whose question is -1, are the last column: always there.
    groups = np.append(task.owner, np.full(task.attributes.shape[1], HIDDEN))
    features = task.features.astype(np.float32)
    fitted, parts = [], []
    for question in task.wanted:
        learners = task.learners(question)
        given = task.answers[learners, question]
        columns = np.flatnonzero(kept[question, groups])
        # Nothing to tell apart, or nothing to tell by: the shares are all there is.
        if len(np.unique(given)) < 2 or not len(columns):
            continue
        draw = np.random.SeedSequence([seed, zlib.crc32(task.questions[question].encode())])
        table = features[np.ix_(learners, columns)]
        width = len(task.options[question])
        parts.append(_grown(table, given, columns, width, int(draw.generate_state(1)[0])))
        fitted.append(question)
    empty = {"nodes": [0], "feature": [], "left": [], "right": [], "leaves": [], "leaf_shares": []}
    joined = {
        name: np.concatenate([np.array(none, dtype=_KINDS[name]), *(p[name] for p in parts)])
        for name, none in empty.items()
    }
    joined["nodes"] = joined["nodes"][1:]
    return {
        **joined,
        "question": np.array(fitted, dtype=np.int64),
        "shares": task.shares(),
        "learners": (task.answers[task.reference] != HIDDEN).sum(axis=0),
    }


_KINDS = {
    "nodes": np.int64,
    "feature": np.int16,
    "left": np.int16,
    "right": np.int16,
    "leaves": np.int64,
    "leaf_shares": np.float16,
}


@predictor(
    "Random forest on the answers that tell most and the attributes",
    cost="most of the time that baselines take",
    fit=_fit,
)
def forest_answers(state: State, task: Task) -> Floats:
    """Return probabilities by a random forest on other answers and attributes, (P, width).

    Answers and attributes come as 0 and 1 for each option and value; a feature then has one split,
    so that extremely randomised trees (Geurts, Ernst and Wehenkel 2006), which draw it instead of
    sorting, are Breiman's. A question's forest sees the 15 others that tell most of it: by the
    likelihood ratio of their table, less half its degrees of freedom. Its seed is made of `seed`
    and the question's id.
    """
    out = np.zeros((len(task.rows), task.width))
    place = {int(question): i for i, question in enumerate(state["question"])}
    nodes = state["nodes"].reshape(-1, TREES)
    first = np.concatenate([[0], np.cumsum(nodes.sum(axis=1))])
    sizes = np.diff(task.offsets)[state["question"]]
    leaf = np.concatenate([[0], np.cumsum(state["leaves"] * sizes)])
    for question, pairs in task.by_question():
        part = slice(int(task.offsets[question]), int(task.offsets[question + 1]))
        prior = np.tile(state["shares"][part], (len(pairs), 1))
        p = prior
        if question in place:
            i = place[question]
            here = slice(first[i], first[i + 1])
            feature, left, right = (state[name][here] for name in ("feature", "left", "right"))
            table = state["leaf_shares"][leaf[i] : leaf[i + 1]].reshape(-1, prior.shape[1])
            own = task.features[task.rows[pairs]]
            p = _voted(own, feature, left, right, nodes[i], table)
        # One answer's worth of the shares, so that no option is held to be impossible.
        learners = state["learners"][question]
        out[pairs, : prior.shape[1]] = (p * learners + prior) / (learners + 1.0)
    return out


def _grown(
    table: npt.NDArray[np.float32], given: Ints, columns: Ints, width: int, seed: int
) -> dict[str, npt.NDArray[np.generic]]:
    """Return a forest as arrays: nodes and leaves of its trees one after the other.

    A node has its feature and children within the tree; a leaf the feature -1, itself as children
    and, in `left`, the row of its shares.
    """
    from sklearn.ensemble import ExtraTreesClassifier

    forest = ExtraTreesClassifier(
        n_estimators=TREES,
        min_samples_leaf=LEAF,
        bootstrap=True,
        max_samples=min(PEOPLE, len(given)),
        random_state=seed,
    ).fit(table, given)
    feature, left, right, shares, nodes = [], [], [], [], []
    leaves = 0
    for tree in (one.tree_ for one in forest.estimators_):
        ends = tree.children_left < 0
        row = np.cumsum(ends) - 1 + leaves
        feature.append(np.where(ends, HIDDEN, columns[tree.feature]))
        left.append(np.where(ends, row, tree.children_left))
        right.append(tree.children_right)
        told = np.zeros((int(ends.sum()), width))
        told[:, forest.classes_] = tree.value[ends, 0]
        shares.append(told)
        nodes.append(len(ends))
        leaves += len(told)
    found = {
        "nodes": np.array(nodes),
        "feature": np.concatenate(feature),
        "left": np.concatenate(left),
        "right": np.concatenate(right),
        "leaves": np.array([leaves]),
        "leaf_shares": np.concatenate(shares).reshape(-1),
    }
    return {name: array.astype(_KINDS[name]) for name, array in found.items()}


def _voted(
    features: Table,
    feature: npt.NDArray[np.int16],
    left: npt.NDArray[np.int16],
    right: npt.NDArray[np.int16],
    nodes: Ints,
    shares: npt.NDArray[np.float16],
) -> Floats:
    """Return the mean of the trees' leaves, (n, options)."""
    roots = np.concatenate([[0], np.cumsum(nodes)[:-1]])
    base = np.repeat(roots, nodes)
    ends = feature < 0
    itself = np.arange(len(feature))
    split = np.where(ends, 0, feature).astype(np.int64)
    child = np.stack([np.where(ends, itself, base + left), np.where(ends, itself, base + right)])
    at = np.tile(roots, (len(features), 1))
    person = np.arange(len(features))[:, None]
    while not ends[at].all():
        at = child[features[person, split[at]], at]
    votes = shares.astype(np.float64)[left[at]].sum(axis=1)
    # Shares are kept to three digits.
    return np.asarray(votes / votes.sum(axis=1, keepdims=True))
