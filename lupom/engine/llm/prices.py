"""What tokens cost, and how sums of money and tokens are spelled."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lupom.engine.project.settings import Price


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


def dollars(amount: float) -> str:
    """Return '$12.30'; four decimals below a dollar, where cents say too little."""
    return f"${amount:,.2f}" if amount >= 1 or amount == 0 else f"${amount:.4f}"


def tokens(count: float) -> str:
    """Return '12,345 tokens'."""
    return f"{round(count):,} token{'' if round(count) == 1 else 's'}"
