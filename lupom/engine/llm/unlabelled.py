"""Answers to several rows that are no object of labels: "r1: B" in lines, or one after the other.

Whose answer is whose has to be certain: a text that names every label once, in order, or that has
exactly as many objects as there are rows. Anything else answers none of them.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import Any

from lupom.engine.llm.reading import after_thoughts, found_in

# "r1:", "**r2** =", "| r3 |", and at the beginning of a line "1." or "2)".
_LABELLED = re.compile(
    r"(?:(?<=^)|(?<=[\n|,;])|(?<=\s))[ \t>*_`\"'#\u2022-]*(?P<label>[rR]\d{1,4})[*_`\"']*"
    r"\s*[:=|)\u2192\u2013\u2014-][*_`]*"
)
_NUMBERED = re.compile(r"^[ \t>*_`#\u2022-]*(?P<label>\d{1,4})[*_`]*[.):][*_`]*\s", re.MULTILINE)


def in_lines(text: str, labels: Sequence[str]) -> dict[str, str]:
    """Return what a text without an object of labels says behind each label; {} where it does not
    name all of them, each once and in order."""
    rest = after_thoughts(text) or ""
    for pattern in (_LABELLED, _NUMBERED):
        places = list(pattern.finditer(rest))
        named = [place["label"].lower() for place in places]
        named = [one if one.startswith("r") else f"r{one}" for one in named]
        if named != list(labels):
            continue
        ends = [*(place.start() for place in places[1:]), len(rest)]
        said = [rest[p.end() : end] for p, end in zip(places, ends, strict=True)]
        parts = [one.strip("|,; \t\r\n") for one in said]
        return dict(zip(labels, parts, strict=True)) if all(parts) else {}
    return {}


def in_order(text: str, labels: Sequence[str], fields: Collection[str]) -> dict[str, Any]:
    """Return the objects of a text that has as many as there are labels, or the entries of its one
    list of so many; {} where it has more or fewer, or names labels after all.

    `fields` are those of which an object has one at least; a list may hold values in their place.
    """
    if _LABELLED.search(after_thoughts(text) or ""):
        return {}
    found = sorted((one for one in found_in(text) if one.start >= 0), key=lambda one: one.start)
    values = [one.value for one in found]
    if len(values) == 1:
        values = _list_in(values[0], len(labels))
        if not all(_has(one, fields) or not isinstance(one, dict | list) for one in values):
            return {}
    elif not all(_has(one, fields) for one in values):
        return {}
    return dict(zip(labels, values, strict=True)) if len(values) == len(labels) else {}


def _list_in(value: Any, length: int) -> list[Any]:
    if isinstance(value, dict) and len(value) == 1:
        value = next(iter(value.values()))
    return value if isinstance(value, list) and len(value) == length else []


def _has(value: Any, fields: Collection[str]) -> bool:
    return isinstance(value, dict) and any(name in value for name in fields)
