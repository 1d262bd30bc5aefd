"""Gradient boosting for each question, on the questions that tell most of it."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from lupom.science.predictors.ordering import ranks
from lupom.science.predictors.predictor import State, predictor
from lupom.science.predictors.symmetric_trees import DEPTH, Trees, grown
from lupom.science.predictors.task import HIDDEN, Bools, Floats, Ints, Task
from lupom.science.predictors.telling import told_by

Singles = npt.NDArray[np.float32]

# Mean log loss of four surveys' tuning pairs by scikit-learn's trees: .686 with 15 of the questions
# that tell most, .687 with 30, .688 with 60.
TOLD_BY = 30
_DIGEST = 16


def _fit(task: Task, seed: int = 0, before: State | None = None) -> State:
    grew = {} if before is None else _grew(before)
    tells = told_by(task, TOLD_BY)
    codes = _codes(task, np.arange(len(task.respondents)), task.answered)
    attributes = np.arange(len(task.questions), codes.shape[1])
    sizes = [*map(len, task.options), *map(len, task.trait_values)]
    fitted: dict[int, Trees] = {}
    made_of = []
    # Of each question the columns that it has in another order, too, and their options' places.
    ordered: list[tuple[int, int]] = []
    places: list[Ints] = []
    for question in task.wanted:
        learners = task.learners(question)
        given = task.answers[learners, question]
        columns = np.concatenate([np.flatnonzero(tells[question]), attributes])
        columns = columns[~np.isnan(codes[np.ix_(learners, columns)]).all(axis=0)]
        # Nothing to tell apart, or nothing to tell by: the shares are all there is.
        if len(np.unique(given)) < 2 or not len(columns):
            continue
        table = codes[np.ix_(learners, columns)]
        answer = np.unique(given, return_inverse=True)[1]
        own = [
            (place, found)
            for place, column in enumerate(columns)
            if (found := ranks(table[:, place], answer, sizes[column])) is not None
        ]
        ordered += [(question, int(columns[place])) for place, _ in own]
        places += [found for _, found in own]
        columns = np.concatenate([columns, codes.shape[1] + np.arange(len(own))])
        draw = np.random.SeedSequence([seed, zlib.crc32(task.questions[question].encode())])
        start = int(draw.generate_state(1)[0])
        table = _with(table, own)
        # What a question's trees are made of: another question's answer that changes leaves them.
        made = hashlib.blake2b(digest_size=_DIGEST)
        for part in (table, given, columns, np.array([start, len(own)])):
            made.update(f"{part.shape}".encode())
            made.update(np.ascontiguousarray(part).data)
        made_of.append(made.digest())
        there = grew.get(made_of[-1])
        if there is None:
            own_trees = grown(table, given, start)
            there = replace(own_trees, feature=columns[own_trees.feature].astype(np.int32))
        fitted[question] = there
    trees = fitted.values()
    return {
        "feature": _together([one.feature for one in trees], np.int32).reshape(-1, DEPTH),
        "bound": _together([one.bound for one in trees], np.float32).reshape(-1, DEPTH),
        "unknown_left": _together([one.unknown_left for one in trees], bool).reshape(-1, DEPTH),
        "value": _together([one.value for one in trees], np.float32),
        "trees": np.array([len(one.feature) for one in trees], dtype=np.int64),
        "question": np.array(list(fitted), dtype=np.int64),
        "start": _together([one.start for one in trees], np.float64),
        "option": _together([one.options for one in trees], np.int64),
        "options": np.array([len(one.options) for one in trees], dtype=np.int64),
        "ordered": np.array(ordered, dtype=np.int64).reshape(-1, 2),
        "places": _together(places, np.int64),
        "places_of": np.array([len(one) for one in places], dtype=np.int64),
        "shares": task.shares(),
        "learners": (task.answers[task.reference] != HIDDEN).sum(axis=0),
        "answered": task.answered,
        "made_of": np.frombuffer(b"".join(made_of), dtype=np.uint8).reshape(-1, _DIGEST),
    }


def _grew(state: State) -> dict[bytes, Trees]:
    """Return the trees of a state by what they were made of."""
    if "made_of" not in state:
        return {}
    made_of = (row.tobytes() for row in np.asarray(state["made_of"]))
    return dict(zip(made_of, (trees for _, trees in _models(state)), strict=True))


def _together(parts: list[npt.NDArray[Any]], kind: type) -> npt.NDArray[Any]:
    return np.concatenate([np.empty(0), *(part.ravel() for part in parts)]).astype(kind)


@predictor(
    "Gradient boosting on the answers that tell most and the attributes", fit=_fit, reuses=True
)
def boosted_answers(state: State, task: Task) -> Floats:
    """Return probabilities by gradient-boosted trees on other answers and attributes, (P, width).

    Friedman 2001, with symmetric trees of two splits (`symmetric_trees`). An answer is a number,
    its place among the options, so that one split parts a scale; one that is not known goes to the
    side that learned best, so that who was not asked a question is told from who was. Options that
    tell in another order than they stand in, as those of a region do, have that, too (`ordering`).
    A question's trees see the 30 others that tell most of it, as the forest does; the order in
    which they try features is of `seed` and the question's id.
    """
    out = np.zeros((len(task.rows), task.width))
    people, place = np.unique(task.rows, return_inverse=True)
    codes = _codes(task, people, np.asarray(state["answered"]))
    models = dict(_models(state))
    orders = _orders(state)
    for question, pairs in task.by_question():
        part = slice(int(task.offsets[question]), int(task.offsets[question + 1]))
        prior = np.tile(state["shares"][part], (len(pairs), 1))
        p = prior
        if question in models:
            trees = models[question]
            p = np.zeros_like(prior)
            table = _with(codes[place[pairs]], orders.get(question, ()))
            p[:, trees.options] = trees.probabilities(table)
        # One answer's worth of the shares, so that no option is held to be impossible.
        learners = state["learners"][question]
        out[pairs, : prior.shape[1]] = (p * learners + prior) / (learners + 1.0)
    return out


def _codes(task: Task, people: Ints, answered: Bools) -> Singles:
    """Return answers and attributes as numbers, NaN where not known, (n, Q + attributes)."""
    answers, traits = task.answers[people], task.traits[people]
    known = np.where((answers != HIDDEN) & answered, answers, np.nan)
    told = np.where(traits != HIDDEN, traits, np.nan)
    return np.hstack([known, told]).astype(np.float32)


def _with(codes: Singles, orders: Iterable[tuple[int, Ints]]) -> Singles:
    """Return codes, and some columns in another order beside them, NaN where not known."""
    out = [codes]
    for column, places in orders:
        known = ~np.isnan(codes[:, column])
        own = np.full(len(codes), np.nan, dtype=np.float32)
        own[known] = places[codes[known, column].astype(np.int64)]
        out.append(own[:, None])
    return np.hstack(out) if len(out) > 1 else codes


def _orders(state: State) -> dict[int, list[tuple[int, Ints]]]:
    """Return of each question that has any the columns in another order, and their places."""
    ends = np.cumsum(state["places_of"])
    out: dict[int, list[tuple[int, Ints]]] = {}
    for (question, column), end, size in zip(
        state["ordered"], ends, state["places_of"], strict=True
    ):
        places = np.asarray(state["places"][end - size : end])
        out.setdefault(int(question), []).append((int(column), places))
    return out


def _models(state: State) -> Iterator[tuple[int, Trees]]:
    """Yield each question that has trees, and these."""
    option = np.concatenate([[0], np.cumsum(state["options"])])
    scores = np.where(state["options"] == 2, 1, state["options"])
    begin = np.concatenate([[0], np.cumsum(scores)])
    tree = np.concatenate([[0], np.cumsum(state["trees"])])
    leaf = np.concatenate([[0], np.cumsum(state["trees"] * scores * 2**DEPTH)])
    for i, question in enumerate(state["question"]):
        these = slice(tree[i], tree[i + 1])
        yield (
            int(question),
            Trees(
                state["option"][option[i] : option[i + 1]],
                state["start"][begin[i] : begin[i + 1]],
                state["feature"][these],
                state["bound"][these],
                state["unknown_left"][these],
                state["value"][leaf[i] : leaf[i + 1]].reshape(-1, 2**DEPTH, int(scores[i])),
            ),
        )
