"""Stochastic descent for predictors that learn hidden answers from shown ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from lupom.science.predictors.task import HIDDEN, Bools, Ints, Task

Singles = npt.NDArray[np.float32]

BATCH = 128
# Steps: twice the number of people, between these. With 1,000 instead of 300 the autoencoder's log
# loss of 30 people is .02 worse, and of 300 people .002 better.
LEAST_STEPS, MOST_STEPS = 300, 1000
# What share of a person's known answers is hidden in a step, drawn between these. From .1 to .7 the
# autoencoder is .006 worse.
HIDE = (0.05, 0.4)
# In one step of ten a person's attributes are hidden as well.
DROP_ATTRIBUTES = 0.1
# Weights decay by this over the number of people learned from: a prior of the same strength however
# many they are. Of 30, 100, 300 and 1,500 people decays of 10, 5, 2 and .5 were best.
DECAY, MOST_DECAY = 600.0, 10.0

_MEAN, _SQUARE, _LITTLE = 0.9, 0.99, 1e-8


def decay(people: int) -> float:
    """Return by how much weights decay when learned from so many people."""
    return min(DECAY / max(people, 1), MOST_DECAY)


class Adam:
    """Adam (Kingma and Ba 2015) with decay apart from the slopes (Loshchilov and Hutter 2019).

    The rate falls to 0 over the steps in a straight line. Weights are changed in place.
    """

    def __init__(
        self, weights: Sequence[Singles], decays: Sequence[float], rate: float, steps: int
    ) -> None:
        self._weights = weights
        self._decays = decays
        self._rate = rate
        self._steps = steps
        self._means = [np.zeros_like(w) for w in weights]
        self._squares = [np.zeros_like(w) for w in weights]
        self._step = 0

    def step(self, slopes: Sequence[Singles]) -> None:
        """Move against the slopes, one for each of the weights."""
        self._step += 1
        rate = self._rate * (1.0 - self._step / (self._steps + 1))
        for w, m, v, g, shrink in zip(
            self._weights, self._means, self._squares, slopes, self._decays, strict=True
        ):
            m *= np.float32(_MEAN)
            m += np.float32(1.0 - _MEAN) * g
            v *= np.float32(_SQUARE)
            v += np.float32(1.0 - _SQUARE) * np.square(g)
            size = np.sqrt(v / np.float32(1.0 - _SQUARE**self._step))
            size += np.float32(_LITTLE)
            move = m / size
            move *= np.float32(rate / (1.0 - _MEAN**self._step))
            w *= np.float32(1.0 - rate * shrink)
            w -= move


class Hiding:
    """A survey's reference respondents, of whom some known answers are hidden in each step.

    Attributes
    ----------
    starts : (Q), where each question's options begin among all options.
    of : (options), the question of each.
    shares, means : (options) and (attributes), what is taken from answers and attributes.
    people : how many are learned from.
    steps : how many steps to take.
    """

    def __init__(self, task: Task) -> None:
        learned = np.flatnonzero(task.reference)
        attributes = task.attributes[learned]
        self.starts = task.offsets[:-1]
        self.of = task.owner
        self.shares = task.shares().astype(np.float32)
        self.means = np.asarray(attributes.sum(axis=0) / max(len(learned), 1), dtype=np.float32)
        self.people = len(learned)
        self.steps = min(max(2 * len(learned), LEAST_STEPS), MOST_STEPS) if len(learned) else 0
        self._known = task.known[learned].astype(np.float32)
        self._told = (task.answers[learned] != HIDDEN) & task.answered
        self._about = (attributes - self.means).astype(np.float32)

    @property
    def width(self) -> int:
        """Return the number of options and attributes."""
        return len(self.of) + len(self.means)

    def each(self, rng: np.random.Generator) -> Iterator[tuple[Singles, Singles, Bools]]:
        """Yield what is shown, what is right and what is asked, in each step.

        Shapes (batch, width): answers shown and attributes less their means, 0 where hidden (the
        array is used again in the next step); (batch, options), 0 and 1; (batch, Q), the known
        answers that are hidden.
        """
        batch, options = min(BATCH, self.people), len(self.of)
        shown = np.empty((batch, self.width), dtype=np.float32)
        for rows in self._batches(batch, rng):
            right, told = self._known[rows], self._told[rows]
            share = rng.uniform(*HIDE, size=(batch, 1))
            hidden = rng.random((batch, told.shape[1]), dtype=np.float32) < share
            np.subtract(right, self.shares, out=shown[:, :options])
            # NumPy takes 17 times as long for a product of numbers with truth values.
            shown[:, :options] *= (told & ~hidden).astype(np.float32)[:, self.of]
            kept = (rng.random((batch, 1)) >= DROP_ATTRIBUTES).astype(np.float32)
            np.multiply(self._about[rows], kept, out=shown[:, options:])
            yield shown, right, told & hidden

    def _batches(self, batch: int, rng: np.random.Generator) -> Iterator[Ints]:
        """Yield the people of each step: all in an order that is drawn, and again."""
        left = np.empty(0, dtype=np.int64)
        for _ in range(self.steps):
            if len(left) < batch:
                left = rng.permutation(self.people)
            yield left[:batch]
            left = left[batch:]


def shown(task: Task, people: Ints, *, shares: Singles, means: Singles, answered: Bools) -> Singles:
    """Return some people's known answers and attributes less their means, (n, width).

    Parameters
    ----------
    shares, means, answered : as they were when learned; an answer to a question that nobody had
        answered is not shown.
    """
    there = ((task.answers[people] != HIDDEN) & answered)[:, task.owner]
    told = np.where(there, task.known[people].astype(np.float32) - shares, np.float32(0))
    return np.hstack([told, task.attributes[people].astype(np.float32) - means])
