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
    """A contract compares the parts of a package with one another; this, modules with packages too.

    Within the LLM client only what is imported at run time counts.
    """
    all_of_them = grimp.build_graph("lupom", cache_dir=None)
    at_run_time = grimp.build_graph("lupom", cache_dir=None, exclude_type_checking_imports=True)
    imported = {
        module: (at_run_time if module.startswith("lupom.engine.llm.") else all_of_them)
        for module in all_of_them.modules
    }
    sorter = graphlib.TopologicalSorter(
        {module: g.find_modules_directly_imported_by(module) for module, g in imported.items()}
    )
    sorter.prepare()  # raises CycleError, which names the circle


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
