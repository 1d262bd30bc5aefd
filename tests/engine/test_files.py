"""Files are written whole or not at all."""

from __future__ import annotations

import pytest

from lupom.engine.files import replacing


def test_what_was_written_becomes_the_file(tmp_path):
    path = tmp_path / "deep" / "page.html"
    for text in ("one", "two"):
        with replacing(path) as part:
            part.write_text(text)
    assert path.read_text() == "two"
    assert [p.name for p in path.parent.iterdir()] == ["page.html"]


def test_after_an_error_the_old_file_stands_alone(tmp_path):
    path = tmp_path / "page.html"
    path.write_text("old")

    def write_half():
        with replacing(path) as part:
            part.write_text("half")
            raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        write_half()
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["page.html"]


def test_where_nothing_was_written_the_old_file_stands(tmp_path):
    path = tmp_path / "page.html"
    path.write_text("old")
    with pytest.raises(FileNotFoundError), replacing(path):
        pass
    assert path.read_text() == "old"
