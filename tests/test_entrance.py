"""The contributor's entrance: what CONTRIBUTING.md and the Makefile say is so."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import yaml
from packaging.markers import Marker
from packaging.requirements import Requirement

import lupom

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
LINTERS = (".venv/bin/ruff check", ".venv/bin/ruff format --check", ".venv/bin/mypy")


def pins() -> dict[str, Requirement]:
    """Return what constraints.txt pins on this machine."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    read = [Requirement(line) for line in lines if line and not line.startswith("#")]
    return {
        pin.name: pin for pin in read if (pin.marker or Marker("python_version > '3'")).evaluate()
    }


def test_every_dependency_has_a_pin_that_fits():
    pinned = pins()
    wanted = [*PROJECT["project"]["dependencies"]]
    for extra in PROJECT["project"]["optional-dependencies"].values():
        wanted += extra
    for text in wanted:
        need = Requirement(text)
        if need.name == "lupom":
            continue
        name = need.name.lower()
        assert name in pinned, f"{name} is not in constraints.txt; run `make lock`"
        (pin,) = pinned[name].specifier
        assert need.specifier.contains(pin.version), f"{text}, but {pinned[name]}; run `make lock`"


def test_ci_installs_what_is_pinned():
    assert 'export PIP_CONSTRAINT="$PWD/constraints.txt"' in (ROOT / ".ci/run").read_text()


def test_the_version_stands_once():
    assert "version" not in PROJECT["project"]
    assert PROJECT["tool"]["setuptools"]["dynamic"]["version"] == {
        "attr": "lupom.version.__version__"
    }
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(r"^## (\S+)", changes, re.M)[1] == lupom.__version__


def test_the_changelog_has_the_sections_of_keep_a_changelog():
    kinds = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    _, *versions = re.split(r"^## .*\n", text, flags=re.M)
    for version in versions:
        before, *sections = re.split(r"^### ", version, flags=re.M)
        assert not before.strip()
        names = [section.splitlines()[0] for section in sections]
        assert set(names) <= kinds
        assert len(names) == len(set(names))


def test_check_and_the_hooks_run_the_linters_of_ci():
    ci = (ROOT / ".ci/run").read_text(encoding="utf-8")
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    entries = [hook["entry"] for repo in hooks["repos"] for hook in repo["hooks"]]
    for linter in LINTERS:
        assert re.search(rf"^ *{re.escape(linter)}", ci, re.M)
        assert linter.replace(".venv/bin", "$(BIN)") in MAKEFILE
        assert any(entry.startswith(linter) for entry in entries)


def test_what_quick_runs_is_there():
    words = re.search(r"^QUICK := ((?:.*\\\n)*.*)", MAKEFILE, re.M)[1].replace("\\", " ").split()
    assert words
    for word in words:
        assert (ROOT / word).exists(), word


def test_the_makefile_has_what_contributing_names():
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    for target in set(re.findall(r"\bmake ([a-z]+)", page)):
        assert re.search(rf"^{target}:", MAKEFILE, re.M), target
