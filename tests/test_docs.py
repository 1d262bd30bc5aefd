"""What the documents say is so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lupom.cli.group import COMMANDS
from lupom.cli.reference import reference

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def test_the_reference_of_commands_is_the_commands_own():
    assert (ROOT / "docs" / "commands.md").read_text(encoding="utf-8") == reference()


def test_the_reference_of_settings_is_that_of_the_code():
    from lupom.engine.project.reference import reference

    assert (ROOT / "docs" / "settings.md").read_text(encoding="utf-8") == reference()


def test_every_setting_says_what_it_means():
    text = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    assert not re.findall(r"^\| `.*\|  \|$", text, re.M)


def test_the_reference_of_tables_is_that_of_the_models():
    from lupom.engine.dictionary import dictionary

    assert (ROOT / "docs" / "tables.md").read_text(encoding="utf-8") == dictionary(ROOT)


def test_every_page_is_on_the_map():
    text = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    for page in (ROOT / "docs").glob("*.md"):
        assert page.name == "index.md" or f"({page.name})" in text, page.name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_in_the_documents_exist(page):
    for block in re.findall(r"```sh\n(.*?)```", page.read_text(encoding="utf-8"), re.S):
        for command in re.findall(r"(?:^|/|&& )lupom (\w[\w-]*)", block, re.M):
            assert command in COMMANDS, command


def test_the_readme_has_one_test_command_for_ci():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (command,) = re.findall(r"<!-- test command -->\n```sh\n(.*)\n```\n<!-- end -->", text)
    assert ".venv/bin/pytest" in command


def test_every_config_key_is_documented():
    from lupom.engine.project.settings import ModelConfig

    text = (ROOT / "docs" / "models.md").read_text(encoding="utf-8")
    missing = [key for key in ModelConfig.model_fields if f"`{key}`" not in text]
    assert not missing


def test_every_table_of_the_pipeline_is_described():
    from lupom import Project

    with Project(ROOT) as project:
        bare = [
            node.name
            for node in project.nodes.values()
            if node.resource == "model" and not node.description
        ]
    assert not bare


def test_a_line_that_asks_an_llm_is_told_to_do_so_beside_it():
    from lupom import Project

    told = 0
    with Project(ROOT) as project:
        nodes = project.context.nodes
        for page in PAGES:
            for section in re.split(r"^#", page.read_text(encoding="utf-8"), flags=re.M):
                for line in re.findall(r"lupom run .*?--select \+.*", section):
                    names = re.search(r"--select ((?:\+\w+ ?)+)", line)[1].split()
                    kinds = {nodes[n].materialized for n in project.select(names)}
                    free = "llm" not in kinds or "--budget" in line
                    assert free or "--no-llm" in section, (page.name, line)
                    told += not free
    assert told >= 3
