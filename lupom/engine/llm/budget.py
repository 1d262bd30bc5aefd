"""Budgets: what may still be spent, promised to requests before they are sent.

A request is promised the most it may take. What it does not take is given back with its answer, so
near the end requests wait for one another, and at most one request's promise is left unspent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lupom.engine.errors import BudgetError
from lupom.engine.llm import prices
from lupom.engine.llm.adaptive_rate_limiter import Halted

if TYPE_CHECKING:
    from lupom.engine.state import State

# Requests that a process reserves for ahead, at most.
_AHEAD = 16
# Seconds between two looks at what other processes have given back.
_LOOK = 0.25


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

    def without_room(self, more: Amount) -> str:
        """Say why nothing more fits where other processes hold the rest."""
        left = [] if self.money is None else [prices.dollars(self.money)]
        left += [] if self.tokens is None else [prices.tokens(self.tokens)]
        return f"{self.name} of {', '.join(left)} is promised to other processes"


def _one(alone: bool) -> str:
    """Say what helps where a budget is too small for one request alone."""
    return " alone: an answer counts with all of the alias's max_tokens" if alone else ""


class SharedPot:
    """A budget that several processes spend from: the ledger says what is left.

    Each reserves a little ahead of its requests, less the nearer the end is, so that most requests
    need not ask. What it has no use for it gives back, and what a dead one had reserved is free.
    """

    def __init__(
        self, state: State, pot: str, name: str, money: float | None, tokens: int | None
    ) -> None:
        """`pot` is its name in the ledger, `name` that for people; `money` (USD) or `tokens` None
        is no limit."""
        self.name = name
        self.money = money
        self.tokens = tokens
        self._members = state.members
        self._pot = pot
        # Promised to requests in flight, and reserved beyond that.
        self._held = Amount()
        self._spare = Amount()
        self._asked = False

    def covers(self, more: Amount) -> bool:
        """Tell whether what is reserved is enough for a request; it is promised then."""
        if self._spare.tokens < more.tokens or self._spare.money < more.money - 1e-9:
            return False
        self._spare = _less(self._spare, more)
        self._held = _plus(self._held, more)
        return True

    async def reserve(self, more: Amount) -> tuple[str | None, bool]:
        """Reserve for a request, and promise it; else say why it does not fit, and whether other
        processes may yet give something back."""
        held, self._asked = self._held, True
        granted = await self._members.grant(
            self._pot,
            (self.tokens, self.money),
            (held.tokens, held.money),
            (more.tokens, more.money),
            _AHEAD,
        )
        # While that took its time, requests in flight may have given something back: they still
        # count as promised there, which is on the safe side.
        if granted.tokens is not None:
            self._held = _plus(self._held, more)
            self._spare = _less(Amount(granted.tokens, granted.money), more)
            return None, granted.others
        self._spare = Amount()
        at = Pot(self.name, self.money, self.tokens, granted.spent_money, granted.spent_tokens)
        at.held_money, at.held_tokens = self._held.money, self._held.tokens
        return at.lack(more) or at.without_room(more), granted.others

    def settle(self, most: Amount, spent: Amount) -> None:
        """Take a request's promise back and count what it took."""
        self._held = _less(self._held, most)
        self._spare = _plus(self._spare, _less(most, spent))

    async def rest(self) -> None:
        """Give back what is reserved and not promised."""
        # Not by what is left here: what requests gave back while the ledger was asked is in it too.
        if self._asked:
            self._asked, self._spare = False, Amount()
            await self._members.give_back(self._pot, (self._held.tokens, self._held.money))


def _plus(one: Amount, other: Amount) -> Amount:
    return Amount(one.tokens + other.tokens, one.money + other.money)


def _less(one: Amount, other: Amount) -> Amount:
    return Amount(one.tokens - other.tokens, one.money - other.money)


class Budget:
    """The budgets of a run, asked before each request; on the gateway's loop only.

    Attributes
    ----------
    reached : why nothing more is sent; None while something may be. Once it is set it stays, so
        that every node of a run ends for the same reason.
    """

    def __init__(self, *pots: Pot, shared: Sequence[SharedPot] = ()) -> None:
        self._pots = pots
        self._shared = shared
        # Tokens and USD of the run's own, which workers that ask its calls keep for it.
        self.of_run: tuple[int | None, float | None] | None = None
        self._queue = asyncio.Lock()
        self._settled = asyncio.Event()
        self._out = 0
        self.reached: str | None = None

    @property
    def of_money(self) -> bool:
        """Whether some of it is money, which needs prices."""
        money = [pot.money for pot in self._pots] + [pot.money for pot in self._shared]
        return any(most is not None for most in money)

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
                self._settled.clear()
                others, in_flight = False, self._out
                if not lacks:
                    lack, others = await self._reserved(most)
                    if lack is None:
                        break
                    lacks = [lack]
                if not in_flight and not others:
                    self.reached = lacks[0]
                    continue
                with suppress(TimeoutError):
                    # Of what other processes give back nobody tells.
                    async with asyncio.timeout(_LOOK if others else None):
                        await self._settled.wait()
            self._out += 1
            for pot in self._pots:
                pot.held_money += most.money
                pot.held_tokens += most.tokens

    async def _reserved(self, most: Amount) -> tuple[str | None, bool]:
        """Promise a request its part of the shared pots, of all or of none; returns why it does not
        fit, and whether other processes may give something back."""
        done: list[SharedPot] = []
        for pot in self._shared:
            lack, others = (None, False) if pot.covers(most) else await pot.reserve(most)
            if lack is not None:
                for one in done:
                    one.settle(most, Amount())
                return lack, others
            done.append(pot)
        return None, False

    async def rest(self) -> None:
        """Give back what no request needs for now."""
        # Who is just asking for some says with it what is promised.
        if not self._out and not self._queue.locked():
            for pot in self._shared:
                await pot.rest()

    def settle(self, most: Amount, spent: Amount) -> None:
        """Take a request's promise back and count what it took."""
        self._out -= 1
        for shared in self._shared:
            shared.settle(most, spent)
        for pot in self._pots:
            pot.held_money -= most.money
            pot.held_tokens -= most.tokens
            pot.spent_money += spent.money
            pot.spent_tokens += spent.tokens
        self._settled.set()
