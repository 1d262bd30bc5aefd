"""What an LLM's answer without a distribution is worth.

Learned on tuning pairs of one LLM, setting and scenario: how likely it says option j of question q
of a person whose answer is k,

    P(j | k, q)  ~  exp( a_q [j = k] - b_q |j - k| / (K - 1) + c_q log m_q(j) )

with m_q how often it says j of anybody: a_q is how reliable it is, b_q how much nearer options are
the likelier (one that says 'Often' where people say 'Always' is not far off), c_q how much it says
whoever is meant. Those of a question are pulled to those of all, and these to `PRIOR` (partial
pooling). What it said of people who answered k, as counted, is one draw of a Dirichlet distribution
about that, whose concentration is averaged over by its posterior (Gelman et al., Bayesian Data
Analysis, 5.3): so an LLM that says one thing for another is understood once it has done so often
enough. (Models of raters' errors: Dawid and Skene 1979.)

By Bayes' rule this is evidence of k that holds whatever else is known of the person: an answer that
an LLM gives of everybody is none. With the shares of people's answers it is a distribution.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lupom.science.predictors import pool
from lupom.science.predictors.distributions import Pairs
from lupom.science.predictors.pool import Evidence, Shrinkage
from lupom.science.predictors.task import Bools, Floats, Ints

# Weights of [j = k], of the distance and of log m before there is a pair: of three options that are
# said equally often the person's is said in .6. They may be off by 1, a question's by another .2.
PRIOR = np.array([1.0, 0.5, 1.0])
POOLED = Shrinkage(1.0, 30.0)
# What shares and evidence count in the distribution: 1 each by Bayes' rule, give or take .3.
BAYES = Shrinkage(10.0)
CONCENTRATIONS = np.array([1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1e4])


@dataclass(frozen=True)
class Worth:
    """What answers are worth, both (P, width) and zeros where no option was given.

    Attributes
    ----------
    likelihood : of the answer given if the person's is this option.
    probabilities : of each option, the shares of people's answers in tuning pairs being the prior.

    Of a tuning pair they are by what was learned on other folds, of a test pair by what was learned
    on all tuning pairs.
    """

    likelihood: Floats
    probabilities: Floats


def worth(pairs: Pairs, said: Ints, fold: Ints) -> Worth:
    """Return what answers of an LLM in one setting are worth, as its tuning pairs are answered.

    Parameters
    ----------
    pairs : held-out pairs of one scenario, (P).
    said : (P), the option it gave, -1 where none.
    fold : (P), fold of each pair, as respondents (of new questions: questions) have them.
    """
    found = Worth(np.zeros((len(said), pairs.width)), np.zeros((len(said), pairs.width)))
    mean = _means(pairs, said)
    known = (said >= 0) & (pairs.truth >= 0)
    test = (said >= 0) & ~known
    parts = [(known & (fold != one), known & (fold == one)) for one in np.unique(fold[known])]
    if test.any():
        parts.append((known, test))
    for learn, use in parts:
        found.likelihood[use], found.probabilities[use] = _learned(pairs, said, mean, learn, use)
    return found


def _means(pairs: Pairs, said: Ints) -> Floats:
    """Return the log of how often each option is said of others, (P, width), one of each added.

    To see that no answers need be known, so all pairs it was asked count, test pairs among them.
    """
    given = said >= 0
    counts = np.zeros((len(pairs.questions), pairs.width))
    np.add.at(counts, (pairs.columns[given], said[given]), 1.0)
    counts = counts[pairs.columns]
    counts[given, said[given]] -= 1.0
    counts = (counts + 1.0) * pairs.inside
    return np.asarray(np.log(np.maximum(counts / counts.sum(axis=1, keepdims=True), 1e-12)))


def _learned(
    pairs: Pairs, said: Ints, mean: Floats, learn: Bools, use: Bools
) -> tuple[Floats, Floats]:
    """Return likelihoods and probabilities of pairs to `use` by what those to `learn` from tell."""
    evidence = Evidence(
        _features(pairs, mean, learn, pairs.truth[learn]),
        pairs.inside[learn],
        said[learn],
        pairs.columns[learn],
        np.zeros(int(learn.sum()), dtype=np.int64),
    )
    weights = pool.fit(evidence, PRIOR, POOLED)
    # To a new question nobody's answer is known: there are neither counts nor shares of its own.
    new = bool((pairs.scenarios == "new_question").all())
    counts = np.zeros((len(pairs.questions), pairs.width, pairs.width))
    shares = np.zeros(counts.shape[:2])
    if not new:
        np.add.at(counts, (pairs.columns[learn], pairs.truth[learn], said[learn]), 1.0)
        np.add.at(shares, (pairs.columns[learn], pairs.truth[learn]), 1.0)

    def expected(chosen: Bools, answer: Ints) -> Floats:
        features = _features(pairs, mean, chosen, answer)
        return pool.pooled(features, pairs.inside[chosen], weights.of(pairs.columns[chosen]))

    base = np.zeros_like(counts)
    base[pairs.columns[learn], pairs.truth[learn]] = expected(learn, pairs.truth[learn])
    concentration = _concentration(counts, base)

    def likelihood(chosen: Bools, less: float) -> Floats:
        rows, columns = np.arange(int(chosen.sum())), pairs.columns[chosen]
        out = np.zeros((len(rows), pairs.width))
        for answer in range(pairs.width):
            p = expected(chosen, np.full(len(rows), answer))[rows, said[chosen]]
            own = counts[columns, answer, said[chosen]]
            total = counts[columns, answer].sum(axis=1)
            # Whoever is counted must not be among those they are compared with.
            out_of = less * (pairs.truth[chosen] == answer)
            k = CONCENTRATIONS[:, None]
            out[:, answer] = concentration @ ((own - out_of + k * p) / (total - out_of + k))
        return np.asarray(np.log(np.maximum(out, 1e-12)) * pairs.inside[chosen])

    def prior(chosen: Bools, less: float) -> Floats:
        own = shares[pairs.columns[chosen]]
        if less:
            own[np.arange(len(own)), pairs.truth[chosen]] -= less
        own = (own + 1.0) * pairs.inside[chosen]
        return np.asarray(np.log(np.maximum(own / own.sum(axis=1, keepdims=True), 1e-12)))

    less = 0.0 if new else 1.0
    both = Evidence(
        np.stack([prior(learn, less), likelihood(learn, less)], axis=2),
        pairs.inside[learn],
        pairs.truth[learn],
        np.zeros(int(learn.sum()), dtype=np.int64),
        np.zeros(int(learn.sum()), dtype=np.int64),
    )
    found = pool.fit(both, np.ones(2), BAYES).common
    log = likelihood(use, 0.0)
    p = pool.pooled(np.stack([prior(use, 0.0), log], axis=2), pairs.inside[use], found)
    return np.exp(log) * pairs.inside[use], p


def _features(pairs: Pairs, mean: Floats, chosen: Bools, answer: Ints) -> Floats:
    """Return, of people with these answers, the terms of each option to be said, (N, width, 3)."""
    sizes = pairs.sizes[chosen][:, None]
    place = np.arange(pairs.width)
    right = (place == answer[:, None]).astype(float)
    # Of two options the distance says what `right` does.
    distance = np.abs(place - answer[:, None]) / np.maximum(sizes - 1, 1) * (sizes > 2)
    terms = np.stack([right, -distance, mean[chosen]], axis=2)
    return np.where(pairs.inside[chosen][:, :, None], terms, 0.0)


def _concentration(seen: Floats, expected: Floats) -> Floats:
    """Return the posterior of the concentration, all of CONCENTRATIONS being as likely before."""
    from scipy.special import gammaln

    there = seen.sum(axis=2) > 0
    seen, expected = seen[there], np.maximum(expected[there], 1e-9)
    log = np.zeros(len(CONCENTRATIONS))
    for i, k in enumerate(CONCENTRATIONS):
        total = seen.sum(axis=1)
        log[i] = (gammaln(k) - gammaln(k + total)).sum()
        log[i] += (gammaln(k * expected + seen) - gammaln(k * expected))[seen > 0].sum()
    weight = np.exp(log - log.max())
    return np.asarray(weight / weight.sum())
