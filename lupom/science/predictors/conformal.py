"""Sets of options that hold the answer nine times in ten, made of any predictor's distribution."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lupom.science.inputs import arrow, require
from lupom.science.predictors.distributions import Pairs, of_survey, pairs_of
from lupom.science.predictors.task import Bools, Floats, Ints

PREDICTION_SETS = pa.schema(
    [
        ("survey", pa.string()),
        ("respondent_id", pa.string()),
        ("question_id", pa.string()),
        ("predictor", pa.string()),
        ("llm", pa.string()),
        ("scenario", pa.string()),
        ("options", pa.list_(pa.string())),
        ("size", pa.int64()),
        ("level", pa.float64()),
        ("threshold", pa.float64()),
        ("n_tuning", pa.int64()),
    ]
)
# Fewer tuning pairs than this place the ninth decile by luck: one of 30 lies beyond three of them.
ENOUGH = 30
# What all other questions count beside a question's own tuning pairs, in pairs. With 40 pairs a
# question (General Social Survey, 1,000 test pairs) sets hold in .913 with 1.85 options by a
# question's own pairs alone, in .908 with 1.80 by these, in .898 with 1.73 by all questions alike.
OF_OTHERS = 50.0

_NEEDED = (
    *("survey", "respondent_id", "question_id", "predictor", "llm", "answer", "probabilities"),
    *("status", "role", "scenario"),
)


def prediction_sets(
    predictions: Any, tuning: Any, questions: Any, *, level: float = 0.9
) -> pa.Table:
    """Return for each prediction of a test pair the options among which the answer is.

    Options are taken by their probability until the set holds at the rate that sets of tuning pairs
    held: adaptive prediction sets (Romano, Sesia and Candes 2020), split conformal prediction. The
    threshold is the question's own, in which the pairs of all other questions of the scenario count
    like 50. A set has the likeliest option at least; one of all options says that nothing is known.

    Parameters
    ----------
    predictions : survey, respondent_id, question_id, predictor, llm, answer, probabilities, status,
        role ('test' or 'tuning'), scenario. Those of tuning pairs must not have been fitted to
        their answers.
    tuning : survey, respondent_id, question_id, answer of the tuning pairs.
    questions : survey, question_id, options.
    level : the share of sets that are to hold the answer.

    Returns
    -------
    A row for each valid prediction of a test pair by a predictor with 30 tuning pairs or more in
    the scenario (n_tuning): options, the likeliest first, their number (size), level and
    threshold.

    Raises ValueError for a missing column, a level that is not between 0 and 1, an unknown answer.
    """
    if not 0.0 < level < 1.0:
        raise ValueError(f"a level is between 0 and 1, not {level!r}")
    predictions = arrow(predictions)
    require(predictions, _NEEDED, "predictions")
    told = ("survey", "respondent_id", "question_id", "answer")
    parts = []
    for survey in sorted(pc.unique(predictions["survey"]).to_pylist()):
        here = of_survey(predictions, _NEEDED, "predictions", survey)
        pairs = pairs_of(
            survey,
            here,
            of_survey(tuning, told, "tuning answers", survey),
            of_survey(questions, ("survey", "question_id", "options"), "questions", survey),
        )
        luck = _luck(pairs)
        names = here.select(["predictor", "llm"]).group_by(["predictor", "llm"]).aggregate([])
        order = [("predictor", "ascending"), ("llm", "ascending")]
        for name in names.sort_by(order).to_pylist():
            of_llm = (
                pc.is_null(here["llm"])
                if name["llm"] is None
                else pc.fill_null(pc.equal(here["llm"], name["llm"]), False)
            )
            own = here.filter(pc.and_(pc.equal(here["predictor"], name["predictor"]), of_llm))
            p, has = pairs.read(own)
            for scenario in sorted(set(pairs.scenarios[has])):
                chosen = has & (pairs.scenarios == scenario)
                table = _sets(pairs, p, chosen, luck, level, name, scenario)
                if table is not None:
                    parts.append(table)
    return pa.concat_tables(parts).combine_chunks() if parts else PREDICTION_SETS.empty_table()


def _sets(
    pairs: Pairs,
    p: Floats,
    chosen: Bools,
    luck: Floats,
    level: float,
    name: dict[str, Any],
    scenario: str,
) -> pa.Table | None:
    known = chosen & (pairs.roles == "tuning") & (pairs.truth >= 0)
    wanted = np.flatnonzero(chosen & (pairs.roles == "test"))
    if known.sum() < ENOUGH or not len(wanted):
        return None
    scores = scores_of(p, luck)
    reached = scores[known, pairs.truth[known]]
    thresholds = np.array(
        [threshold(reached, pairs.columns[known] == q, level) for q in range(len(pairs.questions))]
    )[pairs.columns[wanted]]
    order = np.argsort(-np.where(pairs.inside, p, -1.0)[wanted], axis=1, kind="stable")
    inside = np.take_along_axis(scores[wanted] <= thresholds[:, None], order, axis=1)
    inside &= np.take_along_axis(pairs.inside[wanted], order, axis=1)
    # An empty set would say that none of the options is the answer.
    inside[:, 0] = True
    options = [
        [pairs.options[column][code] for code in codes[row]]
        for column, codes, row in zip(pairs.columns[wanted], order, inside, strict=True)
    ]
    n = len(wanted)
    return pa.table(
        [
            pa.repeat(pairs.survey, n),
            pa.array(pairs.respondents[wanted].tolist(), pa.string()),
            pa.array([pairs.questions[c] for c in pairs.columns[wanted]], pa.string()),
            pa.repeat(name["predictor"], n),
            pa.nulls(n, pa.string()) if name["llm"] is None else pa.repeat(name["llm"], n),
            pa.repeat(scenario, n),
            pa.array(options, pa.list_(pa.string())),
            pa.array([len(o) for o in options], pa.int64()),
            pa.array(np.full(n, level)),
            pa.array(thresholds),
            pa.array(np.full(n, int(known.sum())), pa.int64()),
        ],
        schema=PREDICTION_SETS,
    )


def scores_of(p: Floats, luck: Floats) -> Floats:
    """Return what an option and the likelier ones have together, (P, width).

    Parameters
    ----------
    p : (P, width), probabilities that sum to 1.
    luck : (P), from 0 to 1, the part of an option's own probability that does not count. Without it
        sets of three options would hold more often than they are to.
    """
    order = np.argsort(-p, axis=1, kind="stable")
    ordered = np.take_along_axis(p, order, axis=1)
    summed = np.cumsum(ordered, axis=1) - luck[:, None] * ordered
    out = np.empty_like(p)
    np.put_along_axis(out, order, summed, axis=1)
    return out


def threshold(scores: Floats, own: Bools, level: float) -> float:
    """Return the score that a share `level` of answers stays within, infinity where none is known.

    It is the weighted quantile of split conformal prediction, the new pair counting for one
    (Tibshirani, Barber, Candes and Ramdas 2019, equation 7).

    Parameters
    ----------
    scores : (n), of answers given. own : (n), which of them are the question's.
    """
    others = int((~own).sum())
    weights = np.where(own, 1.0, OF_OTHERS / others if others else 0.0)
    order = np.argsort(scores, kind="stable")
    reached = np.cumsum(weights[order])
    # Sums of shares of 50 miss what they are to reach by rounding.
    place = int(np.searchsorted(reached, level * (weights.sum() + 1.0) - 1e-9))
    return float(scores[order][place]) if place < len(scores) else float("inf")


def _luck(pairs: Pairs) -> Floats:
    """Return a number from 0 to 1 by each pair's ids, so that two runs give the same sets."""
    columns: Ints = pairs.columns
    keys = (f"{r}|{pairs.questions[c]}" for r, c in zip(pairs.respondents, columns, strict=True))
    return np.array([zlib.crc32(key.encode()) / 2.0**32 for key in keys])
