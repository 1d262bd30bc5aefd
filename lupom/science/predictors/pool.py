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


def fit(evidence: Evidence, centre: Floats, shrinkage: Shrinkage) -> Weights:
    """Return the weights, none negative, with the least penalised log loss.

    The penalty is ridge / 2 |w - centre|^2 + group_ridge / 2 sum_g |w_g - w|^2: a normal prior, so
    that a group with few pairs has nearly the common weights (partial pooling).
    """
    from scipy.optimize import minimize

    m = len(centre)
    groups = int(evidence.group.max(initial=-1)) + 1
    if shrinkage.centre == "best" and len(evidence.truth):
        centre = _best(evidence)
    single = shrinkage.group_ridge == INFINITE
    if shrinkage.ridge == INFINITE or not len(evidence.truth):
        if single or not len(evidence.truth):
            return Weights(centre, np.tile(centre, (groups, 1)))
        raise ValueError("common weights that are held leave no group weights of their own")
    rows = np.arange(len(evidence.truth))
    logs = np.where(evidence.inside[:, :, None], evidence.logs, 0.0)
    right = logs[rows, evidence.truth]
    blocks = 0 if single else groups

    def loss(x: Floats) -> tuple[float, Floats]:
        common, own = x[:m], x[m:].reshape(blocks, m)
        w = np.broadcast_to(common, (len(rows), m)) if single else own[evidence.group]
        p = pooled(logs, evidence.inside, w)
        slope = np.einsum("nk,nkm->nm", p, logs) - right
        away = common - centre
        value = losses(p, evidence.truth).sum() + shrinkage.ridge / 2 * (away @ away)
        gradient = np.zeros_like(x)
        gradient[:m] = shrinkage.ridge * away
        if single:
            gradient[:m] += slope.sum(axis=0)
        else:
            apart = own - common
            value += shrinkage.group_ridge / 2 * np.square(apart).sum()
            gradient[:m] -= shrinkage.group_ridge * apart.sum(axis=0)
            by_group = np.zeros((groups, m))
            np.add.at(by_group, evidence.group, slope)
            gradient[m:] = (by_group + shrinkage.group_ridge * apart).ravel()
        return float(value), gradient

    start = np.tile(centre, 1 + blocks)
    found = minimize(
        loss,
        start,
        jac=True,
        method="L-BFGS-B",
        bounds=[(0.0, None)] * len(start),
        options={"maxiter": 300, "ftol": 1e-9},
    ).x
    common = found[:m]
    own = np.tile(common, (groups, 1)) if single else found[m:].reshape(groups, m)
    return Weights(common, own)


def _best(evidence: Evidence) -> Floats:
    """Return 1 for the part with the least log loss, the first of equals, and 0 for all others."""
    m = evidence.logs.shape[2]
    mean = [
        losses(pooled(evidence.logs, evidence.inside, row), evidence.truth).sum()
        for row in np.eye(m)
    ]
    return np.asarray(np.eye(m)[int(np.argmin(mean))])


def crossed(evidence: Evidence, centre: Floats, shrinkage: Shrinkage) -> Floats:
    """Return each pair's probabilities by weights fitted to the other folds, (N, K)."""
    out = np.zeros(evidence.inside.shape)
    for fold in _folds(evidence):
        weights = fit(evidence.part(~fold), centre, shrinkage)
        held = evidence.part(fold)
        out[fold] = pooled(held.logs, held.inside, weights.of(held.group))
    return out


def _folds(evidence: Evidence) -> Iterator[Bools]:
    for fold in range(FOLDS):
        here = evidence.fold == fold
        if here.any():
            yield here


def tried(
    evidence: Evidence, candidates: Sequence[tuple[Floats, Shrinkage]]
) -> tuple[list[Weights], list[Floats]]:
    """Return each candidate's weights, and what they predict when fitted to other folds."""
    return (
        [fit(evidence, centre, c) for centre, c in candidates],
        [crossed(evidence, centre, c) for centre, c in candidates],
    )


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
