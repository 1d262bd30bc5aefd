"""Metrics for groups of respondents, and the gaps between groups."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from lupom.science.evaluation.bootstrap import Bootstrap, Floats, Ints, check, interval
from lupom.science.evaluation.metrics import ceiling_of
from lupom.science.evaluation.parts import Judged, judged
from lupom.science.evaluation.statistics import Statistics, part_of, statistics
from lupom.science.inputs import arrow, require

GROUPS = pa.schema(
    [
        ("survey", pa.string()),
        ("scenario", pa.string()),
        ("pairs", pa.string()),
        ("predictor", pa.string()),
        ("llm", pa.string()),
        ("attribute", pa.string()),
        ("group_value", pa.string()),
        ("metric", pa.string()),
        ("value", pa.float64()),
        ("low", pa.float64()),
        ("high", pa.float64()),
        ("n", pa.int64()),
        ("respondents", pa.int64()),
        ("gap", pa.float64()),
        ("gap_low", pa.float64()),
        ("gap_high", pa.float64()),
    ]
)
# A group of fewer pairs has no part in the widest gap: chance alone would make it the extreme.
ENOUGH = 30


def group_metrics(
    scores: Any,
    respondents: Any,
    *,
    attributes: Any = None,
    seed: int = 0,
    resamples: int = 1000,
    level: float = 0.95,
    ceiling: Any = None,
) -> pa.Table:
    """Return every metric of every predictor by the value of each attribute, and the gaps.

    Parameters
    ----------
    scores : a table as `scores.score` returns it.
    respondents : survey, respondent_id, attributes (a map).
    attributes : which to take; all without.
    seed, resamples, level, ceiling : as in `metrics`.

    Returns
    -------
    A row for each metric and each value of an attribute, with
        value, low, high, n (pairs that entered), respondents : of the group.
        gap, gap_low, gap_high : its value less that of all other respondents whose value of the
            attribute is known.
    and one where group_value is null: the greatest difference between two groups of 30 pairs or
    more, as value, low, high. Since it is the greatest of several, chance makes it greater than 0
    where groups do not differ, and its interval holds no 0: read the groups' own gaps as well.

    Raises
    ------
    ValueError : for a missing column, or settings that make no interval.
    """
    check(resamples, level)
    people = arrow(respondents)
    require(people, ("survey", "respondent_id", "attributes"), "respondents")
    rows: list[dict[str, Any]] = []
    for part in judged(scores, seed=seed, resamples=resamples):
        own = list(members(part, people, attributes))
        of_survey = ceiling_of(ceiling, part.survey)
        for name, one, person in part.predictors():
            sums = statistics(part_of(one, of_survey), person, len(part.people))
            for attribute, values, member in own:
                for row in _of_attribute(part, sums, person, values, member, level):
                    rows.append({**part.key, **name, "attribute": attribute, **row})
    return pa.Table.from_pylist(rows, schema=GROUPS)


def members(part: Judged, people: pa.Table, wanted: Any) -> Iterator[tuple[str, list[str], Ints]]:
    """Yield each attribute, its values in order, and each respondent's place among them or -1."""
    found: dict[str, dict[str, str]] = {}
    known = set(part.people.to_pylist())
    for row in people.to_pylist():
        if row["survey"] == part.survey and row["respondent_id"] in known:
            given = row["attributes"] or ()
            found[row["respondent_id"]] = dict(given.items() if isinstance(given, dict) else given)
    names = sorted({name for given in found.values() for name in given})
    for name in names:
        if wanted and name not in wanted:
            continue
        own = [found.get(one, {}).get(name) for one in part.people.to_pylist()]
        values = sorted({value for value in own if value is not None})
        place = {value: i for i, value in enumerate(values)}
        if values:
            yield name, values, np.array([-1 if v is None else place[v] for v in own])


def group_totals(bootstrap: Bootstrap, sums: Floats, member: Ints, groups: int) -> Floats:
    """Return totals of each group in every draw, (groups, 1 + resamples, columns)."""
    out = np.zeros((groups, bootstrap.resamples + 1, sums.shape[1]))
    for part, draws in bootstrap.blocks():
        for group in range(groups):
            inside = np.flatnonzero(member[part] == group)
            if inside.size:
                out[group] += draws[:, inside] @ sums[part][inside]
    return out


def _of_attribute(
    part: Judged, sums: Statistics, person: Ints, values: list[str], member: Ints, level: float
) -> Iterator[dict[str, Any]]:
    totals = group_totals(part.bootstrap, sums.sums, member, len(values))
    everyone = totals.sum(axis=0)
    where = member[person]
    finished = [sums.finish(one) for one in totals]
    counts = [sums.counts_of(where == group) for group in range(len(values))]
    for group, value in enumerate(values):
        rest = sums.finish(everyone - totals[group])
        respondents = len(np.unique(person[where == group]))
        for metric, draws in finished[group].items():
            if not np.isfinite(draws[0]):
                continue
            gap = draws - rest[metric]
            low, high = interval(draws[1:], level)
            gap_low, gap_high = interval(gap[1:], level)
            yield {
                **{"group_value": value, "metric": metric, "value": float(draws[0])},
                **{"low": low, "high": high, "respondents": respondents},
                "n": counts[group][metric],
                "gap": float(gap[0]) if np.isfinite(gap[0]) else None,
                **{"gap_low": gap_low, "gap_high": gap_high},
            }
    for metric in finished[0]:
        large = [g for g in range(len(values)) if counts[g][metric] >= ENOUGH]
        if len(large) < 2:
            continue
        draws = np.stack([finished[g][metric] for g in large])
        widest = draws.max(axis=0) - draws.min(axis=0)
        low, high = interval(widest[1:], level)
        yield {
            **{"group_value": None, "metric": metric, "value": float(widest[0])},
            **{"low": low, "high": high, "n": sum(counts[g][metric] for g in large)},
            "respondents": len(np.unique(person[np.isin(where, large)])),
        }
