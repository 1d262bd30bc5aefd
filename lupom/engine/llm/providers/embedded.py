"""The embedded LLM: llama.cpp in this process, through the prebuilt wheel of xllamacpp.

What was measured on two cores with the default weights, and decides what is done here:

- Requests go to a few workers of one thread each, a server and a slot apiece. On idle cores two
  workers answer 1.7 requests of 66 tokens a second, one worker of two threads 1.25; while another
  process takes a core, 1.1 and 0.4, because threads of one computation wait for one another by
  spinning. Slots of one server gain less, and the batches that form in it by chance change answers.
- The grammar is llguidance's, without white space of the model's own choosing. The chat route's own
  JSON mode lets the model write a code fence, line breaks and spelled-out keys: 21 tokens for
  `{"answer": "A"}`, not 7, and other answers.
- 100 alternatives a token cost nothing (1,000: 50 ms), so the labels of a choice are among them.
- Generating releases the interpreter lock.

Known of SmolLM2-135M: it chooses among options by their place more than by what they say. The
distribution over options is that of this model and no better; the order of options is not averaged.
"""

from __future__ import annotations

import asyncio
import json
import re
import secrets
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lupom.engine.cores import cores
from lupom.engine.errors import LLMError
from lupom.engine.llm import weights
from lupom.engine.llm.providers.base import (
    ALONE,
    ProviderError,
    ProviderReply,
    ProviderRequest,
    Surroundings,
    TokenLogprobs,
)
from lupom.engine.llm.token_counts import tokens_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lupom.engine.llm.settings.embedded import EmbeddedSettings

# Part of a call's key: changes when the same request would be put to the same weights differently.
REVISION = 1
# A worker takes 170 MB beside the weights, which all of them share.
MOST_WORKERS = 4
ALTERNATIVES = 100

# `lenient` leaves out keywords the grammar does not know. Without it the whole schema would be left
# out, and silently; the answer is validated afterwards either way.
_COMPACT = {
    "x-guidance": {
        "whitespace_flexible": False,
        "item_separator": ", ",
        "key_separator": ": ",
        "lenient": True,
    }
}
# Control tokens of the chat formats in use. Text of respondents must not open a turn of its own.
_CONTROL = re.compile(r"<(?=\||/?s>|(?:start|end)_of_turn>)|\[(?=/?INST\])")


class EmbeddedProvider:
    """A GGUF model in this process, answering as many requests at once as it has workers.

    There are as many workers as the alias's `concurrency`, at most one a core and at most four,
    each with `threads` threads (default: the cores divided among them). Weights are loaded by the
    first requests; `close` frees them. Which worker a request goes to depends on the requests
    before it and not on what is busy: equal runs put equal requests to equally warm servers.
    """

    def __init__(
        self, alias: str, settings: EmbeddedSettings, around: Surroundings = ALONE
    ) -> None:
        self._alias = alias
        self._settings = settings
        self._cache_dir = around.cache_dir
        self._identity: dict[str, Any] | None = None
        count = max(1, min(settings.concurrency, cores(), MOST_WORKERS))
        self._threads = settings.threads or max(1, cores() // count)
        self._workers = [_Worker(f"llm-{alias}-{i}") for i in range(count)]
        # With no more requests under way than workers, one that waits leaves another worker idle.
        self._ahead = 2 if settings.concurrency >= 2 * count else 1

    def identity(self) -> dict[str, Any]:
        """Return provider, model and the SHA-256 of the weights, preparing them if need be.

        Raises LLMError when the weights are not there.
        """
        if self._identity is None:
            path = self._path()
            self._identity = {
                "provider": "embedded",
                "model": self._settings.model or path.stem,
                "weights": weights.digest(path, cache_dir=self._cache_dir),
                "revision": REVISION,
            }
        return self._identity

    async def complete(self, request: ProviderRequest) -> ProviderReply:
        """Answer one request when its worker is free. The alias's `timeout` has no part in it."""
        worker = self._worker_for(request)
        reply: ProviderReply = await worker.do(self._ask, worker, request)
        return reply

    async def check(self) -> str:
        """Load the weights and say which; answers nothing."""
        path: Path = await self._workers[0].do(self._load, self._workers[0])
        return (
            f"embedded: {path.name}, {len(self._workers)} workers x {self._threads} threads,"
            f" {self._settings.context} tokens"
        )

    async def close(self) -> None:
        for worker in self._workers:
            await worker.close()

    def _worker_for(self, request: ProviderRequest) -> _Worker:
        """Return the worker whose last prompt begins most like this one: it has that part computed.

        A worker may be one or two requests ahead of another, no more; of equal ones (a tenth of
        the shared text apart) the one with the fewest requests takes it.
        """
        text = "\0".join(message["content"] for message in request.messages)
        fewest = min(worker.assigned for worker in self._workers)
        free = [worker for worker in self._workers if worker.assigned < fewest + self._ahead]
        shared = [_shared(worker.last, text) for worker in free]
        warm = [w for w, n in zip(free, shared, strict=True) if n >= 0.9 * max(shared)]
        worker = min(warm, key=lambda w: w.assigned)
        worker.assigned += 1
        worker.last = text
        return worker

    def _path(self) -> Path:
        return weights.resolve(self._settings.model_path, cache_dir=self._cache_dir)

    def _load(self, worker: _Worker) -> Path:
        try:
            path = self._path()
        except LLMError as error:
            raise ProviderError(f"llm '{self._alias}': {error.message}", hint=error.hint) from error
        if worker.server is None:
            worker.server = self._serve(path)
        return path

    def _serve(self, path: Path) -> Any:
        try:
            import xllamacpp
        except ImportError as error:
            raise ProviderError(
                f"llm '{self._alias}': xllamacpp cannot be imported: {error}",
                hint="pip install xllamacpp; on a bare Linux it needs the system's libgomp1, too",
            ) from error
        params = xllamacpp.CommonParams()
        params.model.path = str(path)
        params.n_ctx = self._settings.context
        params.n_parallel = 1
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = self._threads
        # Prompts that no longer share a prefix would else be kept in memory, up to 8 GB of them.
        params.cache_ram_mib = 0
        params.verbosity = 0
        # The server listens on a loopback port, too. Nothing here uses it, and nobody else is to.
        params.api_keys = [secrets.token_urlsafe(32)]
        params.endpoint_slots = False
        params.endpoint_metrics = True
        try:
            server = xllamacpp.Server(params)
            # A server that is dropped before its loop has begun waits for ever for the loop's end:
            # five of six times on a busy machine. That it answers shows that the loop has begun.
            server.handle_metrics()
            return server
        except (RuntimeError, ValueError) as error:
            raise ProviderError(f"llm '{self._alias}': {path} cannot be loaded: {error}") from error

    def _ask(self, worker: _Worker, request: ProviderRequest) -> ProviderReply:
        self._load(worker)
        try:
            answer = worker.server.handle_chat_completions(self._body(request))
        except (RuntimeError, ValueError) as error:
            raise ProviderError(f"llm '{self._alias}': {error}") from error
        reply = json.loads(answer) if isinstance(answer, (str, bytes)) else answer
        if "error" in reply:
            raise self._refused(reply["error"])
        return reply_of(reply)

    def _body(self, request: ProviderRequest) -> dict[str, Any]:
        import xllamacpp

        body: dict[str, Any] = {
            "messages": [
                {**message, "content": harmless(message["content"])} for message in request.messages
            ],
            "temperature": request.temperature,
            "max_tokens": request.max_tokens,
            "seed": request.seed,
            "cache_prompt": True,
            **request.extra,
        }
        if request.schema is not None:
            body["grammar"] = xllamacpp.json_schema_to_grammar({**request.schema, **_COMPACT})
        if request.top_logprobs:
            body["logprobs"] = True
            body["top_logprobs"] = max(request.top_logprobs, ALTERNATIVES)
        return body

    def _refused(self, error: Mapping[str, Any]) -> ProviderError:
        hint = None
        # One text that is too long is no reason to leave the others unasked.
        too_long = error.get("type") == "exceed_context_size_error"
        if too_long:
            hint = (
                f"the alias has room for {self._settings.context} tokens; raise its `context` or"
                " shorten the prompt"
            )
        return ProviderError(
            f"llm '{self._alias}': {error.get('message', error)}", refused=too_long, hint=hint
        )


class _Worker:
    """One thread and the server it alone talks to."""

    def __init__(self, name: str) -> None:
        self.server: Any = None
        self.assigned = 0
        self.last = ""
        self._name = name
        self._pool: ThreadPoolExecutor | None = None

    async def do(self, function: Callable[..., Any], *arguments: Any) -> Any:
        if self._pool is None:
            self._pool = ThreadPoolExecutor(1, thread_name_prefix=self._name)
        return await asyncio.get_running_loop().run_in_executor(self._pool, function, *arguments)

    async def close(self) -> None:
        pool, self._pool = self._pool, None
        if pool is not None:
            await asyncio.to_thread(pool.shutdown, cancel_futures=True)
        self.server = None


def _shared(a: str, b: str) -> int:
    """Return how many characters two texts begin with in common."""
    return next(
        (i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b))
    )


def reply_of(reply: Mapping[str, Any]) -> ProviderReply:
    """Return llama.cpp's chat completion as a reply."""
    choice = reply["choices"][0]
    usage = reply.get("usage") or {}
    content = (choice.get("logprobs") or {}).get("content")
    tokens = None
    if content is not None:
        tokens = [
            TokenLogprobs(
                token["token"],
                token["logprob"],
                [(other["token"], other["logprob"]) for other in token.get("top_logprobs", [])],
            )
            for token in content
        ]
    return ProviderReply(
        text=choice["message"].get("content") or "",
        tokens_in=tokens_of(usage.get("prompt_tokens")),
        tokens_out=tokens_of(usage.get("completion_tokens")),
        finish_reason=choice.get("finish_reason") or "stop",
        tokens=tokens,
    )


def harmless(text: str) -> str:
    """Return a text without control tokens of chat formats: `<|im_end|>` becomes `< |im_end|>`."""
    return _CONTROL.sub(lambda found: found.group() + " ", text)
