"""A project made of a dict of files, in a folder of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from textwrap import dedent

import pytest

Make = Callable[[Mapping[str, str]], Path]


@pytest.fixture
def make_project(tmp_path: Path) -> Make:
    """Return a function that writes files (relative path -> text) and gives the folder.

    A lupom_project.yml that is not among them is made: name only, models as tables.
    """

    def make(files: Mapping[str, str]) -> Path:
        folder = tmp_path / "project"
        files = {"lupom_project.yml": "name: demo\nmodels:\n  +materialized: table\n", **files}
        for name, text in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(dedent(text), encoding="utf-8")
        return folder

    return make
