"""Multiple imputation: answers to what people were not asked, drawn so that estimates hold."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from lupom.science.gaussian.encoding import Encoding
from lupom.science.gaussian.model import fit
from lupom.science.planning.moments import Cells, Moments, patterns
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
# Questions that nine in ten of those not asked one were not asked either are drawn together.
TOGETHER = 0.9
# An option that a conditional mean says less of than this is drawn so often all the same.
LEAST = 0.001
RAKINGS = 10
NEWTON = 8
# Newton's method ends with a step of less, in log odds.
STEP = 0.01


def draws(
    people: Cells,
    count: int,
    *,
    seed: int = 0,
    ridge: float = RIDGE,
    strongest: int = STRONGEST,
    sweeps: int = SWEEPS,
) -> Iterator[Ints]:
    """Yield the people's answers with gaps filled, (n, Q), `count` times.

    Chained equations (van Buuren 2018, 4.5): in each sweep every question is predicted from all
    others and the attributes, and its gaps are drawn anew. Questions that the same people were not
    asked, as those of a block, are drawn together, each by those drawn before it: by the old draws
    of the others chains would keep for long what associations they began with. A ridge regression
    of its options says
    what all columns say together; a logistic regression turns it into probabilities, beside the
    columns that say most, which have coefficients of their own. All regressions of one set are
    fitted to people drawn with replacement, so that sets differ by as much as is not known of these
    either (proper in Rubin's sense; Little and Rubin 2002, 10.2.3). First draws are a Gaussian's.

    Parameters
    ----------
    people : answers, with -1 for gaps. ridge, strongest, sweeps : as `RIDGE`, `STRONGEST` and
        `SWEEPS`.
    """
    rng = np.random.default_rng(seed)
    n, questions = people.codes.shape
    sizes = tuple(int(s) for s in np.diff(people.offsets))
    attributes = people.values[:, int(people.offsets[-1]) :].astype(np.float64)
    encoding = Encoding(sizes, attributes.shape[1])
    there = people.codes != HIDDEN
    groups = _together(~there)
    for _ in range(count):
        again = np.bincount(rng.integers(0, n, n), minlength=n).astype(np.float64)
        found = fit(encoding, people.codes, attributes, weights=again)
        noise = found.ridge * np.eye(len(found.mean))
        mean, covariance = found.shares + found.mean, found.covariance + noise
        moments = Moments(mean, covariance, people.offsets, LEAST)
        codes = _filled(moments, people, rng, rng.permutation(questions))
        values = np.hstack([np.zeros((n, moments.width)), attributes])
        values[np.arange(n)[:, None], people.offsets[:-1] + codes] = 1.0
        equations = _Equations(moments, again, ridge, strongest)
        for _ in range(sweeps):
            for group in rng.permutation(len(groups)):
                order = rng.permutation(groups[group])
                for place, question in enumerate(order):
                    gap = ~there[:, question]
                    p = equations.chances(values, int(question), ~gap, order[place:])
                    said = _drawn(p, rng)[gap]
                    values[gap, moments.columns(int(question))] = np.eye(p.shape[1])[said]
                    codes[gap, question] = said
        yield codes


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

    def __init__(self, moments: Moments, again: Floats, ridge: float, strongest: int) -> None:
        self.again = again
        self._moments, self._ridge, self._strongest = moments, ridge, strongest
        # Of each question what was found in the sweep before, to begin with.
        self._found: dict[int, tuple[Ints, Floats]] = {}

    def chances(self, values: Floats, question: int, told: Bools, left: Ints) -> Floats:
        """Return everybody's probabilities of a question's options from other columns, (n, K).

        Parameters
        ----------
        values : (n, D), all columns. told : (n), whose answer is known; they are learned from.
        left : questions that are not read, the question itself among them.
        """
        moments = self._moments
        part = moments.columns(question)
        columns = np.flatnonzero(~np.isin(np.arange(values.shape[1]), self._options(left)))
        x, y, w = values[:, columns], values[:, part], self.again * told
        total = w.sum()
        kept = y[told].any(axis=0) & ((w @ y) > 0)
        if total == 0 or kept.sum() < 2:
            return np.tile((told @ y + 1e-9) / (told @ y + 1e-9).sum(), (len(y), 1))
        y = y[:, kept]
        share = w @ y / total
        learned = np.flatnonzero(w > 0)
        x = x - w @ x / total
        root = np.sqrt(w[learned])[:, None]
        # Sums of products in single precision: the ridge is 10,000 times what they are off by.
        xl = (x[learned] * root).astype(np.float32)
        gram = (xl.T @ xl).astype(np.float64)
        across = xl.T @ ((y[learned] - share) * root).astype(np.float32)
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
        out = np.zeros((len(y), part.stop - part.start))
        index, design = x @ slope / share, np.hstack([np.ones((len(x), 1)), x[:, own]])
        before, theta = self._found.get(question, (None, None))
        if before is None or not np.array_equal(before, columns[own]):
            theta = None
        theta = _logistic(index[learned], design[learned], y[learned], w[learned], share, theta)
        self._found[question] = columns[own], theta
        out[:, kept] = _softmax(_logits(theta, index, design))
        return out

    def _options(self, questions: Ints) -> Ints:
        return np.concatenate(
            [np.arange(self._moments.width)[self._moments.columns(int(q))] for q in questions]
        )


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


def _filled(moments: Moments, people: Cells, rng: np.random.Generator, order: Ints) -> Ints:
    out = people.codes.copy()
    everything = people.told(np.ones(people.codes.shape[1], dtype=bool))
    attributes = np.ones(people.values.shape[1] - moments.width, dtype=bool)
    for answered, rows in patterns(everything):
        gaps = [int(q) for q in order if not answered[moments.columns(int(q)).start]]
        if not gaps:
            continue
        told = np.append(answered, attributes)
        slope, covariance = moments.given(told)
        means = moments.mean[: moments.width]
        means = means + (people.values[np.ix_(rows, told)] - moments.mean[told]) @ slope
        for question in gaps:
            part = moments.columns(question)
            said = _drawn(_calibrated(means[:, part]), rng)
            out[rows, question] = said
            new = np.eye(part.stop - part.start)[said] - means[:, part]
            step = np.linalg.solve(covariance[part, part], covariance[part])
            covariance = np.asarray(covariance - covariance[:, part] @ step)
            means = means + new @ step
    return out


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
