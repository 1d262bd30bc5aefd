"""The reference of settings as Markdown, from the Pydantic models of a project's YAML files.

`python -m lupom.engine.project.reference > docs/settings.md` writes it; with a page's path after it
the table of providers in that page, docs/llms.md, is made anew.
"""

from __future__ import annotations

import inspect
import sys
import types
import typing
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from lupom.engine.project.discovery import PropertiesFile
from lupom.engine.project.providers import LLMSettings, ProviderSettings
from lupom.engine.project.selectors import SelectorsFile
from lupom.engine.project.settings import ModelConfig, ProjectSettings, TestConfig
from lupom.engine.project.strict import words_of

_HEAD = """# Settings

Every key of every YAML file of a project. Made from the code by
`python -m lupom.engine.project.reference`; a test compares. Unknown keys are errors, with file,
line and what may have been meant. Values may be Jinja: `"{{ env_var('NAME', 'default') }}"`.
"""
# What stands around the table of providers in a page.
_BEGIN = "<!-- providers: made by `python -m lupom.engine.project.reference docs/llms.md` -->"
_END = "<!-- end of providers -->"
# Files in the order of the page; then what is config of something, read by its own rules.
_FILES: list[tuple[str, str, type[BaseModel]]] = [
    ("lupom_project.yml", "", ProjectSettings),
    ("models/*.yml, seeds/*.yml", "Properties of models, seeds and sources.", PropertiesFile),
    ("selectors.yml", "Selections with a name; see [Automation](automation.md).", SelectorsFile),
]
_CONFIGS: list[tuple[str, str, type[BaseModel]]] = [
    (
        "Config of models and seeds",
        "In `config()`, under `config:` in YAML, or by folder in lupom_project.yml, there with a"
        " `+` before the key. `filters_TAG: true` lets a model read tables with a guarded tag.",
        ModelConfig,
    ),
    (
        "Config of data tests",
        "Beside a test's arguments, in `config()` of a test in SQL, or for all of them under"
        " `data_tests:` in lupom_project.yml.",
        TestConfig,
    ),
]


def reference() -> str:
    """Return every key with type, default and description: a table per block."""
    parts = [_HEAD]
    done: set[type[BaseModel]] = {model for _, _, model in _CONFIGS}
    for title, words, model in _FILES:
        parts.append(_section(f"## {title}", words or _words(model), model))
        done.add(model)
        for path, block in _below(model, done):
            parts.append(_section(f"### `{path}`", _words(block), block))
            if issubclass(block, ProviderSettings):
                parts += _kinds(path, block)
    for title, words, model in _CONFIGS:
        parts.append(_section(f"## {title}", words, model))
    return "\n".join(parts)


def _kinds(path: str, root: type[ProviderSettings]) -> Iterator[str]:
    """Give what each of LUPoM's own providers takes beside what is common to all."""
    common = _by_name(root)
    for name, kind in root.kinds(installed=False).items():
        own = [key for key, row in _by_name(kind).items() if common.get(key) != row]
        yield _section(f"#### `{path}`, `provider: {name}`", _words(kind), kind, own)


def providers() -> str:
    """Return what LUPoM's own providers of LLMs are and need, and the keys of each, as tables."""
    kinds = LLMSettings.kinds(installed=False)
    common = set(LLMSettings.model_fields)
    lines = ["| `provider` | is | needs | keys of its own |", "|---|---|---|---|"]
    for name, kind in kinds.items():
        own = ", ".join(f"`{key}`" for key in kind.model_fields if key not in common)
        words = " ".join(_words(kind).split()).rstrip(".")
        lines.append(f"| `{name}` | {words} | {kind.needs} | {own} |")
    return "\n".join(lines) + "\n"


def with_providers(page: str) -> str:
    """Return a page with the table of providers between its marks made anew."""
    head, _, rest = page.partition(_BEGIN)
    _, _, tail = rest.partition(_END)
    return f"{head}{_BEGIN}\n{providers()}{_END}{tail}"


def _below(
    model: type[BaseModel], done: set[type[BaseModel]], prefix: str = ""
) -> Iterator[tuple[str, type[BaseModel]]]:
    """Give the blocks that stand below a model's keys, each once, with where it first stands."""
    for name, field in model.model_fields.items():
        for block in _models(field.annotation):
            if block in done:
                continue
            done.add(block)
            path = f"{prefix}{field.alias or name}{_brackets(field.annotation)}"
            yield path, block
            yield from _below(block, done, f"{path}.")


def _section(
    head: str, words: str, model: type[BaseModel], only: Collection[str] | None = None
) -> str:
    lines = [head, "", *([words, ""] if words else [])]
    lines += ["| key | type | default | meaning |", "|---|---|---|---|"]
    return "\n".join([*lines, *_rows(model, only)]) + "\n"


def _rows(model: type[BaseModel], only: Collection[str] | None = None) -> list[str]:
    rows = _by_name(model)
    return [row for name, row in rows.items() if only is None or name in only]


def _by_name(model: type[BaseModel]) -> dict[str, str]:
    """Return the row of each field in a table, by name."""
    words = words_of(model)
    rows = {}
    for name, field in model.model_fields.items():
        cells = [f"`{field.alias or name}`", _type(field), _default(field), words.get(name, "")]
        rows[name] = "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
    return rows


def _words(model: type[BaseModel]) -> str:
    # A class without a docstring of its own inherits its parent's, which says nothing of it.
    return inspect.cleandoc(model.__dict__.get("__doc__") or "")


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [found for part in typing.get_args(annotation) for found in _models(part)]


def _brackets(annotation: Any) -> str:
    """Say how a block stands below its key: by name, or in a list."""
    return {dict: ".NAME", list: "[]"}.get(typing.get_origin(annotation) or annotation, "")


def _type(field: FieldInfo) -> str:
    bounds = []
    for constraint in field.metadata:
        for attribute, sign in (("ge", ">="), ("gt", ">"), ("le", "<="), ("lt", "<")):
            if (bound := getattr(constraint, attribute, None)) is not None:
                bounds.append(f"{sign} {bound:,}")
    return ", ".join([_spelled(field.annotation), *bounds])


def _spelled(annotation: Any) -> str:
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Literal:
        return " or ".join(f"`{value}`" for value in arguments)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(_spelled(a) for a in arguments if a is not type(None))
    if origin is list:
        return f"list of {_spelled(arguments[0])}"
    if origin is dict:
        return f"{_spelled(arguments[1])} by name"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "block"
    names = {str: "text", int: "whole number", float: "number", bool: "true or false"}
    return names.get(annotation, "anything")


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if value is None:
        return "none"
    if isinstance(value, BaseModel) or value == {} or value == []:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return f"`{next(iter(value))}`"
    if isinstance(value, list):
        return ", ".join(f"`{v}`" for v in value)
    return f"`{value}`" if str(value) else '`""`'


if __name__ == "__main__":
    if sys.argv[1:]:
        page = Path(sys.argv[1])
        page.write_text(with_providers(page.read_text(encoding="utf-8")), encoding="utf-8")
    else:
        print(reference(), end="")
