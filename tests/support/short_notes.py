"""A project whose LLM model has something short said of each person."""

from __future__ import annotations

FILES = {
    "models/notes.sql": """
{{ config(materialized='llm', prompt='note', response='Note', key=['id']) }}
select id from {{ ref('people') }}
""",
    "prompts/note.jinja": "Say something of person {{ id }}.",
    "prompts/responses.py": """
from pydantic import BaseModel, Field


class Note(BaseModel):
    text: str = Field(max_length=20)
""",
}
