"""Kinds of people (latent classes), and what they and the moments say together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lupom.science.planning.moments import Cells, Moments
from lupom.science.predictors.task import Bools, Floats

# Log loss of five answers known, with the Gaussian: with 6, 12 and 20 kinds .671, .668 and .668 on
# the General Social Survey, .504, .505 and .506 on 80 questions on masculinity (one fold).
KINDS = 12
# EM finds other kinds from other first chances; what they say is averaged.
STARTS = 3
# So many people, who answer as everybody does, are added to each kind: with 1, 2 and 10 .504, .506
# and .515 on masculinity.
ADDED = 1.0
# What attributes count, of an answer each, where kinds are found: they are many and say the same,
# and with 1 the kinds are those of attributes (kinds alone .685 nats on the General Social Survey,
# for .675).
ATTRIBUTES = 0.3
# The same where a person's kind is found. Where nothing else is known .3 says too little: .789 nats
# on the General Social Survey for .784.
ATTRIBUTES_TELL = 0.6
STEPS = 60
# EM ends where the mean log likelihood grows by less.
ENOUGH = 1e-4


@dataclass(frozen=True)
class Classes:
    """Kinds of people, within which answers do not depend on each other.

    There are `KINDS` for each of so many starts of EM, one after the other. Chances of kinds sum to
    1 over all, and so do those of each start to its part.

    Attributes
    ----------
    options : (kinds, options), the probability of each option.
    start : (kinds), log shares of kinds. logs : (D, kinds), what each known column adds to them.
    """

    options: Floats
    start: Floats
    logs: Floats

    def posterior(self, values: Floats, told: Bools) -> Floats:
        """Return the probability of each kind, (n, kinds), given columns that are told, (n, D)."""
        likelihood = self.start + (values * told) @ self.logs
        by_start = likelihood.reshape(len(values), len(self.start) // KINDS, KINDS)
        chances = np.exp(by_start - by_start.max(axis=2, keepdims=True))
        return _equal(chances.reshape(likelihood.shape))

    def answered(self, kinds: Floats, part: slice) -> Floats:
        """Return chances of kinds, (n, options, kinds), once each option of a question was given.

        Parameters
        ----------
        kinds : (n, kinds), before. part : where the question's options are.
        """
        return _equal(kinds[:, None] * self.options[:, part].T)


@dataclass(frozen=True)
class Pool:
    """The Gaussian of the moments and the kinds of people, as one distribution of answers.

    It is the geometric mean of theirs. In a Gaussian what an answer adds does not depend on the
    others; among kinds it does, and so does what is best asked next.
    """

    moments: Moments
    classes: Classes

    def shares(self, means: Floats, posterior: Floats) -> Floats:
        """Return probabilities of each question's options, (..., options).

        Parameters
        ----------
        means : (..., options), conditional means. posterior : (..., kinds).
        """
        moments = self.moments
        both = np.sqrt(moments.shares(means) * (posterior @ self.classes.options))
        total = np.add.reduceat(both, moments.offsets[:-1], axis=-1)
        both /= np.repeat(total, moments.sizes, axis=-1)
        return np.asarray(both)

    def known(self, people: Cells, told: Bools) -> tuple[Floats, Floats]:
        """Return conditional means and kinds of people by the columns that are told, (n, D)."""
        means = self.moments.means(people.values, told)
        return means, self.classes.posterior(people.values, told)


def fit(people: Cells, *, seed: int = 0) -> Classes:
    """Return kinds of people by their answers and attributes (Goodman 1974), found by EM.

    Answers that there are not say nothing of anybody's kind. Nobody's kind is known at first:
    chances are drawn.
    """
    rng = np.random.default_rng(seed)
    found = [_fit(people, rng) for _ in range(STARTS)]
    return Classes(
        np.vstack([one.options for one in found]),
        np.concatenate([one.start for one in found]),
        np.hstack([one.logs for one in found]),
    )


def _fit(people: Cells, rng: np.random.Generator) -> Classes:
    width, sizes = int(people.offsets[-1]), np.diff(people.offsets)
    n = len(people.codes)
    answers, attributes = people.values[:, :width], people.values[:, width:]
    told = np.hstack([answers, ATTRIBUTES * attributes])

    def of_question(counts: Floats) -> Floats:
        return np.asarray(
            np.repeat(np.add.reduceat(counts, people.offsets[:-1], axis=-1), sizes, axis=-1)
        )

    counts = answers.sum(axis=0) + 1 / np.repeat(sizes, sizes)
    share, common = counts / of_question(counts), (attributes.sum(axis=0) + 0.5) / (n + 1)
    chances = rng.dirichlet(np.full(KINDS, 1 / KINDS), n)
    before = -np.inf
    for _ in range(STEPS):
        counts = chances.T @ answers + ADDED * share
        options = counts / of_question(counts)
        size = chances.sum(axis=0)
        having = (chances.T @ attributes + ADDED * common) / (size + ADDED)[:, None]
        start = np.log((size + 1) / (n + KINDS))
        logs = np.log(np.hstack([options, having])).T
        likelihood = start + told @ logs
        most = likelihood.max(axis=1, keepdims=True)
        chances = np.exp(likelihood - most)
        total = chances.sum(axis=1, keepdims=True)
        chances /= total
        now = float((np.log(total) + most).mean()) if n else 0.0
        if now - before < ENOUGH:
            break
        before = now
    logs[width:] *= ATTRIBUTES_TELL
    return Classes(options, start, logs)


def _equal(chances: Floats) -> Floats:
    """Return chances of kinds, (..., kinds), so that those of each start have the same sum."""
    by_start = chances.reshape(*chances.shape[:-1], chances.shape[-1] // KINDS, KINDS)
    by_start = by_start / by_start.sum(axis=-1, keepdims=True) / by_start.shape[-2]
    return np.asarray(by_start.reshape(chances.shape))
