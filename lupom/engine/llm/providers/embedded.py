"""The embedded LLM: llama.cpp in this process, through the prebuilt wheel of xllamacpp.

What was measured on two cores with the default weights, and decides what is done here:

- One slot, one request at a time, in the order they come. Two slots answer 14 % more of 66-token
answers a second and nothing more of short ones, and the batches that form by chance change answers
from run to run. - The grammar is llguidance's, without white space of the model's own choosing. The
chat route's JSON mode lets the model write a code fence, line breaks and spelled-out keys: 21
tokens for `{"answer": "A"}`, not 7, and other answers. - 100 alternatives a token cost nothing
(1,000: 5 ms), so that the labels of a choice are always among them. - Generating releases the
interpreter lock. - Threads wait for one another by spinning: with as many threads as cores and the
cores busy elsewhere, a call can take ten times as long. `threads: 1` in the alias costs 30 % and is
steady.

Known of SmolLM2-135M: it chooses among options by their place more than by what they say. The
distribution over options is what it says it is and no better; the order of options is not averaged
over.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import secrets
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lupom.engine.errors import LLMError
from lupom.engine.llm import weights
from lupom.engine.llm.providers.base import (
    ProviderError,
    ProviderReply,
    ProviderRequest,
    TokenLogprobs,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lupom.engine.project.settings import LLMSettings

# Part of a call's key: changes when the same request would be put to the same weights differently.
REVISION = 1
# A model this small gains nothing from more; a larger one is not meant to run in the process.
MOST_THREADS = 8
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
    """A GGUF model in this process. Weights are loaded by the first request; `close` frees them."""

    def __init__(self, alias: str, settings: LLMSettings, *, cache_dir: Path | None = None) -> None:
        self._alias = alias
        self._settings = settings
        self._cache_dir = cache_dir
        self._server: Any = None
        self._worker: ThreadPoolExecutor | None = None
        self._identity: dict[str, Any] | None = None

    def identity(self) -> dict[str, Any]:
        """Return provider, model and the SHA-256 of the weights; prepares the default weights if
        need be.

        Raises LLMError when the weights are not there.
        """
        if self._identity is None:
            path = self._path()
            self._identity = {
                "provider": "embedded",
                "model": self._settings.model or path.stem.split("-")[0],
                "weights": weights.digest(path, cache_dir=self._cache_dir),
                "revision": REVISION,
            }
        return self._identity

    async def complete(self, request: ProviderRequest) -> ProviderReply:
        """Answer one request; requests wait for one another. The alias's `timeout` has no part in
        it."""
        return await self._in_turn(self._ask, request)

    async def check(self) -> str:
        """Load the weights and say which; answers nothing."""
        path: Path = await self._in_turn(self._load)
        return f"embedded: {path.name}, {self._threads()} threads, {self._settings.context} tokens"

    async def close(self) -> None:
        worker, self._worker = self._worker, None
        if worker is not None:
            await asyncio.to_thread(worker.shutdown, cancel_futures=True)
        server, self._server = self._server, None
        del server

    async def _in_turn(self, function: Any, *arguments: Any) -> Any:
        if self._worker is None:
            self._worker = ThreadPoolExecutor(1, thread_name_prefix=f"llm-{self._alias}")
        return await asyncio.get_running_loop().run_in_executor(self._worker, function, *arguments)

    def _path(self) -> Path:
        return weights.resolve(self._settings.model_path, cache_dir=self._cache_dir)

    def _threads(self) -> int:
        return self._settings.threads or min(cores(), MOST_THREADS)

    def _load(self) -> Path:
        try:
            path = self._path()
        except LLMError as error:
            raise ProviderError(f"llm '{self._alias}': {error.message}", hint=error.hint) from error
        if self._server is not None:
            return path
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
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = self._threads()
        # Prompts that no longer share a prefix would else be kept in memory, up to 8 GB of them.
        params.cache_ram_mib = 0
        params.verbosity = 0
        # The server listens on a loopback port, too; nothing here uses it, and nobody else is to.
        params.api_keys = [secrets.token_urlsafe(32)]
        params.endpoint_slots = False
        try:
            self._server = xllamacpp.Server(params)
        except (RuntimeError, ValueError) as error:
            raise ProviderError(f"llm '{self._alias}': {path} cannot be loaded: {error}") from error
        return path

    def _ask(self, request: ProviderRequest) -> ProviderReply:
        self._load()
        try:
            answer = self._server.handle_chat_completions(self._body(request))
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
        if error.get("type") == "exceed_context_size_error":
            hint = (
                f"the alias has room for {self._settings.context} tokens; raise its `context` or"
                " shorten the prompt"
            )
        return ProviderError(f"llm '{self._alias}': {error.get('message', error)}", hint=hint)


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
        tokens_in=int(usage.get("prompt_tokens", 0)),
        tokens_out=int(usage.get("completion_tokens", 0)),
        finish_reason=choice.get("finish_reason") or "stop",
        tokens=tokens,
    )


def harmless(text: str) -> str:
    """Return a text in which no control token of a chat format is left: `<|im_end|>` becomes `<
    |im_end|>`."""
    return _CONTROL.sub(lambda found: found.group() + " ", text)


def cores() -> int:
    """Return the cores this process may use: its affinity, within the container's quota."""
    count = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text(encoding="ascii").split()
        if quota != "max":
            count = min(count, max(1, int(quota) // int(period)))
    except (OSError, ValueError):
        pass
    return max(1, count)
