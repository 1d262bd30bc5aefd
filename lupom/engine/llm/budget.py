"""Budgets: what may still be spent, promised to requests before they are sent.

A request is promised the most it may take. What it does not take is given back with its answer, so
near the end requests wait for one another, and at most one request's promise is left unspent.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from lupom.engine.errors import BudgetError
from lupom.engine.llm import prices
from lupom.engine.llm.adaptive_rate_limiter import Halted


@dataclass(frozen=True, slots=True)
class Amount:
    """Tokens, in and out together, and money in USD."""

    tokens: int = 0
    money: float = 0.0


@dataclass(slots=True)
class Pot:
    """One budget: what it allows, what is spent of it, and what is promised to requests in flight.

    `money` (USD) or `tokens` None is no limit.
    """

    name: str
    money: float | None = None
    tokens: int | None = None
    spent_money: float = 0.0
    spent_tokens: int = 0
    held_money: float = 0.0
    held_tokens: int = 0

    def lack(self, more: Amount) -> str | None:
        """Say why more does not fit; None if it does."""
        if self.money is not None:
            taken = self.spent_money + self.held_money
            # Sums of binary fractions: a billionth of a dollar is no money.
            if taken + more.money > self.money + 1e-9:
                return (
                    f"{self.name} of {prices.dollars(self.money)} is reached:"
                    f" {prices.dollars(self.spent_money)} are spent, and the next request may cost"
                    f" {prices.dollars(more.money)}{_one(more.money > self.money)}"
                )
        if self.tokens is not None and (
            self.spent_tokens + self.held_tokens + more.tokens > self.tokens
        ):
            return (
                f"{self.name} of {prices.tokens(self.tokens)} is reached: {self.spent_tokens:,} are"
                f" spent, and the next request may take {more.tokens:,}"
                f"{_one(more.tokens > self.tokens)}"
            )
        return None


def _one(alone: bool) -> str:
    """Say what helps where a budget is too small for one request alone."""
    return " alone: an answer counts with all of the alias's max_tokens" if alone else ""


class Budget:
    """The budgets of a run, asked before each request; on the gateway's loop only.

    Attributes
    ----------
    reached : why nothing more is sent; None while something may be. Once it is set it stays, so
        that every node of a run ends for the same reason.
    """

    def __init__(self, *pots: Pot) -> None:
        self._pots = pots
        self._queue = asyncio.Lock()
        self._settled = asyncio.Event()
        self._out = 0
        self.reached: str | None = None

    @property
    def of_money(self) -> bool:
        """Whether some of it is money, which needs prices."""
        return any(pot.money is not None for pot in self._pots)

    async def hold(self, most: Amount, halt: asyncio.Event) -> None:
        """Promise a request the most it may take.

        Waits while requests in flight may still give something back. Raises BudgetError when
        nothing is in flight and it does not fit, Halted when `halt` was set.
        """
        async with self._queue:
            while True:
                if halt.is_set():
                    raise Halted
                if self.reached is not None:
                    raise BudgetError(self.reached)
                lacks = [lack for pot in self._pots if (lack := pot.lack(most))]
                if not lacks:
                    break
                if not self._out:
                    self.reached = lacks[0]
                    continue
                self._settled.clear()
                await self._settled.wait()
            self._out += 1
            for pot in self._pots:
                pot.held_money += most.money
                pot.held_tokens += most.tokens

    def settle(self, most: Amount, spent: Amount) -> None:
        """Take a request's promise back and count what it took."""
        self._out -= 1
        for pot in self._pots:
            pot.held_money -= most.money
            pot.held_tokens -= most.tokens
            pot.spent_money += spent.money
            pot.spent_tokens += spent.tokens
        self._settled.set()
