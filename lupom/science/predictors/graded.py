"""The graded response model: a few traits of a person, and options in their order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from lupom.science.predictors import descent
from lupom.science.predictors.descent import Adam, Hiding, Places, Singles
from lupom.science.predictors.predictor import State, predictor
from lupom.science.predictors.task import Floats, Ints, Task

# Chosen by the log loss of tuning pairs: with 3, 6 and 10 traits .687, .678 and .676 on the General
# Social Survey (two draws), 1.445, 1.408 and 1.397 on 25 items of five traits.
TRAITS = 8
RATE = 2e-2
# An option's least probability: that of thresholds that meet would have no slope.
LEAST = np.float32(1e-6)


@dataclass(frozen=True)
class _Thresholds:
    """Where questions' thresholds are: one below each option but the first, in its order.

    Attributes
    ----------
    places : of options; thresholds are in the order of the options above them.
    first : how many options have none below them, the first one of each question.
    order : (T), which threshold of the questionnaire is where.
    """

    places: Places
    first: int
    order: Ints

    @classmethod
    def of_task(cls, task: Task, places: Places) -> _Thresholds:
        has_below = np.ones(len(places.order), dtype=bool)
        has_below[task.offsets[:-1][np.diff(task.offsets) > 0]] = False
        first = len(has_below) - int(has_below.sum())
        return cls(places, first, (np.cumsum(has_below) - 1)[places.order[first:]])

    @property
    def of(self) -> Ints:
        """Return the place of each threshold's question, (T)."""
        return self.places.of[self.first :]

    def each(self) -> Iterator[tuple[slice, slice]]:
        """Yield the thresholds of a place, and the options below them."""
        for (under, _), (start, count) in pairwise(self.places.blocks):
            begin = start - self.first
            yield slice(begin, begin + count), slice(under, under + count)

    def probabilities(self, scores: Singles, bounds: Singles) -> tuple[Singles, Singles]:
        """Return each option's probability, (options, n), and of each threshold to be passed.

        Samejima 1969: that of an option is the probability to pass the threshold below it less that
        to pass the one above. Scores (Q, n), bounds (T).
        """
        passed = 1.0 / (1.0 + np.exp(-(scores.take(self.of, axis=0) + bounds[:, None])))
        p = np.empty((self.first + len(bounds), scores.shape[1]), dtype=np.float32)
        p[: self.first], p[self.first :] = 1.0, passed
        for own, below in self.each():
            p[below] -= passed[own]
        return np.maximum(p, LEAST, out=p), passed

    def sums(self, of_thresholds: Singles, questions: int) -> Singles:
        """Return the sum over each question's thresholds, (Q, n)."""
        out = np.zeros((questions, of_thresholds.shape[1]), dtype=np.float32)
        for own, _ in self.each():
            out[: own.stop - own.start] += of_thresholds[own]
        return out


def _fit(task: Task, seed: int = 0) -> State:
    learned = Hiding(task)
    places = learned.places
    at = _Thresholds.of_task(task, places)
    shares = places.restored(learned.shares)
    rng = np.random.default_rng(seed)
    traits = rng.standard_normal((learned.width, TRAITS), dtype=np.float32) * np.float32(0.05)
    slopes = rng.standard_normal((len(task.questions), TRAITS), dtype=np.float32) * np.float32(0.3)
    traits[: len(places.order)], slopes = traits[places.order], slopes[places.questions]
    # Shares of those who gave an option or one after it: bounds of people who are all alike.
    total = np.concatenate([np.cumsum(shares[::-1])[::-1], [0.0]])
    ends = total[task.offsets[1:]][task.owner]
    passed = np.clip((total[:-1] - ends)[places.order[at.first :]], 1e-4, 1 - 1e-4)
    bounds = np.log(passed / (1.0 - passed)).astype(np.float32)
    shrink = descent.decay(learned.people)
    adam = Adam((traits, slopes, bounds), (shrink, shrink, 0.0), RATE, learned.steps)
    traits, slopes, bounds = adam.weights
    for given, right, asked in learned.each(rng):
        people = traits.T @ given
        scores = np.asarray(slopes @ people, dtype=np.float32)
        p, passing = at.probabilities(scores, bounds)
        wanted = right / p
        places.scale(wanted, asked / np.float32(asked.shape[1]))
        # The slope of the log loss in what passes a threshold: the option above it gains, that
        # below it loses.
        slope = -wanted[at.first :]
        for own, below in at.each():
            slope[own] += wanted[below]
        slope *= passing
        slope *= np.float32(1.0) - passing
        by_question = at.sums(slope, len(slopes))
        of_people = np.asarray(by_question.T @ slopes, dtype=np.float32)
        of_questions = np.asarray(by_question @ people.T, dtype=np.float32)
        adam.step((given @ of_people, of_questions, slope.sum(axis=1)))
    outer, thresholds = np.empty_like(slopes), np.empty_like(bounds)
    outer[places.questions], thresholds[at.order] = slopes, bounds
    return {
        "inner": places.restored(traits),
        "outer": outer,
        "bounds": thresholds,
        "shares": shares,
        "means": learned.means,
        "answered": task.answered,
    }


@predictor("Graded response model, 8 traits", fit=_fit)
def graded_answers(state: State, task: Task) -> Floats:
    """Return probabilities by a graded response model over answers and attributes, (P, width).

    A person has eight traits, which are linear in their known answers and attributes; a question's
    options come in an order, with a threshold between each two and a slope for each trait (Samejima
    1969). So options near the likeliest one are likelier than those far from it, and a scale from 0
    to 10 needs few answers to each of its options. Learned as the autoencoder is: some known
    answers of reference respondents are hidden in each step and told from the others. Options of a
    question without an order are taken in that of the questionnaire.
    """
    people, place = np.unique(task.rows, return_inverse=True)
    frame = {name: np.asarray(state[name]) for name in ("shares", "means", "answered")}
    given = descent.shown(task, people, **frame)
    places = Places.of_task(task)
    at = _Thresholds.of_task(task, places)
    slopes = np.asarray(state["outer"])[places.questions]
    scores = slopes @ (given @ np.asarray(state["inner"])).T
    p, _ = at.probabilities(scores, np.asarray(state["bounds"])[at.order])
    out = task.of_pairs(places.restored(p).T, place)
    return np.asarray(out / out.sum(axis=1, keepdims=True))
