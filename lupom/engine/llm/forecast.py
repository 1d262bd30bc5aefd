"""What calls will take, before they are made: ranges of tokens and money.

No tokenizer is loaded: those that are exact come by download or by a request, and the embedded
model's with its weights alone (1.6 s of CPU, 300 MB). Instead the ledger says how many tokens a
character of a prompt took at this model, and how many tokens answers of this node had. Where it has
no such call yet, the prompt's length and the schema bound them, widely.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from lupom.engine.llm import prices
from lupom.engine.llm.reuse import Reuse, reuse

if TYPE_CHECKING:
    from lupom.engine.llm.responses import RowResponse
    from lupom.engine.llm.rows_response import RowsResponse
    from lupom.engine.project.providers import EmbeddingSettings, LLMSettings
    from lupom.engine.state.ledger import Ledger, Taken

# Characters of a prompt per token: 3.5 to 4.5 in English; numbers and other languages take more
# tokens, long plain words fewer.
_MOST_PER_TOKEN, _LEAST_PER_TOKEN = 5.5, 2.5
# The same for answers, which are JSON: written tightly, and with all the white space there can be.
_TIGHT, _LOOSE = 6.0, 1.5
# Without any history a third of the calls may need a second attempt.
_RETRIES = 1.33
_SHARE_INVALID = 0.25
# How far a mean may move between what was asked before and what is to be asked: the same node at
# the same model (an edited prompt), other nodes at the same model, the same node at another model.
_SAME, _OTHER_NODE, _OTHER_MODEL = 0.1, 0.3, 0.6
_ERRORS = 2.5
# Of what could come from the prompt cache, how much does at the least: where nothing was asked of
# the model yet, and where it was seen to use one.
_FOUND, _FOUND_BEFORE = 0.5, 0.8
# Fewer calls than this say little about the ones to come.
_ENOUGH = 3
# A string without a limit may fill all that is allowed.
_UNLIMITED = 10**9


class Asked(Protocol):
    """A request as it is to be made, for one row or several."""

    @property
    def messages(self) -> Sequence[Mapping[str, str]]: ...

    @property
    def response(self) -> RowResponse | RowsResponse: ...

    @property
    def rows(self) -> int: ...

    @property
    def alone(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Range:
    """From `low` to `high`."""

    low: float = 0.0
    high: float = 0.0

    def __add__(self, other: Range) -> Range:
        return Range(self.low + other.low, self.high + other.high)

    def times(self, low: float, high: float) -> Range:
        return Range(self.low * low, self.high * high)

    def holds(self, value: float) -> bool:
        return self.low <= value <= self.high


@dataclass(frozen=True, slots=True)
class Forecast:
    """What calls will take.

    Attributes
    ----------
    calls, rows : requests, and the rows they ask.
    cost : in USD; None is "price unknown".
    cached : the part of `tokens_in` that comes from the provider's prompt cache; None is unknown.
    saved : tokens that asking rows together saves beside asking each alone.
    """

    calls: int
    tokens_in: Range
    tokens_out: Range
    cost: Range | None
    rows: int = 0
    cached: Range | None = Range()
    saved: Range = Range()

    @classmethod
    def none(cls) -> Forecast:
        """Return what nothing takes."""
        return cls(0, Range(), Range(), Range())

    @property
    def tokens(self) -> Range:
        return self.tokens_in + self.tokens_out

    def __add__(self, other: Forecast) -> Forecast:
        return Forecast(
            self.calls + other.calls,
            self.tokens_in + other.tokens_in,
            self.tokens_out + other.tokens_out,
            None if self.cost is None or other.cost is None else self.cost + other.cost,
            self.rows + other.rows,
            None if self.cached is None or other.cached is None else self.cached + other.cached,
            self.saved + other.saved,
        )


def forecast(
    ledger: Ledger,
    llms: Mapping[str, LLMSettings],
    alias: str,
    node: str,
    calls: Sequence[Asked],
) -> Forecast:
    """Return what a node's calls to an alias will take, corrective attempts and fallback included.

    A range is the mean of what was taken before, and to either side two and a half standard errors
    (99 in 100 totals) and room for change. Calls of other nodes at other models tell nothing.
    """
    settings = llms[alias]
    if len(calls) < settings.least_batch:
        # Too few for a batch: they are made at once, at the full price.
        settings = settings.with_batch(False)
    if not calls:
        price = None if settings.paid is None else Range()
        return Forecast(0, Range(), Range(), price)
    model = settings.model
    own = ledger.taken(node=node, alias=alias, model=model)
    at_model = own if len(own) >= _ENOUGH else ledger.taken(alias=alias, model=model)
    of_node = own if len(own) >= _ENOUGH else ledger.taken(node=node)
    characters = sum(_characters(call) for call in calls)
    tokens_in = _tokens_in(calls, characters, at_model, settings, same=at_model is own)
    tokens_out = _tokens_out(calls, of_node, settings, same=of_node is own)
    again = reuse(calls, settings.cached_from)
    cost = _cost(tokens_in, tokens_out, at_model, settings, again)
    alone = sum(call.alone for call in calls) - characters
    own_ = Forecast(
        len(calls),
        tokens_in,
        tokens_out,
        cost,
        sum(call.rows for call in calls),
        _cached(tokens_in, at_model, settings, again),
        tokens_in.times(alone / max(1, characters), alone / max(1, characters)),
    )
    if settings.fallback is None:
        return own_
    stronger = forecast(ledger, llms, settings.fallback, node, calls)
    low, high = _invalid(own)
    more = None if stronger.cost is None else stronger.cost.times(low, high)
    return replace(
        own_,
        tokens_in=tokens_in + stronger.tokens_in.times(low, high),
        tokens_out=tokens_out + stronger.tokens_out.times(low, high),
        cost=None if cost is None or more is None else cost + more,
    )


def of_texts(settings: EmbeddingSettings, texts: Sequence[str]) -> Forecast:
    """Return what embedding texts will take, by their length."""
    characters = sum(len(text) for text in texts)
    low = max(len(texts), characters / _MOST_PER_TOKEN)
    tokens = Range(low, characters / _LEAST_PER_TOKEN + 2 * len(texts))
    price = settings.price
    rate = None if price is None else prices.cost(price, 1, 0)
    return Forecast(
        len(texts), tokens, Range(), None if rate is None else tokens.times(rate, rate), len(texts)
    )


def _characters(call: Asked) -> int:
    return sum(len(message["content"]) for message in call.messages)


def _tokens_in(
    calls: Sequence[Asked],
    characters: int,
    taken: Sequence[Taken],
    settings: LLMSettings,
    *,
    same: bool,
) -> Range:
    if len(taken) < _ENOUGH:
        schemas = sum(len(call.response.schema_text) for call in calls)
        most = (characters + schemas) / _LEAST_PER_TOKEN + settings.overhead * len(calls)
        return Range(characters / _MOST_PER_TOKEN, most * _RETRIES)
    coming = [float(_characters(call)) for call in calls]
    whole = [(float(t.characters), float(t.tokens_in)) for t in taken]
    if same:
        return _by_weight(whole, coming, _SAME)
    single = [(weight, value / t.attempts) for (weight, value), t in zip(whole, taken, strict=True)]
    return _elsewhere(single, whole, coming, _OTHER_NODE)


def _tokens_out(
    calls: Sequence[Asked], taken: Sequence[Taken], settings: LLMSettings, *, same: bool
) -> Range:
    if len(taken) < _ENOUGH or not any(t.tokens_out for t in taken):
        low = high = 0.0
        known: dict[str, tuple[int, int]] = {}
        for call in calls:
            response = call.response
            if response.schema_hash not in known:
                known[response.schema_hash] = _sizes(response.schema)
            least, most = known[response.schema_hash]
            low += max(1.0, least / _TIGHT)
            high += min(float(settings.max_tokens * call.rows), most / _LOOSE + 8)
        return Range(low, high * _RETRIES)
    coming = [float(call.rows) for call in calls]
    whole = [(1.0, float(t.tokens_out)) for t in taken]
    if same:
        return _by_weight(whole, coming, _SAME)
    single = [(1.0, t.tokens_out / t.attempts) for t in taken]
    return _elsewhere(single, whole, coming, _OTHER_MODEL)


def _elsewhere(
    single: Sequence[tuple[float, float]],
    whole: Sequence[tuple[float, float]],
    coming: Sequence[float],
    drift: float,
) -> Range:
    """Return where a total lies by calls of another node or model.

    That those needed several attempts says little of these: one attempt each is the low end.
    """
    return Range(_by_weight(single, coming, drift).low, _by_weight(whole, coming, drift).high)


def _by_weight(seen: Sequence[tuple[float, float]], coming: Sequence[float], drift: float) -> Range:
    """Return where the total of the coming ones lies, by (weight, value) of those that were seen.

    The ratio estimator: values are a rate times their weight, with an error in proportion to it.
    """
    weight = sum(w for w, _ in seen)
    squares = sum(w * w for w, _ in seen)
    rate = sum(value for _, value in seen) / weight
    residuals = sum((value - rate * w) ** 2 for w, value in seen)
    variance = residuals / squares * len(seen) / (len(seen) - 1)
    total = sum(coming)
    spread = sum(w * w for w in coming) + total * total * squares / (weight * weight)
    mean = rate * total
    error = _ERRORS * math.sqrt(variance * spread) + drift * mean
    # What happened to none of so many may happen to three in as many (95 in 100): a second attempt.
    unseen = mean * 3 / len(seen)
    return Range(max(0.0, mean - error), mean + error + unseen)


def _cached(
    tokens_in: Range, taken: Sequence[Taken], settings: LLMSettings, again: Reuse
) -> Range | None:
    """Return how many tokens come from the prompt cache; None where the provider does not say.

    At best each request finds all that earlier ones with its beginning put there. Some are sent
    before those are answered, and caches forget.
    """
    if not again.read:
        return Range()
    seen = sum(t.tokens_cached for t in taken)
    if seen == 0 and not settings.tells_cached:
        return None
    if not settings.tells_cached:
        return Range(0.0, tokens_in.high * again.read)
    return tokens_in.times(again.read * (_FOUND_BEFORE if seen else _FOUND), again.read)


def _cost(
    tokens_in: Range,
    tokens_out: Range,
    taken: Sequence[Taken],
    settings: LLMSettings,
    again: Reuse,
) -> Range | None:
    """Price tokens; the part of a prompt that a provider's cache takes is as it was before."""
    price = settings.paid
    if price is None:
        return None
    everything = sum(t.tokens_in for t in taken)
    if len(taken) >= _ENOUGH and everything:
        cached = sum(t.tokens_cached for t in taken) / everything
        written = sum(t.tokens_written for t in taken) / everything
        low = high = prices.cost(price, 1, 0, cached=cached, written=written)
        low, high = low * (1 - _SAME * cached), high * (1 + _SAME * cached)
    elif settings.tells_cached:
        missed = again.read * (1 - _FOUND)
        low = prices.cost(price, 1, 0, cached=again.read, written=again.written)
        high = prices.cost(price, 1, 0, cached=again.read - missed, written=again.written + missed)
    else:
        low = min(prices.cost(price, 1, 0), prices.cost(price, 1, 0, cached=1))
        high = max(prices.cost(price, 1, 0), prices.cost(price, 1, 0, written=1))
    out = prices.cost(price, 0, 1)
    return tokens_in.times(low, high) + tokens_out.times(out, out)


def _invalid(taken: Sequence[Taken]) -> tuple[float, float]:
    """Return the least and the most of the calls that will have no valid answer."""
    if len(taken) < _ENOUGH:
        return 0.0, _SHARE_INVALID
    share = sum(not t.ok for t in taken) / len(taken)
    error = 2 * math.sqrt(share * (1 - share) / len(taken)) + 1 / len(taken)
    return max(0.0, share - error), min(1.0, share + error)


def _sizes(schema: Mapping[str, Any]) -> tuple[int, int]:
    """Return the fewest and the most characters of an answer that fits a schema, without spaces."""
    if "enum" in schema:
        sizes = [len(json.dumps(value, ensure_ascii=False)) for value in schema["enum"]]
        return min(sizes), max(sizes)
    if "anyOf" in schema:
        branches = [_sizes(branch) for branch in schema["anyOf"]]
        return min(low for low, _ in branches), max(high for _, high in branches)
    kind = _KINDS.get(str(schema.get("type")))
    return kind(schema) if kind is not None else (1, _UNLIMITED)


def _object(schema: Mapping[str, Any]) -> tuple[int, int]:
    low = high = 2
    for name, inner in schema.get("properties", {}).items():
        least, most = _sizes(inner)
        low += len(name) + 4 + least
        high += len(name) + 4 + most
    return low, min(high, _UNLIMITED)


def _array(schema: Mapping[str, Any]) -> tuple[int, int]:
    least, most = _sizes(schema.get("items", {}))
    low = 2 + schema.get("minItems", 0) * (least + 1)
    high = 2 + schema.get("maxItems", _UNLIMITED) * (most + 1)
    return low, min(high, _UNLIMITED)


def _string(schema: Mapping[str, Any]) -> tuple[int, int]:
    return 2 + schema.get("minLength", 0), 2 + schema.get("maxLength", _UNLIMITED)


_KINDS: dict[str, Callable[[Mapping[str, Any]], tuple[int, int]]] = {
    "object": _object,
    "array": _array,
    "string": _string,
    "integer": lambda _: (1, 20),
    "number": lambda _: (1, 25),
    "boolean": lambda _: (4, 5),
    "null": lambda _: (4, 4),
}
