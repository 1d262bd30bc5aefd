"""Codes that are no answers: what a file marks, what a label says, what stands apart."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence

from lupom.science.surveys import cells, labels
from lupom.science.surveys.columns import Column

# More values than this are not a list of options: numbers are cut into ranges, text is free.
MOST_OPTIONS = 20
# Words of an amount, in the label of a code among numbers; those of nothing are of 0 alone (96
# 'Never worked' is none).
_NOTHING = re.compile(r"\b(?:none|zero|never|no)\b", re.IGNORECASE)
_AMOUNT = re.compile(
    r"\b(?:more|less|over|under|older|younger|above|below|fewer"
    r"|at (?:least|most)|maximum|minimum)\b",
    re.IGNORECASE,
)
# Codes that stand for no answer where nothing else says so.
_SPECIAL = re.compile(r"9{1,4}[6-9]|8{2,5}|7{2,5}")
# Codes below 0 of so many cells at most are none of a scale that begins above it (WVS: -1 to -5).
_NEGATIVE = 0.15
# Panels and election studies have up to so many (-9 to -1).
_CODES = 9


def missing(column: Column) -> dict[str, str]:
    """Return the status ('refused', 'dont_know', 'not_asked') of each code of a column that is no
    answer."""
    out: dict[str, str] = {}
    codes = dict.fromkeys([*column.labels, *sorted({*column.values, *column.alike} - {""})])
    said = labels.among(column.labels.get(code, code) for code in codes)
    numbers = [n for v in codes if (n := number_of(v)) is not None and v not in column.missing]
    plain = _unlabelled(column)
    far = _far(column) | _below(column)
    for code in codes:
        label = column.labels.get(code, code)
        number = number_of(code)
        if label.casefold() in cells.ABSENT and code not in column.labels:
            out[code] = labels.NOT_ASKED
        elif label in said:
            out[code] = said[label]
        elif code in column.missing:
            # A file may mark "Not sure" as missing: then it is not an answer, and says why.
            out[code] = labels.DONT_KNOW if labels.unplaced(label) else labels.NOT_ASKED
        elif (
            (
                number is not None
                and code not in column.labels
                and number in (-1, -7, -8, -9, -66, -77, -88, -97, -98, -99, -999)
                and (number != -1 or not _two_sided(column))
                and sum(n < 0 for n in numbers) <= 3
                and len(numbers) > 3
            )
            or code in far
            or (plain and code in column.labels and not _is_amount(number, label, plain))
        ):
            out[code] = labels.NOT_ASKED
    return out


def _far(column: Column) -> set[str]:
    """Return the codes without a label that stand for no answer by their place: 999 among ages.

    They are the likes of 998 and 9999, five times what is next, and not the only ones so far; where
    all else has a label, of 99 and 88, too.
    """
    codes = {*column.values, *column.labels, *column.alike}
    held = {v: n for v in codes if (n := number_of(v)) is not None}
    special = {v for v in held if _SPECIAL.fullmatch(v)}
    rest = {v: n for v, n in held.items() if v not in special}
    labelled = len(rest) > 1 and all(map(column.labels.get, rest))
    if not labelled and (len(rest) < 3 or len(set(rest.values())) == 1):
        return set()
    last = max(1, *rest.values())
    enough = {v for v in special if labelled or len(v) > 2}
    return {v for v in enough if held[v] >= 5 * last and not column.labels.get(v)}


def _below(column: Column) -> set[str]:
    """Return codes below 0 without a label that are no steps of a scale: -2 among 1 to 4.

    A scale with two sides has as many steps below 0 as above it. From 1 on whatever is below goes
    by that alone: of panels -8, not asked, is most of a column. Where 0 is an answer, the codes
    must be of few, and the scale three times as long above it, or shorter than below. Numbers of
    which there are many, as of gains and losses, have answers below 0; among them few are codes.
    """
    counts = Counter(v for v in column.values if v)
    numbers = {v: n for v in counts if (n := number_of(v)) is not None}
    below = {v for v, n in numbers.items() if n < 0}
    above = [n for n in numbers.values() if n >= 0]
    if not below or len(set(above)) < 2 or len(numbers) < len(counts):
        return set()
    if not all(n.is_integer() for n in numbers.values()):
        return set()
    few = sum(counts[v] for v in below) <= _NEGATIVE * counts.total()
    depth, last = -min(numbers[v] for v in below), max(above)
    many = len(set(above)) > MOST_OPTIONS
    if min(above) >= 1:
        found = few or (depth != last and not many and len(below) <= _CODES)
    else:
        found = few and not many and len(below) <= _CODES and (last >= 3 * depth or last < depth)
    return {v for v in below if v not in column.labels} if found and depth <= 9999 else set()


def _two_sided(column: Column) -> bool:
    """Say whether numbers go on below 0 as above it: -1, 0, 1, 2, of which many are below."""
    cells_ = [n for v in column.values if v and (n := number_of(v)) is not None]
    below = sum(n < 0 for n in cells_)
    if not {0, -2} & set(cells_):
        return False
    return len(set(cells_)) <= MOST_OPTIONS and below > _NEGATIVE * len(cells_)


def _unlabelled(column: Column) -> list[float]:
    """Return the numbers of a column of more of them than options can be, ascending, else []."""
    values = {v for v in column.values if v and v not in column.labels and v not in column.missing}
    numbers = [n for v in values if (n := number_of(v)) is not None]
    many = len(values) > MOST_OPTIONS and len(numbers) == len(values)
    return sorted(numbers) if many else []


def _is_amount(number: float | None, label: str, others: Sequence[float]) -> bool:
    """Say whether a labelled code among numbers is one of them, by its place or by its words.

    100 'Very warm', 89 '89 or older' and 0 'None' are; 555 'It varies' among hours of a week is
    not, nor is -5 'Other' among ages.
    """
    if number is None:
        return False
    low, high = others[0], others[-1]
    if low <= number <= high or _AMOUNT.search(label) or (number == 0 and _NOTHING.search(label)):
        return True
    said = re.findall(r"\d+(?:\.\d+)?", _text_of(label))
    if any(float(n) == abs(number) for n in said):
        return True
    # A scale's ends may have been chosen by nobody.
    near = (high - low) / 10
    return (number >= 0 or low < 0) and low - near <= number <= high + near


def _text_of(label: str) -> str:
    """Return a label without the number that lists it: '999. Other' is 'Other'."""
    found = labels.numbered(label)
    return label if found is None else found[1]


def number_of(value: str) -> float | None:
    """Return a cell's number; None for a text, NaN and infinity."""
    try:
        out = float(value)
    except ValueError:
        return None
    return out if math.isfinite(out) else None
