"""Runs data tests: counts the rows that fail, and keeps them on request."""

from __future__ import annotations

import operator
import re
import time
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from lupom.engine.errors import LupomError
from lupom.engine.graph import Graph
from lupom.engine.project.nodes import Node
from lupom.engine.project.settings import COMPARISON
from lupom.engine.run import results as r
from lupom.engine.run.context import Context, not_built
from lupom.engine.store import messages
from lupom.engine.store.base import FAILURES, Store
from lupom.engine.store.names import quoted

if TYPE_CHECKING:
    import duckdb

UNIT = "unit"

_COMPARE: dict[str, Callable[[int, int], bool]] = {
    "=": operator.eq,
    "==": operator.eq,
    "!=": operator.ne,
    "<>": operator.ne,
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}


def homes(graph: Graph[Node], tests: Iterable[Node]) -> dict[str, list[Node]]:
    """Return the tests by the last of the nodes they read: after it they can run.

    Tests that read nothing, and unit tests, which bring their own rows, stand under ''.
    """
    place = {name: i for i, name in enumerate(graph.order)}
    out: dict[str, list[Node]] = {}
    for test in tests:
        unit = test.config["test"] == UNIT
        last = "" if unit else max(test.parents, key=place.__getitem__, default="")
        out.setdefault(last, []).append(test)
    return out


def run_test(context: Context, test: Node, *, keep: bool = False) -> r.NodeResult:
    """Run one data test against what stands in the store.

    Parameters
    ----------
    keep : keep its failing rows in the table `lupom_failures.NAME`, whatever its config says.

    Returns
    -------
    A result with status 'pass', 'warn', 'fail' or 'error' (its SQL does not run); `rows` is the
    number of rows that fail.
    """
    import duckdb

    if test.config["test"] == UNIT:
        from lupom.engine.run.opening import compiled_anew
        from lupom.engine.run.units import run_unit

        (unit,) = (one for one in context.files.unit_tests if one.block.name == test.name)
        return run_unit(context, test.parents[0], unit, compiled_anew)
    begun = time.monotonic()
    result = r.NodeResult(test.name, "test", r.PASS)
    keep = keep or bool(test.config["store_failures"])
    try:
        with context.store.hold() if keep else context.store.reading() as cursor:
            _check_built(context, test, cursor)
            sql = context.sql(test)
            ((failing,),) = cursor.execute(f"select count(*) from (\n{sql}\n)").fetchall()
            if keep:
                _keep(context.store, test, sql)
        result.rows = failing
        result.status = _verdict(test.config, failing)
        if result.status != r.PASS:
            many = "1 row fails" if failing == 1 else f"{failing:,} rows fail"
            kept = f"select * from lupom_failures.{quoted(test.name)}"
            result.message = f"{many}; see {kept}" if keep else many
    except LupomError as error:
        result.status, result.message = r.ERROR, str(error)
    except duckdb.Error as error:
        line = test.refs[0].line if test.refs and test.config["test"] != "singular" else None
        where = test.file if line is None else f"{test.file}:{line}"
        result.status, result.message = r.ERROR, f"{where}: {messages.lines(error)}"
    result.seconds = time.monotonic() - begun
    return result


def _check_built(context: Context, test: Node, cursor: duckdb.DuckDBPyConnection) -> None:
    kinds = context.store.relations(cursor)
    for name in test.parents:
        node = context.nodes[name]
        stands = not node.materialization.is_built or name in kinds
        stands = stands or name in context.deferred
        if not stands:
            raise not_built(name)


def _keep(store: Store, test: Node, sql: str) -> None:
    limit = test.config["limit"]
    tail = "" if limit is None else f" limit {int(limit)}"

    def keep(cursor: duckdb.DuckDBPyConnection) -> None:
        rows = store.stored(cursor, f"select * from (\n{sql}\n){tail}")
        cursor.execute(f"create schema if not exists {quoted(FAILURES)}")
        cursor.execute(f"create or replace table {quoted(FAILURES, test.name)} as {rows}")

    store.write(keep, what=f"failing rows of {test.name}")


def _verdict(config: Mapping[str, object], failing: int) -> str:
    if config["severity"] == "error" and _holds(str(config["error_if"]), failing):
        return r.FAIL
    return r.WARN if _holds(str(config["warn_if"]), failing) else r.PASS


def _holds(comparison: str, failing: int) -> bool:
    match = re.fullmatch(COMPARISON, comparison)
    assert match is not None  # the settings checked it
    return _COMPARE[match[1]](failing, int(match[2]))
