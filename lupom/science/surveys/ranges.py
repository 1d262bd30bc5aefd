"""Ranges of numbers as surveys write them: '18-29', '$40,000 to under $75,000', '65 or older'."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from lupom.science.surveys import labels

Span = tuple[float, float]

# Of nobody's age or children; a number with a unit is '34 years', '$52,000' or '45k'.
_UNIT = r"(?:\s?(?:[%‰$€£¥₹]|years?(?:\s(?:old|of age))?|yrs?\.?|hours?|hrs?\.?|days?|people))?"
_ONE = (
    r"(?:(?:US|CAD?|AU|A)?[$€£¥₹]\s?|(?:USD|EUR|GBP|CHF)\s)?[+-]?"
    r"(?:\d{1,3}(?:[,'\u2019\s]\d{3})+|\d+)(?:\.\d+)?\s?(?:[kK]\b)?" + _UNIT
)
_AMOUNT = re.compile(_ONE)
_BETWEEN = re.compile(
    rf"(?:from |between |ages? |aged )?(?P<low>{_ONE})\s*(?:-|\u2010|\u2011|\u2013|\u2014|to|and"
    rf"|through)\s*(?P<below>(?:just )?(?:under|below|less than) )?(?P<high>{_ONE})",
    re.IGNORECASE,
)
_FROM = re.compile(
    rf"(?P<a>{_ONE})\s?\+|(?P<b>{_ONE})\s?(?:or|and) (?:more|older|over|above|up|higher|greater)"
    rf"|(?:at least|>=|\u2265)\s?(?P<c>{_ONE})",
    re.IGNORECASE,
)
_ABOVE = re.compile(rf"(?:over|more than|above|older than|>)\s?(?P<a>{_ONE})", re.IGNORECASE)
_BELOW = re.compile(
    rf"(?:under|below|less than|fewer than|younger than|<)\s?(?P<a>{_ONE})", re.IGNORECASE
)
_UP_TO = re.compile(
    rf"(?:up to|at most|<=|\u2264)\s?(?P<a>{_ONE})"
    rf"|(?P<b>{_ONE})\s?(?:or|and) (?:less|younger|under|below|fewer|lower)",
    re.IGNORECASE,
)
_WORDS = {"none": 0.0, "zero": 0.0, "one": 1.0, "two": 2.0, "three": 3.0, "four": 4.0}


def amount(text: str, *, thousands: bool = True) -> float | None:
    """Return the number that a text is, its unit and the signs between thousands left out.

    '1,234' is 1234, or nothing where it is not to be told from 1.234 (`thousands` False).
    """
    text = " ".join(text.split())
    if not _AMOUNT.fullmatch(text):
        return None
    if not thousands and re.search(r"\d,\d{3}(?!\d)", text):
        return None
    plain = re.sub(r"(?<=\d)[,'\u2019\s](?=\d{3})", "", text)
    found = re.search(r"[+-]?\d+(?:\.\d+)?", plain)
    if found is None:
        return None
    number = float(found[0]) * (1000 if re.search(r"\d\s?k\b", plain, re.IGNORECASE) else 1)
    return number if math.isfinite(number) else None


def span(text: str) -> Span | None:
    """Return the least number of a range and that which is beyond it, or None.

    '18-29' is 18 to below the next whole number, 30; a single number is itself.
    """
    text = " ".join(text.split())
    if found := _BETWEEN.fullmatch(text):
        low, high = amount(found["low"]), amount(found["high"])
        if low is None or high is None or low >= high:
            return None
        return low, high if found["below"] else _after(high)
    for pattern in (_FROM, _ABOVE, _BELOW, _UP_TO):
        if found := pattern.fullmatch(text):
            number = amount(next(filter(None, found.groups())))
            if number is None:
                return None
            if pattern in (_FROM, _ABOVE):
                return (_after(number) if pattern is _ABOVE else number), math.inf
            return -math.inf, number if pattern is _BELOW else _after(number)
    number = _WORDS.get(text.casefold(), amount(text))
    return None if number is None else (number, _after(number))


def spans(options: Sequence[str]) -> list[tuple[float, float, str]]:
    """Return the ranges that options are, ascending, each with its option; [] where they are none.

    All must be, but those that are no answer; two at least must be more than a number, and none
    may overlap another but by the number in which they meet, which is then the upper one's.
    """
    found = {o: span(o) for o in options if not labels.nonresponse(o)}
    told = sorted((s[0], s[1], o) for o, s in found.items() if s is not None)
    ranged = [high - low > 1 for low, high, _ in told]
    if len(told) < len(found) or len(told) < 2 or not any(ranged):
        return []
    for i in range(len(told) - 1):
        low, high, option = told[i]
        beyond = told[i + 1][0]
        if beyond <= low or high - beyond > 1:
            return []
        told[i] = (low, min(high, beyond), option)
    return told


def within(number: float, found: Sequence[tuple[float, float, str]]) -> str | None:
    """Return the option whose range a number is in."""
    return next((option for low, high, option in found if low <= number < high), None)


def _after(number: float) -> float:
    """Return where a range ends that has a number as its last: with the next whole one."""
    return number + 1 if float(number).is_integer() else math.nextafter(number, math.inf)
