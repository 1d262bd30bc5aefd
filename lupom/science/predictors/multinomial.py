"""Multinomial logistic regressions of many questions on the same features, all fitted at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lupom.science.predictors.task import HIDDEN, Bools, Floats, Ints

Singles = npt.NDArray[np.float32]

# Respondents whose scores are held at once: 4,096 x 600 options are 10 MB.
BLOCK = 4096
# The intercept is a feature of this size, so that the ridge of the preconditioner hardly holds it.
INTERCEPT = 10.0
# Steps that L-BFGS remembers, and the most it takes.
MEMORY = 5
STEPS = 200
# A question is done when its loss is about this much above the least, in nats per learner.
NEAR = 1e-7
# What is lost to rounding in a sum of single precision, relative to it.
ROUNDING = 1e-6


@dataclass(frozen=True)
class Regressions:
    """What was fitted: a row for each option that some learner gave, of questions fitted.

    Attributes
    ----------
    question, option : (T), whose each row is, in order of question and option.
    weights : (T, p), 0 where a feature is left out of a question's.
    intercept : (T).
    """

    question: Ints
    option: Ints
    weights: Singles
    intercept: Singles

    def of(self, question: int) -> slice:
        """Return the rows of a question; none if it was not fitted."""
        start, stop = np.searchsorted(self.question, [question, question + 1])
        return slice(int(start), int(stop))

    def probabilities(self, question: int, features: npt.NDArray[np.generic]) -> Floats:
        """Return probabilities (n, its rows) of a fitted question, from features (n, p)."""
        rows = self.of(question)
        # Doubles: the singles of a product differ by how many people are asked for at one time.
        weights = self.weights[rows].astype(np.float64)
        scores = features.astype(np.float64) @ weights.T + self.intercept[rows]
        p = np.exp(scores - scores.max(axis=1, keepdims=True))
        return np.asarray(p / p.sum(axis=1, keepdims=True))


def fit(features: npt.NDArray[np.generic], answers: Ints, own: Ints, ridge: float) -> Regressions:
    """Return the multinomial logistic regressions of many questions on the same features.

    The loss of a question is sum_i -log p_i(answer) + ridge / 2 |weights|^2, the intercept free; of
    two options, which scikit-learn tells apart by one vector, it is ridge |weights|^2. All are
    fitted at once by L-BFGS, a step of which is two products of matrices. It starts at the shares
    of all, and is preconditioned by the Hessian there, (diag(s) - s s') x X'X + ridge, which one
    eigendecomposition of X'X inverts for all questions. (Bohning 1992 has (I - 1 1' / K) / 2 for
    the first factor, a bound at any p that is several times too large where shares are uneven.)
    What a question leaves out is left out of its inverse by a correction of low rank.

    Parameters
    ----------
    features : (n, p), 0 or 1.
    answers : (n, Q), the option's index, -1 where there is none: that respondent is not learned
        from. Questions of which fewer than two options were given are not fitted.
    own : (p), the question that a feature is an answer to, -1 of others. A question's are left out.
    ridge : the penalty.
    """
    counts = [np.bincount(column[column != HIDDEN]) for column in answers.T]
    given = [np.flatnonzero(c) for c in counts]
    fitted = [q for q in range(len(given)) if len(given[q]) > 1 and features.shape[1]]
    sizes = np.array([len(given[q]) for q in fitted], dtype=np.int64)
    question = np.repeat(np.array(fitted, dtype=np.int64), sizes)
    if not fitted:
        weights = np.zeros((0, features.shape[1] + 1), dtype=np.float32)
        return Regressions(question, question, weights[:, :-1], weights[:, -1])
    option = np.concatenate([given[q] for q in fitted])
    problems = [_Problem(q, given[q], counts[q][given[q]], own == q, ridge) for q in fitted]
    weights = _solve(features, answers, problems, np.concatenate([[0], np.cumsum(sizes)]))
    return Regressions(question, option, weights[:, :-1], weights[:, -1] * np.float32(INTERCEPT))


class _Problem:
    """One question: its ridge, and the inverse of the Hessian at the shares of all."""

    def __init__(self, question: int, given: Ints, counts: Ints, own: Bools, ridge: float):
        self.question = question
        self.n = int(counts.sum())
        self.shares = counts / self.n
        self.ridge = ridge * (2.0 if len(given) == 2 else 1.0)
        self.own = np.append(own, False)
        # From an option's code to its row; codes beyond the last that was given do not occur.
        self.row = np.zeros(int(given.max()) + 1, dtype=np.int64)
        self.row[given] = np.arange(len(given))
        values, turn = np.linalg.eigh(np.diag(self.shares) - np.outer(self.shares, self.shares))
        self.curvature = np.maximum(values, 0.0)
        self.turn = turn.astype(np.float32)

    def prepare(self, values: Floats, vectors: Singles, n: int) -> None:
        """Take the eigenvalues and -vectors of X'X, of n respondents."""
        scale = self.curvature * (self.n / n)
        self.inverse = (1.0 / (scale[:, None] * values + self.ridge)).astype(np.float32)
        self.left_out = vectors[self.own]
        within = np.einsum("op,kp,rp->kor", self.left_out, self.inverse, self.left_out)
        self.correction = np.linalg.inv(within.astype(np.float64)).astype(np.float32)

    def apply(self, turned: Singles) -> Singles:
        """Return the inverse times a gradient (K, p), both in the coordinates of eigenvectors."""
        step = (self.turn.T @ turned) * self.inverse
        if len(self.left_out):
            own = np.matmul(self.correction, (step @ self.left_out.T)[:, :, None])[:, :, 0]
            step -= self.inverse * (own @ self.left_out)
        out: Singles = self.turn @ step
        return out


class _Loss:
    """Losses and gradients of all questions, by blocks of respondents."""

    def __init__(
        self, features: npt.NDArray[np.generic], answers: Ints, problems: list[_Problem], at: Ints
    ):
        self.features, self.answers, self.problems, self.at = features, answers, problems, at

    def blocks(self) -> list[slice]:
        n = len(self.features)
        return [slice(start, min(start + BLOCK, n)) for start in range(0, n, BLOCK)]

    def table(self, block: slice) -> Singles:
        x = self.features[block]
        out = np.empty((len(x), x.shape[1] + 1), dtype=np.float32)
        out[:, :-1], out[:, -1] = x, INTERCEPT
        return out

    def gram(self) -> Floats:
        out = np.zeros((self.features.shape[1] + 1,) * 2)
        for block in self.blocks():
            x = self.table(block)
            out += x.T @ x
        return out

    def __call__(self, weights: Singles, wanted: list[int]) -> tuple[Floats, Singles]:
        """Return losses of the wanted problems (W) and gradients (their rows, p + 1)."""
        rows = np.concatenate([np.arange(self.at[i], self.at[i + 1]) for i in wanted])
        own = weights[rows]
        losses = np.zeros(len(wanted))
        gradient = np.zeros_like(own)
        for block in self.blocks():
            x = self.table(block)
            scores = own @ x.T
            start = 0
            for place, i in enumerate(wanted):
                problem = self.problems[i]
                part = scores[start : (start := start + len(problem.shares))]
                losses[place] += _residuals(part, self.answers[block, problem.question], problem)
            gradient += scores @ x
        start = 0
        for place, i in enumerate(wanted):
            problem = self.problems[i]
            part = slice(start, start := start + len(problem.shares))
            gradient[part, problem.own] = 0.0
            gradient[part, :-1] += np.float32(problem.ridge) * own[part, :-1]
            losses[place] += problem.ridge / 2 * np.square(own[part, :-1], dtype=np.float64).sum()
        return losses, gradient


def _residuals(scores: Singles, answers: Ints, problem: _Problem) -> float:
    """Turn scores (K, n) into p - y, 0 of who gave no answer, in place; return the log loss."""
    there = np.flatnonzero(answers != HIDDEN)
    given = problem.row[answers[there]]
    scores -= scores.max(axis=0)
    right = scores[given, there]
    np.exp(scores, out=scores)
    total = scores.sum(axis=0)
    loss = float(np.log(total[there]).sum(dtype=np.float64) - right.sum(dtype=np.float64))
    scores /= total
    scores[given, there] -= 1.0
    if len(there) < len(answers):
        scores[:, answers == HIDDEN] = 0.0
    return loss


def _solve(
    features: npt.NDArray[np.generic], answers: Ints, problems: list[_Problem], at: Ints
) -> Singles:
    """Return the weights with the least losses, (T, p + 1), the intercept's last."""
    loss = _Loss(features, answers, problems, at)
    values, vectors = np.linalg.eigh(loss.gram())
    vectors = vectors.astype(np.float32)
    for problem in problems:
        problem.prepare(np.maximum(values, 0.0), vectors, len(features))
    weights = np.zeros((int(at[-1]), features.shape[1] + 1), dtype=np.float32)
    for i, problem in enumerate(problems):
        weights[at[i] : at[i + 1], -1] = np.log(problem.shares) / INTERCEPT
    searches = [_Search(weights[at[i] : at[i + 1]], p) for i, p in enumerate(problems)]
    wanted = list(range(len(problems)))
    for _ in range(STEPS):
        losses, gradient = loss(weights, wanted)
        asked, turning, start = [], [], 0
        for place, i in enumerate(wanted):
            part = gradient[start : (start := start + len(problems[i].shares))]
            if searches[i].accepts(float(losses[place]), part):
                asked.append(i)
                turning.append(searches[i].before())
        if asked:
            turned, start = np.concatenate(turning) @ vectors, 0
            for i in asked:
                rows = slice(start, start := start + len(problems[i].shares))
                turned[rows] = problems[i].apply(turned[rows])
            steps, start = turned @ vectors.T, 0
            for i in asked:
                searches[i].after(steps[start : (start := start + len(problems[i].shares))])
        wanted = [i for i in wanted if not searches[i].done]
        if not wanted:
            break
    for search in searches:
        search.weights[:] = search.best
    return weights


class _Search:
    """L-BFGS for one question (Nocedal and Wright 2006, algorithm 7.4), halving what does not help.

    The loss is convex, so that a step which lowers it has positive curvature but for rounding.
    """

    def __init__(self, weights: Singles, problem: _Problem):
        self.weights, self.problem = weights, problem
        self.best = weights.copy()
        self.loss, self.length, self.slope = np.inf, 1.0, 0.0
        self.step = self.gradient = np.zeros_like(weights)
        self.done = False
        self.shares: list[float] = []
        self.pairs: list[tuple[Singles, Singles, float]] = []

    def accepts(self, loss: float, gradient: Singles) -> bool:
        """Take the loss and gradient at `weights`; if not lower, go half as far instead."""
        if np.isfinite(self.loss):
            wanted = self.loss + 1e-4 * self.length * self.slope + ROUNDING * abs(self.loss)
            if not loss <= wanted:
                self.length /= 2
                self.done = self.length < 1e-4
                self.weights[:] = self.best + np.float32(self.length) * self.step
                return False
            moved, bent = self.weights - self.best, gradient - self.gradient
            curvature = _dot(moved, bent)
            if curvature > 0:
                self.pairs = [*self.pairs, (moved, bent, 1.0 / curvature)][-MEMORY:]
        self.best[:] = self.weights
        self.loss, self.gradient = loss, gradient.copy()
        return True

    def before(self) -> Singles:
        """Return the gradient less what the steps before it account for, (K, p + 1)."""
        out = self.gradient.copy()
        self.shares = []
        for moved, bent, rho in reversed(self.pairs):
            share = rho * _dot(moved, out)
            out -= np.float32(share) * bent
            self.shares.append(share)
        return out

    def after(self, out: Singles) -> None:
        """Take what `before` gave times the inverse; go the whole step, or be done."""
        out[:, self.problem.own] = 0.0
        for (moved, bent, rho), share in zip(self.pairs, reversed(self.shares), strict=True):
            out += np.float32(share - rho * _dot(bent, out)) * moved
        self.step, self.slope, self.length = -out, -_dot(out, self.gradient), 1.0
        # By Newton's method this is twice the distance to the least loss.
        self.done = -self.slope / 2 < NEAR * self.problem.n
        if not self.done:
            self.weights[:] = self.best + self.step


def _dot(one: Singles, other: Singles) -> float:
    return float(np.vdot(one, other))
