"""Predictions of everyone's answer to a question, no one's made from their own answer to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

# Here and not where it is used: libraries that are loaded later would not be kept to one thread.
from scipy.linalg import cho_factor, cho_solve

from lupom.science.estimates import ppi
from lupom.science.estimates.design import Bools, Floats, Ints

# Times the root of the number of learners and the mean variance of a column. Of each question that
# with the least squared error over the folds counts; on the General Social Survey the best is about
# 35 with 200 learners and 31 with 2,000.
PENALTIES = (10.0, 30.0, 90.0)
# Columns are in standard deviations, or 0 and 1.
ROUNDING = 1e-9
# Fewer answers than this bend a curve by luck.
MANY = 500
# Of more columns than MOST a regression takes TAKEN. The General Social Survey has 140, a survey of
# 80 questions 300. With 700 of a survey that follows five factors, the 200 that tell most explain
# .339 of the variance, 300 of them .338, and all .330.
MOST, TAKEN = 300, 200


def crossed(
    x: Floats,
    values: Floats,
    answered: Bools,
    fold: Ints,
    columns: Sequence[Ints] | None = None,
) -> Floats:
    """Return ridge predictions of one question's K values for everyone, (N, K).

    Those who answered are predicted by what other folds answered, all others by the mean over the
    folds' regressions.

    Parameters
    ----------
    x : (N, columns), what is known of everyone, the answers to the question not among it.
    values : (N, K), read where answered, (N). fold : (N), from 0.
    columns : those that the regression for each fold takes, in order, as `telling` has them; None
        is all.
    """
    n, width = len(x), values.shape[1]
    folds = np.unique(fold[answered])
    if len(folds) < 2:
        return np.full((n, width), np.nan)
    of_fold = [answered & (fold == k) for k in folds]
    # Where columns are one after the other in memory, people are taken out of each.
    by_column = x.flags.f_contiguous
    parts = [x.T.compress(here, axis=1).T if by_column else x[here] for here in of_fold]
    told = [values[here] for here in of_fold]
    count = np.array([float(len(part)) for part in parts])
    sx, sy = (np.array([part.sum(axis=0) for part in of]) for of in (parts, told))
    product = np.array([part.T @ y for part, y in zip(parts, told, strict=True)])
    grams = [part.T @ part for part in parts]
    whole = [total.sum(axis=0) for total in (count, sx, sy, product)]
    total_gram = np.sum(grams, axis=0)
    out = np.zeros((len(PENALTIES), n, width))
    every = np.zeros((x.shape[1], len(PENALTIES), width))
    shifts = np.zeros((len(PENALTIES), width))
    for k, held in enumerate(of_fold):
        own = np.arange(x.shape[1]) if columns is None else columns[k]
        left = whole[0] - count[k]
        mean, level = (whole[1] - sx[k])[own] / left, (whole[2] - sy[k]) / left
        g = (total_gram - grams[k])[np.ix_(own, own)] - left * np.outer(mean, mean)
        b = (whole[3] - product[k])[own] - left * np.outer(mean, level)
        slopes = np.zeros_like(every)
        slopes[own] = _ridges(g, b, left)
        shift = level - np.tensordot(mean, slopes[own], axes=1)
        out[:, held] = _said(parts[k], slopes, shift)
        every += slopes / len(folds)
        shifts += shift / len(folds)
    out[:, ~answered] = _said(x[~answered], every, shifts)
    errors = [np.square(p[answered] - values[answered]).sum() for p in out]
    return np.asarray(out[int(np.argmin(errors))])


@dataclass(frozen=True)
class Moments:
    """What columns and the answers to one question sum to in each fold.

    Attributes
    ----------
    count : who answered, (folds).
    x, y : sums of columns and of values over them, (folds, columns) and (folds, K).
    product : of both, (folds, columns, K).
    """

    count: Floats
    x: Floats
    y: Floats
    product: Floats


def moments(
    x: Floats, questions: Sequence[tuple[Floats, Bools]], fold: Ints, folds: int
) -> list[Moments]:
    """Return the moments of several questions, whose products with all columns are one.

    Parameters
    ----------
    x : (N, columns). fold : (N), from 0. folds : how many.
    questions : of each the values, (N, K), read where answered, and who answered, (N).
    """
    table = np.hstack(
        [
            np.hstack([answered[:, None], np.where(answered[:, None], values, 0.0)])
            for values, answered in questions
        ]
    )
    ends = np.cumsum([values.shape[1] + 1 for values, _ in questions])
    sums, products = [], []
    for k in range(folds):
        own = table[fold == k]
        sums.append(own.sum(axis=0))
        products.append(x.T.compress(fold == k, axis=1) @ own)
    every, product = np.array(sums), np.array(products)
    return [
        Moments(
            every[:, end - width - 1],
            product[:, :, end - width - 1],
            every[:, end - width : end],
            product[:, :, end - width : end],
        )
        for end, width in zip(ends, (values.shape[1] for values, _ in questions), strict=True)
    ]


def telling(of: Moments, spread: Floats, most: int = TAKEN) -> list[Ints]:
    """Return for each fold in which anybody answered the columns that tell most of what the other
    folds answered, in order.

    Those are the ones that explain most of the variance each alone. A regression on a few hundred
    costs a survey as much for each further question; one on all, the cube of their number.

    Parameters
    ----------
    of : moments of all folds. spread : (columns), their variances.
    """
    out = []
    for k in np.flatnonzero(of.count):
        count, sx, sy, product = (
            part.sum(axis=0) - part[k] for part in (of.count, of.x, of.y, of.product)
        )
        told = np.square(product - np.outer(sx, sy) / count).sum(axis=1)
        told = np.divide(told, spread, out=np.zeros_like(told), where=spread > 1e-12)
        out.append(np.sort(np.argsort(-told, kind="stable")[:most]))
    return out


def _said(x: Floats, slopes: Floats, shift: Floats) -> Floats:
    """Return predictions by each penalty, (penalties, n, K)."""
    told = x @ slopes.reshape(len(slopes), shift.size)
    return (told.reshape(len(x), *shift.shape) + shift).transpose(1, 0, 2)


def _ridges(g: Floats, b: Floats, count: float) -> Floats:
    """Return the slopes of each penalty, (columns, penalties, K)."""
    unit = float(np.trace(g)) / max(len(g), 1) / np.sqrt(count)
    # Of people who are alike in all columns what is left of the squares is rounding, of any sign.
    if unit <= ROUNDING:
        unit = 1.0
    out = np.zeros((len(b), len(PENALTIES), b.shape[1]))
    for i, penalty in enumerate(PENALTIES if len(g) else ()):
        raised = g + penalty * unit * np.eye(len(g))
        factor = cho_factor(raised, lower=True, overwrite_a=True, check_finite=False)
        out[:, i] = cho_solve(factor, b, check_finite=False)
    return out


def bent(p: Floats, values: Floats, answered: Bools, fold: Ints) -> Floats:
    """Return predictions as a cubic of what they were, where that is nearer to the answers.

    A regression on 0 and 1 is straight where shares are curved: near 0 and 1 it says too much, in
    between too little. On the General Social Survey that is worth .02 of explained variance for
    questions on abortion, and nothing for others. With few answers it is not tried.

    Parameters
    ----------
    p, values : (N, K). answered, fold : (N), as `crossed` has them.
    """
    if answered.sum() < MANY:
        return p
    weights = np.ones(len(p))
    found = ppi.calibrate(values, answered, np.hstack([p, p**2, p**3]), weights, fold)
    errors = [np.square(q[answered] - values[answered]).sum() for q in (p, found)]
    return found if errors[1] < errors[0] else p


def as_shares(p: Floats) -> Floats:
    """Return predictions within 0 and 1 that sum to 1, (N, K).

    A regression does not know that there is nothing beyond; that alone is worth 2 % of the
    effective sample where nine in ten give one answer.
    """
    inside = np.clip(p, 0.0, 1.0)
    total = inside.sum(axis=1, keepdims=True)
    return np.asarray(np.divide(inside, total, out=inside, where=total > 0))
