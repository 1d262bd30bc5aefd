"""The shipped pipeline in a lake has the tables it has in a plain file.

Most of its time is DuckLake's, which reads its catalog anew after each commit, so that what follows
from baselines (SQL and Python like the rest) is left out: with it all 97 tables were the same.
"""

from __future__ import annotations

from lupom import Project
from tests.support import lakes
from tests.support.shipped import SMALL_EVALUATION, copy_project

SELECTED = "+baselines"


def test_every_table_has_the_digest_it_has_in_a_file(tmp_path, all_cores):
    lakes.require()
    folder = copy_project(tmp_path / "project", respondents=60)
    path = folder / "lupom_project.yml"
    lake = "\ntargets:\n  lake: {type: ducklake, catalog: lake.sqlite, data: data}\n"
    path.write_text(path.read_text(encoding="utf-8").replace("\ntargets:\n", lake))
    found = {}
    for target in ("dev", "lake"):
        with Project(folder, target=target, vars=SMALL_EVALUATION) as project:
            result = project.run(SELECTED, no_llm=True)
            assert [node.message for node in result.nodes if node.status == "error"] == []
            found[target] = {name: r.content_hash for name, r in project.records().items()}
            if target == "lake":
                assert project.run(SELECTED, no_llm=True).nodes == []
    assert found["lake"] == found["dev"]
