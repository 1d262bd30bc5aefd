"""The schema of a codebook: it is the code's own, takes what is written, and finds mistakes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft7Validator

from lupom.science.surveys.codebook import Attribute, Codebook, Question, dump, load
from lupom.science.surveys.schema import schema

ROOT = Path(__file__).parents[3]
GOOD = """
survey: panel
file: panel.csv
questions:
  - {column: Q1, kind: ordinal, options: {1: Low, 2: High, 9: Not sure}, positions: [1, 2, null]}
  - {column: Q2, options: [Yes, No], refused: [99]}
  - {column: Q3, kind: numeric, bins: [0, 10.5]}
attributes:
  - {column: SEX, options: [m, f], blank: [x]}
ignored: {notes: free text}
"""


def faults(text: str) -> list[str]:
    return [error.message for error in Draft7Validator(schema()).iter_errors(yaml.safe_load(text))]


def test_the_published_schema_is_the_codes_own() -> None:
    published = (ROOT / "schemas" / "codebook.json").read_text(encoding="utf-8")
    assert json.loads(published) == schema()
    Draft7Validator.check_schema(schema())


def test_what_is_written_fits_and_names_its_schema() -> None:
    book = Codebook("panel", "panel.sav", id="id", ignored={"notes": "free text"})
    book.questions.append(
        Question("Q1", "q1", "How?", "ordinal", {"1": "Low", "2": "High"}, [1.0, None])
    )
    book.attributes.append(Attribute("AGE", "age", bins=[18.0, 30.0]))
    text = dump(book)
    assert text.startswith("# yaml-language-server: $schema=../schemas/codebook.json\n")
    assert faults(text) == []
    assert load(text, "panel.codebook.yml") == book


def test_what_the_reader_takes_fits() -> None:
    assert load(GOOD, "panel.codebook.yml").survey == "panel"
    assert faults(GOOD) == []


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("kind: numeric", "kind: number"),
        ("column: Q2", "colum: Q2"),
        ("options: [m, f]", "options: []"),
        ("bins: [0, 10.5]", "bins: [0, 10.5], options: [a]"),
        ("survey: panel", "surveys: panel"),
    ],
)
def test_mistakes_are_found_by_both(right: str, wrong: str) -> None:
    text = GOOD.replace(right, wrong)
    assert text != GOOD
    assert faults(text)
    if not wrong.startswith("surveys"):
        with pytest.raises(ValueError, match="panel"):
            load(text, "panel.codebook.yml")
