"""Arrow tables split by survey and put together again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pyarrow as pa


def arrow(table: Any, columns: tuple[str, ...]) -> pa.Table:
    """Return some columns of a table as an Arrow table.

    Parameters
    ----------
    table : whatever `inputs.arrow` takes.
    columns : names, in the order wanted.

    Raises
    ------
    ValueError : when a column is not there.
    """
    from lupom.science import inputs

    whole = inputs.arrow(table)
    absent = [name for name in columns if name not in whole.column_names]
    if absent:
        raise ValueError(
            f"column {absent[0]!r} is missing; the table has {', '.join(whole.column_names)}"
        )
    return whole.select(list(columns))


def encoded(table: pa.Table, name: str) -> tuple[NDArray[np.int64], list[str]]:
    """Return a text column as codes and the words they stand for; -1 where it is null."""
    import pyarrow as pa

    column = table.column(name).cast(pa.string()).combine_chunks().dictionary_encode()
    if isinstance(column, pa.ChunkedArray):
        column = column.unify_dictionaries().combine_chunks()
    index = column.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    return index.astype(np.int64), column.dictionary.to_pylist()


def surveys(*tables: pa.Table) -> Iterator[tuple[str, tuple[pa.Table, ...]]]:
    """Yield each survey of the first table, in order, with its rows of all the tables."""
    import pyarrow.compute as pc

    names = [name for name in pc.unique(tables[0].column("survey")).to_pylist() if name is not None]
    for survey in sorted(names):
        yield (
            survey,
            tuple(t.filter(pc.equal(t.column("survey"), survey)) for t in tables),
        )


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
        part.cast(schema).add_column(0, whole.field(0), pa.array([survey] * len(part), pa.string()))
        for survey, part in parts.items()
    ]
    return pa.concat_tables(tables) if tables else whole.empty_table()
