"""Multiple imputation: answers to what people were not asked, drawn so that estimates hold."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from lupom.science.gaussian.encoding import Encoding
from lupom.science.gaussian.model import fit
from lupom.science.planning.choices import Choices
from lupom.science.planning.equations import Equations, Terms
from lupom.science.planning.moments import Cells, Moments
from lupom.science.planning.options import Singles
from lupom.science.planning.positions import Columns
from lupom.science.planning.positions import columns as columns_of
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
# Chi-squared with one degree of freedom that chance exceeds once in 1,000 times.
CHANCE = 10.83


def draws(
    people: Cells,
    count: int,
    *,
    seed: int = 0,
    never: Bools | None = None,
    scales: Sequence[Floats | None] | None = None,
    choices: Ints | None = None,
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
    scales : of each question the positions of its options, nan for one with none; None where it is
        no scale. One of five options or more is read as its places on it, and so drawn.
    choices : (Q), which questions are choices of one: these have the same number. Where everybody
        gave one at least, each draw has one.
    ridge, strongest, sweeps, columns : as `RIDGE`, `STRONGEST`, `SWEEPS` and `COLUMNS`.
    """
    n = len(people.codes)
    sizes = tuple(int(s) for s in np.diff(people.offsets))
    after = people.values[:, int(people.offsets[-1]) :]
    encoding = Encoding(sizes, after.shape[1])
    there = people.codes != HIDDEN
    gaps = ~there if never is None else ~there & ~never
    groups = _together(gaps)
    some = np.random.default_rng(seed).permutation(n)[:BEGIN]
    found = fit(encoding, people.codes[some], after[some].astype(np.float64))
    covariance = found.covariance + found.ridge * np.eye(len(found.mean))
    moments = Moments(found.shares + found.mean, covariance, people.offsets, LEAST)
    read_as = columns_of(people, scales)
    terms = Terms(
        moments,
        read_as,
        Choices.of(people, np.arange(len(sizes)) if choices is None else choices),
        _apart(people),
        nearest(moments, read_as, there),
        ridge,
        strongest,
        columns,
    )
    for number in range(count):
        rng = np.random.default_rng([seed, number])
        again = np.bincount(rng.integers(0, n, n), minlength=n).astype(np.float64)
        codes, values = _first(moments, people, gaps, rng)
        read = read_as.read(codes, after)
        equations = Equations(terms, again)
        for _ in range(sweeps):
            for group in rng.permutation(len(groups)):
                order = rng.permutation(groups[group])
                for place, question in enumerate(order):
                    gap = np.flatnonzero(gaps[:, question])
                    p = equations.chances(
                        values, read, int(question), there[:, question], gap, order[place:]
                    )
                    codes[gap, question] = said = _drawn(p, rng)
                    values[gap, moments.columns(int(question))] = np.eye(p.shape[1])[said]
                    read[gap, read_as.of(int(question))] = read_as.values(int(question), said)
        yield codes


def nearest(moments: Moments, read_as: Columns, there: Bools) -> Ints:
    """Return all columns in the order in which they vary with each question, (Q, columns).

    By the largest squared correlation with any column of it. That of a scale's squares, or with
    them, is none where chance explains as much: most are, and took the places of scales that a
    question is weakly related to, whose associations came out a seventh too weak.

    Parameters
    ----------
    there : (n, Q), which answers there are.
    """
    covariance = read_as.within(moments.covariance)
    spread, width = np.sqrt(np.diag(covariance)), int(read_as.offsets[-1])
    alike = np.square(covariance[:width] / np.outer(spread[:width], spread))
    squares = np.flatnonzero(read_as.squares)
    if len(squares):
        told, own = there.astype(np.float32), read_as.owner
        # Of a squared correlation, times the people it is of.
        chance = CHANCE / np.maximum(told.T @ told, 1.0)[np.ix_(own, own)]
        for part in (np.s_[squares, :width], np.s_[:width, squares]):
            alike[part] *= alike[part] >= chance[part]
    most = np.maximum.reduceat(alike, read_as.offsets[:-1], axis=0)
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
