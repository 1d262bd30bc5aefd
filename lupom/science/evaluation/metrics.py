"""Metrics of each predictor with bootstrap intervals clustered on respondents."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa

from lupom.batches import Map, in_batches
from lupom.science.evaluation.bootstrap import Draws, Floats, interval, rounded
from lupom.science.evaluation.measures import Measured, effective, measures
from lupom.science.evaluation.sample import KINDS, OPTIONS, Judged, Sample, samples
from lupom.science.inputs import arrow, require

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

# What is judged by itself, and where its rows belong.
_JUDGED = ("survey", "predictor", "llm")
_PLACE = ("number_of_sample", "place_in_sample", "place_of_row")
_PLACED = pa.schema([*((name, pa.int64()) for name in _PLACE), *METRICS])


def metrics(
    scores: Any,
    *,
    seed: int = 0,
    resamples: int = 1000,
    level: float = 0.95,
    ceiling: float | Mapping[str, float] | None = None,
    through: Map = in_batches,
) -> pa.Table:
    """Return every metric of every predictor, with an interval.

    Parameters
    ----------
    scores : a table as `scores.score` returns it.
    seed, resamples, level : of the percentile bootstrap. Respondents are drawn, each with all of
        their pairs, since the answers of one person hang together; all predictors of a survey are
        judged on the same draws.
    ceiling : the share of answers that people give again when asked again, one or by survey.
    through : works a predictor at a time, here or elsewhere; see `lupom.batches`.

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
    table = arrow(scores)
    require(table, _JUDGED, "scores")
    jobs = table.select(_JUDGED).group_by(list(_JUDGED), use_threads=False).aggregate([])
    shared = {
        "scores": table,
        "seed": seed,
        "resamples": resamples,
        "level": level,
        "ceiling": dict(ceiling) if isinstance(ceiling, Mapping) else ceiling,
    }
    found = through(Judge, jobs, shared=shared, batch_rows=1)
    order = [(name, "ascending") for name in _PLACE]
    return found.sort_by(order).drop(list(_PLACE)).combine_chunks()


class Judge:
    """Measures a survey's predictors, each by its name and LLM; samples are made once."""

    def __init__(
        self,
        scores: Any,
        seed: int,
        resamples: int,
        level: float,
        ceiling: float | Mapping[str, float] | None,
    ) -> None:
        self._level, self._ceiling = level, ceiling
        self._samples = list(samples(scores, KINDS))
        for sample in self._samples:
            most = self._most(sample)
            if most is not None and not 0 < most <= 1:
                raise ValueError(f"{sample.survey}: a retest ceiling is a share, not {most}")
        self._drawn = seed, resamples
        self._draws: dict[int, Draws] = {}

    def __call__(self, batch: pa.Table) -> pa.Table:
        rows: list[dict[str, Any]] = []
        for job in batch.to_pylist():
            for number, sample in enumerate(self._samples):
                for place, judged in enumerate(sample.judged):
                    who = (sample.survey, judged.predictor, judged.llm)
                    if who == tuple(job[name] for name in _JUDGED):
                        for i, row in enumerate(self._measured(number, judged)):
                            at = zip(_PLACE, (number, place, i), strict=True)
                            rows.append({**dict(at), **row})
        return pa.Table.from_pylist(rows, schema=_PLACED)

    def _most(self, sample: Sample) -> float | None:
        ceiling = self._ceiling
        return ceiling.get(sample.survey) if isinstance(ceiling, Mapping) else ceiling

    def _draws_of(self, number: int) -> Draws:
        """Return the draws of a sample, on which all its predictors are judged."""
        if number not in self._draws:
            sample, (seed, resamples) = self._samples[number], self._drawn
            words: tuple[str, ...] = (sample.survey, sample.scenario, sample.pairs)
            if sample.kind != OPTIONS:
                words = (*words, sample.kind)
            self._draws[number] = Draws(len(sample.people), resamples, seed, words)
        return self._draws[number]

    def _measured(self, number: int, judged: Judged) -> Iterator[dict[str, Any]]:
        sample, draws = self._samples[number], self._draws_of(number)
        most = self._most(sample)
        ways: list[tuple[str, Any]] = [("none", None)]
        if sample.weighted:
            ways.append(("survey", sample.weights))
        for weighting, weights in ways:
            measured = measures(judged, draws, weights)
            say = {name: effective(judged, name, weights, len(sample.people)) for name in measured}
            found = _named(sample, measured)
            if most is not None and "accuracy" in found:
                _, values, n = found["accuracy"]
                found["ceiling_share"] = "accuracy", values / most, n
            for name, (of, values, n) in found.items():
                low, high = interval(values, self._level)
                yield {
                    **sample.named(judged),
                    "weighting": weighting,
                    "metric": name,
                    "value": rounded(values[0]),
                    "low": low,
                    "high": high,
                    "n": n,
                    "n_eff": rounded(say[of]),
                }


def _named(sample: Sample, found: Measured) -> dict[str, tuple[str, Floats, int]]:
    """Return (measure, values, n) by metric; of numbers and texts those that say something of
    them."""
    names = {name: name for name in found}
    if sample.kind != OPTIONS:
        names = {"share_invalid": f"{sample.kind}_share_invalid"}
        names |= {"absolute_error": "absolute_error"} if sample.kind == "numeric" else {}
        names |= {"accuracy": "text_match"} if sample.kind == "text" else {}
    return {new: (old, *found[old]) for old, new in names.items() if old in found}
