"""Selections written as blocks, as dbt's selectors.yml has them. Pure: no I/O."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lupom.engine.errors import SelectionError, did_you_mean

Lookup = Callable[[str], set[str]]
"""Given a selector's text, the names it selects."""

_KEYS = (
    *("method", "value", "parents", "children", "parents_depth", "children_depth"),
    *("childrens_parents", "exclude"),
)


def evaluate(definition: str | Mapping[str, Any], lookup: Lookup) -> set[str]:
    """Return the names a definition selects.

    Parameters
    ----------
    definition : a selector's text; `{method: ..., value: ...}` with `parents`, `children` and
        their depths, `childrens_parents` and `exclude`; `{tag: nightly}` and the like; or
        `{union: [...]}` and `{intersection: [...]}` of definitions, an `{exclude: [...]}` among
        them taken out.
    lookup : what gives the names of a selector's text.

    Raises SelectionError for a block that is none of these.
    """
    if isinstance(definition, str):
        return lookup(definition)
    if not isinstance(definition, Mapping):
        raise SelectionError(f"a selector is a text or a block, not {definition!r}")
    for word, combine in (("union", set.union), ("intersection", set.intersection)):
        if word in definition:
            return _combined(definition, word, combine, lookup)
    if "method" in definition or "value" in definition:
        return _method(definition, lookup)
    if len(definition) == 1:
        ((method, value),) = definition.items()
        return lookup(f"{method}:{value}")
    raise SelectionError(
        f"a selector's block has the keys {', '.join(map(str, definition))}",
        hint="method and value; or union, or intersection, of a list",
    )


def _combined(
    definition: Mapping[str, Any], word: str, combine: Callable[..., set[str]], lookup: Lookup
) -> set[str]:
    parts = definition[word]
    if len(definition) != 1 or not isinstance(parts, list) or not parts:
        raise SelectionError(f"'{word}' stands alone and takes a list of selectors")
    found = [evaluate(part, lookup) for part in parts if not _is_exclusion(part)]
    if not found:
        raise SelectionError(f"'{word}' has nothing but exclusions")
    left_out = [_excluded(part["exclude"], lookup) for part in parts if _is_exclusion(part)]
    return combine(*found) - set().union(*left_out)


def _is_exclusion(part: Any) -> bool:
    return isinstance(part, Mapping) and set(part) == {"exclude"}


def _excluded(parts: Any, lookup: Lookup) -> set[str]:
    if not isinstance(parts, Sequence) or isinstance(parts, str):
        parts = [parts]
    return set().union(*(evaluate(part, lookup) for part in parts))


def _method(definition: Mapping[str, Any], lookup: Lookup) -> set[str]:
    for key in definition:
        if key not in _KEYS:
            raise SelectionError(
                f"a selector's block has the unknown key '{key}'",
                hint=did_you_mean(str(key), _KEYS) or "keys: " + ", ".join(_KEYS),
            )
    if "method" not in definition or "value" not in definition:
        raise SelectionError("a selector's block needs both 'method' and 'value'")
    text = f"{definition['method']}:{definition['value']}"
    if definition.get("childrens_parents"):
        text = f"@{text}"
    if definition.get("parents"):
        text = f"{definition.get('parents_depth', '')}+{text}"
    if definition.get("children"):
        text = f"{text}+{definition.get('children_depth', '')}"
    return lookup(text) - _excluded(definition.get("exclude", []), lookup)
