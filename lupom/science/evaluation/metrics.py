"""Metrics of each predictor with bootstrap intervals clustered on respondents."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from lupom.science.blas import one_thread
from lupom.science.evaluation.bootstrap import Draws, Floats, interval, rounded
from lupom.science.evaluation.measures import Measured, effective, measures
from lupom.science.evaluation.sample import KINDS, OPTIONS, Sample, samples

METRICS = pa.schema(
    [
        ("survey", pa.string()),
        ("scenario", pa.string()),
        ("predictor", pa.string()),
        ("llm", pa.string()),
        ("pairs", pa.string()),
        ("weighting", pa.string()),
        ("metric", pa.string()),
        ("value", pa.float64()),
        ("low", pa.float64()),
        ("high", pa.float64()),
        ("n", pa.int64()),
        ("n_eff", pa.float64()),
    ]
)


@one_thread()
def metrics(
    scores: Any,
    *,
    seed: int = 0,
    resamples: int = 1000,
    level: float = 0.95,
    ceiling: float | Mapping[str, float] | None = None,
) -> pa.Table:
    """Return every metric of every predictor, with an interval.

    Parameters
    ----------
    scores : a table as `scores.score` returns it.
    seed, resamples, level : of the percentile bootstrap. Respondents are drawn, each with all of
        their pairs, since the answers of one person hang together; all predictors of a survey are
        judged on the same draws.
    ceiling : the share of answers that people give again when asked again, one or by survey.

    Returns
    -------
    Rows survey, scenario, predictor, llm, pairs, weighting, metric, value, low, high, n
    (predictions that entered), n_eff (how many people with an equal say would carry it as far, as
    in `measures.effective`; below 30 a weighted metric is that of a few people). `pairs` is 'all'
    for predictors that predict all test pairs of the scenario; 'llm' for every predictor on the
    pairs the LLM was asked; and the `llm` of predictions made elsewhere for every predictor on the
    pairs these cover, where that is not all. `weighting` is 'none', and 'survey' where respondents
    have survey weights. The metrics, left out where no prediction has what they need:
        accuracy : share of correct answers (micro-F1); an invalid prediction is a wrong one.
        macro_f1 : mean F1 over classes, an option of one question being a class; classes that are
            neither truth nor prediction are left out. An invalid prediction is of no class.
        macro_f1_pooled : the same, but the first options of all questions are one class, the second
            ones another, and so on, as when F1 is taken over option codes.
        ordinal_error : mean absolute distance in ordinal positions, of valid predictions where both
            have one; ordinal_coverage is the share of those.
        expected_rank_error : mean of the distance in ordinal positions that predicted distributions
            expect, sum_k p_k |position_k - position_truth|, of questions whose options all have
            one: what ordinal_error is of answers. A predictor that is unsure between neighbours has
            less of it than one that is unsure between the ends.
        rps : mean ranked probability score of the same, 0 to 1: squared differences of the
            cumulated probabilities and the truth, over the steps of the scale (Epstein 1969). It is
            proper: least for who says what they believe, which expected_rank_error is not.
        collapsed_accuracy : accuracy where the options of a scale below, at and above its middle
            are one each.
        share_invalid : share of invalid predictions.
        nll : mean log loss in nats, floored as in `scores`; of predictions with a distribution.
        brier : mean Brier score, 0 to 2; of predictions with a distribution.
        calibration_error : mean distance of the answer's probability and how often such answers are
            right, over ten bins of equal width (expected calibration error, Guo et al. 2017).
        absolute_error : mean distance of the predicted number and the one given, of numeric
            questions; numeric_share_invalid is the share of invalid predictions of these.
        text_match : share of free texts with the words given; text_share_invalid as above.
        ceiling_share : accuracy as a share of the ceiling, if there is one.

    Raises
    ------
    ValueError : for a missing column, resamples below 1, a level outside 0 to 1, or a ceiling that
        is no share.
    """
    if resamples < 1 or not 0 < level < 1:
        raise ValueError(f"resamples must be at least 1 and level in (0, 1): {resamples}, {level}")
    rows: list[dict[str, Any]] = []
    for sample in samples(scores, KINDS):
        most = ceiling.get(sample.survey) if isinstance(ceiling, Mapping) else ceiling
        if most is not None and not 0 < most <= 1:
            raise ValueError(f"{sample.survey}: a retest ceiling is a share, not {most}")
        words: tuple[str, ...] = (sample.survey, sample.scenario, sample.pairs)
        if sample.kind != OPTIONS:
            words = (*words, sample.kind)
        draws = Draws(len(sample.people), resamples, seed, words)
        ways: list[tuple[str, Any]] = [("none", None)]
        if sample.weighted:
            ways.append(("survey", sample.weights))
        for judged in sample.judged:
            for weighting, weights in ways:
                measured = measures(judged, draws, weights)
                say = {
                    name: effective(judged, name, weights, len(sample.people)) for name in measured
                }
                found = _named(sample, measured)
                if most is not None and "accuracy" in found:
                    _, values, n = found["accuracy"]
                    found["ceiling_share"] = "accuracy", values / most, n
                for name, (of, values, n) in found.items():
                    low, high = interval(values, level)
                    rows.append(
                        {
                            **sample.named(judged),
                            "weighting": weighting,
                            "metric": name,
                            "value": rounded(values[0]),
                            "low": low,
                            "high": high,
                            "n": n,
                            "n_eff": rounded(say[of]),
                        }
                    )
    return pa.Table.from_pylist(rows, schema=METRICS)


def _named(sample: Sample, found: Measured) -> dict[str, tuple[str, Floats, int]]:
    """Return (measure, values, n) by metric; of numbers and texts those that say something of
    them."""
    names = {name: name for name in found}
    if sample.kind != OPTIONS:
        names = {"share_invalid": f"{sample.kind}_share_invalid"}
        names |= {"absolute_error": "absolute_error"} if sample.kind == "numeric" else {}
        names |= {"accuracy": "text_match"} if sample.kind == "text" else {}
    return {new: (old, *found[old]) for old, new in names.items() if old in found}
