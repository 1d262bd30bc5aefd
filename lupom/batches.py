"""Tables worked in batches, in an order and of sizes that do not depend on who does the work.

It stands below engine and science: science says what is done to a batch, the engine where. The
sums of floating-point numbers depend on the shape of what is summed; so batches are cut by the
caller's number of rows alone, BLAS is kept to one thread, and results stand in the order of the
batches, which makes them the same to the last bit in one process or on a cluster.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from numbers import Integral
from typing import TYPE_CHECKING, Any, Protocol

from lupom.blas import one_thread

if TYPE_CHECKING:
    import pyarrow as pa

# Rows of a batch where the caller does not say.
BATCH_ROWS = 8192


class Map(Protocol):
    """What `in_batches` does, here or elsewhere; a Python model has one as `lupom.map`."""

    def __call__(
        self,
        function: Callable[..., Any],
        table: Any,
        *,
        shared: Mapping[str, Any] | None = None,
        batch_rows: int = BATCH_ROWS,
    ) -> pa.Table: ...


def in_batches(
    function: Callable[..., Any],
    table: Any,
    *,
    shared: Mapping[str, Any] | None = None,
    batch_rows: int = BATCH_ROWS,
) -> pa.Table:
    """Return what a function makes of a table, batch by batch, in this process.

    Parameters
    ----------
    function : defined at the top of a module. Called as function(batch, **shared), batch being an
        Arrow table; returns an Arrow or pandas table of the same columns each time. A class
        is made once as function(**shared), and what it makes is called with each batch.
    table : an Arrow or pandas table, a DuckDB relation. Without rows it is one batch of none.
    shared : what every batch needs, by name: Arrow tables, NumPy arrays, and what JSON can say.
        They are not to be changed.
    batch_rows : rows of a batch, the last one having what is left. Results may depend on it
        (by the last bits of sums, by what the function does), and on nothing else.

    Returns
    -------
    The results one after the other.

    Raises
    ------
    ValueError : for a function that has no name in a module, shared values of other kinds, and
        results that are no table or have other columns than the first, or types that have none in
        common. Whole numbers beside fractions, as pandas makes them where some are NULL, and
        decimals of different width are no other types, as long as no digit is lost.
    """
    work = worker_of(function, shareable(shared))
    return joined([work(batch) for batch in split(table, batch_rows)])


def named(function: Callable[..., Any]) -> str:
    """Return 'module:name' of a function or class; raises ValueError where it has none."""
    module, name = getattr(function, "__module__", None), getattr(function, "__qualname__", None)
    if not callable(function) or not module or not name or "<" in name:
        raise ValueError(
            f"map() needs a function defined at the top of a module, not {name or function}: "
            "another process finds it by its name"
        )
    return f"{module}:{name}"


def split(table: Any, batch_rows: int) -> Iterator[pa.Table]:
    """Yield a table's batches; one without rows where it has none."""
    whole = isinstance(batch_rows, Integral) and not isinstance(batch_rows, bool)
    if not whole or batch_rows < 1:
        raise ValueError(f"batch_rows must be a whole number from 1, not {batch_rows!r}")
    rows = tabular(table)
    for start in range(0, max(len(rows), 1), batch_rows):
        yield unsliced(rows.slice(start, batch_rows))


def shareable(shared: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return shared values as every worker sees them: tables, arrays read-only, and JSON."""
    if shared is not None and not isinstance(shared, Mapping):
        raise ValueError(f"shared is values by name, not {type(shared).__name__}")
    return {name: _shareable(name, value) for name, value in (shared or {}).items()}


def _shareable(name: str, value: Any) -> Any:
    import numpy as np

    if isinstance(value, np.ma.MaskedArray):
        raise ValueError(f"shared {name!r} is a masked array; share values and mask as two")
    if isinstance(value, np.ndarray):
        if value.dtype.hasobject:
            raise ValueError(f"shared {name!r} is an array of Python objects; make it an Arrow one")
        view = np.ascontiguousarray(value).view()
        view.flags.writeable = False
        return view
    if hasattr(value, "__arrow_c_stream__") or _of_pandas(value):
        return tabular(value)
    try:
        return json.loads(json.dumps(value))
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"shared {name!r} is {type(value).__name__}: a table, a NumPy array or what JSON can "
            "say goes to other processes"
        ) from error


def worker_of(function: Callable[..., Any], shared: Mapping[str, Any]) -> Callable[[Any], Any]:
    """Return what makes an Arrow table of each batch: by the function, or by what a class makes.

    Raises ValueError for a result that is no table.
    """
    name = named(function).partition(":")[2]

    def told(result: Any) -> Any:
        try:
            return tabular(result)
        except ValueError as error:
            raise ValueError(f"{name} is to return a table: {error}") from None

    if inspect.isclass(function):
        with one_thread():
            made: Any = function(**shared)

        def call(batch: Any) -> Any:
            with one_thread():
                return told(made(batch))

        return call

    def work(batch: Any) -> Any:
        with one_thread():
            return told(function(batch, **shared))

    return work


def tabular(value: Any) -> pa.Table:
    """Return a table of any kind as an Arrow table; raises ValueError where it is none."""
    import pyarrow as pa

    if isinstance(value, pa.Table):
        return value
    if isinstance(value, pa.RecordBatch):
        return pa.Table.from_batches([value])
    if _of_pandas(value):
        return pa.Table.from_pandas(value, preserve_index=False)
    if hasattr(value, "__arrow_c_stream__"):
        # A single column has a stream, too.
        with suppress(pa.ArrowInvalid):
            return pa.table(value)
    raise ValueError(
        f"expected a table (Arrow, pandas, polars, DuckDB), got {type(value).__name__}"
    )


def unsliced(table: pa.Table) -> pa.Table:
    """Return a table whose columns of unions begin where their memory does.

    DuckDB 1.5 reads the unions of a slice from the beginning of what it was cut from.
    """
    import pyarrow as pa

    if not any(_has_union(field.type) for field in table.schema):
        return table
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return pa.ipc.open_stream(sink.getvalue()).read_all()


def _has_union(kind: pa.DataType) -> bool:
    import pyarrow as pa

    if pa.types.is_union(kind):
        return True
    return any(_has_union(kind.field(i).type) for i in range(kind.num_fields))


def _of_pandas(value: Any) -> bool:
    return type(value).__module__.split(".")[0] == "pandas" and hasattr(value, "columns")


def joined(results: list[pa.Table]) -> pa.Table:
    """Return the tables of all batches as one; raises ValueError where columns differ."""
    import pyarrow as pa

    for number, one in enumerate(results):
        if one.column_names != results[0].column_names:
            raise ValueError(
                f"batch {number + 1} has the columns {', '.join(one.column_names)}, and the first "
                f"one {', '.join(results[0].column_names)}"
            )
    try:
        # A batch of pandas has types of its own: none where all is NULL, fractions where some of
        # its whole numbers are, decimals as wide as its widest. Arrow raises where a digit is lost.
        return pa.concat_tables(results, promote_options="permissive")
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise ValueError(f"batches have columns of different types: {error}") from error
