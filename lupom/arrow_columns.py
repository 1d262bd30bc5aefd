"""Arrow columns of NumPy arrays and of texts.

`pa.array`, `pa.scalar` and all that takes a Python value import pandas where it is installed, which
is .25 s of CPU; a command that prints a thousand predictions takes five times as long.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    Bools = np.ndarray[Any, np.dtype[np.bool_]]
    Floats = np.ndarray[Any, np.dtype[np.float64]]
    Ints = np.ndarray[Any, np.dtype[np.int64]]


def texts(values: Sequence[str | None]) -> pa.Array:
    """Return texts as a column; None is null."""
    import numpy as np
    import pyarrow as pa

    encoded = [b"" if value is None else value.encode() for value in values]
    there = np.array([value is not None for value in values], dtype=bool)
    ends = np.cumsum([0, *map(len, encoded)], dtype=np.int64)
    data = [*_buffers(ends, there, "int64"), pa.py_buffer(b"".join(encoded))]
    column = pa.Array.from_buffers(pa.large_string(), len(encoded), data)
    return column.cast(pa.string())


def chosen(values: Sequence[str], which: Ints) -> pa.Array:
    """Return the text at each place; null where a place is negative."""
    import pyarrow as pa

    places = pa.Array.from_buffers(pa.int64(), len(which), _buffers(which, which >= 0, "int64"))
    return texts(values).take(places)


def equal(column: pa.ChunkedArray, value: str | None) -> pa.Array:
    """Return where a column of texts has a value, or nothing where that is None, as a mask."""
    import numpy as np
    import pyarrow as pa

    found = np.array([one == value for one in column.to_pylist()], dtype=bool)
    bits = pa.py_buffer(np.packbits(found, bitorder="little"))
    return pa.Array.from_buffers(pa.bool_(), len(found), [None, bits])


def numbers(values: Floats, there: Bools | None = None) -> pa.Array:
    """Return numbers as a column; null where they are not `there`."""
    import pyarrow as pa

    return pa.Array.from_buffers(pa.float64(), len(values), _buffers(values, there, "float64"))


def lists(values: pa.Array, lengths: Ints, there: Bools | None = None) -> pa.Array:
    """Return a list of so many of the values, one after the other; null where not `there`."""
    import pyarrow as pa

    kind = pa.list_(values.type)
    return pa.Array.from_buffers(kind, len(lengths), _ends(lengths, there), children=[values])


def maps(keys: pa.Array, values: pa.Array, lengths: Ints, there: Bools | None = None) -> pa.Array:
    """Return a map of so many of the keys and values; null where not `there`."""
    import pyarrow as pa

    kind = pa.map_(keys.type, values.type)
    fields = [pa.field("key", keys.type, nullable=False), pa.field("value", values.type)]
    pairs = pa.StructArray.from_arrays([keys, values], fields=fields)
    return pa.Array.from_buffers(kind, len(lengths), _ends(lengths, there), children=[pairs])


def _ends(lengths: Ints, there: Bools | None) -> list[pa.Buffer | None]:
    import numpy as np

    ends = np.zeros(len(lengths) + 1, dtype=np.int64)
    np.cumsum(lengths, out=ends[1:])
    return _buffers(ends, there, "int32")


def _buffers(values: Any, there: Bools | None, kind: str) -> list[pa.Buffer | None]:
    import numpy as np
    import pyarrow as pa

    valid = None if there is None else pa.py_buffer(np.packbits(there, bitorder="little"))
    return [valid, pa.py_buffer(np.ascontiguousarray(values, dtype=kind))]
