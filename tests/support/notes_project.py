"""A project of notes: an LLM model with a row for each of so many people, on a loopback server."""

from __future__ import annotations

import pytest

from lupom import Project

RESPONSES = """
from typing import Annotated
from pydantic import BaseModel
from lupom import OneOf

class Guess(BaseModel):
    answer: Annotated[str, OneOf("options")]

class Trait(BaseModel):
    name: str
    strength: int

class Traits(BaseModel):
    traits: list[Trait]

class Note(BaseModel):
    text: str
    score: int
"""


FILES = {
    "prompts/responses.py": RESPONSES,
    "prompts/note.jinja": "Write a note on {{ name }}, who lives in {{ town }}.",
    "prompts/guess.jinja": (
        "{% block system %}You are {{ name }}.{% endblock %}"
        "{% block user %}Yes or no?\n"
        "{% for choice in choices %}{{ choice.label }}. {{ choice.option }}\n{% endfor %}"
        "{% endblock %}"
    ),
    "prompts/traits.jinja": "Traits of {{ name }}?",
    "models/notes.sql": """
        {{ config(materialized='llm', prompt='note', response='Note', key='id') }}
        select id, name, town from {{ ref('people') }}
        """,
    "models/long_notes.sql": "select id, text from {{ ref('notes') }}",
}


def people(count, start=1):
    rows = [f"{i},Person {i},Town {i}" for i in range(start, start + count)]
    return "id,name,town\n" + "\n".join(rows) + "\n"


@pytest.fixture
def make(make_project, server):
    """Return a function that makes the project for so many people."""

    def make(count=4, extra=None, settings=""):
        return make_project(
            {
                "lupom_project.yml": f"""
                    name: demo
                    models: {{+materialized: table}}
                    llms:
                      default:
                        provider: openai
                        base_url: {server.base_url}
                        model: test-model
                        {settings}
                    """,
                "seeds/people.csv": people(count),
                **FILES,
                **(extra or {}),
            }
        )

    return make


def run(folder, **options):
    with Project(folder) as project:
        return project.run(**options)


def rows(folder, sql):
    with Project(folder) as project:
        return project.query(sql).rows()


def plan(folder, node="notes"):
    with Project(folder) as project:
        return next(step for step in project.plan().steps if step.node == node)
