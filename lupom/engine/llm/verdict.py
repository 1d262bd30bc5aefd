"""Whether an LLM's first answers are worth asking for the rest.

A prompt that a model cannot follow, a class that is too strict or a limit that is too small makes
every answer useless, and the first twenty say so as well as ten thousand do.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from lupom.engine.errors import LupomError
from lupom.engine.llm.adaptive_rate_limiter import Halted
from lupom.engine.llm.answers import Answer

# Answers that the verdict is by. With half of all answers invalid, which is allowed, 15 or more of
# 20 are in 2 % of samples: a share of .5 stops no model that is useful three times in four.
FIRST = 20
# A batch of so few calls is submitted without a verdict; before a larger one the first answers are
# asked for one by one, which is at most a tenth of them at twice the price.
BATCH = 10 * FIRST


# So many invalid answers one after another end the asking also later: were nine in ten invalid, as
# may be with a small model, that would come once in 38,000.
IN_A_ROW = 5 * FIRST


class TooManyInvalid(LupomError):
    """More answers are invalid than may be, of the first or one after another: the rest was not
    asked."""


@dataclass(slots=True)
class Verdict:
    """The verdict on the answers of one alias to one node.

    Attributes
    ----------
    share : the most of them that may be invalid.
    total : calls there are; of fewer than FIRST all count.
    answers, invalid : ends of calls so far, those that the ledger had among them.
    first : the first invalid answer.
    decided, failed : whether there is a verdict, and whether it is a bad one.
    in_a_row : invalid answers since the last valid one.
    """

    share: float
    total: int
    answers: int = 0
    invalid: int = 0
    first: Answer | None = None
    failed: bool = False
    decided: bool = False
    in_a_row: int = 0
    _sent: int = 0
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def known(self, answers: int, invalid: int) -> None:
        """Take note of ends that the ledger has: where they are enough, they are the verdict."""
        if not self.decided:
            self.answers += answers
            self.invalid += invalid
            self._sent += answers
            self._judge()

    def note(self, *, invalid: bool) -> bool:
        """Take note of the end of a call; True when this one made the verdict a bad one."""
        self.in_a_row = self.in_a_row + 1 if invalid else 0
        if self.decided:
            if self.failed or self.in_a_row < IN_A_ROW:
                return False
            self.failed = True
            return True
        self.answers += 1
        self.invalid += invalid
        self._judge()
        return self.failed

    async def turn(self, calls: int, halt: asyncio.Event) -> None:
        """Wait until a request for so many calls may be sent; raises Halted when asking ends."""
        while not self.may_send(calls):
            self._changed.clear()
            waits = [asyncio.ensure_future(event.wait()) for event in (self._changed, halt)]
            try:
                await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for one in waits:
                    one.cancel()
            if halt.is_set():
                raise Halted

    def may_send(self, calls: int) -> bool:
        """Tell whether a request for so many calls may be sent, and count it where it may."""
        if not self.decided:
            if self._sent >= self._wanted:
                return False
            self._sent += calls
        return True

    def put_aside(self, calls: int) -> None:
        """Take note that calls have no end for now: others may be sent in their place."""
        self._sent -= calls
        self._changed.set()

    def missing(self) -> int:
        """Return how many answers there are still to be for a verdict."""
        return 0 if self.decided else max(0, self._wanted - self.answers)

    def error(self) -> TooManyInvalid:
        """Return the error of a bad verdict."""
        if self.in_a_row >= IN_A_ROW and self.answers < self.total:
            return TooManyInvalid(f"the last {IN_A_ROW} answers are all invalid")
        whole = self.answers == self.total
        which = f"{self.answers}" if whole else f"the first {self.answers}"
        return TooManyInvalid(
            f"{self.invalid} of {which} answers are invalid, more than max_invalid_share"
            f" {self.share:g}"
        )

    @property
    def _wanted(self) -> int:
        return min(FIRST, self.total)

    def _judge(self) -> None:
        wanted = max(self._wanted, self.answers)
        # Thirds and tenths are not exact: a billionth of an answer is none.
        allowed = self.share * wanted + 1e-9
        if wanted - (self.answers - self.invalid) <= allowed:
            # Were all that are out invalid, it would still be few enough: nobody waits for them.
            self.decided = True
            self._changed.set()
        elif self.answers >= wanted:
            self.failed = True
            self.decided = True
            self._changed.set()
