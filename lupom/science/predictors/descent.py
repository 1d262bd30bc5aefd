"""Stochastic descent for predictors that learn hidden answers from shown ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

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
# Blocks of options beyond which one product with all is faster.
_BLOCKS = 12

_MEAN, _SQUARE, _LITTLE = 0.9, 0.99, 1e-8


def decay(people: int) -> float:
    """Return by how much weights decay when learned from so many people."""
    return min(DECAY / max(people, 1), MOST_DECAY)


class Adam:
    """Adam (Kingma and Ba 2015) with decay apart from the slopes (Loshchilov and Hutter 2019).

    The rate falls to 0 over the steps in a straight line.

    Attributes
    ----------
    weights : those that were given, beside each other in memory; they are changed in place.
    """

    def __init__(
        self, weights: Sequence[Singles], decays: Sequence[float], rate: float, steps: int
    ) -> None:
        self._all, self.weights = _beside(weights)
        self._slope, self._slopes = _beside(weights)
        self._mean, self._square = np.zeros_like(self._all), np.zeros_like(self._all)
        self._size, self._part = np.empty_like(self._all), np.empty_like(self._all)
        self._decays = decays
        self._rate = rate
        self._steps = steps
        self._step = 0

    def step(self, slopes: Sequence[Singles]) -> None:
        """Move against the slopes, one for each of the weights."""
        self._step += 1
        rate = self._rate * (1.0 - self._step / (self._steps + 1))
        for own, slope in zip(self._slopes, slopes, strict=True):
            own[...] = slope
        # All weights at once: of small networks calls to NumPy are most of the time.
        mean, square, size, part = self._mean, self._square, self._size, self._part
        mean *= np.float32(_MEAN)
        mean += np.multiply(self._slope, np.float32(1.0 - _MEAN), out=part)
        square *= np.float32(_SQUARE)
        np.square(self._slope, out=part)
        square += np.multiply(part, np.float32(1.0 - _SQUARE), out=part)
        np.sqrt(np.divide(square, np.float32(1.0 - _SQUARE**self._step), out=size), out=size)
        size += np.float32(_LITTLE)
        np.divide(mean, size, out=part)
        part *= np.float32(rate / (1.0 - _MEAN**self._step))
        for own, shrink in zip(self.weights, self._decays, strict=True):
            if shrink:
                own *= np.float32(1.0 - rate * shrink)
        self._all -= part


def _beside(arrays: Sequence[Singles]) -> tuple[Singles, list[Singles]]:
    """Return copies of arrays one after the other, and each of them as a view of that."""
    whole = np.concatenate([array.ravel() for array in arrays]).astype(np.float32)
    ends = np.cumsum([array.size for array in arrays])[:-1]
    parts = np.split(whole, ends)
    return whole, [part.reshape(a.shape) for part, a in zip(parts, arrays, strict=True)]


@dataclass(frozen=True)
class Places:
    """Options by their place in their question: all first ones, then all second ones, and so on.

    Questions with more options come first, so that what is done to each question's options is done
    to a few blocks of rows, people along them. Sums over neighbours in a row, as the questionnaire
    has them, were a fifth of a step's time.

    Attributes
    ----------
    questions : (Q), which question is where.
    order : (options), which option of the questionnaire is where.
    of : (options), the place of each option's question.
    blocks : of each place the first of its rows and how many there are: as many as questions that
        have it.
    """

    questions: Ints
    order: Ints
    of: Ints
    blocks: tuple[tuple[int, int], ...]

    @classmethod
    def of_task(cls, task: Task) -> Places:
        """Return the places of a survey's options."""
        sizes = np.diff(task.offsets)
        questions = np.argsort(-sizes, kind="stable")
        counts = [int((sizes > place).sum()) for place in range(int(sizes.max(initial=0)))]
        of = np.concatenate([np.empty(0, np.int64), *map(np.arange, counts)])
        place = np.repeat(np.arange(len(counts)), counts)
        starts = np.cumsum([0, *counts])[:-1].tolist()
        order = task.offsets[questions[of]] + place
        return cls(questions, order, of, tuple(zip(starts, counts, strict=True)))

    def sums(self, of_options: Singles) -> Singles:
        """Return the sum over each question's options, (Q, n)."""
        out = np.zeros((len(self.questions), of_options.shape[1]), dtype=np.float32)
        if len(self.blocks) > _BLOCKS:
            own = self.of == np.arange(len(out))[:, None]
            return np.asarray(own.astype(np.float32) @ of_options)
        for start, count in self.blocks:
            out[:count] += of_options[start : start + count]
        return out

    def scale(self, of_options: Singles, by: Singles) -> None:
        """Multiply each option's numbers by its question's, (Q, n), in place."""
        if len(self.blocks) > _BLOCKS:
            of_options *= by.take(self.of, axis=0)
            return
        for start, count in self.blocks:
            of_options[start : start + count] *= by[:count]

    def restored(self, of_options: Singles) -> Singles:
        """Return rows in the order of the questionnaire, what is behind the options as it is."""
        out = of_options.copy()
        out[self.order] = of_options[: len(self.order)]
        return out


class Hiding:
    """A survey's reference respondents, of whom some known answers are hidden in each step.

    Options and questions are in the order of `places`.

    Attributes
    ----------
    places : where they are.
    shares, means : (options) and (attributes), what is taken from answers and attributes.
    people : how many are learned from.
    steps : how many steps to take.
    """

    def __init__(self, task: Task) -> None:
        learned = np.flatnonzero(task.reference)
        attributes = task.attributes[learned]
        self.places = Places.of_task(task)
        order, questions = self.places.order, self.places.questions
        self.shares = task.shares().astype(np.float32)[order]
        self.means = np.asarray(attributes.sum(axis=0) / max(len(learned), 1), dtype=np.float32)
        self.people = len(learned)
        self.steps = min(max(2 * len(learned), LEAST_STEPS), MOST_STEPS) if len(learned) else 0
        self._known = task.known[learned].astype(np.float32).take(order, axis=1)
        told = (task.answers[learned] != HIDDEN) & task.answered
        self._told = told.take(questions, axis=1)
        self._about = (attributes - self.means).astype(np.float32)

    @property
    def width(self) -> int:
        """Return the number of options and attributes."""
        return len(self.shares) + len(self.means)

    def each(self, rng: np.random.Generator) -> Iterator[tuple[Singles, Singles, Singles]]:
        """Yield what is shown, what is right and what is asked, in each step.

        Shapes (width, batch): answers shown and attributes less their means, 0 where hidden (the
        array is used again in the next step); (options, batch), 0 and 1; (Q, batch), 1 for the
        known answers that are hidden.
        """
        batch, options = min(BATCH, self.people), len(self.shares)
        shown = np.empty((self.width, batch), dtype=np.float32)
        for rows in self._batches(batch, rng):
            right = np.ascontiguousarray(self._known[rows].T)
            told = self._told[rows]
            share = rng.uniform(*HIDE, size=(batch, 1))
            drawn = rng.random((batch, told.shape[1]), dtype=np.float32)
            hidden = drawn.take(self.places.questions, axis=1) < share
            np.subtract(right, self.shares[:, None], out=shown[:options])
            # NumPy takes 17 times as long for a product of numbers with truth values.
            shows, asked = (
                np.ascontiguousarray(of.T, dtype=np.float32)
                for of in (told & ~hidden, told & hidden)
            )
            self.places.scale(shown[:options], shows)
            kept = (rng.random((batch, 1)) >= DROP_ATTRIBUTES).astype(np.float32)
            np.multiply(self._about[rows].T, kept.T, out=shown[options:])
            yield shown, right, asked

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
