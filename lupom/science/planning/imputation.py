"""Multiple imputation: answers to what people were not asked, drawn so that estimates hold."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from lupom.science.gaussian.encoding import Encoding
from lupom.science.gaussian.model import fit
from lupom.science.planning.moments import Cells, Moments, patterns
from lupom.science.predictors.task import HIDDEN, Bools, Floats, Ints

# Of the ridge regressions, in mean variances times the root of the number of people.
RIDGE = 12.0
# Columns that have coefficients of their own beside what all say together. Without them, of the
# associations above .3 on the General Social Survey the strongest came out a tenth too strong and
# the others as much too weak, and .83 of their intervals of 95 % held.
STRONGEST = 6
# Their ridge, in answers.
OWN = 2.0
# From first draws by a Gaussian to draws that keep associations.
SWEEPS = 6
# An option that a conditional mean says less of than this is drawn so often all the same.
LEAST = 0.001
RAKINGS = 10
NEWTON = 8


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
    others and the attributes, and its gaps are drawn anew. A ridge regression of its options says
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
    incomplete = np.flatnonzero(~there.all(axis=0))
    for _ in range(count):
        again = np.bincount(rng.integers(0, n, n), minlength=n).astype(np.float64)
        found = fit(encoding, people.codes, attributes, weights=again)
        noise = found.ridge * np.eye(len(found.mean))
        mean, covariance = found.shares + found.mean, found.covariance + noise
        moments = Moments(mean, covariance, people.offsets, LEAST)
        codes = _filled(moments, people, rng, rng.permutation(questions))
        values = np.hstack([np.zeros((n, moments.width)), attributes, np.ones((n, 1))])
        values[np.arange(n)[:, None], people.offsets[:-1] + codes] = 1.0
        for _ in range(sweeps):
            for question in rng.permutation(incomplete):
                part = moments.columns(int(question))
                p = _chances(values, part, there[:, question], again, moments, ridge, strongest)
                said = _drawn(p, rng)
                gap = ~there[:, question]
                values[gap, part] = np.eye(part.stop - part.start)[said[gap]]
                codes[gap, question] = said[gap]
        yield codes


def _chances(
    values: Floats,
    part: slice,
    told: Bools,
    again: Floats,
    moments: Moments,
    ridge: float,
    strongest: int,
) -> Floats:
    """Return everybody's probabilities of a question's options from all other columns, (n, K).

    Parameters
    ----------
    values : (n, D), all columns, 1 the last. told : (n), whose answer is known; they are learned
        from, each as often as `again`, (n), says.
    """
    others = np.ones(values.shape[1], dtype=bool)
    others[part] = False
    x, y, w = values[:, others], values[:, part], again * told
    total = w.sum()
    kept = y[told].any(axis=0) & ((w @ y) > 0)
    if total == 0 or kept.sum() < 2:
        return np.tile((told @ y + 1e-9) / (told @ y + 1e-9).sum(), (len(y), 1))
    y = y[:, kept]
    mean, share = w @ x / total, w @ y / total
    learned = np.flatnonzero(w > 0)
    x = x - mean
    xl = x[learned] * np.sqrt(w[learned])[:, None]
    yl = (y[learned] - share) * np.sqrt(w[learned])[:, None]
    gram = xl.T @ xl
    spread = np.diag(gram).copy()
    level = float(spread.sum()) / total / max(len(gram), 1) or 1.0
    gram[np.diag_indices_from(gram)] += ridge * level * np.sqrt(total)
    slope = np.linalg.solve(gram, xl.T @ yl)
    # What each column says by itself, in variances of the options.
    says = (slope**2 / share).sum(axis=1) * spread
    own = x[:, _strongest(says, np.flatnonzero(others), moments, strongest)]
    # Slopes are not made as they would be to predict others: shrunk so, draws would have weaker
    # associations than people. On the General Social Survey that took .12 from a correlation's
    # Fisher z.
    # log p is near to log share + (mean - share) / share where all columns vary alike.
    out = np.zeros((len(y), part.stop - part.start))
    out[:, kept] = _logistic(x @ slope / share, own, learned, y[learned], w[learned], share)
    return out


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
    index: Floats, own: Floats, learned: Ints, t: Floats, w: Floats, share: Floats
) -> Floats:
    """Return probabilities exp(a_k + b index_k + c_k own), (n, K), of most penalised likelihood.

    By Newton's method; a and b are free, c has a ridge of `OWN`.

    Parameters
    ----------
    index : (n, K). own : (n, F). learned, t, w : rows to fit to, their answers and weights.
    """
    count = t.shape[1]
    design = np.hstack([np.ones((len(own), 1)), own])
    size = design.shape[1]
    theta = np.zeros(count * size + 1)
    theta[:-1:size], theta[-1] = np.log(share), 1.0
    ridge = np.full((count, size), OWN)
    ridge[:, 0] = 0.0
    penalty = np.append(ridge.ravel(), 0.0)
    x, i = design[learned], index[learned]
    for _ in range(NEWTON):
        p = _softmax(x @ theta[:-1].reshape(count, size).T + theta[-1] * i)
        wp = p * w[:, None]
        missed = w[:, None] * (t - p)
        gradient = np.append((missed.T @ x).ravel(), (missed * i).sum()) - penalty * theta
        hessian = np.zeros((len(theta), len(theta)))
        for k in range(count):
            row = slice(k * size, (k + 1) * size)
            for other in range(k + 1):
                weight = wp[:, k] * (float(k == other) - p[:, other])
                column = slice(other * size, (other + 1) * size)
                hessian[row, column] = (x * weight[:, None]).T @ x
                hessian[column, row] = hessian[row, column].T
        centre = i - (p * i).sum(axis=1, keepdims=True)
        hessian[-1, :-1] = hessian[:-1, -1] = ((wp * centre).T @ x).ravel()
        hessian[-1, -1] = (wp * centre**2).sum()
        hessian[np.diag_indices_from(hessian)] += penalty + 1e-3
        change = np.linalg.solve(hessian, gradient)
        theta = theta + np.clip(change, -1.0, 1.0)
        if np.abs(change).max() < 1e-3:
            break
    return _softmax(design @ theta[:-1].reshape(count, size).T + theta[-1] * index)


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
