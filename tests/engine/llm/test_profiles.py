"""Profiles: which prompt and which response class an alias is asked with."""

from __future__ import annotations

import pytest

from lupom.engine.errors import CompileError, ModelError
from lupom.engine.llm.profiles import columns_of, load_prompt, load_wording, load_wordings, parts_of
from lupom.engine.project.providers import llm_settings

MOOD = """
from typing import Literal
from pydantic import BaseModel

class Mood(BaseModel):
    mood: Literal["good", "bad"]
    certainty: float
"""
BRIEF_MOOD = """
from typing import Literal
from pydantic import BaseModel

class Mood(BaseModel):
    mood: Literal["good", "bad"]
    reason: str
"""


@pytest.fixture
def prompts(tmp_path):
    def write(**files):
        for name, text in files.items():
            suffix = ".py" if name.endswith("responses") else ".jinja"
            file = tmp_path / (name.replace("__", "/") + suffix)
            file.parent.mkdir(exist_ok=True)
            file.write_text(text)
        return tmp_path

    return write


def test_the_embedded_llm_is_small_and_all_others_are_capable_unless_told():
    assert llm_settings(provider="embedded").profile == "small"
    assert llm_settings(provider="embedded", profile="capable").profile == "capable"
    assert llm_settings(provider="openai", model="m").profile == "capable"
    assert llm_settings(provider="openai", model="m", profile="small").profile == "small"


def test_a_template_of_a_profile_takes_the_place_of_the_one_above_and_the_rest_is_shared(prompts):
    root = prompts(
        ask="{% include 'who.jinja' %} Please answer.",
        tell="For everybody.",
        who="Dear reader.",
        small__ask="{% include 'who.jinja' %} Q:",
        small__who="You:",
    )

    def said(name, profile):
        return load_prompt(root, name, profile).messages({})[0]["content"]

    assert said("ask", "capable") == "Dear reader. Please answer."
    assert said("ask", "small") == "You: Q:"
    assert said("tell", "small") == "For everybody."


def test_a_class_of_a_profile_takes_the_place_of_the_one_above(prompts):
    root = prompts(ask="Hi", responses=MOOD, small__responses=BRIEF_MOOD)
    assert list(load_wording(root, "ask", "Mood", "capable").response.columns()) == [
        "mood",
        "certainty",
    ]
    assert list(load_wording(root, "ask", "Mood", "small").response.columns()) == [
        "mood",
        "reason",
    ]


def test_a_table_has_the_columns_of_every_profile(prompts):
    root = prompts(ask="Hi", responses=MOOD, small__responses=BRIEF_MOOD)
    columns = columns_of(load_wordings(root, "ask", "Mood").values())
    assert list(columns) == ["mood", "certainty", "reason"]


def test_a_field_of_two_types_is_an_error(prompts):
    other = MOOD.replace("certainty: float", "certainty: str")
    root = prompts(ask="Hi", responses=MOOD, small__responses=other)
    with pytest.raises(ModelError, match="'certainty' is DOUBLE in one profile and VARCHAR"):
        columns_of(load_wordings(root, "ask", "Mood").values())


def test_an_edit_for_one_profile_is_no_change_for_the_other(prompts):
    root = prompts(ask="Hi", responses=MOOD, small__ask="Yo")

    def parts(*profiles):
        return parts_of(load_wordings(root, "ask", "Mood"), profiles)

    capable, small, either = parts("capable"), parts("small"), parts("capable", "small")
    prompts(small__ask="Hey")
    assert parts("capable") == capable
    assert parts("small") != small
    assert parts("capable", "small") != either


def test_a_class_that_is_nowhere_is_an_error_that_names_the_shared_file(prompts):
    root = prompts(ask="Hi", responses=MOOD, small__responses=BRIEF_MOOD)
    with pytest.raises(CompileError, match=r"no response class 'Mod' in responses.py"):
        load_wording(root, "ask", "Mod", "small")
