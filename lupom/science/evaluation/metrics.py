"""Metrics of each predictor with bootstrap intervals clustered on respondents."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from lupom.science.evaluation.bootstrap import check, interval
from lupom.science.evaluation.parts import judged
from lupom.science.evaluation.statistics import METRICS as NAMES
from lupom.science.evaluation.statistics import part_of, statistics
from lupom.science.inputs import arrow, require

METRICS = pa.schema(
    [
        ("survey", pa.string()),
        ("predictor", pa.string()),
        ("llm", pa.string()),
        ("pairs", pa.string()),
        ("metric", pa.string()),
        ("value", pa.float64()),
        ("low", pa.float64()),
        ("high", pa.float64()),
        ("n", pa.int64()),
        ("scenario", pa.string()),
        ("coverage", pa.float64()),
        ("respondents", pa.int64()),
    ]
)


def metrics(
    scores: Any,
    *,
    seed: int = 0,
    resamples: int = 1000,
    level: float = 0.95,
    ceiling: Any = None,
) -> pa.Table:
    """Return every metric of every predictor, with an interval.

    Parameters
    ----------
    scores : a table as `scores.score` returns it.
    seed, resamples, level : of the percentile bootstrap. Respondents are drawn, each with all of
        their pairs, since the answers of one person hang together; all predictors of a survey are
        judged on the same draws.
    ceiling : how often people give the same answer when asked again: a number, a number by survey,
        or by survey numbers by question (or a table of them, survey, question_id, accuracy, where a
        question_id of null is for all others).

    Returns
    -------
    Rows survey, predictor, llm, pairs, metric, value, low, high, n (predictions that entered),
    scenario, coverage (the share of predictions that entered), respondents.
    `pairs` is 'all' for predictors without an LLM on all test pairs, and 'llm' for every predictor
    on the pairs the LLM was asked. The metrics, left out where no prediction has what they need:
        accuracy : share of correct answers (also micro-F1); an invalid prediction is a wrong one.
        macro_f1 : mean F1 over classes, an option of one question being a class; classes that are
            neither truth nor prediction are left out. An invalid prediction is of no class.
        macro_f1_pooled : the same, but the first options of all questions are one class, the second
            ones another, and so on, as when F1 is taken over option codes.
        accuracy_collapsed : accuracy where an ordinal scale is two groups (three where it has a
            middle); of questions with such a scale.
        ordinal_error : mean absolute distance in ordinal positions, of valid predictions.
        absolute_error : mean absolute difference of numbers, of valid predictions.
        share_invalid : share of invalid predictions.
        nll : mean log loss in nats, floored as in `scores`; of predictions with a distribution.
        brier : mean Brier score, 0 to 2; of predictions with a distribution.
        calibration_error : mean distance of confidence and accuracy over ten bins of confidence,
            weighted by what is in them (Naeini et al. 2015).
        share_of_ceiling : correct answers by those `ceiling` expects.
        ..._weighted : the same with survey weights.

    Raises
    ------
    ValueError : for a missing column, resamples below 1, a level outside 0 to 1 or a ceiling that
        is no share.
    """
    check(resamples, level)
    rows: list[dict[str, Any]] = []
    for part in judged(scores, seed=seed, resamples=resamples):
        own = ceiling_of(ceiling, part.survey)
        out = []
        for group, one, person in part.predictors():
            sums = statistics(part_of(one, own), person, len(part.people))
            for name, draws in sums.finish(part.bootstrap.totals(sums.sums)).items():
                low, high = interval(draws[1:], level)
                out.append(
                    {
                        **part.key,
                        **group,
                        **{"metric": name, "value": float(draws[0]), "low": low, "high": high},
                        "n": sums.counts[name],
                        "coverage": sums.counts[name] / one.num_rows,
                        "respondents": len(set(person.tolist())),
                    }
                )
        # Predictors are compared on a metric, so those of one metric stand together.
        rows += sorted(out, key=lambda row: NAMES.index(row["metric"]))
    return pa.Table.from_pylist(rows, schema=METRICS)


def ceiling_of(ceiling: Any, survey: str) -> float | dict[str | None, float] | None:
    """Return the retest accuracy of one survey: a number, numbers by question, or None."""
    if ceiling is None:
        return None
    if isinstance(ceiling, Mapping):
        found: Any = ceiling.get(survey)
    elif isinstance(ceiling, int | float):
        found = ceiling
    else:
        table = arrow(ceiling)
        require(table, ("survey", "question_id", "accuracy"), "the retest ceiling")
        own = [row for row in table.to_pylist() if row["survey"] == survey]
        found = _Questions({row["question_id"] or None: row["accuracy"] for row in own}) or None
    if found is None:
        return None
    if isinstance(found, Mapping):
        found = _Questions(found)
    for value in found.values() if isinstance(found, Mapping) else [found]:
        if not isinstance(value, int | float) or not 0 < value <= 1:
            raise ValueError(
                f"{survey}: the retest ceiling is a share above 0 and at most 1, not {value!r}"
            )
    return found  # type: ignore[no-any-return]


class _Questions(dict[str | None, float]):
    """Numbers by question; that of None is for all others."""

    def get(self, key: Any, default: Any = None) -> Any:
        return super().get(key, super().get(None, default))
