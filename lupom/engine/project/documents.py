"""YAML files with the line of every key, and Pydantic's complaints turned into ours."""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from lupom.engine.errors import ProjectError, did_you_mean
from lupom.engine.project.strict import UNREGISTERED, Strict

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
        self.data: Any = {}
        self.lines: dict[Path_, int] = {}
        if not text:
            return
        try:
            self.data, lines = _read(text)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            raise ProjectError(
                f"not valid YAML: {error.problem or error.context}",
                file=self.file,
                line=None if mark is None else mark.line + 1,
            ) from error
        except yaml.YAMLError as error:
            raise ProjectError(f"not valid YAML: {error}", file=self.file) from error
        except ProjectError as error:
            error.file = self.file
            raise
        self.lines.update(lines)

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
            raise self._translate(model, data, error, path, prefix) from error

    def _translate(
        self, model: type[BaseModel], data: Any, error: ValidationError, path: Path_, prefix: str
    ) -> ProjectError:
        # An unknown key explains a missing one ("nmae" for "name"), so it is told first.
        faults = sorted(error.errors(), key=lambda fault: fault["type"] != "extra_forbidden")
        fault = faults[0]
        read = tuple(fault["loc"])
        location = (f"{prefix}{read[0]}", *read[1:]) if prefix and read else read
        name = ".".join(str(part) for part in (*path, *location))
        if fault["type"] == "extra_forbidden":
            key = str(location[-1])
            block = _block_at(model, data, read[:-1])
            known = list(block.model_fields)
            elsewhere = block.belongs_to(key) if issubclass(block, Strict) else None
            return self.error(
                f"unknown key '{key}'",
                (*path, *location),
                elsewhere or did_you_mean(key, known) or f"known keys: {', '.join(sorted(known))}",
            )
        if fault["type"] == "missing":
            return self.error(f"the key '{name}' is missing", (*path, *location[:-1]))
        if fault["type"] in ("model_type", "model_attributes_type"):
            block = _block_at(model, data, read)
            some = [n for n, f in block.model_fields.items() if f.is_required()]
            shown = ", ".join(f"{n}: ..." for n in some or list(block.model_fields)[:2])
            return self.error(
                f"'{name}' is a block of keys, not {fault.get('input')!r:.40}",
                (*path, *location),
                f"{location[-1]}: {{{shown}}}",
            )
        message = re.sub(r"^Value error, ", "", fault["msg"])
        message = message[:1].lower() + message[1:]
        value = fault.get("input")
        seen = f", not {value!r}" if isinstance(value, str | int | float | bool | None) else ""
        # What says itself what was there; it may have a hint of its own.
        if fault["type"] in ("value_error", UNREGISTERED):
            seen = ""
        hint = fault.get("ctx", {}).get("hint")
        if fault["type"] == "literal_error" and isinstance(value, str):
            hint = did_you_mean(value, re.findall(r"'([^']+)'", fault["msg"]))
        prefix = f"'{name}': " if name else ""
        return self.error(f"{prefix}{message}{seen}", (*path, *location), hint)


@lru_cache(maxsize=256)
def _read(text: str) -> tuple[Any, dict[Path_, int]]:
    """Return what a YAML text holds, and the line of each part of it.

    Once for each text, however often its project is opened: nobody changes what comes back.
    """
    loader = _LOADER(text)
    lines: dict[Path_, int] = {}
    try:
        node = loader.get_single_node()
        return ({} if node is None else _plain(loader, node, (), lines)), lines
    finally:
        loader.dispose()


def _plain(loader: Any, node: yaml.Node, path: Path_, lines: dict[Path_, int]) -> Any:
    lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        loader.flatten_mapping(node)
        out: dict[Any, Any] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            key = loader.construct_object(key_node, deep=True)
            if not isinstance(key, str | int | float | bool):
                raise ProjectError("a key must be a word", line=line)
            key = str(key)
            if key in out:
                raise ProjectError(f"the key '{key}' appears twice here", line=line)
            lines[(*path, key)] = line
            out[key] = _plain(loader, value_node, (*path, key), lines)
        return out
    if isinstance(node, yaml.SequenceNode):
        return [_plain(loader, n, (*path, i), lines) for i, n in enumerate(node.value)]
    return loader.construct_object(node, deep=True)


def _block_at(model: type[BaseModel], data: Any, location: Path_) -> type[BaseModel]:
    """Walk a Pydantic model along an error's location to the class of the block that was read."""
    found: type[BaseModel] = model
    annotation: Any = model
    for part in location:
        if _is_block(annotation):
            field = annotation.model_fields.get(str(part))
            annotation = None if field is None else field.annotation
        else:
            # An item of a list, or what stands under a name.
            annotation = (typing.get_args(annotation) or (None,))[-1]
        annotation = _without_none(annotation)
        data = _inner(data, part)
        if _is_block(annotation):
            if issubclass(annotation, Strict) and isinstance(data, Mapping):
                annotation = annotation.read_as(data)
            found = annotation
    return found


def _is_block(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _without_none(annotation: Any) -> Any:
    """Return the one kind there is beside None; any other union as it is."""
    kinds = [kind for kind in typing.get_args(annotation) if kind is not type(None)]
    is_union = typing.get_origin(annotation) in (typing.Union, types.UnionType)
    return kinds[0] if is_union and len(kinds) == 1 else annotation


def _inner(data: Any, part: str | int) -> Any:
    """Return what stands at a part of a path in plain data; None where nothing does."""
    try:
        return data[part]
    except (KeyError, IndexError, TypeError):
        return None
