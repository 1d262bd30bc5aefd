"""Similar respondents and their answers as tables, for every survey."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from lupom.science.neighbours.people import Inputs
from lupom.science.neighbours.settings import Setting
from lupom.science.neighbours.votes import vote
from lupom.science.tables import arrow, encoded, stack, surveys

if TYPE_CHECKING:
    import pyarrow as pa


def similar_respondents(
    inputs: Inputs, settings: Setting | Mapping[str, Setting] | None = None
) -> pa.Table:
    """Return the reference respondents most like each respondent.

    Parameters
    ----------
    inputs : the tables, see `Inputs`.
    settings : how they are found, the same for all surveys or one for each.

    Returns
    -------
    Table: survey, respondent_id, neighbour_id, rank (from 1), similarity (0 to 1; a cosine of
    embeddings from -1), compared_by (see `People.compared_by`). Of a respondent there is nothing
    to compare of there is no row.

    Raises
    ------
    ValueError : for a survey without a setting, and attributes that no respondent has.
    """
    import pyarrow as pa

    schema = pa.schema(
        [
            ("respondent_id", pa.string()),
            ("neighbour_id", pa.string()),
            ("rank", pa.int64()),
            ("similarity", pa.float64()),
            ("compared_by", pa.string()),
        ]
    )
    parts = {}
    for survey, people in inputs.people():
        setting = settings if isinstance(settings, Setting) else (settings or {}).get(survey)
        if setting is None and settings is None:
            setting = Setting()
        if setting is None:
            raise ValueError(f"survey {survey!r} has no retrieval setting")
        try:
            similarity = people.compared_by(setting)
            asked = people.asked(similarity)
            near, closeness = people.nearest(setting, asked)
        except ValueError as error:
            raise ValueError(f"survey {survey!r}: {error}") from error
        ids = np.array(people.ids, dtype=object)
        at, rank = np.nonzero(near >= 0)
        parts[survey] = pa.table(
            {
                "respondent_id": pa.array(ids[asked[at]], pa.string()),
                "neighbour_id": pa.array(ids[near[at, rank]], pa.string()),
                "rank": rank + 1,
                "similarity": closeness[at, rank],
                "compared_by": pa.repeat(similarity, len(at)),
            },
            schema=schema,
        )
    return stack(parts, schema)


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
