"""The whole shipped pipeline in a lake has the tables it has in a plain file.

Half a minute of CPU, most of it DuckLake's, which reads its catalog anew after each of a hundred
commits: what is proved is that no model needs more than a lake has.
"""

from __future__ import annotations

from lupom import Project
from tests.support import lakes
from tests.support.shipped import SMALL_EVALUATION, copy_project


def test_every_table_has_the_digest_it_has_in_a_file(tmp_path):
    lakes.require()
    folder = copy_project(tmp_path / "project", respondents=60)
    path = folder / "lupom_project.yml"
    lake = "\ntargets:\n  lake: {type: ducklake, catalog: lake.sqlite, data: data}\n"
    path.write_text(path.read_text(encoding="utf-8").replace("\ntargets:\n", lake))
    found = {}
    for target in ("dev", "lake"):
        with Project(folder, target=target, vars=SMALL_EVALUATION) as project:
            result = project.run(no_llm=True)
            assert [node.message for node in result.nodes if node.status == "error"] == []
            found[target] = {name: r.content_hash for name, r in project.records().items()}
            if target == "lake":
                assert project.run(no_llm=True).nodes == []
    assert found["lake"] == found["dev"]
