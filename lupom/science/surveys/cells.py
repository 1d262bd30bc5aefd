"""Single cells of a survey's tables: blanks, numbers written in several ways, lists and dicts."""

from __future__ import annotations

import ast
import math
import re
from typing import Any

# The longest list of options among the OpinionQA waves has under 2,000 characters; a cell far above
# that is a damaged file, and parsing nested brackets without end would exhaust the stack.
LONGEST_LITERAL = 100_000

# What programs write where there is nothing, beside 'nan'; an answer only where a survey lists it.
ABSENT = frozenset(
    {"na", "n/a", "#n/a", "null", "none given", ".", "-", "#null!", "<na>", "nat"}
    | {"data_expired", "consent_revoked"}  # Prolific's
)

_NUMBER = re.compile(r"[+-]?\d{1,15}(\.\d*)?")
_AMOUNT = re.compile(
    r"(?P<before>[A-Z]{2,3}\s|[$€£¥₹]\s?|)[+-]?\d{1,3}(?:[,.' \u2019]?\d{3})*(?:[.,]\d+)?\s?"
    r"(?P<unit>[%‰$€£¥₹°]|[^\W\d_]{1,12}|)\.?"
)
# Signs without width that copying from web pages leaves. Joiners (U+200C, U+200D) are none of them:
# Persian words and emoji have them. Spaces that do not break are spaces.
_UNSEEN = {0x200B: None, 0x2060: None, 0xFEFF: None, 0x00AD: None, 0xA0: " ", 0x202F: " "}


def seen(text: str) -> str:
    """Return a text without signs that have no width: 'Yes' with one at its end is 'Yes'."""
    return text if text.isascii() else text.translate(_UNSEEN)


def unit(value: str) -> tuple[str, str] | None:
    """Return what stands before and behind a number: '$12' is ('$', ''), '5 hours' ('', 'hours').

    '12,345' is ('', ''); None where it is not a number, or nothing but one.
    """
    found = _AMOUNT.fullmatch(value)
    if found is None or value.isdecimal() or (found["before"] and found["unit"]):
        return None
    return found["before"].strip(), found["unit"].casefold()


def text(value: Any) -> str:
    """Return a cell as text: '' when blank (None, NaN, white space, 'nan'), 2.0 as '2'."""
    if value is None:
        return ""
    if isinstance(value, float):
        if math.isnan(value):
            return ""
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    out = seen(str(value)).strip()
    # pandas writes a missing value it has turned to text as 'nan'.
    return "" if out.casefold() == "nan" else out


def weights(column: Any, name: str, survey: str, what: str = "a weight") -> list[float]:
    """Return a column of responses as survey weights, `what` they are called in messages.

    Raises ValueError for what is no number of at least 0, with its column and row (from 1).
    """
    out = []
    for row, value in enumerate(column.to_pylist(), start=1):
        try:
            number = float(text(value))
        except ValueError:
            number = math.nan
        if not (number >= 0 and math.isfinite(number)):
            raise ValueError(
                f"{survey}: responses, column {name!r}, row {row}: "
                f"{what} is a number of at least 0, not {value!r}"
            )
        out.append(number)
    return out


def code(value: Any) -> str:
    """Return a code in one form, so that 1, 1.0, '1', '1.0' and '01' are the same code '1'."""
    out = text(value)
    if _NUMBER.fullmatch(out):
        number = float(out)
        return str(int(number)) if number.is_integer() else repr(number)
    return out


def literal(value: Any, kind: type, *, table: str, column: str, row: str) -> Any:
    """Return a list or dict from a cell that holds it as a Python literal.

    Parameters
    ----------
    value : the cell; '' or None is an empty `kind`, a list or dict is returned as it is.
    kind : list or dict.
    table, column, row : where the cell stands, for the message.

    Raises
    ------
    ValueError : when the cell is not a literal of that kind. Nothing in it is ever executed.
    """
    if isinstance(value, kind):
        return value
    if kind is dict and isinstance(value, list):  # an Arrow map comes as a list of pairs
        return dict(value)
    source = text(value)
    if not source:
        return kind()
    where = f"{table}, column {column!r}, {row}"
    shape = "['Yes', 'No']" if kind is list else "{1: 'Yes', 2: 'No'}"
    if len(source) > LONGEST_LITERAL:
        raise ValueError(f"{where}: the cell has {len(source):,} characters, too many for {shape}")
    try:
        tree = _NanToNone().visit(_parsed(source))
        out = ast.literal_eval(tree)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError) as error:
        raise ValueError(
            f"{where}: expected a {kind.__name__} such as {shape}, got {_short(source)}"
        ) from error
    if kind is list and isinstance(out, tuple):
        return list(out)
    if not isinstance(out, kind):
        raise ValueError(
            f"{where}: expected a {kind.__name__} such as {shape}, got {_short(source)}"
        )
    return out


def _parsed(source: str) -> ast.Expression:
    """Parse an expression, once more where Python 3.11 stumbles over other threads that parse."""
    for _ in range(3):
        try:
            return ast.parse(source, mode="eval")
        except SystemError:
            continue
    return ast.parse(source, mode="eval")


class _NanToNone(ast.NodeTransformer):
    """Reads a bare `nan`, as pandas prints it inside a list, as None."""

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return ast.Constant(None) if node.id == "nan" else node


def _short(source: str) -> str:
    return repr(source if len(source) <= 80 else source[:77] + "...")
