"""The project that ships with LUPoM, and new projects made of it."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from lupom.engine.errors import ProjectError, UsageError
from lupom.engine.project.discovery import PROJECT_FILE

# What belongs to the project, seen from its root. setup.py puts the same into the wheel.
PARTS = (PROJECT_FILE, "models", "prompts", "seeds", "schemas", "analyses", "tests/data")

_IGNORE = """# What LUPoM makes: tables, what it remembers of runs and calls, artifacts.
*.duckdb
*.duckdb.wal
.lupom/
target/
__pycache__/
"""


def root() -> Path:
    """Return the folder of the shipped project: in the wheel, or the root of a checkout.

    Raises ProjectError when the installation has neither.
    """
    package = Path(__file__).resolve().parents[2]
    for folder in (package / "shipped", package.parent):
        if (folder / PROJECT_FILE).is_file() and (folder / "models").is_dir():
            return folder
    raise ProjectError(
        f"this installation of LUPoM has no project to copy: {package / 'shipped'} is not there",
        hint="install LUPoM again",
    )


def check_free(folder: Path, *, force: bool) -> None:
    """Raise UsageError where a new project would meet files that are there already."""
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file", hint="give the new project another name")
    if not force and folder.is_dir() and any(folder.iterdir()):
        raise UsageError(
            f"{folder} is there and not empty",
            hint="give another name, or --force to write the project's files over those there",
        )


def create(
    folder: Path,
    *,
    leave_out: Iterable[str] = (),
    headline: str = "",
    vars: Mapping[str, Any] | None = None,
    readme: str = "",
    force: bool = False,
) -> list[str]:
    """Write a new project: the shipped one with other vars.

    Parameters
    ----------
    folder : where to; its name becomes the project's.
    leave_out : paths of the shipped project that the new one does not get.
    headline : the comment at the top of lupom_project.yml.
    vars : values in the place of those in lupom_project.yml; each must stand there on one line.
    readme : the text of README.md, unless there is one.
    force : write over files that are there.

    Returns
    -------
    The paths written, relative to the folder.
    """
    check_free(folder, force=force)
    source = root()
    skipped = tuple(leave_out)
    written: list[str] = []
    for part in PARTS:
        for path in _files(source / part):
            relative = path.relative_to(source).as_posix()
            if any(relative == s or relative.startswith(f"{s}/") for s in skipped):
                continue
            target = folder / relative
            target.parent.mkdir(parents=True, exist_ok=True)
            if relative == PROJECT_FILE:
                text = _settings(path.read_text(encoding="utf-8"), folder, headline, vars or {})
                target.write_text(text, encoding="utf-8")
            else:
                shutil.copyfile(path, target)
            written.append(relative)
    for name, text in ((".gitignore", _IGNORE), ("README.md", readme)):
        if text and not (folder / name).exists():
            (folder / name).write_text(text, encoding="utf-8")
            written.append(name)
    return written


def set_var(text: str, name: str, value: Any) -> str:
    """Return the text of lupom_project.yml with a var's value replaced, comments kept.

    Raises ProjectError when the var does not stand on a line of its own.
    """
    line = re.compile(rf"^(  {re.escape(name)}:)[ \t].*$", re.MULTILINE)
    if len(line.findall(text)) != 1:
        raise ProjectError(
            f"the var '{name}' does not stand on a line of its own under 'vars:'", file=PROJECT_FILE
        )
    return line.sub(lambda found: f"{found[1]} {_flow(value)}", text)


def project_name(folder: Path) -> str:
    """Return a project's name made of its folder's: letters, digits and underscores."""
    name = re.sub(r"\W+", "_", folder.resolve().name, flags=re.ASCII).strip("_").lower()
    return name if name[:1].isalpha() else f"project_{name}".rstrip("_")


def _settings(text: str, folder: Path, headline: str, vars: Mapping[str, Any]) -> str:
    text = re.sub(r"^name: .*$", f"name: {project_name(folder)}", text, count=1, flags=re.M)
    if headline:
        text = re.sub(r"^# A LUPoM project.*$", f"# {headline}", text, count=1, flags=re.M)
    for name, value in vars.items():
        text = set_var(text, name, value)
    return text


def _flow(value: Any) -> str:
    import yaml

    out: str = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=10**6)
    return out.removesuffix("\n").removesuffix("\n...")


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    return [
        file
        for file in sorted(path.rglob("*"))
        if file.is_file() and not {"__pycache__", ".ipynb_checkpoints"} & set(file.parts)
    ]
