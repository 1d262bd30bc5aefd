"""A target's `state:`: the ledger of a team, by URL."""

from __future__ import annotations

import re
import sqlite3

import pytest

from lupom import Project
from lupom.engine.errors import LupomError, ProjectError
from tests.support import short_notes
from tests.support.postgres import PASSWORD

FILES = {"seeds/people.csv": "id\n1\n2\n3\n", **short_notes.FILES}
SETTINGS = """
name: demo
targets:
  dev: {{path: dev.duckdb{more}}}
llms:
  default: {{provider: openai, base_url: "{url}", model: m, max_retries: 0}}
"""


@pytest.fixture
def make(make_project, server):
    """Return a function that makes a project whose target says more."""

    def make(more=""):
        settings = SETTINGS.format(more=more, url=server.base_url)
        return make_project({"lupom_project.yml": settings, **FILES})

    return make


@pytest.fixture
def folder(make, postgres, monkeypatch):
    """A project whose ledger is in PostgreSQL; the password comes from the environment."""
    url = postgres.database().replace(PASSWORD, "{{ env_var('LUPOM_TEST_WORD') }}")
    monkeypatch.setenv("LUPOM_TEST_WORD", PASSWORD)
    return make(f', state: "{url}"')


def planned(folder):
    """Return the rows of the LLM's model, those in the ledger, and calls to make; None: built."""
    with Project(folder) as project:
        found = [step.estimate for step in project.plan().doing() if step.node == "notes"]
    return (found[0].rows, found[0].cached, found[0].low) if found else None


def test_what_one_checkout_asked_another_does_not(folder, server, tmp_path):
    with Project(folder) as project:
        result = project.run()
        assert [node.message for node in result.nodes] == ["", ""]
    assert not (folder / ".lupom" / "state.db").exists()
    other = tmp_path / "other"
    for name in ("lupom_project.yml", *FILES):
        (other / name).parent.mkdir(parents=True, exist_ok=True)
        (other / name).write_text((folder / name).read_text())
    # What a colleague paid for is known before anything is built here, and costs nothing to plan.
    people = other / "seeds/people.csv"
    people.write_text("id\n1\n2\n3\n4\n")
    assert planned(other) == (4, 3, 1)
    assert planned(folder) is None
    assert not (other / "dev.duckdb").exists()
    assert not (other / ".lupom" / "state.db").exists()
    people.write_text((folder / "seeds/people.csv").read_text())
    assert planned(other) == (3, 3, 0)
    with Project(other) as project:
        assert len(project.context.state.runs(everyone=True)) == 1
        assert project.run().status == "success"
        assert project.table("notes").rows()
        # Its own last run is what `lupom retry` and the site speak of, the team's are in the store.
        assert len(project.context.state.runs()) == 1
        assert project.query("select count(*) from lupom.runs").rows() == [(2,)]
        assert project.query("select count(*) from lupom.calls").rows() == [(3,)]
        assert project.retry().run_id is None
    assert server.requests == 3


def test_a_store_that_goes_over_to_another_ledger_gets_its_calls(make, folder, postgres, server):
    shared = (folder / "lupom_project.yml").read_text()
    for text in (re.sub(", state: .*", "}", shared), shared):
        (folder / "lupom_project.yml").write_text(text)
        with Project(folder) as project:
            project.run(full_refresh=True)
            (count,) = project.query("select count(*), count(call_id) from lupom.calls").rows()
            assert count == (3, 3)
    # The second ledger is empty, so all was asked again there and stands in the store.
    (folder / "seeds/people.csv").write_text("id\n1\n2\n3\n4\n")
    with Project(folder) as project:
        project.run()
        assert project.query("select count(*) from lupom.calls").rows() == [(4,)]
    assert server.requests == 3 + 3 + 1


def test_the_password_is_in_nothing_that_is_written(folder):
    with Project(folder) as project:
        assert project.run().status == "success"
        project.docs()
        checks = {check.what: check for check in project.diagnose()}
        assert "lupom:***@127.0.0.1" in checks["ledger"].found
        assert PASSWORD not in repr(project.files)
    assert PASSWORD not in repr(checks)
    for path in folder.rglob("*"):
        if path.is_file():
            assert PASSWORD.encode() not in path.read_bytes(), path


def test_a_password_in_the_file_is_refused_with_its_line(make):
    folder = make(', state: "postgresql://ann:hunter2@db/team"')
    with pytest.raises(ProjectError, match=r"lupom_project.yml:4: a password is spelled") as caught:
        Project(folder)
    assert "hunter2" not in str(caught.value)
    assert "env_var('LUPOM_PASSWORD')" in str(caught.value)


def test_a_wrong_url_is_told_with_its_line(make):
    folder = make(', state: "postgressql://ann@db/team"')
    with pytest.raises(ProjectError, match=r"lupom_project.yml:4: .*did you mean 'postgresql'"):
        Project(folder)


def test_a_file_by_its_url_is_shared_by_checkouts(make, server):
    folder = make(', state: "sqlite:///../team.db"')
    with Project(folder) as project:
        assert project.run().status == "success"
    with sqlite3.connect(folder.parent / "team.db") as database:
        assert database.execute("select count(*) from calls").fetchall() == [(3,)]


def test_a_server_that_is_not_there_is_one_error(make):
    folder = make(', state: "postgresql://ann@127.0.0.1:1/team"')
    with Project(folder) as project:
        for begin in (project.run, project.plan):
            with pytest.raises(LupomError, match="no server answers there"):
                begin()
