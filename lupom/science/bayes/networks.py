"""The tables of persona networks: of every survey, in every variant of a run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from lupom.batches import Map, in_batches
from lupom.science.bayes.blocks import refine
from lupom.science.bayes.counting import Codes, Ints
from lupom.science.bayes.network import NamedEdge, PersonaNetwork
from lupom.science.bayes.parameters import ConditionalTable
from lupom.science.bayes.personas import (
    Personas,
    decode_refinement,
    encode_personas,
    refined_schema,
)
from lupom.science.bayes.scores import Score
from lupom.science.bayes.variants import PerSurvey, Variant, score_of, variants_of
from lupom.science.drawn import drawn as among
from lupom.science.inputs import Rows, columns_of
from lupom.science.names import DEFAULT
from lupom.science.tables import stack, streamed, surveys

if TYPE_CHECKING:
    import pyarrow as pa

_VALUES = ("survey", "respondent_id", "dimension_id", "value")
_DIMENSIONS = ("survey", "dimension_id", "level", "candidate_values")
# Respondents from whom structure, tables and error rates are learned, at most: the standard error
# of a half among a hundredth of them is .022, that of an error rate of a tenth .0013, and finding
# the structure of 40 dimensions takes a minute of CPU.
LEARN_FROM = 50_000
# Rows of refined values that are made at a time.
_ROWS = 1_000_000
_PARAMETERS = ("dimension_id", "parents", "value", "probability", "n")


def network_edges(
    values: Any,
    dimensions: Any,
    networks: Any = None,
    *,
    score: PerSurvey = "bds",
    seed: int = 0,
    **settings: Any,
) -> pa.Table:
    """Fit the networks of every survey and return their edges.

    Parameters
    ----------
    values : table: survey, respondent_id, dimension_id, value; may be empty.
    dimensions : table: survey, dimension_id, level, candidate_values.
    networks : table of `persona_networks`. Left out, each survey has one network, 'default', of
        `score` (see `score_of`) and `settings`, the fields of `Variant`.
    seed : of every draw, that of the 50,000 respondents to learn from among them where there are
        more.

    Required and forbidden edges are (parent, child) pairs of dimension ids; a pair holds for the
    surveys that have both.

    Returns
    -------
    Table: survey, network and the columns of `PersonaNetwork.edges`.

    Raises
    ------
    ValueError : for a survey that is not in networks, and a required or forbidden pair that no
        survey has.
    """
    described = columns_of(dimensions, _DIMENSIONS)
    plan = _plan(networks, described, score, settings)
    pairs = {edge for of in plan.values() for v in of.values() for edge in _constraints(v)}
    parts: dict[str, dict[str, pa.Table]] = {}
    for survey, (its, given) in surveys(described, columns_of(values, _VALUES)):
        personas = encode_personas(_to_learn_from(given, seed), its)
        pairs -= {edge for edge in pairs if set(edge) <= set(personas.dimensions)}
        parts[survey] = {
            name: _fit(personas, personas.codes, variant, seed).edges()
            for name, variant in _of(plan, survey).items()
        }
    if parts and pairs:
        parent, child = min(pairs)
        raise ValueError(
            f"edge {parent!r} -> {child!r} is required or forbidden, but no survey has both of "
            "these dimensions"
        )
    return _stack(parts, _nothing().edges().schema)


def network_parameters(
    values: Any,
    dimensions: Any,
    edges: Any,
    networks: Any = None,
    *,
    score: PerSurvey = "bds",
    seed: int = 0,
    **settings: Any,
) -> pa.Table:
    """Estimate the parameters of the networks of every survey.

    Parameters
    ----------
    values, dimensions, networks, score, seed, settings : as for `network_edges`.
    edges : what that returned.

    Returns
    -------
    Table: survey, network, dimension_id, parents (map from parent to value), value (null for
    unknown where that counts as a value), probability, n.
    """
    described = columns_of(dimensions, _DIMENSIONS)
    plan = _plan(networks, described, score, settings)
    parts: dict[str, dict[str, pa.Table]] = {}
    for survey, (its, given, drawn) in surveys(
        described,
        columns_of(values, _VALUES),
        columns_of(edges, ("survey", "network", "parent", "child")),
    ):
        personas = encode_personas(_to_learn_from(given, seed), its)
        found: dict[str, list[NamedEdge]] = {}
        for row in drawn.to_pylist():
            found.setdefault(row["network"], []).append((row["parent"], row["child"]))
        parts[survey] = {
            name: _parameters(
                PersonaNetwork.from_edges(
                    personas.codes,
                    personas.cardinalities,
                    personas.dimensions,
                    personas.levels,
                    edges=found.get(name, []),
                    score=variant.score,
                    iss=variant.iss,
                    parameter_iss=variant.parameter_iss,
                    missing=variant.missing,
                    seed=seed,
                ),
                personas,
            )
            for name, variant in _of(plan, survey).items()
        }
    return _stack(parts, _parameters(_nothing()).schema)


def refine_personas(
    values: Any,
    dimensions: Any,
    parameters: Any,
    networks: Any = None,
    *,
    score: PerSurvey = "bds",
    seed: int = 0,
    through: Map = in_batches,
    **settings: Any,
) -> pa.Table:
    """Refine the personas of every survey with each of its networks.

    Parameters
    ----------
    values, dimensions, networks, score, seed, settings : as for `network_edges`.
    parameters : what `network_parameters` returned.
    through : works blocks of respondents, here or elsewhere; see `lupom.batches`.

    Returns
    -------
    Table: survey, network and the columns of `decode_refinement`.
    """
    return refine_personas_in_parts(
        values,
        dimensions,
        parameters,
        networks,
        score=score,
        seed=seed,
        through=through,
        **settings,
    ).read_all()


def refine_personas_in_parts(
    values: Any,
    dimensions: Any,
    parameters: Any,
    networks: Any = None,
    *,
    score: PerSurvey = "bds",
    seed: int = 0,
    through: Map = in_batches,
    **settings: Any,
) -> pa.RecordBatchReader:
    """Return what `refine_personas` does, a million rows at a time, made as they are read.

    The 40 million rows of a million people are 4 GB; what they are made of is 1.3 GB.
    """
    described = columns_of(dimensions, _DIMENSIONS)
    plan = _plan(networks, described, score, settings)
    # Read at once: whoever reads the parts may do so on the DuckDB connection of the tables.
    encoded = _encoded(values, described, parameters)

    def parts() -> Iterator[tuple[str, pa.Table]]:
        for survey, (personas, fitted) in encoded.items():
            for name, variant in _of(plan, survey).items():
                network = network_of(
                    personas,
                    _rows_of(fitted, name),
                    Score(variant.score, variant.iss),
                    variant.prior,
                )
                refined = refine(
                    network,
                    personas.codes,
                    relearn=_relearn(personas, variant, seed),
                    learning=_learning(personas, seed),
                    through=through,
                    seed=seed,
                    **variant.refining(),
                )
                step = max(_ROWS // max(len(personas.dimensions), 1), 1)
                for start in range(0, len(personas.respondents), step):
                    part = decode_refinement(personas, refined, slice(start, start + step))
                    yield survey, _named(part, name)

    return streamed(parts(), _with_network(refined_schema()))


def _encoded(
    values: Any, described: pa.Table, parameters: Any
) -> dict[str, tuple[Personas, pa.Table]]:
    """Return each survey's personas and parameters; values are read part by part."""
    rows = Rows(values, _VALUES)
    tables = surveys(described, columns_of(parameters, ("survey", "network", *_PARAMETERS)))
    return {
        survey: (encode_personas(rows.of("survey", survey).parts(_VALUES[1:]), its), fitted)
        for survey, (its, fitted) in tables
    }


def _plan(
    networks: Any, described: pa.Table, score: PerSurvey, settings: Mapping[str, Any]
) -> dict[str, dict[str, Variant]]:
    """Return the variants of each survey by name."""
    if networks is not None:
        return variants_of(networks)
    return {
        survey: {DEFAULT: Variant(score=score_of(score, survey), **settings)}
        for survey in described["survey"].unique().to_pylist()
        if survey is not None
    }


def _of(plan: Mapping[str, dict[str, Variant]], survey: str) -> dict[str, Variant]:
    if survey not in plan:
        raise ValueError(
            f"survey {survey!r} has no persona network; known are {', '.join(sorted(plan))}"
        )
    return plan[survey]


def _constraints(variant: Variant) -> Iterable[NamedEdge]:
    return {(p, c) for p, c in (*variant.required, *variant.forbidden)}


def _to_learn_from(values: pa.Table, seed: int) -> pa.Table:
    """Return the values of the respondents that a network is learned from."""
    import pyarrow as pa
    import pyarrow.compute as pc

    ids = pc.unique(values["respondent_id"].cast(pa.string())).to_pylist()
    if len(ids) <= LEARN_FROM or None in ids:
        return values
    chosen = [ids[i] for i in among(ids, LEARN_FROM, seed)]
    return values.filter(pc.is_in(values["respondent_id"].cast(pa.string()), pa.array(chosen)))


def _learning(personas: Personas, seed: int) -> Ints:
    """Return the rows of the respondents that a network is learned from."""
    return among(personas.respondents, LEARN_FROM, seed)


def _fit(personas: Personas, codes: Codes, variant: Variant, seed: int) -> PersonaNetwork:
    have = set(personas.dimensions)
    return PersonaNetwork.fit(
        codes,
        personas.cardinalities,
        personas.dimensions,
        personas.levels,
        required=[(p, c) for p, c in variant.required if {p, c} <= have],
        forbidden=[(p, c) for p, c in variant.forbidden if {p, c} <= have],
        seed=seed,
        **variant.fitting(),
    )


def _relearn(personas: Personas, variant: Variant, seed: int) -> Any:
    if not variant.relearn:
        return None
    return lambda codes: _fit(personas, codes, variant, seed)


def _nothing() -> PersonaNetwork:
    return PersonaNetwork.fit(np.empty((0, 0), dtype=np.int32), [])


def _parameters(network: PersonaNetwork, personas: Personas | None = None) -> pa.Table:
    table = network.parameters(None if personas is None else personas.values)
    return table.rename_columns(["dimension_id", *table.column_names[1:]])


def _rows_of(table: pa.Table, network: str) -> pa.Table:
    import pyarrow.compute as pc

    return table.filter(pc.equal(table["network"], network))


def _stack(parts: Mapping[str, Mapping[str, pa.Table]], schema: pa.Schema) -> pa.Table:
    """Return the tables of surveys and networks as one, with columns that say whose they are."""
    import pyarrow as pa

    whole = {
        survey: pa.concat_tables(_named(table.cast(schema), name) for name, table in of.items())
        for survey, of in parts.items()
    }
    return stack(whole, _with_network(schema))


def _named(table: pa.Table, network: str) -> pa.Table:
    """Return a table with a first column that says of which network it is."""
    import pyarrow as pa

    name = pa.repeat(network, len(table)).cast(pa.string())
    return table.add_column(0, _with_network(table.schema).field(0), name)


def _with_network(schema: pa.Schema) -> pa.Schema:
    import pyarrow as pa

    return schema.insert(0, pa.field("network", pa.string()))


def network_of(
    personas: Personas, parameters: Any, score: Score, prior: Score | None = None
) -> PersonaNetwork:
    """Return the network that a table of parameters describes.

    Parameters
    ----------
    personas : whose dimensions, levels and candidate values count.
    parameters : table: dimension_id, parents, value, probability, n, as `network_parameters` makes
        it for one network of one survey. A dimension without rows has no parents and equally
        probable values.
    score : it was fitted under.
    prior : the score whose prior later estimates use; `score` when left out.

    Raises
    ------
    ValueError : for a dimension or value that the personas do not have.
    """
    rows: dict[str, dict[tuple[tuple[str, str | None], ...], dict[str | None, Any]]] = {}
    for row in columns_of(parameters, _PARAMETERS).to_pylist():
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
                    f"the parameters of dimension {name!r} name {error.args[0]!r}, which is not a "
                    "dimension or candidate value of this survey"
                ) from None
        parents = [place[parent] for parent in names]
        tables.append(ConditionalTable(cards, child, parents, configurations, *shares))
    return PersonaNetwork(
        tables, personas.dimensions, personas.levels, score, unknown=unknown, prior=prior
    )
