"""Which questions tell most of the others: short forms, one for all people or one for each."""

from __future__ import annotations

import numpy as np

from lupom.science.planning.moments import Cells, Moments, patterns
from lupom.science.predictors.task import HIDDEN, Bools, Floats, Ints

# Questions that leave least variance, which products of matrices find, among which log loss or
# entropy chooses. With 12, adaptive forms of 5 gain .010 nats over fixed ones on the General Social
# Survey, with 30 (all of its 25) .014; on 80 questions 12 and 30 choose alike.
SHORTLIST = 20


def choose(
    moments: Moments,
    people: Cells,
    most: int,
    *,
    candidates: Bools | None = None,
) -> list[int]:
    """Return questions in the order in which they are best asked of everyone.

    Greedy: the next question is the one after which the mean log loss of those not asked, over
    people by survey weight, is least (sequential forward choice of a Bayesian design, Chaloner and
    Verdinelli 1995). What is known of an answer is linear in the answers that are known, so that a
    step is an update of rank as many as the question has options.

    Parameters
    ----------
    moments : what is known of the answers.
    people : those whose answers are predicted. What a question tells is the mean of those who have
        an answer to it: that others were not asked is no trait of the question.
    most : how many questions. candidates : (Q), those that may be asked; all by default.
    """
    count = people.codes.shape[1]
    free = np.ones(count, dtype=bool) if candidates is None else candidates.copy()
    rest = np.ones(count, dtype=bool)
    told = np.zeros(len(moments.mean), dtype=bool)
    told[moments.width :] = True
    slope, covariance = moments.given(told)
    means = moments.mean[: moments.width] + (people.values[:, told] - moments.mean[told]) @ slope
    out: list[int] = []
    while len(out) < min(most, count - 1) and free.any():
        left = variance_left(moments, covariance, rest)
        left[~free] = np.inf
        now = people.losses(moments.shares(means))
        best, least = -1, np.inf
        for question in np.argsort(left, kind="stable")[:SHORTLIST]:
            if not free[question]:
                continue
            rest[question] = False
            told = people.codes[:, question] != HIDDEN
            some, before = people.only(told), means[told]
            step, _ = update(moments, covariance, int(question))
            after = before + _surprise(moments, some, before, int(question)) @ step
            gain = now[told] - some.losses(moments.shares(after))
            loss = _mean(now[:, rest], people.weights) - _mean(gain[:, rest], some.weights)
            rest[question] = True
            if loss < least:
                best, least = int(question), loss
        if best < 0:
            break
        step, new = update(moments, covariance, best)
        means = means + _surprise(moments, people, means, best) @ step
        covariance = new
        rest[best] = free[best] = False
        out.append(best)
    return out


def variance_left(moments: Moments, covariance: Floats, rest: Bools) -> Floats:
    """Return the variance of the options of the rest after each question is asked too, (Q).

    Parameters
    ----------
    covariance : (options, options), given what was asked. rest : (Q), what was not.
    """
    columns = rest[moments.owner]
    whole = np.diag(covariance)[columns].sum()
    out = np.full(len(moments.sizes), np.inf)
    for question in np.flatnonzero(rest):
        part = moments.columns(int(question))
        across = covariance[part][:, columns]
        inverse = np.linalg.inv(covariance[part, part])
        # Its own variance is among what it takes away: nothing of it is left.
        out[question] = whole - float(np.einsum("ij,ik,kj->", across, inverse, across))
    return out


def adaptive(moments: Moments, people: Cells, most: int) -> Ints:
    """Return the questions asked of each person, (n, most), each by the answers before it.

    The next question is the one of which the expected entropy of the rest is least: over its
    options, each as likely as the answers so far make it (greedy information gain, as Ma et al.
    2019). What a person has no answer to is not asked; -1 where none of the best is left.
    """
    n, count = people.codes.shape
    most = min(most, count - 1)
    out = np.full((n, most), -1, dtype=np.int64)
    asked = np.zeros((n, count), dtype=bool)
    missing = people.codes == HIDDEN
    for step in range(most):
        told = people.told(asked)
        for pattern, rows in patterns(told):
            slope, covariance = moments.given(pattern)
            centred = people.values[np.ix_(rows, pattern)] - moments.mean[pattern]
            means = moments.mean[: moments.width] + centred @ slope
            rest = ~asked[rows[0]]
            expected = expected_entropy(moments, means, covariance, rest)
            expected[missing[rows]] = np.inf
            some = np.isfinite(expected).any(axis=1)
            out[rows[some], step] = expected[some].argmin(axis=1)
        found = np.flatnonzero(out[:, step] >= 0)
        asked[found, out[found, step]] = True
    return out


def expected_entropy(moments: Moments, means: Floats, covariance: Floats, rest: Bools) -> Floats:
    """Return the entropy of the rest that is expected after each question, (n, Q), in nats.

    Infinite of questions that were asked, and of those not among those that leave least
    variance.

    Parameters
    ----------
    means : (n, options) and covariance : (options, options), given what is known.
    rest : (Q), the questions not asked.
    """
    out = np.full((len(means), len(rest)), np.inf)
    shares = moments.shares(means)
    left = variance_left(moments, covariance, rest)
    for question in np.argsort(left, kind="stable")[:SHORTLIST]:
        if not rest[question]:
            continue
        part = moments.columns(int(question))
        step, _ = update(moments, covariance, int(question))
        others = rest.copy()
        others[question] = False
        total = np.zeros(len(means))
        for option in range(int(moments.sizes[question])):
            new = -means[:, part]
            new[:, option] += 1.0
            after = moments.shares(means + new @ step)
            spread = -after * np.log(after)
            total += shares[:, part.start + option] * (spread @ others[moments.owner])
        out[:, question] = total
    return out


def update(moments: Moments, covariance: Floats, question: int) -> tuple[Floats, Floats]:
    """Return slopes of all options on a question's, and the covariance once it is known."""
    part = moments.columns(question)
    slope = np.asarray(np.linalg.solve(covariance[part, part], covariance[part]), dtype=np.float64)
    return slope, covariance - covariance[:, part] @ slope


def _surprise(moments: Moments, people: Cells, means: Floats, question: int) -> Floats:
    """Return by how much answers to a question differ from what was expected, (n, its options)."""
    part = moments.columns(question)
    there = people.codes[:, question] != HIDDEN
    return np.where(there[:, None], people.values[:, part] - means[:, part], 0.0)


def _mean(losses: Floats, weights: Floats) -> float:
    there = ~np.isnan(losses)
    total = (there * weights[:, None]).sum()
    return float((np.where(there, losses, 0.0) * weights[:, None]).sum() / total) if total else 0.0
