"""A project with an LLM model that asks questions of two people together, several rows a call."""

from __future__ import annotations

import re

import pytest

from lupom import Project

FILES = {
    "prompts/responses.py": """
        from typing import Annotated
        from pydantic import BaseModel
        from lupom import OneOf

        class Guess(BaseModel):
            answer: Annotated[str, OneOf("options")]

        class Note(BaseModel):
            text: str
            score: int
        """,
    "prompts/guess.jinja": """
        What does {{ person }} of {{ town }} say?
        {% for row in rows %}
        {{ row.label }}. {{ row.question }}
        {% for choice in row.choices %}
        {{ choice.label }}) {{ choice.option }}
        {% endfor %}
        {% endfor %}
        """,
    "models/asked.sql": """
        select p.person, p.town, q.question, string_split(q.options, '/') as options
        from {{ ref('people') }} as p cross join {{ ref('questions') }} as q
        """,
    "seeds/people.csv": "person,town\nAnn,Aix\nBob,Bonn\n",
}


GUESSES = """
    {{{{ config(materialized='llm', prompt='guess', response='Guess', key=['person', 'question'],
              rows_per_call={most}, rows_together=['person']) }}}}
    select * from {{{{ ref('asked') }}}}
    """


def questions(count: int) -> str:
    """Questions of two and of three options, in turn."""
    kinds = ("low/mid/high", "yes/no")
    lines = [f"Question {i:02d}?,{kinds[i % 2]}" for i in range(1, count + 1)]
    return "question,options\n" + "\n".join(lines) + "\n"


@pytest.fixture
def make(make_project, server):
    """Return a function that makes the project: two people, so many questions, `most` a call."""

    def make(count=4, most=8, settings="", **extra):
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
                "seeds/questions.csv": questions(count),
                "models/guesses.sql": GUESSES.format(most=most),
                **FILES,
                **extra,
            }
        )

    return make


def run(folder, **options):
    with Project(folder) as project:
        return project.run(**options)


def rows(folder, sql):
    with Project(folder) as project:
        return project.query(sql).rows()


def asked_in(body) -> list[str]:
    """The questions of a request, in their order."""
    return re.findall(r"^r\d+\. (.*)$", body["messages"][0]["content"], re.M)
