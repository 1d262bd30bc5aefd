"""Python models that read a table, or what is said of it, for each entry of a var."""

from __future__ import annotations

import pytest

from lupom import Project
from lupom.engine.errors import LupomError

WAVES = {
    "lupom_project.yml": "name: demo\nvars: {waves: [w1, panel.w2]}\n",
    "seeds/w1_items.csv": "item\na\nb\n",
    "models/sources.yml": """
        version: 2
        sources:
          - {name: panel, tables: [{name: w2_items, file: data/w2.csv}]}
        """,
    "data/w2.csv": "item\nc\n",
    "models/items.py": """
        import pyarrow as pa

        def model(lupom):
            tables = lupom.refs("{}_items", "waves")
            rows = [(w, i) for w, t in tables.items() for (i,) in t.order("item").fetchall()]
            return pa.table({"wave": [w for w, _ in rows], "item": [i for _, i in rows]})
        """,
    "models/items_too.sql": """
        {% for wave in var('waves') %}
        select '{{ wave }}' as wave, item
        from {{ source(*(wave ~ '_items').split('.')) if '.' in wave else ref(wave ~ '_items') }}
        {% if not loop.last %} union all {% endif %}
        {% endfor %}
        """,
}


def test_refs_by_a_var_read_seeds_and_sources(make_project):
    with Project(make_project(WAVES)) as project:
        assert project.run().status == "success"
        rows = [("w1", "a"), ("w1", "b"), ("panel.w2", "c")]
        assert project.query("select * from items").rows() == rows
        assert sorted(project.query("select * from items_too").rows()) == sorted(rows)


META = {
    **{name: text for name, text in WAVES.items() if "items." not in name},
    "seeds/w1_items.csv": "item\na\n",
    "seeds/seeds.yml": """
        seeds:
          - {name: w1_items, config: {meta: {title: First}}}
        """,
    "models/sources.yml": """
        sources:
          - name: panel
            tables: [{name: w2_items, file: data/w2.csv, meta: {title: Second}}]
        """,
    "models/titles.py": """
        import pyarrow as pa

        def model(lupom):
            found = lupom.meta("{}_items", "waves")
            titles = [meta.get("title") for meta in found.values()]
            return pa.table({"wave": list(found), "title": titles})
        """,
}


def test_the_meta_of_seeds_and_sources_is_read_and_a_change_of_it_rebuilds(make_project):
    folder = make_project(META)
    with Project(folder) as project:
        assert project.run().status == "success"
        assert project.query("from titles").rows() == [("w1", "First"), ("panel.w2", "Second")]
        assert project.run().nodes == []
    (folder / "data" / "w2.csv").write_text("item\nother\n")
    with Project(folder) as project:  # it reads no rows
        assert project.run(select="titles").nodes == []
    path = folder / "seeds" / "seeds.yml"
    path.write_text(path.read_text().replace("First", "Last"))
    with Project(folder) as project:
        steps = {s.node: s.reason for s in project.plan(select="titles").doing()}
        assert steps == {"titles": "meta changed"}
        project.run()
        assert project.query("from titles").rows()[0] == ("w1", "Last")


def test_the_meta_of_what_is_not_there_is_an_error(make_project):
    folder = make_project({**META, "lupom_project.yml": "name: demo\nvars: {waves: [w3]}\n"})
    with pytest.raises(LupomError, match="there is no model, seed or source 'w3_items'"):
        Project(folder)


def test_a_name_added_to_the_var_is_read_with_the_next_run(make_project):
    folder = make_project({**WAVES, "seeds/w3_items.csv": "item\nd\n"})
    with Project(folder) as project:
        project.run()
    with Project(folder, vars={"waves": ["w1", "w3"]}) as project:
        project.run()
        rows = project.query("select wave, item from items order by item").rows()
        assert rows == [("w1", "a"), ("w1", "b"), ("w3", "d")]


@pytest.mark.parametrize(
    ("waves", "message"),
    [
        ("[w1, panle.w2]", r"models/items.py:5: .*panle.w2_items.*did you mean 'panel.w2_items'"),
        ("[w2]", r"models/items.py:5: .*'w2_items'.*did you mean 'w1_items'"),
        ("w1", r"models/items.py:5: the var 'waves' must be a list of names, not 'w1'"),
    ],
)
def test_refs_by_a_var_that_lead_nowhere_are_refused(make_project, waves, message):
    files = {**WAVES, "lupom_project.yml": f"name: demo\nvars: {{waves: {waves}}}\n"}
    del files["models/items_too.sql"]
    with pytest.raises(LupomError, match=message), Project(make_project(files)):
        pass


def test_a_var_of_names_that_is_not_there_is_told(make_project):
    files = {**WAVES, "lupom_project.yml": "name: demo\nvars: {waved: [w1]}\n"}
    del files["models/items_too.sql"]
    with pytest.raises(LupomError, match=r"items.py:5: the var 'waves' has no value.*'waved'"):
        Project(make_project(files)).close()
