"""Vectors of an endpoint, each paid for once: what was embedded before is in the state."""

from __future__ import annotations

import asyncio
import hashlib
import threading
from collections.abc import Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any

from lupom.engine.errors import BudgetError, LLMError
from lupom.engine.hashes import canonical
from lupom.engine.llm import prices
from lupom.engine.llm.adaptive_rate_limiter import AdaptiveRateLimiter, Halted, pause
from lupom.engine.llm.budget import Amount, Budget
from lupom.engine.llm.providers.base import Embedder
from lupom.engine.llm.retry import send_with_retries
from lupom.engine.llm.usage import Usage

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from lupom.engine.llm.event_loop import EventLoop
    from lupom.engine.project.providers import EmbeddingSettings
    from lupom.engine.state import State

# Told of a request: how many texts, and what they took.
Paid = Callable[[int, Usage], None]
# Seconds between two looks at texts that others have in flight: at first, and at most.
_LOOK, _RARELY = 0.1, 1.0


def keys(settings: EmbeddingSettings, texts: Sequence[str]) -> list[str]:
    """Return the key of each text under these settings."""
    base = canonical(settings.identity())
    return [
        hashlib.sha256(f"{base}\0{text}".encode("utf-8", "surrogatepass")).hexdigest()
        for text in texts
    ]


def recalled(
    state: State, settings: EmbeddingSettings, texts: Sequence[str]
) -> tuple[npt.NDArray[np.float32] | None, dict[str, str]]:
    """Return the vectors that are kept, and by their keys the texts that have none; asks nobody.

    Where a text has none there are no vectors: its length is not known.
    """
    import numpy as np

    marks = keys(settings, texts)
    by_key = dict(zip(marks, texts, strict=True))
    known = state.embeddings(by_key)
    missing = {key: text for key, text in by_key.items() if key not in known}
    if missing or not texts:
        return None, missing
    return np.stack([np.frombuffer(known[key], dtype="<f4") for key in marks]), missing


class Embeddings:
    """The embedders of a gateway, and the texts of its threads that are in flight.

    Parameters
    ----------
    state : where vectors are kept. backoff : seconds of the first pause after a failure.
    """

    def __init__(self, state: State, backoff: float) -> None:
        self._state = state
        self._backoff = backoff
        self._lock = threading.Lock()
        self._embedders: dict[str, Embedder] = {}
        self._flying: set[str] = set()

    def vectors(
        self,
        loop: EventLoop,
        settings: EmbeddingSettings,
        texts: Sequence[str],
        budget: Budget | None,
        stop: threading.Event | None,
        paid: Paid | None = None,
    ) -> npt.NDArray[np.float32]:
        """Return the vectors of texts, (n, dimensions) float32, as `Gateway.embed` does."""
        from lupom.engine.llm.embedders import embed_here, make_embedder

        if settings.in_process:
            return embed_here(settings, texts)
        name = settings.model_dump_json()
        with self._lock:
            if name not in self._embedders:
                self._embedders[name] = make_embedder(settings)
            embedder = self._embedders[name]
        halt = asyncio.Event()
        work = embed_there(
            self._state,
            embedder,
            settings,
            texts,
            backoff=self._backoff,
            flying=self._flying,
            halt=halt,
            budget=budget,
            paid=paid,
        )
        try:
            return loop.watch(work, lambda: stop is not None and stop.is_set(), halt)
        except BudgetError:
            raise
        except LLMError as error:
            raise LLMError(
                f"embeddings at {embedder.where}: {error.message}", hint=error.hint
            ) from None

    def closing(self) -> list[Coroutine[Any, Any, None]]:
        """Return the work of closing the embedders' connections."""
        return [embedder.close() for embedder in self._embedders.values()]


async def embed_there(
    state: State,
    embedder: Embedder,
    settings: EmbeddingSettings,
    texts: Sequence[str],
    *,
    backoff: float,
    flying: set[str],
    halt: asyncio.Event,
    budget: Budget | None = None,
    paid: Paid | None = None,
) -> npt.NDArray[np.float32]:
    """Return an endpoint's vectors of the texts, (n, dimensions) float32.

    Each text is paid for once: it is leased as calls are, and its vector is in the state database
    before another request takes its place. What another process, or another thread of this one, has
    in flight is waited for; `flying` has the keys of the latter. `paid` is told of each request how
    many texts it had and what it took. Once `halt` is set, as by Ctrl-C, what is in flight is
    awaited and nothing further is sent or waited for.

    Raises
    ------
    LLMError : BudgetError among them; what had come back is kept.
    Halted : where a text has no vector when `halt` is set.
    """
    import numpy as np

    marks = keys(settings, texts)
    by_key = dict(zip(marks, texts, strict=True))
    known = state.embeddings(by_key)
    missing = [key for key in by_key if key not in known]
    if budget is not None and budget.of_money and missing and settings.price is None:
        raise LLMError(
            "they have no price, so a budget of money cannot be kept",
            hint="give the embeddings alias a price: {input: ..., output: 0} in USD per million"
            " tokens; or set a budget of tokens",
        )
    adaptive_limiter = AdaptiveRateLimiter(backoff)
    semaphore = asyncio.Semaphore(embedder.at_once)

    async def one(batch: list[str]) -> None:
        async with semaphore:
            if halt.is_set():
                return
            mine = set(batch) - flying
            flying.update(mine)
            held: set[str] = set()
            try:
                if mine:
                    held = (await state.members.take(mine, {})).held
                # Whoever had one leased may have been done since it was looked up.
                known.update(await asyncio.to_thread(state.embeddings, held))
                todo = [(key, by_key[key]) for key in batch if key in held and key not in known]
                if todo:
                    await pay(todo)
            except BaseException:
                halt.set()
                raise
            finally:
                flying.difference_update(mine)
                if held:
                    await state.members.release(held)

    async def pay(batch: list[tuple[str, str]]) -> None:
        most = _most(settings, batch)
        spent = Amount()
        if budget is not None:
            await budget.hold(most, halt)
        try:
            reply = await send_with_retries(
                lambda: embedder.vectors([text for _, text in batch]),
                adaptive_limiter,
                halt,
                name=batch[0][0],
                retries=settings.max_retries,
                backoff=backoff,
            )
            vectors, tokens = reply
            spent = _amount(settings, tokens or most.tokens)
            rows = _rows(settings, batch, vectors, tokens, most)
            await state.record_embeddings(rows)
            known.update({row["key"]: row["vector"] for row in rows})
            if paid is not None:
                money = None if tokens is None or settings.price is None else spent.money
                paid(len(batch), Usage(tokens, 0, money, requests=1))
        finally:
            if budget is not None:
                budget.settle(most, spent)

    size = embedder.batch
    while missing:
        batches = [missing[i : i + size] for i in range(0, len(missing), size)]
        done = await asyncio.gather(*(one(batch) for batch in batches), return_exceptions=True)
        failed = [e for e in done if isinstance(e, BaseException) and not isinstance(e, Halted)]
        errors = [e for e in failed if isinstance(e, LLMError)] or failed
        if errors:
            raise errors[0]
        missing = [key for key in missing if key not in known]
        if missing:
            if halt.is_set():
                raise Halted
            await _others(state, missing, flying, halt)
    if not texts:
        return np.zeros((0, settings.dimensions or 0), dtype=np.float32)
    vectors = [np.frombuffer(known[key], dtype="<f4") for key in marks]
    if len({len(vector) for vector in vectors}) != 1:
        raise LLMError(f"{embedder.where} returned vectors of different sizes")
    return np.stack(vectors).astype(np.float32)


async def _others(
    state: State, waiting: Sequence[str], flying: set[str], halt: asyncio.Event
) -> None:
    """Wait until one of some texts is in flight no more; raises Halted once `halt` is set."""
    seconds = _LOOK
    while True:
        busy = await asyncio.to_thread(state.members.still_busy, waiting)
        if any(key not in busy and key not in flying for key in waiting):
            return
        await pause(seconds, halt)
        seconds = min(_RARELY, seconds * 1.5)


def _most(settings: EmbeddingSettings, batch: Sequence[tuple[str, str]]) -> Amount:
    """Return the most that a batch may take: a token for every two bytes."""
    size = sum(len(text.encode("utf-8", "replace")) for _, text in batch)
    return _amount(settings, size // 2 + 2 * len(batch))


def _amount(settings: EmbeddingSettings, tokens: int) -> Amount:
    price = settings.price
    return Amount(tokens, 0.0 if price is None else prices.cost(price, tokens, 0))


def _rows(
    settings: EmbeddingSettings,
    batch: list[tuple[str, str]],
    vectors: list[bytes],
    tokens: int | None,
    most: Amount,
) -> list[dict[str, Any]]:
    """Make the rows of a batch; its tokens are shared out by the length of the texts."""
    length = sum(len(text) for _, text in batch) or 1
    price = settings.price.input / 1e6 if settings.price is not None else None
    rows = []
    for (key, text), vector in zip(batch, vectors, strict=True):
        part = len(text) / length
        share = None if tokens is None else tokens * part
        rows.append(
            {
                "key": key,
                "provider": settings.provider,
                "model": settings.model or "",
                "vector": vector,
                "tokens": None if share is None else round(share),
                "cost": None if price is None or share is None else share * price,
                "counted_tokens": None if share is not None else round(most.tokens * part),
                "counted_cost": None if share is not None else most.money * part,
            }
        )
    return rows
