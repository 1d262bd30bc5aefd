"""A responses.py that imports the project's own modules: what these say is part of its classes."""

from __future__ import annotations

import pytest

from lupom import Project

LLMS = """
name: demo
llms: {default: {provider: openai, model: m, base_url: "http://127.0.0.1:1/v1"}}
"""
MODEL = """
{{ config(materialized="llm", prompt="ask", response="RESPONSE", key=["id"]) }} select 1 as id
"""
CLASSES = """
from pydantic import BaseModel, Field
IMPORT

class Note(BaseModel):
    text: str = Field(max_length=MAX)

class Count(BaseModel):
    number: int
"""


def parts(folder):
    with Project(folder) as project:
        nodes = project.nodes
        longest = nodes["notes"].wordings["capable"].response.cls.model_fields["text"].metadata
        return [nodes[name].parts["response class"] for name in ("notes", "counts")], longest


@pytest.mark.parametrize(
    "line",
    [
        "from limits import MAX",
        "from prompts.texts import MAX",
        "from .texts import MAX",
        "from prompts import texts\nMAX = texts.MAX",
        "from prompts.texts import *",
    ],
)
def test_a_class_is_another_when_a_module_that_it_imports_says_otherwise(make_project, line):
    folder = make_project(
        {
            "lupom_project.yml": LLMS,
            "prompts/ask.jinja": "Say something.",
            "prompts/responses.py": CLASSES.replace("IMPORT", line),
            "prompts/texts.py": "from limits import MAX\n",
            "limits.py": "MAX = 5\n",
            "models/notes.sql": MODEL.replace("RESPONSE", "Note"),
            "models/counts.sql": MODEL.replace("RESPONSE", "Count"),
        }
    )
    before, short = parts(folder)
    assert parts(folder)[0] == before
    # An hour of work in one process: a notebook opens the project again after an edit.
    (folder / "limits.py").write_text("MAX = 700\n", encoding="utf-8")
    after, long = parts(folder)
    assert after[0] != before[0]
    assert ("max_length=5)" in str(short), "max_length=700)" in str(long)) == (True, True)
    # A class that imports nothing of it stays as it is; a star may be any name.
    assert (after[1] == before[1]) == ("*" not in line)
