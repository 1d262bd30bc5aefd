"""The respondents of one survey as what they can be compared by: personas, attributes, answers."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lupom.batches import Map, in_batches
from lupom.science.bayes.personas import encode_personas
from lupom.science.drawn import drawn
from lupom.science.inputs import arrow, columns_in, columns_of, require
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

# Rows of values that are read at a time.
_ROWS = 2_000_000
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

    codes: Ints
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
        values: pa.Table,
        dimensions: pa.Table,
        roles: pa.Table,
        *,
        attributes: pa.Table | None = None,
        known: pa.Table | None = None,
        questions: pa.Table | None = None,
        embed: Embed | None = None,
        method: str = "auto",
        elsewhere: frozenset[str] = frozenset(),
        candidates: int | None = None,
        seed: int = 0,
        through: Map = in_batches,
    ) -> None:
        rows = {str(r["respondent_id"]): r for r in roles.to_pylist()}
        self.ids = sorted(rows)
        self.row_of = {respondent: i for i, respondent in enumerate(self.ids)}
        ordered = [rows[i] for i in self.ids]
        self.reference = np.array([r["role"] == "reference" for r in ordered], dtype=bool)
        self.new = np.array([r["role"] == "new" for r in ordered], dtype=bool)
        self._has_persona = np.array([r.get("has_persona", True) for r in ordered], dtype=bool)
        self._asked = np.array([r.get("asked", True) for r in ordered], dtype=bool)
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

    def _values_of(self, network: str | None) -> pa.Table:
        """Return the values of one network; of 'none' those of any, whose raw ones are the same."""
        import pyarrow.compute as pc

        if network is None or "network" not in self._values.column_names:
            return self._values
        of = self._values["network"]
        wanted = pc.min(of) if network == NO_NETWORK else network
        return self._values.filter(pc.equal(of, wanted))

    def _persona_features(self, personas: str, network: str | None, certainly: bool) -> Features:
        column, certain = _VALUES[personas]
        table = self._values_of(network)
        n = len(self.ids)
        personas_ = encode_personas(table, self._dimensions, column=column, respondents=self.ids)
        chosen = np.array([self.row_of.get(r, -1) for r in personas_.respondents], dtype=np.int64)
        codes = np.full((n, len(personas_.dimensions)), -1, dtype=np.int64)
        codes[chosen[chosen >= 0]] = personas_.codes[chosen >= 0]
        certainty = None
        if certainly:
            certainty = np.ones(codes.shape)
        if certainty is not None and certain in table.column_names:
            for start in range(0, len(table), _ROWS):
                part = table.slice(start, _ROWS)
                person, people = encoded(part, "respondent_id")
                dimension, found = encoded(part, "dimension_id")
                place = {name: j for j, name in enumerate(personas_.dimensions)}
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
        seen = sorted({name for mine in held for name in mine})
        names = seen if setting.demographics == "all" else list(setting.demographics)
        # What another survey has is not a slip of the pen; this one is compared by what it has.
        missing = [name for name in names if seen and name not in seen]
        strange = [name for name in missing if name not in self._elsewhere]
        if strange or (missing and len(missing) == len(names)):
            name = (strange or missing)[0]
            raise ValueError(
                f"no respondent has the attribute {name!r}; known are {', '.join(seen)}"
            )
        names = [name for name in names if name not in missing]
        codes = np.full((len(self.ids), len(names)), -1, dtype=np.int64)
        words = []
        for j, name in enumerate(names):
            mine = [of.get(name) for of in held]
            words.append(sorted({w for w in mine if w is not None}))
            order = {w: i for i, w in enumerate(words[-1])}
            codes[:, j] = [-1 if w is None else order[w] for w in mine]
        return Features(codes, names, words, [False] * len(names))

    @cached_property
    def _held(self) -> list[dict[str, str]]:
        """Return each respondent's attributes."""
        if self._attributes is None:
            raise ValueError("demographics need the table of attributes")
        of = {
            str(row["respondent_id"]): dict(row["attributes"] or ())
            for row in self._attributes.to_pylist()
        }
        return [of.get(i, {}) for i in self.ids]

    @cached_property
    def answers(self) -> Features:
        """Return the known answers, a question a dimension."""
        n = len(self.ids)
        if self._known is None:
            return Features(np.full((n, 0), -1), [], [], [])
        table = self._known
        person, people = encoded(table, "respondent_id")
        asked, questions = encoded(table, "question_id")
        word, said = encoded(table, "answer")
        place = {q: j for j, q in enumerate(sorted(questions))}
        options, called, ordered = self._described()
        row = np.array([self.row_of.get(p, -1) for p in people], dtype=np.int64)[person]
        column = np.array([place[q] for q in questions], dtype=np.int64)[asked]
        use = np.flatnonzero((row >= 0) & (word >= 0))
        codes = np.full((n, len(place)), -1, dtype=np.int64)
        words: list[list[str]] = []
        order = use[np.argsort(column[use], kind="stable")]
        bounds = np.searchsorted(column[order], np.arange(len(place) + 1))
        for j, question in enumerate(place):
            mine = order[bounds[j] : bounds[j + 1]]
            found = {said[w] for w in np.unique(word[mine])}
            listed = [o for o in options.get(question, []) if o is not None]
            words.append([*listed, *sorted(found - set(listed))])
            code = {w: i for i, w in enumerate(words[-1])}
            code_of = np.array([code.get(w, -1) for w in said], dtype=np.int64)
            codes[row[mine], j] = code_of[word[mine]]
        return Features(
            codes,
            [called.get(q, q) for q in place],
            words,
            [ordered.get(q, False) for q in place],
            ids=list(place),
        )

    def _described(self) -> tuple[dict[str, list[str]], dict[str, str], dict[str, bool]]:
        """Return each question's options, wording, and whether its options are in order."""
        rows = [] if self._questions is None else self._questions.to_pylist()
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

    def people(self, personas: Collection[str] = tuple(_VALUES)) -> Iterator[tuple[str, People]]:
        """Yield each survey's name and its respondents.

        `personas` are the kinds of persona values that will be compared, 'refined' and 'raw'.
        """
        required: list[tuple[Any, tuple[str, ...]]] = [
            (self.roles, ("survey", "respondent_id", "role")),
            (self.dimensions, ("survey", "dimension_id", "level", "candidate_values")),
        ]
        own = ("survey", "respondent_id", "dimension_id")
        more = ("network", *(name for kind in sorted(personas) for name in _VALUES[kind]))
        values = columns_of(
            self.values, [*own, *(name for name in more if name in columns_in(self.values))]
        )
        optional: Sequence[tuple[Any, tuple[str, ...]]] = [
            (self.attributes, ("survey", "respondent_id", "attributes")),
            (self.questions, ("survey", "question_id", "options")),
        ]
        tables = [*(_whole(table, columns) for table, columns in required), values]
        extra = [None if t is None else _whole(t, columns) for t, columns in optional]
        extra[1:1] = [None if self.known is None else columns_of(self.known, _KNOWN)]
        there = [table for table in extra if table is not None]
        elsewhere = _attribute_names(extra[0])
        for survey, (roles, dimensions, values, *rest) in surveys(*tables, *there):
            given = iter(rest)
            known_of = [None if table is None else next(given) for table in extra]
            attributes, known, questions = known_of
            yield (
                survey,
                People(
                    values,
                    dimensions,
                    roles,
                    attributes=attributes,
                    known=known,
                    questions=questions,
                    embed=self.embed,
                    method=self.method,
                    elsewhere=elsewhere,
                    candidates=self.candidates,
                    seed=self.seed,
                    through=self.through,
                ),
            )


def _attribute_names(attributes: pa.Table | None) -> frozenset[str]:
    """Return the names of all attributes in a table of respondents."""
    if attributes is None:
        return frozenset()
    import pyarrow as pa
    import pyarrow.compute as pc

    column = attributes["attributes"]
    if pa.types.is_map(column.type):
        # A million maps as Python objects take 1 GB.
        keys = (pc.unique(chunk.keys).to_pylist() for chunk in column.chunks)
        return frozenset(name for some in keys for name in some)
    maps = column.to_pylist()
    return frozenset(name for one in maps for name in dict(one or ()))


def _whole(table: Any, columns: tuple[str, ...]) -> pa.Table:
    """Return a table with all its columns, of which some must be there."""
    whole = arrow(table)
    require(whole, columns, "the table")
    return whole
