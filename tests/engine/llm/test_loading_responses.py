"""Response classes from a file: which can be a table, and what their hash covers."""

from __future__ import annotations

import pytest

from lupom.engine.errors import CompileError
from lupom.engine.llm.responses import load_response

BAD_CLASSES = {
    "a field that fits no column": ("class A(BaseModel):\n    when: bytes | dict\n", "A.when"),
    "a dict without names": ("class A(BaseModel):\n    x: dict[str, int]\n", "A.x"),
    "two lists": ("class A(BaseModel):\n    x: list[str]\n    y: list[str]\n", "AsArray()"),
    "a column twice": (
        "class I(BaseModel):\n    x: str\n\nclass A(BaseModel):\n    x: str\n    i: list[I]\n",
        "'x' would appear twice",
    ),
    "no fields": ("class A(BaseModel):\n    pass\n", "has no fields"),
    "no class": ("A = 3\n", "is not a Pydantic class"),
    "a root model": (
        "from pydantic import RootModel\nclass A(RootModel[str]):\n    pass\n",
        "Root",
    ),
    "a table": (
        "from sqlmodel import SQLModel, Field as F\n"
        "class A(SQLModel, table=True):\n    __tablename__ = 'a1'\n"
        "    __table_args__ = {'extend_existing': True}\n    x: int = F(primary_key=True)\n",
        "SQLModel table",
    ),
}


@pytest.mark.parametrize("case", BAD_CLASSES)
def test_a_class_that_cannot_be_a_table_is_an_error_with_its_file(load, case):
    source, complaint = BAD_CLASSES[case]
    with pytest.raises(CompileError) as caught:
        load(source, "A")
    assert complaint in str(caught.value)
    assert "responses.py" in str(caught.value)


def test_a_class_that_holds_itself_has_no_end(load):
    source = "class A(BaseModel):\n    name: str\n    parts: list['A']\n"
    with pytest.raises(CompileError):
        load(source, "A")


def test_syntax_errors_name_file_and_line(tmp_path):
    file = tmp_path / "responses.py"
    file.write_text("x = 1\nclass A(:\n    pass\n", encoding="utf-8")
    with pytest.raises(CompileError, match=r"responses\.py:2: "):
        load_response(file, "A")


def test_errors_while_importing_name_file_and_line(tmp_path):
    file = tmp_path / "responses.py"
    file.write_text("x = 1\n\ny = unheard_of\n", encoding="utf-8")
    with pytest.raises(CompileError, match=r"responses\.py:3: NameError: .*unheard_of"):
        load_response(file, "A")


def test_a_class_that_is_not_there_is_told_from_one_that_is(load):
    with pytest.raises(CompileError, match="did you mean 'Persona'"):
        load("class Persona(BaseModel):\n    x: str\n", "Persno")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(CompileError, match=r"responses\.py"):
        load_response(tmp_path / "responses.py", "A")


def test_future_annotations_work(tmp_path):
    file = tmp_path / "responses.py"
    file.write_text(
        "from __future__ import annotations\n"
        "from typing import Annotated\n"
        "from pydantic import BaseModel\n"
        "from lupom import OneOf\n"
        "class A(BaseModel):\n    answer: Annotated[str, OneOf('options')]\n",
        encoding="utf-8",
    )
    assert load_response(file, "A").choice_field == "answer"


HASHED = """
LIMIT = {limit}
OTHER = {other}

class Inner(BaseModel):
    text: str = Field(max_length=LIMIT)

class Outer(BaseModel):
    items: list[Inner]

class Stranger(BaseModel):
    number: int = Field(le=OTHER)
"""


def test_the_hash_covers_what_a_class_is_made_of_and_nothing_else(load):
    def hashed(limit, other, tail=""):
        return load(HASHED.format(limit=limit, other=other) + tail, "Outer").source_hash

    base = hashed(5, 7)
    assert hashed(6, 7) != base
    assert hashed(5, 8) == base
    assert hashed(5, 7, "\n# a comment\n") == base


def test_the_order_of_fields_is_part_of_what_is_asked(load):
    one = load("class A(BaseModel):\n    x: str\n    y: str\n", "A").for_row({})
    two = load("class A(BaseModel):\n    y: str\n    x: str\n", "A").for_row({})
    assert one.schema_hash != two.schema_hash
