"""Similar respondents and their answers as tables, for every survey."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lupom.science.bayes.personas import encode_personas
from lupom.science.neighbours.nearest import nearest
from lupom.science.neighbours.vectors import informative
from lupom.science.neighbours.votes import vote
from lupom.science.tables import arrow, encoded, stack, surveys

if TYPE_CHECKING:
    import pyarrow as pa

ENCODINGS = ("onehot", "ordinal")


def similar_respondents(
    values: Any,
    dimensions: Any,
    roles: Any,
    attributes: Any = None,
    *,
    column: str = "refined_value",
    k: int = 20,
    encoding: str = "onehot",
    max_skew: float | None = 10.0,
    demographics: Sequence[str] = (),
    demographic_weight: float = 1.0,
) -> pa.Table:
    """Return the reference respondents whose personas are most like each respondent's.

    Parameters
    ----------
    values : table: survey, respondent_id, dimension_id and the value column; may be empty.
    dimensions : table: survey, dimension_id, level, candidate_values.
    roles : table: survey, respondent_id, role ('reference' may be a neighbour); only who stands
        here is looked at.
    attributes : table: survey, respondent_id, attributes (map); needed for demographics.
    column : name of the value column.
    k : neighbours of each respondent.
    encoding : 'onehot', or 'ordinal' where candidate values are in order; see `PersonaVectors`.
    max_skew : see `informative`; judged on reference respondents.
    demographics : attributes that count as further dimensions, one-hot.
    demographic_weight : their weight, that of a persona dimension being 1.

    Returns
    -------
    Table: survey, respondent_id, neighbour_id, rank (from 1), similarity (0 to 1).
    """
    import pyarrow as pa

    if encoding not in ENCODINGS:
        raise ValueError(f"unknown encoding {encoding!r}; known are {', '.join(ENCODINGS)}")
    schema = pa.schema(
        [
            ("respondent_id", pa.string()),
            ("neighbour_id", pa.string()),
            ("rank", pa.int64()),
            ("similarity", pa.float64()),
        ]
    )
    if demographics and attributes is None:
        raise ValueError("demographics need the table of attributes")
    known_attributes = arrow(
        roles if attributes is None else attributes,
        ("survey", "respondent_id", *(("attributes",) if demographics else ())),
    )
    parts = {}
    for survey, (asked, described, given, known) in surveys(
        arrow(roles, ("survey", "respondent_id", "role")),
        arrow(dimensions, ("survey", "dimension_id", "level", "candidate_values")),
        arrow(values, ("survey", "respondent_id", "dimension_id", column)),
        known_attributes,
    ):
        role = {str(row["respondent_id"]): row["role"] for row in asked.to_pylist()}
        personas = encode_personas(given, described, column=column, respondents=role)
        chosen = np.array([i for i, r in enumerate(personas.respondents) if r in role], dtype=int)
        ids = np.array([personas.respondents[i] for i in chosen], dtype=object)
        reference = np.array([role[i] == "reference" for i in ids], dtype=bool)
        codes, cards = personas.codes[chosen], list(personas.cardinalities)
        weights = np.ones(len(cards))
        ordinal = [encoding == "ordinal"] * len(cards)
        if demographics:
            more, more_cards = _attribute_codes(known, ids.tolist(), demographics)
            codes = np.concatenate([codes, more], axis=1)
            cards += more_cards
            weights = np.append(weights, np.full(len(more_cards), float(demographic_weight)))
            ordinal += [False] * len(more_cards)
        weights = weights * informative(codes[reference], max_skew=max_skew)
        near, similarity = nearest(codes, cards, reference, k, ordinal=ordinal, weights=weights)
        at, rank = np.nonzero(near >= 0)
        parts[survey] = pa.table(
            {
                "respondent_id": pa.array(ids[at], pa.string()),
                "neighbour_id": pa.array(ids[near[at, rank]], pa.string()),
                "rank": rank + 1,
                "similarity": similarity[at, rank],
            },
            schema=schema,
        )
    return stack(parts, schema)


def _attribute_codes(
    table: pa.Table, respondents: Sequence[str], names: Sequence[str]
) -> tuple[np.ndarray[Any, Any], list[int]]:
    """Return (n, attributes) codes of the respondents' attributes, and how many values each has."""
    of: dict[str, dict[str, str]] = {
        str(row["respondent_id"]): dict(row["attributes"] or ()) for row in table.to_pylist()
    }
    seen = {name for held in of.values() for name in held}
    for name in names:
        if of and name not in seen:
            raise ValueError(
                f"no respondent has the attribute {name!r}; known are {', '.join(sorted(seen))}"
            )
    codes = np.full((len(respondents), len(names)), -1, dtype=np.int32)
    cards = []
    for j, name in enumerate(names):
        words = [of.get(r, {}).get(name) for r in respondents]
        order = {w: i for i, w in enumerate(sorted({w for w in words if w is not None}))}
        codes[:, j] = [-1 if w is None else order[w] for w in words]
        cards.append(max(len(order), 1))
    return codes, cards


def neighbour_answers(similar: Any, responses: Any) -> pa.Table:
    """Return what the neighbours of each respondent answered to each question.

    Parameters
    ----------
    similar : table: survey, respondent_id, neighbour_id, rank.
    responses : table: survey, respondent_id, question_id, answer; known answers only. Rows of
        respondents who are nobody's neighbour are ignored.

    Returns
    -------
    Table: survey, respondent_id, question_id, answer (the most common; of equals the nearest
    neighbour's), share (of those neighbours who answered), n (how many answered), probabilities
    (map from answer to share). No row where no neighbour answered.
    """
    import pyarrow as pa

    schema = pa.schema(
        [
            ("respondent_id", pa.string()),
            ("question_id", pa.string()),
            ("answer", pa.string()),
            ("share", pa.float64()),
            ("n", pa.int64()),
            ("probabilities", pa.map_(pa.string(), pa.float64())),
        ]
    )
    parts = {}
    for survey, (pairs, given) in surveys(
        arrow(similar, ("survey", "respondent_id", "neighbour_id", "rank")),
        arrow(responses, ("survey", "respondent_id", "question_id", "answer")),
    ):
        ids, near, voters = _neighbour_matrix(pairs)
        person, people = encoded(given, "respondent_id")
        asked, questions = encoded(given, "question_id")
        word, words = encoded(given, "answer")
        row_of = {v: i for i, v in enumerate(voters)}
        row = np.array([row_of.get(p, -1) for p in people], dtype=np.int64)[person]
        use = np.flatnonzero((row >= 0) & (word >= 0) & (asked >= 0))
        blocks = []
        for question in sorted(questions):
            mine = use[asked[use] == questions.index(question)]
            told = sorted(words[w] for w in np.unique(word[mine]))
            code = {w: i for i, w in enumerate(told)}
            code_of = np.array([code.get(w, -1) for w in words], dtype=np.int64)
            answers = np.full(len(voters), -1, dtype=np.int64)
            answers[row[mine]] = code_of[word[mine]]
            result = vote(near, answers, len(told))
            some = np.flatnonzero(result.n > 0)
            counts = result.counts[some]
            at, value = np.nonzero(counts)
            offsets = np.concatenate([[0], np.cumsum((counts > 0).sum(axis=1))])
            labels = np.array(told, dtype=object)
            blocks.append(
                pa.table(
                    {
                        "respondent_id": pa.array(ids[some], pa.string()),
                        "question_id": pa.array([question] * len(some), pa.string()),
                        "answer": pa.array(labels[result.answer[some]], pa.string()),
                        "share": result.share[some],
                        "n": result.n[some],
                        "probabilities": pa.MapArray.from_arrays(
                            pa.array(offsets, pa.int32()),
                            pa.array(labels[value], pa.string()),
                            pa.array(counts[at, value] / result.n[some][at]),
                        ),
                    },
                    schema=schema,
                )
            )
        if blocks:
            parts[survey] = pa.concat_tables(blocks).sort_by(
                [("respondent_id", "ascending"), ("question_id", "ascending")]
            )
    return stack(parts, schema)


def _neighbour_matrix(
    pairs: pa.Table,
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], list[str]]:
    """Return respondents' ids, the (n, k) rows of their neighbours, and the neighbours' ids."""
    person = np.array(pairs.column("respondent_id").to_pylist(), dtype=object)
    other = np.array(pairs.column("neighbour_id").to_pylist(), dtype=object)
    rank = pairs.column("rank").to_numpy().astype(np.int64)
    ids, row = np.unique(person, return_inverse=True)
    voters, place = np.unique(other, return_inverse=True)
    near = np.full((len(ids), int(rank.max(initial=1))), -1, dtype=np.int64)
    near[row, rank - 1] = place
    return ids, near, voters.tolist()
