"""What all settings are: blocks in which an unknown key is an error."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, GetJsonSchemaHandler
from pydantic_core import CoreSchema

# The type of a fault that says in full what is wrong with a name that stands for a class.
UNREGISTERED = "unregistered"


class Strict(BaseModel):
    """A settings block in which an unknown key is an error.

    The docstring below a field says what it means (`words_of`).
    """

    model_config = ConfigDict(extra="forbid", protected_namespaces=())

    not_here: ClassVar[Mapping[str, str]] = {}
    """Keys that are often tried here, and what to do instead, as a hint."""

    @classmethod
    def read_as(cls, value: Any) -> type[BaseModel]:
        """Return the class that reads a value: itself, or one of those it stands for."""
        return cls

    @classmethod
    def belongs_to(cls, key: str) -> str | None:
        """Return where a key belongs that is none of this block's, as a hint; None if nowhere."""
        return cls.not_here.get(key)

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        schema = handler(core_schema)
        fields = handler.resolve_ref_schema(schema).get("properties", {})
        for name, words in words_of(cls).items():
            key = cls.model_fields[name].alias or name
            if key in fields:
                fields[key]["description"] = words
        return schema


def words_of(model: type[BaseModel]) -> dict[str, str]:
    """Return what fields mean, by name: the docstrings below them.

    They are read when somebody asks. Pydantic's own `use_attribute_docstrings` reads the source of
    each class as it is made: a sixth of the CPU of `lupom ls` on a small project.
    """
    words: dict[str, str] = {}
    for kind in reversed(model.__mro__):
        if issubclass(kind, BaseModel) and kind is not BaseModel:
            words |= _own_words(kind)
    return {name: words[name] for name in model.model_fields if name in words}


def _own_words(kind: type[BaseModel]) -> dict[str, str]:
    try:
        source = inspect.getsource(kind)
    except OSError:
        # A package may come without its sources.
        return {}
    (made,) = ast.parse(textwrap.dedent(source)).body
    assert isinstance(made, ast.ClassDef)
    found = {}
    for field, below in zip(made.body, made.body[1:], strict=False):
        if (
            isinstance(field, ast.AnnAssign)
            and isinstance(field.target, ast.Name)
            and isinstance(below, ast.Expr)
            and isinstance(below.value, ast.Constant)
            and isinstance(below.value.value, str)
        ):
            found[field.target.id] = inspect.cleandoc(below.value.value)
    return found
