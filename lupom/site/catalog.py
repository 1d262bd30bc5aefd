"""catalog.json: the columns and row counts of what is built, in dbt's shape."""

from __future__ import annotations

from typing import Any

from lupom.engine.project.nodes import Node
from lupom.engine.run.artifacts import metadata, unique_id
from lupom.engine.workspace import Project
from lupom.site.tables import Tables


def catalog(project: Project, tables: Tables, counts: dict[str, int | None]) -> dict[str, Any]:
    """Return the catalog of nodes that stand in the store; `counts` are rows by node."""
    described = {
        unique_id(project.name, node): _node(project, node, tables, counts.get(node.name))
        for node in project.nodes.values()
        if node.name in tables.columns
    }
    resources = {unique_id(project.name, n): n.resource for n in project.nodes.values()}
    return {
        "metadata": metadata(project.context, "catalog"),
        "nodes": {k: v for k, v in described.items() if resources[k] != "source"},
        "sources": {k: v for k, v in described.items() if resources[k] == "source"},
        "errors": None,
    }


def _node(project: Project, node: Node, tables: Tables, count: int | None) -> dict[str, Any]:
    comments = {column.name: column.description for column in node.columns}
    return {
        "unique_id": unique_id(project.name, node),
        "metadata": {
            "type": "VIEW" if tables.kinds[node.name] == "view" else "BASE TABLE",
            "database": project.store.name,
            "schema": "main",
            "name": node.name,
            "comment": node.description or None,
            "owner": None,
        },
        "columns": {
            name: {
                "type": kind,
                "index": index,
                "name": name,
                "comment": comments.get(name) or None,
            }
            for index, (name, kind) in enumerate(tables.columns[node.name].items(), start=1)
        },
        "stats": {
            "has_stats": {
                "id": "has_stats",
                "label": "Has Stats?",
                "value": count is not None,
                "include": False,
                "description": "Indicates whether there are statistics for this table",
            },
            "row_count": {
                "id": "row_count",
                "label": "Row Count",
                "value": count,
                "include": count is not None,
                "description": "Number of rows",
            },
        },
    }
