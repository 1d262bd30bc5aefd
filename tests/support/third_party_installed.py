"""The package under third_party/ installed as pip would leave it, without pip and a network."""

from __future__ import annotations

import configparser
import shutil
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SOURCE = Path(__file__).parent / "third_party"


@contextmanager
def installed(folder: Path, source: Path = SOURCE) -> Iterator[Path]:
    """Install a package's source in a folder that Python looks in, and forget it afterwards.

    Yields the folder, in which the package's modules may be edited.
    """
    shutil.copytree(source, folder, ignore=shutil.ignore_patterns("__pycache__", "pyproject.toml"))
    declare(folder, tomllib.loads((source / "pyproject.toml").read_text(encoding="utf-8")))
    sys.path.insert(0, str(folder))
    before = set(sys.modules)
    try:
        yield folder
    finally:
        sys.path.remove(str(folder))
        for name in set(sys.modules) - before:
            file = getattr(sys.modules[name], "__file__", None) or ""
            if file.startswith(str(folder)):
                del sys.modules[name]


def declare(folder: Path, pyproject: dict) -> None:
    """Write the metadata of an installed distribution: its name, version and entry points."""
    project = pyproject["project"]
    name, version = project["name"], project["version"]
    info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    said = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    (info / "METADATA").write_text(said, encoding="utf-8")
    points = configparser.ConfigParser(delimiters="=")
    points.optionxform = str  # names keep their case
    points.read_dict(project.get("entry-points", {}))
    with (info / "entry_points.txt").open("w", encoding="utf-8") as file:
        points.write(file)
