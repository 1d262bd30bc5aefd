"""Logs for programs, and completion for shells."""

from __future__ import annotations

import json

import pytest

from lupom.cli.group import main


@pytest.fixture
def lupom(tmp_path, monkeypatch, capsys):
    """Run a command in a small project; returns exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models").mkdir()
    (tmp_path / "lupom_project.yml").write_text("name: demo\n")
    (tmp_path / "models" / "total.sql").write_text("select 1 as n")
    (tmp_path / "models" / "totals.sql").write_text("select * from {{ ref('total') }}")

    def run(*arguments):
        with pytest.raises(SystemExit) as caught:
            main(list(arguments))
        out = capsys.readouterr()
        return caught.value.code, out.out, out.err

    return run


def test_json_logs_are_an_object_a_line_and_stdout_is_empty(lupom):
    code, out, err = lupom("run", "--log-format", "json")
    events = [json.loads(line) for line in err.splitlines()]
    assert (code, out) == (0, "")
    assert [e["event"] for e in events][-3:] == ["node_finished", "run_finished", "note"]
    ended = next(e for e in events if e["event"] == "run_finished")
    assert (ended["status"], ended["nodes"]) == ("success", {"success": 2})
    assert all("ts" in e and "level" in e for e in events)


def test_a_failure_is_an_event_of_level_error(lupom, tmp_path):
    (tmp_path / "models" / "total.sql").write_text("select nonsense")
    code, _, err = lupom("run", "--log-format", "json")
    levels = {
        e["node"]: e["level"]
        for e in map(json.loads, err.splitlines())
        if e.get("status") and "node" in e
    }
    assert code == 1
    assert levels == {"total": "error", "totals": "warn"}


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(lupom, shell):
    code, out, _ = lupom("completion", shell)
    assert code == 0
    assert "_LUPOM_COMPLETE" in out


def test_selectors_complete_names(lupom, monkeypatch, capsys):
    monkeypatch.setenv("_LUPOM_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", "lupom run --select +tot")
    monkeypatch.setenv("COMP_CWORD", "3")
    _, out, _ = lupom()
    assert [line.split(",")[1] for line in out.splitlines()] == ["+total", "+totals"]
