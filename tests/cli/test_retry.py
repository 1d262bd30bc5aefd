"""lupom retry: what failed or has no valid answer, and nothing else."""

from __future__ import annotations

import pytest

from lupom import Project
from tests.support.llm_server import Fault
from tests.support.notes_project import FILES, people


@pytest.fixture
def folder(make_project, server):
    """A project of two LLM models and a model that fails for ever other than by its own fault."""
    files = {
        **FILES,
        "lupom_project.yml": (
            "name: demo\nmodels: {+materialized: table}\nvars: {town: Town}\nllms:\n"
            f"  default: {{provider: openai, base_url: '{server.base_url}', model: m,"
            " max_retries: 0, concurrency: 1, max_tokens: 100}\n"
        ),
        "seeds/people.csv": people(6),
        "models/others.sql": "select '{{ var('town') }}' as town, count(*) as n from"
        " {{ ref('people') }}",
    }
    return make_project(files)


def rows(folder, sql):
    with Project(folder) as project:
        return project.query(sql).rows()


def ended(folder):
    """How the nodes of the last run ended, in the order of their names."""
    latest = "(select run_id from lupom.runs order by started_at desc limit 1)"
    sql = f"select node, status from lupom.nodes where run_id = {latest}"
    return dict(sorted(rows(folder, sql)))


def test_before_the_first_run_there_is_nothing_to_retry(lupom):
    code, err = lupom("retry")
    assert code == 2
    assert "there has been no run yet (lupom run)" in err


def test_after_a_run_that_ended_well_nothing_is_done(lupom, server):
    assert lupom("run")[0] == 0
    code, err = lupom("retry")
    assert code == 0
    assert "Nothing to retry: run " in err
    assert server.requests == 6


def test_what_failed_is_done_again_with_what_follows_from_it(lupom, folder, server):
    server.faults = lambda number, _body: Fault(status=503) if number > 3 else None
    assert lupom("run")[0] == 1
    server.faults = None
    server.reset()
    assert lupom("retry")[0] == 0
    assert ended(folder) == {"long_notes": "success", "notes": "success"}
    assert server.requests == 3


def test_quarantined_rows_are_asked_again_and_nothing_else(lupom, folder, server):
    server.answers = lambda body: "no" if "Person 4" in str(body["messages"]) else None
    assert lupom("run")[0] == 0
    assert rows(folder, "select count(*) from notes") == [(5,)]
    server.answers = None
    server.reset()
    # A run of something else in between changes nothing about it.
    assert lupom("run", "--select", "others", "--full-refresh")[0] == 0
    code, err = lupom("retry")
    assert code == 0
    assert "invalid answers are asked again" not in err
    assert server.requests == 1
    assert rows(folder, "select count(*) from long_notes") == [(5,)]
    # The run in between selected `others` alone; a plain run takes care of what follows.
    assert lupom("run")[0] == 0
    assert rows(folder, "select count(*) from long_notes") == [(6,)]
    assert server.requests == 1


def test_what_follows_from_mended_rows_is_rebuilt(lupom, folder, server):
    server.answers = lambda body: "no" if "Person 4" in str(body["messages"]) else None
    lupom("run")
    server.answers = None
    assert lupom("retry")[0] == 0
    assert rows(folder, "select count(*) from long_notes") == [(6,)]
    assert ended(folder) == {"long_notes": "success", "notes": "success"}


def test_it_goes_by_the_flags_of_the_last_run(lupom, folder, server):
    server.faults = lambda number, _body: Fault(status=503)
    flags = ["--vars", "town: City", "--select", "notes", "others", "--fail-fast", "--threads", "1"]
    assert lupom("run", *flags)[0] == 1
    server.faults = None
    assert lupom("retry")[0] == 0
    with Project(folder) as project:
        last = project.context.state.runs(limit=1)[0]["arguments"]
    assert last["vars"] == {"town": "City"}
    assert (last["threads"], last["fail_fast"], last["retry_invalid"]) == (1, True, True)
    assert rows(folder, "select town from others") == [("City",)]
    assert "long_notes" not in ended(folder)


def test_a_run_that_stopped_at_its_budget_goes_on_with_the_next(lupom, folder, server):
    code, said = lupom("run", "--budget", "220 tokens")
    assert code == 3
    assert "Run again to go on, with another --budget" in said
    before = server.requests
    assert 0 < before < 6
    code, _ = lupom("retry", "--budget", "100k tokens")
    assert code == 0
    assert server.requests == 6
    assert rows(folder, "select count(*) from long_notes") == [(6,)]


def test_at_the_project_s_budget_no_option_is_named_that_would_not_help(lupom, folder):
    file = folder / "lupom_project.yml"
    file.write_text(file.read_text() + "\nbudget: {project: 30 tokens}\n")
    code, said = lupom("run")
    assert code == 3
    assert "Run again to go on, with a higher budget.project in lupom_project.yml" in said


def test_a_run_that_was_killed_is_done_again_as_a_whole(lupom, folder, server):
    lupom("run")
    with Project(folder) as project:
        arguments = {"select": ["others"], "exclude": None, "vars": {}, "full_refresh": True}
        project.context.state.start_run("run", target="dev", arguments=arguments)
    assert lupom("retry")[0] == 0
    assert ended(folder) == {"others": "success", "people": "success"}


@pytest.fixture
def tested(folder):
    """The project with a test that its table of people fails: two of one id."""
    (folder / "seeds" / "people.csv").write_text(people(3) + people(1).splitlines()[1] + "\n")
    (folder / "models" / "copy.sql").write_text("select id from {{ ref('people') }}")
    (folder / "models" / "after.sql").write_text("select count(*) as n from {{ ref('copy') }}")
    (folder / "models" / "copy.yml").write_text(
        "models: [{name: copy, columns: [{name: id, data_tests: [unique, not_null]}]}]\n"
    )
    return folder


def test_after_a_build_the_failed_test_and_what_it_held_back_are_done_again(tested, lupom):
    assert lupom("build", "--select", "copy", "after")[0] == 1
    assert ended(tested) == {
        "people": "success",
        "copy": "success",
        "not_null_copy_id": "pass",
        "unique_copy_id": "fail",
        "after": "skipped",
    }
    code, err = lupom("retry")
    assert code == 1
    # The model was built: only its test, and what that held back, are left.
    assert ended(tested) == {"unique_copy_id": "fail", "after": "skipped"}
    assert "copy ...." not in err


def test_after_a_test_only_what_failed_is_tested_again(tested, lupom):
    lupom("run", "--select", "copy")
    assert lupom("test")[0] == 1
    code, err = lupom("retry")
    assert code == 1
    assert "1 of 1 FAIL test unique_copy_id" in err
    (tested / "models" / "copy.sql").write_text("select distinct id from {{ ref('people') }}")
    lupom("run", "--select", "copy")
    lupom("test")
    assert lupom("retry")[0] == 0
