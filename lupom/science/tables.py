"""Arrow tables as arrays, split by survey and put together again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pyarrow as pa


def encoded(table: pa.Table, name: str) -> tuple[NDArray[np.int64], list[str]]:
    """Return a text column as codes and the words they stand for; -1 where it is null."""
    import pyarrow as pa

    column = table.column(name).cast(pa.string()).combine_chunks().dictionary_encode()
    if isinstance(column, pa.ChunkedArray):
        column = column.unify_dictionaries().combine_chunks()
    index = column.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    return index.astype(np.int64), column.dictionary.to_pylist()


def option_codes(
    answers: pa.Array | pa.ChunkedArray,
    question: NDArray[np.int64],
    options: Sequence[Sequence[str]],
) -> NDArray[np.int64]:
    """Return each answer as the index of its option in its own question; -1 where it is none.

    Parameters
    ----------
    answers : (n), texts, null where there is no answer.
    question : (n), the place of each answer's question in `options`.
    options : labels by question.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    column = answers.combine_chunks() if isinstance(answers, pa.ChunkedArray) else answers
    found = column.dictionary_encode()
    place = {label: i for i, label in enumerate(found.dictionary.to_pylist())}
    # One row more than there are labels: -1, the index of a null, finds it.
    codes = np.full((len(place) + 1, max(len(options), 1)), -1, dtype=np.int64)
    for column_of, given in enumerate(options):
        for code, label in enumerate(given):
            if label in place:
                codes[place[label], column_of] = code
    label_of = np.asarray(pc.fill_null(found.indices, -1), dtype=np.int64)
    return np.asarray(codes[label_of, question])


def surveys(*tables: pa.Table) -> Iterator[tuple[str, tuple[pa.Table, ...]]]:
    """Yield each survey of the first table, in order, with its rows of all the tables."""
    import pyarrow.compute as pc

    names = [name for name in pc.unique(tables[0].column("survey")).to_pylist() if name is not None]
    for survey in sorted(names):
        yield survey, tuple(_of(t, survey) for t in tables)


def _of(table: pa.Table, survey: str) -> pa.Table:
    import pyarrow.compute as pc

    mine = pc.fill_null(pc.equal(table.column("survey"), survey), False)
    # Most projects have one survey, of which a copy would be as large again.
    return table if pc.all(mine, min_count=0).as_py() else table.filter(mine)


def stack(parts: Mapping[str, pa.Table], schema: pa.Schema) -> pa.Table:
    """Return the tables of several surveys as one with a first column `survey`.

    Parameters
    ----------
    parts : table by survey, each with the columns of schema.
    schema : names and types without `survey`; what comes back when there is no part.
    """
    import pyarrow as pa

    whole = pa.schema([pa.field("survey", pa.string()), *schema])
    tables = [
        part.cast(schema).add_column(0, whole.field(0), pa.repeat(survey, len(part)))
        for survey, part in parts.items()
    ]
    return pa.concat_tables(tables) if tables else whole.empty_table()


def streamed(parts: Iterable[tuple[str, pa.Table]], schema: pa.Schema) -> pa.RecordBatchReader:
    """Return what `stack` does, part by part as it is read; a survey may have several parts.

    Parameters
    ----------
    parts : survey and table, each made when it is its turn.
    schema : as for `stack`.
    """
    import pyarrow as pa

    whole = pa.schema([pa.field("survey", pa.string()), *schema])

    def batches() -> Iterator[pa.RecordBatch]:
        for survey, part in parts:
            yield from stack({survey: part}, schema).to_batches()

    return pa.RecordBatchReader.from_batches(whole, batches())
