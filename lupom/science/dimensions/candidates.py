"""Candidates of persona dimensions: which of them mean one dimension, and which two may."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lupom.science.dimensions.clustering import cluster
from lupom.science.inputs import arrow, require

if TYPE_CHECKING:
    import pyarrow as pa

Embed = Callable[[Sequence[str]], Any]


def cluster_candidates(
    candidates: Any,
    embed: Embed,
    *,
    by: str = "name and description",
    method: str = "kmeans",
    k: int | Mapping[str, int] | None = None,
    k_max: int | Mapping[str, int] | None = None,
    radius: float | None = None,
    seed: int = 0,
) -> pa.Table:
    """Cluster candidates of each survey and level by what they say of themselves.

    What all of a level say ("How strongly the person is for ...") is taken out first: the mean of
    their distinct vectors. Without that it outweighs what they differ in.

    Parameters
    ----------
    candidates : survey, level, name, description and any further columns, a row a candidate.
    embed : gives a list of n texts as an array (n, d).
    by : the text that is embedded, one of TEXTS.
    method, radius, seed : as in `cluster`.
    k, k_max : as in `cluster`, for every level or by level; a level that is not named has None.

    Returns
    -------
    The candidates in order of their contents, with `cluster` (LEVEL_NUMBER, numbered from 1 by
    size, the largest first) and `cluster_size` added. The order of the rows that come in has no
    part in what goes out.

    Raises
    ------
    ValueError : for a text that is none of TEXTS, and as `cluster` does.
    """
    import pyarrow as pa

    table = arrow(candidates)
    require(table, ("survey", "level", "name", "description"), "dimension candidates")
    if by not in TEXTS:
        raise ValueError(f"candidates are compared by {by!r}; known: {', '.join(TEXTS)}")
    rows = sorted(table.to_pylist(), key=_contents)
    groups: dict[tuple[str, str], list[int]] = {}
    for i, row in enumerate(rows):
        groups.setdefault((row["survey"], row["level"]), []).append(i)
    names = [""] * len(rows)
    sizes = [0] * len(rows)
    for (_, level), members in groups.items():
        labels = cluster(
            _centred(embed([TEXTS[by](rows[i]) for i in members])),
            method,
            k=_of_level(k, level),
            k_max=_of_level(k_max, level),
            radius=radius,
            seed=seed,
        )
        counts = np.bincount(labels)
        # The largest first; of equal ones the first in order of contents.
        place = np.argsort(np.argsort(-counts, kind="stable"), kind="stable") + 1
        for i, label in zip(members, labels, strict=True):
            names[i], sizes[i] = f"{level}_{place[label]}", int(counts[label])
    schema = table.schema.append(pa.field("cluster", pa.string()))
    schema = schema.append(pa.field("cluster_size", pa.int64()))
    out = [
        {**row, "cluster": name, "cluster_size": size}
        for row, name, size in zip(rows, names, sizes, strict=True)
    ]
    return pa.Table.from_pylist(out, schema=schema)


def nearest_pairs(dimensions: Any, embed: Embed, *, min_similarity: float = 0.5) -> pa.Table:
    """Pair each dimension with the earlier one most like it, where they are alike at all.

    Parameters
    ----------
    dimensions : survey, dimension_id, name, description, in order of precedence within a survey:
        of two that are the same, the later would go.
    embed : gives a list of n texts as an array (n, d).
    min_similarity : the least cosine of a pair, -1 to 1.

    Returns
    -------
    survey, dimension_id, other_id (the earlier), similarity; at most one row a dimension.
    """
    import pyarrow as pa

    table = arrow(dimensions)
    require(table, ("survey", "dimension_id", "name", "description"), "dimensions")
    by_survey: dict[str, list[dict[str, Any]]] = {}
    for row in table.to_pylist():
        by_survey.setdefault(row["survey"], []).append(row)
    pairs: list[dict[str, Any]] = []
    for survey, rows in sorted(by_survey.items()):
        vectors = np.asarray(embed([_text(row) for row in rows]), dtype=np.float64)
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        vectors = vectors / np.where(lengths > 0, lengths, 1.0)
        # Rounded, so that the last bits of a product do not decide between two equally alike.
        similarity = (vectors @ vectors.T).round(6)
        for i in range(1, len(rows)):
            nearest = int(np.argmax(similarity[i, :i]))
            if similarity[i, nearest] >= min_similarity:
                pairs.append(
                    {
                        "survey": survey,
                        "dimension_id": rows[i]["dimension_id"],
                        "other_id": rows[nearest]["dimension_id"],
                        "similarity": float(similarity[i, nearest]),
                    }
                )
    kinds = [(name, pa.string()) for name in ("survey", "dimension_id", "other_id")]
    return pa.Table.from_pylist(pairs, schema=pa.schema([*kinds, ("similarity", pa.float64())]))


def _centred(vectors: Any) -> Any:
    points = np.asarray(vectors, dtype=np.float64)
    distinct = np.unique(points.round(9), axis=0)
    # Of two points the mean lies between them: centred, they are always opposite.
    return points - distinct.mean(axis=0) if len(distinct) > 2 else points


def _text(row: Mapping[str, Any]) -> str:
    return f"{row['name']}: {row['description']}"


# What candidates can be compared by.
TEXTS: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "name and description": _text,
    "name": lambda row: str(row["name"]),
    "description": lambda row: str(row["description"]),
}


def _contents(row: Mapping[str, Any]) -> tuple[str, ...]:
    first = ("survey", "level", "name", "description")
    rest = [str(value) for name, value in sorted(row.items()) if name not in first]
    return (*(str(row[name]) for name in first), *rest)


def _of_level(number: int | Mapping[str, int] | None, level: str) -> int | None:
    return number.get(level) if isinstance(number, Mapping) else number
