"""Claude at Anthropic's own address, or one that speaks its Messages interface.

Through the official client's `post`, as for OpenAI. Not through instructor 1.17, which
`provider: instructor, model: anthropic/...` is for: with anthropic 2 it has no native JSON schemas
(it looks for a parameter that is gone, and puts the schema into the prompt instead; a test holds
that against it), and it costs 3.7 ms of CPU a call where this takes 1.0 to 1.4.

What Messages has not: log-probabilities and a seed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lupom.engine.llm.providers.base import (
    ALONE,
    ProviderReply,
    ProviderRequest,
    Surroundings,
)
from lupom.engine.llm.providers.capabilities import (
    Capabilities,
    Negotiator,
    told,
    with_extra,
)
from lupom.engine.llm.providers.endpoint import ANTHROPIC, Endpoint
from lupom.engine.llm.providers.prefix import cached_from, in_blocks, pieces_of
from lupom.engine.llm.providers.replies import ANTHROPIC_USAGE, of_blocks
from lupom.engine.llm.providers.turns import as_taken, with_fewer
from lupom.engine.llm.schemas import LIMITS, without

if TYPE_CHECKING:
    from lupom.engine.llm.settings.anthropic import AnthropicSettings

_STRUCTURE = ("output_config", "output_format", "json_schema", "structured output", "schema")


class AnthropicProvider:
    """A model behind Anthropic's Messages interface.

    What it refuses (status 400: schemas, tools, a temperature, kinds of messages) is given up, and
    not asked for again.
    """

    cache_points = True

    def __init__(
        self, alias: str, settings: AnthropicSettings, around: Surroundings = ALONE
    ) -> None:
        self._settings = settings
        self._endpoint = Endpoint(alias, settings, ANTHROPIC)
        # Native schemas came with Claude 4.5; they take no limits, which are checked here instead.
        start = Capabilities(logprobs=False, seed=False, lengths=False)
        start.mode = "tools" if "claude-3" in self._endpoint.model else "json_schema"
        self._negotiator = Negotiator(self.identity(), settings.mode, start, around.memory)

    def identity(self) -> dict[str, Any]:
        """Return provider, base_url and model."""
        url, model = self._endpoint.url, self._endpoint.model
        return {"provider": "anthropic", "base_url": url, "model": model}

    def cached_from(self) -> int:
        """Return the characters from which a beginning is cached; 0 where none is."""
        self._negotiator.recall()
        wanted = self._settings.prompt_cache and self._negotiator.capabilities.cache
        return cached_from(self._endpoint.model) if wanted else 0

    async def complete(self, request: ProviderRequest) -> ProviderReply:
        """Answer one request; raises ProviderError."""
        return await self._negotiator.ask(request, self._body, self._send, self._adapt, self._read)

    async def _send(self, body: dict[str, Any]) -> dict[str, Any]:
        return await self._endpoint.post("/v1/messages", body)

    def _read(self, raw: Mapping[str, Any], sent: Mapping[str, Any]) -> ProviderReply:
        try:
            self._endpoint.raise_fault(raw)
            return _reply(raw, offered="tools" in sent)
        except (KeyError, IndexError, TypeError, ValueError, AttributeError):
            shown = json.dumps(raw, ensure_ascii=False)[:120]
            raise self._endpoint.error(
                f"the body is not a message: {shown}", retryable=True
            ) from None

    async def check(self) -> str:
        """Return a line about the address and its model; raises ProviderError."""
        await self._endpoint.get(f"/v1/models/{self._endpoint.model}")
        capabilities = self._negotiator.described()
        capabilities = "" if capabilities is None else f"; {capabilities}"
        return f"{self._endpoint.url}, model '{self._endpoint.model}': reachable{capabilities}"

    async def close(self) -> None:
        """Close the connections."""
        await self._endpoint.close()

    def _body(self, request: ProviderRequest) -> dict[str, Any]:
        capabilities = self._negotiator.capabilities
        body: dict[str, Any] = {
            "model": self._endpoint.model,
            "max_tokens": request.max_tokens,
        }
        if capabilities.temperature:
            body["temperature"] = request.temperature
        messages_ = as_taken(request.messages, capabilities)
        texts = [(message["role"], message["content"]) for message in messages_]
        if request.schema is not None:
            name = request.schema_name
            if capabilities.mode == "json_schema":
                schema = without(request.schema, LIMITS)
                body["output_config"] = {"format": {"type": "json_schema", "schema": schema}}
            elif capabilities.mode == "tools":
                tool = {"name": name, "description": "Gives the answer."}
                body["tools"] = [{**tool, "input_schema": request.schema}]
                named = {"name": name} if capabilities.choice == "tool" else {}
                body["tool_choice"] = {"type": capabilities.choice, **named}
            else:
                role, text = texts[-1]
                texts[-1] = (role, f"{text}\n\n{told(request.schema)}")
        lasts = self._settings.prompt_cache if capabilities.cache else False
        body |= in_blocks(request, texts, lasts, "ephemeral", _blocks)
        return with_extra(body, request.extra)

    def _adapt(self, about: str, body: Mapping[str, Any]) -> bool:
        """Give up what was complained about; False when that is nothing we can do without."""
        capabilities = self._negotiator.capabilities
        if "temperature" in about and "temperature" in body:
            capabilities.temperature = False
        elif "cache_control" in about and capabilities.cache:
            capabilities.cache = False
        elif "tool_choice" in about and "tool_choice" in body:
            sent = body["tool_choice"]["type"]
            return self._negotiator.loosen(sent)
        elif "tool" in about and "tools" in body:
            return self._negotiator.weaken("tools")
        elif "output_config" in body and any(word in about for word in _STRUCTURE):
            return self._negotiator.weaken("json_schema")
        else:
            system = ["system"] if body.get("system") else []
            return with_fewer(
                capabilities, about, [*system, *(m["role"] for m in body["messages"])]
            )
        return True


def _blocks(text: str, cuts: Sequence[int], mark: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {"type": "text", "text": piece, **({"cache_control": dict(mark)} if cached else {})}
        for piece, cached in pieces_of(text, cuts)
    ]


def _reply(raw: Mapping[str, Any], *, offered: bool) -> ProviderReply:
    content = raw["content"]
    blocks = content if isinstance(content, list) else [{"type": "text", "text": content}]
    called = [block.get("input") for block in blocks if block.get("type") == "tool_use"]
    return of_blocks(
        [c for c in called if c is not None],
        "".join(str(b.get("text") or "") for b in blocks if b.get("type", "text") == "text"),
        raw.get("usage"),
        raw.get("stop_reason"),
        offered=offered,
        names=ANTHROPIC_USAGE,
        thought="".join(str(b.get("thinking") or "") for b in blocks),
    )
