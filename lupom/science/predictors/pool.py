"""Log-linear pools of distributions: weights, shrunk to a centre and by group to common ones.

A pool gives option k the probability prod_m p_m(k)^w_m, divided by its sum over the options (Genest
and Zidek 1986). Weights that add up to more than 1 sharpen, to less than 1 soften, so a pool of one
distribution is temperature scaling. The log loss is convex in the weights.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from lupom.science.predictors.task import Bools, Floats, Ints

INFINITE = float("inf")
FOLDS = 5
# Newton's steps at most, and the nats that one must promise.
STEPS = 50
NEAR = 1e-6
# Of the bootstrap that says what candidates count.
DRAWS = 200


@dataclass(frozen=True)
class Evidence:
    """Pairs whose answer is known, and what each part says of them.

    Attributes
    ----------
    logs : (N, K, M), log-probabilities; anything where there is no option.
    inside : (N, K), which options the question has.
    truth : (N), the option answered.
    group : (N), group of each pair, from 0.
    fold : (N), fold of each pair's respondent, 0 to FOLDS - 1.
    """

    logs: Floats
    inside: Bools
    truth: Ints
    group: Ints
    fold: Ints

    def part(self, chosen: Bools) -> Evidence:
        """Return some of the pairs."""
        return Evidence(
            self.logs[chosen],
            self.inside[chosen],
            self.truth[chosen],
            self.group[chosen],
            self.fold[chosen],
        )


@dataclass(frozen=True)
class Shrinkage:
    """How much weights are held back: penalties on squared distances, in nats of the whole data.

    Attributes
    ----------
    ridge : pulls common weights to the centre; infinite leaves them there.
    group_ridge : pulls a group's weights to the common ones; infinite lets no group differ.
    centre : 'given', or 'best': 1 for the one part with the least log loss, 0 for all others.
    """

    ridge: float
    group_ridge: float = INFINITE
    centre: str = "given"


@dataclass(frozen=True)
class Weights:
    """Weights of the parts: common (M), and of each group that has its own (G, M)."""

    common: Floats
    groups: Floats

    def of(self, group: Ints) -> Floats:
        """Return the weights of each pair, (N, M); a group never seen has the common ones."""
        out = np.tile(self.common, (len(group), 1))
        own = group < len(self.groups)
        out[own] = self.groups[group[own]]
        return out


def pooled(logs: Floats, inside: Bools, weights: Floats) -> Floats:
    """Return the pooled probabilities (N, K) under weights (N, M) or (M)."""
    w = np.broadcast_to(weights, (len(logs), logs.shape[2]))
    scores = np.where(inside, np.einsum("nkm,nm->nk", logs, w), -np.inf)
    scores -= scores.max(axis=1, keepdims=True, initial=-1e300)
    p = np.exp(scores)
    return np.asarray(p / p.sum(axis=1, keepdims=True))


def losses(probabilities: Floats, truth: Ints) -> Floats:
    """Return the log loss of each pair in nats, (N)."""
    return np.asarray(-np.log(np.maximum(probabilities[np.arange(len(truth)), truth], 1e-12)))


def fit(
    evidence: Evidence, centre: Floats, shrinkage: Shrinkage, start: Weights | None = None
) -> Weights:
    """Return the weights, none negative, with the least penalised log loss.

    The penalty is ridge / 2 |w - centre|^2 + group_ridge / 2 sum_g |w_g - w|^2: a normal prior, so
    that a group with few pairs has nearly the common weights (partial pooling). Found by projected
    Newton steps (Bertsekas 1982) from the centre or from `start`; the Hessian of group weights is
    of blocks, whose Schur complement gives the step of the common ones.
    """
    groups = int(evidence.group.max(initial=-1)) + 1
    if shrinkage.centre == "best" and len(evidence.truth):
        centre = _best(evidence)
    single = shrinkage.group_ridge == INFINITE
    if shrinkage.ridge == INFINITE or not len(evidence.truth):
        if single or not len(evidence.truth):
            return Weights(centre, np.tile(centre, (groups, 1)))
        raise ValueError("common weights that are held leave no group weights of their own")
    if single:
        # One group, pulled to a centre that stays.
        one = np.zeros(len(evidence.truth), dtype=np.int64)
        problem = _Problem(evidence, one, 1, centre, INFINITE, shrinkage.ridge)
        begin = centre if start is None else start.common
        own = problem.solve(centre, begin[None])[1]
        return Weights(own[0], np.tile(own[0], (groups, 1)))
    problem = _Problem(
        evidence, evidence.group, groups, centre, shrinkage.ridge, shrinkage.group_ridge
    )
    if start is None:
        return Weights(*problem.solve(centre, np.tile(centre, (groups, 1))))
    return Weights(*problem.solve(start.common, start.of(np.arange(groups))))


class _Problem:
    """The penalised log loss of group weights and of common ones, which an infinite ridge holds."""

    def __init__(
        self,
        evidence: Evidence,
        group: Ints,
        groups: int,
        centre: Floats,
        ridge: float,
        group_ridge: float,
    ):
        order = np.argsort(group, kind="stable")
        self.group = group[order]
        self.there, self.first = np.unique(self.group, return_index=True)
        self.groups, self.centre = groups, centre
        self.ridge, self.group_ridge = ridge, group_ridge
        self.inside, truth = evidence.inside[order], evidence.truth[order]
        logs = np.where(self.inside[:, :, None], evidence.logs[order], 0.0)
        # Relative to the answer given, whose score is then 0: log loss is the log of the sum.
        self.logs = logs - logs[np.arange(len(truth)), truth][:, None]

    def solve(self, common: Floats, own: Floats) -> tuple[Floats, Floats]:
        value, p = self.loss(common, own)
        for _ in range(STEPS):
            gradient, own_gradient, hessian = self.slopes(common, own, p)
            away, own_away = self.step(common, own, gradient, own_gradient, hessian)
            fall = float(gradient @ away + (own_gradient * own_away).sum())
            if fall < NEAR:
                break
            length = 1.0
            while length > 1e-6:
                there = np.maximum(common - length * away, 0.0)
                own_there = np.maximum(own - length * own_away, 0.0)
                found, p_there = self.loss(there, own_there)
                gained = gradient @ (common - there) + (own_gradient * (own - own_there)).sum()
                if found <= value - 1e-4 * gained:
                    break
                length /= 2
            else:
                break
            common, own, value, p = there, own_there, found, p_there
        return common, own

    def loss(self, common: Floats, own: Floats) -> tuple[float, Floats]:
        """Return the penalised loss, and the pooled probabilities (N, K)."""
        scores = np.matmul(self.logs, own[self.group][:, :, None])[:, :, 0]
        scores = np.where(self.inside, scores, -np.inf)
        most = scores.max(axis=1, keepdims=True)
        p = np.exp(scores - most)
        total = p.sum(axis=1, keepdims=True)
        value = float((np.log(total) + most).sum())
        value += self.group_ridge / 2 * float(np.square(own - common).sum())
        if self.ridge != INFINITE:
            value += self.ridge / 2 * float(np.square(common - self.centre).sum())
        return value, p / total

    def slopes(self, common: Floats, own: Floats, p: Floats) -> tuple[Floats, Floats, Floats]:
        """Return gradients (M) and (G, M), and the Hessian of each group's own (G, M, M)."""
        m = len(common)
        mean = np.matmul(p[:, None, :], self.logs)
        apart = np.sqrt(p)[:, :, None] * (self.logs - mean)
        own_gradient = self.group_ridge * (own - common)
        own_gradient[self.there] += np.add.reduceat(mean[:, 0], self.first, axis=0)
        hessian = np.tile(self.group_ridge * np.eye(m), (self.groups, 1, 1))
        bounds = [*self.first, len(self.group)]
        for g, start, stop in zip(self.there, bounds, bounds[1:], strict=False):
            rows = apart[start:stop].reshape(-1, m)
            hessian[g] += rows.T @ rows
        if self.ridge == INFINITE:
            return np.zeros(m), own_gradient, hessian
        gradient = self.ridge * (common - self.centre)
        gradient -= self.group_ridge * (own - common).sum(axis=0)
        return gradient, own_gradient, hessian

    def step(
        self, common: Floats, own: Floats, gradient: Floats, own_gradient: Floats, hessian: Floats
    ) -> tuple[Floats, Floats]:
        """Return Newton's step of the weights that no bound holds, 0 of the others."""
        free = (own > 0) | (own_gradient < 0)
        hessian = hessian * (free[:, :, None] & free[:, None, :])
        diagonal = np.arange(len(common))
        hessian[:, diagonal, diagonal] += ~free
        right = np.where(free, own_gradient, 0.0)
        if self.ridge == INFINITE:
            held = np.linalg.solve(hessian, right[:, :, None])[:, :, 0]
            return np.zeros_like(common), np.asarray(held, dtype=np.float64)
        inverse = np.linalg.inv(hessian)
        # A group's weight hangs on the common one by -group_ridge, where it is free.
        tied = self.group_ridge * free
        schur = (self.ridge + self.groups * self.group_ridge) * np.eye(len(common))
        schur -= (tied[:, :, None] * inverse * tied[:, None, :]).sum(axis=0)
        solved = np.matmul(inverse, right[:, :, None])[:, :, 0]
        loose = (common > 0) | (gradient < 0)
        schur = np.where(loose[:, None] & loose, schur, np.diag(np.diag(schur)))
        total = gradient + (tied * solved).sum(axis=0)
        away = np.asarray(np.linalg.solve(schur, np.where(loose, total, 0.0)), dtype=np.float64)
        own_away: Floats = solved + np.matmul(inverse, (tied * away)[:, :, None])[:, :, 0]
        return away, own_away


def _best(evidence: Evidence) -> Floats:
    """Return 1 for the part with the least log loss, the first of equals, and 0 for all others."""
    logs = np.where(evidence.inside[:, :, None], evidence.logs, -np.inf)
    most = logs.max(axis=1)
    total = most + np.log(np.exp(logs - most[:, None]).sum(axis=1))
    given = logs[np.arange(len(evidence.truth)), evidence.truth]
    loss = (total - given).sum(axis=0)
    return np.asarray(np.eye(len(loss))[int(np.argmin(loss))])


def crossed(evidence: Evidence, candidates: Sequence[tuple[Floats, Shrinkage]]) -> list[Floats]:
    """Return each pair's probabilities by weights fitted to the other folds, (N, K).

    One for each candidate, a centre and how much weights are held to it.
    """
    out = [np.zeros(evidence.inside.shape) for _ in candidates]
    for fold in _folds(evidence):
        held = evidence.part(fold)
        for p, weights in zip(out, _each(evidence.part(~fold), candidates), strict=True):
            p[fold] = pooled(held.logs, held.inside, weights.of(held.group))
    return out


def _each(evidence: Evidence, candidates: Sequence[tuple[Floats, Shrinkage]]) -> Iterator[Weights]:
    """Yield each candidate's weights; Newton starts where it found those of the one before."""
    found = None
    for centre, shrinkage in candidates:
        found = fit(evidence, centre, shrinkage, found)
        yield found


def _folds(evidence: Evidence) -> Iterator[Bools]:
    for fold in range(FOLDS):
        here = evidence.fold == fold
        if here.any():
            yield here


def tried(
    evidence: Evidence, candidates: Sequence[tuple[Floats, Shrinkage]], *, fitted: bool = True
) -> tuple[list[Weights], list[Floats]]:
    """Return each candidate's weights, and what they predict when fitted to other folds.

    Where the weights are not `fitted`, which takes a sixth of the time, they are the centres.
    """
    found = (
        list(_each(evidence, candidates))
        if fitted
        else [Weights(centre, np.zeros((0, len(centre)))) for centre, _ in candidates]
    )
    return found, crossed(evidence, candidates)


def shares(loss: Floats, unit: Ints) -> Floats:
    """Return what each candidate counts, by its log losses of pairs (N, C).

    By the likelihood alone the one that did best by chance would count nearly all where there are
    few pairs. So it is averaged over a Bayesian bootstrap of persons (pseudo-BMA+, Yao, Vehtari,
    Simpson and Gelman 2018, 3.4).
    """
    by_unit = np.stack([np.bincount(unit, weights=column) for column in loss.T], axis=1)
    by_unit = by_unit[np.bincount(unit) > 0]
    drawn = np.random.default_rng(0).dirichlet(np.ones(len(by_unit)), size=DRAWS)
    total = -len(by_unit) * (drawn @ by_unit)
    share = np.exp(total - total.max(axis=1, keepdims=True))
    return np.asarray((share / share.sum(axis=1, keepdims=True)).mean(axis=0))


def averaged(
    evidence: Evidence, share: Floats, found: Sequence[Weights], crossed: Sequence[Floats]
) -> tuple[Weights, Floats]:
    """Return the mean weights of candidates, and the cross-fitted predictions of that.

    Choosing the best instead would change the stack by the luck of the folds: their log losses
    often differ by less than a nat in all. (Pseudo-BMA, Yao et al. 2018.)
    """
    weights = Weights(
        np.asarray(sum(a * w.common for a, w in zip(share, found, strict=True))),
        np.asarray(sum(a * w.groups for a, w in zip(share, found, strict=True))),
    )
    # A pool under mean weights is the pool of the pools.
    logs = np.stack([np.log(np.maximum(p, 1e-300)) for p in crossed], axis=2)
    return weights, pooled(logs, evidence.inside, share)
