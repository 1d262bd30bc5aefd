"""JSON schemas of a project's YAML files, for editors: completion, and faults as one types.

`python -m lupom.engine.project.schemas FOLDER` writes them, with the settings of providers that
installed packages add; with `--shipped` after it, with LUPoM's own alone, as `schemas/` has them.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from inspect import cleandoc
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from lupom.engine.project.discovery import PropertiesFile
from lupom.engine.project.providers import (
    READY_AT,
    EmbeddingSettings,
    LLMSettings,
    ProviderSettings,
)
from lupom.engine.project.selectors import SelectorsFile
from lupom.engine.project.settings import ModelConfig, ProjectSettings, TestConfig

_DRAFT = "http://json-schema.org/draft-07/schema#"
# A value that Jinja gives when the file is read: "{{ env_var('LUPOM_THREADS') }}".
_JINJA = {"type": "string", "pattern": r"\{\{.*\}\}"}
_PLAIN = ("integer", "number", "boolean")


def schemas(*, installed: bool = True) -> dict[str, dict[str, Any]]:
    """Return the schema of each kind of YAML file, by the name of its own file.

    With what `installed` packages add, or with what LUPoM brings alone.
    """
    return {
        "lupom_project.json": _project(installed),
        "properties.json": _properties(),
        "selectors.json": _schema(SelectorsFile, "LUPoM selectors", "selectors.yml"),
    }


def write(folder: Path, *, installed: bool = True) -> list[Path]:
    """Write every schema to a folder; returns the files."""
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for name, schema in schemas(installed=installed).items():
        path = folder / name
        path.write_text(json.dumps(schema, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        files.append(path)
    return files


def _project(installed: bool) -> dict[str, Any]:
    schema = _schema(ProjectSettings, "LUPoM project", "lupom_project.yml")
    config = _definition(schema, ModelConfig)
    folders = {
        "type": "object",
        "description": "Config of folders and files: keys of config begin with '+'.",
        "patternProperties": {
            **{rf"^\+{name}$": value for name, value in config["properties"].items()},
            r"^\+filters_\w+$": {"type": "boolean"},
            r"^[^+]": {"$ref": "#/definitions/Folders"},
        },
        "additionalProperties": False,
    }
    schema["definitions"]["Folders"] = folders
    for kind in ("models", "seeds"):
        schema["properties"][kind] = {"$ref": "#/definitions/Folders"}
    # What is read before it is checked: '$2.50' is a limit, and a ready alias has a provider.
    limit = schema["definitions"]["Limit"]
    schema["definitions"]["Limit"] = {"anyOf": [limit, {"type": ["string", "number"]}]}
    executor = schema["definitions"]["ExecutorSettings"]
    kinds = executor["properties"]["type"]["enum"]
    schema["definitions"]["ExecutorSettings"] = {"anyOf": [executor, {"enum": [*kinds, "workers"]}]}
    for root in (LLMSettings, EmbeddingSettings):
        _by_provider(schema, root, root.kinds(installed=installed))
    return schema


def _by_provider(
    schema: dict[str, Any],
    root: type[ProviderSettings],
    kinds: Mapping[str, type[ProviderSettings]],
) -> None:
    """Let the definition of an alias be that of its provider's settings."""
    cases = []
    for name, kind in kinds.items():
        definition = _definition(schema, kind)
        # That there must be a provider is said once, where one may be missing.
        definition["required"] = [n for n in definition.get("required", []) if n != "provider"]
        given = {"properties": {"provider": {"const": name}}, "required": ["provider"]}
        cases.append({"if": given, "then": {"$ref": f"#/definitions/{kind.__name__}"}})
    union: dict[str, Any] = {
        "title": root.__name__,
        "description": cleandoc(root.__doc__ or ""),
        "type": "object",
        "properties": {"provider": {"enum": list(kinds)}},
    }
    if root is LLMSettings:
        # A ready alias has a provider without saying so.
        ready = {"$ref": f"#/definitions/{kinds[READY_AT].__name__}"}
        cases.append({"if": {"not": {"required": ["provider"]}}, "then": ready})
    else:
        union["required"] = ["provider"]
    schema["definitions"][root.__name__] = {**union, "allOf": cases}


def _properties() -> dict[str, Any]:
    schema = _schema(PropertiesFile, "LUPoM properties", "models/*.yml, seeds/*.yml")
    config = _definition(schema, ModelConfig)
    config["patternProperties"] = {r"^filters_\w+$": {"type": "boolean"}}
    test = _definition(schema, TestConfig)
    written = {
        "description": "A data test: its name, or its name with arguments and config below it.",
        "anyOf": [
            {"type": "string"},
            {
                "type": "object",
                "minProperties": 1,
                "maxProperties": 1,
                "additionalProperties": {
                    "anyOf": [
                        {"type": ["string", "array", "null"]},
                        {"type": "object", "properties": dict(test["properties"])},
                    ]
                },
            },
        ],
    }
    schema["definitions"]["DataTest"] = written
    for definition in schema["definitions"].values():
        fields = definition.get("properties", {})
        for key in ("data_tests", "tests"):
            if key in fields:
                fields[key] = {"type": "array", "items": {"$ref": "#/definitions/DataTest"}}
        if "config" in fields and "columns" in fields:
            fields["config"] = {"$ref": f"#/definitions/{ModelConfig.__name__}"}
    return schema


def _schema(model: type[BaseModel], title: str, of: str) -> dict[str, Any]:
    made = _adjusted(model.model_json_schema(ref_template="#/definitions/{model}"))
    definitions = made.pop("$defs", {})
    return {
        "$schema": _DRAFT,
        **made,
        "title": title,
        "description": f"{title}: {of}",
        "definitions": definitions,
    }


def _definition(schema: dict[str, Any], model: type[BaseModel]) -> dict[str, Any]:
    """Add a model to a schema's definitions, if it is not there, and return it."""
    made = _adjusted(model.model_json_schema(ref_template="#/definitions/{model}"))
    schema["definitions"] |= made.pop("$defs", {})
    found: dict[str, Any] = schema["definitions"].setdefault(model.__name__, made)
    return found


def _adjusted(schema: Any) -> Any:
    """Let Jinja stand where a number or a yes or no is wanted, and one word where a list is."""
    if isinstance(schema, list):
        return [_adjusted(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    out = {key: _adjusted(value) for key, value in schema.items()}
    if out.get("type") in _PLAIN:
        beside = {k: out.pop(k) for k in ("title", "description", "default") if k in out}
        return {**beside, "anyOf": [out, _JINJA]}
    for key in ("tags", "key"):
        field = out.get("properties", {}).get(key)
        if field and field.get("type") == "array":
            out["properties"][key] = {"anyOf": [field, {"type": "string"}]}
    return out


if __name__ == "__main__":
    for written in write(Path(sys.argv[1]), installed="--shipped" not in sys.argv):
        print(written)
