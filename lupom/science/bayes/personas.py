"""Persona tables as code matrices, and the network's tables of every survey."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lupom.science.bayes.counting import MISSING, Codes
from lupom.science.bayes.network import PersonaNetwork
from lupom.science.bayes.parameters import ConditionalTable
from lupom.science.bayes.refinement import Refinement
from lupom.science.bayes.scores import Score
from lupom.science.tables import arrow, encoded, stack, surveys

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
    dimensions : table: dimension_id, level, candidate_values (list; one that is there twice
        counts once).
    column : name of the value column.
    respondents : ids that get a row even where they have no value.

    Raises
    ------
    ValueError : for a dimension that is there twice, unknown or without candidate values, a value
        that is not a candidate, or a cell that is there twice.
    """
    described = arrow(dimensions, ("dimension_id", "level", "candidate_values")).to_pylist()
    by_id: dict[str, tuple[str, tuple[str, ...]]] = {}
    for row in described:
        name = str(row["dimension_id"])
        candidates = tuple(
            dict.fromkeys(str(v) for v in row["candidate_values"] or () if v is not None)
        )
        if name in by_id:
            raise ValueError(f"dimension {name!r} is there twice")
        if not candidates:
            raise ValueError(f"dimension {name!r} has no candidate values")
        by_id[name] = (str(row["level"]), candidates)
    names = sorted(by_id)
    place = {name: i for i, name in enumerate(names)}

    table = arrow(values, ("respondent_id", "dimension_id", column))
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


_VALUES = ("survey", "respondent_id", "dimension_id", "value")
_DIMENSIONS = ("survey", "dimension_id", "level", "candidate_values")
_PARAMETERS = ("survey", "dimension_id", "parents", "value", "probability", "n")
PerSurvey = str | Mapping[str, str]


def score_of(setting: PerSurvey, survey: str) -> str:
    """Return the score of a survey.

    Parameters
    ----------
    setting : one name for all, or names by survey; 'default' stands for the surveys not named.

    Raises
    ------
    ValueError : when the survey is not named and there is no default.
    """
    if isinstance(setting, str):
        return setting
    if survey in setting:
        return str(setting[survey])
    if "default" not in setting:
        raise ValueError(
            f"no score is set for survey {survey!r}, only for "
            f"{', '.join(map(repr, sorted(setting)))}; add it, or 'default' for all others"
        )
    return str(setting["default"])


def network_edges(
    values: Any,
    dimensions: Any,
    *,
    score: PerSurvey = "bds",
    required: Iterable[Sequence[str]] = (),
    forbidden: Iterable[Sequence[str]] = (),
    **settings: Any,
) -> pa.Table:
    """Fit one network per survey and return its edges.

    Parameters
    ----------
    values : table: survey, respondent_id, dimension_id, value; may be empty.
    dimensions : table: survey, dimension_id, level, candidate_values.
    score : see `score_of`.
    required, forbidden : (parent, child) pairs of dimension ids; a pair holds for the surveys that
        have both.
    settings : of `PersonaNetwork.fit`.

    Returns
    -------
    Table: survey and the columns of `PersonaNetwork.edges`.

    Raises
    ------
    ValueError : for a pair that no survey has.
    """
    described = arrow(dimensions, _DIMENSIONS)
    must, never = ([(str(p), str(c)) for p, c in pairs] for pairs in (required, forbidden))
    unused = {*must, *never}
    parts = {}
    for survey, (its, given) in surveys(described, arrow(values, _VALUES)):
        personas = encode_personas(given, its)
        have = set(personas.dimensions)
        unused -= {edge for edge in unused if set(edge) <= have}
        parts[survey] = PersonaNetwork.fit(
            personas.codes,
            personas.cardinalities,
            personas.dimensions,
            personas.levels,
            score=score_of(score, survey),
            required=[edge for edge in must if set(edge) <= have],
            forbidden=[edge for edge in never if set(edge) <= have],
            **settings,
        ).edges()
    if parts and unused:
        parent, child = min(unused)
        raise ValueError(
            f"edge {parent!r} -> {child!r} is required or forbidden, but no survey has both of "
            "these dimensions"
        )
    empty = PersonaNetwork.fit(np.empty((0, 0), dtype=np.int32), []).edges()
    return stack(parts, empty.schema)


def network_parameters(
    values: Any,
    dimensions: Any,
    edges: Any,
    *,
    score: PerSurvey = "bds",
    iss: float = 10.0,
    missing: str = "em",
    seed: int = 0,
) -> pa.Table:
    """Estimate the parameters of one network per survey.

    Parameters
    ----------
    values, dimensions, score : as for `network_edges`.
    edges : table: survey, parent, child.
    iss, missing, seed : of `PersonaNetwork.from_edges`.

    Returns
    -------
    Table: survey, dimension_id, parents (map from parent to value), value (null for unknown where
    that counts as a value), probability, n.
    """
    parts = {}
    for survey, (described, given, drawn) in surveys(
        arrow(dimensions, _DIMENSIONS),
        arrow(values, _VALUES),
        arrow(edges, ("survey", "parent", "child")),
    ):
        personas = encode_personas(given, described)
        table = PersonaNetwork.from_edges(
            personas.codes,
            personas.cardinalities,
            personas.dimensions,
            personas.levels,
            edges=[(row["parent"], row["child"]) for row in drawn.to_pylist()],
            score=score_of(score, survey),
            iss=iss,
            missing=missing,
            seed=seed,
        ).parameters(personas.values)
        parts[survey] = table.rename_columns(["dimension_id", *table.column_names[1:]])
    empty = PersonaNetwork.fit(np.empty((0, 0), dtype=np.int32), []).parameters()
    empty = empty.rename_columns(["dimension_id", *empty.column_names[1:]])
    return stack(parts, empty.schema)


def network_of(personas: Personas, parameters: Any, score: Score) -> PersonaNetwork:
    """Return the network that a table of parameters describes.

    Parameters
    ----------
    personas : whose dimensions, levels and candidate values count.
    parameters : table: dimension_id, parents, value, probability, n, as `network_parameters` makes
        it for one survey. A dimension without rows has no parents and equally probable values.
    score : whose prior later estimates use.

    Raises
    ------
    ValueError : for a dimension or value that the personas do not have.
    """
    rows: dict[str, dict[tuple[tuple[str, str | None], ...], dict[str | None, Any]]] = {}
    for row in arrow(parameters, _PARAMETERS[1:]).to_pylist():
        pairs = row["parents"]
        given = tuple(sorted(pairs.items() if isinstance(pairs, dict) else pairs))
        of = rows.setdefault(row["dimension_id"], {}).setdefault(given, {})
        of[row["value"]] = (row["probability"], row["n"])
    place = {name: i for i, name in enumerate(personas.dimensions)}
    strange = sorted(set(rows) - set(place))
    if strange:
        raise ValueError(
            f"the parameters name dimension {strange[0]!r}, which is not among the dimensions"
        )
    unknown = [
        any(None in of for of in rows.get(name, {}).values()) for name in personas.dimensions
    ]
    words: list[list[str | None]] = [
        [*values, None] if u else [*values]
        for values, u in zip(personas.values, unknown, strict=True)
    ]
    code = [{word: i for i, word in enumerate(of)} for of in words]
    cards = [len(of) for of in words]
    tables = []
    for child, name in enumerate(personas.dimensions):
        mine = rows.get(name, {})
        names = [parent for parent, _ in next(iter(mine), ())]
        configurations = np.zeros((len(mine), len(names)), dtype=np.int32)
        shares = np.zeros((2, len(mine), cards[child]))
        for j, (given, of) in enumerate(mine.items()):
            try:
                configurations[j] = [code[place[parent]][value] for parent, value in given]
                for value, pair in of.items():
                    shares[:, j, code[child][value]] = pair
            except KeyError as error:
                raise ValueError(
                    f"the parameters of dimension {name!r} name {error.args[0]!r}, which is no "
                    "dimension or candidate value of this survey"
                ) from None
        parents = [place[parent] for parent in names]
        tables.append(ConditionalTable(cards, child, parents, configurations, *shares))
    return PersonaNetwork(tables, personas.dimensions, personas.levels, score, unknown=unknown)


def refine_personas(
    values: Any,
    dimensions: Any,
    parameters: Any,
    *,
    score: PerSurvey = "bds",
    iss: float = 10.0,
    **settings: Any,
) -> pa.Table:
    """Refine the personas of every survey with its network.

    Parameters
    ----------
    values, dimensions, score, iss : as for `network_parameters`.
    parameters : what that returned.
    settings : see `refinement.Settings`.

    Returns
    -------
    Table: survey and the columns of `decode_refinement`.
    """
    parts = {}
    for survey, personas, network in _networks(values, dimensions, parameters, score, iss):
        parts[survey] = decode_refinement(personas, network.refine(personas.codes, **settings))
    return stack(parts, refined_schema())


def _networks(
    values: Any, dimensions: Any, parameters: Any, score: PerSurvey, iss: float
) -> Iterator[tuple[str, Personas, PersonaNetwork]]:
    for survey, (described, given, fitted) in surveys(
        arrow(dimensions, _DIMENSIONS),
        arrow(values, _VALUES),
        arrow(parameters, _PARAMETERS),
    ):
        personas = encode_personas(given, described)
        yield survey, personas, network_of(personas, fitted, Score(score_of(score, survey), iss))
