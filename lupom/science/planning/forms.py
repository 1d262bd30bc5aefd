"""Which questions tell most of the others: short forms, one for all people or one for each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lupom.science.planning.classes import Panel, Pool
from lupom.science.planning.moments import Cells, Moments
from lupom.science.planning.options import Singles
from lupom.science.planning.reach import Reach
from lupom.science.predictors.task import Bools, Floats, Ints

# Questions that leave least variance, which products of matrices find, among which log loss or
# entropy chooses. With 12, adaptive forms of 5 gain .009 nats over fixed ones on the General Social
# Survey, with 20 and 30 (all of its 25) .013; on 81 on masculinity 12 and 30 choose alike.
SHORTLIST = 20


def choose(
    moments: Moments,
    people: Cells,
    most: int,
    *,
    candidates: Bools | None = None,
    together: Floats | None = None,
    first: Sequence[int] = (),
    before: Sequence[Sequence[int]] = (),
) -> list[int]:
    """Return questions in the order in which they are best asked of everyone.

    Greedy: the next question is the one after which the mean log loss of those not asked, over
    people by survey weight, is least (sequential forward choice of a Bayesian design, Chaloner and
    Verdinelli 1995). What is known of an answer is linear in the answers that are known, so that a
    step is an update of rank as many as the question has options.

    Parameters
    ----------
    moments : what is known of the answers.
    people : those whose answers are predicted. What a question tells of another is the mean of
        those who have an answer to both.
    most : how many questions. candidates : (Q), those that may be asked; all by default.
    together : (Q, Q), the share of people to come who answer both of two questions, on the diagonal
        one (`Reach.together`); what a question tells counts by it. 1 of all when left out: who was
        not asked might have been.
    first : questions that are asked in any case; the form begins with them.
    before : by question, those that it is asked after (`Reach.before`): a question behind a filter
        is chosen together with it, where the two save more per question than any other.
    """
    count = people.codes.shape[1]
    free = np.ones(count, dtype=bool) if candidates is None else candidates.copy()
    rest = np.ones(count, dtype=bool)
    covariance, means, there = moments.single, moments.start(people), people.there
    told = people.told(np.ones(count, dtype=bool))
    weights = (people.weights[:, None] * there).astype(np.float32)
    answers = weights.sum(axis=0, dtype=np.float64)
    # Of two questions, the weights of the people with an answer to both.
    both = (weights.T @ there.astype(np.float32)).astype(np.float64)
    expected = np.ones((count, count)) if together is None else together
    # What a person with both answers has of those here, and how many there are to come.
    scale = np.divide(expected, both, out=np.zeros((count, count)), where=both > 0)
    own = np.diag(expected)

    def losses(means: Singles) -> Floats:
        inside = moments.inside(means)
        ratio = moments.options.total(inside) / inside.ravel()[people.given]
        return np.asarray(np.einsum("pq,pq->q", weights, np.log(ratio)), dtype=np.float64)

    def after(means: Singles, covariance: Singles, question: int) -> Singles:
        # Who has no answer tells nothing, and changes nothing.
        part = moments.columns(question)
        surprise = np.where(told[:, part], people.answers[:, part] - means[:, part], np.float32(0))
        return np.asarray(means + surprise @ slopes(moments, covariance, question), np.float32)

    def less(covariance: Singles, question: int) -> Singles:
        across = covariance[:, moments.columns(question)]
        return np.asarray(covariance - across @ slopes(moments, covariance, question), np.float32)

    def saved(questions: Sequence[int], now: Floats) -> Floats:
        """Return how much less the loss of each question is once some are asked."""
        gain, means_, covariance_ = np.zeros(count), means, covariance
        for question in questions:
            means_ = after(means_, covariance_, question)
            then = losses(means_)
            gain += (now - then) * scale[question]
            if question != questions[-1]:
                now, covariance_ = then, less(covariance_, question)
        return gain

    def take(question: int) -> None:
        nonlocal means, covariance
        means, covariance = after(means, covariance, question), less(covariance, question)
        rest[question] = free[question] = False
        out.append(question)

    out: list[int] = []
    for question in first:
        take(question)
    most = min(most, count - 1)
    while len(out) < most and free.any():
        left = variance_left(moments, covariance[None], rest[None], expected)[0]
        left[~free] = np.inf
        now = losses(means)
        whole = own * np.divide(now, answers, out=np.zeros(count), where=answers > 0)
        loss = float(whole[rest].sum() / max(own[rest].sum(), 1e-300))
        best: list[int] = []
        most_saved = -np.inf
        for question in map(int, np.argsort(left, kind="stable")[:SHORTLIST]):
            if not free[question]:
                continue
            form = [one for one in (before[question] if before else ()) if rest[one]] + [question]
            if len(form) > 1 and (len(out) + len(form) > most or not free[form].all()):
                continue
            rest[form] = False
            then = float((whole - saved(form, now))[rest].sum() / max(own[rest].sum(), 1e-300))
            rest[form] = True
            if (loss - then) / len(form) > most_saved:
                best, most_saved = form, (loss - then) / len(form)
        if not best:
            break
        for question in best:
            take(question)
    return out


def preceded(order: Sequence[int] | Ints, before: Sequence[Sequence[int]]) -> list[int]:
    """Return questions in an order in which each comes after those it is asked after.

    Parameters
    ----------
    order : questions. before : by question, as `Reach.before` has it.
    """
    out: dict[int, None] = {}
    for question in map(int, order):
        out |= dict.fromkeys((*before[question], question))
    return list(out)


def variance_left(
    moments: Moments, covariance: Singles, rest: Bools, together: Floats | None = None
) -> Singles:
    """Return the variance of the options of the rest after each question is asked too, (m, Q).

    Parameters
    ----------
    covariance : (m, options, options), given what was asked of m people. rest : (m, Q), what was
        not; infinite of all others. together : as of `choose`.
    """
    columns = rest[:, moments.owner]
    variances = np.diagonal(covariance, axis1=1, axis2=2) * columns
    if together is not None:
        variances = variances * np.diag(together).astype(np.float32)[moments.owner]
        roots = np.sqrt(together).astype(np.float32)[:, moments.owner]
    whole = variances.sum(axis=1)
    out = np.full(rest.shape, np.inf, dtype=np.float32)
    for size, questions in _by_size(moments):
        at = moments.offsets[questions][:, None] + np.arange(size)
        one, question = np.nonzero(rest[:, questions])
        across = covariance[one[:, None], at[question]]
        inverse = np.linalg.inv(np.take_along_axis(across, at[question][:, None], axis=2))
        across *= columns[one][:, None]
        if together is not None:
            across *= roots[questions[question], None]
        # Its own variance is among what it takes away: nothing of it is left.
        told = (inverse * (across @ across.transpose(0, 2, 1))).sum(axis=(1, 2))
        out[one, questions[question]] = whole[one] - told
    return out


def _by_size(moments: Moments) -> list[tuple[int, Ints]]:
    """Return numbers of options, and the questions with so many."""
    return [(int(k), np.flatnonzero(moments.sizes == k)) for k in np.unique(moments.sizes)]


def adaptive(pool: Pool, people: Cells, most: int, reach: Reach | None = None) -> Ints:
    """Return the questions asked of each person, (n, most), each by the answers before it.

    The next question is the one of which the expected entropy of the rest is least: over its
    options, each as likely as the answers so far make it (greedy information gain, as Ma et al.
    2019). What a person has no answer to is not asked; -1 where nothing is left.

    Parameters
    ----------
    reach : who of these people can be asked what, of which as much is known as of their answers; a
        question behind a filter is asked once the filter's is answered. When left out everybody can
        be asked everything.
    """
    n, count = people.codes.shape
    most = min(most, count - 1)
    before = behind(() if reach is None else reach.before, count)
    out = np.full((n, most), -1, dtype=np.int64)
    asked = np.zeros((n, count), dtype=bool)
    panel = Panel(pool, people)
    for step in range(most):
        means, kinds = panel.known(asked)
        odds = None if reach is None else Odds(known_odds(reach, people, asked), reach.given)
        for rows, of, covariance in pool.moments.covariances(people.told(asked)):
            rest = np.zeros((len(covariance), count), dtype=bool)
            rest[of] = ~asked[rows]
            # Those alike have answered the same questions, filters among them.
            open_ = ~(asked & people.there)[rows]
            can = np.zeros(rest.shape, dtype=bool)
            can[of] = open_.astype(np.float32) @ before == 0
            here = None if odds is None else Odds(odds.each[rows], odds.given)
            given = means[rows], kinds[rows], of, covariance, rest, here, can
            expected = expected_entropy(pool, *given)
            able = people.there[rows] & ~asked[rows] & can[of]
            expected[~able] = np.inf
            some = np.isfinite(expected).any(axis=1)
            out[rows[some], step] = expected[some].argmin(axis=1)
            if len(others := np.flatnonzero(~some & able.any(axis=1))):
                # Who has no answer to any of the shortlist is asked what leaves least variance.
                left = variance_left(pool.moments, covariance, rest)[of[others]]
                left[~able[others]] = np.inf
                out[rows[others], step] = left.argmin(axis=1)
        found = np.flatnonzero(out[:, step] >= 0)
        asked[found, out[found, step]] = True
    return out


def behind(before: Sequence[Sequence[int]], count: int) -> Singles:
    """Return 1 where a row's question is asked before a column's, (count, count), and 0."""
    out = np.zeros((count, count), dtype=np.float32)
    for question, those in enumerate(before):
        out[list(those), question] = 1
    return out


@dataclass(frozen=True)
class Odds:
    """What chance there is that people can be asked questions.

    Attributes
    ----------
    each : (n, Q), by what is known of each person. given : (Q, Q), of the second question where a
        person can be asked the first, as far as nothing is known.
    """

    each: Floats
    given: Floats

    def after(self, rows: Ints, question: int) -> Singles:
        """Return the chances of people, (rows, Q), once it is known that they can be asked one."""
        each = self.each[rows]
        return np.asarray(np.where(each > 0, np.maximum(each, self.given[question]), 0), np.float32)


def known_odds(reach: Reach, people: Cells, asked: Bools) -> Floats:
    """Return `Reach.odds` of its people, (n, Q), who answered some questions.

    Parameters
    ----------
    people : the same; without attributes these are not known. asked : (n, Q).
    """
    n, count = asked.shape
    size = int(reach.owner.max(initial=-1)) + 1
    known = np.zeros((n, size), dtype=bool)
    known[:, :count] = asked & people.there
    known[:, count:] = people.values.shape[1] > int(people.offsets[-1])
    return reach.odds(reach.values * known[:, reach.owner], known)


def expected_entropy(
    pool: Pool,
    means: Singles,
    kinds: Singles,
    of: Ints,
    covariance: Singles,
    rest: Bools,
    odds: Odds | None = None,
    candidates: Bools | None = None,
) -> Singles:
    """Return the entropy of the rest that is expected after each question, (n, Q), in nats.

    Infinite of questions that were asked, and of those not among those that leave least
    variance.

    Parameters
    ----------
    means, kinds : (n, options) and (n, kinds), given what is known of each person.
    of : (n), which of m covariances each has. covariance : (m, options, options).
    rest : (m, Q), the questions not asked. odds : of each person; an answer that there is not has
        no entropy, and who cannot be asked a question tells nothing. All are 1 when left out.
    candidates : (m, Q), those that may be asked next; all by default.
    """
    moments = pool.moments
    out = np.full((len(means), rest.shape[1]), np.inf, dtype=np.float32)
    together = None
    if odds is not None:
        common = odds.each.mean(axis=0)
        together = common[:, None] * np.maximum(common, odds.given)
        np.fill_diagonal(together, common)
        before = pool.entropies(means, kinds) * rest[of]
        now = (before * odds.each).sum(axis=1)
    left = variance_left(moments, covariance, rest, together)
    if candidates is not None:
        left[~candidates] = np.inf
    tried = np.zeros(rest.shape, dtype=bool)
    np.put_along_axis(tried, left.argsort(axis=1, kind="stable")[:, :SHORTLIST], True, axis=1)
    tried &= rest if candidates is None else rest & candidates
    shares = pool.shares(means, kinds)
    for question in np.flatnonzero(tried.any(axis=0)):
        part = moments.columns(int(question))
        some = np.flatnonzero(tried[:, question])
        across = covariance[some, part]
        place = np.full(len(rest), -1)
        place[some] = np.arange(len(some))
        rows = np.flatnonzero(place[of] >= 0)
        mine = np.linalg.solve(across[:, :, part], across)[place[of[rows]]]
        # Had the person given an option, it were 1 in place of what is expected.
        base = means[rows] - (means[rows, None, part] @ mine)[:, 0]
        mine += base[:, None]
        entropy = pool.entropies(mine, pool.classes.answered(kinds[rows], part))
        counted = rest[of[rows]].astype(np.float32)
        counted[:, question] = 0
        if odds is not None:
            counted *= odds.after(rows, int(question))
        total = (entropy @ counted[:, :, None])[:, :, 0]
        out[rows, question] = (shares[rows, part] * total).sum(axis=1)
        if odds is not None:
            # Who cannot be asked it is known as well as before.
            gone = before[rows, question] + (before[rows] * counted).sum(axis=1)
            gone -= out[rows, question]
            out[rows, question] = now[rows] - odds.each[rows, question] * gone
    return out


def slopes(moments: Moments, covariance: Singles, question: int) -> Singles:
    """Return slopes of all options on a question's, (its options, options)."""
    part = moments.columns(question)
    return np.asarray(np.linalg.solve(covariance[part, part], covariance[part]))
