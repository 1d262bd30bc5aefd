"""What a data dictionary says, in one form for every format: variables with labels and codes."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache

from lupom.science.surveys import cells

# A data dictionary of more is none.
MOST_VARIABLES = 20_000
LARGEST = 50_000_000


@dataclass
class Variable:
    """A variable of a data dictionary.

    Attributes
    ----------
    name : as the dictionary has it.
    line : of the dictionary's file, or its sheet, where the variable is described; 0 if unknown.
    label : its question, or what it is.
    labels : text by code, in the dictionary's order.
    missing : codes that it says are no answers.
    ranges : pairs of numbers, between which codes are no answers.
    several : whether each of its codes is a column of its own ("select all that apply").
    why : why its column can be neither a question nor an attribute, '' if it can.
    asked_if : who is asked, as the dictionary writes it; '' of everyone.
    measure : 'nominal', 'ordinal' or 'scale' where the dictionary says so.
    """

    name: str
    line: int = 0
    label: str = ""
    labels: dict[str, str] = field(default_factory=dict)
    missing: frozenset[str] = frozenset()
    ranges: list[tuple[float, float]] = field(default_factory=list)
    several: bool = False
    why: str = ""
    asked_if: str = ""
    measure: str = ""


@dataclass
class Dictionary:
    """A data dictionary: the name of its file, its format's title, its variables by name.

    `endings` is what other columns are of a variable, by what stands behind its name: 'A' its
    answer (''), 'E' how long it took. `title` is the survey's.
    """

    name: str
    format: str
    variables: dict[str, Variable] = field(default_factory=dict)
    endings: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    title: str = ""

    def variable(self, name: str, line: int = 0) -> Variable:
        """Return the variable of a name, which is added if it is not there."""
        found = self.variables.get(name)
        if found is None:
            if len(self.variables) >= MOST_VARIABLES:
                raise ValueError(f"{self.name}:{line}: more than {MOST_VARIABLES:,} variables")
            found = self.variables[name] = Variable(name, line)
        return found


def plain(text: str) -> str:
    """Return a text without HTML, its white space as single blanks."""
    inline = re.sub(r"</?(?:a|b|em|font|i|span|strong|su[bp]|u)\b[^<>]*>", "", text, flags=re.I)
    bare = re.sub(r"</?[a-z][^<>]*>", " ", inline, flags=re.I)
    return " ".join(cells.seen(html.unescape(bare)).split())


def expand(names: Iterable[str], order: Iterable[str]) -> list[str]:
    """Return the names of a list in which 'q1 TO q5' stands for all of that order between them.

    Names of the order are found whatever their case. A name that is not of the order stays.
    """
    ordered = tuple(order)
    places = _places(ordered)
    given, out = list(names), list[str]()
    i = 0
    while i < len(given):
        if i + 2 < len(given) and given[i + 1].casefold() == "to":
            out += _between(given[i], given[i + 2], ordered, places)
            i += 3
        else:
            at = places.get(given[i].casefold())
            out.append(given[i] if at is None else ordered[at])
            i += 1
    return out


@lru_cache(maxsize=2)
def _places(order: tuple[str, ...]) -> dict[str, int]:
    return {name.casefold(): i for i, name in enumerate(order)}


def _between(first: str, last: str, order: tuple[str, ...], places: dict[str, int]) -> list[str]:
    low, high = places.get(first.casefold()), places.get(last.casefold())
    if low is not None and high is not None and low <= high:
        return list(order[low : high + 1])
    # Of a file that has them in no such order, those that are numbered so.
    a, b = (re.fullmatch(r"(.*?)(\d+)", name) for name in (first, last))
    if a and b and a[1].casefold() == b[1].casefold() and 0 <= int(b[2]) - int(a[2]) < 1000:
        return [f"{a[1]}{n:0{len(a[2])}d}" for n in range(int(a[2]), int(b[2]) + 1)]
    return [first, last]
