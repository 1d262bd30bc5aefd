"""Whether predictions, taken together, look like the people they stand for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from lupom.science.blas import one_thread
from lupom.science.evaluation.bootstrap import (
    Draws,
    Floats,
    Ints,
    intervals,
    rounded,
)
from lupom.science.evaluation.groups import SMALLEST, Traits, attributes_of, groups
from lupom.science.evaluation.measures import kish, ratio
from lupom.science.evaluation.sample import Judged, Sample, samples
from lupom.science.evaluation.scores import (
    Options,
    distributions_of,
    options_of,
    question_of,
)
from lupom.science.evaluation.shares import Cells, Counter, Scale
from lupom.science.inputs import arrow, require

DISTRIBUTION_METRICS = pa.schema(
    [
        ("survey", pa.string()),
        ("scenario", pa.string()),
        ("pairs", pa.string()),
        ("predictor", pa.string()),
        ("llm", pa.string()),
        ("question_id", pa.string()),
        ("attribute", pa.string()),
        ("group", pa.string()),
        ("metric", pa.string()),
        ("value", pa.float64()),
        ("low", pa.float64()),
        ("high", pa.float64()),
        ("n", pa.int64()),
        ("n_eff", pa.float64()),
    ]
)
_SPREAD = ("survey", "respondent_id", "question_id", "predictor", "probabilities")
# Fewer respondents who were asked both questions, and their association is noise.
BOTH = 30


@one_thread()
def distribution_metrics(
    scores: Any,
    questions: Any,
    respondents: Any = None,
    *,
    attributes: Sequence[str] | None = None,
    seed: int = 0,
    resamples: int = 200,
    level: float = 0.95,
    smallest: int = SMALLEST,
) -> pa.Table:
    """Return how close predicted distributions are to those of the answers given.

    Parameters
    ----------
    scores : a table as `scores.score` returns it.
    questions : survey, question_id, options, ordinal.
    respondents : survey, respondent_id, attributes, for the groups; None for none.
    smallest : groups of fewer respondents, and questions with fewer predictions in a group, are
        left out.

    Returns
    -------
    Rows by predictor (n predictions, n_eff as in `metrics.metrics`), for one question (question_id)
    or all together (null), for one group (attribute, group) or everyone (null). All are weighted by
    survey weights; refusals are not answers, so that they are apart. The metrics:
        similarity : 1 minus the Wasserstein distance of the predicted and the given distribution,
            positions scaled to 0 to 1; 1 minus the total variation distance where options have no
            order. A prediction without probabilities counts as its answer.
        representativeness : the mean of that over questions (OpinionQA: Santurkar et al. 2023,
            section 3).
        variance_ratio : variance of the predicted answers over that of the given ones, positions
            as above (1 minus the sum of squared shares where there is no order); over all
            questions, sums of both. Below 1 predicted people are more alike than people.
        association_given, association_predicted, association_error : mean over pairs of questions
            that at least 30 respondents have predictions of: Cramer's V of the given answers, of
            the predicted ones, and the mean absolute difference.

    Raises ValueError for a missing column.
    """
    table = arrow(scores)
    known = _scales(questions)
    options = options_of(arrow(questions))
    people = {} if respondents is None else attributes_of(respondents, attributes)
    rows: list[dict[str, Any]] = []
    for sample in samples(table):
        words = (sample.survey, sample.scenario, sample.pairs)
        draws = Draws(len(sample.people), resamples, seed, words)
        asked = [known.get((sample.survey, name)) for name in sample.questions]
        counter = Counter(asked, draws, sample.weights)
        traits = Traits(people.get(sample.survey, {}), sample.people)
        every = traits.names if attributes is None else attributes
        divided = [_division(traits, attribute, smallest) for attribute in every]
        everybody: Ints = np.zeros(len(sample.people), dtype=np.int64)
        heads = [sample.named(judged) for judged in sample.judged]
        spreads = [_spread(table, judged, options) for judged in sample.judged]
        of_each: list[list[dict[str, Any]]] = []
        for judged, head, spread in zip(sample.judged, heads, spreads, strict=True):
            found = counter.cells(judged, spread, everybody)
            own = _rows(head, sample, judged, found, everybody, level, smallest=0)
            of_each.append(own + _associations(head, judged, len(asked)))
        # A division at a time: what its people answered is counted once for all predictors.
        for attribute, (labels, group) in zip(every, divided, strict=True):
            for own, judged, head, spread in zip(
                of_each, sample.judged, heads, spreads, strict=True
            ):
                if labels:
                    found = counter.cells(judged, spread, group)
                    named = {**head, "attribute": attribute}
                    own += _rows(
                        *(named, sample, judged, found, group, level),
                        smallest=smallest,
                        labels=labels,
                    )
        rows += [row for own in of_each for row in own]
    return pa.Table.from_pylist(rows, schema=DISTRIBUTION_METRICS)


def _scales(questions: Any) -> dict[tuple[str, str], Scale | None]:
    table = arrow(questions)
    require(table, ("survey", "question_id", "options", "ordinal"), "questions")
    out: dict[tuple[str, str], Scale | None] = {}
    for row in table.select(["survey", "question_id", "options", "ordinal"]).to_pylist():
        count = len(row["options"] or ())
        given = [np.nan if p is None else float(p) for p in row["ordinal"] or ()]
        positions = np.array([*given, *[np.nan] * (count - len(given))], dtype=float)
        span = np.nanmax(positions) - np.nanmin(positions) if np.isfinite(positions).any() else 0.0
        scaled = (positions - np.nanmin(positions)) / span if span > 0 else None
        out[row["survey"], row["question_id"]] = Scale(count, scaled) if count else None
    return out


def _division(traits: Traits, attribute: str, smallest: int) -> tuple[list[str], Ints]:
    """Return the groups of an attribute that are large enough, and everybody's, -1 for none."""
    labels: list[str] = []
    group = np.full(len(traits.codes(attribute)[1]), -1, dtype=np.int64)
    for label, members in groups(traits, attribute, smallest):
        group[members] = len(labels)
        labels.append(label)
    return labels, group


def _spread(table: pa.Table, judged: Judged, options: Options) -> Floats:
    """Return predicted probabilities, (predictions, options), rows of 0 for invalid."""
    own = table.select(_SPREAD).take(pa.array(judged.rows))
    spread, has = distributions_of(own, question_of(own, options), options)
    guess = np.nan_to_num(judged.numbers["answer_code"]).astype(np.int64) - 1
    spread[guess < 0] = 0.0
    bare = np.flatnonzero((guess >= 0) & ~has)
    spread[bare, guess[bare]] = 1.0
    return spread


def _rows(
    head: dict[str, Any],
    sample: Sample,
    judged: Judged,
    found: Cells,
    group: Ints,
    level: float,
    *,
    smallest: int,
    labels: Sequence[str | None] = (None,),
) -> list[dict[str, Any]]:
    """Return the rows of each group: of questions with enough predictions, and of all together."""
    rows: list[dict[str, Any]] = []
    overall: list[tuple[dict[str, Any], Floats]] = []
    listed = found.n >= smallest
    ratios = ratio(found.predicted, found.given)
    ends = {
        "similarity": iter(intervals(found.similarity[listed], level)),
        "variance_ratio": iter(intervals(ratios[listed], level)),
    }
    values = {"similarity": found.similarity[:, 0], "variance_ratio": ratios[:, 0]}
    finite = np.isfinite(found.similarity[:, 0])
    for place, label in enumerate(labels):
        of_group = {**head, "group": label} if label is not None else head
        here = np.flatnonzero(found.group == place)
        for c in here[listed[here]]:
            of = {
                **of_group,
                "question_id": sample.questions[found.question[c]],
                "n": int(found.n[c]),
                "n_eff": rounded(found.n_eff[c]),
            }
            for metric, of_cells in values.items():
                low, high = next(ends[metric])
                value = rounded(of_cells[c])
                rows.append({**of, "metric": metric, "value": value, "low": low, "high": high})
        here = here[finite[here]]
        if not len(here):
            continue
        entered = found.rows[np.isin(found.cell, here)]
        counts = np.bincount(judged.person[entered], minlength=len(group))[group == place]
        of = {
            **of_group,
            "n": int(counts.sum()),
            "n_eff": rounded(kish(counts, sample.weights[group == place])),
        }
        # In a draw without anybody who counts no question has a value, and so the mean has none.
        close = found.similarity[here]
        mean = ratio(np.nansum(close, axis=0), np.isfinite(close).sum(axis=0).astype(np.float64))
        predicted, given = (np.nansum(v[here], axis=0) for v in (found.predicted, found.given))
        whole = {"representativeness": mean, "variance_ratio": ratio(predicted, given)}
        for metric, drawn in whole.items():
            rows.append({**of, "metric": metric, "value": rounded(drawn[0])})
            overall.append((rows[-1], drawn))
    # All at once: one by one they took as long as the counting.
    both = intervals(np.array([drawn for _, drawn in overall]), level) if overall else []
    for (row, _), (low, high) in zip(overall, both, strict=True):
        row.update(low=low, high=high)
    return [row for row in rows if row["value"] is not None]


def _associations(head: dict[str, Any], judged: Judged, questions: int) -> list[dict[str, Any]]:
    """Return how far associations between questions are kept; no intervals, few pairs allow any."""
    truth = np.nan_to_num(judged.numbers["truth_code"]).astype(np.int64)
    guess = np.nan_to_num(judged.numbers["answer_code"]).astype(np.int64)
    kept = np.flatnonzero((truth > 0) & (guess > 0))
    people, person = np.unique(judged.person[kept], return_inverse=True)
    codes = np.zeros((2, len(people), questions), dtype=np.int64)
    codes[0, person, judged.question[kept]] = truth[kept]
    codes[1, person, judged.question[kept]] = guess[kept]
    asked = (codes[0] > 0).astype(np.float32)
    given, predicted = [], []
    for a, b in np.argwhere(np.triu(asked.T @ asked >= BOTH, k=1)):
        shared = (codes[0, :, a] > 0) & (codes[0, :, b] > 0)
        one, other = codes[:, shared, a], codes[:, shared, b]
        given.append(cramers_v(one[0], other[0]))
        predicted.append(cramers_v(one[1], other[1]))
    if not given:
        return []
    found = {
        "association_given": np.mean(given),
        "association_predicted": np.mean(predicted),
        "association_error": np.mean(np.abs(np.subtract(given, predicted))),
    }
    return [
        {**head, "metric": name, "value": rounded(float(value)), "n": len(given)}
        for name, value in found.items()
    ]


def cramers_v(one: Ints, other: Ints) -> float:
    """Return Cramer's V of two columns of codes, 0 where one of them has a single value."""
    a, first = np.unique(one, return_inverse=True)
    b, second = np.unique(other, return_inverse=True)
    if min(len(a), len(b)) < 2:
        return 0.0
    table = np.zeros((len(a), len(b)))
    np.add.at(table, (first, second), 1.0)
    expected = table.sum(axis=1, keepdims=True) @ table.sum(axis=0, keepdims=True) / table.sum()
    chi = (np.square(table - expected) / expected).sum()
    return float(np.sqrt(chi / (table.sum() * (min(table.shape) - 1))))
