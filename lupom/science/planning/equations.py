"""The regressions of chained equations: what each question's answers are drawn from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lupom.science.planning.choices import Choices
from lupom.science.planning.moments import Moments
from lupom.science.planning.options import Singles
from lupom.science.planning.positions import Columns, orthonormal
from lupom.science.predictors.task import Bools, Floats, Ints

# Ridge of what has coefficients of its own, in answers. With 2 the associations above .6 came out
# .8 of their standard error too strong, with .5 .2.
OWN = 0.5
NEWTON = 8
# Newton's method ends with a step of less, in log odds.
STEP = 0.01


@dataclass(frozen=True)
class Terms:
    """What all sets have in common.

    Attributes
    ----------
    moments : mean and covariance of options and attributes.
    columns : what answers are read as. choices : which questions are choices of one.
    apart : (options, options), which rule each other out.
    nearest : (Q, columns), all columns in the order in which they vary with each question.
    ridge, strongest, most : as `RIDGE`, `STRONGEST` and `COLUMNS` of `imputation`.
    """

    moments: Moments
    columns: Columns
    choices: Choices
    apart: Bools
    nearest: Ints
    ridge: float
    strongest: int
    most: int


class Equations:
    """The regressions of one set.

    Parameters
    ----------
    again : (n), how often each person is learned from.
    """

    def __init__(self, terms: Terms, again: Floats) -> None:
        self.again = again
        self._terms = terms
        # Of each question what was found in the sweep before, to begin with.
        self._found: dict[int, tuple[Ints, Floats]] = {}

    def chances(
        self, values: Singles, read: Singles, question: int, told: Bools, gap: Ints, left: Ints
    ) -> Floats:
        """Return people's probabilities of a question's options from other columns, (gap, K).

        Parameters
        ----------
        values : (n, D), options and attributes as 0 and 1. read : (n, columns), as `Columns` has
            them.
        told : (n), whose answer is known; they are learned from.
        gap : the people whose probabilities are wanted.
        left : questions that are not read, the question itself among them.
        """
        terms = self._terms
        part = terms.moments.columns(question)
        usable = np.ones(read.shape[1], dtype=bool)
        for other in left:
            usable[terms.columns.of(int(other))] = False
        order = terms.nearest[question]
        columns = np.sort(order[usable[order]][: terms.most])
        # Whether none of the choices of one question was given so far; the last of them is, then.
        none, last = terms.choices.none(values, question, left)
        # Of whom all options but one are ruled out nothing is left to be said, nor learned.
        out = self._out(values, part, left, told)
        if none is not None and last:
            out = self._given(out, none, question, told, part)
        open_ = np.ones(len(told), dtype=bool) if out is None else (~out).sum(axis=1) > 1
        learned = np.flatnonzero((self.again > 0) & told & open_)
        w = self.again[learned]
        y = values[learned, part].astype(np.float64)
        total = w.sum()
        kept = np.asarray(y.any(axis=0))
        if total == 0 or kept.sum() < 2:
            # Nobody of those drawn has the answer, or all have the same.
            some = learned if total else np.flatnonzero(told)
            share = values[some, part].mean(axis=0, dtype=np.float64) + 1e-9
            return _allowed(np.tile(share / share.sum(), (len(gap), 1)), out, gap)
        y = y[:, kept]
        share = w @ y / total
        scores = orthonormal(terms.columns.parts[question], kept, share)
        x = read[learned][:, columns]
        mean = (w.astype(np.float32) @ x) / np.float32(total)
        x -= mean
        root = np.sqrt(w).astype(np.float32)[:, None]
        # Sums of products in single precision: the ridge is 10,000 times what they are off by.
        xl = x * root
        gram = (xl.T @ xl).astype(np.float64)
        across = (xl.T @ ((y - share).astype(np.float32) * root)).astype(np.float64)
        spread = np.diag(gram).copy()
        level = float(spread.sum()) / total / max(len(gram), 1) or 1.0
        gram[np.diag_indices_from(gram)] += terms.ridge * level * np.sqrt(total)
        slope = np.linalg.solve(gram, across @ scores)
        # What each column says by itself, in variances of the options.
        says = (slope @ scores.T) ** 2 @ share * spread
        own = np.sort(_strongest(says, columns, terms.columns, terms.strongest))
        # Slopes are not made as they would be to predict others: shrunk so, draws would have weaker
        # associations than people. On the General Social Survey that took .12 from a correlation's
        # Fisher z.
        # log p is near to log share + (mean - share) / share where all columns vary alike.
        slope = (slope @ scores.T).astype(np.float32)

        def parts(x: Singles, rows: Ints) -> tuple[Floats, Floats]:
            design = x[:, own].astype(np.float64)
            if none is not None and not last:
                design = np.hstack([design, none[rows, None]])
            return (x @ slope).astype(np.float64), design

        before, theta = self._found.get(question, (None, None))
        index, design = parts(x, learned)
        if before is None or not np.array_equal(before, columns[own]):
            theta = None
        # Each option has own coefficients, a scale one for its places and one for their squares.
        told_by = scores if terms.columns.parts[question] is not None else np.eye(len(share))
        theta = _logistic(index, design, y, w, share, told_by, theta)
        self._found[question] = columns[own], theta
        p = np.zeros((len(gap), part.stop - part.start))
        p[:, kept] = _softmax(_logits(theta, *parts(read[gap][:, columns] - mean, gap), told_by))
        return _allowed(p, out, gap)

    def _out(self, values: Singles, part: slice, left: Ints, told: Bools) -> Bools | None:
        """Return which options others rule out, (n, K), by what is read; None where none do."""
        moments = self._terms.moments
        apart = self._terms.apart[:, part]
        rows = np.flatnonzero(apart.any(axis=1) & ~np.isin(moments.owner, left))
        if not len(rows):
            return None
        out = values[:, rows] @ apart[rows].astype(np.float32) > 0
        # What is told stands, and of whom all is ruled out nothing is.
        out &= ~((values[:, part] > 0) & told[:, None])
        return np.asarray(out & ~out.all(axis=1, keepdims=True))

    def _given(
        self, out: Bools | None, none: Bools, question: int, told: Bools, part: slice
    ) -> Bools:
        """Return which options are ruled out where the last choice of one question is given."""
        if out is None:
            out = np.zeros((len(none), part.stop - part.start), dtype=bool)
        out = out.copy()
        out[none, self._terms.choices.not_given[question]] = True
        return np.asarray(out & ~out.all(axis=1, keepdims=True))


def _allowed(p: Floats, out: Bools | None, rows: Ints) -> Floats:
    """Return probabilities of some rows, of options that are not ruled out of them alone."""
    if out is None:
        return p
    left = np.where(out[rows], 0.0, p + 1e-12)
    return np.asarray(left / left.sum(axis=1, keepdims=True))


def _strongest(says: Floats, columns: Ints, all_: Columns, count: int) -> Ints:
    """Return the places of the columns that say most, of each question as many as say all.

    Parameters
    ----------
    says : what each says. columns : which of all columns each is.
    """
    left = dict(enumerate(all_.free))
    out: list[int] = []
    for place in np.argsort(-says, kind="stable"):
        if len(out) == count or says[place] <= 0:
            break
        column = int(columns[place])
        if column < len(all_.owner):
            question = int(all_.owner[column])
            if not left[question]:
                continue
            left[question] -= 1
        out.append(int(place))
    return np.array(out, dtype=np.int64)


def _logistic(
    index: Floats,
    x: Floats,
    t: Floats,
    w: Floats,
    share: Floats,
    scores: Floats,
    theta: Floats | None,
) -> Floats:
    """Return parameters of probabilities exp(a_k + b index_k + scores_k c x), of most likelihood.

    By Newton's method; a and b are free, c has a ridge of `OWN`.

    Parameters
    ----------
    index : (n, K). x : (n, F), own columns. t, w : answers, (n, K), and weights.
    scores : (K, R). theta : those to begin with: a, c (R, F), and b.
    """
    count, size, ranks = t.shape[1], x.shape[1], scores.shape[1]
    own = slice(count, count + ranks * size)
    penalty = np.zeros(own.stop + 1)
    penalty[own] = OWN
    if theta is None or len(theta) != len(penalty):
        theta = np.zeros(len(penalty))
        theta[:count], theta[-1] = np.log(share), 1.0
    hessian, each = np.empty((len(theta), len(theta))), np.empty((len(x), len(theta)))
    parts = [slice(count + r * size, count + (r + 1) * size) for r in range(ranks)]
    for _ in range(NEWTON):
        p = _softmax(_logits(theta, index, x, scores))
        wp, missed = p * w[:, None], w[:, None] * (t - p)
        first = ((missed @ scores).T @ x).ravel()
        gradient = np.concatenate([missed.sum(axis=0), first, [(missed * index).sum()]])
        gradient -= penalty * theta
        # Of each person the mean derivative; the information is the variance about it.
        hessian[:] = 0.0
        each[:, :count], said = p, p @ scores
        hessian[np.arange(count), np.arange(count)] = wp.sum(axis=0)
        for r, part in enumerate(parts):
            each[:, part] = said[:, r : r + 1] * x
            hessian[:count, part] = (wp * scores[:, r]).T @ x
            hessian[part, :count] = hessian[:count, part].T
            hessian[-1, part] = hessian[part, -1] = (wp * index) @ scores[:, r] @ x
            for s in range(r + 1):
                both = scores[:, r] * scores[:, s]
                if both.any():
                    block = (x * (wp @ both)[:, None]).T @ x
                    hessian[part, parts[s]] = block
                    hessian[parts[s], part] = block.T
        each[:, -1] = (p * index).sum(axis=1)
        hessian[-1, :count] = hessian[:count, -1] = (wp * index).sum(axis=0)
        hessian[-1, -1] = (wp * index**2).sum()
        hessian -= (each * w[:, None]).T @ each
        hessian[np.diag_indices_from(hessian)] += penalty + 1e-3
        change = np.linalg.solve(hessian, gradient)
        theta = theta + np.clip(change, -1.0, 1.0)
        if np.abs(change).max() < STEP:
            break
    return theta


def _logits(theta: Floats, index: Floats, x: Floats, scores: Floats) -> Floats:
    count = index.shape[1]
    own = theta[count:-1].reshape(scores.shape[1], x.shape[1])
    return np.asarray(theta[:count] + x @ own.T @ scores.T + theta[-1] * index)


def _softmax(logits: Floats) -> Floats:
    out = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(out / out.sum(axis=1, keepdims=True))
