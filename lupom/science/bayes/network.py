"""A Bayesian network over persona dimensions: fitted and described."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lupom.science.bayes import completion
from lupom.science.bayes.counting import MISSING, Codes, Floats, Ints, check_codes
from lupom.science.bayes.families import FamilyScores
from lupom.science.bayes.parameters import ConditionalTable
from lupom.science.bayes.posterior import Posterior
from lupom.science.bayes.pruning import PRUNING, EdgeTest, edge_tests
from lupom.science.bayes.pruning import prune as pruned
from lupom.science.bayes.reports import estimate
from lupom.science.bayes.scores import Score
from lupom.science.bayes.search import Structure, allowed_edges, search, topological_order

if TYPE_CHECKING:
    import pyarrow as pa

LEVELS = ("high", "mid", "low")
NamedEdge = tuple[str, str]
Data = tuple[Codes, Sequence[int], int, bool]


class PersonaNetwork:
    """A discrete Bayesian network; made by `fit`, `from_edges`, or of its tables.

    Parameters
    ----------
    tables : the conditional table of each dimension; see `unknown` for their cardinalities.
    names : the dimensions, in the order of the columns.
    levels : 'high', 'mid' or 'low' of each.
    score : the score it was fitted under.
    prior : the score whose prior the tables have and later estimates use; `score` when left out.
    unknown : which dimensions have "unknown" as a value of their own, the last of their table.
    error_rates : (d,) how often a reported value is wrong, where that was estimated.

    Attributes
    ----------
    cardinalities : number of candidate values of each dimension, "unknown" left out.
    parents : the parents of each dimension, as columns.
    log_score : score of the network on the data it was fitted to; NaN where it was not fitted.

    Raises
    ------
    ValueError : for names used twice, unknown levels, and edges that form a cycle.
    """

    def __init__(
        self,
        tables: Sequence[ConditionalTable],
        names: Sequence[str],
        levels: Sequence[str],
        score: Score,
        *,
        unknown: Sequence[bool] | None = None,
        error_rates: Floats | None = None,
        prior: Score | None = None,
    ) -> None:
        d = len(tables)
        self.names, self.levels = _described(d, names, levels)
        self.score = score
        self.prior = prior or score
        self.tables = list(tables)
        self.unknown = tuple([False] * d if unknown is None else unknown)
        self.cardinalities = tuple(
            t.cardinality - u for t, u in zip(self.tables, self.unknown, strict=True)
        )
        self.parents = tuple(tuple(sorted(t.parents)) for t in self.tables)
        self.error_rates = error_rates
        matrix = np.zeros((d, d), dtype=bool)
        for child, parents in enumerate(self.parents):
            matrix[list(parents), child] = True
        order = topological_order(matrix)
        if order is None:
            raise ValueError("the edges form a cycle")
        self.engine = Posterior(self.tables, order)
        self.log_score = float("nan")
        self._edges: list[tuple[EdgeTest, float]] = []

    @classmethod
    def fit(
        cls,
        codes: Any,
        cardinalities: Sequence[int],
        names: Sequence[str] | None = None,
        levels: Sequence[str] | None = None,
        *,
        score: str = "bds",
        iss: float = 10.0,
        parameter_iss: float | None = None,
        method: str = "tabu",
        tabu_length: int = 100,
        restarts: int = 0,
        max_parents: int | None = None,
        level_order: bool = False,
        required: Iterable[NamedEdge] = (),
        forbidden: Iterable[NamedEdge] = (),
        prune: str = "conditional",
        prune_alpha: float | None = 0.05,
        prune_test: str = "chi2",
        prune_correction: str = "none",
        missing: str = "em",
        seed: int = 0,
    ) -> PersonaNetwork:
        """Find a structure, prune it, and estimate its parameters.

        Parameters
        ----------
        codes : (n, d) integers from 0, -1 where missing; n may be 0.
        cardinalities : number of values of each dimension.
        names : of the dimensions, each once; '0', '1', ... when left out.
        levels : 'high', 'mid' or 'low' of each dimension; all 'mid' when left out.
        score, iss : 'bds', 'bdeu', 'bic' or 'k2', and the imaginary sample size; see `scores`.
        parameter_iss : the tables have the prior of bdeu with this imaginary sample size, as in the
            published system with 1,000; that of the score when left out.
        method, tabu_length, restarts, max_parents, seed : see `search`.
        level_order : whether a dimension may only be caused by its own or a higher level.
        required, forbidden : (parent, child) pairs by name.
        prune : 'conditional' tests an edge given the child's other parents, 'marginal' given
            nothing; 'none' leaves every edge found, and so does a prune_alpha of None.
        prune_alpha, prune_test, prune_correction : see `pruning.prune`. Tests use the available
            cases of each family whatever `missing` says.
        missing : how structure and parameters see missing values. 'em': structural EM, the best
            where they are missing at random (`completion`); 'available': the available cases of
            each family; 'nal': those, under the node-average likelihood, with score 'bic' only;
            'value': "unknown" is a value, for where not knowing tells something by itself.

        Raises
        ------
        ValueError : for names used twice, unknown names, levels or settings, codes out of range,
            and constraints that contradict each other.
        """
        checked, names, levels = _checked(codes, cardinalities, names, levels)
        measure = Score(score, iss)
        data, unknown = _seen(checked, cardinalities, missing, measure)
        place = {name: i for i, name in enumerate(names)}
        must = _columns(required, place)
        ranks = [LEVELS.index(level) for level in levels] if level_order else None
        settings: dict[str, Any] = {
            "method": method,
            "tabu_length": tabu_length,
            "max_parents": max_parents,
            "allowed": allowed_edges(len(names), forbidden=_columns(forbidden, place), ranks=ranks),
            "required": must,
            "restarts": restarts,
            "seed": seed,
        }
        found: Structure
        if missing == "em":
            found = completion.structural_em(checked, data[1], measure, settings, seed=seed)
        else:
            found = search(data[0], data[1], measure, node_average=data[3], **settings)
        if prune not in PRUNING:
            raise ValueError(f"unknown prune {prune!r}; known are {', '.join(PRUNING)}")
        marginal = prune == "marginal"
        if prune_alpha is None or prune == "none":
            tests = edge_tests(data[0], data[1], found.edges, test=prune_test, marginal=marginal)
        else:
            tests = pruned(
                data[0],
                data[1],
                found.edges,
                alpha=prune_alpha,
                test=prune_test,
                correction=prune_correction,
                marginal=marginal,
                required=must,
            )
        prior = _prior(measure, parameter_iss)
        return cls._of(data, names, levels, tests, measure, prior, unknown, missing, seed)

    @classmethod
    def from_edges(
        cls,
        codes: Any,
        cardinalities: Sequence[int],
        names: Sequence[str] | None = None,
        levels: Sequence[str] | None = None,
        *,
        edges: Iterable[NamedEdge],
        score: str = "bds",
        iss: float = 10.0,
        parameter_iss: float | None = None,
        prune: str = "conditional",
        prune_test: str = "chi2",
        missing: str = "em",
        seed: int = 0,
    ) -> PersonaNetwork:
        """Estimate the parameters of a known structure, given as (parent, child) pairs by name."""
        checked, names, levels = _checked(codes, cardinalities, names, levels)
        pairs = _columns(edges, {name: i for i, name in enumerate(names)})
        measure = Score(score, iss)
        data, unknown = _seen(checked, cardinalities, missing, measure)
        marginal = prune == "marginal"
        tests = edge_tests(data[0], data[1], pairs, test=prune_test, marginal=marginal)
        prior = _prior(measure, parameter_iss)
        return cls._of(data, names, levels, tests, measure, prior, unknown, missing, seed)

    @classmethod
    def _of(
        cls,
        data: Data,
        names: Sequence[str],
        levels: Sequence[str],
        tests: Mapping[tuple[int, int], EdgeTest],
        score: Score,
        prior: Score,
        unknown: Sequence[bool],
        missing: str,
        seed: int,
    ) -> PersonaNetwork:
        codes, cards, copies, node_average = data
        if missing == "em" and (codes < 0).any():
            tables, _, codes = completion.em_tables(codes, cards, tests, prior, seed=seed)
            copies = len(codes) // len(data[0])
        else:
            tables, _ = completion.fit_tables(codes, cards, tests, prior)
        network = cls(tables, names, levels, score, unknown=unknown, prior=prior)
        families = FamilyScores(codes, cards, score, copies=copies, node_average=node_average)
        network.log_score = sum(
            families.family(c, parents) for c, parents in enumerate(network.parents)
        )
        network._edges = [
            (
                tests[parent, child],
                families.family(child, parents)
                - families.family(child, [p for p in parents if p != parent]),
            )
            for child, parents in enumerate(network.parents)
            for parent in parents
        ]
        return network

    def edges(self) -> pa.Table:
        """Return one row per edge.

        Columns: parent, child, gain (what the family's score would lose without the edge, natural
        logarithm), and the edge's independence test given the child's other parents: statistic,
        degrees_of_freedom, p_value, n (respondents known in the whole family).
        """
        import pyarrow as pa

        schema = pa.schema(
            [
                ("parent", pa.string()),
                ("child", pa.string()),
                ("gain", pa.float64()),
                ("statistic", pa.float64()),
                ("degrees_of_freedom", pa.int64()),
                ("p_value", pa.float64()),
                ("n", pa.int64()),
            ]
        )
        rows = [
            {
                "parent": self.names[test.edge[0]],
                "child": self.names[test.edge[1]],
                "gain": gain,
                "statistic": test.statistic,
                "degrees_of_freedom": test.degrees_of_freedom,
                "p_value": test.p_value,
                "n": test.n,
            }
            for test, gain in self._edges
        ]
        return pa.Table.from_pylist(rows, schema=schema)

    def parameters(self, values: Sequence[Sequence[str]] | None = None) -> pa.Table:
        """Return one row per value of each dimension in each observed configuration of its parents.

        Columns: dimension, parents (map from parent to its value), value, probability, n
        (respondents with that value in that configuration). An unobserved configuration gives
        every value the same probability and has no row. With missing='em' the respondents are
        expected numbers; with 'value', "unknown" is a value of null.

        Parameters
        ----------
        values : the values of each dimension in the order of their codes; the codes as text when
            left out.
        """
        import pyarrow as pa

        schema = pa.schema(
            [
                ("dimension", pa.string()),
                ("parents", pa.map_(pa.string(), pa.string())),
                ("value", pa.string()),
                ("probability", pa.float64()),
                ("n", pa.float64()),
            ]
        )
        given_words = values or [[str(i) for i in range(r)] for r in self.cardinalities]
        words: list[list[str | None]] = [
            [*w, None] if u else [*w] for w, u in zip(given_words, self.unknown, strict=True)
        ]
        columns: dict[str, list[Any]] = {name: [] for name in schema.names}
        for table in self.tables:
            for j, configuration in enumerate(table.configurations.tolist()):
                given = [
                    (self.names[p], words[p][code])
                    for p, code in zip(table.parents, configuration, strict=True)
                ]
                for k in range(table.cardinality):
                    columns["dimension"].append(self.names[table.child])
                    columns["parents"].append(given)
                    columns["value"].append(words[table.child][k])
                    columns["probability"].append(float(table.probabilities[j, k]))
                    columns["n"].append(float(table.counts[j, k]))
        return pa.table(columns, schema=schema)

    def evidence(self, codes: Any) -> Codes:
        """Return codes checked, with unknown cells as a value where the network has that value."""
        checked = check_codes(codes, self.cardinalities)
        if any(self.unknown):
            last = np.where(self.unknown, self.cardinalities, MISSING).astype(np.int32)
            checked = np.where(checked < 0, last, checked).astype(np.int32)
        return checked

    def posterior(self, codes: Any, name: str) -> Floats:
        """Return P(dimension | the row's other known cells), exact, as (n, r).

        Raises
        ------
        ValueError : for an unknown name, or when exact inference would need too large a table.
        """
        if name not in self.names:
            raise ValueError(f"unknown dimension {name!r}; known are {', '.join(self.names)}")
        checked = self.evidence(codes)
        target = self.names.index(name)
        out = np.empty((len(checked), self.cardinalities[target]))
        for _, rows, p in self.engine.each(checked, [target]):
            known = p[:, : out.shape[1]]
            out[rows] = known / known.sum(axis=1, keepdims=True)
        return out

    def cells(self, codes: Codes, rows: Ints, columns: Ints) -> Floats:
        """Return P(dimension | the row's other known cells) of some cells, exact, as (P, width).

        Parameters
        ----------
        codes : (n, d) as for `fit`.
        rows, columns : (P), the cells; columns are places of dimensions.

        Returns
        -------
        0 beyond a dimension's values; NaN where exact inference would need a table beyond 256 MB.
        """
        found = self.engine.cells(self.evidence(codes), rows, columns)
        sizes = np.array(self.cardinalities, dtype=np.int64)[columns]
        found[np.arange(found.shape[1]) >= sizes[:, None]] = 0.0
        found /= found.sum(axis=1, keepdims=True)
        return found

    def with_error_rates(
        self, codes: Any, *, levels: Sequence[str] = LEVELS, sweeps: int = 40, seed: int = 0
    ) -> PersonaNetwork:
        """Return the network of the true values, with the error rate of each dimension's reports.

        See `reports.estimate`. Dimensions of other levels than `levels` are taken as free of error.
        """
        if any(self.unknown):
            raise ValueError(
                "noisy reports need a network without unknown as a value; fit it with another "
                "setting of `missing`"
            )
        noisy = np.array([level in levels for level in self.levels], dtype=bool)
        tables, rates = estimate(
            self.engine,
            check_codes(codes, self.cardinalities),
            self.prior,
            noisy,
            sweeps=sweeps,
            seed=seed,
        )
        return PersonaNetwork(
            tables, self.names, self.levels, self.score, error_rates=rates, prior=self.prior
        )

    def refit(self, codes: Codes, *, seed: int = 0) -> PersonaNetwork:
        """Return a network of the same structure with the parameters of other codes."""
        pairs = [(p, child) for child, parents in enumerate(self.parents) for p in parents]
        if any(self.unknown):
            cards = [t.cardinality for t in self.tables]
            tables, _ = completion.fit_tables(self.evidence(codes), cards, pairs, self.prior)
        else:
            tables, _, _ = completion.em_tables(
                codes, self.cardinalities, pairs, self.prior, seed=seed
            )
        return PersonaNetwork(
            tables,
            self.names,
            self.levels,
            self.score,
            unknown=self.unknown,
            prior=self.prior,
        )


def _prior(score: Score, parameter_iss: float | None) -> Score:
    return score if parameter_iss is None else Score("bdeu", parameter_iss)


def _seen(
    codes: Codes, cardinalities: Sequence[int], missing: str, score: Score
) -> tuple[Data, list[bool]]:
    """Return the data as a way of treating missing values sees it, and where unknown is a value."""
    if missing not in completion.METHODS:
        raise ValueError(
            f"unknown setting of missing {missing!r}; known are {', '.join(completion.METHODS)}"
        )
    cards = [int(c) for c in cardinalities]
    if missing == "value":
        coded, cards, unknown = completion.as_value(codes, cards)
        return (coded, cards, 1, False), unknown
    if missing == "nal" and score.name != "bic":
        raise ValueError(f"missing='nal' goes with score 'bic', not with {score.name!r}")
    return (codes, cards, 1, missing == "nal"), [False] * len(cards)


def _checked(
    codes: Any,
    cardinalities: Sequence[int],
    names: Sequence[str] | None,
    levels: Sequence[str] | None,
) -> tuple[Codes, tuple[str, ...], tuple[str, ...]]:
    checked = check_codes(codes, cardinalities)
    d = checked.shape[1]
    words = [str(i) for i in range(d)] if names is None else names
    return (checked, *_described(d, words, ("mid",) * d if levels is None else levels))


def _described(
    d: int, names: Sequence[str], levels: Sequence[str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    words, ranks = tuple(names), tuple(levels)
    if len(words) != d or len(ranks) != d:
        raise ValueError(
            f"{d} columns need {d} names and levels, got {len(words)} names, {len(ranks)} levels"
        )
    twice = sorted({w for w in words if words.count(w) > 1})
    if twice:
        raise ValueError(f"a dimension's name is used twice: {', '.join(map(repr, twice))}")
    for name, level in zip(words, ranks, strict=True):
        if level not in LEVELS:
            raise ValueError(
                f"dimension {name!r} has level {level!r}; known are {', '.join(LEVELS)}"
            )
    return words, ranks


def _columns(edges: Iterable[NamedEdge], place: Mapping[str, int]) -> list[tuple[int, int]]:
    out = []
    for parent, child in edges:
        for name in (parent, child):
            if name not in place:
                raise ValueError(
                    f"edge {parent!r} -> {child!r} names an unknown dimension {name!r}"
                )
        out.append((place[parent], place[child]))
    return out
