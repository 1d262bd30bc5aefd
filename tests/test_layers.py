"""Who may import whom: import-linter's contracts in pyproject.toml, and what those cannot say."""

from __future__ import annotations

import ast
import graphlib
from pathlib import Path

import grimp
from click.testing import CliRunner
from importlinter.cli import lint_imports_command

ROOT = Path(__file__).parents[1]
PACKAGE, PYPROJECT = ROOT / "lupom", ROOT / "pyproject.toml"


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


def test_the_contracts_of_pyproject_hold():
    found = CliRunner().invoke(lint_imports_command, [str(PYPROJECT), "--no-cache", "--no-logo"])
    assert found.exit_code == 0, found.output


def test_no_module_imports_what_imports_it():
    """A contract compares the parts of a package; this, a package with its own modules, too."""
    graph = grimp.build_graph("lupom", cache_dir=None)
    # The public face names what it offers, and every part asks it for the version.
    for face in graph.find_modules_directly_imported_by("lupom"):
        graph.remove_import(importer="lupom", imported=face)
    sorter = graphlib.TopologicalSorter(
        {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    )
    sorter.prepare()  # raises CycleError, which names the circle


def test_what_is_imported_for_types_alone_is_not_imported_at_run_time():
    graph = grimp.build_graph("lupom", cache_dir=None, exclude_type_checking_imports=True)
    assert not graph.find_modules_directly_imported_by("lupom")


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
