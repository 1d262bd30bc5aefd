"""A denoising autoencoder: answers that were hidden are told from those that are shown."""

from __future__ import annotations

import numpy as np

from lupom.science.predictors import descent
from lupom.science.predictors.descent import Adam, Hiding, Places, Singles
from lupom.science.predictors.predictor import State, predictor
from lupom.science.predictors.task import Floats, Task

# All were chosen by the log loss of tuning pairs (General Social Survey, two draws; the masculinity
# survey, two; three surveys from elsewhere). Hidden units: 40 are .006 worse, 96 the same.
UNITS = 64
# Networks, whose log-probabilities are averaged; one is .008 worse than four, five .0005 better.
MEMBERS = 4
RATE = 6e-3
# A share of .15 or .5 is .001 to .004 worse.
DROPOUT = 0.3

# Of a score below a person's largest. Its exponential is no denormal number of a float32.
_LOWEST = np.float32(-80.0)

_WEIGHTS = ("inner", "inner_bias", "outer", "outer_bias")


def _fit(task: Task, seed: int = 0) -> State:
    learned = Hiding(task)
    members = [
        _trained(learned, np.random.default_rng([seed, member])) for member in range(MEMBERS)
    ]
    state = {
        n: np.stack(part) for n, part in zip(_WEIGHTS, zip(*members, strict=True), strict=True)
    }
    shares = learned.places.restored(learned.shares)
    return {**state, "shares": shares, "means": learned.means, "answered": task.answered}


@predictor("Denoising autoencoder over answers and attributes", fit=_fit)
def autoencoder_answers(state: State, task: Task) -> Floats:
    """Return probabilities by a denoising autoencoder over answers and attributes, (P, width).

    One network for all questions: known answers as 0 and 1 less their shares, one layer of 64
    rectified units, a softmax for each question. In each step of learning some known answers of
    reference respondents are hidden and to be told from the others (Vincent et al. 2008), units
    drop out, and weights decay by so much as a prior of the same strength would have them at this
    number of people. The seed draws first weights and what is hidden. Four such networks are
    averaged in log-probability.
    """
    places = Places.of_task(task)
    people, place = np.unique(task.rows, return_inverse=True)
    frame = {name: np.asarray(state[name]) for name in ("shares", "means", "answered")}
    given = descent.shown(task, people, **frame)
    total = np.zeros((len(places.order), len(people)), dtype=np.float32)
    for inner, inner_bias, outer, outer_bias in zip(*(state[n] for n in _WEIGHTS), strict=True):
        units = np.maximum(given @ inner + inner_bias, 0).T
        scores = outer.T[places.order] @ units + outer_bias[places.order, None]
        total += np.log(np.maximum(_softmax(places, scores), np.float32(1e-9)))
    mean = places.restored(_softmax(places, total / np.float32(len(state["inner"]))))
    out = task.of_pairs(mean.T, place)
    return np.asarray(out / out.sum(axis=1, keepdims=True))


def _softmax(places: Places, scores: Singles) -> Singles:
    """Return each question's options as probabilities, (options, n), in place of the scores."""
    # By the largest score of a person, not of each question: that was a third of a step's time.
    # A question of which all are far below it has options alike, in place of 0 by 0.
    scores -= scores.max(axis=0)
    np.maximum(scores, _LOWEST, out=scores)
    np.exp(scores, out=scores)
    places.scale(scores, np.float32(1.0) / places.sums(scores))
    return scores


def _trained(learned: Hiding, rng: np.random.Generator) -> tuple[Singles, ...]:
    """Return inner weights and bias, outer weights and bias of one network."""
    places, options = learned.places, len(learned.shares)
    inner, outer = (
        rng.standard_normal(shape, dtype=np.float32) * np.float32(0.1)
        for shape in ((learned.width, UNITS), (UNITS, options))
    )
    inner[:options], outer = inner[places.order], outer.T.take(places.order, axis=0)
    inner_bias = np.zeros((UNITS, 1), dtype=np.float32)
    outer_bias = np.log(np.maximum(learned.shares, np.float32(1e-9)))[:, None]
    shrink = descent.decay(learned.people)
    adam = Adam(
        (inner, inner_bias, outer, outer_bias), (shrink, 0.0, shrink, 0.0), RATE, learned.steps
    )
    inner, inner_bias, outer, outer_bias = adam.weights
    for given, right, asked in learned.each(rng):
        units = inner.T @ given + inner_bias
        drawn = rng.random(units.T.shape, dtype=np.float32).T
        kept = (drawn >= DROPOUT) & (units > 0)
        scale: Singles = kept * np.float32(1.0 / (1.0 - DROPOUT))
        units *= scale
        scores = np.asarray(outer @ units + outer_bias, dtype=np.float32)
        slope = _softmax(places, scores)
        slope -= right
        places.scale(slope, asked / np.float32(asked.shape[1]))
        back = np.asarray((outer.T @ slope) * scale, dtype=np.float32)
        biases = back.sum(axis=1, keepdims=True), slope.sum(axis=1, keepdims=True)
        by_unit = np.asarray(slope @ units.T, dtype=np.float32)
        adam.step((given @ back.T, biases[0], by_unit, biases[1]))
    restored = places.restored(outer).T, places.restored(outer_bias[:, 0])
    return places.restored(inner), inner_bias[:, 0], *restored
