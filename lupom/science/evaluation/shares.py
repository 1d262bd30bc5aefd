"""Shares of answers by question and group, given and predicted, in every draw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lupom.science.evaluation.bootstrap import Draws, Floats, Ints
from lupom.science.evaluation.sample import Judged


@dataclass(frozen=True)
class Scale:
    """A question's options: how many, and positions from 0 to 1 (None where they have no order)."""

    width: int
    positions: Floats | None

    @property
    def name(self) -> tuple[int, bytes]:
        """Return what scales that are the same share."""
        return self.width, b"" if self.positions is None else self.positions.tobytes()


@dataclass(frozen=True)
class Cells:
    """What is known of each group's predictions of each question (C), by group and question.

    Attributes
    ----------
    group, question : (C).
    n, n_eff : (C), predictions, and how many people with an equal say would carry as far.
    similarity : (C, draws), of the shares predicted and given.
    given, predicted : (C, draws), variances of the answers given and predicted.
    rows, cell : the predictions that entered, and the cell of each.
    """

    group: Ints
    question: Ints
    n: Ints
    n_eff: Floats
    similarity: Floats
    given: Floats
    predicted: Floats
    rows: Ints
    cell: Ints


class Counter:
    """Counts the answers of a sample's people in every draw."""

    def __init__(self, scales: Sequence[Scale | None], draws: Draws, weights: Floats) -> None:
        """Take the scale of each question (None: left out), and everybody's weight."""
        self._draws = draws
        self._weights = weights
        names = sorted({scale.name for scale in scales if scale is not None})
        self._scales = {s.name: s for s in scales if s is not None}
        # The same scales are counted and compared at once, whatever the number of questions.
        self._names = names
        self._of = np.array([-1 if s is None else names.index(s.name) for s in scales], dtype=int)
        self._last: dict[tuple[int, bytes], tuple[Ints, Ints, Floats, Floats]] = {}

    def cells(self, judged: Judged, spread: Floats, group: Ints) -> Cells:
        """Return the cells of a predictor and a division of people into groups.

        Parameters
        ----------
        spread : (predictions, width), predicted probabilities.
        group : (people), from 0; -1 for those in none.
        """
        inside = (group[judged.person] >= 0) & (self._of[judged.question] >= 0)
        rows = np.flatnonzero(inside)
        person, question = judged.person[rows], judged.question[rows]
        count = len(self._of)
        found, cell = np.unique(group[person] * count + question, return_inverse=True)
        shape = len(found), len(self._draws.counts)
        values = np.empty(shape), np.empty(shape), np.empty(shape)
        kind = self._of[question]
        for place, name in enumerate(self._names):
            mine = np.flatnonzero(kind == place)
            if not len(mine):
                continue
            at, own = np.unique(cell[mine], return_inverse=True)
            for out, told in zip(
                values,
                self._compared(judged, spread, rows[mine], own, len(at), self._scales[name]),
                strict=True,
            ):
                out[at] = told
        say = self._weights[person]
        one, two = np.bincount(cell, say, len(found)), np.bincount(cell, say**2, len(found))
        carried = np.divide(one**2, two, out=np.zeros(len(found)), where=two > 0)
        n = np.bincount(cell, minlength=len(found))
        return Cells(found // count, found % count, n, carried, *values, rows, cell)

    def _compared(
        self, judged: Judged, spread: Floats, rows: Ints, cell: Ints, count: int, scale: Scale
    ) -> tuple[Floats, Floats, Floats]:
        """Return similarity and variances of `count` cells of questions on one scale."""
        width, person = scale.width, judged.person[rows]
        truth = judged.numbers["truth_code"][rows].astype(np.int64) - 1
        guess = np.nan_to_num(judged.numbers["answer_code"][rows]).astype(np.int64) - 1
        valid = np.flatnonzero(guess >= 0)
        first, size = cell * width, count * width
        given, of_given = self._answered(first + truth, person, size, scale)
        columns = np.concatenate([np.repeat(person, width), person[valid]])
        amount = np.concatenate([spread[rows, :width].ravel(), np.ones(len(valid))])
        places = [(first[:, None] + np.arange(width)).ravel(), size + (first + guess)[valid]]
        data = amount * self._weights[columns]
        sums = self._draws.of_cells(np.concatenate(places), columns, data, 2 * size)
        predicted, answers = _shares(sums.reshape(2, count, width, -1))
        return (
            similarity(given, predicted, scale.positions),
            of_given,
            variance(answers, scale.positions),
        )

    def _answered(
        self, place: Ints, person: Ints, size: int, scale: Scale
    ) -> tuple[Floats, Floats]:
        """Return the shares of answers given, (cells, options, draws), and their variances.

        Predictors mostly have the same pairs, so that those of the last one stay for the next.
        """
        last = self._last.get(scale.name)
        if last is None or not (np.array_equal(last[0], place) and np.array_equal(last[1], person)):
            sums = self._draws.of_cells(place, person, self._weights[person], size)
            given = _shares(sums.reshape(size // scale.width, scale.width, -1))
            last = place, person, given, variance(given, scale.positions)
            self._last[scale.name] = last
        return last[2], last[3]


def similarity(given: Floats, predicted: Floats, positions: Floats | None) -> Floats:
    """Return 1 minus the distance of two distributions over a question's options, (..., draws).

    Parameters
    ----------
    given, predicted : shares, (..., options, draws).
    positions : (options) from 0 to 1, NaN for options outside of the order, which are left out;
        None for options without an order.
    """
    if positions is None:
        return np.asarray(1.0 - np.abs(given - predicted).sum(axis=-2) / 2.0)
    there = np.flatnonzero(np.isfinite(positions))
    there = there[np.argsort(positions[there], kind="stable")]
    apart = _among(given, there) - _among(predicted, there)
    out = np.ones((*apart.shape[:-2], apart.shape[-1]))
    beyond = np.zeros_like(out)
    # Draws lie side by side, and options are few: one pass over these, none over so short an axis.
    for i, step in enumerate(np.diff(positions[there])):
        beyond += apart[..., i, :]
        out -= step * np.abs(beyond)
    return out


def variance(shares: Floats, positions: Floats | None) -> Floats:
    """Return the variance of answers, (..., draws): of positions, or 1 minus the squared shares.

    Parameters
    ----------
    shares : (..., options, draws).
    """
    if positions is None:
        return np.asarray(1.0 - np.square(shares).sum(axis=-2))
    there = np.flatnonzero(np.isfinite(positions))
    kept = _among(shares, there)
    mean = positions[there] @ kept
    return np.asarray(np.square(positions[there]) @ kept - np.square(mean))


def _among(shares: Floats, options: Ints) -> Floats:
    """Return shares among some options, in their order."""
    if len(options) == shares.shape[-2]:
        return shares if (np.diff(options) > 0).all() else shares[..., options, :]
    return _shares(shares[..., options, :])


def _shares(sums: Floats) -> Floats:
    """Return what each is of the sum over options, the last axis but one; NaN where it is 0."""
    totals = sums.sum(axis=-2, keepdims=True)
    return np.asarray(sums / np.where(totals > 0, totals, np.nan))
