"""Numbers as people and programs write them: '1.234,5', '94,487', '38%', '$1,200'."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence

from lupom.science.surveys import cells, ranges
from lupom.science.surveys.columns import Column, File

# Fewer different values are a list of options, with their signs.
_FEWEST = 20
_WHOLE = re.compile(r"[+-]?\d{1,9}")
# 'Less than 1' and 'More than 50'.
_MOST_ENDS = 2
_COMMA = re.compile(r"[+-]?\d+(?:,\d+)?")
_POINTED = re.compile(r"[+-]?\d{1,3}(?:\.\d{3})*(?:,\d+)?")
_THOUSANDS = re.compile(r"[+-]?(?:\d{1,3}(?:,\d{3})+|\d{1,3})(?:\.\d+)?")
# An amount of money or a share; a word behind a number ('5 hours') may be another in each cell.
_SIGNED = re.compile(
    r"(?P<before>(?:(?:US|CAD?|AU|A)?[$\u20ac\u00a3\u00a5\u20b9]|USD|EUR|GBP|CHF)?)\s?(?P<minus>-?)\s?"
    r"(?P<number>\d[\d.,' \u2019]*?)\s?"
    r"(?P<behind>(?:[%\u2030$\u20ac\u00a3\u00a5\u20b9\u00b0]|USD|EUR|GBP|CHF)?)"
)


def plain(file: File, *, thousands: bool = True) -> File:
    """Return the file with its numbers written in one way, and a note on each kind that was not.

    Parameters
    ----------
    thousands : whether '1,234' may be a thousand; between semicolons a comma is a decimal one.
    """
    told: dict[str, list[str]] = {}
    for column in file.columns:
        values = [v for v in column.values if _said(v)]
        if not values or column.labels or column.why:
            continue
        if _is_decimal(values, thousands):
            _rewrite(column, lambda v: v.replace(",", "."))
            told.setdefault("decimal commas are read as points", []).append(column.name)
        elif _is_pointed(values):
            _rewrite(column, lambda v: v.replace(".", "").replace(",", "."))
            told.setdefault("points between thousands are left out", []).append(column.name)
        elif thousands and _is_grouped(values):
            _rewrite(column, lambda v: v.replace(",", ""))
            told.setdefault("commas between thousands are left out", []).append(column.name)
        elif (found := _signed(values, thousands)) is not None:
            sign, numbers = found
            column.values = [numbers.get(v, v) for v in column.values]
            told.setdefault(f"numbers are read without their sign, '{sign}'", []).append(
                column.name
            )
        elif ends := _open_ended(values):
            column.values = [ends.get(v, v) for v in column.values]
            what = " and ".join(f"'{text}' as {number}" for text, number in ends.items())
            told.setdefault(f"among numbers, {what} is read", []).append(column.name)
    file.notes += [f"{what}: {', '.join(names)}" for what, names in told.items()]
    return file


def _rewrite(column: Column, written: Callable[[str], str]) -> None:
    column.values = [written(v) if _said(v) else v for v in column.values]


def _said(value: str) -> bool:
    """Say whether a cell holds something, and not R's NA or the like."""
    return bool(value) and value.casefold() not in cells.ABSENT


def _is_decimal(values: Sequence[str], thousands: bool) -> bool:
    """Say whether values are numbers with decimal commas: '0,85'.

    '1,3' can be two choices in a cell, and '1,234' a thousand: of a column, one number must have
    two decimals, or four and more, or stand behind a zero; or there are more of them than choices
    give, in a file whose cells commas do not part.
    """
    many = not thousands and len(set(values)) > _FEWEST and any(v[-2:-1] == "," for v in values)
    told = many or any(re.search(r"\b0,\d|,\d{2}$|,\d{4,}$", v) for v in values)
    return told and all(_COMMA.fullmatch(v) for v in values)


def _is_pointed(values: Sequence[str]) -> bool:
    """Say whether values are numbers such as '1.234,5': one has points and a comma."""
    told = any("." in v and "," in v for v in values)
    return told and all(_POINTED.fullmatch(v) for v in values)


def _is_grouped(values: Sequence[str]) -> bool:
    """Say whether values are numbers such as '94,487': of several, none that could be choices."""
    grouped = {v for v in values if "," in v}
    wide = any(len(re.split(r"[,.]", v)[0].lstrip("+-")) > 1 or v.count(",") > 1 for v in grouped)
    return len(grouped) > 2 and wide and all(_THOUSANDS.fullmatch(v) for v in values)


def _open_ended(values: Sequence[str]) -> dict[str, str]:
    """Return the numbers of at most two texts beside many numbers: 'Less than 1 year' is 0.

    'More than 50 years' is 51, and '89 or older' 89: they are the ends of the numbers.
    """
    different = set(values)
    numbers = {v for v in different if _WHOLE.fullmatch(v)}
    texts = sorted(different - numbers)
    if not 1 <= len(texts) <= _MOST_ENDS or len(numbers) <= _FEWEST:
        return {}
    low, high = min(map(int, numbers)), max(map(int, numbers))
    out = {}
    for text in texts:
        found = ranges.span(text)
        if found is not None and found[0] == -math.inf and found[1] <= low:
            out[text] = str(math.ceil(found[1]) - 1)
        elif found is not None and found[1] == math.inf and found[0] >= high:
            out[text] = str(math.floor(found[0]))
        else:
            return {}
    return out


def _signed(values: Sequence[str], thousands: bool) -> tuple[str, dict[str, str]] | None:
    """Return the sign beside numbers and each cell's plain number, None where there is no sign."""
    different = list(dict.fromkeys(values))
    if len(different) <= _FEWEST:
        return None
    out: dict[str, str] = {}
    signs: dict[str, int] = {}
    for value in different:
        found = _SIGNED.fullmatch(value)
        if found is None or (found["before"] and found["behind"]):
            return None
        if sign := found["before"] or found["behind"]:
            signs[sign] = signs.get(sign, 0) + 1
        number = re.sub(r"[' \u2019]", "", found["number"])
        if _THOUSANDS.fullmatch(number) and thousands:
            number = number.replace(",", "")
        elif _POINTED.fullmatch(number) and ("," in number or number.count(".") > 1):
            number = number.replace(".", "").replace(",", ".")
        if not re.fullmatch(r"\d+(?:\.\d+)?", number):
            return None
        out[value] = found["minus"] + number
    # A number without its sign may be one of another kind.
    most = max(signs, key=signs.__getitem__, default="")
    enough = len(signs) == 1 and 2 * signs[most] > len(different)
    return (most, out) if enough else None
