"""A project's persona network: what is likely of a person of whom some things are known.

The tables are the project's, the network is science's, and pgmpy infers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lupom.engine.errors import StoreError, UsageError, did_you_mean
from lupom.engine.run.reading import standing, table
from lupom.names import several

if TYPE_CHECKING:
    from lupom.engine.run.context import Context
    from lupom.engine.run.tables import Table
    from lupom.science.bayes import PersonaNetwork, Personas

FORMS = ("bif", "xmlbif")
UNKNOWN = "unknown"


def ask_network(
    context: Context,
    given: Mapping[str, str] | Iterable[tuple[str, str]] = (),
    show: str | Sequence[str] = (),
    *,
    survey: str | None = None,
    network: str | None = None,
) -> Table:
    """Return how likely each value of persona dimensions is, given values of others.

    Parameters
    ----------
    given : value by dimension; a dimension goes by its name or its id.
    show : the dimensions wanted, one or several; all that are not given when left out.
    survey : needed where the project has several.
    network : a network of `persona_networks`; the one in use when left out.

    Returns
    -------
    Table: survey, network, dimension_id, dimension (its name), value (in the candidates' order;
    'unknown' where that counts as a value), probability, and prior (without what is given).

    Raises
    ------
    StoreError : where the network is not built, or has no personas to stand on.
    UsageError : for a survey, network, dimension or value that is not there, a dimension given
        twice, and what does not occur together under the network.
    """
    import pyarrow as pa

    from lupom.engine.run.tables import Table
    from lupom.science.bayes.queries import ImpossibleError, conditional

    found = _find(context, survey, network)
    codes: dict[str, int] = {}
    said: dict[str, str] = {}
    for word, value in given.items() if isinstance(given, Mapping) else given:
        name = found.dimension(word)
        if name in codes:
            raise UsageError(f"the dimension '{word}' is given twice: {said[name]} and {value}")
        codes[name], said[name] = found.code(name, value), value
    wanted = [found.dimension(word) for word in several(show, "the dimensions to show")]
    wanted = wanted or [name for name in found.network.names if name not in codes]
    try:
        after = conditional(found.network, codes, wanted)
    except ImpossibleError as error:
        together = ", ".join(f"{found.names[name]}={said[name]}" for name in error.before)
        one = f"{found.names[error.dimension]}={said[error.dimension]}"
        raise UsageError(
            f"{one} does not occur" + (f" together with {together}" if together else ""),
            hint="leave out one of what is given",
        ) from error
    before = after if not codes else conditional(found.network, {}, wanted)
    rows = [
        (found.survey, found.label, name, found.names[name], value, after[name][i], before[name][i])
        for name in wanted
        for i, value in enumerate(found.values[name])
    ]
    text, number = pa.string(), pa.float64()
    columns = [("survey", text), ("network", text), ("dimension_id", text), ("dimension", text)]
    columns += [("value", text), ("probability", number), ("prior", number)]
    names = [name for name, _ in columns]
    dicts = [dict(zip(names, row, strict=True)) for row in rows]
    return Table(pa.Table.from_pylist(dicts, schema=pa.schema(columns)))


def write_network(
    context: Context, form: str, *, survey: str | None = None, network: str | None = None
) -> str:
    """Return a network of the project as text: 'bif' or 'xmlbif'.

    Parameters and what is raised as for `ask_network`; ValueError for another form.
    """
    from lupom.science.bayes import to_bif, to_xmlbif

    if form not in FORMS:
        raise ValueError(f"unknown form {form!r}; known are {', '.join(FORMS)}")
    found = _find(context, survey, network)
    write = to_bif if form == "bif" else to_xmlbif
    return write(found.network, found.personas.values)


@dataclass(frozen=True)
class _Found:
    """A network and the words of its dimensions, by their ids."""

    survey: str
    label: str
    personas: Personas
    network: PersonaNetwork
    names: dict[str, str]
    values: dict[str, list[str]]

    def dimension(self, word: str) -> str:
        """Return the id of a dimension that goes by its id or its name."""
        if word in self.names:
            return word
        fitting = [i for i, name in self.names.items() if name == word]
        fitting = fitting or [i for i, name in self.names.items() if name.lower() == word.lower()]
        if len(fitting) > 1:
            raise UsageError(
                f"several dimensions of survey '{self.survey}' are called '{word}'",
                hint="say which by its id: " + ", ".join(fitting),
            )
        if not fitting:
            known = sorted({*self.names.values()})
            raise UsageError(
                f"survey '{self.survey}' has no persona dimension '{word}'",
                hint=did_you_mean(word, {*self.names, *known}) or "it has " + ", ".join(known),
            )
        return fitting[0]

    def code(self, name: str, value: str) -> int:
        known = self.values[name]
        if value in known:
            return known.index(value)
        alike = [i for i, word in enumerate(known) if word.lower() == value.lower()]
        if len(alike) == 1:
            return alike[0]
        raise UsageError(
            f"'{value}' is not a value of '{self.names[name]}'",
            hint=did_you_mean(value, known) or "it has " + ", ".join(known),
        )


def _find(context: Context, survey: str | None, network: str | None) -> _Found:
    from lupom.science.bayes import Score, encode_personas, network_of, variants_of

    variants = variants_of(table(context, "persona_networks").arrow)
    parameters = standing(context, "persona_network_parameters").arrow
    dimensions = table(context, "persona_dimensions").arrow
    label = _one(survey, list(variants), "survey", "--survey")
    of = variants[label]
    name = next(iter(of)) if network is None else _one(network, list(of), "network", "--network")
    described = _rows(dimensions, survey=label)
    fitted = _rows(parameters, survey=label, network=name)
    if not fitted.num_rows:
        raise StoreError(
            f"survey '{label}' has no persona network: there is no persona to fit it to",
            hint="lupom run --select +persona_network_parameters, with an LLM",
        )
    personas = encode_personas(_nobody(), described)
    variant = of[name]
    built = network_of(personas, fitted, Score(variant.score, variant.iss), variant.prior)
    words = {
        dimension: [*values, UNKNOWN] if unknown else list(values)
        for dimension, values, unknown in zip(
            personas.dimensions, personas.values, built.unknown, strict=True
        )
    }
    called = {row["dimension_id"]: row["name"] for row in described.to_pylist()}
    return _Found(label, name, personas, built, called, words)


def _nobody() -> Any:
    import pyarrow as pa

    names = ("respondent_id", "dimension_id", "value")
    return pa.table({name: pa.array([], pa.string()) for name in names})


def _rows(table: Any, **wanted: str) -> Any:
    import pyarrow.compute as pc

    for name, value in wanted.items():
        table = table.filter(pc.equal(table[name], value))
    return table


def _one(word: str | None, known: Sequence[str], what: str, option: str) -> str:
    if word is None:
        if len(known) != 1:
            raise UsageError(
                f"the project has {len(known)} {what}s; say which" if known else f"no {what} yet",
                hint=f"{option} " + " or ".join(known) if known else None,
            )
        return known[0]
    if word not in known:
        raise UsageError(
            f"the project has no {what} '{word}'",
            hint=did_you_mean(word, known) or "it has " + ", ".join(known),
        )
    return word
