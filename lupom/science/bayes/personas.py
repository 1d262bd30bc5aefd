"""Persona tables as code matrices, and the network's tables of every survey."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lupom.science.bayes.counting import MISSING, Codes
from lupom.science.bayes.refinement import Refinement
from lupom.science.inputs import columns_of
from lupom.science.tables import encoded

if TYPE_CHECKING:
    import pyarrow as pa


# Rows of values that are read at a time: of 40 million at once the arrays take 5 GB.
_ROWS = 2_000_000
# The code of a word that is no candidate value.
_STRANGE = -2


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
        unknown), at most one row per respondent and dimension; a cell without a row is unknown. Or
        an iterable of such tables, the rows' parts.
    dimensions : table: dimension_id, level, candidate_values (list; one that appears twice
        counts once).
    column : name of the value column.
    respondents : ids that get a row even where they have no value.

    Raises
    ------
    ValueError : for a dimension that appears twice, unknown or without candidate values, a value
        that is not a candidate, or a cell that appears twice.
    """
    import pyarrow as pa

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

    wanted = ("respondent_id", "dimension_id", column)
    parts = (
        _slices(columns_of(values, wanted))
        if hasattr(values, "columns") or hasattr(values, "column_names")
        else values
    )
    place = {name: i for i, name in enumerate(sorted({str(r) for r in respondents}))}
    codes = np.full((len(place), len(names)), MISSING, dtype=np.int32)
    seen = np.zeros(codes.shape, dtype=bool)
    choices = [by_id[name][1] for name in names]
    for given in parts:
        part = columns_of(given, wanted)
        part = part.cast(pa.schema([(name, pa.string()) for name in wanted]))
        if part["respondent_id"].null_count or part["dimension_id"].null_count:
            raise ValueError("respondent_id and dimension_id must not be null")
        dimension, found = encoded(part, "dimension_id")
        unknown = sorted(set(found) - set(names))
        if unknown:
            raise ValueError(
                f"values name dimension {unknown[0]!r}, which is not among the dimensions"
            )
        columns = np.searchsorted(names, found)[dimension] if found else dimension
        person, people = encoded(part, "respondent_id")
        rows = np.array([place.setdefault(r, len(place)) for r in people], dtype=np.int64)[person]
        if len(place) > len(codes):
            codes, seen = (_longer(one, len(place)) for one in (codes, seen))
        again = np.flatnonzero(seen[rows, columns])
        if not len(again):
            # Within these rows, where one cell appears twice it is the second that is too many.
            cells = rows * len(names) + columns
            order = np.argsort(cells, kind="stable")
            again = order[1:][np.diff(cells[order]) == 0]
        if len(again):
            raise ValueError(
                f"respondent {people[person[again[0]]]!r} has two values on dimension "
                f"{names[columns[again[0]]]!r}"
            )
        seen[rows, columns] = True
        word, words = encoded(part, column)
        mapped = _code_of(words, choices)[word, columns]
        wrong = np.flatnonzero(mapped == _STRANGE)
        if len(wrong):
            first = wrong[np.argmin(columns[wrong])]
            name = names[columns[first]]
            raise ValueError(
                f"value {words[word[first]]!r} is not a candidate value of dimension {name!r}; "
                f"candidates are {', '.join(map(repr, by_id[name][1]))}"
            )
        codes[rows, columns] = mapped
    del seen
    everyone = sorted(place)
    order = np.array([place[r] for r in everyone], dtype=np.int64)
    ordered = len(codes) == len(order) and bool((np.diff(order) == 1).all())
    return Personas(
        tuple(everyone),
        tuple(names),
        tuple(by_id[name][0] for name in names),
        tuple(choices),
        codes if ordered else codes[order],
    )


def _slices(table: pa.Table) -> Iterator[pa.Table]:
    for start in range(0, len(table), _ROWS):
        yield table.slice(start, _ROWS)


def _longer(matrix: NDArray[Any], rows: int) -> NDArray[Any]:
    """Return a matrix with so many rows at least, and room for more; cells are -1 or False."""
    more = max(rows - len(matrix), len(matrix) // 2)
    fill = False if matrix.dtype == bool else MISSING
    return np.concatenate([matrix, np.full((more, matrix.shape[1]), fill, dtype=matrix.dtype)])


def _code_of(words: Sequence[str], candidates: Sequence[Sequence[str]]) -> NDArray[np.int32]:
    """Return each word's code in each dimension, (words + 1, d); the last row is of none."""
    place = {word: i for i, word in enumerate(words)}
    out = np.full((len(words) + 1, len(candidates)), _STRANGE, dtype=np.int32)
    out[-1] = MISSING
    for column, of in enumerate(candidates):
        for code, candidate in enumerate(of):
            if candidate in place:
                out[place[candidate], column] = code
    return out


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


def decode_refinement(
    personas: Personas, refinement: Refinement, rows: slice = slice(None)
) -> pa.Table:
    """Return one row per dimension and respondent, of all respondents or some `rows` of them.

    Columns: respondent_id, dimension_id, value (raw), refined_value, probability (null where
    refined_value is), raw_probability (of value; null where that is), entropy (nats), changed.
    """
    import pyarrow as pa

    respondents = personas.respondents[rows]
    n, d = len(respondents), len(personas.dimensions)
    probability = refinement.probability[rows].reshape(-1)
    raw = refinement.raw_probability[rows].reshape(-1)
    return pa.table(
        {
            "respondent_id": _taken(respondents, np.repeat(np.arange(n, dtype=np.int32), d)),
            "dimension_id": _taken(personas.dimensions, np.tile(np.arange(d, dtype=np.int32), n)),
            "value": _words(personas, personas.codes[rows]),
            "refined_value": _words(personas, refinement.codes[rows]),
            "probability": pa.array(probability, mask=np.isnan(probability)),
            "raw_probability": pa.array(raw, mask=np.isnan(raw)),
            "entropy": refinement.entropy[rows].reshape(-1),
            "changed": refinement.changed[rows].reshape(-1),
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
