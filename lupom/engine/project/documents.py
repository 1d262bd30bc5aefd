"""YAML files with the line of every key, and Pydantic's complaints turned into ours."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from lupom.engine.errors import ProjectError, did_you_mean

Path_ = tuple[str | int, ...]
M = TypeVar("M", bound=BaseModel)

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Document:
    """A YAML file as plain objects, with the line each of them stands on.

    Attributes
    ----------
    data : the content as dicts, lists and scalars ({} for an empty file).
    lines : line (from 1) by path, for instance ("vars", "seed").
    """

    def __init__(self, file: Path, label: str | None = None, text: str | None = None) -> None:
        self.path = file
        self.file = label or str(file)
        if text is None:
            try:
                text = file.read_text(encoding="utf-8")
            except UnicodeDecodeError as error:
                raise ProjectError(
                    "the file is not UTF-8 text", file=self.file, hint="save it as UTF-8"
                ) from error
        self.lines: dict[Path_, int] = {}
        loader = _LOADER(text)
        try:
            node = loader.get_single_node()
            self.data: Any = {} if node is None else self._plain(loader, node, ())
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            raise ProjectError(
                f"not valid YAML: {error.problem or error.context}",
                file=self.file,
                line=None if mark is None else mark.line + 1,
            ) from error
        except yaml.YAMLError as error:
            raise ProjectError(f"not valid YAML: {error}", file=self.file) from error
        finally:
            loader.dispose()

    def _plain(self, loader: Any, node: yaml.Node, path: Path_) -> Any:
        self.lines.setdefault(path, node.start_mark.line + 1)
        if isinstance(node, yaml.MappingNode):
            loader.flatten_mapping(node)
            out: dict[Any, Any] = {}
            for key_node, value_node in node.value:
                key = loader.construct_object(key_node, deep=True)
                if not isinstance(key, str | int | float | bool):
                    raise ProjectError(
                        "a key must be a word",
                        file=self.file,
                        line=key_node.start_mark.line + 1,
                    )
                key = str(key)
                if key in out:
                    raise ProjectError(
                        f"the key '{key}' appears twice here",
                        file=self.file,
                        line=key_node.start_mark.line + 1,
                    )
                self.lines[(*path, key)] = key_node.start_mark.line + 1
                out[key] = self._plain(loader, value_node, (*path, key))
            return out
        if isinstance(node, yaml.SequenceNode):
            return [self._plain(loader, n, (*path, i)) for i, n in enumerate(node.value)]
        return loader.construct_object(node, deep=True)

    def line(self, path: Path_) -> int | None:
        """Return the line of the deepest part of `path` that stands in the file."""
        while path not in self.lines and path:
            path = path[:-1]
        return self.lines.get(path)

    def error(self, message: str, path: Path_ = (), hint: str | None = None) -> ProjectError:
        """Make the error for what stands at `path`."""
        return ProjectError(message, file=self.file, line=self.line(path), hint=hint)

    def validate(self, model: type[M], data: Any, path: Path_ = (), *, prefix: str = "") -> M:
        """Read `data`, which stands at `path`, as `model`; raises ProjectError at a fault.

        `prefix` is what keys of `data` begin with where they are written.
        """
        if not isinstance(data, Mapping):
            what = f"'{path[-1]}'" if path else "the file"
            raise self.error(f"{what} must be a block of 'key: value' lines", path)
        try:
            return model.model_validate(data)
        except ValidationError as error:
            raise self._translate(model, error, path, prefix) from error

    def _translate(
        self, model: type[BaseModel], error: ValidationError, path: Path_, prefix: str
    ) -> ProjectError:
        # An unknown key explains a missing one ("nmae" for "name"), so it is told first.
        faults = sorted(error.errors(), key=lambda fault: fault["type"] != "extra_forbidden")
        fault = faults[0]
        read = tuple(fault["loc"])
        location = (f"{prefix}{read[0]}", *read[1:]) if prefix and read else read
        name = ".".join(str(part) for part in (*path, *location))
        if fault["type"] == "extra_forbidden":
            known = _known_keys(model, read[:-1])
            return self.error(
                f"unknown key '{location[-1]}'",
                (*path, *location),
                did_you_mean(str(location[-1]), known) or f"known keys: {', '.join(sorted(known))}",
            )
        if fault["type"] == "missing":
            return self.error(f"the key '{name}' is missing", (*path, *location[:-1]))
        message = re.sub(r"^Value error, ", "", fault["msg"])
        message = message[:1].lower() + message[1:]
        value = fault.get("input")
        seen = f", not {value!r}" if isinstance(value, str | int | float | bool | None) else ""
        if fault["type"] == "value_error":
            seen = ""
        hint = None
        if fault["type"] == "literal_error" and isinstance(value, str):
            hint = did_you_mean(value, re.findall(r"'([^']+)'", fault["msg"]))
        prefix = f"'{name}': " if name else ""
        return self.error(f"{prefix}{message}{seen}", (*path, *location), hint)


def _known_keys(model: type[BaseModel], location: Path_) -> list[str]:
    """Walk a Pydantic model along an error's location to the block that was being read."""
    current: Any = model
    for part in location:
        if (
            isinstance(current, type)
            and issubclass(current, BaseModel)
            and part in current.model_fields
        ):
            current = current.model_fields[str(part)].annotation
        inner = [a for a in getattr(current, "__args__", ()) if isinstance(a, type)]
        models = [a for a in inner if issubclass(a, BaseModel)]
        if models:
            current = models[-1]
    if isinstance(current, type) and issubclass(current, BaseModel):
        return list(current.model_fields)
    return list(model.model_fields)
