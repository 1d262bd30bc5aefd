"""What Python models import, parsed once for each content of a file."""

from __future__ import annotations

import json

import pytest

from lupom import Project
from lupom.engine.compiler import python

FILES = {
    "models/scaled.py": """
        import pyarrow as pa
        from helpers import FACTOR
        def model(lupom):
            return pa.table({"x": [FACTOR]})
        """,
    "helpers.py": "from deep.inner import FACTOR\n",
    "deep/__init__.py": "",
    "deep/inner.py": "FACTOR = 2\n",
    "deep/other.py": "FACTOR = 3\n",
}


@pytest.fixture
def parsed(monkeypatch) -> list[bytes]:
    """The contents that were looked for imports in, as they are."""
    found: list[bytes] = []
    real = python.imports_of
    monkeypatch.setattr(python, "imports_of", lambda c: found.append(c) or real(c))
    return found


def opened(folder) -> dict[str, str]:
    """Compile a project and return what its model is made of."""
    with Project(folder) as project:
        return dict(project.nodes["scaled"].parts)


def test_what_a_file_imports_is_noted_for_the_next_process(make_project, parsed) -> None:
    folder = make_project(FILES)
    before = opened(folder)
    assert b"FACTOR = 2\n" in parsed
    parsed.clear()
    assert opened(folder) == before
    assert parsed == []


def test_a_file_that_changed_is_parsed_again_and_only_that(make_project, parsed) -> None:
    folder = make_project(FILES)
    before = opened(folder)
    parsed.clear()
    (folder / "helpers.py").write_text("from deep.other import FACTOR\n")
    after = opened(folder)
    assert after != before
    assert parsed == [b"from deep.other import FACTOR\n", b"FACTOR = 3\n"]
    # And what it leads to now counts.
    (folder / "deep/other.py").write_text("FACTOR = 4\n")
    assert opened(folder) not in (before, after)


@pytest.mark.parametrize("notes", [None, [], {}, 7, {"x": 1}], ids=str)
def test_notes_that_are_none_are_not_read(make_project, notes) -> None:
    folder = make_project(FILES)
    before = opened(folder)
    cache = folder / "target" / "hashes.json"
    known = json.loads(cache.read_text())
    if isinstance(notes, dict):
        notes = {name: notes.get("x", [1]) for name in known[""]}
    cache.write_text(json.dumps({**known, "": notes}))
    assert opened(folder) == before
