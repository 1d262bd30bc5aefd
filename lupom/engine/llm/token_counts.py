"""Numbers of tokens as providers write them."""

from __future__ import annotations

# A thousand million tokens are in no request.
_TOO_MANY = 1e9


def tokens_of(number: object) -> int | None:
    """Return a number of tokens as providers write them: 11, 11.0, '11'; None for anything else.

    Negative ones, fractions, more than any model takes and things that are not numbers say nothing.
    """
    if isinstance(number, bool) or not isinstance(number, int | float | str):
        return None
    try:
        value = float(number)
    except (ValueError, OverflowError):
        return None
    # Not a number is in no range either.
    return int(value) if 0 <= value < _TOO_MANY and value == int(value) else None
