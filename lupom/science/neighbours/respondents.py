"""Similar respondents and their answers as tables, for every survey."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lupom.batches import Map, in_batches
from lupom.science.inputs import arrow, columns_of
from lupom.science.neighbours.people import Inputs
from lupom.science.neighbours.retrieval import Key, keyed
from lupom.science.neighbours.search import tuned
from lupom.science.neighbours.settings import NO_NETWORK, Setting
from lupom.science.neighbours.votes import vote
from lupom.science.tables import encoded, stack, surveys

if TYPE_CHECKING:
    import pyarrow as pa


def similar_respondents(inputs: Inputs, settings: Any = None, search: Any = None) -> pa.Table:
    """Return the reference respondents most like each respondent.

    Parameters
    ----------
    inputs : the tables, see `Inputs`.
    settings : how they are found: the table of `retrieval_settings`; or one for all surveys
        (`Setting()` when left out) or for each, whose retrieval is then called 'default'.
    search : table of `search_settings`, for settings that are 'tuned'.

    Returns
    -------
    Table: survey, retrieval, network (see `retrieval_settings`), respondent_id, neighbour_id, rank
    (from 1), similarity (0 to 1; a cosine of embeddings from -1), compared_by (see
    `People.compared_by`). Of a respondent there is nothing to compare of there is no row.

    Raises
    ------
    ValueError : for a survey without a setting, and attributes that no respondent has.
    """
    import pyarrow as pa

    schema = pa.schema(
        [
            ("retrieval", pa.string()),
            ("network", pa.string()),
            ("respondent_id", pa.string()),
            ("neighbour_id", pa.string()),
            ("rank", pa.int64()),
            ("similarity", pa.float64()),
            ("compared_by", pa.string()),
        ]
    )
    given = Setting() if settings is None else settings
    if isinstance(given, Setting):
        roles = columns_of(inputs.roles, ("survey",))
        given = dict.fromkeys(roles["survey"].unique().to_pylist(), given)
    wanted = keyed(given) if search is None else tuned(given, search)
    parts = {}
    compared = {setting.personas for of in wanted.values() for setting in of.values()}
    for survey, people in inputs.people(compared):
        if survey not in wanted:
            raise ValueError(f"survey {survey!r} has no retrieval setting")
        tables = []
        for key, setting in wanted[survey].items():
            try:
                similarity = people.compared_by(setting)
                asked = people.asked(similarity)
                near, closeness = people.nearest(setting, asked)
            except ValueError as error:
                raise ValueError(f"survey {survey!r}: {error}") from error
            ids = pa.array(people.ids, pa.string())
            at, rank = np.nonzero(near >= 0)
            tables.append(
                pa.table(
                    {
                        "retrieval": pa.repeat(key.retrieval, len(at)),
                        "network": pa.repeat(key.network, len(at)),
                        "respondent_id": ids.take(pa.array(asked[at])),
                        "neighbour_id": ids.take(pa.array(near[at, rank])),
                        "rank": rank + 1,
                        "similarity": closeness[at, rank],
                        "compared_by": pa.repeat(similarity, len(at)),
                    },
                    schema=schema,
                )
            )
        parts[survey] = pa.concat_tables(tables)
    return stack(parts, schema)


def neighbour_answers(similar: Any, responses: Any, *, through: Map = in_batches) -> pa.Table:
    """Return what the neighbours of each respondent answered to each question.

    Parameters
    ----------
    similar : table: survey, respondent_id, neighbour_id, rank; retrieval and network where there
        are such columns, which are then 'default' and 'none'.
    responses : table: survey, respondent_id, question_id, answer; known answers only. Rows of
        respondents who are nobody's neighbour are ignored.
    through : works blocks of respondents, here or elsewhere; see `lupom.batches`.

    Returns
    -------
    Table: survey, retrieval, network, respondent_id, question_id, answer (the most common; of
    equals the nearest neighbour's), share (of those neighbours who answered), n (how many
    answered), probabilities (map from answer to share). No row where no neighbour answered.
    """
    import pyarrow as pa

    schema = _answers_schema().insert(0, pa.field("network", pa.string()))
    schema = schema.insert(0, pa.field("retrieval", pa.string()))
    parts = {}
    for survey, (pairs, given) in surveys(
        _with_key(similar),
        columns_of(responses, ("survey", "respondent_id", "question_id", "answer")),
    ):
        tables = []
        for key, rows in _by_key(pairs):
            votes = _votes(rows, given, through)
            for place, name in enumerate(Key._fields):
                word = pa.repeat(key[place], len(votes)).cast(pa.string())
                votes = votes.add_column(place, name, word)
            tables.append(votes)
        if tables:
            parts[survey] = pa.concat_tables(tables)
    return stack(parts, schema)


def _with_key(similar: Any) -> pa.Table:
    """Return the columns that count, with the key of a setting where there is none."""
    import pyarrow as pa

    whole = arrow(similar)
    for name, word in zip(Key._fields, ("default", NO_NETWORK), strict=True):
        if name not in whole.column_names:
            column = pa.array([word] * len(whole), pa.string())
            whole = whole.append_column(name, column)
    return columns_of(whole, ("survey", *Key._fields, "respondent_id", "neighbour_id", "rank"))


def _by_key(pairs: pa.Table) -> Iterator[tuple[Key, pa.Table]]:
    """Yield the rows of each setting, in the order of their first."""
    import pyarrow.compute as pc

    found = pairs.select(list(Key._fields)).group_by(list(Key._fields), use_threads=False)
    for row in found.aggregate([]).to_pylist():
        key = Key(**row)
        mine = pc.and_(pc.equal(pairs["retrieval"], key[0]), pc.equal(pairs["network"], key[1]))
        yield key, pairs.filter(mine)


def _answers_schema() -> pa.Schema:
    import pyarrow as pa

    return pa.schema(
        [
            ("respondent_id", pa.string()),
            ("question_id", pa.string()),
            ("answer", pa.string()),
            ("share", pa.float64()),
            ("n", pa.int64()),
            ("probabilities", pa.map_(pa.string(), pa.float64())),
        ]
    )


# Respondents whose neighbours' answers are one batch of work.
_ROWS = 16384


def _votes(pairs: pa.Table, given: pa.Table, through: Map) -> pa.Table:
    """Return the votes of one setting's neighbours in one survey."""
    import pyarrow as pa

    ids, near, voters = _neighbour_matrix(pairs)
    person, people = encoded(given, "respondent_id")
    asked, questions = encoded(given, "question_id")
    word, words = encoded(given, "answer")
    row_of = {v: i for i, v in enumerate(voters)}
    row = np.array([row_of.get(p, -1) for p in people], dtype=np.int64)[person]
    use = np.flatnonzero((row >= 0) & (word >= 0) & (asked >= 0))
    row, word, asked = row[use], word[use], asked[use]
    order = np.argsort(asked, kind="stable")
    bounds = np.searchsorted(asked[order], np.arange(len(questions) + 1))
    place = {question: i for i, question in enumerate(questions)}
    answers = np.full((len(questions), len(voters)), -1, dtype=np.int32)
    labels: list[list[str]] = []
    for j, question in enumerate(sorted(questions)):
        mine = order[bounds[place[question]] : bounds[place[question] + 1]]
        labels.append(sorted(words[w] for w in np.unique(word[mine])))
        code = {w: i for i, w in enumerate(labels[-1])}
        code_of = np.array([code.get(w, -1) for w in words], dtype=np.int32)
        answers[j, row[mine]] = code_of[word[mine]]
    if not len(ids):
        return _answers_schema().empty_table()
    table = pa.table(
        {
            "respondent_id": ids,
            "near": pa.FixedSizeListArray.from_arrays(pa.array(near.reshape(-1)), near.shape[1]),
        }
    )
    shared = {"answers": answers, "questions": sorted(questions), "labels": labels}
    return through(voted, table, shared=shared, batch_rows=_ROWS)


def voted(
    batch: pa.Table, answers: NDArray[np.int32], questions: list[str], labels: list[list[str]]
) -> pa.Table:
    """Return the votes of the neighbours of a batch of respondents.

    Parameters
    ----------
    batch : respondent_id, and near, the columns of their neighbours in answers (-1 for none).
    answers : (questions, voters) place in the question's labels of what each answered, -1 for none.
    questions, labels : sorted ids, and answers of each.
    """
    import pyarrow as pa

    schema = _answers_schema()
    ids = batch["respondent_id"].combine_chunks()
    parts = [chunk.flatten().to_numpy(zero_copy_only=False) for chunk in batch["near"].chunks]
    near = np.concatenate(parts).reshape(len(batch), -1).astype(np.int64)
    blocks = []
    for question, given, told in zip(questions, answers, labels, strict=True):
        result = vote(near, given, len(told))
        some = np.flatnonzero(result.n > 0)
        counts = result.counts[some]
        at, value = np.nonzero(counts)
        offsets = np.concatenate([[0], np.cumsum((counts > 0).sum(axis=1))])
        words = pa.array(told, pa.string())
        blocks.append(
            pa.table(
                {
                    "respondent_id": ids.take(pa.array(some)),
                    "question_id": pa.repeat(question, len(some)),
                    "answer": words.take(pa.array(result.answer[some])),
                    "share": result.share[some],
                    "n": result.n[some],
                    "probabilities": pa.MapArray.from_arrays(
                        pa.array(offsets, pa.int32()),
                        words.take(pa.array(value)),
                        pa.array(counts[at, value] / result.n[some][at]),
                    ),
                },
                schema=schema,
            )
        )
    if not blocks:
        return schema.empty_table()
    # Respondents come in the order of their ids, so that batches follow each other in it.
    return pa.concat_tables(blocks).sort_by(
        [("respondent_id", "ascending"), ("question_id", "ascending")]
    )


def _neighbour_matrix(pairs: pa.Table) -> tuple[pa.Array, NDArray[np.int32], list[str]]:
    """Return respondents' ids, the (n, k) places of their neighbours, and the neighbours' ids."""
    import pyarrow as pa

    row, ids = _sorted(*encoded(pairs, "respondent_id"))
    place, voters = _sorted(*encoded(pairs, "neighbour_id"))
    rank = pairs.column("rank").to_numpy().astype(np.int64)
    near = np.full((len(ids), int(rank.max(initial=1))), -1, dtype=np.int32)
    near[row, rank - 1] = place
    return pa.array(ids, pa.string()), near, voters


def _sorted(codes: NDArray[np.int64], words: list[str]) -> tuple[NDArray[np.int64], list[str]]:
    """Return codes of the words in order, and these."""
    order = sorted(range(len(words)), key=words.__getitem__)
    rank = np.empty(len(words), dtype=np.int64)
    rank[order] = np.arange(len(words))
    return rank[codes], [words[i] for i in order]
