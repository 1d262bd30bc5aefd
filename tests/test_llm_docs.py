"""The pages on LLMs: every setting is there, and the examples are what they say."""

from __future__ import annotations

import re
from pathlib import Path
from textwrap import dedent

import pytest

from lupom.engine.project.discovery import read_project
from lupom.engine.project.providers import EmbeddingSettings, LLMSettings, Price
from lupom.engine.project.reference import with_providers
from lupom.engine.project.settings import BudgetSettings

PAGE = (Path(__file__).parents[1] / "docs" / "llms.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```yaml\n(.*?)```", PAGE, re.S)
CLASSES = re.findall(r"```python\n(.*?)```", PAGE, re.S)


def test_the_table_of_providers_is_the_code_s_own():
    assert with_providers(PAGE) == PAGE


@pytest.mark.parametrize("settings", [*LLMSettings.kinds(installed=False).values(), Price])
def test_every_setting_of_an_alias_is_documented(settings):
    assert [name for name in settings.model_fields if f"`{name}`" not in PAGE] == []


@pytest.mark.parametrize(
    "settings", [*EmbeddingSettings.kinds(installed=False).values(), BudgetSettings]
)
def test_every_other_setting_stands_in_an_example_or_among_those_of_an_alias(settings):
    shown = "\n".join(EXAMPLES)
    missing = [n for n in settings.model_fields if f"{n}:" not in shown and f"`{n}`" not in PAGE]
    assert missing == []


@pytest.mark.parametrize("example", EXAMPLES, ids=range(len(EXAMPLES)))
def test_examples_of_settings_are_valid(tmp_path, example):
    (tmp_path / "lupom_project.yml").write_text("name: demo\n" + example, encoding="utf-8")
    settings = read_project(tmp_path).settings
    assert settings.llms or settings.embeddings or settings.budget.run


def test_the_example_of_classes_makes_a_choice_and_a_class_with_two_columns(tmp_path):
    from lupom.engine.llm.responses import load_response

    (source,) = CLASSES
    (tmp_path / "responses.py").write_text(dedent(source), encoding="utf-8")
    mood = load_response(tmp_path / "responses.py", "Mood")
    assert mood.columns() == {"mood": "VARCHAR", "reason": "VARCHAR"}
    assert mood.limits == ("moods",)
    vote = load_response(tmp_path / "responses.py", "Vote")
    assert vote.choice_field == "answer"
    assert vote.columns()["probabilities"] == "MAP(VARCHAR, DOUBLE)"
    odds = load_response(tmp_path / "responses.py", "Odds")
    assert list(odds.columns()) == ["probabilities", "probabilities_off"]
    values = load_response(tmp_path / "responses.py", "PersonaValues")
    assert values.columns() == {"dimension_id": "VARCHAR", "value": "VARCHAR"}
