"""lupom ledger: answers taken from one ledger to another."""

from __future__ import annotations

import json

import pytest

from tests.support.notes_project import FILES, people
from tests.support.postgres import PASSWORD


@pytest.fixture
def folder(make_project, server, postgres, monkeypatch):
    """A project with a ledger of its own and one of a team."""
    url = postgres.database().replace(f":{PASSWORD}", "")
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    files = {
        **FILES,
        "lupom_project.yml": (
            "name: demo\nmodels: {+materialized: table}\ntargets:\n  dev: {path: dev.duckdb}\n"
            f"  team: {{path: team.duckdb, state: '{url}'}}\nllms:\n"
            f"  default: {{provider: openai, base_url: '{server.base_url}', model: m}}\n"
        ),
        "seeds/people.csv": people(4),
    }
    return make_project(files)


def test_answers_go_to_the_team_s_ledger_and_back_and_nothing_is_asked_again(lupom, folder, server):
    assert lupom("run")[0] == 0
    asked = server.requests
    said = "4 calls and embeddings: 4 new, 0 in the place of what had no answer, 0 known."
    assert lupom("ledger", "merge", "dev", "--target", "team") == (0, said + "\n")
    assert lupom("run", "--target", "team")[0] == 0
    (folder / ".lupom" / "state.db").unlink()
    assert lupom("ledger", "merge", "team")[0] == 0
    assert lupom("run", "--full-refresh")[0] == 0
    assert server.requests == asked


def test_by_a_file_and_what_is_wrong_in_it_is_told(lupom, folder):
    lupom("run")
    code, said = lupom("ledger", "export", "out/answers.jsonl")
    assert (code, said.endswith("answers.jsonl: 4 calls and embeddings.\n")) == (0, True)
    path = folder / "out" / "answers.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    rows[2]["attempts"] = "many"
    path.write_text("\n".join(map(json.dumps, rows)))
    code, said = lupom("ledger", "import", str(path), "--target", "team")
    assert code == 1
    assert "3 new, 0 in the place of what had no answer, 0 known, 1 refused." in said
    assert "  row 3: attempts: Input should be a valid integer" in said


def test_a_place_that_cannot_be_written_is_one_line(lupom):
    code, said = lupom("ledger", "export", "/proc/answers.jsonl")
    assert code == 1
    assert said.splitlines()[-1] == "Error: /proc/answers.jsonl: No such file or directory"


def test_a_place_without_a_ledger_is_told(lupom):
    code, said = lupom("ledger", "merge", "tem")
    assert code == 2
    assert "there is no ledger at tem (did you mean 'team'?)" in said
