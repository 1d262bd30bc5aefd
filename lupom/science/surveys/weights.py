"""Which columns are survey weights, and which of several is meant for estimates."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from lupom.science.surveys import languages
from lupom.science.surveys.columns import Column
from lupom.science.surveys.missing_codes import number_of

_WEIGHT = re.compile(
    r"(?:.*_)?(?:[a-z]{0,4}(?:weights?|wgt|wght)|wts?|wtss\w*|wt(?:int|mec|saf)\w*|w8|gewicht(?:ung)?"
    r"|(?:base|final|samp|pers?|hh|ind|comp|anal|post|pop|cross|long)wts?"
    r"|poids|pondera[^\W\d]*)(?:_.*|\d+)?",
    re.IGNORECASE,
)
_PLAIN = re.compile(r"(?:my_?|current_?|your_?)?(?:weights?|wgt|wt|gewicht|poids|peso)_?\d*", re.I)
# What people weigh.
_BODY = re.compile(
    r"(?:^|_)(?:kgs?|lbs?|pounds|stone|body|birth|loss|gain|goal|ideal|target|change)(?:_|$)", re.I
)
# Words of a label: those of weights, and those of a question about what somebody weighs.
_WORDED = re.compile(r"\b(?:weight(?:s|ing)?|gewicht(?:ung)?\w*|ponderation|ponderacion|peso)\b")
_ASKED = re.compile(
    r"\?|\b(?:you|your|kgs?|kilos?|kilograms?|lbs?|pounds|stone|body|birth|lose|loss|gain|health|diet"
    r"|over|under|ihr|sie|vous|votre|usted|su)\b"
)
# Weights that bring a sample to its population, and ones that only undo how it was drawn or say
# how large a country is. The European Social Survey has anweight and pspwght, dweight and pweight.
_FINAL = re.compile(
    r"^(?:an|psp)w|final|post|rake|raking|calib|trim|analys|pesofin|full sample|nachgewicht|redress"
)
_STEP = re.compile(
    r"^[dp]w|(?:^|_)(?:base|design|des|sel|select|samp|pop|house\w*|hh|raw|init\w*)[_a-z]*(?:w|$)"
    r"|\b(?:base|design|selection|sampling|population size|household|unadjusted|initial)\b"
)
FEWEST = 10


def named_as_weight(column: Column) -> bool:
    """Say whether a column has the name of survey weights, or is labelled so, and has numbers."""
    named = _WEIGHT.fullmatch(column.name) and not _BODY.search(column.name)
    if column.labels or column.why or not (named or _worded(column)):
        return False
    values = [v for v in column.values if v]
    return bool(values) and all(number_of(v) is not None for v in values)


def _worded(column: Column) -> bool:
    """Say whether a column is labelled as weights, and has the numbers of weights."""
    label = languages.unaccented(column.label).casefold()
    if not _WORDED.search(label) or _ASKED.search(label):
        return False
    numbers = [n for v in column.values if v and (n := number_of(v)) is not None]
    # People count as one in the mean, and hardly anybody for a whole number.
    whole = sum(n.is_integer() for n in numbers) > len(numbers) / 2
    return len(set(numbers)) > FEWEST and not whole and 0.5 <= sum(numbers) / len(numbers) <= 2


def may_be_weights(column: Column) -> bool:
    """Say whether numbers that nothing says a word of are as survey weights are.

    Those have a mean of 1 and spread around it, hardly ever a whole number, and none below 0.
    """
    if column.labels or column.label not in ("", column.name):
        return False
    held = [v for v in column.values if v]
    numbers = [n for v in held if (n := number_of(v)) is not None]
    if len(numbers) < len(held) or len(set(numbers)) <= FEWEST:
        return False
    if not 0 <= min(numbers) <= 0.8 <= 1.25 <= max(numbers):
        return False
    whole = sum(n.is_integer() for n in numbers)
    return whole <= 0.1 * len(numbers) and abs(sum(numbers) / len(numbers) - 1) <= 0.1


def is_weight(column: Column) -> bool:
    """Say whether a column is one of survey weights."""
    if not named_as_weight(column) or is_of_bodies(column):
        return False
    return all(float(v) >= 0 for v in column.values if v)


def is_of_bodies(column: Column) -> bool:
    """Say whether a column called weight, with a number or none, holds what people weigh.

    In kilos or pounds: adults' weights have a mean of 60 to 100 kg or 130 to 220 lb and a standard
    deviation of about a fifth of it; survey weights have a mean of 1, or spread wider than that
    where they count people.
    """
    if not _PLAIN.fullmatch(column.name):
        return False
    numbers = [n for v in column.values if v and (n := number_of(v)) is not None]
    if len(set(numbers)) < 5 or not 25 <= min(numbers) <= max(numbers) <= 500:
        return False
    mean = sum(numbers) / len(numbers)
    spread = math.sqrt(sum((n - mean) ** 2 for n in numbers) / len(numbers))
    return 45 <= mean <= 230 and spread < 0.35 * mean


def best(columns: Sequence[Column]) -> Column | None:
    """Return that of several columns of weights which estimates are most likely meant to have.

    One that is called final or post-stratified, by name or label, comes before others, and those
    last which are a step to it: of the design, of a country's size. Of equals it is that with the
    fewest blanks, then that whose mean is nearest to 1. None of none.
    """
    return min(columns, key=_order) if columns else None


def _order(column: Column) -> tuple[int, int, float, str]:
    name, label = (languages.unaccented(t).casefold() for t in (column.name, column.label))
    final = any(_FINAL.search(text) for text in (name, label))
    step = any(_STEP.search(text) for text in (name, label))
    numbers = [float(v) for v in column.values if v]
    away = abs(sum(numbers) / len(numbers) - 1)
    return (0 if final else 2 if step else 1), column.values.count(""), away, column.name
