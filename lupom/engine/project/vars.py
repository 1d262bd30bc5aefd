"""What vars may be: said in YAML beside the models that read them, and held of what is given."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any, Literal

from pydantic import Field

from lupom.engine.errors import LupomError, UsageError, did_you_mean
from lupom.engine.project.documents import Document
from lupom.engine.project.strict import Strict

Kind = Literal["integer", "number", "text", "boolean", "list", "map", "none"]

_WORDS = {
    "integer": "a whole number",
    "number": "a number",
    "text": "a text",
    "boolean": "true or false",
    "list": "a list",
    "map": "a map",
    "none": "null",
}


class VarBlock(Strict):
    """A var that models read."""

    name: str
    """As in `var('name')`."""
    description: str = ""
    """What it decides."""
    type: Kind | list[Kind] = Field(default_factory=list)
    """What it may be, or a list of that: `integer`, `number`, `text`, `boolean`, `list`, `map`,
    `none` (null)."""
    min: float | None = None
    """The least number."""
    max: float | None = None
    """The largest."""
    also: list[int] = Field(default_factory=list)
    """Numbers that it may be besides, outside of `min` and `max`."""
    below: str | None = None
    """A var that it must be less than. Both have a `default`."""
    default: int | float | None = None
    """What models take where it is not given, for `below`."""
    values: list[str] = Field(default_factory=list)
    """What a text may be; by default anything."""
    items: Kind | None = None
    """What each item of a list is, with `values`; by default anything."""
    keys: list[str] = Field(default_factory=list)
    """The keys that a map may have; by default any."""
    entries: Kind | None = None
    """What each entry of a map is, with `min`, `max` and `values`; by default anything."""
    positive: list[str] = Field(default_factory=list)
    """Keys of a map whose number is above 0."""

    @property
    def kinds(self) -> list[Kind]:
        """The types it may have; none is any."""
        return [self.type] if isinstance(self.type, str) else self.type

    def described(self) -> str:
        """Return what it may be, in words."""
        words = [word for kind in self.kinds for word in self._words(kind)]
        return (
            " or ".join(filter(None, (", ".join(words[:-1]), words[-1]))) if words else "anything"
        )

    def allows(self, value: Any) -> bool:
        """Tell whether a value is one that it may be."""
        return not self.kinds or any(self._is(kind, value) for kind in self.kinds)

    def unfit_entry(self, value: Any) -> tuple[str | int, str, str | None] | None:
        """Return the first item of a list or key of a map that is wrong, what is, and what was
        likely meant; None where none is.
        """
        for place, item in enumerate(value if isinstance(value, list) else ()):
            if self.items is not None and not self._is(self.items, item):
                words = " or ".join(self._words(self.items))
                meant = did_you_mean(item, self.values) if isinstance(item, str) else None
                return place, f"must be a list of {words}, without {_seen(item)}", meant
        for key, entry in value.items() if isinstance(value, dict) else ():
            if self.keys and key not in self.keys:
                known = ", ".join(self.keys)
                return key, f"has no '{key}', only {known}", did_you_mean(str(key), self.keys)
            if self.entries is not None and not self._is(self.entries, entry):
                words = " or ".join(self._words(self.entries))
                meant = did_you_mean(entry, self.values) if isinstance(entry, str) else None
                return key, f"must have {words} as '{key}', not {_seen(entry)}", meant
            if key in self.positive and isinstance(entry, int | float) and entry <= 0:
                return key, f"must have a number above 0 as '{key}', not {_seen(entry)}", None
        return None

    def _words(self, kind: Kind) -> list[str]:
        if kind == "text" and self.values:
            return [f"'{value}'" for value in self.values]
        if kind not in ("integer", "number") or (self.min is None and self.max is None):
            return [_WORDS[kind]]
        return [*self._range(kind), *map(str, self.also)]

    def _range(self, kind: Kind) -> list[str]:
        if self.min is not None and self.max is not None:
            return [f"{_WORDS[kind]} from {self.min:g} to {self.max:g}"]
        least = f"at least {self.min:g}" if self.min is not None else f"at most {self.max:g}"
        return [f"{_WORDS[kind]} of {least}"]

    def _is(self, kind: Kind, value: Any) -> bool:
        if kind in ("integer", "number"):
            numbers = int if kind == "integer" else (int, float)
            if not isinstance(value, numbers) or isinstance(value, bool):
                return False
            # An infinite price makes every cost one; what has no limit is null.
            if isinstance(value, float) and not isfinite(value):
                return False
            if value in self.also:
                return True
            low = self.min is None or value >= self.min
            return low and (self.max is None or value <= self.max)
        if kind == "text":
            return isinstance(value, str) and (not self.values or value in self.values)
        if kind == "none":
            return value is None
        return isinstance(value, {"boolean": bool, "list": list, "map": dict}[kind])


@dataclass(frozen=True, slots=True)
class DeclaredVar:
    """What a var may be, and where that is said."""

    block: VarBlock
    file: str
    line: int | None


def read_vars(
    known: dict[str, DeclaredVar], document: Document, blocks: Iterable[VarBlock]
) -> None:
    """Add the declarations of a file to the known ones; raises ProjectError for a second one."""
    for i, block in enumerate(blocks):
        line = document.line(("vars", i, "name"))
        if block.name in known:
            other = known[block.name]
            raise document.error(
                f"the var '{block.name}' is declared twice",
                ("vars", i, "name"),
                f"the other is in {other.file}:{other.line}",
            )
        known[block.name] = DeclaredVar(block, document.file, line)


def check_vars(
    known: Mapping[str, DeclaredVar],
    document: Document,
    declared: Mapping[str, Any],
    given: Mapping[str, Any],
) -> None:
    """Hold vars to what they may be.

    Parameters
    ----------
    known : what is declared of vars, by name.
    document, declared : lupom_project.yml, and its vars.
    given : vars laid over those, as by --vars.

    Raises
    ------
    ProjectError : for one of lupom_project.yml, with file and line.
    UsageError : for one that was given.
    """
    for name, var in known.items():
        values = given if name in given else declared
        if name not in values:
            continue
        block, value, at = var.block, values[name], None if name in given else document
        if not block.allows(value):
            hint = did_you_mean(value, block.values) if isinstance(value, str) else None
            # Of a list with these values it is one, or one of a misspelt one.
            alone = hint is None or value in block.values
            if alone and "list" in block.kinds and isinstance(value, str):
                hint = f"a list of one is [{value}]"
            raise _unfit(at, f"must be {block.described()}, not {_seen(value)}", hint, name)
        if entry := block.unfit_entry(value):
            raise _unfit(at, entry[1], entry[2], name, entry[0])
    for name, var in known.items():
        if var.block.below is not None:
            _check_below(known, document, declared, given, name)


def _check_below(
    known: Mapping[str, DeclaredVar],
    document: Document,
    declared: Mapping[str, Any],
    given: Mapping[str, Any],
    name: str,
) -> None:
    """Raise an error where a var is not less than the one that it must be below."""
    other = known[name].block.below
    if other is None or other not in known:
        return
    both = {one: known[one].block.default for one in (name, other)} | {
        one: values[one] for values in (declared, given) for one in (name, other) if one in values
    }
    if None in both.values() or both[name] < both[other]:
        return
    # Where it is not given itself, it is the other that is too small.
    at = name if name in given or (name in declared and other not in given) else other
    what = "must be less than" if at == name else "must be more than"
    against = other if at == name else name
    raise _unfit(
        None if at in given else document,
        f"{what} '{against}', which is {_seen(both[against])}, not {_seen(both[at])}",
        None,
        at,
    )


def _seen(value: Any) -> str:
    return "null" if value is None else repr(value)


def _unfit(document: Document | None, what: str, hint: str | None, *path: str | int) -> LupomError:
    message = f"the var '{path[0]}' {what}"
    if document is None:
        return UsageError(f"--vars: {message}", hint=hint)
    return document.error(message, ("vars", *path), hint)
