"""The router: for which questions an LLM tells enough more than the predictors that need none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lupom.science.inputs import arrow
from lupom.science.predictors.distributions import Pairs, of_survey, pairs_of
from lupom.science.predictors.pool import losses
from lupom.science.predictors.task import Bools, Floats, Ints

NORMAL = 1.959964
# An LLM costs time if nothing else, so it must gain this much, in nats an answer: what an LLM that
# knows nothing seems to gain on tuning pairs is less.
MIN_GAIN = 0.005

ROUTER = pa.schema(
    [
        ("survey", pa.string()),
        ("llm", pa.string()),
        ("scenario", pa.string()),
        ("question_id", pa.string()),
        ("n", pa.int64()),
        ("nll_gain", pa.float64()),
        ("nll_gain_pooled", pa.float64()),
        ("nll_gain_low", pa.float64()),
        ("nll_gain_high", pa.float64()),
        ("accuracy_gain", pa.float64()),
        ("accuracy_gain_pooled", pa.float64()),
        ("accuracy_gain_low", pa.float64()),
        ("accuracy_gain_high", pa.float64()),
        ("price", pa.float64()),
        ("price_per_correct", pa.float64()),
        ("recommendation", pa.string()),
    ]
)
_STACKED = (
    *("survey", "respondent_id", "question_id", "predictor", "llm", "answer"),
    *("probabilities", "status", "role", "scenario"),
)


@dataclass(frozen=True)
class Estimate:
    """Gains by question, (Q), the last entry being all questions together.

    Attributes
    ----------
    raw : mean gain of the tuning pairs, NaN where there is none.
    pooled, low, high : the gain after partial pooling, and its 95 % interval.
    """

    raw: Floats
    pooled: Floats
    low: Floats
    high: Floats


@dataclass(frozen=True)
class Gains:
    """What the LLM adds to the plain stack.

    Attributes
    ----------
    n : (Q + 1), tuning pairs of each question, and of all.
    nll : gain in log loss, nats an answer.
    accuracy : gain in the share of correct answers.
    """

    n: Ints
    nll: Estimate
    accuracy: Estimate


def gains(
    pairs: Pairs, plain: Floats, with_llm: Floats, asked: Bools
) -> Iterator[tuple[str, Gains]]:
    """Yield, by scenario, the gain of every question from the tuning pairs the LLM was asked.

    Parameters
    ----------
    pairs : held-out pairs, (P).
    plain, with_llm : (P, width), both cross-fitted on tuning pairs.
    asked : (P), whether the LLM was asked.
    """
    questions = len(pairs.questions)
    for scenario in sorted(set(pairs.scenarios[asked])):
        use = asked & (pairs.truth >= 0) & (pairs.scenarios == scenario)
        truth, column = pairs.truth[use], pairs.columns[use]
        _, person = np.unique(pairs.respondents[use].astype(str), return_inverse=True)
        # Of new questions some are tuned on and others tested: the gain of all is that of others.
        others = scenario == "new_question"
        fewer = losses(plain[use], truth) - losses(with_llm[use], truth)
        right = (with_llm[use].argmax(axis=1) == truth).astype(float)
        right -= plain[use].argmax(axis=1) == truth
        n = np.bincount(column, minlength=questions)
        yield (
            scenario,
            Gains(
                np.append(n, n.sum()),
                partially_pooled(fewer, column, person, questions, others=others),
                partially_pooled(right, column, person, questions, others=others),
            ),
        )


def partially_pooled(
    values: Floats, group: Ints, person: Ints, groups: int, *, others: bool = False
) -> Estimate:
    """Return the mean of each group, pulled to the mean of all as far as groups are alike.

    Means of groups are normal about a common mean with a standard deviation t, which is averaged
    over by its posterior (Gelman et al., Bayesian Data Analysis, 5.4): with an estimate of t, which
    often is 0, intervals of 95 % hold the truth in 87 %. The prior of t is half-normal, its scale
    half the values' standard deviation. The common mean's variance is as much larger as clustering
    on persons makes that of all values together. A group without values is one more draw about the
    common mean.

    Parameters
    ----------
    values, group, person : (N).
    groups : how many there are.
    others : whether the gain of all is to hold for groups other than these, so that its interval
        clusters on groups and not on persons.
    """
    n = len(values)
    count = np.bincount(group, minlength=groups).astype(float)
    total = np.bincount(group, weights=values, minlength=groups)
    raw = np.divide(total, count, out=np.full(groups, np.nan), where=count > 0)
    mean = float(values.mean()) if n else 0.0
    error2 = clustered_variance(values, person)
    of_all = error2
    if others:
        of_all = clustered_variance(values, np.unique(group, return_inverse=True)[1])
    if not np.isfinite(error2 + of_all):
        none, whole = np.full(groups + 1, np.nan), mean if n else np.nan
        return Estimate(np.append(raw, whole), np.full(groups + 1, mean), none, none)
    there = count > 0
    inner = n - int(there.sum())
    spread2 = float(values.var(ddof=1))
    within = float(np.square(values - raw[group]).sum()) / inner if inner > 0 else spread2
    if spread2 <= 0:
        same = np.full(groups + 1, mean)
        return Estimate(np.append(raw, mean), same, same, same)
    clustering = max(1.0, error2 / (spread2 / n))
    pooled, variance = _posterior(raw, count, max(within, 1e-9 * spread2), spread2, clustering)
    pooled, variance = np.append(pooled, mean), np.append(variance, of_all)
    half = NORMAL * np.sqrt(variance)
    return Estimate(np.append(raw, mean), pooled, pooled - half, pooled + half)


def clustered_variance(values: Floats, unit: Ints) -> float:
    """Return the variance of a mean of values (N), clustered on the unit of each (N), from 0.

    It is infinite where one unit says nothing of others.
    """
    if not len(values) or unit.max() == 0:
        return float("inf")
    by_unit = np.bincount(unit, weights=values - values.mean())
    units = len(by_unit)
    return float(np.square(by_unit).sum()) / len(values) ** 2 * units / (units - 1)


def _posterior(
    raw: Floats, count: Floats, within: float, scale2: float, clustering: float
) -> tuple[Floats, Floats]:
    """Return posterior mean and variance of each group's mean, averaged over t."""
    there = count > 0
    y, own = raw[there], within / count[there]
    # Steps of t grow with it, and count by their length.
    step = np.linspace(0.0, 1.0, 251)[1:]
    t2 = scale2 * np.square(5.0 * np.square(step))
    v = own + t2[:, None]
    precision = (1.0 / v).sum(axis=1)
    common = (y / v).sum(axis=1) / precision
    log = -0.5 * (np.log(precision) + np.log(v).sum(axis=1))
    log -= 0.5 * (np.square(y - common[:, None]) / v).sum(axis=1)
    log += np.log(step) - t2 / (2.0 * scale2 / 4.0)
    weight = np.exp(log - log.max())
    weight /= weight.sum()
    # The share of a group's own mean; 0 where it has none.
    share = np.zeros((len(t2), len(raw)))
    share[:, there] = t2[:, None] / v
    means = share * np.where(there, np.nan_to_num(raw), 0.0) + (1.0 - share) * common[:, None]
    inside = (1.0 - share) * t2[:, None]
    inside += np.square(1.0 - share) * (clustering / precision)[:, None]
    pooled = weight @ means
    return pooled, weight @ (inside + np.square(means - pooled))


def recommended(
    found: Gains,
    *,
    min_gain: float = MIN_GAIN,
    price: float | None = None,
    worth: float | None = None,
) -> Bools:
    """Return for which questions the LLM is recommended, (Q + 1), the last for all together.

    It is where the log loss is expected to gain more than `min_gain`, which loses least in the mean
    over what the gains may be: the stack stays near the plain one where the LLM tells little, so
    that hardly anything is lost by using it where it is not needed, and much by not using it until
    each question alone proves its gain. With a price of an answer and the worth of a correct one
    (in the same money), the answers expected to be right beyond the plain stack's must also be
    worth more than the price.
    """
    # Where the LLM is not heard the gain is 0 but for rounding. One person proves nothing.
    gain = np.where(np.isfinite(found.nll.low), found.nll.pooled, -np.inf)
    chosen = gain > min_gain + 1e-6
    if price is not None and worth is not None:
        chosen &= found.accuracy.pooled * worth > price
    return np.asarray(chosen)


def router(
    stacked: Any,
    tuning: Any,
    questions: Any,
    *,
    min_gain: float = MIN_GAIN,
    prices: Mapping[str, float] | None = None,
    worth: float | None = None,
) -> pa.Table:
    """Say for every question whether the LLM is worth its price.

    Parameters
    ----------
    stacked : table as `stack.stack` returns it; predictions of tuning pairs count.
    tuning : survey, respondent_id, question_id, answer of the tuning pairs.
    questions : survey, question_id, options.
    min_gain : nats an answer that the LLM must be expected to gain more than.
    prices : price of an answer by LLM, in any money.
    worth : what a correct answer is worth, in the same.

    Returns
    -------
    Rows survey, llm, scenario, question_id (null for all questions together), n (tuning pairs),
    nll_gain and accuracy_gain (of stack over stack_plain on them, each pair predicted by weights
    that were fitted to other respondents), *_pooled, *_low and *_high (after partial pooling within
    the scenario, with 95 % interval), price, price_per_correct (of one more correct answer; null
    where none is gained), recommendation ('llm' or 'plain').
    """
    parts = []
    names = sorted(pc.unique(arrow(stacked)["survey"]).to_pylist())
    for survey in names:
        table = of_survey(stacked, _STACKED, "stacked", survey)
        pairs = pairs_of(
            survey,
            table,
            of_survey(
                tuning,
                ("survey", "respondent_id", "question_id", "answer"),
                "tuning answers",
                survey,
            ),
            of_survey(questions, ("survey", "question_id", "options"), "questions", survey),
        )
        plain, _ = pairs.read(table.filter(pc.equal(table["predictor"], "stack_plain")))
        of_llms = table.filter(pc.equal(table["predictor"], "stack"))
        for llm in sorted(pc.unique(of_llms["llm"]).to_pylist()):
            p, asked = pairs.read(of_llms.filter(pc.equal(of_llms["llm"], llm)))
            price = (prices or {}).get(llm)
            for scenario, found in gains(pairs, plain, p, asked):
                chosen = recommended(found, min_gain=min_gain, price=price, worth=worth)
                parts += list(_rows(pairs, llm, scenario, found, price, chosen))
    return pa.Table.from_pylist(parts, schema=ROUTER)


def _rows(
    pairs: Pairs, llm: str, scenario: str, found: Gains, price: float | None, chosen: Bools
) -> Iterator[dict[str, Any]]:
    there = set(pairs.columns[pairs.scenarios == scenario])
    for i, question in enumerate((*pairs.questions, None)):
        if question is not None and i not in there:
            continue
        row: dict[str, Any] = {
            "survey": pairs.survey,
            "llm": llm,
            "scenario": scenario,
            "question_id": question,
            "n": int(found.n[i]),
        }
        for name, estimate in (("nll", found.nll), ("accuracy", found.accuracy)):
            row[f"{name}_gain"] = _number(estimate.raw[i])
            row[f"{name}_gain_pooled"] = _number(estimate.pooled[i])
            row[f"{name}_gain_low"] = _number(estimate.low[i])
            row[f"{name}_gain_high"] = _number(estimate.high[i])
        more = found.accuracy.pooled[i]
        row["price"] = price
        row["price_per_correct"] = price / more if price is not None and more > 0 else None
        row["recommendation"] = "llm" if chosen[i] else "plain"
        yield row


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
