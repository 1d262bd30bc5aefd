"""Multiple imputation: answers to what people were not asked, drawn so that estimates hold."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from lupom.science.gaussian.encoding import Encoding
from lupom.science.gaussian.model import fit
from lupom.science.planning.moments import Cells, Moments
from lupom.science.planning.options import Singles
from lupom.science.predictors.task import HIDDEN, Bools, Floats, Ints

# Of the ridge regressions, in mean variances times the root of the number of people. What is shrunk
# is stretched again by the logistic regression, and columns that vary together then say too much:
# on the General Social Survey with 12, 8 and 3 associations from .1 to .3 came out .3, .2 and .0 of
# their standard error too strong, strong ones of questions with rare answers .1, .4, .8 too weak.
RIDGE = 8.0
# Columns that have coefficients of their own beside what all say together. Without them, of the
# associations above .3 on the General Social Survey the strongest came out a tenth too strong and
# the others as much too weak, and .83 of their intervals of 95 % held.
STRONGEST = 6
# Their ridge, in answers. With 2 the associations above .6 came out .8 of their standard error too
# strong, with .5 .2.
OWN = 0.5
# From first draws by a Gaussian to draws that keep associations.
SWEEPS = 8
# Of the Gaussian, by itself, before them.
FIRST = 3
# Columns that a question is predicted from at most, those that vary with it most. On the General
# Social Survey, with 20, 40, 80 and all 136, intervals of associations were .83, .93, 1.03 and 1.07
# times as wide as of those asked alone, of which .948, .960, .964 and .963 held, but of those from
# .1 to .3 .938 with 20. On 1,500 made-up people and 100 questions, of 350 options, associations
# were wrong by .046, .038, .035 (with 60), .036 (with 150) and .039 (with all).
COLUMNS = 50
# People that the Gaussian of the first draws is fitted to at most.
BEGIN = 5000
# Questions that nine in ten of those not asked one were not asked either are drawn together.
TOGETHER = 0.9
# An option that a conditional mean says less of than this is drawn so often all the same.
LEAST = 0.001
# Two options that nobody gave both of rule each other out where so many people would have, did
# answers not depend on each other: by chance that is one pair in a thousand, whose true number is
# as surely (.95) below three of these.
APART = 7.0
RAKINGS = 10
NEWTON = 8
# Newton's method ends with a step of less, in log odds.
STEP = 0.01


def draws(
    people: Cells,
    count: int,
    *,
    seed: int = 0,
    never: Bools | None = None,
    ridge: float = RIDGE,
    strongest: int = STRONGEST,
    sweeps: int = SWEEPS,
    columns: int = COLUMNS,
) -> Iterator[Ints]:
    """Yield the people's answers with gaps filled, (n, Q), `count` times.

    Chained equations (van Buuren 2018, 4.5): in each sweep every question is predicted from others
    and the attributes, and its gaps are drawn anew. Questions that the same people were not asked,
    as those of a block, are drawn together, each by those drawn before it: by the old draws of the
    others chains would keep for long what associations they began with. A ridge regression of its
    options says what all columns say together; a logistic regression turns it into probabilities,
    beside the columns that say most, which have coefficients of their own. All regressions of one
    set are fitted to people drawn with replacement, so that sets differ by as much as is not known
    of these either (proper in Rubin's sense; Little and Rubin 2002, 10.2.3). First draws are a
    Gaussian's. A set takes as long as people times questions.

    Parameters
    ----------
    people : answers, with -1 for gaps.
    never : (n, Q), gaps that are not filled: who cannot be asked a question has no answer to it,
        which is what the others are predicted from.
    ridge, strongest, sweeps, columns : as `RIDGE`, `STRONGEST`, `SWEEPS` and `COLUMNS`.
    """
    n = len(people.codes)
    sizes = tuple(int(s) for s in np.diff(people.offsets))
    attributes = people.values[:, int(people.offsets[-1]) :]
    encoding = Encoding(sizes, attributes.shape[1])
    there = people.codes != HIDDEN
    gaps = ~there if never is None else ~there & ~never
    groups = _together(gaps)
    some = np.random.default_rng(seed).permutation(n)[:BEGIN]
    found = fit(encoding, people.codes[some], attributes[some].astype(np.float64))
    covariance = found.covariance + found.ridge * np.eye(len(found.mean))
    moments = Moments(found.shares + found.mean, covariance, people.offsets, LEAST)
    nearest, apart = _nearest(moments), _apart(people)
    for number in range(count):
        rng = np.random.default_rng([seed, number])
        again = np.bincount(rng.integers(0, n, n), minlength=n).astype(np.float64)
        codes, values = _first(moments, people, gaps, rng)
        equations = _Equations(moments, again, ridge, strongest, nearest, columns, apart)
        for _ in range(sweeps):
            for group in rng.permutation(len(groups)):
                order = rng.permutation(groups[group])
                for place, question in enumerate(order):
                    gap = np.flatnonzero(gaps[:, question])
                    p = equations.chances(
                        values, int(question), there[:, question], gap, order[place:]
                    )
                    codes[gap, question] = said = _drawn(p, rng)
                    values[gap, moments.columns(int(question))] = np.eye(p.shape[1])[said]
        yield codes


def _nearest(moments: Moments) -> Ints:
    """Return all columns in the order in which they vary with each question, (Q, D).

    By the largest squared correlation with any option of it.
    """
    spread = np.sqrt(np.diag(moments.covariance))
    alike = np.square(
        moments.covariance[: moments.width] / np.outer(spread[: moments.width], spread)
    )
    most = np.maximum.reduceat(alike, moments.offsets[:-1], axis=0)
    return np.argsort(-most, axis=1, kind="stable")


def _apart(people: Cells) -> Bools:
    """Return which options rule each other out, (options, options), by `APART`.

    As "none of these" and the others of a question that takes several: equations whose terms add up
    say of who chose three of them that one more is unlikely, and never that it cannot be.
    """
    ends = people.offsets
    # Counts are exact in single precision.
    said, told = people.answers, people.there.astype(np.float32)
    owner = np.repeat(np.arange(len(ends) - 1), np.diff(ends))
    # How many gave an option, of those who answered the other's question.
    among = (said.T @ told)[:, owner]
    both = (told.T @ told)[np.ix_(owner, owner)]
    expected = among * among.T / np.maximum(both, 1.0)
    found = (said.T @ said == 0) & (expected >= APART)
    return np.asarray(found & (owner[:, None] != owner))


def _first(
    moments: Moments, people: Cells, gaps: Bools, rng: np.random.Generator
) -> tuple[Ints, Singles]:
    """Return answers with gaps filled, (n, Q), and all columns, (n, D), by Gibbs' sampler.

    Each question is drawn by its conditional mean in the Gaussian given all others, which the
    inverse of the covariance says at once for all people, whichever gaps they have.
    """
    inverse = np.linalg.inv(moments.covariance)
    codes, mean = people.codes.copy(), moments.mean.astype(np.float32)
    # What is not known is at its mean before it is drawn.
    told = np.ones(people.values.shape, dtype=bool)
    told[:, : moments.width] = people.told(np.ones(codes.shape[1], dtype=bool))
    centred = np.where(told, people.values - mean, np.float32(0))
    for _ in range(FIRST):
        for question in rng.permutation(np.flatnonzero(gaps.any(axis=0))):
            part, gap = moments.columns(int(question)), np.flatnonzero(gaps[:, question])
            slope = np.linalg.solve(inverse[part, part], inverse[part])
            slope[:, part] = 0.0
            means = mean[part] - centred[gap] @ slope.T.astype(np.float32)
            codes[gap, question] = said = _drawn(_calibrated(means), rng)
            centred[gap, part] = np.eye(means.shape[1], dtype=np.float32)[said] - mean[part]
    values = people.values.copy()
    row, column = np.nonzero(codes != HIDDEN)
    values[row, people.offsets[column] + codes[row, column]] = 1
    return codes, values


def _together(gaps: Bools) -> list[Ints]:
    """Return groups of the questions with gaps, (n, Q): in one those that the same people have."""
    one = gaps.astype(np.float64)
    both = one.T @ one
    alike = both > TOGETHER * np.maximum(np.diag(both), np.diag(both)[:, None])
    left, out = np.flatnonzero(np.diag(both) > 0), []
    while len(left):
        group = alike[left[0], left]
        out.append(left[group])
        left = left[~group]
    return out


class _Equations:
    """The regressions of one set.

    Attributes
    ----------
    again : (n), how often each person is learned from.
    """

    def __init__(
        self,
        moments: Moments,
        again: Floats,
        ridge: float,
        strongest: int,
        nearest: Ints,
        columns: int,
        apart: Bools,
    ) -> None:
        self.again = again
        self._apart = apart
        self._moments, self._ridge, self._strongest = moments, ridge, strongest
        self._nearest, self._columns = nearest, columns
        # Of each question what was found in the sweep before, to begin with.
        self._found: dict[int, tuple[Ints, Floats]] = {}

    def chances(self, values: Singles, question: int, told: Bools, gap: Ints, left: Ints) -> Floats:
        """Return people's probabilities of a question's options from other columns, (gap, K).

        Parameters
        ----------
        values : (n, D), all columns. told : (n), whose answer is known; they are learned from.
        gap : the people whose probabilities are wanted.
        left : questions that are not read, the question itself among them.
        """
        moments = self._moments
        part = moments.columns(question)
        usable = np.ones(values.shape[1], dtype=bool)
        usable[self._options(left)] = False
        order = self._nearest[question]
        columns = np.sort(order[usable[order]][: self._columns])
        # Of whom all options but one are ruled out nothing is left to be said, nor learned.
        out = self._out(values, part, usable, told)
        open_ = np.ones(len(told), dtype=bool) if out is None else (~out).sum(axis=1) > 1
        learned = np.flatnonzero((self.again > 0) & told & open_)
        w = self.again[learned]
        y = values[learned, part].astype(np.float64)
        total = w.sum()
        kept = y.any(axis=0)
        if total == 0 or kept.sum() < 2:
            # Nobody of those drawn has the answer, or all have the same.
            some = learned if total else np.flatnonzero(told)
            share = values[some, part].mean(axis=0, dtype=np.float64) + 1e-9
            return _allowed(np.tile(share / share.sum(), (len(gap), 1)), out, gap)
        y = y[:, kept]
        share = w @ y / total
        x = values[learned][:, columns]
        mean = (w.astype(np.float32) @ x) / np.float32(total)
        x -= mean
        root = np.sqrt(w).astype(np.float32)[:, None]
        # Sums of products in single precision: the ridge is 10,000 times what they are off by.
        xl = x * root
        gram = (xl.T @ xl).astype(np.float64)
        across = xl.T @ ((y - share).astype(np.float32) * root)
        spread = np.diag(gram).copy()
        level = float(spread.sum()) / total / max(len(gram), 1) or 1.0
        gram[np.diag_indices_from(gram)] += self._ridge * level * np.sqrt(total)
        slope = np.linalg.solve(gram, across.astype(np.float64))
        # What each column says by itself, in variances of the options.
        says = (slope**2 / share).sum(axis=1) * spread
        own = np.sort(_strongest(says, columns, moments, self._strongest))
        # Slopes are not made as they would be to predict others: shrunk so, draws would have weaker
        # associations than people. On the General Social Survey that took .12 from a correlation's
        # Fisher z.
        # log p is near to log share + (mean - share) / share where all columns vary alike.
        slope = (slope / share).astype(np.float32)

        def parts(x: Singles) -> tuple[Floats, Floats]:
            design = np.hstack([np.ones((len(x), 1)), x[:, own]])
            return (x @ slope).astype(np.float64), design

        before, theta = self._found.get(question, (None, None))
        if before is None or not np.array_equal(before, columns[own]):
            theta = None
        index, design = parts(x)
        theta = _logistic(index, design, y, w, share, theta)
        self._found[question] = columns[own], theta
        p = np.zeros((len(gap), part.stop - part.start))
        p[:, kept] = _softmax(_logits(theta, *parts(values[gap][:, columns] - mean)))
        return _allowed(p, out, gap)

    def _out(self, values: Singles, part: slice, usable: Bools, told: Bools) -> Bools | None:
        """Return which options others rule out, (n, K), by the columns read; None where none do."""
        apart = self._apart[:, part]
        rows = np.flatnonzero(apart.any(axis=1) & usable[: len(apart)])
        if not len(rows):
            return None
        out = values[:, rows] @ apart[rows].astype(np.float32) > 0
        # What is told stands, and of whom all is ruled out nothing is.
        out &= ~((values[:, part] > 0) & told[:, None])
        return np.asarray(out & ~out.all(axis=1, keepdims=True))

    def _options(self, questions: Ints) -> Ints:
        return np.concatenate(
            [np.arange(self._moments.width)[self._moments.columns(int(q))] for q in questions]
        )


def _allowed(p: Floats, out: Bools | None, rows: Ints) -> Floats:
    """Return probabilities of some rows, of options that are not ruled out of them alone."""
    if out is None:
        return p
    left = np.where(out[rows], 0.0, p + 1e-12)
    return np.asarray(left / left.sum(axis=1, keepdims=True))


def _strongest(says: Floats, columns: Ints, moments: Moments, count: int) -> Ints:
    """Return the places of the columns that say most, of each question one less than options.

    Parameters
    ----------
    says : what each says. columns : which of all columns each is.
    """
    left = dict(enumerate(moments.sizes - 1))
    out: list[int] = []
    for place in np.argsort(-says, kind="stable"):
        if len(out) == count or says[place] <= 0:
            break
        column = int(columns[place])
        if column < moments.width:
            question = int(moments.owner[column])
            if not left[question]:
                continue
            left[question] -= 1
        out.append(int(place))
    return np.array(out, dtype=np.int64)


def _logistic(
    index: Floats, x: Floats, t: Floats, w: Floats, share: Floats, theta: Floats | None
) -> Floats:
    """Return parameters of probabilities exp(a_k + b index_k + c_k own), of most likelihood.

    By Newton's method; a and b are free, c has a ridge of `OWN`.

    Parameters
    ----------
    index : (n, K). x : (n, 1 + F), 1 and own columns. t, w : answers, (n, K), and weights.
    theta : those to begin with: of each option a and c, and b after them.
    """
    count, size = t.shape[1], x.shape[1]
    own = count * size
    ridge = np.full((count, size), OWN)
    ridge[:, 0] = 0.0
    penalty = np.append(ridge.ravel(), 0.0)
    if theta is None or len(theta) != own + 1:
        theta = np.zeros(own + 1)
        theta[:-1:size], theta[-1] = np.log(share), 1.0
    hessian, each = np.empty((own + 1, own + 1)), np.empty((len(x), own + 1))
    for _ in range(NEWTON):
        p = _softmax(_logits(theta, index, x))
        wp, missed = p * w[:, None], w[:, None] * (t - p)
        gradient = np.append((missed.T @ x).ravel(), (missed * index).sum()) - penalty * theta
        # Of each person the mean derivative; the information is the variance about it.
        hessian[:] = 0.0
        for k in range(count):
            part = slice(k * size, (k + 1) * size)
            each[:, part] = p[:, k : k + 1] * x
            hessian[part, part] = (x * wp[:, k : k + 1]).T @ x
        each[:, -1] = (p * index).sum(axis=1)
        hessian[-1, :-1] = hessian[:-1, -1] = ((wp * index).T @ x).ravel()
        hessian[-1, -1] = (wp * index**2).sum()
        hessian -= (each * w[:, None]).T @ each
        hessian[np.diag_indices_from(hessian)] += penalty + 1e-3
        change = np.linalg.solve(hessian, gradient)
        theta = theta + np.clip(change, -1.0, 1.0)
        if np.abs(change).max() < STEP:
            break
    return theta


def _logits(theta: Floats, index: Floats, x: Floats) -> Floats:
    own = theta[:-1].reshape(index.shape[1], x.shape[1])
    return np.asarray(x @ own.T + theta[-1] * index)


def _softmax(logits: Floats) -> Floats:
    out = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(out / out.sum(axis=1, keepdims=True))


def _calibrated(means: Floats) -> Floats:
    """Return conditional means as probabilities, (n, options), with the shares they had.

    Cut at 0 they would say too much of rare options. They are raked back: multiplied by option so
    that their mean over the people is what it was.
    """
    p = np.clip(means, LEAST, 1.0)
    p /= p.sum(axis=1, keepdims=True)
    wanted = np.clip(means.mean(axis=0), LEAST, 1.0)
    wanted /= wanted.sum()
    for _ in range(RAKINGS):
        p *= wanted / p.mean(axis=0)
        p /= p.sum(axis=1, keepdims=True)
    return np.asarray(p)


def _drawn(p: Floats, rng: np.random.Generator) -> Ints:
    luck = rng.random((len(p), 1))
    return np.asarray(np.minimum((p.cumsum(axis=1) < luck).sum(axis=1), p.shape[1] - 1))
