"""Persona networks as BIF text and as pgmpy networks, and back."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from math import prod
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote, unquote

import numpy as np

from lupom.science.bayes.counting import Floats
from lupom.science.bayes.network import LEVELS, PersonaNetwork
from lupom.science.bayes.parameters import ConditionalTable
from lupom.science.bayes.scores import Score

if TYPE_CHECKING:
    from pgmpy.models import DiscreteBayesianNetwork  # type: ignore[import-not-found]

UNKNOWN = "unknown"
# Both forms hold a table in full, unobserved configurations included: this many numbers at most.
MOST = 1 << 22

_TOKEN = re.compile(r'"[^"]*"|[{}()\[\]|,;=]|[^\s{}()\[\]|,;="]+')
_COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)


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
    """Return a network as a pgmpy DiscreteBayesianNetwork; needs the extra `pgmpy`.

    Parameters
    ----------
    values : of each dimension in the order of their codes; the codes as text when left out. Where
        "unknown" is a value it comes last.

    Raises
    ------
    ValueError : for a table of more than 4 million numbers.
    """
    from pgmpy.factors.discrete import TabularCPD  # type: ignore[import-not-found]
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

    Names and values that are not plain words are written as plain words, and as they are in
    properties, since common readers take neither spaces nor punctuation. Levels are properties too.

    Raises
    ------
    ValueError : for a table of more than 4 million numbers.
    """
    words = _words(network, values)
    plain = _plain(network.names)
    codes = [_plain(of) for of in words]
    lines = ["network persona_network {", "}"]
    for j, name in enumerate(network.names):
        states = ", ".join(codes[j])
        lines += [f"variable {plain[j]} {{", f"  type discrete [ {len(codes[j])} ] {{ {states} }};"]
        lines.append(f"  property level {network.levels[j]};")
        if plain[j] != name:
            lines.append(f"  property name {quote(name, safe='')};")
        if tuple(codes[j]) != words[j]:
            lines.append(f"  property values {' '.join(quote(w, safe='') for w in words[j])};")
        if network.unknown[j]:
            lines.append("  property unknown last;")
        lines.append("}")
    for child, table in enumerate(network.tables):
        whole = full_table(network, child)
        if not table.parents:
            lines += [f"probability ( {plain[child]} ) {{", f"  table {_numbers(whole[0])};", "}"]
            continue
        given = ", ".join(plain[p] for p in table.parents)
        lines.append(f"probability ( {plain[child]} | {given} ) {{")
        for states_of, row in zip(product(*(codes[p] for p in table.parents)), whole, strict=True):
            lines.append(f"  ({', '.join(states_of)}) {_numbers(row)};")
        lines.append("}")
    return "\n".join(lines) + "\n"


def _numbers(row: Floats) -> str:
    return ", ".join(repr(float(p)) for p in row)


def _plain(words: Sequence[str]) -> list[str]:
    """Return words as plain ones, each once; those that are plain stay."""
    taken = {word for word in words if re.fullmatch(r"\w[\w-]*", word, re.ASCII)}
    out = []
    for word in words:
        if word in taken:
            out.append(word)
            continue
        stem = re.sub(r"\W+", "_", word, flags=re.ASCII).strip("_") or "value"
        safe, i = stem, 2
        while safe in taken or safe in out:
            safe, i = f"{stem}_{i}", i + 1
        out.append(safe)
    return out


class _Variable(NamedTuple):
    values: list[str]
    properties: dict[str, list[str]]


def from_bif(text: str, *, score: str = "bds", iss: float = 10.0) -> Named:
    """Return the network that a BIF text describes, dimensions in the text's order.

    `table`, rows by configuration and `default` are read; a configuration without a row has equal
    probabilities. Levels are 'mid' unless a property says otherwise.

    Raises
    ------
    ValueError : saying what is wrong with the text.
    """
    variables: dict[str, _Variable] = {}
    families: dict[str, tuple[list[str], Floats]] = {}
    tokens = list(_TOKEN.findall(_COMMENT.sub(" ", text)))
    for head, body in _blocks(tokens):
        if head[0] == "variable":
            name = _bare(head[1])
            if name in variables:
                raise ValueError(f"variable {name!r} is there twice")
            variables[name] = _variable(name, body)
    for head, body in _blocks(tokens):
        if head[0] != "probability":
            continue
        members = [_bare(t) for t in head[1:] if t not in "()|,"]
        strange = [m for m in members if m not in variables]
        if strange or not members:
            raise ValueError(f"a probability names {strange[:1]}, which is no variable")
        if members[0] in families:
            raise ValueError(f"the probability of {members[0]!r} is there twice")
        families[members[0]] = (members[1:], _table(members, body, variables))
    bare = [name for name in variables if name not in families]
    if bare:
        raise ValueError(f"variable {bare[0]!r} has no probability")
    real = {
        name: unquote(" ".join(v.properties.get("name", [name]))) for name, v in variables.items()
    }
    values = []
    for v in variables.values():
        words = [unquote(word) for word in v.properties.get("values", [])]
        values.append(words if len(words) == len(v.values) else v.values)
    levels = {
        real[name]: level
        for name, v in variables.items()
        if (level := "".join(v.properties.get("level", []))) in LEVELS
    }
    return _network(
        list(real.values()),
        values,
        levels,
        {real[c]: ([real[p] for p in parents], t) for c, (parents, t) in families.items()},
        Score(score, iss),
        ["unknown" in v.properties for v in variables.values()],
    )


def _bare(token: str) -> str:
    return token.strip('"')


def _blocks(tokens: Sequence[str]) -> Iterator[tuple[list[str], list[str]]]:
    """Yield the words before each outer brace, and those inside it."""
    head: list[str] = []
    body: list[str] = []
    depth = 0
    for token in tokens:
        if token == "}":
            depth -= 1
        if depth < 0:
            raise ValueError("a closing brace has no opening one")
        if depth == 0 and token == "}":
            if head:
                yield head, body
            head, body = [], []
        elif depth or token != "{":
            (body if depth else head).append(token)
        if token == "{":
            depth += 1
    if depth or head:
        raise ValueError(f"the text ends within {' '.join(head[:2]) or 'a block'!r}")


def _statements(body: Sequence[str]) -> Iterator[list[str]]:
    statement: list[str] = []
    for token in body:
        if token == ";":
            yield statement
            statement = []
        else:
            statement.append(token)


def _variable(name: str, body: Sequence[str]) -> _Variable:
    values: list[str] = []
    properties: dict[str, list[str]] = {}
    for statement in _statements(body):
        if statement[:2] == ["type", "discrete"]:
            inside = statement[statement.index("{") + 1 : statement.index("}")]
            values = [_bare(t) for t in inside if t != ","]
        elif statement[:1] == ["property"] and len(statement) > 1:
            properties[statement[1]] = [_bare(t) for t in statement[2:] if t != "="]
    if not values or len(set(values)) != len(values):
        raise ValueError(f"variable {name!r} needs a list of discrete values, each once")
    return _Variable(values, properties)


def _table(
    members: Sequence[str], body: Sequence[str], variables: Mapping[str, _Variable]
) -> Floats:
    child, parents = members[0], members[1:]
    r = len(variables[child].values)
    cards = [len(variables[p].values) for p in parents]
    if prod(cards) * r > MOST:
        raise ValueError(f"the table of {child!r} has more than {MOST:,} numbers")
    whole = np.full((prod(cards), r), 1.0 / r)
    rows: list[tuple[int, list[float]]] = []
    for statement in _statements(body):
        if not statement or statement[0] == "property":
            continue
        end = statement.index(")") + 1 if statement[0] == "(" else 1
        try:
            numbers = [float(t) for t in statement[end:] if t != ","]
        except ValueError:
            raise ValueError(f"the probabilities of {child!r} hold what is no number") from None
        if statement[0] == "default":
            whole[:] = _distribution(child, numbers, r)
        elif statement[0] == "table":
            if len(numbers) != whole.size:
                raise ValueError(
                    f"the table of {child!r} has {len(numbers)} numbers, not {whole.size}"
                )
            # The child varies slowest here, as its name stands first.
            whole = np.stack(
                [_distribution(child, p, r) for p in np.reshape(numbers, (r, -1)).T.tolist()]
            )
        else:
            given = [_bare(t) for t in statement[1 : end - 1] if t != ","]
            try:
                at = [variables[p].values.index(v) for p, v in zip(parents, given, strict=True)]
            except ValueError:
                raise ValueError(
                    f"the configuration {given} of {child!r} does not fit its parents"
                ) from None
            place = int(np.ravel_multi_index(at, cards)) if cards else 0
            rows.append((place, _distribution(child, numbers, r)))
    for place, row in rows:
        whole[place] = row
    return whole


def _distribution(child: str, numbers: list[float], r: int) -> list[float]:
    total = sum(numbers)
    if len(numbers) != r or min(numbers) < 0 or not abs(total - 1.0) < 1e-3:
        raise ValueError(f"{numbers} is no distribution over the {r} values of {child!r}")
    # Files are often rounded to a few digits.
    return [p / total for p in numbers]
