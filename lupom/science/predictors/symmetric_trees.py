"""Boosted trees whose nodes of one depth share a split, grown by matrix products.

Answers have few values, so that all splits of a table are a few hundred rows of zeros and ones: the
gradients on the left of each of them are one product, and a depth of a tree is found at once for
all options and all nodes. On six surveys that takes a quarter to .4 of the CPU of scikit-learn's
histogram trees, which work each option's tree and each of its nodes on its own, with a log loss on
tuning pairs that is equal or lower.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lupom.science.predictors.task import Floats, Ints

Float32 = npt.NDArray[np.float32]

# Chosen on the tuning pairs of six surveys (2 to 8 draws each), in log loss: of 60 rounds at .15
# .6690 on the General Social Survey and 1.3654 on 25 items with six options. Trying .4 of the
# features it is .6688 and 1.3676, and higher on the four others; with that share 50 rounds have
# .6694 and 1.3724, 80 at .12 .6689 and 1.3698, a depth of three (50 rounds at .12) .6712 and 1.3703
# for a third more time, a ridge of 3 .6697 and 1.3663, 30 people .6689 and 1.3677.
ROUNDS, RATE, DEPTH = 60, 0.15, 2
LEAST_PEOPLE, RIDGE = 15, 5.0
# The share of features that are tried for a depth of a tree.
TRIED = 0.6
# Values of a feature that may be split at; of more, as many quantiles.
_BOUNDS = 12


@dataclass(frozen=True, slots=True)
class Trees:
    """Trees of one question, T in number: each parts people by DEPTH splits into 2^DEPTH leaves.

    options : the options that have a score, (K,).
    start : their scores before the first tree, (k,); k is 1 where K is 2, since two options have
        one score between them, that of the second.
    feature, bound : what is split and the largest value that goes left, (T, DEPTH).
    unknown_left : whether who has no value goes left, (T, DEPTH).
    value : what a leaf adds to the scores, (T, 2^DEPTH, k).
    """

    options: Ints
    start: Floats
    feature: npt.NDArray[np.int32]
    bound: Float32
    unknown_left: npt.NDArray[np.bool_]
    value: Float32

    def probabilities(self, table: Float32) -> Floats:
        """Return the probability of each option for rows of features, (n, K)."""
        value = table[:, self.feature]
        left = np.where(np.isnan(value), self.unknown_left, value <= self.bound)
        leaf = (~left @ (1 << np.arange(self.feature.shape[1]))).astype(np.int64)
        added = self.value[np.arange(len(self.feature)), leaf].sum(axis=1, dtype=np.float64)
        scores = self.start + added
        if len(self.options) == 2:
            scores = np.hstack([np.zeros_like(scores), scores])
        p = np.exp(scores - scores.max(axis=1, keepdims=True))
        return np.asarray(p / p.sum(axis=1, keepdims=True))


@dataclass(frozen=True, slots=True)
class _Splits:
    """Splits of a table, C in number, those of a feature beside each other.

    member : rows of zeros and ones, (R, n): of each feature who has no value, where it matters, and
        for each bound who has at most that. A split takes one of the latter, or one and the former:
        where blanks are many there are half as many rows as splits.
    row, blank : a split's row of its bound, and the first row of its feature, (C,).
    """

    member: Float32
    row: Ints
    blank: Ints
    feature: npt.NDArray[np.int32]
    bound: Float32
    unknown_left: npt.NDArray[np.bool_]

    def sums(self, place: slice, parts: Float32) -> Float32:
        """Return the sums of parts (m, n) of those on the left of some splits, (splits, m)."""
        row, blank = self.row[place], self.blank[place]
        start = blank[0]
        of_rows = self.member[start : row[-1] + 1] @ parts.T
        out: Float32 = of_rows.take(row - start, axis=0)
        also = np.flatnonzero(self.unknown_left[place])
        out[also] += of_rows.take(blank[also] - start, axis=0)
        return out

    def left(self, split: int) -> Float32:
        """Return 1 for those on the left of a split, (n,)."""
        there: Float32 = self.member[self.row[split]]
        if self.unknown_left[split]:
            there = there + self.member[self.blank[split]]
        return there


def grown(table: Float32, given: Ints, seed: int) -> Trees:
    """Return trees that tell an answer from features.

    Gradient boosting (Friedman 2001) of second-order steps on the multinomial log loss. Of a tree's
    depth, one split is taken for all its nodes and all options, the one that gains most over them
    together (symmetric trees: Prokhorenkova et al. 2018); its leaves have a value for each option.

    Parameters
    ----------
    table : features as numbers, NaN where not known, (n, F).
    given : options that were answered, (n,), at least two of them.
    seed : of the order of features; those that are tried together stand beside each other in it.
    """
    random = np.random.default_rng(seed)
    order = random.permutation(table.shape[1])
    splits = _splits(table, order)
    options, answer = np.unique(given, return_inverse=True)
    # People are along rows: numpy's sums over five options are nine times as fast down columns.
    told = (answer == np.arange(len(options))[:, None]).astype(np.float32)
    share = told.mean(axis=1, dtype=np.float64)
    if len(options) == 2:
        told, start = told[1:], np.log(share[1:] / share[:1])
    else:
        start = np.log(share)
    first, last = _places(splits.feature)
    tried = int(np.ceil(TRIED * len(first)))
    scores = np.tile(start.astype(np.float32)[:, None], len(given))
    taken = np.empty((ROUNDS, DEPTH), dtype=np.int64)
    value = np.empty((ROUNDS, 2**DEPTH, len(start)), dtype=np.float32)
    # Where nothing parts people, the shares are all there is.
    rounds = ROUNDS if len(first) else 0
    for i in range(rounds):
        slopes = _slopes(scores, told)
        parts = slopes
        leaf = np.zeros(len(given), dtype=np.int64)
        for depth in range(DEPTH):
            begin = random.integers(len(first) - tried + 1)
            place = slice(first[begin], last[begin + tried - 1])
            best = first[begin] + _best(splits.sums(place, parts), parts.sum(axis=1), len(start))
            taken[i, depth] = best
            left = splits.left(best)
            leaf += (left == 0).astype(np.int64) << depth
            if depth < DEPTH - 1:
                here = parts * left
                parts = np.vstack([here, parts - here])
        at = (leaf == np.arange(2**DEPTH)[:, None]).astype(np.float32)
        sums = at @ slopes.T
        value[i] = -RATE * sums[:, : len(start)] / (sums[:, len(start) :] + RIDGE)
        scores += value[i].T.take(leaf, axis=1)
    taken = taken[:rounds]
    return Trees(
        options,
        start,
        splits.feature[taken],
        splits.bound[taken],
        splits.unknown_left[taken],
        value[:rounds],
    )


def _splits(table: Float32, order: Ints) -> _Splits:
    """Return the splits that leave enough people on both sides, features in this order."""
    n = len(table)
    member: list[npt.NDArray[np.bool_]] = []
    made = []
    for feature in order:
        column = table[:, feature]
        unknown = np.isnan(column)
        bounds = np.unique(column[~unknown])
        if len(bounds) > _BOUNDS:
            among = np.linspace(0, 1, _BOUNDS + 1)[1:]
            bounds = np.unique(np.quantile(column[~unknown], among, method="higher"))
        below = column <= bounds[:, None]
        size, blank = np.count_nonzero(below, axis=1), np.count_nonzero(unknown)
        alone, filled = (
            (size + more >= LEAST_PEOPLE) & (size + more <= n - LEAST_PEOPLE)
            for more in (0, blank or n)
        )
        kept = np.flatnonzero(alone | filled)
        begin = len(member)
        member += [unknown] if filled.any() else []
        for row, i in enumerate(kept, start=len(member)):
            sides = [side for side, good in ((False, alone[i]), (True, filled[i])) if good]
            made += [(row, begin, feature, bounds[i], side) for side in sides]
        member += [*below[kept]]
    columns = list(zip(*made, strict=True)) or [()] * 5
    return _Splits(
        np.array(member, dtype=np.float32).reshape(len(member), n),
        np.array(columns[0], dtype=np.int64),
        np.array(columns[1], dtype=np.int64),
        np.array(columns[2], dtype=np.int32),
        np.array(columns[3], dtype=np.float32),
        np.array(columns[4], dtype=bool),
    )


def _places(feature: npt.NDArray[np.int32]) -> tuple[Ints, Ints]:
    """Return where the splits of each feature that has any begin and end, in their order."""
    changes = np.flatnonzero(np.diff(feature)) + 1
    if not len(feature):
        return changes, changes
    return np.append(0, changes), np.append(changes, len(feature))


def _slopes(scores: Float32, told: Float32) -> Float32:
    """Return first and second derivatives of the loss by each score, (2k, n)."""
    if len(scores) == 1:
        p = 1 / (1 + np.exp(-scores))
    else:
        p = np.exp(scores - scores.max(axis=0))
        p /= p.sum(axis=0)
    return np.vstack([p - told, p * (1 - p)])


def _best(left: Float32, whole: Float32, scores: int) -> int:
    """Return the split of the largest gain over all nodes and scores.

    `left` has the sums of slopes on the left of splits, (C, nodes * 2k), `whole` those of all.
    """
    on_left = left.reshape(len(left), -1, 2 * scores)
    on_right = whole.reshape(-1, 2 * scores) - on_left
    gain = sum(
        side[:, :, :scores] ** 2 / (side[:, :, scores:] + RIDGE) for side in (on_left, on_right)
    )
    return int(np.asarray(gain).sum(axis=(1, 2)).argmax())
