"""Why cells are empty, as SPSS and Stata have it: missing values of the user's, with labels."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

# What a table of gaps has besides the columns that say which rows it is about.
COLUMNS = ("column", "label", "code")
# SPSS takes three missing values of a variable, or a range of them; Stata .a to .z.
MOST_OF = {"sav": 3, "dta": 26}
_NUMBER = re.compile(r"-?\d+(\.\d+)?([eE][-+]?\d+)?")


@dataclass(frozen=True)
class Unsaid:
    """The missing values of a column.

    Attributes
    ----------
    values : of each row, the missing value or None. labels : by missing value.
    """

    values: pd.Series[Any]
    labels: Mapping[float | str, str]


def unsaid(
    frame: pd.DataFrame, gaps: pd.DataFrame, form: str, taken: Mapping[str, Collection[float]]
) -> dict[str, Unsaid]:
    """Return the missing values of the columns that have such.

    Parameters
    ----------
    frame : the table; only its empty cells get a value.
    gaps : column, label and code (null where there is none), and columns of the table, by which
        each says of which rows it is; two of one row and column must not be.
    form : 'sav' or 'dta'. taken : by column, numbers that are answers.
    """
    import pandas as pd

    keys = [name for name in gaps.columns if name not in COLUMNS]
    rows = pd.MultiIndex.from_frame(frame[keys])
    out = {}
    for column, own in gaps.groupby("column", sort=False):
        # A null is None or NaN, by the other codes of the column.
        codes = [code if isinstance(code, str) else None for code in own["code"]]
        pairs = list(zip(own["label"], codes, strict=True))
        values = _values(pairs, form, taken.get(str(column), ()))
        at = pd.MultiIndex.from_frame(own[keys]).get_indexer(rows)
        empty = frame[column].isna().to_numpy() & (at >= 0)
        here = pd.Series(None, index=frame.index, dtype=object)
        here[empty] = [values[pairs[i]] for i in at[empty]]
        used = {values[pair]: pair[0] for pair in pairs}
        if empty.any():
            out[str(column)] = Unsaid(here, used)
    return out


def _values(
    pairs: Sequence[tuple[str, str | None]], form: str, taken: Collection[float]
) -> dict[tuple[str, str | None], float | str]:
    """Return the missing value of each label with its code: the code where it can be one."""
    frequent = [pair for pair, _ in Counter(pairs).most_common()]
    out: dict[tuple[str, str | None], float | str] = {}
    used: set[float | str] = set(taken)
    # Codes of the file come first, since no other may have them; the most frequent of all.
    for label, code in sorted(frequent, key=lambda pair: _own(pair[1], form) is None):
        value = _own(code, form)
        same = [given for (said, _), given in out.items() if said == label]
        if value is None and same:
            value = same[0]
        elif value is None or value in used or len(set(out.values())) >= MOST_OF[form]:
            full = len(set(out.values())) >= MOST_OF[form]
            value = next(iter(out.values())) if full else _free(form, used)
        out[label, code] = value
        used.add(value)
    return out


def _own(code: str | None, form: str) -> float | str | None:
    """Return a file's code as the program's missing value; None where it cannot be one."""
    if code is None:
        return None
    if form == "dta":
        letter = code.strip().lstrip(".").lower()
        return letter if re.fullmatch("[a-z]", letter) else None
    return float(code) if _NUMBER.fullmatch(code) else None


def _free(form: str, used: Collection[float | str]) -> float | str:
    """Return a missing value that nothing else is: .a, .b, ...; or -1, -2, ..."""
    choices: Sequence[float | str]
    choices = "abcdefghijklmnopqrstuvwxyz" if form == "dta" else [-float(n) for n in range(1, 99)]
    return next(value for value in choices if value not in used)
