"""What comes back to a request for several rows, each under its label."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, Protocol

from lupom.engine.llm.schemas import canonical


class Part(Protocol):
    """One row's response, as far as the form of the whole depends on it."""

    name: str
    schema: dict[str, Any]
    choices: list[dict[str, str]] | None
    top_logprobs: int


def label_of(place: int) -> str:
    """Return the label of the row at a place, from 0.

    It begins with a letter, as some providers want of a property's name.
    """
    return f"r{place + 1}"


class RowsResponse:
    """What comes back to a request for several rows: an object with each row's answer under its
    label.

    Attributes
    ----------
    name, schema, schema_text, schema_hash, top_logprobs : as of one row's response.
    choices : those of the first row; None where rows are not choices.
    """

    def __init__(self, parts: Sequence[Part]) -> None:
        self._parts = parts
        self.name = f"{parts[0].name}Rows"
        properties = {label_of(i): part.schema for i, part in enumerate(parts)}
        self.schema: dict[str, Any] = {
            "type": "object",
            "properties": properties,
            "required": list(properties),
            "additionalProperties": False,
        }
        self.choices = parts[0].choices
        self.top_logprobs = max(part.top_logprobs for part in parts)
        self._text: str | None = None

    @property
    def schema_text(self) -> str:
        """The schema in one spelling."""
        if self._text is None:
            self._text = canonical(self.schema)
        return self._text

    @property
    def schema_hash(self) -> str:
        return hashlib.sha256(self.schema_text.encode("utf-8")).hexdigest()
