"""Whether prediction sets hold the answer as often as they say, and how large they are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lupom.science.evaluation.groups import SMALLEST, attributes_of
from lupom.science.inputs import arrow, require

SET_METRICS = pa.schema(
    [
        ("survey", pa.string()),
        ("scenario", pa.string()),
        ("predictor", pa.string()),
        ("llm", pa.string()),
        ("question_id", pa.string()),
        ("attribute", pa.string()),
        ("group", pa.string()),
        ("level", pa.float64()),
        ("coverage", pa.float64()),
        ("low", pa.float64()),
        ("high", pa.float64()),
        ("mean_size", pa.float64()),
        ("share_single", pa.float64()),
        ("n", pa.int64()),
    ]
)
_PAIR = ("survey", "respondent_id", "question_id")


def set_metrics(
    sets: Any,
    holdout: Any,
    respondents: Any = None,
    *,
    attributes: Sequence[str] | None = None,
    level: float = 0.95,
    smallest: int = SMALLEST,
) -> pa.Table:
    """Return how often prediction sets hold the answer: over all, by question and by group.

    Parameters
    ----------
    sets : a table as `conformal.prediction_sets` returns it.
    holdout : survey, respondent_id, question_id, role, answer; role 'test' counts.
    respondents : survey, respondent_id, attributes, for the groups; None for none.
    level : of the interval of the coverage. smallest : groups with fewer pairs are left out.

    Returns
    -------
    Rows by predictor; question_id or attribute and group are null where it is over all of them.
    coverage has Wilson's interval (pairs of one person are taken as independent); mean_size is the
    number of options in a set, share_single the share of sets of one option.

    Raises ValueError for a missing column.
    """
    sets, holdout = arrow(sets), arrow(holdout)
    require(sets, (*_PAIR, "predictor", "llm", "scenario", "options", "size", "level"), "sets")
    require(holdout, (*_PAIR, "role", "answer"), "holdout")
    test = holdout.filter(pc.equal(holdout["role"], "test")).select([*_PAIR, "answer"])
    keys = zip(*(test[name].to_pylist() for name in _PAIR), strict=True)
    truth = dict(zip(keys, test["answer"].to_pylist(), strict=True))
    people = {} if respondents is None else attributes_of(respondents)
    frame = [
        (row["survey"], row["scenario"], row["predictor"], row["llm"], row["level"])
        for row in sets.select(["survey", "scenario", "predictor", "llm", "level"]).to_pylist()
    ]
    pairs = list(zip(*(sets[name].to_pylist() for name in _PAIR), strict=True))
    held = np.array(
        [truth.get(p) in o for p, o in zip(pairs, sets["options"].to_pylist(), strict=True)],
        dtype=bool,
    )
    known = np.array([p in truth for p in pairs], dtype=bool)
    sizes = np.asarray(sets["size"], dtype=np.float64)
    rows: list[dict[str, Any]] = []
    for key in sorted(set(frame), key=str):
        here = np.flatnonzero(np.array([k == key for k in frame], dtype=bool) & known)
        for words, chosen in _parts(here, pairs, people.get(key[0], {}), attributes, smallest):
            n = len(chosen)
            if not n:
                continue
            low, high = _wilson(float(held[chosen].mean()), n, level)
            rows.append(
                {
                    **dict(
                        zip(("survey", "scenario", "predictor", "llm", "level"), key, strict=True)
                    ),
                    **words,
                    "coverage": float(held[chosen].mean()),
                    "low": low,
                    "high": high,
                    "mean_size": float(sizes[chosen].mean()),
                    "share_single": float((sizes[chosen] == 1).mean()),
                    "n": n,
                }
            )
    return pa.Table.from_pylist(rows, schema=SET_METRICS)


def _parts(
    here: Any,
    pairs: Sequence[tuple[str, str, str]],
    people: dict[str, dict[str, str]],
    attributes: Sequence[str] | None,
    smallest: int,
) -> Iterator[tuple[dict[str, str], Any]]:
    yield {}, here
    questions = np.array([pairs[i][2] for i in here])
    for question in np.unique(questions):
        yield {"question_id": str(question)}, here[questions == question]
    names = sorted({a for of in people.values() for a in of}) if attributes is None else attributes
    for attribute in names:
        values = np.array([people.get(pairs[i][1], {}).get(attribute) or "" for i in here])
        for value, count in zip(*np.unique(values, return_counts=True), strict=True):
            if value and count >= smallest:
                yield {"attribute": attribute, "group": str(value)}, here[values == value]


def _wilson(share: float, n: int, level: float) -> tuple[float, float]:
    from statistics import NormalDist

    z = NormalDist().inv_cdf(0.5 + level / 2.0)
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * (share * (1 - share) / n + z**2 / (4 * n**2)) ** 0.5
    return max(centre - half, 0.0), min(centre + half, 1.0)
