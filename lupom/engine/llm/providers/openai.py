"""OpenAI and whatever speaks its chat completions: vLLM, llama.cpp's server, Ollama, LiteLLM."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lupom.engine.llm.providers.base import ProviderReply, ProviderRequest, TokenLogprobs
from lupom.engine.llm.providers.client import DEFAULT_URL, Endpoint, RejectedError
from lupom.engine.llm.schemas import without_lengths

if TYPE_CHECKING:
    from lupom.engine.project.settings import LLMSettings


@dataclass(slots=True)
class Manner:
    """How an address wants to be asked; learnt from its complaints, for as long as we run.

    Attributes
    ----------
    structure : 'json_schema', then 'json_object' with the schema in the prompt, then 'text'.
    lengths : limits on the length of strings may stand in the schema; OpenAI itself refuses them.
    logprobs, seed, temperature : may be asked for.
    limit : the name of the limit on answered tokens.
    """

    structure: str = "json_schema"
    lengths: bool = True
    logprobs: bool = True
    seed: bool = True
    temperature: bool = True
    limit: str = "max_tokens"


class OpenAIProvider:
    """A model behind an OpenAI-compatible address.

    An address that refuses a part of the request (status 400: log-probabilities, JSON schemas, a
    parameter) is asked again without that part, and without it from then on.
    """

    def __init__(self, alias: str, settings: LLMSettings) -> None:
        self._settings = settings
        self._endpoint = Endpoint(alias, settings)
        self.manner = Manner(lengths=self._endpoint.url != DEFAULT_URL)

    def identity(self) -> dict[str, Any]:
        """Return provider, base_url and model."""
        return {"provider": "openai", "base_url": self._endpoint.url, "model": self._endpoint.model}

    async def complete(self, request: ProviderRequest) -> ProviderReply:
        """Answer one request; raises ProviderError."""
        while True:
            body = self._body(request)
            try:
                reply = await self._endpoint.post("/chat/completions", body)
                break
            except RejectedError as error:
                if error.refused or not self._adapt(error.about, body):
                    raise
        try:
            return _reply(reply)
        except (KeyError, IndexError, TypeError, ValueError, AttributeError):
            shown = json.dumps(reply, ensure_ascii=False)[:120]
            raise self._endpoint.error(
                f"the body is no chat completion: {shown}", retryable=True
            ) from None

    async def check(self) -> str:
        """Return a line about the address and whether it lists the model; raises ProviderError."""
        where = f"{self._endpoint.url}, model '{self._endpoint.model}'"
        try:
            listed = await self._endpoint.get("/models")
        except RejectedError:
            return f"{where}: reachable (it lists no models)"
        except Exception as error:
            if "status 404" in str(error):
                return f"{where}: reachable (it lists no models)"
            raise
        data = listed.get("data")
        names = (
            {m.get("id") for m in data if isinstance(m, dict)} if isinstance(data, list) else set()
        )
        known = (
            "it lists the model" if self._endpoint.model in names else "it does not list the model"
        )
        return f"{where}: reachable ({known})"

    async def close(self) -> None:
        """Close the connections."""
        await self._endpoint.close()

    def _body(self, request: ProviderRequest) -> dict[str, Any]:
        manner = self.manner
        messages: Sequence[Mapping[str, str]] = request.messages
        body: dict[str, Any] = {"model": self._endpoint.model, "messages": messages}
        if request.schema is not None:
            schema = request.schema if manner.lengths else without_lengths(request.schema)
            if manner.structure == "json_schema":
                wanted = {"name": request.schema_name, "schema": schema, "strict": True}
                body["response_format"] = {"type": "json_schema", "json_schema": wanted}
            else:
                told = "Answer with one JSON object and nothing else. Its JSON schema:\n"
                told += json.dumps(schema, ensure_ascii=False)
                body["messages"] = [*messages[:-1], _with(messages[-1], told)]
                if manner.structure == "json_object":
                    body["response_format"] = {"type": "json_object"}
        body[manner.limit] = request.max_tokens
        if manner.temperature:
            body["temperature"] = request.temperature
        if manner.seed and request.temperature > 0:
            body["seed"] = request.seed
        if request.top_logprobs and manner.logprobs:
            body["logprobs"] = True
            body["top_logprobs"] = request.top_logprobs
        body.update(request.extra)
        return body

    def _adapt(self, about: str, body: Mapping[str, Any]) -> bool:
        """Give up the part of a request that an address complained about.

        Returns False when the complaint is about nothing we can do without. Requests in flight
        together get the same complaint; those whose part is given up already are just sent again.
        """
        manner = self.manner
        if "logprob" in about and "logprobs" in body:
            manner.logprobs = False
        elif "max_tokens" in about and "max_tokens" in body and "max_completion_tokens" in about:
            manner.limit = "max_completion_tokens"
        elif "seed" in about and "seed" in body:
            manner.seed = False
        elif "temperature" in about and "temperature" in body:
            manner.temperature = False
        elif "length" in about and _has_lengths(body):
            manner.lengths = False
        elif "response_format" in body and _is_about_structure(about):
            kind = body["response_format"]["type"]
            manner.structure = {"json_schema": "json_object", "json_object": "text"}[kind]
        else:
            return False
        return True


def _with(message: Mapping[str, str], more: str) -> dict[str, str]:
    return {**message, "content": f"{message['content']}\n\n{more}"}


def _has_lengths(body: Mapping[str, Any]) -> bool:
    spelled = json.dumps(body.get("response_format", {}))
    return '"maxLength"' in spelled or '"minLength"' in spelled


def _is_about_structure(about: str) -> bool:
    words = ("response_format", "json_schema", "json_object", "schema", "grammar", "strict")
    return any(word in about for word in words)


def _reply(body: Mapping[str, Any]) -> ProviderReply:
    choice = body["choices"][0]
    message = choice["message"]
    text = message.get("content")
    finish = choice.get("finish_reason") or "stop"
    if text is None:
        text, finish = message.get("refusal") or "", "refusal" if message.get("refusal") else finish
    if not isinstance(text, str):
        raise TypeError("content")
    usage = body.get("usage") or {}
    return ProviderReply(
        text=text,
        tokens_in=int(usage.get("prompt_tokens") or 0),
        tokens_out=int(usage.get("completion_tokens") or 0),
        finish_reason=finish,
        tokens=_tokens(choice.get("logprobs")),
    )


def _tokens(logprobs: Any) -> list[TokenLogprobs] | None:
    """Read log-probabilities; what is not shaped as expected counts as none."""
    content = logprobs.get("content") if isinstance(logprobs, dict) else None
    if not content:
        return None
    try:
        return [
            TokenLogprobs(
                str(t["token"]),
                float(t["logprob"]),
                [(str(o["token"]), float(o["logprob"])) for o in t.get("top_logprobs") or ()],
            )
            for t in content
        ]
    except (KeyError, TypeError, ValueError):
        return None
