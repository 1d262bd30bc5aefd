"""Persona networks as pgmpy networks, as BIF and as XMLBIF, and back; pgmpy reads and writes.

pgmpy is imported when it is first needed: that takes a second or more.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote, unquote

import numpy as np

from lupom.science.bayes.counting import Floats
from lupom.science.bayes.network import LEVELS, PersonaNetwork
from lupom.science.bayes.parameters import ConditionalTable
from lupom.science.bayes.scores import Score

if TYPE_CHECKING:
    from pgmpy.models import DiscreteBayesianNetwork

UNKNOWN = "unknown"
# Both forms hold a table in full, unobserved configurations included: this many numbers at most.
MOST = 1 << 22

# The property that says of a variable what the formats cannot: level, place, name and values.
PROPERTY = "persona"

# Words of BIF itself, which its readers look for wherever they stand.
_RESERVED = frozenset(
    ["network", "variable", "probability", "property", "type", "discrete", "table", "default"]
)
_COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)
_VARIABLE = re.compile(r"variable ([^{}]+?) ?\{ ?type discrete ?\[ ?(\d+) ?\]")
_PROBABILITY = re.compile(r"probability ?\( ?([^|)]+?) ?(?:\|([^)]*))?\) ?\{")
_DEFAULT = re.compile(r"(?<=[{;]) ?default ([\d.eE+\-, ]+);")


@contextmanager
def quiet() -> Iterator[None]:
    """Keep pgmpy's warnings of its own old names, on its import, from the user's terminal."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        yield


class Named(NamedTuple):
    """A network and the values of each of its dimensions, in the order of their codes."""

    network: PersonaNetwork
    values: tuple[tuple[str, ...], ...]


def full_table(network: PersonaNetwork, child: int) -> Floats:
    """Return a dimension's whole table as (configurations, r), the last parent varying fastest.

    Raises
    ------
    ValueError : when it would hold more than 4 million numbers.
    """
    table = network.tables[child]
    cards = [network.tables[p].cardinality for p in table.parents]
    if prod(cards) * table.cardinality > MOST:
        raise ValueError(
            f"the table of dimension {network.names[child]!r} with its {len(cards)} parents has "
            f"{prod(cards) * table.cardinality:,} numbers; lower max_parents to exchange it"
        )
    grid = np.indices(cards).reshape(len(cards), prod(cards))
    rows = table.rows(dict(zip(table.parents, grid, strict=True)))
    found: Floats = table.probabilities[np.broadcast_to(rows, (prod(cards),))]
    found /= found.sum(axis=1, keepdims=True)
    return found


def _words(
    network: PersonaNetwork, values: Sequence[Sequence[str]] | None
) -> tuple[tuple[str, ...], ...]:
    given = (
        [[str(i) for i in range(r)] for r in network.cardinalities] if values is None else values
    )
    if [len(of) for of in given] != list(network.cardinalities):
        raise ValueError("values must hold the candidate values of each dimension")
    return tuple(
        (*of, UNKNOWN) if u else tuple(of) for of, u in zip(given, network.unknown, strict=True)
    )


def to_pgmpy(
    network: PersonaNetwork, values: Sequence[Sequence[str]] | None = None
) -> DiscreteBayesianNetwork:
    """Return a network as a pgmpy DiscreteBayesianNetwork.

    Parameters
    ----------
    values : of each dimension in the order of their codes; the codes as text when left out. Where
        "unknown" is a value it comes last.

    Raises
    ------
    ValueError : for a table of more than 4 million numbers.
    """
    with quiet():
        from pgmpy.factors.discrete import TabularCPD
        from pgmpy.models import DiscreteBayesianNetwork

    words = _words(network, values)
    model = DiscreteBayesianNetwork()
    model.add_nodes_from(network.names)
    for child, table in enumerate(network.tables):
        names = [network.names[p] for p in table.parents]
        model.add_edges_from((name, network.names[child]) for name in names)
        whole = full_table(network, child)
        model.add_cpds(
            TabularCPD(
                network.names[child],
                table.cardinality,
                whole.T.tolist(),
                evidence=names or None,
                evidence_card=[network.tables[p].cardinality for p in table.parents] or None,
                state_names={network.names[m]: list(words[m]) for m in table.members},
            )
        )
    return model


def from_pgmpy(
    model: DiscreteBayesianNetwork,
    levels: Mapping[str, str] | None = None,
    *,
    score: str = "bds",
    iss: float = 10.0,
) -> Named:
    """Return a pgmpy network with all its CPDs as a persona network, dimensions sorted by name.

    Parameters
    ----------
    levels : level by name of a dimension; 'mid' where none is given.
    score, iss : whose prior later estimates use.

    Raises
    ------
    ValueError : for a node without a CPD.
    """
    names = sorted(str(node) for node in model.nodes())
    cpds = {str(cpd.variable): cpd for cpd in model.get_cpds()}
    if set(cpds) != set(names):
        raise ValueError(f"node {min(set(names) - set(cpds))!r} has no CPD")
    values = [tuple(str(v) for v in cpds[n].state_names[cpds[n].variable]) for n in names]
    families = {}
    for name in names:
        cpd = cpds[name]
        axes = [str(v) for v in cpd.variables]
        array = np.asarray(cpd.values, dtype=np.float64)
        for axis, (node, variable) in enumerate(zip(axes, cpd.variables, strict=True)):
            # A CPD may hold a parent's states in another order than the parent's own CPD.
            own = [str(v) for v in cpd.state_names[variable]]
            array = np.take(array, [own.index(v) for v in values[names.index(node)]], axis=axis)
        families[name] = (axes[1:], np.moveaxis(array, 0, -1).reshape(-1, array.shape[0]))
    return _network(names, values, levels or {}, families, Score(score, iss))


def _network(
    names: Sequence[str],
    values: Sequence[Sequence[str]],
    levels: Mapping[str, str],
    families: Mapping[str, tuple[Sequence[str], Floats]],
    score: Score,
    unknown: Sequence[bool] | None = None,
) -> Named:
    """Build a network of whole tables, the last parent varying fastest."""
    place = {name: i for i, name in enumerate(names)}
    cards = [len(v) for v in values]
    tables = []
    for child, name in enumerate(names):
        given, whole = families[name]
        parents = [place[p] for p in given]
        sizes = [cards[p] for p in parents]
        grid = np.indices(sizes).reshape(len(parents), prod(sizes)).T
        tables.append(ConditionalTable(cards, child, parents, grid, whole))
    extra = [False] * len(names) if unknown is None else unknown
    network = PersonaNetwork(
        tables, names, [levels.get(name, "mid") for name in names], score, unknown=extra
    )
    words = [tuple(v[:-1] if u else v) for v, u in zip(values, extra, strict=True)]
    return Named(network, tuple(words))


def to_bif(network: PersonaNetwork, values: Sequence[Sequence[str]] | None = None) -> str:
    """Return a network as text in the Bayesian Interchange Format 0.15.

    Names and values that are not plain words are written as plain ones, since common readers take
    neither spaces nor punctuation; what they are stands in a property, with the level.

    Raises
    ------
    ValueError : for a table of more than 4 million numbers.
    """
    with quiet():
        from pgmpy.readwrite import BIFWriter
    return str(BIFWriter(_plain_model(network, values, r"[^\w-]+")))


def to_xmlbif(network: PersonaNetwork, values: Sequence[Sequence[str]] | None = None) -> str:
    """Return a network as text in XMLBIF 0.3; see `to_bif`."""
    with quiet():
        from pgmpy.readwrite import XMLBIFWriter
    return str(XMLBIFWriter(_plain_model(network, values, r"\W+")))


def _plain_model(
    network: PersonaNetwork, values: Sequence[Sequence[str]] | None, other: str
) -> DiscreteBayesianNetwork:
    """Return a network under plain names and values, without what the pattern `other` finds."""
    words = _words(network, values)
    names = _plain(network.names, other)
    renamed = PersonaNetwork(
        network.tables, names, network.levels, network.score, unknown=network.unknown
    )
    codes = [_plain(of, other) for of in words]
    model = to_pgmpy(
        renamed, [of[:-1] if u else of for of, u in zip(codes, network.unknown, strict=True)]
    )
    model.name = "persona_network"
    for j, plain in enumerate(names):
        said = {"level": network.levels[j], "place": str(j), "name": _quoted(network.names[j])}
        said["values"] = ",".join(map(_quoted, words[j]))
        if network.unknown[j]:
            said["unknown"] = "last"
        model.nodes[plain][PROPERTY] = " ".join(f"{key}:{text}" for key, text in said.items())
    return model


def _quoted(word: str) -> str:
    return quote(word, safe="")


def _plain(words: Sequence[str], other: str) -> list[str]:
    """Return words as plain ones, each once whatever the case; those that are plain stay."""
    wanted = [re.sub(other, "_", word, flags=re.ASCII) or "value" for word in words]
    wanted = [word + "_" if word.lower() in _RESERVED else word for word in wanted]
    taken: set[str] = set()
    out = [""] * len(words)
    # First those that stay as they are.
    for i in sorted(range(len(words)), key=lambda i: wanted[i] != words[i]):
        safe, n = wanted[i], 2
        while safe.lower() in taken:
            safe, n = f"{wanted[i]}_{n}", n + 1
        taken.add(safe.lower())
        out[i] = safe
    return out


def from_bif(text: str, *, score: str = "bds", iss: float = 10.0) -> Named:
    """Return the network that a BIF text describes, dimensions in the text's order.

    `table`, rows by configuration and `default` are read; a configuration without a row has equal
    probabilities. Levels are 'mid' unless a property of ours says otherwise.

    Raises
    ------
    ValueError : saying what is wrong with the text.
    """
    with quiet():
        from pgmpy.readwrite import BIFReader
    plain, defaults = _normal(text)
    reader = _read(BIFReader, plain, "BIF", include_properties=True)
    tables = {}
    for name, given in reader.variable_cpds.items():
        whole = np.array(given, dtype=np.float64).T
        r = whole.shape[1]
        row = _numbers(name, defaults.get(name.lower(), " ".join([str(1.0 / r)] * r)))
        if len(row) != r:
            raise ValueError(f"the default of {name!r} has {len(row)} numbers, not {r}")
        whole[~whole.any(axis=1)] = row
        tables[name] = whole
    properties = {n: " ".join(p) for n, p in reader.variable_properties.items()}
    return _described(
        reader.variable_names,
        reader.variable_states,
        reader.variable_parents,
        tables,
        properties,
        Score(score, iss),
    )


def from_xmlbif(text: str, *, score: str = "bds", iss: float = 10.0) -> Named:
    """Return the network that an XMLBIF text describes; see `from_bif`."""
    with quiet():
        from pgmpy.readwrite import XMLBIFReader
    if "<!DOCTYPE" in text and "<!ENTITY" in text:
        raise ValueError("this XMLBIF declares entities; a network needs none, so it is not read")
    reader = _read(XMLBIFReader, text, "XMLBIF")
    return _described(
        reader.variables,
        reader.variable_states,
        reader.variable_parents,
        {name: np.asarray(table).T for name, table in reader.variable_CPD.items()},
        {n: " ".join(filter(None, p)) for n, p in reader.variable_property.items()},
        Score(score, iss),
    )


def _read(reader: Any, text: str, form: str, **options: Any) -> Any:
    """Read a text with one of pgmpy's readers, which raise whatever a slip leads to."""
    try:
        return reader(string=text, **options)
    except Exception as error:
        raise ValueError(f"this is not a network in {form}: {error}") from error


def _normal(text: str) -> tuple[str, dict[str, str]]:
    """Return a BIF text as pgmpy's reader needs it, a block a line, and the default rows it had.

    What the reader would pass over in silence, or make too much room for, is refused here.
    """
    plain = " ".join(_COMMENT.sub(" ", text).replace('"', " ").split())
    depth, head = 0, ""
    for part in re.split(r"([{}])", plain):
        depth += {"{": 1, "}": -1}.get(part, 0)
        if depth < 0:
            raise ValueError("a closing brace has no opening one")
        head = head if depth or not part.strip("{} ") else " ".join(part.split()[:2])
    if depth:
        raise ValueError(f"the text ends within {head or 'a block'!r}")
    sizes = {name.lower(): int(number) for name, number in _VARIABLE.findall(plain)}
    defaults: dict[str, str] = {}
    seen: set[str] = set()
    found = list(_PROBABILITY.finditer(plain))
    for match, end in zip(found, [m.start() for m in found[1:]] + [len(plain)], strict=False):
        # Without a bar, names between spaces: a child and its parents, as in old files.
        words = [match[1], *match[2].split(",")] if match[2] else match[1].split()
        child, *others = (word.strip().lower() for word in words)
        for name in (child, *others):
            if name not in sizes:
                raise ValueError(f"a probability names {name!r}, which is not a variable")
        if child in seen:
            raise ValueError(f"the probability of {words[0]!r} appears twice")
        seen.add(child)
        if prod(sizes[name] for name in (child, *others)) > MOST:
            raise ValueError(f"the table of {words[0]!r} has more than {MOST:,} numbers")
        if row := _DEFAULT.search(plain, match.end(), end):
            defaults[child] = row[1]
    return re.sub(r"\}(?! ?;) ?", "}\n", _DEFAULT.sub("", plain)) + "\n", defaults


def _described(
    names: Sequence[str],
    states: Mapping[str, Sequence[str]],
    parents: Mapping[str, Sequence[str]],
    tables: Mapping[str, Floats],
    properties: Mapping[str, str],
    score: Score,
) -> Named:
    """Check what a reader found, and return it as a network under the names it stands for."""
    for name in names:
        if list(names).count(name) > 1:
            raise ValueError(f"variable {name!r} appears twice")
        if not states[name] or len(set(states[name])) != len(states[name]):
            raise ValueError(f"variable {name!r} needs a list of discrete values, each once")
    for name in {name for child, given in parents.items() for name in (child, *given)}:
        if name not in names:
            raise ValueError(f"a probability names {name!r}, which is not a variable")
    bare = [name for name in names if name not in tables]
    if bare:
        raise ValueError(f"variable {bare[0]!r} has no probability")
    said = {name: _said(properties.get(name, "")) for name in names}
    real = {name: said[name].get("name", [name])[0] for name in names}
    if len(set(real.values())) < len(names):
        real = {name: name for name in names}
    order = sorted(names, key=lambda name: int("".join(said[name].get("place", ["0"])) or 0))
    families = {}
    for name in names:
        r, rows = len(states[name]), prod(len(states[p]) for p in parents[name])
        if tables[name].shape != (rows, r):
            raise ValueError(
                f"the table of {name!r} has {tables[name].size} numbers, not {rows * r}"
            )
        table = _distributions(name, tables[name])
        families[real[name]] = ([real[p] for p in parents[name]], table)
    values = []
    for name in order:
        words = said[name].get("values", [])
        fits = len(words) == len(states[name]) == len(set(words))
        values.append(words if fits else list(states[name]))
    levels = {real[name]: "".join(said[name].get("level", [])) for name in names}
    levels = {name: level for name, level in levels.items() if level in LEVELS}
    return _network(
        [real[name] for name in order],
        values,
        levels,
        families,
        score,
        ["unknown" in said[name] for name in order],
    )


def _said(text: str) -> dict[str, list[str]]:
    """Return what our property says of a variable, {} where it is not there."""
    found = re.search(rf"{PROPERTY}\s*=\s*([^;]*)", text)
    pairs = (part.partition(":") for part in (found[1].split() if found else ()))
    return {key: [unquote(word) for word in words.split(",")] for key, _, words in pairs}


def _numbers(name: str, text: str) -> list[float]:
    try:
        return [float(number) for number in text.replace(",", " ").split()]
    except ValueError:
        raise ValueError(f"the probabilities of {name!r} hold what is not a number") from None


def _distributions(name: str, table: Floats) -> Floats:
    """Return rows that sum to 1; files are often rounded to a few digits."""
    total = table.sum(axis=1, keepdims=True)
    wrong = ~np.isfinite(table).all(axis=1) | (table < 0).any(axis=1)
    wrong |= ~(np.abs(total[:, 0] - 1.0) < 1e-3)
    if wrong.any():
        row = table[np.argmax(wrong)].tolist()
        raise ValueError(f"{row} is not a distribution over the {len(row)} values of {name!r}")
    scaled: Floats = table / total
    return scaled
