"""Persona tables as code matrices, and the network's tables of every survey."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lupom.science.bayes.counting import MISSING, Codes
from lupom.science.bayes.refinement import Refinement
from lupom.science.inputs import columns_of
from lupom.science.tables import encoded

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Personas:
    """The personas of one survey as codes; respondents and dimensions are sorted by id.

    Attributes
    ----------
    respondents : (n) ids.
    dimensions : (d) ids.
    levels : level of each dimension.
    values : candidate values of each dimension, in the order of their codes.
    codes : (n, d) codes, -1 where the value is unknown.
    """

    respondents: tuple[str, ...]
    dimensions: tuple[str, ...]
    levels: tuple[str, ...]
    values: tuple[tuple[str, ...], ...]
    codes: Codes

    @property
    def cardinalities(self) -> tuple[int, ...]:
        """Number of candidate values of each dimension."""
        return tuple(len(values) for values in self.values)


def encode_personas(
    values: Any,
    dimensions: Any,
    *,
    column: str = "value",
    respondents: Iterable[str] = (),
) -> Personas:
    """Return long persona values as a code matrix.

    Parameters
    ----------
    values : Arrow or pandas table: respondent_id, dimension_id and the value column (null where
        unknown), at most one row per respondent and dimension; a cell without a row is unknown.
    dimensions : table: dimension_id, level, candidate_values (list; one that appears twice
        counts once).
    column : name of the value column.
    respondents : ids that get a row even where they have no value.

    Raises
    ------
    ValueError : for a dimension that appears twice, unknown or without candidate values, a value
        that is not a candidate, or a cell that appears twice.
    """
    described = columns_of(dimensions, ("dimension_id", "level", "candidate_values")).to_pylist()
    by_id: dict[str, tuple[str, tuple[str, ...]]] = {}
    for row in described:
        name = str(row["dimension_id"])
        candidates = tuple(
            dict.fromkeys(str(v) for v in row["candidate_values"] or () if v is not None)
        )
        if name in by_id:
            raise ValueError(f"dimension {name!r} appears twice")
        if not candidates:
            raise ValueError(f"dimension {name!r} has no candidate values")
        by_id[name] = (str(row["level"]), candidates)
    names = sorted(by_id)
    place = {name: i for i, name in enumerate(names)}

    table = columns_of(values, ("respondent_id", "dimension_id", column))
    person, people = encoded(table, "respondent_id")
    of_dimension, found = encoded(table, "dimension_id")
    word, words = encoded(table, column)
    if (person < 0).any() or (of_dimension < 0).any():
        raise ValueError("respondent_id and dimension_id must not be null")
    unknown = sorted(set(found) - set(names))
    if unknown:
        raise ValueError(f"values name dimension {unknown[0]!r}, which is not among the dimensions")
    everyone = sorted({*people, *(str(r) for r in respondents)})
    row_of = {name: i for i, name in enumerate(everyone)}
    rows = np.array([row_of[p] for p in people], dtype=np.int64)[person]
    columns = np.array([place[f] for f in found], dtype=np.int64)[of_dimension]
    cells = rows * max(len(names), 1) + columns
    if len(np.unique(cells)) < len(cells):
        order = np.argsort(cells, kind="stable")
        twice = order[1:][np.diff(cells[order]) == 0][0]
        raise ValueError(
            f"respondent {everyone[rows[twice]]!r} has two values on dimension "
            f"{names[columns[twice]]!r}"
        )
    word_of = {w: i for i, w in enumerate(words)}
    codes = np.full((len(everyone), len(names)), MISSING, dtype=np.int32)
    for j, name in enumerate(names):
        mine = np.flatnonzero(columns == j)
        code_of = np.full(len(words) + 1, -2, dtype=np.int32)
        code_of[-1] = MISSING
        for code, candidate in enumerate(by_id[name][1]):
            if candidate in word_of:
                code_of[word_of[candidate]] = code
        mapped = code_of[word[mine]]
        if (mapped == -2).any():
            wrong = words[word[mine][mapped == -2][0]]
            raise ValueError(
                f"value {wrong!r} is not a candidate value of dimension {name!r}; "
                f"candidates are {', '.join(map(repr, by_id[name][1]))}"
            )
        codes[rows[mine], j] = mapped
    return Personas(
        tuple(everyone),
        tuple(names),
        tuple(by_id[name][0] for name in names),
        tuple(by_id[name][1] for name in names),
        codes,
    )


def _words(personas: Personas, codes: Codes) -> pa.Array:
    """Return the values of all cells, respondent by respondent."""
    import pyarrow as pa

    # One dictionary for all dimensions: no Python object per cell, which 6 million would be.
    words = [word for candidates in personas.values for word in candidates]
    sizes = [len(candidates) for candidates in personas.values]
    first = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int32) if sizes else 0
    place = np.where(codes >= 0, codes + first, MISSING).astype(np.int32).reshape(-1)
    return _taken(words, pa.array(place, mask=place < 0))


def _taken(words: Sequence[str], places: Any) -> pa.Array:
    import pyarrow as pa

    return pa.DictionaryArray.from_arrays(places, pa.array(words, pa.string())).dictionary_decode()


def decode_refinement(personas: Personas, refinement: Refinement) -> pa.Table:
    """Return one row per respondent and dimension.

    Columns: respondent_id, dimension_id, value (raw), refined_value, probability (null where
    refined_value is), raw_probability (of value; null where that is), entropy (nats), changed.
    """
    import pyarrow as pa

    n, d = personas.codes.shape
    probability = refinement.probability.reshape(-1)
    raw = refinement.raw_probability.reshape(-1)
    return pa.table(
        {
            "respondent_id": _taken(personas.respondents, np.repeat(np.arange(n), d)),
            "dimension_id": _taken(personas.dimensions, np.tile(np.arange(d), n)),
            "value": _words(personas, personas.codes),
            "refined_value": _words(personas, refinement.codes),
            "probability": pa.array(probability, mask=np.isnan(probability)),
            "raw_probability": pa.array(raw, mask=np.isnan(raw)),
            "entropy": refinement.entropy.reshape(-1),
            "changed": refinement.changed.reshape(-1),
        },
        schema=refined_schema(),
    )


def refined_schema() -> pa.Schema:
    """Return the columns of `decode_refinement`."""
    import pyarrow as pa

    return pa.schema(
        [
            ("respondent_id", pa.string()),
            ("dimension_id", pa.string()),
            ("value", pa.string()),
            ("refined_value", pa.string()),
            ("probability", pa.float64()),
            ("raw_probability", pa.float64()),
            ("entropy", pa.float64()),
            ("changed", pa.bool_()),
        ]
    )
