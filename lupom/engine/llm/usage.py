"""What LLM calls take: tokens, money, requests."""

from __future__ import annotations

from dataclasses import dataclass

from lupom.engine.llm.prices import plus, whole


@dataclass(frozen=True, slots=True)
class Usage:
    """What LLM calls took together; a sum is unknown where a part of it is.

    Attributes
    ----------
    tokens_in, tokens_out : None where a provider did not say.
    cost : USD; None where tokens or their price are unknown.
    tokens_cached : the part of `tokens_in` that came from a provider's prompt cache.
    requests : replies that came back, of one call or of several asked together.
    """

    tokens_in: int | None = 0
    tokens_out: int | None = 0
    cost: float | None = 0.0
    tokens_cached: int = 0
    requests: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            whole(self.tokens_in, other.tokens_in),
            whole(self.tokens_out, other.tokens_out),
            plus(self.cost, other.cost),
            self.tokens_cached + other.tokens_cached,
            self.requests + other.requests,
        )

    @property
    def tokens(self) -> int | None:
        """Those in and out; None where either is unknown."""
        return whole(self.tokens_in, self.tokens_out)
