"""One module for each way a node becomes a relation."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lupom.engine.project.nodes import Node
    from lupom.engine.run.context import Context
    from lupom.engine.store.records import TableRecord


def build(context: Context, node: Node, record: TableRecord, *, whole: bool) -> TableRecord:
    """Build a node that asks no LLM, by the module its materialization names.

    Parameters
    ----------
    record : what to note in the store.
    whole : build a table that grows from nothing, as on its first build.
    """
    module = import_module(f"{__name__}.{node.materialization.builder}")
    built: TableRecord = module.build(context, node, record, whole=whole)
    return built
