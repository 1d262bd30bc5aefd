"""The JSON schema of a codebook, for editors: `python -m lupom.science.surveys.schema FOLDER`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from lupom.science.surveys.codebook import KINDS

# In a codebook every scalar is a text, so that 1 and Yes stand without quotes.
_TEXT: dict[str, Any] = {"type": ["string", "number", "boolean", "null"]}
_CODES: dict[str, Any] = {"type": "array", "items": _TEXT}
_NUMBERS: dict[str, Any] = {"type": "array", "items": {"type": ["number", "null"]}}
_OPTIONS: dict[str, Any] = {
    "description": "Code: text, in order; or a list where codes are the texts.",
    "anyOf": [
        {"type": "object", "minProperties": 1, "additionalProperties": _TEXT},
        {**_CODES, "minItems": 1},
    ],
}
_BINS: dict[str, Any] = {
    "description": "Where numbers are cut into ranges, ascending.",
    "type": "array",
    "minItems": 1,
    "items": {"type": "number"},
}
_EITHER: list[dict[str, Any]] = [{"required": ["options"]}, {"required": ["bins"]}]


def schema() -> dict[str, Any]:
    """Return the schema of `codebooks/*.codebook.yml`."""
    question = {
        "type": "object",
        "required": ["column"],
        "anyOf": [*_EITHER, {"properties": {"kind": {"const": "numeric"}}, "required": ["kind"]}],
        "not": {"required": ["options", "bins"]},
        "additionalProperties": False,
        "properties": {
            "column": _TEXT,
            "key": {**_TEXT, "description": "What the question is called, if not as its column."},
            "question": {**_TEXT, "description": "The full wording."},
            "kind": {"enum": list(KINDS)},
            "topic": _TEXT,
            "options": _OPTIONS,
            "bins": _BINS,
            "range": {
                **_NUMBERS,
                "description": "Least and largest number of a question predicted as a number.",
            },
            "positions": {
                **_NUMBERS,
                "description": "One for each option; null for one with no place on the scale.",
            },
            "refused": {**_CODES, "description": "Codes of refusals."},
            "dont_know": {**_CODES, "description": "Codes of 'don't know'."},
            "not_asked": {**_CODES, "description": "Codes of what was not asked."},
        },
    }
    attribute = {
        "type": "object",
        "required": ["column"],
        "oneOf": _EITHER,
        "additionalProperties": False,
        "properties": {
            "column": _TEXT,
            "name": {**_TEXT, "description": "What it is called, if not as its column."},
            "label": {**_TEXT, "description": "What it is called in words, for prompts."},
            "options": _OPTIONS,
            "bins": _BINS,
            "blank": {**_CODES, "description": "Codes that say nothing."},
        },
    }
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "LUPoM codebook",
        "description": "What each column of a survey's file is: codebooks/*.codebook.yml",
        "type": "object",
        "required": ["survey", "file"],
        "additionalProperties": False,
        "properties": {
            "survey": _TEXT,
            "file": _TEXT,
            "title": {**_TEXT, "description": "The survey's title, for prompts."},
            "fielded": {**_TEXT, "description": "When people were asked, in words."},
            "population": {**_TEXT, "description": "Whom it is about."},
            "country": {**_TEXT, "description": "Where they live."},
            "language": {**_TEXT, "description": "In which language they were asked."},
            "id": {**_TEXT, "description": "The column that names the respondent."},
            "weight": {**_TEXT, "description": "The column of survey weights."},
            "design": {
                "type": ["array", "null"],
                "items": _TEXT,
                "description": "Columns of sampling units, strata and replicate weights.",
            },
            "questions": {"type": ["array", "null"], "items": question},
            "attributes": {"type": ["array", "null"], "items": attribute},
            "ignored": {
                "description": "Columns that are left out, and why.",
                "anyOf": [
                    {"type": "object", "additionalProperties": _TEXT},
                    _CODES,
                    {"type": "null"},
                ],
            },
        },
    }


if __name__ == "__main__":
    path = Path(sys.argv[1]) / "codebook.json"
    path.write_text(json.dumps(schema(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(path)
