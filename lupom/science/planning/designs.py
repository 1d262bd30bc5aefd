"""The forms of a split questionnaire: which are asked together, and what precision is left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from lupom.science.planning.moments import Moments
from lupom.science.predictors.task import Bools, Floats, Ints

CORE = "core"
# Of attributes, which everybody is known by, so many combinations as tell most of the answers.
FACTORS = 8
# Exchanges of two questions that are tried; more than this find next to nothing with 25 questions.
TRIES = 600


@dataclass(frozen=True)
class Design:
    """Which questions each form has.

    Attributes
    ----------
    block : (Q), the block of each question, -1 for those everybody is asked.
    forms : (F, Q), which questions are in each form; as many people have each.
    names : (F), the blocks of each form.
    """

    block: Ints
    forms: Bools
    names: tuple[tuple[int, ...], ...]

    @property
    def together(self) -> Floats:
        """Return the share of people who are asked both of two questions, (Q, Q)."""
        forms = self.forms.astype(np.float64)
        return np.asarray(forms.T @ forms / len(forms))


@dataclass(frozen=True)
class Scores:
    """One number for each question, and the attributes' factors after them.

    Attributes
    ----------
    covariance : (Q + factors, Q + factors). questions : Q.
    """

    covariance: Floats
    questions: int

    @property
    def correlation(self) -> Floats:
        """Return the correlation of questions, (Q, Q)."""
        own = self.covariance[: self.questions, : self.questions]
        spread = np.sqrt(np.diag(own))
        return np.asarray(own / np.outer(spread, spread))


def scores(moments: Moments) -> Scores:
    """Return for each question the contrast of its options that other questions tell most of.

    That is the first left singular vector of its options' covariance with all other columns. Of
    the attributes the combinations are kept that explain most of these contrasts.
    """
    count, width = len(moments.sizes), moments.width
    weights = np.zeros((len(moments.mean), count))
    for question in range(count):
        part = moments.columns(question)
        across = moments.covariance[part].copy()
        across[:, part] = 0.0
        weights[part, question] = np.linalg.svd(across, full_matrices=False)[0][:, 0]
    covariance = weights.T @ moments.covariance @ weights
    known = moments.covariance[width:, width:]
    if not len(known):
        return Scores(covariance, count)
    across = moments.covariance[width:] @ weights
    explained = across.T @ np.linalg.solve(known, across)
    values, vectors = np.linalg.eigh(explained)
    factors = vectors[:, ::-1][:, : min(FACTORS, len(known), count)]
    cross = explained @ factors
    own = factors.T @ explained @ factors
    own[np.diag_indices_from(own)] += 1e-9 * max(float(values.max()), 1e-9)
    return Scores(np.block([[covariance, cross], [cross.T, own]]), count)


def design(block: Ints, asked: int) -> Design:
    """Return the forms of blocks: every choice of so many of them, each asked of as many people."""
    names = tuple(combinations(range(int(block.max()) + 1), asked))
    forms = np.array([np.isin(block, (*name, -1)) for name in names])
    return Design(block, forms, names)


def efficiency(given: Scores, forms: Bools) -> Floats:
    """Return how much of the precision of each question's mean is left, (Q), 1 being all.

    The information of a form on the means is the inverse covariance of what it asks, and that of
    the design their mean over forms (a multivariate normal with known covariance, people missing
    at random); attributes are known of everybody. An efficiency of .8 is that of 80 people asked
    everything in place of 100.
    """
    information = _information(given, forms)
    left = np.diag(np.linalg.inv(information))[: given.questions]
    return np.asarray(np.diag(given.covariance)[: given.questions] / left)


def association_efficiency(given: Scores, forms: Bools) -> Floats:
    """Return how much of the precision of each two questions' covariance is left, (Q, Q).

    By Fisher's information of a multivariate normal on all covariances together, without the
    attributes; the diagonal is that of variances.
    """
    count = given.questions
    own = given.covariance[:count, :count]
    i, j = np.triu_indices(count)
    scale = np.where(i == j, 0.5, 1.0)
    information = np.zeros((len(i), len(i)))
    for form in forms:
        w = np.zeros((count, count))
        w[np.ix_(form, form)] = np.linalg.inv(own[np.ix_(form, form)])
        information += w[np.ix_(i, i)] * w[np.ix_(j, j)] + w[np.ix_(i, j)] * w[np.ix_(j, i)]
    information *= np.outer(scale, scale) / len(forms)
    left = np.diag(np.linalg.inv(information))
    whole = own[i, i] * own[j, j] + own[i, j] ** 2
    out = np.zeros((count, count))
    out[i, j] = out[j, i] = whole / left
    return out


def assign_blocks(
    given: Scores,
    blocks: int,
    asked: int,
    *,
    core: Bools | None = None,
    unit: Ints | None = None,
    seed: int = 0,
) -> Design:
    """Return the design that is best of those an exchange of two questions leads to.

    What is made small is the mean loss of precision of means (1 / `efficiency`), and that of
    associations: 1 / the share asked together, weighted by squared correlations, so that pairs that
    depend are asked together often. The first wants questions that tell each other in different
    blocks, the second in the same. Blocks differ by one question at most (matrix sampling as by
    Raghunathan and Grizzle 1995; choice by exchanges as by Adigüzel and Wedel 2008).

    Parameters
    ----------
    core : (Q), which everybody is asked.
    unit : (Q), the same number for questions that are in one block whatever it costs, choices of
        one question; each is alone when left out. Blocks are then as alike as the larger units let
        them be.
    """
    rng = np.random.default_rng(seed)
    count = given.questions
    fixed = np.zeros(count, dtype=bool) if core is None else core
    of = np.arange(count) if unit is None else unit
    free = np.unique(of[~fixed])
    size = np.array([int((of[~fixed] == one).sum()) for one in free], dtype=np.int64)
    place = rng.permutation(len(free))
    # The largest first, each to the shortest block.
    place = place[np.argsort(-size[place], kind="stable")]
    at, long = np.zeros(len(free), dtype=np.int64), np.zeros(blocks, dtype=np.int64)
    for one in place:
        at[one] = int(long.argmin())
        long[at[one]] += size[one]
    spread = long.max() - long.min()
    weights = np.square(given.correlation)
    np.fill_diagonal(weights, 0.0)
    weights /= max(float(weights.sum()), 1e-12)

    def lost(one: Design) -> float:
        means = float((1 / efficiency(given, one.forms)).mean())
        return means + float((weights / np.maximum(one.together, 1e-3)).sum())

    def designed() -> Design:
        block = np.full(count, -1, dtype=np.int64)
        block[~fixed] = at[np.searchsorted(free, of[~fixed])]
        return design(block, asked)

    best = designed()
    least = lost(best)
    for _ in range(TRIES if len(free) > blocks else 0):
        pair = rng.choice(len(free), 2, replace=False)
        if at[pair[0]] == at[pair[1]]:
            continue
        at[pair] = at[pair[::-1]]
        long = np.bincount(at, weights=size, minlength=blocks)
        if long.max() - long.min() <= spread:
            found = designed()
            now = lost(found)
            if now < least:
                best, least = found, now
                continue
        at[pair] = at[pair[::-1]]
    return best


def _information(given: Scores, forms: Bools) -> Floats:
    size = len(given.covariance)
    out = np.zeros((size, size))
    for form in forms:
        there = np.concatenate([form, np.ones(size - given.questions, dtype=bool)])
        at = np.ix_(there, there)
        out[at] += np.linalg.inv(given.covariance[at])
    return out / len(forms)


def design_of(rows: Sequence[Mapping[str, Any]]) -> Design:
    """Return the design that rows of `design_blocks` are of, its questions in their order."""
    letters = sorted({r["block"] for r in rows} - {CORE}, key=lambda word: (len(word), word))
    block = [-1 if r["block"] == CORE else letters.index(r["block"]) for r in rows]
    return design(np.array(block, dtype=np.int64), int(rows[0]["blocks_asked"]))


def letter(block: int) -> str:
    """Return the name of a block."""
    return CORE if block < 0 else (chr(65 + block) if block < 26 else f"B{block + 1}")
