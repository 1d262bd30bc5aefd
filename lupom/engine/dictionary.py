"""The tables of a project as Markdown, from the properties of its models and seeds.

`python -m lupom.engine.dictionary FOLDER > docs/tables.md` writes it.
"""

from __future__ import annotations

import sys
from contextlib import closing
from pathlib import Path

from lupom.engine.project.nodes import Node
from lupom.engine.run.opening import open_context
from lupom.engine.run.selection import select_nodes

_HEAD = """# Tables

The tables of the shipped project by folder, in the order they are built. Made from the properties
of models and seeds by `python -m lupom.engine.dictionary .`; a test compares. `lupom ls` lists
them, and `lupom docs generate` shows them with rows, types and lineage. What the words mean:
[Concepts](concepts.md).
"""


def dictionary(folder: Path) -> str:
    """Return every table of a project, with description, tags and described columns."""
    with closing(open_context(folder)) as context:
        root = context.files.root
        nodes = [context.nodes[name] for name in select_nodes(context)]
    folders: dict[str, list[Node]] = {}
    for node in nodes:
        place = root / (node.path or "")
        folders.setdefault(place.parent.relative_to(root).as_posix(), []).append(node)
    parts = [_HEAD]
    for name in sorted(folders, key=lambda name: (not name.startswith("seeds"), name)):
        parts.append(f"## {name}\n")
        parts += [_table(node) for node in folders[name]]
    return "\n".join(parts)


def _table(node: Node) -> str:
    tags = "".join(f", `{tag}`" for tag in sorted(node.tags))
    lines = [f"### {node.name}", "", f"*{node.materialized}*{tags}. {node.description}".rstrip()]
    described = [column for column in node.columns if column.description]
    if described:
        lines += ["", "| column | is |", "|---|---|"]
        lines += [
            f"| `{c.name}` | {_cell(c.description)}{' *Measured.*' if c.measured else ''} |"
            for c in described
        ]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    print(dictionary(Path(sys.argv[1])), end="")
