"""What a cell says of a person: an option's text, its code, a number in a range, or nothing."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from lupom.science.surveys import cells, labels, ranges
from lupom.science.surveys.layout import range_of

# What stands for a choice, or for none, where a question has several columns.
_CHOSEN = frozenset({"1", "yes", "y", "x", "true", "t", "selected", "checked"})
_NOT_CHOSEN = frozenset({"0", "no", "n", "false", "f", "unchecked", "not selected"})
# A number and its unit: '172 cm', '3,5 Std.', not '5 million', '2nd', '10 or more', '7 pm'.
_WITH_UNIT = re.compile(
    r"([+-]?\d+(?:[.,]\d+)?)\s?(?!(?:k|mio|mill?|million(?:en|s)?|mrd|bn|billions?|tsd|tausend"
    r"|thousands?|hundreds?|dozen|st|nd|rd|th|[ap]m|more|less|plus|mehr|weniger|e\d*)\b)"
    r"[^\W\d_]{1,12}[.²³]?",
    re.IGNORECASE,
)


class Misread(ValueError):
    """What cannot be read, what was probably meant, and the row (from 0), if it is of one."""

    def __init__(self, message: str, hint: str | None = None, row: int | None = None) -> None:
        message = printable(message)
        super().__init__(message)
        self.message = message
        self.hint = None if hint is None else printable(hint)
        self.row = row


@dataclass(frozen=True)
class Field:
    """A question or an attribute, and what its cells say.

    Attributes
    ----------
    name : its name. what : 'question' or 'attribute', for messages.
    options : the texts that can be meant, where there are ranges these first.
    codes : text by code; '' says that nothing was answered.
    bins : the edges of ranges.
    column : what the file that was imported calls it.
    chosen : the wording, where it is a choice of a question that has a column for each.
    """

    name: str
    what: str
    options: tuple[str, ...]
    codes: Mapping[str, str] = field(default_factory=dict)
    bins: Sequence[float] = ()
    column: str = ""
    chosen: str = ""

    def meaning(
        self,
        value: str,
        *,
        coded: bool = False,
        own: Mapping[str, str] | None = None,
        missing: frozenset[str] = frozenset(),
    ) -> str:
        """Return the text that a cell means, '' where it says nothing.

        Parameters
        ----------
        value : the cell. coded : whether a text that is an option and the code of another is the
            code.
        own, missing : texts by code, and codes that say nothing, of the file the cell is in.

        Raises
        ------
        Misread : for a cell that means nothing, and a code that stands for another option here.
        """
        text = " ".join(cells.text(value).split())
        if not text:
            return ""
        if re.fullmatch(r"[+-]?\d+,0+", text):  # 1,0 of a column of whole numbers with blanks
            text = text.partition(",")[0]
        label = (own or {}).get(text)
        told = None if label is None else self.worded(label)
        by_code = self.by_code(text)
        if told and by_code and told != by_code:
            raise Misread(
                f"{text} is '{told}' in the file, and '{by_code}' in the survey of the project",
                f"write the answers to '{self.name}' as texts, in place of codes",
            )
        found = told or (by_code if coded else None)
        if found is None:
            found = self.worded(text)
        if found is None:
            found = by_code
        if found is None and (text in missing or (label and labels.nonresponse(label))):
            found = ""
        if found is None:
            found = self._number(text)
        if found is None:
            found = self._in_units(text)
        if found is None and self.chosen:
            found = self._choice(text)
        if found is None and (text.casefold() in cells.ABSENT or labels.nonresponse(text)):
            found = ""
        if found is None:
            raise Misread(self._unknown(text), self.hint(text))
        return found

    def worded(self, text: str) -> str | None:
        """Return the option that a text is, in any case; 2.0 is 2."""
        if text in self.options:
            return text
        return self._folded.get(_folded(text)) or self._folded.get(_folded(cells.code(text)))

    def by_code(self, text: str) -> str | None:
        """Return what a code stands for, '' where it says nothing; 1.0 and 01 are 1."""
        if text in self.codes:
            return self.codes[text]
        return self._loosely.get(cells.code(text))

    def hint(self, text: str) -> str:
        """Return what was probably meant by a text that is none of the options."""
        blank = "" if self.what == "attribute" else "; leave it blank if it was not answered"
        numbers = [float(option) for option in self.options if _is_number(option)]
        if self._spans and ranges.amount(text) is not None:
            return f"it is in none of the ranges {', '.join(o for _, _, o in self._spans)}{blank}"
        if self._numbers and _WITH_UNIT.fullmatch(text):
            return f"write the number alone, in the survey's own unit{blank}"
        if self.bins or (len(numbers) > 2 and _is_number(text)):
            ends = f" from {min(numbers):g} to {max(numbers):g}" if numbers else ""
            return f"it is a number{ends}{blank}"
        close = difflib.get_close_matches(_folded(text), self._folded, n=1)
        if close:
            return f"did you mean '{self._folded[close[0]]}'?"
        listed = ", ".join(self.options[:20])
        codes = [code for code, option in self.codes.items() if option and code != option]
        if codes:
            listed += f", or codes {', '.join(codes[:20])}"
        return f"there are {listed}{blank}"

    def _unknown(self, text: str) -> str:
        text = text if len(text) <= 80 else text[:77] + "..."
        if self.what == "attribute":
            return f"the attribute '{self.name}' has no value '{text}'"
        return f"'{self.name}' has no option '{text}'"

    def _number(self, text: str) -> str | None:
        # '34,5' is a number in most of Europe; '1,234' may be a thousand and more, among numbers
        # of that size it is.
        plain = text.replace(",", ".") if re.fullmatch(r"[+-]?\d+,(\d{1,2}|\d{4,})", text) else text
        if self.bins and len(self.options) > len(self.bins):
            large = max(map(abs, self.bins)) >= 1000
            number = ranges.amount(plain, thousands=large)
            return None if number is None else range_of(repr(number), self.bins, self.options)
        return self.ranged(plain)

    def _in_units(self, text: str) -> str | None:
        """Return what a number with a unit means where answers are plain numbers: 172 of '172 cm'.

        Of ranges only what is not far from them, since a unit may be another than the survey's.
        """
        found = _WITH_UNIT.fullmatch(text)
        if found is None or not self._numbers:
            return None
        number = found[1]
        if not self.bins:
            return self.worded(number.replace(",", "."))
        value = float(number.replace(",", "."))
        wide = abs(self.bins[-1] - self.bins[0]) or abs(self.bins[0]) / 2
        near = self.bins[0] - wide <= value <= self.bins[-1] + wide
        return self._number(number) if near else None

    @property
    def _numbers(self) -> bool:
        """Whether what people answer is numbers alone: most options, or before it was ranged."""
        return bool(self.bins) or 2 * sum(map(_is_number, self.options)) > len(self.options)

    def ranged(self, text: str) -> str | None:
        """Return the option in whose range a number is, where options are ranges: 34 in '30-49'."""
        if not self._spans:
            return None
        number = ranges.amount(text)
        return None if number is None else ranges.within(number, self._spans)

    @cached_property
    def _spans(self) -> list[tuple[float, float, str]]:
        return [] if self.bins else ranges.spans(self.options)

    def _choice(self, text: str) -> str | None:
        none = next((o for o in self.options if _folded(o) == "not selected"), None)
        this = next((o for o in self.options if o != none), None)
        word = _folded(text)
        if word in _NOT_CHOSEN:
            return none
        # The choice's own words, which the import put into the wording: not a part of one of them.
        named = re.search(rf"(?<!\w){re.escape(word)}(?!\w)", _folded(self.chosen))
        return this if word in _CHOSEN or (named and len(word) > 2) else None

    @cached_property
    def _folded(self) -> dict[str, str]:
        """Options by their texts in lower case; those that are then the same are left out."""
        return _once((_folded(option), option) for option in self.options)

    @cached_property
    def _loosely(self) -> dict[str, str]:
        """Texts by code, as `cells.code` writes it."""
        return _once((cells.code(code), text) for code, text in self.codes.items())


def printable(text: str) -> str:
    """Return a text in which nothing drives a terminal: cells and names are a stranger's."""
    return text if text.isprintable() else "".join(c if c.isprintable() else " " for c in text)


def _once(pairs: object) -> dict[str, str]:
    found: dict[str, str] = {}
    twice = set()
    for key, value in pairs:  # type: ignore[attr-defined]
        if found.setdefault(key, value) != value:
            twice.add(key)
    return {key: value for key, value in found.items() if key not in twice}


def _folded(text: str) -> str:
    return " ".join(text.split()).casefold()


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
