"""A row with more options than there are letters is asked as the others are, and stops none."""

from __future__ import annotations

from lupom import Project
from tests.support.llm_server import LLMServer

FILES = {
    "prompts/responses.py": """
        from typing import Annotated
        from pydantic import BaseModel
        from lupom import OneOf

        class Guess(BaseModel):
            answer: Annotated[str, OneOf("options")]
        """,
    "prompts/guess.jinja": (
        "{{ id }}?\n{% for c in choices %}{{ c.label }}. {{ c.option }}\n{% endfor %}"
    ),
    "models/guesses.sql": """
        {{ config(materialized='llm', prompt='guess', response='Guess', key=['id']) }}
        select 'country' as id, [format('Country {}', i) for i in range(60)] as options
        union all select 'mood', ['Good', 'Bad']
        """,
}


def last_label(body):
    """Answer with the last label of the schema."""
    schema = body["response_format"]["json_schema"]["schema"]
    return {"answer": schema["properties"]["answer"]["enum"][-1]}


def test_sixty_options_are_asked_by_number_and_two_by_letter(make_project):
    with LLMServer(answers=last_label) as server:
        project = f"""
            name: demo
            llms:
              default: {{provider: openai, base_url: "{server.base_url}", model: test-model}}
            """
        with Project(make_project({"lupom_project.yml": project, **FILES})) as made:
            assert made.run().status == "success"
            rows = made.query("select id, answer, probabilities is null from guesses order by id")
            assert rows.rows() == [("country", "Country 59", True), ("mood", "Bad", False)]
        assert server.requests == 2
        assert any("60. Country 59" in prompt for prompt in server.prompts)
        assert any("B. Bad" in prompt for prompt in server.prompts)
