"""Data tests: what they find, how they are written, and what a failing one holds back."""

from __future__ import annotations

import pytest

from lupom import Project
from lupom.engine.errors import CompileError, GraphError, ProjectError, StoreError

PEOPLE = "id,name,age\n1,Ann,40\n2,Bob,\n2,Cy,130\n"
MODEL = "select * from {{ ref('people') }}"


def properties(column_tests="", model_tests=""):
    return f"""
models:
  - name: adults
    columns:
      - name: id
        data_tests: [{column_tests}]
    data_tests: [{model_tests}]
"""


@pytest.fixture
def project(make_project):
    """Return a function: a built project whose model has the given data tests."""

    def make(column_tests="", model_tests="", **files):
        folder = make_project(
            {
                "seeds/people.csv": PEOPLE,
                "seeds/towns.csv": "id,town\n1,Ulm\n",
                "models/adults.sql": MODEL,
                "models/names.sql": "select name from {{ ref('adults') }}",
                "models/adults.yml": properties(column_tests, model_tests),
                **files,
            }
        )
        with Project(folder) as opened:
            opened.run()
        return folder

    return make


def outcomes(folder, *arguments, **options):
    with Project(folder) as opened:
        result = opened.test(*arguments, **options)
    return {node.node: (node.status, node.rows) for node in result.nodes}


@pytest.mark.parametrize(
    ("column_tests", "model_tests", "failing"),
    [
        ("not_null", "", 0),
        ("unique", "", 1),
        ("accepted_values: {values: [1, 3]}", "", 1),
        ("accepted_values: {values: ['1', '2']}", "", 0),
        ("relationships: {to: ref('towns'), field: id}", "", 1),
        ("expression: '< 2'", "", 2),
        ("", "expression: 'age < 120'", 1),
        ("", "not_null: [age, name]", 1),
        ("", "unique: [id, name]", 0),
        ("", "unique: {columns: [id], where: 'age is null'}", 0),
    ],
)
def test_the_kinds_that_are_always_there(project, column_tests, model_tests, failing):
    ((status, rows),) = outcomes(project(column_tests, model_tests)).values()
    assert rows == failing
    assert status == ("fail" if failing else "pass")


def test_severity_and_thresholds(project):
    folder = project(
        "unique: {severity: warn, name: a}, unique: {error_if: '> 1', name: b},"
        " unique: {error_if: '> 1', warn_if: '> 1', name: c}"
    )
    assert outcomes(folder) == {"a": ("warn", 1), "b": ("warn", 1), "c": ("pass", 1)}


def test_failing_rows_are_kept_on_request(project):
    folder = project("unique")
    assert outcomes(folder, store_failures=True) == {"unique_adults_id": ("fail", 1)}
    with Project(folder) as opened:
        kept = opened.query("select * from lupom_failures.unique_adults_id").rows()
    assert kept == [(2, 2)]


def test_tests_are_selected_by_what_they_test_and_by_name(project):
    folder = project(
        "unique, not_null", **{"tests/data/no_names.sql": "select 1 from {{ ref('names') }}"}
    )
    everything = {"unique_adults_id", "not_null_adults_id", "no_names"}
    assert set(outcomes(folder)) == everything
    assert set(outcomes(folder, "adults")) == everything - {"no_names"}
    assert set(outcomes(folder, "names")) == {"no_names"}
    assert set(outcomes(folder, "unique_adults_id")) == {"unique_adults_id"}
    assert set(outcomes(folder, None, "adults")) == {"no_names"}
    assert set(outcomes(folder, "adults", "not_null_adults_id")) == {"unique_adults_id"}


def test_a_kind_of_ones_own_sees_its_arguments(project):
    folder = project(
        "at_least: {least: 2}",
        **{
            "tests/data/generic/at_least.sql": (
                "select * from {{ model }} where {{ column_name }} < {{ least }}"
            )
        },
    )
    assert outcomes(folder) == {"at_least_adults_id": ("fail", 1)}


def test_build_skips_what_follows_from_a_failed_test(project):
    folder = project("unique")
    (folder / "seeds" / "people.csv").write_text(PEOPLE + "3,Dee,1\n")
    with Project(folder) as opened:
        result = opened.run(tests=True)
    statuses = {node.node: node.status for node in result.nodes}
    assert statuses == {
        "people": "success",
        "adults": "success",
        "unique_adults_id": "fail",
        "names": "skipped",
    }
    assert result.exit_code == 1
    (folder / "seeds" / "people.csv").write_text("id,name,age\n1,Ann,1\n")
    with Project(folder) as opened:
        result = opened.run(tests=True)
    assert result.exit_code == 0
    assert result.nodes[-1].node == "names"


def test_build_leaves_out_tests_of_tables_it_does_not_build(make_project):
    folder = make_project(
        {
            "seeds/people.csv": PEOPLE,
            "models/towns.sql": "select 1 as id",
            "models/adults.sql": MODEL,
            "models/adults.yml": properties("relationships: {to: ref('towns')}, not_null"),
        }
    )
    with Project(folder) as opened:
        first = opened.run("adults", tests=True)
        opened.run("towns")
        second = opened.run("adults", tests=True)
    assert [n.node for n in first.nodes if n.kind == "test"] == ["not_null_adults_id"]
    assert {n.node for n in second.nodes} == {"not_null_adults_id", "relationships_adults_id"}


def test_build_tests_what_is_up_to_date_too(project):
    folder = project("unique, not_null")
    with Project(folder) as opened:
        result = opened.run(tests=True)
    assert {n.node: n.status for n in result.nodes} == {
        "unique_adults_id": "fail",
        "not_null_adults_id": "pass",
    }
    assert result.up_to_date == 4


def test_a_test_that_does_not_run_is_an_error_with_its_line(project):
    folder = project("expression: '< nobody'")
    with Project(folder) as opened:
        (node,) = opened.test().nodes
    assert node.status == "error"
    assert node.message.startswith("models/adults.yml:6: ")
    assert "nobody" in node.message


@pytest.mark.parametrize(
    ("column_tests", "error", "message"),
    [
        ("uniqe", CompileError, "there is no data test 'uniqe' (did you mean 'unique'?)"),
        ("unique: {severty: warn}", CompileError, "has no argument 'severty'"),
        ("unique: {severity: bad}", ProjectError, "severity"),
        ("accepted_values", CompileError, "needs its 'values'"),
        ("relationships: {to: towns}", CompileError, "needs 'to', a relation"),
        ("relationships: {to: ref('twons')}", GraphError, "did you mean 'towns'?"),
        ("unique: {name: a}, not_null: {name: a}", ProjectError, "two data tests are named 'a'"),
    ],
)
def test_mistakes_are_told_with_file_and_line(make_project, column_tests, error, message):
    folder = make_project(
        {
            "seeds/people.csv": PEOPLE,
            "seeds/towns.csv": "id,town\n1,Ulm\n",
            "models/adults.sql": MODEL,
            "models/adults.yml": properties(column_tests),
        }
    )
    with pytest.raises(error) as caught:
        Project(folder)
    assert message in str(caught.value)
    assert str(caught.value).startswith("models/adults.yml:6: ")


def test_testing_before_the_first_run_says_so(make_project):
    folder = make_project(
        {
            "seeds/people.csv": PEOPLE,
            "models/adults.sql": MODEL,
            "models/adults.yml": properties("unique"),
        }
    )
    with Project(folder) as opened, pytest.raises(StoreError, match="no store yet"):
        opened.test()
    assert not (folder / "lupom.duckdb").exists()
