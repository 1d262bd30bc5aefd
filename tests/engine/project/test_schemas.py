"""The JSON schemas: they are the code's own, take the shipped files, and refuse what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft7Validator

from lupom.engine.project.schemas import schemas

ROOT = Path(__file__).parents[3]
SCHEMAS = schemas(installed=False)


def faults(name, text):
    validator = Draft7Validator(SCHEMAS[name])
    return [error.message for error in validator.iter_errors(yaml.safe_load(text))]


@pytest.mark.parametrize("name", SCHEMAS)
def test_the_published_schema_is_the_codes_own(name):
    assert json.loads((ROOT / "schemas" / name).read_text(encoding="utf-8")) == SCHEMAS[name]
    Draft7Validator.check_schema(SCHEMAS[name])


@pytest.mark.parametrize(
    "path",
    [*sorted((ROOT / "models").rglob("*.yml")), *sorted((ROOT / "seeds").rglob("*.yml"))],
    ids=lambda path: path.name,
)
def test_the_shipped_properties_fit_and_refer_to_their_schema(path):
    text = path.read_text(encoding="utf-8")
    assert faults("properties.json", text) == []
    first = text.splitlines()[0]
    assert first.startswith("# yaml-language-server: $schema=")
    assert (path.parent / first.partition("=")[2]).resolve() == ROOT / "schemas" / "properties.json"


def test_the_shipped_project_fits_and_refers_to_its_schema():
    text = (ROOT / "lupom_project.yml").read_text(encoding="utf-8")
    assert faults("lupom_project.json", text) == []
    assert text.startswith("# yaml-language-server: $schema=schemas/lupom_project.json\n")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("lupom_project.json", "nmae: demo"),
        ("lupom_project.json", "{name: demo, models: {+materialised: table}}"),
        ("lupom_project.json", "{name: demo, llms: {a: {provider: opnai}}}"),
        ("lupom_project.json", "{name: demo, llms: {a: {provider: embedded, batch: true}}}"),
        ("lupom_project.json", "{name: demo, llms: {haiku: {threads: 2}}}"),
        ("lupom_project.json", "{name: demo, embeddings: {a: {provider: embedded}}}"),
        ("lupom_project.json", "{name: demo, embeddings: {a: {model: m}}}"),
        ("lupom_project.json", "{name: demo, targets: {dev: {threads: many}}}"),
        ("properties.json", "models: [{name: a, colums: []}]"),
        ("properties.json", "models: [{name: a, config: {materialized: tabel}}]"),
        ("properties.json", "models: [{name: a, data_tests: [{unique: {}, not_null: {}}]}]"),
        ("properties.json", "unit_tests: [{name: a, model: b}]"),
        ("selectors.json", "selectors: [{name: a}]"),
    ],
)
def test_mistakes_are_found(name, text):
    assert faults(name, text)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("lupom_project.json", "{name: demo, targets: {dev: {threads: \"{{ env_var('N') }}\"}}}"),
        ("lupom_project.json", "{name: demo, models: {demo: {staging: {+tags: nightly}}}}"),
        ("lupom_project.json", "{name: demo, budget: {run: $2}}"),
        ("lupom_project.json", "{name: demo, llms: {haiku: {region: eu-west-1}}}"),
        ("lupom_project.json", "{name: demo, llms: {a: {provider: embedded, threads: 2}}}"),
        ("lupom_project.json", "{name: demo, embeddings: {a: {provider: wordllama}}}"),
        (
            "properties.json",
            "models: [{name: a, data_tests: [{unique: [b, c]}], config: {filters_x: true}}]",
        ),
        ("selectors.json", "selectors: [{name: a, definition: 'tag:x'}]"),
    ],
)
def test_what_the_code_takes_is_taken(name, text):
    assert faults(name, text) == []
