"""Answers as columns that others are predicted from: options, or places on a scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow.compute as pc

from lupom.science.inputs import arrow
from lupom.science.planning.moments import Cells
from lupom.science.planning.options import Singles
from lupom.science.predictors.task import Bools, Floats, Ints, Task

# Standard deviation of a place: that of an option which half of the people give.
SPREAD = 0.5
# Steps that a scale has at least: of fewer there are hardly more options than columns.
FEWEST = 5
# What is less of the first of a scale's columns is rounding.
ROUNDING = 1e-6


@dataclass(frozen=True)
class Columns:
    """What the answers to questions are read as, and the columns after them (attributes, numbers).

    A scale is read as its places, and their squares, for what is more or less likely in the middle
    than at both ends, and as each option without a place; another question, and one with as few
    options, as its options.

    Attributes
    ----------
    parts : of each question its columns by option, (K, columns); None is the options themselves.
    sizes : (Q), numbers of options.
    """

    parts: tuple[Floats | None, ...]
    sizes: Ints

    @cached_property
    def offsets(self) -> Ints:
        """Return where each question's columns begin, (Q + 1)."""
        wide = [
            size if part is None else part.shape[1]
            for part, size in zip(self.parts, self.sizes, strict=True)
        ]
        return np.concatenate([[0], np.cumsum(wide)]).astype(np.int64)

    @cached_property
    def owner(self) -> Ints:
        """Return the question of each column that is an answer's."""
        return np.repeat(np.arange(len(self.sizes)), np.diff(self.offsets))

    @cached_property
    def free(self) -> Ints:
        """Return how many columns of each question say all that its columns do, (Q)."""
        some = zip(self.parts, self.sizes, strict=True)
        return np.array([s - 1 if part is None else part.shape[1] for part, s in some])

    @cached_property
    def squares(self) -> Bools:
        """Return which columns of answers are squares of a scale's places, (columns)."""
        out = np.zeros(int(self.offsets[-1]), dtype=bool)
        scales = [q for q, part in enumerate(self.parts) if part is not None]
        out[self.offsets[scales] + 1] = True
        return out

    def of(self, question: int) -> slice:
        """Return where a question's columns are."""
        return slice(int(self.offsets[question]), int(self.offsets[question + 1]))

    def values(self, question: int, codes: Ints) -> Floats:
        """Return a question's columns, (n, columns), of the options given."""
        part = self.parts[question]
        return (np.eye(int(self.sizes[question])) if part is None else part)[codes]

    def read(self, codes: Ints, after: Singles) -> Singles:
        """Return all columns of people, 0 where there is no answer, with those after them."""
        out = np.zeros((len(codes), int(self.offsets[-1]) + after.shape[1]), dtype=np.float32)
        out[:, int(self.offsets[-1]) :] = after
        for question in range(codes.shape[1]):
            there = codes[:, question] >= 0
            out[there, self.of(question)] = self.values(question, codes[there, question])
        return out

    def within(self, covariance: Floats) -> Floats:
        """Return the covariance of columns by that of options (and what is after them)."""
        width, wide = int(self.sizes.sum()), int(self.offsets[-1])
        more = len(covariance) - width
        turn = np.zeros((len(covariance), wide + more))
        turn[width:, wide:] = np.eye(more)
        starts = np.concatenate([[0], np.cumsum(self.sizes)])
        for question, size in enumerate(self.sizes):
            own = slice(int(starts[question]), int(starts[question + 1]))
            turn[own, self.of(question)] = self.values(question, np.arange(size))
        return np.asarray(turn.T @ covariance @ turn)


def columns(people: Cells, scales: Sequence[Floats | None] | None = None) -> Columns:
    """Return what people's answers are read as.

    Parameters
    ----------
    scales : of each question the positions of its options, nan for one with none; None where it is
        no scale, and for all.
    """
    sizes = np.diff(people.offsets)
    parts: list[Floats | None] = [None] * len(sizes)
    for question, place in enumerate(scales or ()):
        if place is not None:
            codes = people.codes[:, question]
            counts = np.bincount(codes[codes >= 0], minlength=int(sizes[question]))
            parts[question] = _places(place, counts.astype(np.float64))
    return Columns(tuple(parts), sizes)


def scales(task: Task, questions: Any) -> list[Floats | None]:
    """Return of each question the positions of its options, nan for one with none; None of others.

    Parameters
    ----------
    questions : survey, question_id, options and ordinal; without `ordinal` there are no scales.
    """
    table = arrow(questions)
    if "ordinal" not in table.column_names:
        return [None] * len(task.questions)
    own = table.filter(pc.equal(table["survey"], task.survey))
    rows = own.select(["question_id", "options", "ordinal"]).to_pylist()
    found = {
        r["question_id"]: dict(zip(r["options"], r["ordinal"] or (), strict=False)) for r in rows
    }
    out: list[Floats | None] = []
    for question, options in zip(task.questions, task.options, strict=True):
        places = [found[question].get(option) for option in options]
        some = {place for place in places if place is not None}
        # One position for all options says that they are no scale.
        out.append(np.array(places, dtype=np.float64) if len(some) > 1 else None)
    return out


def _places(place: Floats, counts: Floats) -> Floats | None:
    """Return a scale's columns by option, (K, columns); None where steps are few.

    Places are the normal scores of ranks, so that it does not matter how far apart the codes are.
    """
    # As scipy.stats has them, which takes a second to import.
    from scipy.special import ndtri

    on = np.isfinite(place)
    steps, at = np.unique(place[on], return_inverse=True)
    if len(steps) < FEWEST or not counts[on].sum():
        return None
    many = np.bincount(at, counts[on], len(steps)) + 1.0 / len(steps)
    score = ndtri((many.cumsum() - many / 2) / many.sum())
    share = many / many.sum()
    out = []
    for one in (score, score**2):
        centred = one - share @ one
        column = np.zeros(len(place))
        column[on] = (centred / np.sqrt(share @ centred**2) * SPREAD)[at]
        out.append(column)
    return np.column_stack([*out, np.eye(len(place))[:, ~on]])


def orthonormal(part: Floats | None, kept: Bools, share: Floats) -> Floats:
    """Return what options are told by, (K, R), for a regression of each: of mean 0 and variance 1.

    Parameters
    ----------
    part : a scale's columns by option; None is each option by itself, of variance 1 / share.
    kept : (options), which there are. share : (K), of those.
    """
    if part is None:
        return np.diag(1 / np.sqrt(share))
    root = np.sqrt(share)[:, None]
    centred = part[kept] - share @ part[kept]
    turned, of = np.linalg.qr(centred * root)
    size = np.abs(np.diag(of))
    return np.asarray((turned / root)[:, size > ROUNDING * max(float(size.max()), 1e-300)])
