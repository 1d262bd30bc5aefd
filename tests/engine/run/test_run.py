"""Runs of SQL, Python and seed models: what is built, what is not, and what a failure leaves."""

from __future__ import annotations

from textwrap import dedent

import pytest

from lupom import Project
from lupom.engine.errors import LupomError, UsageError
from lupom.engine.run.diff import diff

PIPELINE = {
    "seeds/people.csv": "id,name\n1,Ann\n2,Bob\n",
    "models/upper.sql": "select id, upper(name) as name from {{ ref('people') }}",
    "models/ids.sql": "select id from {{ ref('upper') }}",
    "models/total.py": """
        def model(lupom):
            return lupom.ref("ids").aggregate("sum(id) as total")
        """,
}


def run(folder, **options):
    with Project(folder) as project:
        return project.run(**options)


def statuses(result):
    return {node.node: node.status for node in result.nodes}


def rows(folder, sql):
    with Project(folder) as project:
        return project.query(sql).rows()


def test_seeds_sql_and_python_become_tables(make_project):
    folder = make_project(PIPELINE)
    result = run(folder)
    assert result.status == "success"
    assert [node.node for node in result.nodes] == ["people", "upper", "ids", "total"]
    assert rows(folder, "select * from upper order by id") == [(1, "ANN"), (2, "BOB")]
    assert rows(folder, "select total from total") == [(3,)]


def test_a_second_run_does_nothing(make_project):
    folder = make_project(PIPELINE)
    run(folder)
    result = run(folder)
    assert (result.run_id, result.nodes, result.up_to_date) == (None, [], 4)


def test_an_edit_rebuilds_what_follows_and_stops_where_contents_are_equal(make_project):
    folder = make_project(PIPELINE)
    run(folder)
    (folder / "seeds" / "people.csv").write_text("id,name\n1,Anna\n2,Bob\n")
    # ids came out as they were: total, which reads only ids, is not built.
    assert statuses(run(folder)) == {
        "people": "success",
        "upper": "success",
        "ids": "success",
        "total": "unchanged",
    }


def test_an_edit_that_changes_no_contents_goes_no_further(make_project):
    folder = make_project(PIPELINE)
    run(folder)
    (folder / "models" / "upper.sql").write_text(
        "select id, upper(name) as name from {{ ref('people') }} -- tidied"
    )
    assert statuses(run(folder)) == {
        "upper": "success",
        "ids": "unchanged",
        "total": "unchanged",
    }


def test_a_column_that_is_measured_makes_no_reader_stale(make_project):
    timed = "import time\n\ndef model(lupom):\n    import pyarrow as pa\n"
    timed += "    return pa.table({'x': [1], 'seconds': [time.monotonic()]})\n"
    columns = "[{name: x}, {name: seconds, measured: true}]"
    folder = make_project(
        {
            "models/timed.py": timed,
            "models/timed.yml": f"models: [{{name: timed, columns: {columns}}}]",
            "models/reader.py": "def model(lupom):\n    return lupom.ref('timed').select('x')\n",
        }
    )
    with Project(folder) as project:
        project.run()
        [before] = project.table("timed").rows()
        assert statuses(project.run(["timed"], full_refresh=True))["timed"] == "success"
        [after] = project.table("timed").rows()
        assert after != before
        assert project.plan().doing() == []
        assert diff(project.context, "timed").changes == []
    # Whoever says otherwise of the column has it built again.
    (folder / "models" / "timed.yml").write_text("models: [{name: timed}]", encoding="utf-8")
    with Project(folder) as project:
        reasons = {step.node: step.reason for step in project.plan().doing()}
    assert reasons["timed"] == "measured columns is gone"


def test_an_edit_undone_before_the_next_run_is_no_edit(make_project):
    folder = make_project(PIPELINE)
    run(folder)
    path = folder / "models" / "upper.sql"
    before = path.read_text()
    path.write_text("select 1 as id")
    path.write_text(before)
    assert run(folder).nodes == []


def test_the_rows_order_of_a_seed_is_read_again_and_goes_no_further(make_project):
    # Questions stand in their file in the order in which they are asked.
    numbered = "select id, row_number() over () as place from {{ ref('people') }}"
    folder = make_project({**PIPELINE, "models/numbered.sql": numbered})
    run(folder)
    assert rows(folder, "from numbered order by id") == [(1, 1), (2, 2)]
    (folder / "seeds" / "people.csv").write_text("id,name\n2,Bob\n1,Ann\n")
    result = statuses(run(folder))
    assert rows(folder, "from numbered order by id") == [(1, 2), (2, 1)]
    assert result == {
        "people": "success",
        "numbered": "success",
        "upper": "success",
        "ids": "unchanged",
        "total": "unchanged",
    }


def test_a_failed_model_keeps_its_table_skips_what_follows_and_lets_the_others_go_on(make_project):
    folder = make_project({**PIPELINE, "models/other.sql": "select 1 as x"})
    run(folder)
    (folder / "models" / "upper.sql").write_text("select id, nam from {{ ref('people') }}")
    (folder / "models" / "other.sql").write_text("select 2 as x")
    result = run(folder)
    assert result.exit_code == 1
    assert statuses(result) == {
        "other": "success",
        "upper": "error",
        "ids": "skipped",
        "total": "skipped",
    }
    (failed,) = [node for node in result.nodes if node.status == "error"]
    assert failed.message.startswith("models/upper.sql:1: Binder Error")
    assert rows(folder, "select name from upper order by id") == [("ANN",), ("BOB",)]
    # The failure is not forgotten: the next run tries again.
    assert statuses(run(folder))["upper"] == "error"


def test_fail_fast_starts_nothing_after_a_failure(make_project):
    folder = make_project(
        {
            "models/a.sql": "select nope",
            "models/b.sql": "select 1 as x",
            "models/c.sql": "select 1 as x",
        }
    )
    result = run(folder, fail_fast=True, threads=1)
    assert statuses(result) == {"a": "error", "b": "skipped", "c": "skipped"}


def test_a_python_model_may_take_what_stays_the_same_from_its_own_table(make_project):
    # Whoever is there already stays, with the number they got when they came.
    numbered = """
        def model(lupom):
            before = lupom.this()
            known = dict(before.fetchall()) if before is not None else {}
            names = [name for (name,) in lupom.ref("people").project("name").fetchall()]
            for name in names:
                known.setdefault(name, lupom.var("first", 0) + len(known))
            import pyarrow as pa
            return pa.table({"name": list(known), "number": list(known.values())})
        """
    folder = make_project({"seeds/people.csv": "name\nAnn\n", "models/numbered.py": numbered})

    def found(**options):
        with Project(folder, vars=options.pop("vars", None)) as project:
            project.run(**options)
            return dict(project.table("numbered").rows())

    assert found() == {"Ann": 0}
    (folder / "seeds" / "people.csv").write_text("name\nBob\n")
    assert found() == {"Ann": 0, "Bob": 1}
    # From nothing: when asked to, with other vars, and by other code.
    assert found(full_refresh=True) == {"Bob": 0}
    assert found(vars={"first": 7}) == {"Bob": 7}
    (folder / "seeds" / "people.csv").write_text("name\nCleo\n")
    (folder / "models" / "numbered.py").write_text(dedent(numbered).replace("+ len", "+ 2 * len"))
    assert found() == {"Cleo": 0}


def test_a_python_models_error_has_its_line(make_project):
    folder = make_project({"models/m.py": "def model(lupom):\n    return 1 / 0\n"})
    (node,) = run(folder).nodes
    assert node.message == "models/m.py:2: ZeroDivisionError: division by zero"


def test_a_python_model_that_returns_no_table_is_told_so(make_project):
    folder = make_project({"models/m.py": "def model(lupom):\n    return 3\n"})
    (node,) = run(folder).nodes
    assert node.message == (
        "models/m.py: the model returned int"
        " (return an Arrow, pandas or polars table, or a DuckDB relation)"
    )


EPHEMERAL = (
    "{{{{ config(materialized='ephemeral') }}}} select id + {n} as id from {{{{ ref('v') }}}}"
)


def test_views_and_ephemeral_models_hand_changes_through(make_project):
    folder = make_project(
        {
            "seeds/people.csv": "id\n1\n",
            "models/v.sql": "{{ config(materialized='view') }} select id from {{ ref('people') }}",
            "models/e.sql": EPHEMERAL.format(n=1),
            "models/t.sql": "with x as (select * from {{ ref('e') }}) select id from x",
        }
    )
    run(folder)
    assert rows(folder, "select id from t") == [(2,)]
    assert run(folder).nodes == []
    (folder / "models" / "e.sql").write_text(EPHEMERAL.format(n=2))
    assert statuses(run(folder)) == {"t": "success"}
    (folder / "seeds" / "people.csv").write_text("id\n5\n")
    run(folder)
    assert rows(folder, "select id from t") == [(7,)]


def test_a_change_is_seen_through_a_view_that_is_not_selected(make_project):
    folder = make_project(
        {
            "models/a.sql": "select 1 as x",
            "models/b.sql": "{{ config(materialized='view') }} select * from {{ ref('a') }}",
            "models/c.sql": "select x from {{ ref('b') }}",
        }
    )
    run(folder)
    (folder / "models" / "a.sql").write_text("select 2 as x")
    assert statuses(run(folder, select="a c")) == {"a": "success", "c": "success"}
    assert rows(folder, "from c") == [(2,)]


INCREMENTAL = {
    "seeds/events.csv": "id,x\n1,a\n2,b\n",
    "models/grown.sql": """
        {{ config(materialized='incremental', unique_key='id') }}
        select id, x from {{ ref('events') }}
        {% if is_incremental() %} where id >= (select max(id) from {{ this }}) {% endif %}
        """,
}


def test_an_incremental_model_replaces_rows_of_the_same_key(make_project):
    folder = make_project(INCREMENTAL)
    run(folder)
    (folder / "seeds" / "events.csv").write_text("id,x\n1,changed\n2,B\n3,c\n")
    run(folder)
    # Row 1 is not selected again and stays as it was; row 2 is replaced; row 3 is new.
    assert rows(folder, "from grown order by id") == [(1, "a"), (2, "B"), (3, "c")]
    run(folder, full_refresh=True)
    assert rows(folder, "from grown order by id") == [(1, "changed"), (2, "B"), (3, "c")]


def test_an_incremental_model_whose_own_sql_changed_is_built_anew(make_project):
    folder = make_project(INCREMENTAL)
    run(folder)
    path = folder / "models" / "grown.sql"
    path.write_text(path.read_text().replace("select id, x", "select id, upper(x) as x"))
    run(folder)
    assert rows(folder, "from grown order by id") == [(1, "A"), (2, "B")]


def test_without_a_unique_key_rows_are_appended(make_project):
    folder = make_project(
        {
            "seeds/events.csv": "id\n1\n",
            "models/log.sql": """
                {{ config(materialized='incremental') }} select id from {{ ref('events') }}
                """,
        }
    )
    run(folder)
    (folder / "seeds" / "events.csv").write_text("id\n2\n")
    run(folder)
    assert rows(folder, "from log order by id") == [(1,), (2,)]


def test_a_unique_key_that_is_none_is_an_error_and_nothing_is_lost(make_project):
    folder = make_project(INCREMENTAL)
    run(folder)
    (folder / "seeds" / "events.csv").write_text("id,x\n3,a\n3,b\n")
    result = run(folder)
    assert "two new rows have id = 3" in result.nodes[-1].message
    assert rows(folder, "from grown order by id") == [(1, "a"), (2, "b")]


def test_columns_that_changed_below_an_incremental_model_are_told(make_project):
    folder = make_project(
        {
            "seeds/events.csv": "id\n1\n",
            "models/log.sql": """
                {{ config(materialized='incremental') }} select * from {{ ref('events') }}
                """,
        }
    )
    run(folder)
    (folder / "seeds" / "events.csv").write_text("id,x\n2,a\n")
    assert "--full-refresh" in run(folder).nodes[-1].message


def test_a_selection_builds_the_seeds_it_needs_and_no_more(make_project):
    folder = make_project({**PIPELINE, "seeds/other.csv": "x\n1\n"})
    assert set(statuses(run(folder, select="upper"))) == {"people", "upper"}


def test_an_input_that_was_never_built_is_named(make_project):
    folder = make_project(PIPELINE)
    (node,) = run(folder, select="ids").nodes
    assert node.message == (
        "models/ids.sql: its input 'upper' is not built (select it too: --select +ids)"
    )


def test_a_table_dropped_by_hand_is_built_again(make_project):
    import duckdb

    folder = make_project(PIPELINE)
    run(folder)
    with duckdb.connect(str(folder / "lupom.duckdb")) as connection:
        connection.execute("drop table ids")
    assert statuses(run(folder)) == {"ids": "success", "total": "unchanged"}


def test_sources_are_files_or_tables_of_the_store(make_project):
    import duckdb

    folder = make_project(
        {
            "data/wave.csv": "id\n1\n",
            "models/sources.yml": """
                sources:
                  - name: panel
                    tables:
                      - {name: wave, file: data/wave.csv}
                  - name: raw
                    schema: raw
                    tables:
                      - {name: weights}
                """,
            "models/a.sql": "select id from {{ source('panel', 'wave') }}",
            "models/b.sql": "select w from {{ source('raw', 'weights') }}",
        }
    )
    with duckdb.connect(str(folder / "lupom.duckdb")) as connection:
        connection.execute("create schema raw; create table raw.weights as select 0.5 as w")
    assert run(folder).status == "success"
    assert run(folder).nodes == []
    (folder / "data" / "wave.csv").write_text("id\n2\n")
    assert set(statuses(run(folder))) == {"a"}
    with duckdb.connect(str(folder / "lupom.duckdb")) as connection:
        connection.execute("insert into raw.weights values (0.7)")
    assert set(statuses(run(folder))) == {"b"}


def test_the_store_tells_its_own_runs(make_project):
    folder = make_project(PIPELINE)
    run(folder)
    assert rows(folder, "select status from lupom.runs") == [("success",)]
    assert rows(
        folder, "select n.node, n.rows from lupom.nodes n join lupom.runs using (run_id) order by 1"
    ) == [("ids", 2), ("people", 2), ("total", 1), ("upper", 2)]


def test_a_run_that_another_holds_is_refused_and_named(make_project):
    from lupom.engine.run.lock import run_lock

    folder = make_project(PIPELINE)
    with run_lock(folder / ".lupom") as claim:
        claim("r1")
        with pytest.raises(LupomError, match=r"another run .*: run r1 \(PID \d+\)"):
            run(folder)


def test_a_var_nobody_reads_is_a_typing_error(make_project):
    folder = make_project({"models/a.sql": "select {{ var('seed', 1) }} as x"})
    with pytest.raises(UsageError, match=r"reads a var 'sed' \(did you mean 'seed'\?\)"):
        Project(folder, vars={"sed": 2})
    # What YAML makes of --vars '{seed:2}'.
    with pytest.raises(UsageError, match=r"a space stands after the colon: 'seed: 2'"):
        Project(folder, vars={"seed:2": None})


def test_a_misspelt_var_of_the_project_is_a_warning(make_project):
    folder = make_project(
        {
            "lupom_project.yml": "name: demo\nvars:\n  sead: 3\n  other: 1\n",
            "models/a.sql": "select {{ var('seed', 1) }} as x",
        }
    )
    assert Project(folder).warnings == [
        "lupom_project.yml:3: no model reads the var 'sead' (did you mean 'seed'?)"
    ]


def test_a_var_that_is_read_in_another_case_and_declared_is_no_slip(make_project):
    folder = make_project(
        {
            "lupom_project.yml": "name: demo\nvars:\n  seed_2: 3\n",
            "models/a.sql": "select {{ var('seed', 1) if true else var('seed_2', 2) }} as x",
            "models/vars.yml": "version: 2\nvars:\n  - {name: seed_2, type: integer}\n",
        }
    )
    assert Project(folder).warnings == []
    Project(folder, vars={"seed_2": 4})


def test_guarded_tags_keep_answers_out_of_models(make_project):
    folder = make_project(
        {
            "lupom_project.yml": "name: demo\nguarded_tags: [holdout]\n",
            "models/raw.sql": "{{ config(tags=['holdout']) }} select 1 as x",
            "models/known.sql": "{{ config(filters_holdout=true) }} select * from {{ ref('raw') }}",
            "models/ok.sql": "select * from {{ ref('known') }}",
        }
    )
    Project(folder)
    (folder / "models" / "leak.sql").write_text("select 1 as a\nfrom {{ ref('raw') }}")
    with pytest.raises(LupomError, match=r"models/leak.sql:2: .*holdout"):
        Project(folder)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id,name\n1,a\n2,b,c\n", "seeds/s.csv:3: "),
        ("", "seeds/s.csv: the file is empty"),
    ],
)
def test_a_seed_that_does_not_parse_names_its_file(make_project, text, message):
    folder = make_project({"seeds/s.csv": text})
    (node,) = run(folder).nodes
    assert node.status == "error"
    assert node.message.startswith(message)


def test_a_seed_has_the_types_of_its_values_or_those_given(make_project):
    folder = make_project(
        {
            "seeds/s.csv": "id,day,x,zip\n1,2018-03-01,0.5,01234\n2,,,98765\n",
            "seeds/s.yml": "seeds: [{name: s, config: {column_types: {zip: VARCHAR}}}]",
        }
    )
    run(folder)
    types = dict(rows(folder, "select column_name, column_type from (describe s)"))
    assert types == {"id": "BIGINT", "day": "DATE", "x": "DOUBLE", "zip": "VARCHAR"}
    assert rows(folder, "select zip, x from s order by id") == [("01234", 0.5), ("98765", None)]
