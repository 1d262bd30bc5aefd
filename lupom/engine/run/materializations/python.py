"""Python models: a function that takes tables and returns one."""

from __future__ import annotations

import importlib.util
import re
import sys
import threading
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lupom import entry_points
from lupom.batches import BATCH_ROWS, unsliced
from lupom.engine.compiler.python import expand
from lupom.engine.errors import LupomError, ModelError, did_you_mean
from lupom.engine.executors.wire import WorkError
from lupom.engine.modules import BytesLoader, use
from lupom.engine.project.nodes import Node
from lupom.engine.run.context import Context
from lupom.engine.run.kept_batches import KeptBatches
from lupom.engine.run.results import Embedded
from lupom.engine.store.names import quoted
from lupom.engine.store.records import TableRecord

if TYPE_CHECKING:
    import duckdb
    import numpy as np
    import pyarrow as pa

_importing = threading.Lock()


class ModelHandle:
    """What a Python model gets as its parameter: tables, vars, embeddings.

    Tables are DuckDB relations: `.df()`, `.pl()`, `.to_arrow_table()`, `.filter(...)`.
    """

    def __init__(
        self, context: Context, node: Node, cursor: duckdb.DuckDBPyConnection, whole: bool = True
    ) -> None:
        self._context = context
        self._node = node
        self._cursor = cursor
        self._whole = whole
        # The vars that were read, by which an error is told to be one of them.
        self.read: set[str] = set()

    def ref(self, name: str) -> duckdb.DuckDBPyRelation:
        """Return the table or view of a model or seed."""
        if name not in self._node.parents:
            raise ModelError(f"'{name}' is not among the refs of '{self._node.name}'")
        other = self._context.nodes[name]
        if other.resource == "source":
            return self._cursor.sql(f"select * from {self._context.source(name)}")
        if other.materialization.inlined:
            return self._cursor.sql(self._context.sql(other))
        return self._cursor.sql(f"select * from {self._context.relation(name)}")

    def refs(
        self, pattern: str, var: str, *, default: list[str] | None = None
    ) -> dict[str, duckdb.DuckDBPyRelation]:
        """Return a table for each entry of a var that is a list of names.

        Both are literal in the model. With the var `waves: [w1, panel.w2]`, `refs("{}_items",
        "waves")` is the ref w1_items and, since it has a dot, the source table panel.w2_items.
        `default` is the list where the var has no value.
        """
        names = expand(pattern, var, self._context.files.vars.get(var, default))
        return {entry: self.ref(name) for entry, name in names.items()}

    def meta(
        self, pattern: str, var: str, *, default: list[str] | None = None
    ) -> dict[str, dict[str, Any]]:
        """Return the `meta` of a node for each entry of a var that is a list of names.

        As `refs`, but of what the properties say of the tables, and not of their rows.
        """
        names = expand(pattern, var, self._context.files.vars.get(var, default))
        nodes = self._context.nodes
        return {
            entry: dict(nodes[name].config.get("meta", {})) if name in nodes else {}
            for entry, name in names.items()
        }

    def source(self, source: str, table: str) -> duckdb.DuckDBPyRelation:
        """Return a declared source."""
        return self._cursor.sql(f"select * from {self._context.source(f'{source}.{table}')}")

    def this(self) -> duckdb.DuckDBPyRelation | None:
        """Return the model's own table as it was last built, to take from it what stays the same.

        None at the first build, where code or vars of the model changed, and with --full-refresh:
        then it is built from nothing. What is returned must not depend on it, or a table would be
        another one by the way it came about.
        """
        if self._whole:
            return None
        return self._cursor.sql(f"select * from {quoted('main', self._node.name)}")

    def var(self, name: str, default: Any = None) -> Any:
        """Return a var of the project, or the default."""
        self.read.add(name)
        return self._context.files.vars.get(name, default)

    def entry_points(self, group: str, var: str) -> dict[str, Any]:
        """Return what installed packages offer in a group of entry points, by name.

        Both are literal in the model. The var is a list of names, or 'all'; where it has no value,
        those that LUPoM ships are taken. Their code is part of the model's.
        """
        taken = entry_points.chosen(group, self._context.files.vars.get(var), var)
        return {name: offer.load() for name, offer in taken.items()}

    def map(
        self,
        function: Callable[..., Any],
        table: Any,
        *,
        shared: Mapping[str, Any] | None = None,
        batch_rows: int = BATCH_ROWS,
    ) -> pa.Table:
        """Return what a function makes of a table batch by batch, where the target says.

        Parameters and errors are those of `lupom.batches.in_batches`: a function at the top of a
        module (a class is made once in each worker), a table, what all batches share by name, rows
        of a batch. The target's `executor` decides where batches are worked, not what comes back.
        """
        from lupom.engine.executors import Origin

        node, files = self._node, self._context.files
        origin = Origin(files.root, node.code, _module_of(node), node.path, node.text)
        return self._context.executor.map(
            function, table, shared=shared, batch_rows=batch_rows, origin=origin
        )

    def config(self, **settings: Any) -> None:
        """Configure the model; read before it runs, so that there is nothing left to do here."""

    def note(self, message: str) -> None:
        """Tell who runs the model something they should know; it goes to stderr."""
        self._context.reporter.note(f"{self._node.file}: {message}")

    def embed(self, texts: Sequence[str], *, alias: str = "default") -> np.ndarray:
        """Return one vector per text, an array of shape (len(texts), dimensions), float32.

        Raises Stopped where the run is stopped before all of them came back.
        """
        from lupom.engine.executors import Stopped
        from lupom.engine.llm.adaptive_rate_limiter import Halted

        settings = self._context.files.settings.embeddings
        if alias not in settings:
            raise ModelError(
                f"no embeddings alias '{alias}' under 'embeddings:'",
                hint=did_you_mean(alias, settings),
            )
        if self._context.embeds is not None:
            return self._context.embeds(self._node, alias, list(texts))
        stop = self._context.stop
        try:
            taken = self._context.embedded.setdefault(self._node.name, Embedded())
            return self._context.gateway.embed(
                settings[alias], list(texts), stop=stop, paid=taken.add
            )
        except Halted:
            raise Stopped("the run was stopped before all texts had a vector") from None


def build(context: Context, node: Node, record: TableRecord, *, whole: bool = True) -> TableRecord:
    """Run a Python model and commit what it returns.

    Raises ModelError with the model's file and line for whatever it raises, and for a result that
    is not a table. Unless it is built `whole`, it may read its own table as that stands.
    """
    with context.store.hold() as cursor:
        result = _call(context, node, ModelHandle(context, node, cursor, whole))

    def commit(cursor: duckdb.DuckDBPyConnection) -> None:
        table = result.reader() if isinstance(result, KeptBatches) else result
        cursor.register("__lupom_result", table)
        rows = context.store.stored(cursor, "select * from __lupom_result")
        cursor.execute(f"create or replace table {quoted('main', node.name)} as {rows}")
        cursor.unregister("__lupom_result")

    try:
        return context.store.commit(record, commit)
    finally:
        if isinstance(result, KeptBatches):
            result.close()


def _call(context: Context, node: Node, handle: ModelHandle) -> pa.Table | KeptBatches:
    """Return what a model makes; raises ModelError with file and line of whatever it raises."""
    use(context.files.root, node.code)
    name = _module_of(node)
    # What was hashed, whatever the file says by now.
    loader = BytesLoader(name, str(node.path), node.text.encode())
    spec = importlib.util.spec_from_file_location(name, node.path, loader=loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        # One model imports at a time. Two that meet within a package see half of it: where each
        # has a module that the other waits for, Python hands out one that is not made yet.
        with _importing:
            loader.exec_module(module)
        # A result in parts is made as it is read.
        return _arrow(module.model(handle), node, context.files.state_folder)
    except LupomError as error:
        if error.file is None:
            error.file, error.line = node.file, _line(error, node)
        if isinstance(error, WorkError):
            error.hint = _raised_in(error, node)
        raise
    except (Exception, SystemExit) as error:
        if (of_var := _of_var(error, context, node, handle.read)) is not None:
            raise of_var from error
        raise ModelError(
            f"{type(error).__name__}: {error}",
            file=node.file,
            line=_line(error, node),
            hint=_raised_in(error, node),
        ) from error
    finally:
        sys.modules.pop(name, None)


def _module_of(node: Node) -> str:
    return f"_lupom_model_{node.name}"


def _frames(error: BaseException) -> list[tuple[str, int | None]]:
    """Return the (file, line) an error came through, those in another process after our own."""
    own = [(frame.filename, frame.lineno) for frame in traceback.extract_tb(error.__traceback__)]
    return [*own, *error.frames] if isinstance(error, WorkError) else own


def _line(error: BaseException, node: Node) -> int | None:
    frames = reversed(_frames(error))
    return next((line for file, line in frames if file == str(node.path)), None)


def _of_var(
    error: BaseException, context: Context, node: Node, read: set[str]
) -> ModelError | None:
    """Return a ValueError that begins with a var which the model read as one of that var.

    What a var may be is not always known before a model has seen its tables. The error has then the
    line where the var stands in lupom_project.yml, or says that it was given.
    """
    word = re.match(r"\w+", str(error)) if type(error) is ValueError else None
    files = context.files
    if word is None or word[0] not in read or word[0] not in files.vars:
        return None
    name = word[0]
    if name in files.declared_vars and files.vars[name] == files.settings.vars[name]:
        document = files.document
        return ModelError(str(error), file=document.file, line=document.line(("vars", name)))
    return ModelError(f"--vars: {error}", file=node.file, line=_line(error, node))


def _raised_in(error: BaseException, node: Node) -> str | None:
    """Say where below the model an error was raised: 'raised in bayes/search.py:120'."""
    file, line = _frames(error)[-1]
    if file == str(node.path):
        return None
    return f"raised in {'/'.join(Path(file).parts[-2:])}:{line}"


def _arrow(result: Any, node: Node, folder: Path) -> pa.Table | KeptBatches:
    """Turn what a model returned into an Arrow table; one that comes in parts lies in a file."""
    import pyarrow as pa

    if isinstance(result, pa.Table):
        table = result
    elif isinstance(result, pa.RecordBatchReader):
        table = KeptBatches(result, folder)
    elif isinstance(result, pa.RecordBatch):
        table = pa.Table.from_batches([result])
    elif hasattr(result, "to_arrow_table"):
        table = result.to_arrow_table()
    elif type(result).__module__.startswith("polars") and hasattr(result, "to_arrow"):
        table = result.to_arrow()
    elif type(result).__module__.startswith("pandas"):
        table = pa.Table.from_pandas(result, preserve_index=False)
    else:
        raise ModelError(
            f"the model returned {type(result).__name__}",
            file=node.file,
            hint="return an Arrow, pandas or polars table, or a DuckDB relation",
        )
    if not table.column_names:
        raise ModelError("the model returned a table without columns", file=node.file)
    # What was in a file begins where its memory does.
    return table if isinstance(table, KeptBatches) else unsliced(table)
