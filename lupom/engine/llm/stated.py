"""Distributions in so many words: a field with the probability of each option of a row.

Where no log-probabilities are to be had, a model can be asked for the probabilities themselves.
What it writes adds up to 1 roughly, in fractions or in percent, and is read as that where it is
clear.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lupom.engine.llm import choices
from lupom.engine.llm.lenient import plain
from lupom.engine.llm.markers import ONE_OF

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
    from pydantic_core import core_schema

# What is behind the name of a field in the name of the column that has its sum's distance from 1.
OFF = "_off"
# Sums outside of this are not a slip of arithmetic: it is not clear what was meant.
_LEAST, _MOST = 0.5, 2.0
_NAMES = frozenset({"probability", "percent", "percentage", "share", "likelihood", "value"})
_NUMBER = re.compile(
    r"\s*(?:[~\u2248]|about|around|roughly|approx(?:imately|\.)?|ca\.?)?\s*"
    r"(?P<number>[-+]?\d*[.,]?\d+(?:[eE][-+]?\d+)?)\s*(?P<percent>%|per\s?cent|pct)?\s*",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Distribution:
    """Makes a field the probability of each value of a list column of the row: `Annotated[dict[str,
    float], Distribution('options')]`.

    The provider is asked for an object with a number for each label (A, B, C; `choices` in the
    template has labels and options). In the table the field is a map from option to probability
    that adds up to 1, and the column FIELD_off says by how much the numbers as written were off
    that. A missing option has 0; percent and fractions are told apart by their sum; a negative
    number, one that is none, and a sum that neither reading explains make the answer invalid.
    """

    column: str

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        from pydantic_core import core_schema

        return core_schema.with_info_after_validator_function(self._check, core_schema.any_schema())

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {"type": "object", ONE_OF: self.column}

    def _check(self, value: Any, info: core_schema.ValidationInfo) -> Any:
        options = (info.context or {}).get(self.column)
        return value if options is None else fractions(value, labelled(list(options)))


def labelled(options: Sequence[str]) -> dict[str, str]:
    """Return options by label, as a choice has them.

    Labels are names of properties here, and providers take letters and digits for those: options
    that a choice would ask for by their own words have numbers behind a letter.
    """
    labels = choices.labelled(options)
    if len(options) > len(choices.LABELS) and list(labels) == list(options):
        return {f"o{number}": option for number, option in enumerate(options, 1)}
    return labels


def fractions(value: Any, labels: Mapping[str, str]) -> dict[str, float]:
    """Return what was written as a fraction of each option, in the options' order, as they add up.

    Parameters
    ----------
    value : an object of numbers by label or option; also a list of numbers in the options' order,
        or of objects with an option and a number each, or a text that lists them.
    labels : options by label.

    Raises
    ------
    ValueError : for a number that is not a probability, an option that appears twice, and numbers
        that add up to 1 neither as fractions nor as percent.
    """
    found: dict[str, tuple[float, bool]] = {}
    for name, written in _pairs(value, labels):
        option = labels.get(name) or choices.meant(name, labels)
        if option is None:
            # A sum, a comment, an option that was not there: what is left says how much is missing.
            continue
        if option in found:
            raise ValueError(f"'{name}': the option has a probability already")
        found[option] = _number(name, written)
    if not found:
        raise ValueError(f"there is no probability of any option; give one for {', '.join(labels)}")
    if isinstance(value, str) and len(found) < len(labels):
        # In a text what was not understood may be one of them.
        raise ValueError(f"it lists {len(found)} of {len(labels)} options")
    scale = _scale(list(found.values()))
    out = dict.fromkeys(labels.values(), 0.0)
    for option, (number, percent) in found.items():
        out[option] = number / 100 if percent else number * scale
    total = math.fsum(out.values())
    if not _LEAST <= total <= _MOST:
        shown = math.fsum(number for number, _ in found.values())
        raise ValueError(f"the probabilities add up to {shown:.4g}; they must add up to 1")
    return out


def normalised(given: Mapping[str, float]) -> tuple[dict[str, float], float]:
    """Return probabilities that add up to 1, and how far the given ones were off it."""
    total = math.fsum(given.values())
    return {option: p / total for option, p in given.items()}, total - 1.0


def _pairs(value: Any, labels: Mapping[str, str]) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        yield from ((str(name), number) for name, number in value.items())
        return
    if isinstance(value, str):
        yield from _lines(value)
        return
    if not isinstance(value, Sequence):
        raise ValueError("it is not an object with a probability for each option")
    if all(isinstance(item, Mapping) for item in value):
        for item in value:
            parts = list(item.values())
            names = [
                part for part in parts if isinstance(part, str) and not _NUMBER.fullmatch(part)
            ]
            numbers = [part for part in parts if part not in names]
            if names and len(numbers) == 1:
                yield names[0], numbers[0]
        return
    if len(value) != len(labels):
        raise ValueError(f"it has {len(value)} numbers for {len(labels)} options")
    yield from zip(labels, value, strict=True)


# "A: 50 %", "| Yes | 0.5 |", "- B = 30"; several of them in a line have commas between them.
_BETWEEN = re.compile(r"\n|[,;]\s+(?=\D)")
_LINE = re.compile(
    r"(?:.*:\s+)?[\s*|>\-\u2022]*(?P<name>[^:=|]+?)[\s*|]*(?:[:=|]|\s[-\u2013\u2014]\s)[\s*|]*"
    r"(?P<number>[^:=|*]+?)[\s*|.]*"
)
# A text of more is not a list of probabilities.
_MOST_TEXT = 20_000


def _lines(text: str) -> Iterator[tuple[str, str]]:
    """Yield names and numbers of a text that lists them; what else is in it is left out."""
    for part in _BETWEEN.split(text[:_MOST_TEXT]):
        match = _LINE.fullmatch(part)
        if match is not None and _NUMBER.fullmatch(match["number"]):
            yield match["name"], match["number"]


def _number(name: str, written: Any) -> tuple[float, bool]:
    """Return a number, and whether it says that it is percent; null is 0."""
    if isinstance(written, Mapping) and len(written) == 1 and plain(str(*written)) in _NAMES:
        written = [*written.values()]
    if isinstance(written, list) and len(written) == 1:
        written = written[0]
    if written is None:
        return 0.0, False
    number, percent = math.nan, False
    if isinstance(written, int | float) and not isinstance(written, bool):
        number = float(written)
    elif isinstance(written, str) and (match := _NUMBER.fullmatch(written)):
        number, percent = float(match["number"].replace(",", ".")), bool(match["percent"])
    if not math.isfinite(number) or number < 0:
        raise ValueError(f"'{name}': {written!r:.40} is not a probability")
    return number, percent


def _scale(numbers: Sequence[tuple[float, bool]]) -> float:
    """Return what numbers without a percent sign are to be multiplied by: 1, or a hundredth.

    The sum tells: that of fractions is near 1, that of percent near 100.
    """
    marked = math.fsum(n / 100 for n, percent in numbers if percent)
    bare = math.fsum(n for n, percent in numbers if not percent)

    def distance(scale: float) -> float:
        total = marked + bare * scale
        return abs(math.log(total)) if total > 0 else math.inf

    return min((1.0, 0.01), key=distance)
