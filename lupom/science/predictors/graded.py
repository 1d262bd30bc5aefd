"""The graded response model: a few traits of a person, and options in their order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lupom.science.predictors import descent
from lupom.science.predictors.descent import Adam, Hiding, Singles
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
    """Where questions' thresholds are: one fewer than options, each below an option but the first.

    Attributes
    ----------
    first : (Q), each question's first option among all.
    starts : (Q), each question's first threshold among all; of a question of one option, none.
    of, option : (T), the question of each threshold, and the option it is below.
    """

    first: Ints
    starts: Ints
    of: Ints
    option: Ints
    options: int

    @classmethod
    def of_task(cls, task: Task) -> _Thresholds:
        sizes = np.diff(task.offsets)
        of = np.repeat(np.arange(len(sizes)), np.maximum(sizes - 1, 0))
        starts = np.concatenate([[0], np.cumsum(np.maximum(sizes - 1, 0))])[:-1]
        level = np.arange(len(of)) - starts[of] + 1
        first = task.offsets[:-1]
        return cls(first, starts, of, first[of] + level, int(task.offsets[-1]))

    def probabilities(self, scores: Singles, bounds: Singles) -> tuple[Singles, Singles]:
        """Return each option's probability, (n, options), and of each threshold to be passed.

        Samejima 1969: that of an option is the probability to pass the threshold below it less that
        to pass the one above. Scores (n, Q), bounds (T).
        """
        passed = 1.0 / (1.0 + np.exp(-(scores[:, self.of] + bounds)))
        above = np.zeros((len(scores), self.options), dtype=np.float32)
        above[:, self.option - 1] = passed
        below = np.ones_like(above)
        below[:, self.option] = passed
        return np.maximum(below - above, LEAST), passed


def _fit(task: Task, seed: int = 0) -> State:
    learned = Hiding(task)
    at = _Thresholds.of_task(task)
    rng = np.random.default_rng(seed)
    traits = rng.standard_normal((learned.width, TRAITS), dtype=np.float32) * np.float32(0.05)
    slopes = rng.standard_normal((len(task.questions), TRAITS), dtype=np.float32) * np.float32(0.3)
    # Shares of those who gave an option or one after it: bounds of people who are all alike.
    total = np.concatenate([np.cumsum(learned.shares[::-1])[::-1], [0.0]])
    ends = total[task.offsets[1:]]
    passed = np.clip(total[at.option] - ends[at.of], 1e-4, 1 - 1e-4)
    bounds = np.log(passed / (1.0 - passed)).astype(np.float32)
    shrink = descent.decay(learned.people)
    adam = Adam((traits, slopes, bounds), (shrink, shrink, 0.0), RATE, learned.steps)
    for given, right, asked in learned.each(rng):
        people = given @ traits
        p, passing = at.probabilities(people @ slopes.T, bounds)
        wanted = right * asked.astype(np.float32)[:, learned.of] / (p * np.float32(len(given)))
        # The slope of the log loss in what passes a threshold: the option above it gains, that
        # below it loses.
        slope = (wanted[:, at.option - 1] - wanted[:, at.option]) * passing * (1.0 - passing)
        by_question = _sums(slope, at, len(slopes))
        adam.step((given.T @ (by_question @ slopes), by_question.T @ people, slope.sum(axis=0)))
    return {
        "inner": traits,
        "outer": slopes,
        "bounds": bounds,
        "shares": learned.shares,
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
    scores = given @ np.asarray(state["inner"]) @ np.asarray(state["outer"]).T
    p, _ = _Thresholds.of_task(task).probabilities(scores, np.asarray(state["bounds"]))
    out = task.of_pairs(p, place)
    return np.asarray(out / out.sum(axis=1, keepdims=True))


def _sums(slope: Singles, at: _Thresholds, questions: int) -> Singles:
    """Return the sum over each question's thresholds, (n, Q); of a question without one, 0."""
    out = np.zeros((len(slope), questions), dtype=np.float32)
    having, first = np.unique(at.of, return_index=True)
    if len(having):
        out[:, having] = np.add.reduceat(slope, first, axis=1)
    return out
