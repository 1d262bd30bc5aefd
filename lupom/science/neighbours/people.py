"""The respondents of one survey as what they can be compared by: personas, attributes, answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lupom.batches import Map, in_batches
from lupom.science.bayes.personas import encode_personas
from lupom.science.drawn import drawn
from lupom.science.inputs import Rows, arrow, require
from lupom.science.neighbours.embeddings import nearest_texts, texts
from lupom.science.neighbours.nearest import Near, nearest
from lupom.science.neighbours.settings import NO_NETWORK, Setting
from lupom.science.neighbours.vectors import informative
from lupom.science.tables import encoded, surveys

if TYPE_CHECKING:
    import pyarrow as pa

Embed = Callable[[list[str]], Any]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

_KNOWN = ("survey", "respondent_id", "question_id", "answer")
_VALUES = {"refined": ("refined_value", "probability"), "raw": ("value", "raw_probability")}


@dataclass(frozen=True)
class Features:
    """Dimensions that respondents are compared by.

    Attributes
    ----------
    codes : (n, d) integers, -1 where missing.
    names, words : (d) what a dimension is called, and the text of each of its values.
    ordered : (d) whether a dimension's values are in order.
    certainty : (n, d) from 0 to 1; None where it was not asked for, or all are sure.
    ids : (d) of the questions, where they are answers.
    """

    codes: NDArray[Any]
    names: list[str]
    words: list[list[str]]
    ordered: list[bool]
    certainty: NDArray[np.float64] | None = None
    ids: list[str] = field(default_factory=list)


class People:
    """One survey's respondents in order of their ids.

    Attributes
    ----------
    ids : (n) respondents.
    reference : (n) who may be a neighbour.
    new : (n) of whom no answer is known.
    """

    def __init__(
        self,
        values: Rows,
        dimensions: pa.Table,
        roles: pa.Table,
        *,
        attributes: Rows | None = None,
        known: Rows | None = None,
        questions: Rows | None = None,
        embed: Embed | None = None,
        method: str = "auto",
        elsewhere: Callable[[], frozenset[str]] = frozenset,
        candidates: int | None = None,
        seed: int = 0,
        through: Map = in_batches,
    ) -> None:
        place = {str(r): i for i, r in enumerate(roles["respondent_id"].to_pylist())}
        self.ids = sorted(place)
        self.row_of = {respondent: i for i, respondent in enumerate(self.ids)}
        order = np.array([place[i] for i in self.ids], dtype=np.int64)
        self.reference = _is(roles, "role", "reference")[order]
        self.new = _is(roles, "role", "new")[order]
        self._has_persona = _is(roles, "has_persona", True)[order]
        self._asked = _is(roles, "asked", True)[order]
        self._values, self._dimensions = values, dimensions
        self._attributes, self._known, self._questions = attributes, known, questions
        self._embed, self._method, self._elsewhere = embed, method, elsewhere
        self._candidates, self._seed, self._through = candidates, seed, through
        self._made: dict[tuple[str, str | None, bool], Features] = {}
        self._pools: dict[bool, Bools] = {}

    def compared_by(self, setting: Setting) -> str:
        """Return the similarity that is used: the setting's, or what serves in its place.

        Without any persona value that is demographics, and where none are named, known answers;
        persona_demographics without demographics is persona.
        """
        similarity = setting.similarity
        if setting.has_persona and not self.has_personas(setting):
            similarity = "demographics" if setting.demographics else "answers"
        elif similarity == "persona_demographics" and not setting.demographics:
            similarity = "persona"
        if similarity == "demographics" and not setting.demographics:
            raise ValueError(
                "similarity 'demographics' needs attributes to compare; name them in the setting's "
                "demographics, or say 'all'"
            )
        return similarity

    def has_personas(self, setting: Setting) -> bool:
        """Return whether any respondent has a persona value of the kind the setting compares."""
        return bool((self._personas(setting).codes >= 0).any())

    def pool(self, similarity: str) -> Bools:
        """Return who may be a neighbour, (n): where personas count, those who have one.

        Of more than `candidates` so many are drawn.
        """
        by_persona = similarity.startswith("persona")
        if by_persona not in self._pools:
            mask = self.reference & self._has_persona if by_persona else self.reference
            places = np.flatnonzero(mask)
            chosen = drawn([self.ids[i] for i in places], self._candidates, self._seed)
            pool = np.zeros(len(mask), dtype=bool)
            pool[places[chosen]] = True
            self._pools[by_persona] = pool
        return self._pools[by_persona]

    def asked(self, similarity: str) -> Ints:
        """Return the rows of those whose neighbours are wanted."""
        if similarity.startswith("persona"):
            # Of a new respondent there are only attributes, but these can be compared.
            return np.flatnonzero(self._has_persona | (self._asked & self.new))
        return np.flatnonzero(self._asked)

    @property
    def with_persona(self) -> Bools:
        """Return who was among those whose persona was to be inferred, (n)."""
        return self._has_persona

    def nearest(self, setting: Setting, asked: Ints) -> Near:
        """Return the setting's neighbours of some rows as `nearest.nearest` does."""
        similarity = self.compared_by(setting)
        pool = self.pool(similarity)
        parts = []
        if similarity.startswith("persona"):
            parts.append(self._personas(setting))
        if similarity.endswith("demographics"):
            parts.append(self._attribute_features(setting))
        if similarity == "answers":
            parts.append(self.answers)
        codes = np.concatenate([p.codes for p in parts], axis=1)
        keep = informative(codes[pool], max_skew=setting.max_skew)
        if setting.encoding == "embedding":
            names = [name for p in parts for name in p.names]
            words = [word for p in parts for word in p.words]
            shown = np.where(keep, codes, -1)
            method = "hnsw" if self._method == "hnsw" else "numpy"
            return nearest_texts(
                self._embedded(texts(shown, names, words)),
                pool,
                setting.k,
                asked=asked,
                method=method,
            )
        if self._method == "hnsw":
            raise ValueError(
                "method 'hnsw' is for encoding 'embedding'; values are compared exactly"
            )
        weights = [
            1.0 if p is parts[0] else setting.demographic_weight for p in parts for _ in p.names
        ]
        in_order = [o and setting.encoding == "ordinal" for p in parts for o in p.ordered]
        # A dimension keeps a place where nobody knows a value, so that codes and counts fit.
        cards = [max(len(word), 1) for p in parts for word in p.words]
        return nearest(
            codes,
            cards,
            pool,
            setting.k,
            ordinal=in_order,
            weights=np.array(weights, dtype=np.float64) * keep,
            certainty=_certainties(parts) if setting.certainty and setting.has_persona else None,
            asked=asked,
            method=self._method,
            through=self._through,
        )

    def _embedded(self, said: list[str | None]) -> NDArray[np.float32]:
        if self._embed is None:
            raise ValueError("encoding 'embedding' needs a function that embeds texts")
        distinct = sorted({text for text in said if text is not None})
        if not distinct:
            return np.full((len(said), 1), np.nan, dtype=np.float32)
        vectors = np.asarray(self._embed(distinct), dtype=np.float32)
        place = {text: i for i, text in enumerate(distinct)}
        out = np.full((len(said), vectors.shape[1]), np.nan, dtype=np.float32)
        for i, text in enumerate(said):
            if text is not None:
                out[i] = vectors[place[text]]
        return out

    def _personas(self, setting: Setting) -> Features:
        key = (setting.personas, setting.network, setting.certainty)
        if key not in self._made:
            self._made[key] = self._persona_features(*key)
        return self._made[key]

    def _values_of(self, network: str | None) -> Rows:
        """Return the values of one network; of 'none' those of any, whose raw ones are the same."""
        if network is None or "network" not in self._values.columns:
            return self._values
        if network == NO_NETWORK:
            known = [name for name in self._values.distinct("network") if name is not None]
            network = min(known, default=network)
        return self._values.of("network", network)

    def _persona_features(self, personas: str, network: str | None, certainly: bool) -> Features:
        column, certain = _VALUES[personas]
        rows = self._values_of(network)
        parts = rows.parts(("respondent_id", "dimension_id", column))
        personas_ = encode_personas(parts, self._dimensions, column=column, respondents=self.ids)
        codes = personas_.codes
        if len(codes) > len(self.ids):
            everyone = {respondent: i for i, respondent in enumerate(personas_.respondents)}
            codes = codes[[everyone[i] for i in self.ids]]
        certainty = None
        if certainly:
            certainty = np.ones(codes.shape)
        if certainty is not None and certain in rows.columns:
            place = {name: j for j, name in enumerate(personas_.dimensions)}
            for part in rows.parts(("respondent_id", "dimension_id", certain)):
                person, people = encoded(part, "respondent_id")
                dimension, found = encoded(part, "dimension_id")
                mine = np.array([self.row_of.get(p, -1) for p in people], dtype=np.int64)[person]
                at = np.array([place[f] for f in found], dtype=np.int64)[dimension]
                probability = part.column(certain).to_numpy().astype(np.float64)
                ours = (mine >= 0) & np.isfinite(probability)
                certainty[mine[ours], at[ours]] = np.clip(probability[ours], 0.0, 1.0)
        described = self._dimensions.to_pylist()
        called = {
            str(d["dimension_id"]): str(d.get("name") or d["dimension_id"]) for d in described
        }
        # Values are in order where it is not said that they are kinds.
        in_order = {str(d["dimension_id"]): d.get("ordered") is not False for d in described}
        return Features(
            codes,
            [called[d] for d in personas_.dimensions],
            [list(words) for words in personas_.values],
            [in_order[d] for d in personas_.dimensions],
            certainty,
        )

    def _attribute_features(self, setting: Setting) -> Features:
        held = self._held
        seen = sorted(held)
        names = seen if setting.demographics == "all" else list(setting.demographics)
        # What another survey has is not a slip of the pen; this one is compared by what it has.
        missing = [name for name in names if seen and name not in seen]
        strange = [name for name in missing if name not in self._elsewhere()]
        if strange or (missing and len(missing) == len(names)):
            name = (strange or missing)[0]
            raise ValueError(
                f"no respondent has the attribute {name!r}; known are {', '.join(seen)}"
            )
        names = [name for name in names if name not in missing]
        codes = np.full((len(self.ids), len(names)), -1, dtype=np.int32)
        words: list[list[str]] = []
        for j, name in enumerate(names):
            given, said = held.get(name, (None, []))
            words.append(said)
            if given is not None:
                codes[:, j] = given
        return Features(codes, names, words, [False] * len(names))

    @cached_property
    def _held(self) -> dict[str, tuple[NDArray[np.int32], list[str]]]:
        """Return by attribute each respondent's value, (n), as a place in its sorted values."""
        if self._attributes is None:
            raise ValueError("demographics need the table of attributes")
        table = _pairs(self._attributes.read(("respondent_id", "attributes")))
        person, people = encoded(table, "respondent_id")
        name_of, names = encoded(table, "name")
        word, said = encoded(table, "value")
        mine = np.array([self.row_of.get(p, -1) for p in people], dtype=np.int64)[person]
        out = {}
        for j, name in enumerate(names):
            use = np.flatnonzero((name_of == j) & (mine >= 0))
            if len(use):
                given = word[use]
                words = sorted(said[w] for w in np.unique(given[given >= 0]))
                place = np.full(len(said) + 1, -1, dtype=np.int32)
                order = {w: i for i, w in enumerate(words)}
                place[:-1] = [order.get(w, -1) for w in said]
                codes = np.full(len(self.ids), -1, dtype=np.int32)
                codes[mine[use]] = place[given]
                out[name] = (codes, words)
        return out

    @cached_property
    def answers(self) -> Features:
        """Return the known answers, a question a dimension."""
        n = len(self.ids)
        if self._known is None:
            return Features(np.full((n, 0), -1, dtype=np.int32), [], [], [])
        # Of each question the answers in the order they are met, until all are known.
        met: dict[str, dict[str, int]] = {}
        columns: dict[str, NDArray[np.int32]] = {}
        for part in self._known.parts(_KNOWN[1:]):
            person, people = encoded(part, "respondent_id")
            asked, questions = encoded(part, "question_id")
            word, said = encoded(part, "answer")
            row = np.array([self.row_of.get(p, -1) for p in people], dtype=np.int64)[person]
            use = np.flatnonzero((row >= 0) & (word >= 0))
            order = use[np.argsort(asked[use], kind="stable")]
            bounds = np.searchsorted(asked[order], np.arange(len(questions) + 1))
            for j, question in enumerate(questions):
                mine = order[bounds[j] : bounds[j + 1]]
                codes = columns.setdefault(question, np.full(n, -1, dtype=np.int32))
                found = met.setdefault(question, {})
                place = np.full(len(said), -1, dtype=np.int32)
                for w in np.unique(word[mine]):
                    place[w] = found.setdefault(said[w], len(found))
                codes[row[mine]] = place[word[mine]]
        ids = sorted(columns)
        options, called, ordered = self._described()
        matrix = np.full((n, len(ids)), -1, dtype=np.int32)
        words: list[list[str]] = []
        for j, question in enumerate(ids):
            found = met[question]
            listed = [o for o in options.get(question, []) if o is not None]
            words.append([*listed, *sorted(set(found) - set(listed))])
            code = {w: i for i, w in enumerate(words[-1])}
            code_of = np.array([*(code[w] for w in found), -1], dtype=np.int32)
            matrix[:, j] = code_of[columns.pop(question)]
        return Features(
            matrix,
            [called.get(q, q) for q in ids],
            words,
            [ordered.get(q, False) for q in ids],
            ids=ids,
        )

    def _described(self) -> tuple[dict[str, list[str]], dict[str, str], dict[str, bool]]:
        """Return each question's options, wording, and whether its options are in order."""
        rows = [] if self._questions is None else self._questions.read().to_pylist()
        return (
            {r["question_id"]: list(r["options"] or ()) for r in rows},
            {r["question_id"]: r.get("question") or r["question_id"] for r in rows},
            {r["question_id"]: r.get("kind") == "ordinal" for r in rows},
        )


def _certainties(parts: Sequence[Features]) -> NDArray[np.float64]:
    return np.concatenate(
        [np.ones(p.codes.shape) if p.certainty is None else p.certainty for p in parts], axis=1
    )


@dataclass(frozen=True)
class Inputs:
    """The tables that similar respondents are found in.

    Attributes
    ----------
    values : survey, respondent_id, dimension_id, and refined_value and probability, value and
        raw_probability, or those of them that the settings need; may be empty. With a column
        network, of several; Setting.network says of which.
    dimensions : survey, dimension_id, level, candidate_values; where there are such columns name,
        and ordered: false where values are kinds, so that none is nearer than another.
    roles : survey, respondent_id, role: 'reference' may be a neighbour, 'new' has no answers.
        has_persona (whether a persona was to be inferred) and asked (whether neighbours are wanted
        where personas do not count) where there are such columns, else true. Only who stands here
        is looked at.
    attributes : survey, respondent_id, attributes (map); for demographics.
    known : survey, respondent_id, question_id, answer, known answers only; for similarity
        'answers', and where no persona is known.
    questions : survey, question_id, options; question and kind where there are such columns.
    embed : texts to vectors, for encoding 'embedding'.
    method : see `nearest.nearest`; 'hnsw' for encoding 'embedding', see `nearest_texts`.
    candidates : of more reference respondents so many, drawn by seed and id, may be neighbours; all
        of them for None.
    seed : of that draw.
    through : works blocks of respondents, here or elsewhere; see `lupom.batches`.
    """

    values: Any
    dimensions: Any
    roles: Any
    attributes: Any = None
    known: Any = None
    questions: Any = None
    embed: Embed | None = None
    method: str = "auto"
    candidates: int | None = None
    seed: int = 0
    through: Map = in_batches

    def people(self) -> Iterator[tuple[str, People]]:
        """Yield each survey's name and its respondents, of whom is read what is compared."""
        roles = _whole(self.roles, ("survey", "respondent_id", "role"))
        dimensions = _whole(
            self.dimensions, ("survey", "dimension_id", "level", "candidate_values")
        )
        values = Rows(self.values, ("survey", "respondent_id", "dimension_id"))
        attributes = _rows(self.attributes, ("survey", "respondent_id", "attributes"))
        known = _rows(self.known, _KNOWN)
        questions = _rows(self.questions, ("survey", "question_id", "options"))

        @cache
        def elsewhere() -> frozenset[str]:
            if attributes is None:
                return frozenset()
            pairs = _pairs(attributes.read(("respondent_id", "attributes")))
            return frozenset(pairs["name"].unique().to_pylist())

        for survey, (its_roles, its_dimensions) in surveys(roles, dimensions):
            yield (
                survey,
                People(
                    values.of("survey", survey),
                    its_dimensions,
                    its_roles,
                    attributes=_of(attributes, survey),
                    known=_of(known, survey),
                    questions=_of(questions, survey),
                    embed=self.embed,
                    method=self.method,
                    elsewhere=elsewhere,
                    candidates=self.candidates,
                    seed=self.seed,
                    through=self.through,
                ),
            )


def _rows(table: Any, columns: Sequence[str]) -> Rows | None:
    return None if table is None else Rows(table, columns)


def _of(rows: Rows | None, survey: str) -> Rows | None:
    return None if rows is None else rows.of("survey", survey)


def _is(table: pa.Table, name: str, value: Any) -> Bools:
    """Return which rows have a value in a column; all where there is no such column."""
    import pyarrow.compute as pc

    if name not in table.column_names:
        return np.ones(len(table), dtype=bool)
    found = pc.fill_null(pc.equal(table[name], value), False)
    return np.asarray(found, dtype=bool)


def _pairs(table: pa.Table) -> pa.Table:
    """Return attributes as one row for each: respondent_id, name, value."""
    import pyarrow as pa

    ids, column = table["respondent_id"], table["attributes"].combine_chunks()
    if pa.types.is_map(column.type):
        # A million maps as Python objects take 1 GB.
        offsets = np.asarray(column.offsets)
        first, last = int(offsets[0]), int(offsets[-1])
        row = np.repeat(np.arange(len(column)), np.diff(offsets))
        names, values = (of.slice(first, last - first) for of in (column.keys, column.items))
    else:
        held = [dict(one or ()) for one in column.to_pylist()]
        row = np.repeat(np.arange(len(held)), [len(of) for of in held])
        names = pa.array([name for of in held for name in of], pa.string())
        values = pa.array([v for of in held for v in of.values()])
    return pa.table({"respondent_id": ids.take(pa.array(row)), "name": names, "value": values})


def _whole(table: Any, columns: tuple[str, ...]) -> pa.Table:
    """Return a table with all its columns, of which some must be there."""
    whole = arrow(table)
    require(whole, columns, "the table")
    return whole
