"""What the engine knows of a materialization: one object each, whichever part asks."""

from __future__ import annotations

from importlib import import_module
from typing import get_args

import pytest

from lupom.engine.project.materializations import MATERIALIZATIONS, names_for
from lupom.engine.project.settings import ModelConfig


def test_what_config_may_say_is_what_there_is_of_files():
    annotation = ModelConfig.model_fields["materialized"].annotation
    said = {name for part in get_args(annotation) for name in get_args(part)}
    assert said == {name for name, one in MATERIALIZATIONS.items() if one.languages}


@pytest.mark.parametrize(
    ("language", "names"),
    [
        ("sql", ["view", "table", "incremental", "ephemeral", "llm"]),
        ("python", ["table", "python"]),
        ("csv", ["seed"]),
    ],
)
def test_a_file_is_what_its_language_can_be(language, names):
    assert names_for(language) == names


@pytest.mark.parametrize("name", MATERIALIZATIONS)
def test_what_is_built_stands_in_the_store_and_has_a_builder(name):
    one = MATERIALIZATIONS[name]
    assert one.name == name
    assert one.is_built == bool(one.relation)
    assert not (one.stores_rows and one.read_through)
    if one.is_built:
        assert import_module(f"lupom.engine.run.materializations.{one.builder}").build


def test_who_reads_a_view_or_an_ephemeral_model_reads_what_it_reads():
    assert {n for n, one in MATERIALIZATIONS.items() if one.read_through} == {"view", "ephemeral"}
    assert {n for n, one in MATERIALIZATIONS.items() if one.needs_llm} == {"llm"}
