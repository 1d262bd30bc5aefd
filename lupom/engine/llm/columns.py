"""What a response class becomes in a table: columns, types, and which field becomes rows."""

from __future__ import annotations

import enum
import types
import typing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Union

from lupom.engine.errors import CompileError
from lupom.engine.llm.markers import AsArray, OneOf, OneOfEach
from lupom.engine.llm.stated import OFF, Distribution

if TYPE_CHECKING:
    from pydantic import BaseModel

POSITION = "position"
_SCALARS: dict[Any, str] = {str: "VARCHAR", bool: "BOOLEAN", int: "BIGINT", float: "DOUBLE"}


@dataclass(frozen=True, slots=True)
class Layout:
    """How answers of a class lie in a table.

    Attributes
    ----------
    scalars : columns of the class's own fields, repeated in each row.
    rows : the field whose items become rows, if there is one.
    items : columns of one item; for items that are not objects, one column named as the field.
    objects : the items are objects.
    each : the mark of a OneOfEach field, which becomes rows too.
    choice : the one field of a choice and the column that limits it.
    stated : fields that are distributions, and the columns that have their options.
    """

    scalars: dict[str, str]
    rows: str | None = None
    items: dict[str, str] = field(default_factory=dict)
    objects: bool = False
    each: OneOfEach | None = None
    choice: tuple[str, str] | None = None
    stated: dict[str, str] = field(default_factory=dict)

    def columns(self) -> dict[str, str]:
        """Return the columns of the table in order, with their DuckDB types."""
        out = {**self.scalars, **self.items}
        for name in self.stated:
            out[name + OFF] = "DOUBLE"
        if self.rows is not None and self.each is None:
            out[POSITION] = "BIGINT"
        if self.choice is not None:
            out["probabilities"] = "MAP(VARCHAR, DOUBLE)"
            out["missing_mass"] = "DOUBLE"
        return out


def layout_of(cls: type[BaseModel]) -> Layout:
    """Return how answers of a class lie in a table; raises CompileError for what does not fit."""
    scalars: dict[str, str] = {}
    rows: str | None = None
    items: dict[str, str] = {}
    objects, each = False, None
    stated: dict[str, str] = {}
    for name, info in cls.model_fields.items():
        where = f"{cls.__name__}.{name}"
        annotation, marks = _bare(info.annotation, list(info.metadata))
        distribution = next((m for m in marks if isinstance(m, Distribution)), None)
        if distribution is not None:
            scalars[name], stated[name] = "MAP(VARCHAR, DOUBLE)", distribution.column
            continue
        mark = next((m for m in marks if isinstance(m, OneOfEach)), None)
        item = _item_of(annotation)
        if mark is None and (item is None or any(isinstance(m, AsArray) for m in marks)):
            scalars[name] = _type_of(annotation, where)
            continue
        if rows is not None:
            raise CompileError(
                f"{cls.__name__} has two fields that become rows, '{rows}' and '{name}'",
                hint=f"Annotated[list[str], AsArray()] keeps '{name}' in one column",
            )
        rows = name
        if mark is not None:
            each, items = mark, {mark.key: "VARCHAR", mark.value: "VARCHAR"}
        else:
            items, objects = _item_columns(item, name, where)
    clash = sorted(set(scalars) & set(items))
    clash += [name + OFF for name in stated if name + OFF in {**scalars, **items}]
    if rows is not None and each is None and POSITION in {**scalars, **items}:
        clash.append(POSITION)
    if clash:
        raise CompileError(
            f"{cls.__name__}: column '{clash[0]}' would appear twice", hint="rename one field"
        )
    if not scalars and rows is None:
        raise CompileError(f"{cls.__name__} has no fields")
    return Layout(scalars, rows, items, objects, each, _choice_of(cls), stated)


def _choice_of(cls: type[BaseModel]) -> tuple[str, str] | None:
    if len(cls.model_fields) != 1:
        return None
    name, info = next(iter(cls.model_fields.items()))
    annotation, marks = _bare(info.annotation, list(info.metadata))
    mark = next((m for m in marks if isinstance(m, OneOf)), None)
    return (name, mark.column) if mark is not None and annotation is str else None


def _bare(annotation: Any, marks: list[Any]) -> tuple[Any, list[Any]]:
    """Take the marks of Annotated off a type."""
    while typing.get_origin(annotation) is typing.Annotated:
        annotation, *inner = typing.get_args(annotation)
        marks = [*marks, *inner]
    return annotation, marks


def _without_none(annotation: Any) -> Any:
    annotation, _ = _bare(annotation, [])
    if typing.get_origin(annotation) in (Union, types.UnionType):
        others = [a for a in typing.get_args(annotation) if a is not type(None)]
        if len(others) == 1:
            return _without_none(others[0])
    return annotation


def _item_of(annotation: Any) -> Any:
    """Return the type of a list's items, None for what is not a list."""
    annotation = _without_none(annotation)
    if typing.get_origin(annotation) in (list, set, frozenset):
        return typing.get_args(annotation)[0]
    return None


def _item_columns(item: Any, name: str, where: str) -> tuple[dict[str, str], bool]:
    from pydantic import BaseModel

    bare = _without_none(item)
    if isinstance(bare, type) and issubclass(bare, BaseModel):
        columns = {}
        for inner, info in bare.model_fields.items():
            columns[inner] = _type_of(info.annotation, f"{bare.__name__}.{inner}")
        return columns, True
    return {name: _type_of(item, where)}, False


def _type_of(annotation: Any, where: str) -> str:
    item = _item_of(annotation)
    if item is not None:
        return _type_of(item, where) + "[]"
    bare = _without_none(annotation)
    if bare in _SCALARS:
        return _SCALARS[bare]
    if typing.get_origin(bare) is Literal:
        kinds = {_SCALARS.get(type(value)) for value in typing.get_args(bare)}
        if len(kinds) == 1 and None not in kinds:
            return str(kinds.pop())
    if isinstance(bare, type) and issubclass(bare, enum.Enum):
        kinds = {_SCALARS.get(type(value.value)) for value in bare}
        if len(kinds) == 1 and None not in kinds:
            return str(kinds.pop())
    if isinstance(bare, type):
        # A constrained or plain subclass of a scalar (class Name(str)) is stored as the scalar.
        for base, kind in _SCALARS.items():
            if issubclass(bare, base):
                return kind
    shown = getattr(bare, "__name__", str(bare))
    raise CompileError(
        f"{where}: a column cannot hold '{shown}'",
        hint="str, int, float, bool, Literal, an Enum, a list of these, or one list of classes",
    )
