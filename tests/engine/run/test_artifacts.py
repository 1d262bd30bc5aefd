"""The artifacts a run leaves for other programs."""

from __future__ import annotations

import json

import pytest

from lupom import Project


@pytest.fixture
def folder(make_project):
    return make_project(
        {
            "seeds/people.csv": "id\n1\n2\n",
            "models/adults.sql": "select * from {{ ref('people') }}",
            "models/adults.yml": """
                models:
                  - name: adults
                    description: Who may vote.
                    columns: [{name: id, description: A number., data_tests: [unique]}]
                """,
        }
    )


def artifact(folder, name):
    return json.loads((folder / "target" / name).read_text(encoding="utf-8"))


def test_the_manifest_says_what_the_project_is(folder):
    with Project(folder) as project:
        project.run()
    manifest = artifact(folder, "manifest.json")
    node = manifest["nodes"]["model.demo.adults"]
    assert node["description"] == "Who may vote."
    assert node["columns"]["id"]["description"] == "A number."
    assert node["depends_on"]["nodes"] == ["seed.demo.people"]
    assert '"main"."people"' in node["compiled_code"]
    assert manifest["child_map"]["model.demo.adults"] == ["test.demo.unique_adults_id"]
    assert manifest["metadata"]["project_name"] == "demo"


def test_the_results_say_how_each_node_ended(folder):
    with Project(folder) as project:
        project.run(tests=True)
    found = artifact(folder, "run_results.json")
    assert [(r["unique_id"], r["status"], r["failures"]) for r in found["results"]] == [
        ("seed.demo.people", "success", None),
        ("model.demo.adults", "success", None),
        ("test.demo.unique_adults_id", "pass", 0),
    ]
    assert found["args"]["which"] == "build"
    assert found["lupom"]["exit_code"] == 0
    assert found["results"][1]["adapter_response"] == {"rows_affected": 2}


def test_a_run_with_nothing_to_do_leaves_results_that_say_so(folder):
    for _ in range(2):
        with Project(folder) as project:
            project.run()
    found = artifact(folder, "run_results.json")
    assert (found["results"], found["lupom"]["up_to_date"]) == ([], 2)
