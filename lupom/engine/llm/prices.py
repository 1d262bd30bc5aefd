"""What tokens cost, and how sums of money and tokens are spelled."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lupom.engine.project.providers import Price


def cost(
    price: Price, tokens_in: float, tokens_out: float, *, cached: float = 0, written: float = 0
) -> float:
    """Return the price of tokens in USD.

    `cached` of `tokens_in` were read from the provider's prompt cache and `written` were put into
    it; where the price names no rate for these, they cost what others do.
    """
    read = price.input if price.cache_read is None else price.cache_read
    write = price.input if price.cache_write is None else price.cache_write
    plain = tokens_in - cached - written
    paid = plain * price.input + cached * read + written * write + tokens_out * price.output
    return paid / 1e6


def is_free(price: Price) -> bool:
    """Tell whether tokens cost nothing at a price, whichever they are."""
    return not any((price.input, price.output, price.cache_read, price.cache_write))


def plus(*amounts: float | None) -> float | None:
    """Return a sum; None, which is unknown, where a part of it is."""
    known = [amount for amount in amounts if amount is not None]
    return sum(known) if len(known) == len(amounts) else None


def whole(*amounts: int | None) -> int | None:
    """Return a sum of whole numbers; None, which is unknown, where a part of it is."""
    known = [amount for amount in amounts if amount is not None]
    return sum(known) if len(known) == len(amounts) else None


def dollars(amount: float) -> str:
    """Return '$12.30'; four decimals below a dollar, where cents say too little."""
    return f"${amount:,.2f}" if amount >= 1 or amount == 0 else f"${amount:.4f}"


def tokens(count: float | None) -> str:
    """Return '12,345 tokens', or that their number is unknown."""
    if count is None:
        return "tokens unknown"
    return f"{round(count):,} token{'' if round(count) == 1 else 's'}"


def span(low: float, high: float) -> str:
    """Return '1,200-3,400', or one number where both are the same."""
    least, most = f"{round(low):,}", f"{round(high):,}"
    return most if least == most else f"{least}-{most}"
