"""Values of several things that come as something else than one object of them.

"D1: low" in lines, in bullets or in a table, and a list of objects that name each thing beside its
value. Such a reply decides all persona dimensions of a person at once: to ask it again is to pay
for all of them again.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import Any

from lupom.engine.llm.lenient import fitting, plain

# Of what a OneOfEach allows in one row: property name -> (key, its values in order).
Each = dict[str, tuple[str, dict[str, None]]]

_MOST_LINES = 400
# Signs before a name: bullets, numbers of a list, bold, a table's first bar.
_BEFORE = re.compile(r"^[\s>|*_`#\u2022-]*(?:\d{1,3}[.)]\s+)?[\s*_`\"'|]*")
_PARTED = re.compile(
    r"[\s*_`\"']*[:=|\u2192\u2013\uff1a\u2014]+[\s*_`\"']*|[\s*_`\"']+-+[\s*_`\"']+"
)
_AFTER = re.compile(r"[\s|*_`\"',;]+$")
_TAKEN_BACK = re.compile(r"\W*(?:is|was|seems|would be)?\s*(?:not|unlikely|n't|or|to|and)\b", re.I)
# What may follow a value or a name: nothing, or what sets a comment apart. "high school" and
# "trust in the police" are something else than "high" and "trust".
_APART = re.compile(
    r"\s*(?:$|[(\[,;:|=*_\"']|\.(?:\s|$)|[-\u2013\u2014](?=\s)|\u2014|\b(?:because|since|as)\b)"
)
_LONGEST = 400
# Under these an object has the name of a thing, and its value.
_NAMES = frozenset({"dimension", "dimension_id", "name", "id", "key", "label", "dim"})
_VALUES = frozenset({"value", "answer", "level", "choice", "chosen", "selected"})


def mapped(value: Any, each: Each) -> Any:
    """Return an object of names and values for a list of objects or a text that means one.

    Anything else is returned as it is, and so is what names nothing, or one thing in two ways.
    """
    if isinstance(value, str):
        pairs = list(_in_lines(value, each))
    elif isinstance(value, list):
        pairs = [pair for one in value if (pair := _of_object(one, each)) is not None]
    else:
        return value
    found: dict[str, Any] = {}
    for name, said in pairs:
        if name in found and found[name] != said:
            return value
        found[name] = said
    # A text that names few of many is about them, and does not decide them.
    if isinstance(value, str) and 2 * len(found) < len(each):
        return value
    return found or value


def begun_with(value: Any, allowed: Collection[str], of: Collection[str] = ()) -> str | None:
    """Return the allowed text that a longer one begins with: "low (they trust nobody)".

    None where it names another one, too, or goes on as if it took the first back, or in the same
    words; `of` are the names of what it is a value of: "low trust" is low.
    """
    if not isinstance(value, str) or len(value) > _LONGEST:
        return None
    texts = {plain(text): text for text in allowed}
    spelled = "|".join(re.escape(one) for one in sorted(texts, key=len, reverse=True) if one)
    text = plain(value).lstrip("*_`\"'( ")
    named = [*re.finditer(rf"(?<!\w)(?:{spelled})(?!\w)", text)] if spelled else []
    if not named or named[0].start() or len({one[0] for one in named}) > 1:
        return None
    rest = text[named[0].end() :]
    for name in of:
        rest = re.sub(rf"^ {re.escape(plain(name))}(?!\w)", "", rest)
    if _TAKEN_BACK.match(rest) or not _APART.match(rest):
        return None
    return texts[named[0][0]]


def is_named(text: str, name: str, key: str) -> bool:
    """Tell whether a text begins with the name or the key of a thing: "D1: trust in the state"."""
    return begun_with(text, [name]) is not None or begun_with(text, [key]) is not None


def _of_object(value: Any, each: Each) -> tuple[str, Any] | None:
    """Return the name and the value that an object has under whatever keys."""
    if not isinstance(value, dict):
        return None
    if len(value) == 1:
        ((key, said),) = value.items()
        name = _named(str(key), each)
        return None if name is None else (name, said)
    named = [(key, name) for key, one in value.items() if (name := _named(one, each)) is not None]
    named = [(key, name) for key, name in named if plain(str(key)) in _NAMES] or named
    if len({name for _, name in named}) != 1:
        return None
    name = named[0][1]
    rest = [one for key, one in value.items() if key not in dict(named)]
    allowed = each[name][1]
    fit = [one for key, one in value.items() if plain(str(key)) in _VALUES]
    if not fit:
        fit = [one for one in rest if fitting(one, allowed) is not None]
    return (name, fit[0]) if len(fit) == 1 else None


def _named(said: Any, each: Each) -> str | None:
    """Return the property that a text names: by its name, its key, or one and more words."""
    if not isinstance(said, str) or len(said) > _LONGEST:
        return None
    keys = {key: name for name, (key, _) in each.items()}
    for names in ({name: name for name in each}, keys):
        found = fitting(said, names) or begun_with(said, names)
        if found is not None:
            return names[found]
    return None


def _in_lines(text: str, each: Each) -> Iterator[tuple[str, str]]:
    lines = [line for line in text.splitlines() if line.strip()]
    if len(lines) == 1:
        sign = ";" if ";" in lines[0] else ","
        lines = lines[0].split(sign)
    for line in lines[:_MOST_LINES]:
        bare = _AFTER.sub("", line[_match_end(line) :])
        parts = _PARTED.split(bare, maxsplit=1)
        if len(parts) != 2:
            continue
        name = _named(parts[0].strip(), each)
        # "low?" asks.
        if name is not None and parts[1].strip() and not parts[1].rstrip().endswith("?"):
            yield name, parts[1].strip()


def _match_end(line: str) -> int:
    match = _BEFORE.match(line)
    return 0 if match is None else match.end()
