"""Answers to several rows that are no object of labels: "r1: B" in lines, or one after the other.

Whose answer is whose has to be certain: a text that names every label once, in order, or that has
exactly as many objects as there are rows. Anything else answers none of them.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from itertools import pairwise
from typing import Any

from lupom.engine.llm.reading import after_thoughts, found_in

_SIGNS = r"[ \t>*_`\"'#\u2022-]{0,20}"
# "r1:", "**r2** =", "| r3 |", "1. r1:", and at the beginning of a line "1.", "(2)" or "3 -".
LABELLED = re.compile(
    rf"(?:(?<=^)|(?<=[\n|,;])|(?<=\s)){_SIGNS}(?:\d{{1,4}}[.)][ \t]{{1,9}}[*_`]{{0,3}})?"
    r"(?P<label>[rR]\d{1,4})[*_`\"']*\s*[:=|)\u2192\u2013\u2014-][*_`]*"
)
_NUMBERED = re.compile(
    rf"^{_SIGNS}\(?(?P<label>\d{{1,4}})[*_`]*(?:[.):]|[ \t][=\u2192\u2013\u2014-])[*_`]*\s",
    re.MULTILINE,
)
# "1) B 2) C", in one line.
_IN_A_LINE = re.compile(r"(?:(?<=^)|(?<=[\s,;]))\(?(?P<label>\d{1,4})[.):]\s+(?=\S)")
# "Person 1: B", "Question 2 - No".
_ROWS = r"person|respondent|participant|individual|interviewee|subject|case|row|question|q"
_ANSWERED = r"item|answer|response|reply|prediction|frage|antwort|question|r\u00e9ponse|respuesta"
_CALLED = re.compile(
    rf"(?:(?<=^)|(?<=[\n|,;])|(?<=\s)){_SIGNS}(?P<word>{_ROWS}|{_ANSWERED})[ #]{{0,3}}"
    r"(?P<label>\d{1,4})[*_`\"']*\s*[:=|)\u2192\u2013\u2014-][*_`]*",
    re.IGNORECASE,
)
_IS_ROW = re.compile(_ROWS, re.IGNORECASE)


def in_lines(text: str, labels: Sequence[str]) -> tuple[dict[str, str], bool]:
    """Return what a text without an object of labels says behind each label, and whether it calls
    them rows; ({}, False) where it does not name all of them, each once and in order."""
    rest = after_thoughts(text) or ""
    if len(_OF_ROW.findall(rest)) > len(labels):
        return {}, False
    patterns = [LABELLED, _CALLED, _NUMBERED]
    if "\n" not in rest.strip():
        patterns.append(_IN_A_LINE)
    for pattern in patterns:
        places = list(pattern.finditer(rest))
        named = [place["label"].lower() for place in places]
        named = [one if one.startswith("r") else f"r{one}" for one in named]
        if named != list(labels):
            continue
        # Numbers stand before reasons and options, too.
        if pattern is not LABELLED and not _announces(rest[: places[0].start()]):
            continue
        sure = pattern is LABELLED
        if pattern is _CALLED:
            words = {place["word"].lower() for place in places}
            mentions = re.findall(rf"\b{re.escape(min(words))}[ #]{{0,3}}\d", rest, re.IGNORECASE)
            if len(words) > 1 or len(mentions) > len(labels):
                return {}, False
            sure = _IS_ROW.fullmatch(min(words)) is not None
        ends = [*(place.start() for place in places[1:]), len(rest)]
        said = [rest[p.end() : end] for p, end in zip(places, ends, strict=True)]
        parts = [one.strip("|,; \t\r\n") for one in said]
        return (dict(zip(labels, parts, strict=True)), sure) if all(parts) else ({}, False)
    return {}, False


def in_order(text: str, labels: Sequence[str], fields: Collection[str]) -> dict[str, Any]:
    """Return the objects of a text that has as many as there are labels, or the entries of its one
    list of so many; {} where it has more or fewer, or names labels after all.

    `fields` are those of which an object has one at least; a list may hold values in their place.
    """
    if LABELLED.search(after_thoughts(text) or ""):
        return {}
    rest = after_thoughts(text) or ""
    found = sorted((one for one in found_in(text) if one.start >= 0), key=lambda one: one.start)
    values = _joined([one.value for one in found], len(labels))
    if len(values) == 1:
        values = _list_in(values[0], len(labels))
        if not all(_has(one, fields) or not isinstance(one, dict | list) for one in values):
            return {}
        if not _announces(rest[: max(0, rest.find("["))].split("{")[0]):
            return {}
    elif not all(_has(one, fields) for one in values) or (
        found and _NO_ANSWERS.search(text[: found[0].start])
    ):
        return {}
    elif any(_WORDS.search(text[one.end : other.start]) for one, other in pairwise(found)):
        # "Draft: {...} Corrected: {...}", "Row 2: {...} Row 1: {...}".
        return {}
    if len(values) != len(labels):
        return {}
    places = _places(values, fields)
    if places is None:
        return dict(zip(labels, values, strict=True))
    by_label = {f"r{place}": one for place, one in zip(places, values, strict=True)}
    return by_label if by_label.keys() == set(labels) else {}


# A fence is not a word.
_WORDS = re.compile(r"(?<!```)\b(?!json\b)\w")
_ANSWERS = re.compile(r"\b(?:answers?|predictions?|responses?|results?|rows?)\b", re.IGNORECASE)
_NO_ANSWERS = re.compile(
    r"\b(?:options?|choices|reasons?|not|no|cannot|can't|earlier|previous(?:ly)?|prior|past|last|said"
    r"|were|examples?|format|drafts?|first|initial|possible|alternatives?)\b",
    re.IGNORECASE,
)
# A line that is about a row, whatever follows: "r1 (revised): B".
_OF_ROW = re.compile(r"^[ \t>*_`\"'#|\u2022-]{0,20}[rR]\d{1,4}\b", re.MULTILINE)
# Under these an object says which row it is of.
_IDS = frozenset(
    {
        "id",
        "row",
        "index",
        "label",
        "number",
        "no",
        "nr",
        "item",
        "question",
        "person",
        "respondent",
    }
)
_ID = re.compile(r"\D{0,12}(\d{1,4})\W*")


def _announces(text: str) -> bool:
    """Tell whether what stands before a list lets it be the answers: nothing, or their name."""
    if not _WORDS.search(text):
        return True
    return _ANSWERS.search(text) is not None and not _NO_ANSWERS.search(text)


def is_about_others(text: str) -> bool:
    """Tell whether what stands before answers says that they are something else: earlier ones,
    options, examples."""
    return _NO_ANSWERS.search(text) is not None


def is_of_answers(name: str) -> bool:
    """Tell whether a name is one for answers."""
    name = name.replace("_", " ")
    return _ANSWERS.search(name) is not None and not _NO_ANSWERS.search(name)


def _places(values: Sequence[Any], fields: Collection[str]) -> list[int] | None:
    """Return the numbers that objects give themselves; None where none of them does, and numbers
    of no row where some do."""
    out = []
    for one in values:
        said = [
            _ID.fullmatch(str(value))
            for key, value in (one.items() if isinstance(one, dict) else ())
            if key not in fields and str(key).strip().casefold() in _IDS
        ]
        numbers = {int(match[1]) for match in said if match is not None}
        out.append(numbers.pop() if len(numbers) == 1 else 0)
    return out if any(out) else None


def _joined(values: list[Any], length: int) -> list[Any]:
    """Return objects that each have a part of an answer (a thought, what it came to) as so many
    whole ones; as they are where they are no such parts."""
    if len(values) <= length or not all(isinstance(one, dict) for one in values):
        return values
    out: list[dict[str, Any]] = []
    for one in values:
        if out and not out[-1].keys() & one.keys():
            out[-1] = {**out[-1], **one}
        else:
            out.append(dict(one))
    alike = len({frozenset(one) for one in out}) == 1
    return out if alike and len(out) == length else values


def _list_in(value: Any, length: int) -> list[Any]:
    if isinstance(value, dict) and len(value) == 1:
        ((name, value),) = value.items()
        value = value if _announces(str(name)) else None
    return value if isinstance(value, list) and len(value) == length else []


def _has(value: Any, fields: Collection[str]) -> bool:
    return isinstance(value, dict) and any(name in value for name in fields)
