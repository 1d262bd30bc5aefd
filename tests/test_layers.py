"""Who may import whom: the two halves never meet, and the pure core does no I/O."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "lupom"


def imports(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are written out"
            found.add(node.module or "")
    return found


def files(folder: str) -> list[Path]:
    return sorted((PACKAGE / folder).rglob("*.py"))


@pytest.mark.parametrize(("half", "other"), [("engine", "science"), ("science", "engine")])
def test_the_halves_never_import_each_other(half, other):
    for path in files(half):
        crossing = {name for name in imports(path) if name.startswith(f"lupom.{other}")}
        assert not crossing, path


def test_science_is_importable_without_a_project():
    for path in files("science"):
        ours = {name for name in imports(path) if name.split(".")[0] == "lupom"}
        assert all(name.startswith("lupom.science") for name in ours), path


@pytest.mark.parametrize(
    "module",
    [
        "engine/graph/dag.py",
        "engine/graph/selectors.py",
        "engine/run/plan.py",
        "engine/run/identities.py",
    ],
)
def test_the_core_does_no_io(module):
    forbidden = {"os", "io", "pathlib", "subprocess", "socket", "sqlite3", "duckdb", "asyncio"}
    assert not imports(PACKAGE / module) & forbidden


def test_nothing_evaluates_or_unpickles():
    for path in PACKAGE.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names = {
            node.func.id
            for node in ast.walk(tree)
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        }
        if (
            path.name != "classes.py"
        ):  # response classes are the project's own code, like its models
            assert not names & {"eval", "exec"}, path
        assert not imports(path) & {"pickle", "shelve", "marshal", "dill"}, path


def test_models_are_thin():
    for path in (PACKAGE.parent / "models").rglob("*.py"):
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 60, path
