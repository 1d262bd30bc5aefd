"""Test modules stand alone: each can be read, run, moved and deleted without another.

What several of them need is in tests/support/, or in a module of their own folder that holds no
tests (`networks.py`, `made.py`). Fixtures that a whole folder needs come from its conftest.py,
which pytest finds and nobody imports.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
FILES = sorted(path.relative_to(TESTS) for path in TESTS.rglob("*.py"))


def imported(path: Path) -> list[Path]:
    """Return the files in tests/ that a file imports, wherever in it that stands."""
    names: set[str] = set()
    for node in ast.walk(ast.parse((TESTS / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: imports are written out"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
            names.add(node.module or "")
    found = {
        Path(*name.split(".")[1:]).with_suffix(".py") for name in names if name.startswith("tests.")
    }
    return sorted(found & set(FILES))


def test_no_test_module_and_no_conftest_is_imported():
    for path in FILES:
        for other in imported(path):
            assert not other.name.startswith("test_"), f"{path} imports {other}"
            assert other.name != "conftest.py", f"{path} imports {other}"


def test_what_folders_share_is_in_support():
    for path in FILES:
        for other in imported(path):
            near = other.parent == Path("support") or path.is_relative_to(other.parent)
            assert near, f"{path} imports {other}, which is not in tests/support/"


def test_the_imports_are_seen():
    path = next(path for path in FILES if path.name == "test_pool.py")
    assert Path("science/predictors/made.py") in imported(path)


@pytest.mark.parametrize("folder", ["lupom", "models", "prompts", "tests", "benchmarks"])
def test_no_file_is_longer_than_one_can_hold_in_mind(folder):
    for path in (TESTS.parent / folder).rglob("*.py"):
        lines = len(path.read_text(encoding="utf-8").splitlines())
        assert lines <= 500, f"{path} has {lines} lines"
