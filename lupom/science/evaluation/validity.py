"""What a methodologist asks of a predictor before trusting it, as one table."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import combinations
from statistics import NormalDist
from typing import Any

import numpy as np
import pyarrow as pa

from lupom.science.blas import one_thread
from lupom.science.evaluation.bootstrap import Draws, Floats, interval, rounded
from lupom.science.evaluation.groups import MISSING, SMALLEST, Traits, attributes_of, groups
from lupom.science.evaluation.sample import Judged, Sample, samples
from lupom.science.evaluation.twosample import told_apart
from lupom.science.inputs import arrow, require

VALIDITY = pa.schema(
    [
        ("survey", pa.string()),
        ("scenario", pa.string()),
        ("pairs", pa.string()),
        ("predictor", pa.string()),
        ("llm", pa.string()),
        ("check", pa.string()),
        ("value", pa.float64()),
        ("low", pa.float64()),
        ("high", pa.float64()),
        ("reference", pa.float64()),
        ("verdict", pa.string()),
        ("detail", pa.string()),
        ("n", pa.int64()),
    ]
)
GOOD, POOR, OPEN = "good", "poor", "open"
# Bounds of what counts as good. They are conventions, not laws; the values stand beside them.
CALIBRATED = 0.05  # mean gap of confidence and accuracy
SPREAD = (0.8, 1.25)  # variance of predicted answers by that of given ones
ALIKE = 0.1  # mean difference of Cramer's V, and accuracy between groups
APART = 0.6  # area under the curve of telling predictions from answers
SAME = 0.9  # predictions that stay when the prompt changes
MAJORITY = "majority"


@one_thread()
def validity(
    scores: Any,
    questions: Any,
    respondents: Any,
    metrics: Any,
    distribution_metrics: Any,
    *,
    attributes: Sequence[str] | None = None,
    ceiling: float | Mapping[str, float] | None = None,
    seed: int = 0,
    resamples: int = 200,
    level: float = 0.95,
) -> pa.Table:
    """Return the checks of every predictor, each with its value, interval and verdict.

    Parameters
    ----------
    scores : a table as `scores.score` returns it.
    questions : survey, question_id, options, ordinal. respondents : survey, respondent_id,
        attributes.
    metrics, distribution_metrics : as the functions of these names return them, of these scores.
    ceiling : the share of answers that people repeat when asked again, or that by survey.

    Returns
    -------
    A row for each predictor, set of pairs and check; reference is what the value is read beside:
        beats_chance : accuracy, beside that of guessing among the options.
        beats_majority : accuracy less that of each question's most frequent answer.
        near_retest : accuracy as a share of how often people repeat themselves, if that is known.
        calibrated : mean gap of confidence and accuracy, at most .05.
        as_varied : variance of predicted answers by that of given ones, .8 to 1.25.
        keeps_associations : mean difference of Cramer's V between questions, beside that of the
            answers given; at most .1.
        fair_to_groups : the difference in accuracy between two groups of an attribute, which detail
            names, that is furthest beyond chance; the interval is Bonferroni's for as many as there
            are. At most .1.
        like_people : area under the curve of a classifier that tells predictions from answers
            (`twosample.told_apart`), .5 if it cannot; at most .6.
        steady : of an LLM, the share of pairs to which two of its settings predict the same; at
            least .9. What differs between settings is what the prompt tells, and its words.
        marginals_known : of an LLM, how near its mean prediction of a question is to the shares of
            the answers (1 less the total variation distance), less the same of equal shares. An
            LLM that knows the shares and not the people (beats_majority is not good) may have read
            the survey's results.
    verdict is 'good', 'poor', or 'open' where the interval holds both or there is no bound.
    """
    table = arrow(scores)
    asked = arrow(questions)
    require(asked, ("survey", "question_id", "options"), "questions")
    keys = zip(asked["survey"].to_pylist(), asked["question_id"].to_pylist(), strict=True)
    sizes = [len(o or ()) for o in asked["options"].to_pylist()]
    width = dict(zip(keys, sizes, strict=True))
    people = attributes_of(respondents, attributes)
    found = _by_name(metrics, ("survey", "scenario", "pairs", "predictor", "llm", "metric"))
    spread = _by_name(
        distribution_metrics, ("survey", "scenario", "pairs", "predictor", "llm", "metric")
    )
    rows: list[dict[str, Any]] = []
    for sample in samples(table):
        words = (sample.survey, sample.scenario, sample.pairs)
        draws = Draws(len(sample.people), resamples, seed, words)
        traits = Traits(people.get(sample.survey, {}), sample.people)
        most = ceiling.get(sample.survey) if isinstance(ceiling, Mapping) else ceiling
        by_majority = next((j for j in sample.judged if j.predictor == MAJORITY), None)
        for judged in sample.judged:
            head = (*words, judged.predictor, judged.llm)
            add = _Adder(rows, head)
            _accuracy(add, sample, judged, by_majority, draws, width, level)
            if most:
                _retest(add, found.get((*head, "ceiling_share")))
            _bounded(add, "calibrated", found.get((*head, "calibration_error")), 0.0, CALIBRATED)
            _bounded(
                add, "as_varied", spread.get((*head, "variance_ratio")), *SPREAD, reference=1.0
            )
            given = spread.get((*head, "association_given"))
            _bounded(
                add,
                "keeps_associations",
                spread.get((*head, "association_error")),
                0.0,
                ALIKE,
                reference=given["value"] if given else None,
            )
            _groups(add, judged, draws, traits, attributes, level)
            apart = told_apart(sample, judged, traits, draws, seed)
            if apart is not None:
                areas, n = apart
                low, high = interval(areas, level)
                add(
                    "like_people",
                    areas[0],
                    low,
                    high,
                    0.5,
                    _within(areas[0], low, high, 0, APART),
                    n,
                )
        _settings(rows, sample, draws, level)
        _marginals(rows, sample, width, draws, level)
    return pa.Table.from_pylist(rows, schema=VALIDITY)


class _Adder:
    """Adds a predictor's rows."""

    def __init__(self, rows: list[dict[str, Any]], head: tuple[Any, ...]) -> None:
        self._rows, self._head = rows, head

    def __call__(
        self,
        check: str,
        value: Any,
        low: Any,
        high: Any,
        reference: Any,
        verdict: str,
        n: int,
        detail: str | None = None,
    ) -> None:
        names = ("survey", "scenario", "pairs", "predictor", "llm")
        self._rows.append(
            {
                **dict(zip(names, self._head, strict=True)),
                "check": check,
                "value": rounded(value),
                "low": low,
                "high": high,
                "reference": None if reference is None else rounded(reference),
                "verdict": verdict,
                "detail": detail,
                "n": int(n),
            }
        )


def _by_name(table: Any, names: tuple[str, ...]) -> dict[tuple[Any, ...], dict[str, Any]]:
    """Return rows over everybody and all questions, unweighted where there are both."""
    out: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in arrow(table).to_pylist():
        whole = row.get("question_id") is None and row.get("attribute") is None
        if whole and row.get("weighting", "none") == "none":
            out[tuple(row[name] for name in names)] = row
    return out


def _within(value: Any, low: Any, high: Any, least: float, most: float) -> str:
    """Say good where the whole interval is within the bounds, poor where all is outside."""
    if value is None or low is None or high is None or not np.isfinite(value):
        return OPEN
    if least <= low and high <= most:
        return GOOD
    return POOR if high < least or low > most else OPEN


def _bounded(
    add: _Adder,
    check: str,
    row: dict[str, Any] | None,
    least: float,
    most: float,
    reference: float | None = None,
) -> None:
    if row is None or row["value"] is None:
        return
    verdict = _within(row["value"], row["low"], row["high"], least, most)
    beside = most if reference is None else reference
    add(check, row["value"], row["low"], row["high"], beside, verdict, row["n"])


def _retest(add: _Adder, row: dict[str, Any] | None) -> None:
    if row is not None and row["value"] is not None:
        add("near_retest", row["value"], row["low"], row["high"], 1.0, OPEN, row["n"])


def _accuracy(
    add: _Adder,
    sample: Sample,
    judged: Judged,
    majority: Judged | None,
    draws: Draws,
    width: Mapping[tuple[str, str], int],
    level: float,
) -> None:
    n = len(judged.person)
    sizes = [width.get((sample.survey, sample.questions[q]), 0) for q in judged.question]
    chance = float(np.mean([1.0 / s if s else 0.0 for s in sizes]))
    right = _shares(judged, judged.numbers["correct"], draws)
    low, high = interval(right, level)
    add("beats_chance", right[0], low, high, chance, _above(low, high, chance), n)
    if majority is None or majority is judged or len(majority.person) != n:
        return
    difference = right - _shares(majority, majority.numbers["correct"], draws)
    low, high = interval(difference, level)
    verdict = _above(low, high, 0.0)
    add("beats_majority", difference[0], low, high, 0.0, verdict, n)


def _above(low: float | None, high: float | None, bound: float) -> str:
    if low is None or high is None:
        return OPEN
    return GOOD if low > bound else POOR if high < bound else OPEN


def _shares(judged: Judged, values: Floats, draws: Draws) -> Floats:
    people = draws.counts.shape[1]
    told = np.stack(
        [
            np.bincount(judged.person, weights=np.nan_to_num(values), minlength=people),
            np.bincount(judged.person, minlength=people).astype(np.float64),
        ],
        axis=1,
    )
    sums = draws.sums(told)
    return np.asarray(
        np.divide(sums[:, 0], sums[:, 1], out=np.full(len(sums), np.nan), where=sums[:, 1] > 0)
    )


def _groups(
    add: _Adder,
    judged: Judged,
    draws: Draws,
    traits: Traits,
    attributes: Sequence[str] | None,
    level: float,
) -> None:
    found: list[tuple[float, float, str, int]] = []
    for attribute in traits.names if attributes is None else attributes:
        told = {}
        for group, mask in groups(traits, attribute, SMALLEST):
            own = judged.of(mask)
            if group != MISSING and len(own.person) >= SMALLEST:
                told[group] = _shares(own, own.numbers["correct"], draws.of(mask)), len(own.person)
        for (one, (a, n)), (other, (b, m)) in combinations(told.items(), 2):
            first, second = (one, other) if a[0] >= b[0] else (other, one)
            error = float(np.nanstd((a - b)[1:]))
            found.append((abs(a[0] - b[0]), error, f"{attribute}: {first} above {second}", n + m))
    if not found:
        return
    # Of so many differences the largest is large by chance: intervals are Bonferroni's, and the one
    # counts that is furthest beyond its own.
    z = NormalDist().inv_cdf(1.0 - (1.0 - level) / 2.0 / len(found))
    gap, error, words, n = max(found, key=lambda one: one[0] - z * one[1])
    low, high = max(gap - z * error, 0.0), gap + z * error
    verdict = POOR if low > ALIKE else GOOD if high <= ALIKE else OPEN
    add("fair_to_groups", gap, rounded(low), rounded(high), ALIKE, verdict, n, words)


def _settings(rows: list[dict[str, Any]], sample: Sample, draws: Draws, level: float) -> None:
    by_llm: defaultdict[str, list[Judged]] = defaultdict(list)
    for judged in sample.judged:
        if judged.llm is not None and judged.predictor not in ("stack", "routed"):
            by_llm[judged.llm].append(judged)
    for llm, settings in by_llm.items():
        if len(settings) < 2:
            continue
        for one in settings:
            same, who = [], []
            for other in settings:
                if other is one:
                    continue
                cell = {
                    (p, q): a
                    for p, q, a in zip(
                        other.person, other.question, other.numbers["answer_code"], strict=True
                    )
                }
                for p, q, a in zip(
                    one.person, one.question, one.numbers["answer_code"], strict=True
                ):
                    if (p, q) in cell and not np.isnan(a):
                        same.append(float(cell[p, q] == a))
                        who.append(p)
            if not same:
                continue
            people = draws.counts.shape[1]
            told = np.stack(
                [
                    np.bincount(who, weights=same, minlength=people),
                    np.bincount(who, minlength=people).astype(np.float64),
                ],
                axis=1,
            )
            sums = draws.sums(told)
            with np.errstate(invalid="ignore", divide="ignore"):
                values = sums[:, 0] / sums[:, 1]
            low, high = interval(values, level)
            words = ", ".join(s.predictor for s in settings if s is not one)
            head = (sample.survey, sample.scenario, sample.pairs, one.predictor, llm)
            verdict = _within(values[0], low, high, SAME, 1.0)
            _Adder(rows, head)("steady", values[0], low, high, SAME, verdict, len(same), words)


def _marginals(
    rows: list[dict[str, Any]],
    sample: Sample,
    width: Mapping[tuple[str, str], int],
    draws: Draws,
    level: float,
) -> None:
    for judged in sample.judged:
        if judged.llm is None or judged.predictor in ("stack", "routed"):
            continue
        kept = np.flatnonzero(judged.valid)
        near = np.zeros((len(draws.counts), 2))
        total = np.zeros(len(draws.counts))
        for question in np.unique(judged.question[kept]):
            here = kept[judged.question[kept] == question]
            size = width.get((sample.survey, sample.questions[question]), 0)
            if size < 2 or len(here) < 10:
                continue
            truth = _counts(judged, judged.numbers["truth_code"], here, size, draws)
            said = _counts(judged, judged.numbers["answer_code"], here, size, draws)
            near[:, 0] += len(here) * (1.0 - np.abs(truth - said).sum(axis=1) / 2)
            near[:, 1] += len(here) * (1.0 - np.abs(truth - 1.0 / size).sum(axis=1) / 2)
            total += len(here)
        if not total[0]:
            continue
        gain = (near[:, 0] - near[:, 1]) / total
        low, high = interval(gain, level)
        head = (sample.survey, sample.scenario, sample.pairs, judged.predictor, judged.llm)
        _Adder(rows, head)("marginals_known", gain[0], low, high, 0.0, OPEN, int(total[0]))


def _counts(judged: Judged, codes: Floats, here: Any, size: int, draws: Draws) -> Floats:
    people = draws.counts.shape[1]
    by_person = np.zeros((people, size))
    place = codes[here].astype(np.int64) - 1
    inside = (place >= 0) & (place < size)
    np.add.at(by_person, (judged.person[here][inside], place[inside]), 1.0)
    sums = draws.sums(by_person)
    total = sums.sum(axis=1, keepdims=True)
    return np.asarray(np.divide(sums, total, out=np.zeros_like(sums), where=total > 0))
