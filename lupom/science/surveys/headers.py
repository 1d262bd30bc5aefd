"""Header lines as programs and people write them: a title above, or two lines of names."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from lupom.science.surveys import cells, wordings

# A file of fewer rows tells too little of whether its first is a second header.
_FEWEST = 5
# A respondent can give an answer that nobody else gives to one question, hardly to so many.
_ALONE = 3
# What SurveyMonkey writes under a question that has one column.
_ONE = {"", "response", "open-ended response"}
# What begins a line below the last person, over numbers or nothing.
_FOOT = re.compile(
    r"(?:grand )?(?:sub)?totals?|sum|average|mean|median|std\.?(?: ?dev(?:iation)?\.?)?|min"
    r"|max|count|n"
    r"|column (?:total|sum)s?|gesamt|insgesamt|summe|mittelwert|total general|moyenne"
    r"|promedio|somme",
    re.IGNORECASE,
)
_FEET = 4
# Of many columns so many are named in a note.
_TOLD = 5


@dataclass
class Table:
    """A table's names and wordings, a column each, its rows, and what was noticed.

    `head` is a first row that was taken for wordings, because no other is like it.
    """

    names: list[str]
    labels: list[str]
    rows: list[list[Any]]
    notes: list[str] = field(default_factory=list)
    head: list[str] = field(default_factory=list)


def read(lines: Sequence[Sequence[Any]]) -> Table:
    """Return lines of cells as names, wordings and rows.

    Lines above the header with nothing but a first cell are a title. A first row below it that no
    respondent can have given (under merged names, or texts that no other row has in any column)
    holds the rest of the names, or the wordings. A column without a name gets one.
    """
    rest = [list(line) for line in lines]
    notes = []
    while len(rest) > 1 and len(rest[0]) > 2 and not any(_text(v) for v in rest[0][1:]):
        if said := _text(rest[0][0]):
            notes.append(f"the line {said[:60]!r} above the header is taken for a title")
        rest = rest[1:]
    if not rest:
        return Table([], [], [], notes)
    names = [_unquoted(_text(v)) for v in rest[0]]
    labels = [name if " " in name else "" for name in names]
    body = _without_foot(rest[1:], notes)
    head: list[str] = []
    if _two_levels(names, body):
        names, labels = _joined(names, [_text(v) for v in body[0]])
        body = body[1:]
        notes.append("the header has two lines: the second is read as the rest of the first")
    elif _apart(body, _ALONE):
        labels = head = [_text(v) for v in body[0]]
        body = body[1:]
        notes.append("the header has two lines: the second is read as the questions' wording")
    nameless = []
    for i, name in enumerate(names):
        if not name:
            names[i] = "index" if i == 0 else f"column_{i + 1}"
            nameless.append(i)
    if nameless:
        told = ", ".join(f"{i + 1} is called {names[i]!r}" for i in nameless[:_TOLD])
        more = f" and {len(nameless) - _TOLD} more" if len(nameless) > _TOLD else ""
        notes.append(f"columns without a name: {told}{more}")
    notes += _told_apart(names)
    return Table(names, labels, body, notes, head)


def _told_apart(names: list[str]) -> list[str]:
    """Give columns that are called alike a number, ' (2)', in place; returns a note on them."""
    seen: dict[str, int] = {}
    changed = []
    for i, name in enumerate(names):
        # DuckDB's names are the same in upper and lower case.
        seen[name.casefold()] = number = seen.get(name.casefold(), 0) + 1
        if number > 1:
            while f"{name} ({number})".casefold() in seen:
                number += 1
            names[i] = f"{name} ({number})"
            seen[names[i].casefold()] = 1
            changed.append(names[i])
    if not changed:
        return []
    more = f" and {len(changed) - _TOLD} more" if len(changed) > _TOLD else ""
    listed = ", ".join(map(repr, changed[:_TOLD]))
    return [f"columns are called alike, and the later ones numbered: {listed}{more}"]


def _without_foot(body: Sequence[list[Any]], notes: list[str]) -> list[list[Any]]:
    """Return rows without totals, means and the like below the last person, which are noted."""
    out = list(body)
    feet: list[str] = []
    while len(out) > _FEWEST and len(feet) < _FEET:
        last = [_text(v) for v in out[-1]]
        at = next((i for i, text in enumerate(last) if text), None)
        if at is None or not _FOOT.fullmatch(last[at]):
            break
        rest = [text for text in last[at + 1 :] if text]
        above = {_text(row[at]).casefold() for row in out[:-1]}
        if last[at].casefold() in above or not all(_number(t.rstrip("%")) for t in rest):
            break
        feet.append(last[at])
        out.pop()
    if feet:
        listed = ", ".join(map(repr, reversed(feet)))
        notes.append(f"{listed} below the last row is taken for no person, and left out")
    return out


def _unquoted(name: str) -> str:
    """Return a name without quotes around it, which programs write that know other ones."""
    found = re.fullmatch(r"(['`\u2018\u201c])(.+)(['`\u2019\u201d])", name)
    return found[2].strip() if found and not set(found[2]) & set("'`") else name


def _two_levels(names: Sequence[str], body: Sequence[Sequence[Any]]) -> bool:
    """Say whether the names go on in the next line, as under a merged cell of a question."""
    if len(body) <= _FEWEST or "" not in names[1:]:
        return False
    below = [_text(v) for v in body[0]]
    if not all(text for name, text in zip(names, below, strict=True) if not name):
        return False
    # SurveyMonkey leaves the line blank under the respondent's id, which every row has.
    blank = bool(names[0]) and not below[0] and all(_text(row[0]) for row in body[1:])
    return blank or _apart(body, 1) or _of_choices(names, body)


def _of_choices(names: Sequence[str], body: Sequence[Sequence[Any]]) -> bool:
    """Say whether a first row names what is below it, as Typeform's: a choice over it or nothing.

    Where it is not a choice, nobody below says it.
    """
    choices = 0
    for i, text in enumerate(_text(v) for v in body[0]):
        below = {t for row in body[1:] if (t := _text(row[i]))}
        if text in below:
            if below != {text}:
                return False
            choices += 1
        elif _number(text):
            return False
    return choices > 1 and sum(not name for name in names) > 1


def _apart(body: Sequence[Sequence[Any]], told: int) -> bool:
    """Say whether a first row is none: its texts differ, and occur nowhere else in their columns.

    At least `told` columns must repeat themselves below, as answers do, or hold but numbers.
    """
    if len(body) <= _FEWEST or len(body[0]) < 2:
        return False
    first = [_text(v) for v in body[0]]
    if "" in first or len(set(first)) < len(first) or any(map(_number, first)):
        return False
    for i, text in enumerate(first):
        below = Counter(t for row in body[1:] if (t := _text(row[i])))
        if text in below:
            return False
        told -= 2 * len(below) <= below.total() or all(map(_number, below))
    return told <= 0


def _joined(names: Sequence[str], below: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return names and wordings of two lines; columns of one question are numbered."""
    # What asks by itself goes on with nothing: Typeform's columns behind the last question of rows.
    starts = [i for i, name in enumerate(names) if name or i == 0 or _own(below[i])]
    out, labels = list(names), list(names)
    for start, end in zip(starts, [*starts[1:], len(names)], strict=True):
        for i in range(start, end):
            top, sub = names[start], below[i]
            one = end - start == 1
            if one and top:
                out[i] = top
            else:
                out[i] = f"{top}_{i - start + 1}" if top else sub
            labels[i] = top if one and sub.casefold() in _ONE else f"{top} {sub}".strip()
    return out, labels


def _own(text: str) -> bool:
    """Say whether a text of the second line is a question, or of the interview, by itself."""
    record = re.fullmatch(r"(?:start|submit|end) date.*|network id|tags", text, re.IGNORECASE)
    asked = text.endswith("?") or wordings.known(text) or wordings.personal(text)
    return bool(record or asked)


def _text(value: Any) -> str:
    return " ".join(cells.text(value).split())


def _number(text: str) -> bool:
    try:
        float(text.replace(",", "."))
    except ValueError:
        return False
    return True
