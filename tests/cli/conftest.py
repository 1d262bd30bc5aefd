"""What tests of commands share."""

from __future__ import annotations

import pytest

from lupom.cli import main


@pytest.fixture
def make_project(tmp_path):
    """Return a function that writes files (relative path -> text) and gives the folder."""

    def make(files):
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return tmp_path

    return make


@pytest.fixture
def lupom(folder, monkeypatch, capsys):
    """Return a function that runs a command in the test's `folder`: exit code and stderr."""
    monkeypatch.chdir(folder)

    def run(*arguments):
        with pytest.raises(SystemExit) as caught:
            main(list(arguments))
        return caught.value.code, capsys.readouterr().err

    return run
