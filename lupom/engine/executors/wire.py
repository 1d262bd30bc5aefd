"""What goes to workers and comes back, as bytes: Arrow's IPC format, arrays, JSON; no pickle.

A job (function, shared values, the project's code) is one block of bytes: a head in JSON, and parts
at multiples of 64 bytes, so that tables and arrays are read where they lie in a file in memory.
"""

from __future__ import annotations

import json
import struct
import sys
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lupom.engine.errors import ModelError
from lupom.version import __version__

if TYPE_CHECKING:
    import pyarrow as pa

_ALIGNED = 64


@dataclass(frozen=True, slots=True)
class Origin:
    """Whose function it is: where the project's own modules are, and the model's file.

    Attributes
    ----------
    root : the project's folder.
    code : bytes of the project's files that the model imports.
    module : the name under which the model's own file is imported, and its path and text.
    """

    root: Path | None = None
    code: Mapping[Path, bytes] = field(default_factory=dict)
    module: str | None = None
    path: Path | None = None
    text: str = ""


class WorkError(ModelError):
    """What a function raised in another process.

    `frames` are the (file, line) it came through, outermost first.
    """

    def __init__(self, kind: str, message: str, frames: list[tuple[str, int]]) -> None:
        super().__init__(f"{kind}: {message}")
        self.frames = frames


def pack(function: str, shared: Mapping[str, Any], origin: Origin) -> bytes:
    """Return a job as bytes: 'module:name' of its function, what is shared, whose it is.

    `shared` is as `batches.shareable` returns it.
    """
    import numpy as np
    import pyarrow as pa

    parts: list[Any] = []

    def part(content: Any) -> int:
        parts.append(memoryview(content).cast("B"))
        return len(parts) - 1

    described: dict[str, Any] = {}
    for name, value in shared.items():
        if isinstance(value, np.ndarray):
            content = part(np.ascontiguousarray(value).reshape(-1).view(np.uint8))
            dtype = np.lib.format.dtype_to_descr(value.dtype)
            described[name] = ["array", dtype, list(value.shape), content]
        elif isinstance(value, pa.Table):
            described[name] = ["table", part(to_bytes(value))]
        else:
            described[name] = ["json", value]
    head = {
        "version": __version__,
        "function": function,
        "shared": described,
        "root": None if origin.root is None else str(origin.root),
        "code": {str(path): part(content) for path, content in origin.code.items()},
        "module": origin.module,
        "path": None if origin.path is None else str(origin.path),
        "text": origin.text,
    }
    sizes = [len(content) for content in parts]
    said = json.dumps([head, sizes]).encode()
    out = bytearray(struct.pack("<Q", len(said)) + said)
    for content in parts:
        out += bytes(-len(out) % _ALIGNED)
        out += content
    return bytes(out)


def unpack(data: Any) -> tuple[str, dict[str, Any], Origin]:
    """Return what `pack` was given; tables and arrays lie in `data` and are read-only.

    Raises ModelError where the bytes are of another version of LUPoM.
    """
    import numpy as np
    import pyarrow as pa

    view = memoryview(data).cast("B").toreadonly()
    (length,) = struct.unpack_from("<Q", view)
    head, sizes = json.loads(bytes(view[8 : 8 + length]))
    if head["version"] != __version__:
        raise ModelError(
            f"a worker has LUPoM {__version__}, and the run {head['version']}",
            hint=f"pip install lupom=={head['version']} on every node",
        )
    place, parts = 8 + length, []
    for size in sizes:
        place += -place % _ALIGNED
        parts.append(view[place : place + size])
        place += size
    shared: dict[str, Any] = {}
    for name, (kind, *rest) in head["shared"].items():
        if kind == "array":
            dtype, shape, content = rest
            kind = np.lib.format.descr_to_dtype(_tuples(dtype))
            shared[name] = np.frombuffer(parts[content], dtype=kind).reshape(shape)
        elif kind == "table":
            shared[name] = from_bytes(pa.py_buffer(parts[rest[0]]))
        else:
            shared[name] = rest[0]
    origin = Origin(
        None if head["root"] is None else Path(head["root"]),
        {Path(path): bytes(parts[content]) for path, content in head["code"].items()},
        head["module"],
        None if head["path"] is None else Path(head["path"]),
        head["text"],
    )
    return head["function"], shared, origin


def _tuples(dtype: Any) -> Any:
    """Return NumPy's description of a type as it was before JSON made lists of its tuples.

    It is a text, or of an array with fields a list of (name or (title, name), type, shape).
    """
    if isinstance(dtype, str):
        return dtype
    out = []
    for name, kind, *shape in dtype:
        name = tuple(name) if isinstance(name, list) else name
        out.append((name, _tuples(kind), *(tuple(one) for one in shape)))
    return out


def to_bytes(table: pa.Table) -> Any:
    """Return a table as a buffer in Arrow's IPC format."""
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def from_bytes(data: Any) -> pa.Table:
    """Return the table that `to_bytes` made these bytes of."""
    import pyarrow as pa

    return pa.ipc.open_stream(pa.py_buffer(data)).read_all()


def told(error: BaseException) -> bytes:
    """Return an error as bytes: its type, its message, and where it came through."""
    frames = [(f.filename, f.lineno or 0) for f in traceback.extract_tb(error.__traceback__)]
    try:
        message = str(error)
    except Exception as worse:
        message = f"(its message cannot be made: {type(worse).__name__})"
    return json.dumps([type(error).__name__, message, frames]).encode()


def heard(data: bytes) -> WorkError:
    """Return the error that `told` made these bytes of."""
    kind, message, frames = json.loads(data)
    return WorkError(kind, message, [(file, line) for file, line in frames])


def found(function: str) -> Any:
    """Return what 'module:name' names; raises ModelError where it names nothing."""
    import importlib

    module, _, name = function.partition(":")
    try:
        out: Any = sys.modules.get(module) or importlib.import_module(module)
        for part in name.split("."):
            out = getattr(out, part)
    except (ImportError, AttributeError) as error:
        raise ModelError(
            f"map() cannot find {name} in the module {module}: {error}",
            hint="define the function at the top of a module that workers can import",
        ) from error
    return out
