"""What `lupom docs generate` writes."""

from __future__ import annotations

import json
import re

import pytest

from lupom import Project
from lupom.cli.group import main
from lupom.site import generate
from lupom.site.overview import overview
from tests.support.nasty_project import NASTY, write_project


def test_the_start_page_has_every_node_with_its_last_result(read):
    nodes = {node["name"]: node for node in read("start")["nodes"]}
    respondents = nodes["respondents"]
    assert respondents["kind"] == "sql"
    assert respondents["tags"] == ["people"]
    assert respondents["rows"] == 450
    assert respondents["status"] == "success"
    assert respondents["tests"] == "pass"
    assert nodes["scores"]["parents"] == ["respondents"]
    assert nodes["scores"]["x"] > respondents["x"]


def test_a_models_page_has_columns_code_sample_tests_and_runs(read):
    page = read("node/respondents")
    assert page["columns"][1] == {
        "name": "respondent_id",
        "type": "VARCHAR",
        "description": "Who.",
        "missing": False,
    }
    assert [part["title"] for part in page["code"]] == ["models/respondents.sql", "Compiled SQL"]
    assert len(page["sample"]["rows"]) == 20
    assert [test["status"] for test in page["tests"]] == ["pass"]
    assert [run["status"] for run in page["runs"]] == ["success"]


def test_runs_have_their_sums(read):
    (run,) = read("runs")
    assert run["status"] == "success"
    assert run["cost"] == 0
    assert run["nodes"] == len(read(f"run/{run['run_id']}"))


def test_the_pages_load_nothing_from_elsewhere_and_run_nothing_inline(site):
    page = (site / "index.html").read_text()
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', page)
    assert policy is not None
    assert "default-src 'none'" in policy[1]
    assert "unsafe" not in policy[1]
    assert not re.search(r"<script>|<style>| on[a-z]+=", page)
    for path in site.glob("*.*"):
        text = path.read_text()
        links = set(re.findall(r"https?://[^\"'\s]+", text)) - {"http://www.w3.org/2000/svg"}
        assert not links, path
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", text)
        assert not re.search(r"\bfetch\(|XMLHttpRequest|import\(|type=\"module\"", text)


def test_the_catalog_has_types_and_row_counts_in_dbts_shape(site):
    catalog = json.loads((site.parent / "catalog.json").read_text())
    node = catalog["nodes"]["model.demo.respondents"]
    assert node["metadata"]["type"] == "BASE TABLE"
    assert node["columns"]["respondent_id"] == {
        "type": "VARCHAR",
        "index": 2,
        "name": "respondent_id",
        "comment": "Who.",
    }
    assert node["stats"]["row_count"]["value"] == 450
    assert (catalog["sources"], catalog["errors"]) == ({}, None)


def test_a_project_that_never_ran_has_its_lineage(tmp_path):
    with Project(write_project(tmp_path / "new")) as project:
        page = generate(project)
        assert page.is_file()
        assert not project.store.exists
    assert "never" in (page.parent / "data" / "start.js").read_text()


def test_prompts_have_their_versions(tmp_path):
    folder = tmp_path / "p"
    for name, text in {
        "lupom_project.yml": "name: p\nllms: {default: {provider: embedded}}\n",
        "models/mood.sql": "{{ config(materialized='llm', prompt='ask', response='Mood',"
        " key=['id']) }} select 1 as id",
        "prompts/ask.jinja": "First {{ id }}\nsame\n",
        "prompts/responses.py": "from pydantic import BaseModel\n\n\nclass Mood(BaseModel):\n"
        "    mood: str\n",
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    from lupom.engine.run.versions import keep_versions, versions
    from lupom.site.lineage import _prompts

    with Project(folder) as project:
        keep_versions(project.context, "run1", ["mood"])
        keep_versions(project.context, "run2", ["mood"])
    (folder / "prompts/ask.jinja").write_text("Second {{ id }}\nsame\n")
    with Project(folder) as project:
        keep_versions(project.context, "run3", ["mood"])
        kept = versions(project.context)
        assert [version["run_id"] for version in kept] == ["run1", "run3"]
        newest, oldest = _prompts(project, project.nodes["mood"], kept, {"run3": "2026-01-02"})
    assert newest["started"] == "2026-01-02"
    assert "+Second {{ id }}" in newest["changes"]
    assert "-First {{ id }}" in newest["changes"]
    assert oldest["texts"] == {"ask.jinja": "First {{ id }}\nsame\n"}


def test_the_command_prints_the_page(tmp_path, capsys):
    folder = write_project(tmp_path / "new")
    with pytest.raises(SystemExit) as caught:
        main(["docs", "generate", "--project-dir", str(folder)])
    assert caught.value.code == 0
    assert capsys.readouterr().out.strip() == str(folder / "target" / "site" / "index.html")


def test_no_shard_can_be_left_by_its_text(site):
    for path in (site / "data").iterdir():
        text = path.read_text(encoding="utf-8")
        assert "<" not in text, path
        assert "\u2028" not in text, path
    assert "<" in NASTY


def test_the_first_page_knows_who_was_asked_and_what_was_found(read):
    first = read("start")["overview"]
    [survey] = first["surveys"]
    assert (survey["survey"], survey["questions"], survey["respondents"]) == ("test", 3, 450)
    [found] = first["findings"]
    assert len(found["sentences"]) == 3
    [board] = first["boards"]
    assert [(row["name"], row["value"]) for row in board["rows"]] == [
        ("history", 0.6),
        ("majority", 0.5),
    ]
    assert read("start")["titles"] == {
        "majority": "Most common answer, people counted by survey weight"
    }
    assert first["stale"] == []


def test_the_first_page_says_what_is_stale(tmp_path):
    (tmp_path / "models").mkdir()
    (tmp_path / "lupom_project.yml").write_text("name: demo\n")
    model = tmp_path / "models" / "one.sql"
    model.write_text("{{ config(materialized='table') }} select 1 as n")
    with Project(tmp_path) as project:
        project.run()
        assert overview(project)["stale"] == []
    model.write_text("{{ config(materialized='table') }} select 2 as n")
    with Project(tmp_path) as project:
        first = overview(project)
    assert first["stale"] == [{"node": "one", "reason": "SQL changed"}]
    assert (first["surveys"], first["findings"], first["boards"]) == ([], [], [])
