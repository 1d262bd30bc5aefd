"""How much of people's answers predictions explain: what they are worth to a survey to come."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lupom.science.blas import one_thread
from lupom.science.estimates import people, ppi
from lupom.science.estimates.design import Floats, Ints
from lupom.science.estimates.estimates import SMALLEST
from lupom.science.estimates.intervals import NORMAL
from lupom.science.estimates.said import by_predictor, by_question, joined
from lupom.science.inputs import arrow

WORTH = pa.schema(
    [
        ("survey", pa.string()),
        ("question_id", pa.string()),
        ("predictor", pa.string()),
        ("llm", pa.string()),
        ("r2", pa.float64()),
        ("low", pa.float64()),
        ("high", pa.float64()),
        ("mean_r2", pa.float64()),
        ("n", pa.int64()),
    ]
)


@dataclass(frozen=True)
class Explained:
    """The share of answers' variance that predictions explain, with its 95 % interval."""

    r2: float
    low: float
    high: float


def prediction_worth(
    responses: Any, questions: Any, respondents: Any, predictions: Any, *, seed: int = 0
) -> pa.Table:
    """Return what predictions explain of each question's answers, of those who gave one.

    Parameters are as of `estimates.estimates`, and so is what is raised. Predictions must not be
    made from the person's own answer to the question.

    Returns
    -------
    A row for each question, predictor and LLM with 20 people or more who answered and were
    predicted (n): r2 and its interval, as `explained` has them, and mean_r2, the same of numbers or
    positions on a scale, null where not all options have one.
    """
    said = joined(predictions)
    if not len(said):
        return WORTH.empty_table()
    answers, asked, persons = arrow(responses), arrow(questions), arrow(respondents)
    rows: list[dict[str, Any]] = []
    for survey in sorted(pc.unique(said["survey"]).drop_null().to_pylist()):
        own = people.by_survey(said, survey)
        of_question = by_question(own)
        here = people.by_survey(asked, survey)
        population = people.people_of(
            survey,
            people.by_survey(answers, survey),
            here.filter(pc.is_in(here["question_id"], pa.array(list(of_question), pa.string()))),
            people.by_survey(persons, survey),
            None,
            seed,
        )
        for one in population.asked:
            for predictor, llm, told in by_predictor(of_question[one.question]):
                values = people.predicted(one, population, told)
                known = np.flatnonzero(one.answered & ppi.has_all(values))
                if len(known) < SMALLEST:
                    continue
                given, said_of = one.values[known], values[known]
                drawn = population.design.weights[known], population.fold[known]
                with one_thread():
                    found = explained(given, said_of, *drawn)
                    mean = found.r2 if not one.options else None
                    if one.options and not np.isnan(one.ranks).any():
                        ranks = one.ranks[:, None]
                        mean = explained(given @ ranks, said_of @ ranks, *drawn).r2
                row = (survey, one.question, predictor, llm, found.r2, found.low, found.high, mean)
                rows.append(dict(zip(WORTH.names, (*row, len(known)), strict=True)))
    return pa.Table.from_pylist(rows, schema=WORTH)


def explained(values: Floats, predictions: Floats, weights: Floats, fold: Ints) -> Explained:
    """Return the share of answers' variance that predictions explain with the power that suits.

    The variance of answers less a power times predictions is least with the power that the
    regression through them has; what is gone then is their squared correlation, over all options
    together (the gain of PPI++, Angelopoulos, Duchi and Zrnic 2023), less what chance explains.
    Predictions are taken as they are or calibrated by cross-fitted regression, whichever is more.
    The interval is by Fisher's z with the variance of the correlation's influence.

    Parameters
    ----------
    values, predictions : (n, K), of those who answered. weights, fold : (n).
    """
    everybody = np.ones(len(values), dtype=bool)
    calibrated = ppi.calibrate(values, everybody, predictions, weights, fold)
    found = [_correlated(values, one, weights) for one in (predictions, calibrated)]
    correlation, error = max(found)
    z, reach = np.arctanh(correlation), NORMAL * error / (1 - correlation**2)
    low, high = (max(float(np.tanh(z + end)), 0.0) ** 2 for end in (-reach, reach))
    r2 = max(correlation, 0.0) ** 2
    return Explained(max(r2 - (1 - r2) / max(len(values) - 2, 1), 0.0), low, high)


def _correlated(values: Floats, predictions: Floats, weights: Floats) -> tuple[float, float]:
    """Return the correlation over all K together, and its standard error."""
    n, total = len(values), float(weights.sum())
    if np.isnan(predictions).any() or total <= 0:
        return 0.0, 1.0 / np.sqrt(n)
    y, f = (one - weights @ one / total for one in (values, predictions))
    products = np.stack([(y * f).sum(axis=1), (y * y).sum(axis=1), (f * f).sum(axis=1)])
    both, own, theirs = products @ weights / total
    if own <= 0 or theirs <= 1e-12:
        return 0.0, 1.0 / np.sqrt(n)
    scale = np.sqrt(own * theirs)
    correlation = float(np.clip(both / scale, -0.999999, 0.999999))
    influence = products[0] / scale - correlation / 2 * (products[1] / own + products[2] / theirs)
    error = np.sqrt(np.square(weights * influence).sum() * n / max(n - 1, 1)) / total
    return correlation, float(error)
