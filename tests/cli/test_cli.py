"""The command line: what is printed where, exit codes, and what is imported for it."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from lupom.cli.group import COMMANDS, main

HEAVY = (
    "duckdb",
    "openai",
    "instructor",
    "pgmpy",
    "sklearn",
    "boto3",
    "pandas",
    "pyarrow",
    "sqlalchemy",
    "sqlmodel",
    "numpy",
)


@pytest.fixture
def lupom(tmp_path, monkeypatch, capsys):
    """Run a command in a small project; returns exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models").mkdir()
    (tmp_path / "seeds").mkdir()
    (tmp_path / "lupom_project.yml").write_text("name: demo\nshow_at_end: [total]\n")
    (tmp_path / "seeds" / "people.csv").write_text("id,name\n1,Ann\n2,Bob\n")
    (tmp_path / "models" / "total.sql").write_text(
        "{{ config(materialized='table') }} select count(*) as n from {{ ref('people') }}"
    )

    def run(*arguments):
        with pytest.raises(SystemExit) as caught:
            main(list(arguments))
        out = capsys.readouterr()
        return caught.value.code, out.out, out.err

    return run


def test_help_imports_nothing_heavy():
    code = (
        "import sys\n"
        "from lupom.cli import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit as e:\n    assert e.code == 0\n"
        f"print([m for m in {HEAVY!r} if m in sys.modules], file=sys.stderr)"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stderr.strip() == "[]"


@pytest.mark.parametrize("command", ["run", "plan", "ls"])
def test_where_nothing_is_to_do_nothing_is_imported_that_works_on_tables(lupom, command):
    assert lupom("run")[0] == 0
    tables = ("pandas", "pyarrow", "numpy", "openai", "sklearn", "pgmpy", "boto3")
    code = (
        "import sys\n"
        "from lupom.cli import main\n"
        f"try:\n    main([{command!r}])\nexcept SystemExit as e:\n    assert not e.code\n"
        f"print([m for m in {tables!r} if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(lupom, command):
    code, out, _ = lupom(command, "--help")
    assert code == 0
    assert "Example:" in out
    assert f"lupom {command}" in out.split("Example:")[1]


def test_a_run_prints_its_lines_to_stderr_and_tables_to_stdout(lupom):
    code, out, err = lupom("run")
    assert code == 0
    assert "1 of 2 START seed people ..." in err
    assert "2 of 2 OK created table model total ..." in err
    assert "[RUN]" in err
    assert out.split() == ["total", "n", "---", "2"]
    assert "\x1b" not in err


def test_csv_is_made_safe_for_spreadsheets_on_demand(lupom):
    lupom("run")
    sql = "select '=1+1' as answer, -5 as n, '-5' as code"
    _, out, _ = lupom("query", sql, "--format", "csv")
    assert out == "answer,n,code\n=1+1,-5,-5\n"
    _, out, _ = lupom("query", sql, "--format", "csv", "--spreadsheet-safe")
    assert out == "answer,n,code\n'=1+1,-5,-5\n"
    code, _, err = lupom("query", sql, "--spreadsheet-safe")
    assert code == 2
    assert "only CSV is made safe for spreadsheets (--format csv)" in err


def test_a_selection_shows_only_what_is_in_it(lupom):
    code, out, err = lupom("run", "--select", "people")
    assert (code, out) == (0, "")
    assert "show_at_end" not in err


def test_a_store_that_cannot_be_read_afterwards_is_told_and_the_run_is_right(lupom, monkeypatch):
    from lupom import Project
    from lupom.engine.errors import StoreError

    def taken(_project):
        raise StoreError("the store is held by another process")

    monkeypatch.setattr(Project, "records", taken)
    code, out, err = lupom("run")
    assert (code, out.split()) == (0, ["total", "n", "---", "2"])
    assert "show_at_end: the store is held by another process" in err


def test_a_misspelt_table_to_show_is_told(lupom, tmp_path):
    (tmp_path / "lupom_project.yml").write_text("name: demo\nshow_at_end: [totl]\n")
    _, _, err = lupom("run")
    assert "show_at_end: no model 'totl' (did you mean 'total'?)" in err


def test_a_table_is_shown_as_soon_as_it_is_built_where_that_is_wanted(lupom, tmp_path):
    settings = "name: demo\nshow_when_built: [total]\nshow_at_end: [last]\n"
    (tmp_path / "lupom_project.yml").write_text(settings)
    (tmp_path / "models" / "last.sql").write_text(
        "{{ config(materialized='table') }} select n + 1 as m from {{ ref('total') }}"
    )
    _, out, err = lupom("run")
    early = err.index("total, while the rest is built:")
    assert err[early:].split()[6:9] == ["n", "---", "2"]
    assert early < err.index("START table model last")
    assert out.split() == ["last", "m", "---", "3"]


def test_what_was_built_before_is_not_shown_early_again(lupom, tmp_path):
    (tmp_path / "lupom_project.yml").write_text("name: demo\nshow_when_built: [total]\n")
    lupom("run")
    assert "while the rest is built" not in lupom("run")[2]
    assert "while the rest is built" not in lupom("run", "--no-llm", "--full-refresh")[2]


def test_a_misspelt_table_to_show_when_it_is_built_is_told(lupom, tmp_path):
    (tmp_path / "lupom_project.yml").write_text("name: demo\nshow_when_built: [totl]\n")
    _, _, err = lupom("run")
    assert "show_when_built: no model 'totl' (did you mean 'total'?)" in err


def test_a_second_run_says_that_nothing_is_to_do(lupom):
    lupom("run")
    code, out, err = lupom("run")
    assert (code, out) == (0, "")
    assert "Nothing to do: all 2 nodes are up to date." in err


def test_rows_come_as_csv_and_json(lupom):
    lupom("run")
    assert lupom("query", "select * from people order by id", "--format", "csv")[1] == (
        "id,name\n1,Ann\n2,Bob\n"
    )
    code, out, err = lupom(
        "query", "select 1 as a, [1, 2] as b, 'NaN'::double as c", "--format", "json"
    )
    assert (code, err) == (0, "")
    assert json.loads(out) == [{"a": 1, "b": [1, 2], "c": None}]


def test_select_takes_several_words_as_in_dbt(lupom):
    assert lupom("ls", "--select", "people", "total", "--output", "name")[1] == "people\ntotal\n"
    assert lupom("ls", "--exclude", "people", "-s", "people", "total")[1] == "total\n"


def test_show_and_ls(lupom):
    lupom("run")
    assert "Ann" in lupom("show", "people", "--limit", "1")[1]
    assert lupom("ls")[1] == "people\ntotal\n"
    assert json.loads(lupom("ls", "--output", "json")[1])[1]["parents"] == ["people"]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (
            ["run", "--select", "totl"],
            2,
            "Error: --select 'totl' matches nothing (did you mean 'total'?)",
        ),
        (["show", "totl"], 2, "Error: no model 'totl' (did you mean 'total'?)"),
        (["show", "total"], 1, "Error: there is no store yet at"),
        (["rnu"], 2, "No such command 'rnu'. Did you mean 'run'?"),
        (["run", "--vars", "seed:1"], 2, "a space after the colon: 'seed: 7'"),
        (["plan", "--vars", "{seed: 1, seed: 2}"], 2, "--vars gives 'seed' twice: {seed: 1"),
        (["plan", "--vars", "seed: 1", "--vars", "seed: 2"], 2, "gives 'seed' twice: 1 and 2"),
        (
            ["run", "--target", "prod"],
            2,
            "Error: no target 'prod' in lupom_project.yml (targets: dev)",
        ),
        (["query", "select nope from people"], 1, "Error: there is no store yet"),
    ],
)
def test_a_mistake_is_one_line_with_the_likely_intention(lupom, arguments, code, message):
    got, out, err = lupom(*arguments)
    assert (got, out) == (code, "")
    assert message in err
    assert "Traceback" not in err


def test_a_query_error_is_duckdbs_own_with_its_suggestion(lupom):
    lupom("run")
    code, _, err = lupom("query", "select nme from people")
    assert code == 1
    assert 'Candidate bindings: "name"' in err


def test_a_query_cannot_write(lupom):
    lupom("run")
    code, _, err = lupom("query", "delete from people")
    assert code == 1
    assert "read-only" in err


def test_compile_writes_the_sql_and_prints_a_single_model(lupom, tmp_path):
    _, out, _ = lupom("compile", "--select", "total")
    assert out.strip() == 'select count(*) as n from "main"."people"'
    assert (tmp_path / "target" / "compiled" / "models" / "total.sql").is_file()


def test_plan_says_why(lupom):
    _, out, _ = lupom("plan")
    assert "first build" in out
    lupom("run")
    assert lupom("plan")[1] == "Nothing to do: all 2 nodes are up to date.\n"


def test_clean_leaves_store_and_ledger(lupom, tmp_path):
    lupom("run")
    assert lupom("clean")[0] == 0
    assert not (tmp_path / "target").exists()
    assert (tmp_path / "lupom.duckdb").is_file()
    assert (tmp_path / ".lupom" / "state.db").is_file()


def test_a_failure_exits_with_1_and_names_what_to_mend(lupom, tmp_path):
    (tmp_path / "models" / "total.sql").write_text("select nope from {{ ref('people') }}")
    code, out, err = lupom("run")
    assert (code, out) == (1, "")
    assert "models/total.sql:1: Binder Error" in err
    assert "Failed in" in err


def test_outside_a_project(lupom, tmp_path, monkeypatch):
    (tmp_path / "lupom_project.yml").unlink()
    code, _, err = lupom("run")
    assert code == 2
    assert "no lupom_project.yml in" in err


def test_debug_tells_versions_and_store(lupom):
    code, out, _ = lupom("debug")
    assert code == 0
    assert "duckdb" in out
    assert "not yet made" in out


def test_terminal_codes_in_answers_do_not_reach_the_terminal(lupom):
    lupom("run")
    _, out, _ = lupom("query", "select chr(27) || '[31mred' as x")
    assert "\x1b" not in out
