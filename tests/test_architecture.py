"""docs/architecture.md names files that are there, and every folder of the package."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
NAMED = set(re.findall(r"`((?:lupom|models|prompts|seeds|tests|docs|schemas)/[\w./]*)`", PAGE))


def test_each_file_it_names_is_there():
    assert len(NAMED) > 50
    assert not {name for name in NAMED if not (ROOT / name).exists()}


def test_each_folder_of_the_package_has_its_place():
    parts = [*(ROOT / "lupom" / "engine").iterdir(), *(ROOT / "lupom").iterdir()]
    folders = {p.relative_to(ROOT).as_posix() + "/" for p in parts if (p / "__init__.py").exists()}
    assert folders - {"lupom/engine/"} <= NAMED


def test_each_trip_is_read_top_to_bottom():
    for number in (1, 2, 3):
        (trip,) = re.findall(rf"^## Trip {number}: .*?(?=^## )", PAGE, re.M | re.S)
        steps = [int(step) for step in re.findall(r"^(\d)\. ", trip, re.M)]
        assert steps == list(range(1, len(steps) + 1))
        assert len(steps) >= 4
