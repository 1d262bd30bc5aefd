"""Kinds of people (latent classes), and what they and the moments say together."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from lupom.science.planning.moments import Cells, Moments
from lupom.science.planning.options import Options, Singles
from lupom.science.predictors.task import Bools

# Log loss of the rest after the five chosen questions, as benchmarks/planning.py has it: with 6, 12
# and 20 kinds .6729, .6694 and .6683 on the General Social Survey, of which each person's own five
# save .011, .013 and .010, and .5969, .5959 and .5955 on 81 questions on masculinity.
KINDS = 12
# EM finds other kinds from other first chances; what they say is averaged.
STARTS = 3
# So many people, who answer as everybody does, are added to each kind: with 1, 2 and 10 .6694,
# .6697 and .6721 on the General Social Survey, .5959, .5959 and .5965 on masculinity.
ADDED = 1.0
# What attributes count, of an answer each, where kinds are found: they are many and say the same,
# and with 1 the kinds are those of attributes (.6723 on the General Social Survey for .6694, on
# masculinity .5954 for .5959).
ATTRIBUTES = 0.3
# The same where a person's kind is found: with .3 .6705 for .6694, and .5968 for .5959.
ATTRIBUTES_TELL = 0.6
STEPS = 60
# EM ends where the mean log likelihood grows by less. With .0001, .003 and .01 log loss is the same
# to .0001 on both surveys, and it takes 60, 25 and 15 steps (masculinity 60, 30 and 20).
ENOUGH = 3e-3

# A kind's least log-chance less the greatest of a person's. What is below 1e-38 is no normal number
# of single precision, and products with such take eight times as long: of 150 answers most kinds'
# chances were, and `question_plan` of 5,000 people took 25 CPU seconds in place of 14.
LOWEST = np.float32(-40.0)


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

    options: Singles
    start: Singles
    logs: Singles

    def posterior(self, likelihood: Singles) -> Singles:
        """Return the probability of each kind, (n, kinds).

        Parameters
        ----------
        likelihood : (n, kinds), `start` and the `logs` of what is known of each person.
        """
        by_start = likelihood.T.reshape(len(self.start) // KINDS, KINDS, len(likelihood))
        chances = np.exp(np.maximum(by_start - by_start.max(axis=1, keepdims=True), LOWEST))
        chances /= chances.sum(axis=1, keepdims=True) * np.float32(len(by_start))
        return np.ascontiguousarray(chances.reshape(likelihood.T.shape).T)

    def answered(self, kinds: Singles, part: slice) -> Singles:
        """Return chances of kinds, (n, options, kinds), once each option of a question was given.

        Parameters
        ----------
        kinds : (n, kinds), before. part : where the question's options are.
        """
        chances = kinds[:, None] * self.options[:, part].T
        starts = self.starts
        return np.asarray(
            chances / starts.each(starts.total(chances) * np.float32(len(starts.sizes)))
        )

    @cached_property
    def starts(self) -> Options:
        """Return sums over the kinds of each start."""
        return Options(np.arange(0, len(self.start) + 1, KINDS))


@dataclass(frozen=True)
class Pool:
    """The Gaussian of the moments and the kinds of people, as one distribution of answers.

    It is the geometric mean of theirs. In a Gaussian what an answer adds does not depend on the
    others; among kinds it does, and so does what is best asked next.
    """

    moments: Moments
    classes: Classes

    def squares(self, means: Singles, posterior: Singles) -> Singles:
        """Return what the squares of options' probabilities are as, (..., options).

        Parameters
        ----------
        means : (..., options), conditional means. posterior : (..., kinds).
        """
        return np.asarray(self.moments.inside(means) * (posterior @ self.classes.options))

    def shares(self, means: Singles, posterior: Singles) -> Singles:
        """Return probabilities of each question's options, (..., options), as `squares` does."""
        both, options = np.sqrt(self.squares(means, posterior)), self.moments.options
        return np.asarray(both / options.each(options.total(both)))

    def entropies(self, means: Singles, posterior: Singles) -> Singles:
        """Return the entropy of each question, (..., Q), in nats, as `squares` takes it."""
        squares, options = self.squares(means, posterior), self.moments.options
        both = np.sqrt(squares)
        total = options.total(both)
        # Of p = both / total: log total - both log both / total, and log both is half log squares.
        np.multiply(both, np.log(squares), out=both)
        return np.asarray(np.log(total) - 0.5 * options.total(both) / total)


class Panel:
    """People whose attributes are known, once for all that they may be asked.

    Attributes
    ----------
    pool : what answers are predicted by. people : as they answered.
    """

    def __init__(self, pool: Pool, people: Cells) -> None:
        self.pool, self.people = pool, people
        width = pool.moments.width
        self._means = pool.moments.start(people)
        logs = pool.classes.logs[width:]
        self._likelihood = pool.classes.start + people.values[:, width:] @ logs

    def known(self, asked: Bools) -> tuple[Singles, Singles]:
        """Return conditional means and kinds of people by their answers to what they are asked.

        Parameters
        ----------
        asked : (n, Q) or (Q).
        """
        told, answers = self.people.told(asked), self.people.answers
        means = self.pool.moments.means(self._means, answers, told)
        used = np.flatnonzero(told.any(axis=0))
        said = answers[:, used] * told[:, used]
        likelihood = self._likelihood + said @ self.pool.classes.logs[used]
        return means, self.pool.classes.posterior(likelihood)


def fit(people: Cells, *, seed: int = 0) -> Classes:
    """Return kinds of people by their answers and attributes (Goodman 1974), found by EM.

    Answers that there are not say nothing of anybody's kind. Nobody's kind is known at first:
    chances are drawn. All starts are taken on together, until none of them finds more.
    """
    rng = np.random.default_rng(seed)
    n, width, kinds = len(people.codes), int(people.offsets[-1]), STARTS * KINDS
    values, by_question = people.values, Options(people.offsets)
    told = values.copy()
    told[:, width:] *= np.float32(ATTRIBUTES)
    # Shares of everybody, which are added to each kind.
    common = values.sum(axis=0)
    common[:width] += by_question.each(np.float32(1) / by_question.sizes.astype(np.float32))
    common[:width] /= by_question.each(by_question.total(common[:width]))
    common[width:] = (common[width:] + 0.5) / (n + 1)
    chances = rng.dirichlet(np.full(KINDS, 1 / KINDS), (n, STARTS)).astype(np.float32)
    chances = np.ascontiguousarray(chances.transpose(1, 2, 0))
    before = np.full(STARTS, -np.inf)
    for _ in range(STEPS):
        size = chances.sum(axis=2).ravel()
        counts = chances.reshape(kinds, n) @ values + np.float32(ADDED) * common
        counts[:, :width] /= by_question.each(by_question.total(counts[:, :width]))
        counts[:, width:] /= (size + np.float32(ADDED))[:, None]
        start, logs = np.log((size + 1) / (n + KINDS)), np.log(counts)
        # People last: most and sums of twelve kinds are then of long rows.
        chances = (start[:, None] + logs @ told.T).reshape(STARTS, KINDS, n)
        most = chances.max(axis=1, keepdims=True)
        chances -= most
        np.maximum(chances, LOWEST, out=chances)
        np.exp(chances, out=chances)
        total = chances.sum(axis=1, keepdims=True)
        chances /= total
        now = (np.log(total) + most).sum(axis=(1, 2), dtype=np.float64) / max(n, 1)
        if (now - before).max() < ENOUGH:
            break
        before = now
    logs[:, width:] *= np.float32(ATTRIBUTES_TELL)
    return Classes(counts[:, :width].copy(), start, logs.T.copy())
