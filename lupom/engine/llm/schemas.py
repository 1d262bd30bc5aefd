"""JSON schemas as providers take them: closed, self-contained, and of one row.

OpenAI's strict mode wants additionalProperties false and every property required; llama.cpp and
others want no surprises. So references are put in place, titles and defaults go, and only keywords
that say something to a decoder are kept.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lupom.engine.errors import CompileError
from lupom.engine.llm.listed import Each
from lupom.engine.llm.markers import ONE_OF, ONE_OF_EACH
from lupom.engine.llm.stated import labelled

if TYPE_CHECKING:
    from pydantic import BaseModel

_KEPT = frozenset(
    {"type", "enum", "description", "pattern", "format", "minLength", "maxLength"}
    | {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}
    | {"minItems", "maxItems"}
)


def schema_of(cls: type[BaseModel]) -> dict[str, Any]:
    """Return pydantic's schema of a class, with the descriptions that are meant for the LLM.

    Those are `Field(description=...)`, and of a class `json_schema_extra={"description": ...}` in
    its `model_config`. Docstrings are for whoever reads the code.
    """
    made = cls.model_json_schema()
    for name, part in [(None, made), *made.get("$defs", {}).items()]:
        if part.get("description") in _docstrings(cls) and not _is_meant(cls, name):
            del part["description"]
    return made


def _docstrings(cls: type[BaseModel]) -> set[str]:
    """Return the docstrings of a class and of whatever its fields are made of."""
    found: set[str] = set()
    seen: set[int] = set()

    def walk(part: Any) -> None:
        if isinstance(part, Mapping):
            kind = part.get("cls")
            if isinstance(kind, type):
                found.add(inspect.cleandoc(kind.__doc__ or ""))
            for name, value in part.items():
                if name != "metadata" and id(value) not in seen:
                    seen.add(id(value))
                    walk(value)
        elif isinstance(part, list | tuple):
            for value in part:
                walk(value)

    walk(cls.__pydantic_core_schema__)
    return found


def _is_meant(cls: type[BaseModel], name: str | None) -> bool:
    """Tell whether the class itself, not one within it, names its description for the LLM."""
    extra = cls.model_config.get("json_schema_extra")
    return name is None and isinstance(extra, Mapping) and "description" in extra


def closed(schema: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return a closed copy of pydantic's schema, marks kept; raises CompileError for what cannot be
    closed.

    `where` names the class in errors.
    """
    return _closed(schema, schema.get("$defs", {}), where, ())


def _closed(
    schema: Mapping[str, Any], defs: Mapping[str, Any], where: str, path: tuple[str, ...]
) -> dict[str, Any]:
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[-1]
        if name in path:
            raise CompileError(f"{where}: '{name}' contains itself; an answer must have an end")
        beside = {k: v for k, v in schema.items() if k in _KEPT}
        return {**_closed(defs[name], defs, where, (*path, name)), **beside}
    out = {key: value for key, value in schema.items() if key in _KEPT}
    for mark in (ONE_OF, ONE_OF_EACH):
        if mark in schema:
            out[mark] = schema[mark]
    if "const" in schema:
        out["enum"] = [schema["const"]]
    branches = schema.get("anyOf") or schema.get("oneOf")
    if branches:
        out["anyOf"] = [_closed(branch, defs, where, path) for branch in branches]
        return out
    single = schema.get("allOf", [])
    if len(single) == 1:
        return {**_closed(single[0], defs, where, path), **out}
    if ONE_OF_EACH in out or (ONE_OF in out and schema.get("type") == "object"):
        return out
    if schema.get("type") == "object":
        properties = schema.get("properties")
        if not properties:
            raise CompileError(
                f"{where}: a dict without named fields cannot be asked for",
                hint="use a class with fields, a list of such classes, or OneOfEach",
            )
        out["properties"] = {
            name: _closed(inner, defs, f"{where}.{name}", path)
            for name, inner in properties.items()
        }
        out["required"] = list(properties)
        out["additionalProperties"] = False
    elif schema.get("type") == "array":
        if "prefixItems" in schema or not schema.get("items"):
            raise CompileError(f"{where}: a list needs one type of item", hint="list[str], say")
        out["items"] = _closed(schema["items"], defs, where, path)
    elif "type" not in out and "enum" not in out:
        raise CompileError(f"{where}: a field needs a type", hint="str, int, float, bool, Literal")
    return out


def columns_of(schema: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """Return the row's columns that limit a closed schema: those of OneOf and those of
    OneOfEach."""
    one: dict[str, None] = {}
    each: dict[str, None] = {}

    def walk(part: Any) -> None:
        if isinstance(part, Mapping):
            if ONE_OF in part:
                one[part[ONE_OF]] = None
            if ONE_OF_EACH in part:
                each[part[ONE_OF_EACH]] = None
            for value in part.values():
                walk(value)
        elif isinstance(part, list):
            for value in part:
                walk(value)

    walk(schema)
    return list(one), list(each)


def filled(
    schema: Mapping[str, Any],
    allowed: Mapping[str, list[str]],
    each: Mapping[str, tuple[Each, list[Any] | None]],
) -> dict[str, Any]:
    """Return a closed schema of one row: marks replaced by the row's own values.

    `allowed` is the list per OneOf column; `each` the properties per OneOfEach column, with the
    values allowed besides (the unknown word, null), or None where the prompt tells the values.
    """
    out: dict[str, Any] = {}
    for key, value in schema.items():
        if key == "properties":
            out[key] = {name: filled(inner, allowed, each) for name, inner in value.items()}
        elif key == "items":
            out[key] = filled(value, allowed, each)
        elif key == "anyOf":
            out[key] = [filled(inner, allowed, each) for inner in value]
        else:
            out[key] = value
    if ONE_OF in out:
        _limit(out, allowed[out.pop(ONE_OF)])
    if ONE_OF_EACH in out:
        structs, besides = each[out.pop(ONE_OF_EACH)]
        out["properties"] = {name: _enum(values, besides) for name, (_, values) in structs.items()}
        out["required"] = list(structs)
        out["additionalProperties"] = False
    return out


def _limit(schema: dict[str, Any], values: list[str]) -> None:
    """Limit every string of a field's schema: the field itself, a list's items, an optional's
    text. An object has a number for each value's label."""
    if "anyOf" in schema:
        for branch in schema["anyOf"]:
            _limit(branch, values)
    elif schema.get("type") == "array":
        _limit(schema["items"], values)
    elif schema.get("type") == "object":
        # No least and no largest number: there are providers that refuse those.
        schema["properties"] = {label: {"type": "number"} for label in labelled(values)}
        schema["required"] = list(schema["properties"])
        schema["additionalProperties"] = False
    elif schema.get("type") == "string":
        for keyword in ("minLength", "maxLength", "pattern", "format"):
            schema.pop(keyword, None)
        schema["enum"] = list(values)


def _enum(values: Mapping[str, None], besides: list[Any] | None) -> dict[str, Any]:
    if besides is None:
        return {"type": "string"}
    words = [*values, *(word for word in besides if word is not None and word not in values)]
    text = {"type": "string", "enum": words}
    return {"anyOf": [text, {"type": "null"}]} if None in besides else text


def canonical(schema: Any) -> str:
    """Return a schema as JSON in one spelling: keywords sorted, properties in their order.

    A model answers in the order of the properties, so the order decides the answer; the order of
    keywords within one schema is pydantic's affair and may change with its version.
    """
    return json.dumps(_ordered(schema), ensure_ascii=False, separators=(",", ":"))


def _ordered(part: Any) -> Any:
    if isinstance(part, Mapping):
        return {
            key: [[name, _ordered(inner)] for name, inner in value.items()]
            if key == "properties"
            else _ordered(value)
            for key, value in sorted(part.items())
        }
    return [_ordered(item) for item in part] if isinstance(part, list) else part


LENGTHS = frozenset({"minLength", "maxLength"})
# All that says how much or how many; what is left says what there is.
LIMITS = LENGTHS | {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}
LIMITS |= {"minItems", "maxItems", "pattern", "format"}


def without(schema: Any, keywords: frozenset[str]) -> Any:
    """Return a schema without these keywords, for providers that refuse them.

    What they say is said in the description of the field, in words, so that it is known all the
    same.
    """
    if isinstance(schema, Mapping):
        out = {
            key: {name: without(inner, keywords) for name, inner in value.items()}
            if key == "properties"
            else without(value, keywords)
            for key, value in schema.items()
            if key not in keywords
        }
        said = _in_words({k: v for k, v in schema.items() if k in keywords})
        if said:
            described = str(out.get("description") or "").strip()
            end = "" if not described or described.endswith((".", "!", "?")) else "."
            out["description"] = f"{described}{end} {said}".strip()
        return out
    return [without(item, keywords) for item in schema] if isinstance(schema, list) else schema


def _in_words(limits: Mapping[str, Any]) -> str:
    """Say what limits say: 'At most 60 characters. From 1 to 5 items.'"""
    out = []
    for least, most, what in (
        ("minLength", "maxLength", "characters"),
        ("minItems", "maxItems", "items"),
        ("minimum", "maximum", ""),
        ("exclusiveMinimum", "exclusiveMaximum", "exclusive"),
    ):
        low, high = limits.get(least), limits.get(most)
        # That a text or a list is not empty goes without saying.
        low = (
            None if what in ("characters", "items") and low in (0, 1) and high is not None else low
        )
        if what == "exclusive":
            out += [f"More than {low}."] if low is not None else []
            out += [f"Less than {high}."] if high is not None else []
        elif low is not None and high is not None:
            out.append(f"From {low} to {high} {what}".strip() + ".")
        elif low is not None or high is not None:
            words = f"At least {low}" if high is None else f"At most {high}"
            out.append(f"{words} {what}".strip() + ".")
    if "multipleOf" in limits:
        out.append(f"A multiple of {limits['multipleOf']}.")
    if "pattern" in limits:
        out.append(f"It matches the regular expression {limits['pattern']}")
    if "format" in limits:
        out.append(f"Format: {limits['format']}.")
    return " ".join(out)


def has_any(part: Any, keywords: frozenset[str]) -> bool:
    """Tell whether there is a schema in something that uses one of these keywords."""
    if isinstance(part, Mapping):
        return any(key in keywords or has_any(value, keywords) for key, value in part.items())
    return isinstance(part, list) and any(has_any(item, keywords) for item in part)
