"""Similar respondents and their answers as tables, for every survey."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lupom.batches import Map, in_batches
from lupom.science.inputs import Rows, columns_of
from lupom.science.neighbours.people import Inputs
from lupom.science.neighbours.retrieval import Key, keyed
from lupom.science.neighbours.search import tuned
from lupom.science.neighbours.settings import NO_NETWORK, Setting
from lupom.science.neighbours.votes import vote
from lupom.science.tables import encoded, streamed

if TYPE_CHECKING:
    import pyarrow as pa

# Rows of similar respondents that are made at a time.
_PART = 1_000_000


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
    return similar_respondents_in_parts(inputs, settings, search).read_all()


def similar_respondents_in_parts(
    inputs: Inputs, settings: Any = None, search: Any = None
) -> pa.RecordBatchReader:
    """Return what `similar_respondents` does, a million rows at a time, made as they are read.

    The 20 million rows of a million people are 2 GB; what they are made of is .3 GB.
    """
    given = Setting() if settings is None else settings
    if isinstance(given, Setting):
        roles = columns_of(inputs.roles, ("survey",))
        given = dict.fromkeys(roles["survey"].unique().to_pylist(), given)
    wanted = keyed(given) if search is None else tuned(given, search)
    # Found at once: whoever reads the parts may do so on the DuckDB connection of the tables.
    found = []
    for survey, people in inputs.people():
        if survey not in wanted:
            raise ValueError(f"survey {survey!r} has no retrieval setting")
        for key, setting in wanted[survey].items():
            try:
                similarity = people.compared_by(setting)
                asked = people.asked(similarity)
                near = people.nearest(setting, asked)
            except ValueError as error:
                raise ValueError(f"survey {survey!r}: {error}") from error
            found.append((survey, key, similarity, people.ids, asked, near))

    def parts() -> Iterator[tuple[str, pa.Table]]:
        for survey, key, similarity, ids, asked, (near, closeness) in found:
            step = max(_PART // max(near.shape[1], 1), 1)
            for start in range(0, len(asked), step):
                rows = slice(start, start + step)
                yield survey, _told(key, similarity, ids, asked[rows], near[rows], closeness[rows])

    return streamed(parts(), _similar_schema())


def _similar_schema() -> pa.Schema:
    import pyarrow as pa

    return pa.schema(
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


def _told(
    key: Key,
    similarity: str,
    ids: list[str],
    asked: NDArray[np.int64],
    near: NDArray[np.int64],
    closeness: NDArray[np.float64],
) -> pa.Table:
    """Return the neighbours of some respondents as rows."""
    import pyarrow as pa

    at, rank = np.nonzero(near >= 0)
    used, place = np.unique(near[at, rank], return_inverse=True)
    mine = pa.array([ids[i] for i in asked], pa.string())
    theirs = pa.array([ids[i] for i in used], pa.string())
    return pa.table(
        {
            "retrieval": pa.repeat(key.retrieval, len(at)),
            "network": pa.repeat(key.network, len(at)),
            "respondent_id": mine.take(pa.array(at)),
            "neighbour_id": theirs.take(pa.array(place)),
            "rank": rank + 1,
            "similarity": closeness[at, rank],
            "compared_by": pa.repeat(similarity, len(at)),
        },
        schema=_similar_schema(),
    )


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
    return neighbour_answers_in_parts(similar, responses, through=through).read_all()


def neighbour_answers_in_parts(
    similar: Any, responses: Any, *, through: Map = in_batches
) -> pa.RecordBatchReader:
    """Return what `neighbour_answers` does, a million rows at a time, made as they are read."""
    import pyarrow as pa

    schema = _answers_schema()
    for place, name in enumerate(Key._fields):
        schema = schema.insert(place, pa.field(name, pa.string()))
    pairs = Rows(similar, ("survey", "respondent_id", "neighbour_id", "rank"))
    given = Rows(responses, ("survey", "respondent_id", "question_id", "answer"))
    asked = []
    for survey in sorted(s for s in pairs.distinct("survey") if s is not None):
        for key, near in _by_key(pairs.of("survey", survey)):
            asked.append((survey, key, *_known(near, given.of("survey", survey))))

    def parts() -> Iterator[tuple[str, pa.Table]]:
        for survey, key, table, shared in asked:
            at_once = _BATCHES * _ROWS
            for first in range(0, len(table), at_once):
                people = table.slice(first, at_once)
                votes = through(voted, people, shared=shared, batch_rows=_ROWS)
                for start in range(0, len(votes), _PART):
                    part = votes.slice(start, _PART)
                    for place, name in enumerate(Key._fields):
                        word = pa.repeat(key[place], len(part)).cast(pa.string())
                        part = part.add_column(place, name, word)
                    yield survey, part
                # Not held while the next are made.
                del votes

    return streamed(parts(), schema)


class _Neighbours:
    """The neighbours of respondents, as they are read: places of theirs by rank."""

    def __init__(self) -> None:
        self._people: dict[str, int] = {}
        self._voters: dict[str, int] = {}
        self._near = np.full((0, 1), -1, dtype=np.int32)

    def add(self, part: pa.Table) -> None:
        """Add rows of respondent_id, neighbour_id, rank."""
        row, place = (
            _place(part, name, of)
            for name, of in (("respondent_id", self._people), ("neighbour_id", self._voters))
        )
        rank = part.column("rank").to_numpy().astype(np.int64)
        n, k = self._near.shape
        if len(self._people) > n:
            n = max(len(self._people), n + n // 2)
        k = max(k, int(rank.max(initial=1)))
        if (n, k) != self._near.shape:
            wider = np.full((n, k), -1, dtype=np.int32)
            wider[: len(self._near), : self._near.shape[1]] = self._near
            self._near = wider
        self._near[row, rank - 1] = place

    def sorted(self) -> tuple[list[str], NDArray[np.int32], list[str]]:
        """Return respondents, (n, k) places of their neighbours (-1 for none), and these."""
        people, voters = sorted(self._people), sorted(self._voters)
        rank = np.full(len(voters) + 1, -1, dtype=np.int32)
        rank[[self._voters[v] for v in voters]] = np.arange(len(voters))
        near = self._near[[self._people[p] for p in people]]
        return people, rank[near], voters


def _place(part: pa.Table, name: str, of: dict[str, int]) -> NDArray[np.int64]:
    """Return the places of a column's words among those met, to which new ones are added."""
    code, words = encoded(part, name)
    return np.array([of.setdefault(w, len(of)) for w in words], dtype=np.int64)[code]


def _by_key(pairs: Rows) -> Iterator[tuple[Key, _Neighbours]]:
    """Yield the neighbours by each setting, in the order of their first rows."""
    import pyarrow.compute as pc

    found: dict[Key, _Neighbours] = {}
    keyed_by = [name for name in Key._fields if name in pairs.columns]
    for part in pairs.parts((*keyed_by, "respondent_id", "neighbour_id", "rank")):
        settings = part.select(keyed_by).group_by(keyed_by, use_threads=False).aggregate([])
        for row in settings.to_pylist() if keyed_by else [{}]:
            mine = part
            for name, word in row.items():
                mine = mine.filter(pc.equal(mine[name], word))
            key = Key(**{"retrieval": "default", "network": NO_NETWORK, **row})
            found.setdefault(key, _Neighbours()).add(mine)
    yield from found.items()


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


# Respondents whose neighbours' answers are one batch of work, and batches whose results are held:
# of all at once, a million people's votes on 25 questions are 3 GB.
_ROWS, _BATCHES = 16384, 32


def _known(near: _Neighbours, given: Rows) -> tuple[pa.Table, dict[str, Any]]:
    """Return the neighbours of one setting in one survey, and what these answered; see `voted`."""
    import pyarrow as pa

    ids, places, voters = near.sorted()
    row_of = {v: i for i, v in enumerate(voters)}
    # Of each question the answers in the order they are met, until all are known.
    met: dict[str, dict[str, int]] = {}
    columns: dict[str, NDArray[np.int32]] = {}
    for part in given.parts(("respondent_id", "question_id", "answer")):
        person, people = encoded(part, "respondent_id")
        asked, questions = encoded(part, "question_id")
        word, said = encoded(part, "answer")
        row = np.array([row_of.get(p, -1) for p in people], dtype=np.int64)[person]
        use = np.flatnonzero((row >= 0) & (word >= 0) & (asked >= 0))
        for j, question in enumerate(questions):
            mine = use[asked[use] == j]
            found = met.setdefault(question, {})
            code_of = np.full(len(said), -1, dtype=np.int32)
            for w in np.unique(word[mine]):
                code_of[w] = found.setdefault(said[w], len(found))
            codes = columns.setdefault(question, np.full(len(voters), -1, dtype=np.int32))
            codes[row[mine]] = code_of[word[mine]]
    asked_of = sorted(columns)
    answers = np.full((len(asked_of), len(voters)), -1, dtype=np.int32)
    labels = [sorted(met[question]) for question in asked_of]
    for j, question in enumerate(asked_of):
        order = {w: i for i, w in enumerate(labels[j])}
        place_of = np.array([*(order[w] for w in met[question]), -1], dtype=np.int32)
        answers[j] = place_of[columns[question]]
    flat = pa.array(places.reshape(-1))
    table = pa.table(
        {
            "respondent_id": pa.array(ids, pa.string()),
            "near": pa.FixedSizeListArray.from_arrays(flat, places.shape[1]),
        }
    )
    return table, {"answers": answers, "questions": asked_of, "labels": labels}


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
