"""Predictions of everyone's answer to a question, no one's made from their own answer to it."""

from __future__ import annotations

import numpy as np

from lupom.science.estimates import ppi
from lupom.science.estimates.design import Bools, Floats, Ints

# Times the root of the number of learners and the mean variance of a column. Of each question that
# with the least squared error over the folds counts; on the General Social Survey the best is about
# 35 with 200 learners and 31 with 2,000.
PENALTIES = (10.0, 30.0, 90.0)
# Fewer answers than this bend a curve by luck.
MANY = 500


def crossed(x: Floats, values: Floats, answered: Bools, fold: Ints) -> Floats:
    """Return ridge predictions of one question's K values for everyone, (N, K).

    Those who answered are predicted by what other folds answered, all others by the mean over the
    folds' regressions.

    Parameters
    ----------
    x : (N, columns), what is known of everyone, the answers to the question not among it.
    values : (N, K), read where answered, (N). fold : (N), from 0.
    """
    n, width = len(x), values.shape[1]
    folds = np.unique(fold[answered])
    if len(folds) < 2:
        return np.full((n, width), np.nan)
    parts = [_moments(x, values, answered & (fold == k)) for k in folds]
    total = [sum(kind) for kind in zip(*parts, strict=True)]
    out = np.zeros((len(PENALTIES), n, width))
    others = np.flatnonzero(~answered)
    for k, part in zip(folds, parts, strict=True):
        count, sx, sy, gram, product = (t - own for t, own in zip(total, part, strict=True))
        mean, level = sx / count, sy / count
        g = gram - count * np.outer(mean, mean)
        b = product - count * np.outer(mean, level)
        unit = float(np.trace(g)) / max(len(g), 1) / np.sqrt(count) or 1.0
        held = np.flatnonzero(answered & (fold == k))
        for i, penalty in enumerate(PENALTIES):
            slope = np.linalg.solve(g + penalty * unit * np.eye(len(g)), b)
            out[i, held] = level + (x[held] - mean) @ slope
            out[i, others] += (level + (x[others] - mean) @ slope) / len(folds)
    errors = [np.square(p[answered] - values[answered]).sum() for p in out]
    return np.asarray(out[int(np.argmin(errors))])


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


def _moments(x: Floats, y: Floats, here: Bools) -> tuple[float, Floats, Floats, Floats, Floats]:
    x, y = x[here], y[here]
    return float(len(x)), x.sum(axis=0), y.sum(axis=0), x.T @ x, x.T @ y
