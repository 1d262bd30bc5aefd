"""OpenAI and whatever speaks its chat completions: vLLM, llama.cpp's server, Ollama, LiteLLM."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lupom.engine.errors import did_you_mean
from lupom.engine.llm.providers.base import (
    ALONE,
    Collected,
    ProviderError,
    ProviderReply,
    ProviderRequest,
    Surroundings,
)
from lupom.engine.llm.providers.capabilities import Capabilities, Negotiator, told
from lupom.engine.llm.providers.endpoint import (
    Endpoint,
    MisshapenError,
    RejectedError,
    is_of_limit,
    is_of_one_request,
    may_be_alone,
)
from lupom.engine.llm.providers.faults import fault_of
from lupom.engine.llm.providers.replies import chat_reply
from lupom.engine.llm.providers.turns import as_taken, with_fewer
from lupom.engine.llm.schemas import LENGTHS, LIMITS, has_any, without
from lupom.engine.llm.settings.openai import URL

if TYPE_CHECKING:
    from lupom.engine.llm.settings.openai import OpenAISettings


# Batches: what is asked, the mark each carries, how they end, and seconds for a file to go or come.
BATCHED = "/v1/chat/completions"
MARK = "lupom"
ENDED = ("completed", "failed", "expired", "cancelled")
UPLOAD = 600.0


class OpenAIProvider:
    """A model behind an OpenAI-compatible address.

    An address that refuses a part of the request (status 400: log-probabilities, JSON schemas, a
    parameter) is asked again without that part, and without it from then on.
    """

    def __init__(self, alias: str, settings: OpenAISettings, around: Surroundings = ALONE) -> None:
        self._endpoint = Endpoint(alias, settings)
        # OpenAI itself refuses limits on the length of strings.
        start = Capabilities(lengths=self._endpoint.url != URL)
        self._negotiator = Negotiator(self.identity(), settings.mode, start, around.memory)
        self._refused_names: set[str] = set()

    def identity(self) -> dict[str, Any]:
        """Return provider, base_url and model."""
        return {"provider": "openai", "base_url": self._endpoint.url, "model": self._endpoint.model}

    def cached_from(self) -> int:
        """Return the characters from which a beginning is cached, as OpenAI itself does: 1,024
        tokens. Other servers cache less or more; nothing is sent for it."""
        return 4096

    async def complete(self, request: ProviderRequest) -> ProviderReply:
        """Answer one request; raises ProviderError."""
        return await self._negotiator.ask(
            request, self._body, self._send, self._adapt, self._read, self._blindly
        )

    async def _send(self, body: dict[str, Any]) -> dict[str, Any]:
        try:
            return await self._endpoint.post("/chat/completions", body)
        except MisshapenError as error:
            return error.as_body()

    def _read(self, reply: Mapping[str, Any], sent: Mapping[str, Any]) -> ProviderReply:
        try:
            self._endpoint.raise_fault(reply)
            return chat_reply(reply, offered="tools" in sent)
        except (KeyError, IndexError, TypeError, ValueError, AttributeError):
            shown = json.dumps(reply, ensure_ascii=False)[:120]
            raise self._endpoint.error(
                f"the body is not a chat completion: {shown}", retryable=True
            ) from None

    def batch_line(self, name: str, request: ProviderRequest) -> str:
        """Return the line of a batch file that asks one request."""
        self._negotiator.recall()
        body = self._body(request)
        line = {"custom_id": name, "method": "POST", "url": BATCHED, "body": body}
        return json.dumps(line, ensure_ascii=False)

    async def submit_batch(self, lines: Sequence[str], token: str) -> str:
        """Upload a file of requests and create the batch; returns its id."""
        content = "\n".join(lines).encode("utf-8", "replace")

        async def submit(client: Any) -> str:
            file = await client.files.create(file=("lupom.jsonl", content), purpose="batch")
            batch = await client.batches.create(
                input_file_id=file.id,
                endpoint=BATCHED,
                completion_window="24h",
                metadata={MARK: token},
            )
            return str(batch.id)

        return await self._endpoint.use(submit, UPLOAD)

    async def find_batch(self, token: str) -> str | None:
        """Look for a batch that carries a token, among the latest hundred."""

        async def find(client: Any) -> str | None:
            listed = await client.batches.list(limit=100)
            return next(
                (str(b.id) for b in listed.data if (b.metadata or {}).get(MARK) == token), None
            )

        return await self._endpoint.use(find)

    async def collect_batch(self, batch_id: str) -> Collected:
        """Return the replies of a batch that has ended, however it did."""

        async def collect(client: Any) -> tuple[str, list[bytes], str | None]:
            batch = await client.batches.retrieve(batch_id)
            files = []
            if batch.status in ENDED:
                for file in (batch.output_file_id, batch.error_file_id):
                    if file:
                        files.append((await client.files.content(file)).content)
            told = batch.errors.data[0].message if batch.errors and batch.errors.data else None
            return str(batch.status), files, told

        status, files, told = await self._endpoint.use(collect, UPLOAD)
        if status not in ENDED:
            return Collected()
        replies: dict[str, ProviderReply | ProviderError] = {}
        for content in files:
            for text in content.splitlines():
                if text.strip():
                    replies.update(self._line(text))
        # A batch that expired or was cancelled has the answers made by then; the rest goes again.
        failed = status == "failed" and not replies
        return Collected(replies, (told or "no reason given") if failed else None)

    def _line(self, text: bytes) -> dict[str, ProviderReply | ProviderError]:
        try:
            line = json.loads(text)
            name, response = str(line["custom_id"]), line.get("response") or {}
            status, body = int(response.get("status_code") or 0), response.get("body") or {}
        except (KeyError, TypeError, ValueError, AttributeError):
            return {}
        if status == 200:
            try:
                # Whichever way it was asked: what is there is the answer.
                return {name: self._read(body, {})}
            except ProviderError as error:
                return {name: error}
        fault = fault_of(body.get("error") or line.get("error") or "no reason given")
        refused = is_of_one_request(status, f"{fault.code} {fault.message}".lower())
        told = f"status {status}: {fault.message}"
        alone = may_be_alone(status, fault.param, f"{fault.code} {fault.message}".lower())
        return {name: self._endpoint.error(told, refused=refused, alone=alone)}

    async def check(self) -> str:
        """Return a line about the address and whether it lists the model; raises ProviderError."""
        where = f"{self._endpoint.url}, model '{self._endpoint.model}'"
        capabilities = self._negotiator.described()
        capabilities = "" if capabilities is None else f"; {capabilities}"
        try:
            listed = await self._endpoint.get("/models")
        except RejectedError:
            return f"{where}: reachable (it lists no models){capabilities}"
        except Exception as error:
            if "status 404" in str(error):
                ending = f".{self._endpoint.ending()}" if self._endpoint.ending() else ""
                return f"{where}: reachable (it lists no models){capabilities}{ending}"
            raise
        data = listed.get("data")
        names = (
            {m.get("id") for m in data if isinstance(m, dict)} if isinstance(data, list) else set()
        )
        known = "it lists the model"
        if self._endpoint.model not in names:
            meant = did_you_mean(self._endpoint.model, filter(None, map(str, names)))
            known = "it does not list the model" + (f"; {meant}" if meant else "")
        return f"{where}: reachable ({known}){capabilities}"

    async def close(self) -> None:
        """Close the connections."""
        await self._endpoint.close()

    def _body(self, request: ProviderRequest) -> dict[str, Any]:
        capabilities = self._negotiator.capabilities
        messages = as_taken(request.messages, capabilities)
        body: dict[str, Any] = {"model": self._endpoint.model, "messages": messages}
        if request.schema is not None:
            body.update(self._structure(request, request.schema, messages))
        body[capabilities.limit] = request.max_tokens
        if capabilities.temperature:
            body["temperature"] = request.temperature
        if capabilities.seed and request.temperature > 0:
            body["seed"] = request.seed
        if request.top_logprobs and capabilities.logprobs:
            body["logprobs"] = True
            body["top_logprobs"] = min(request.top_logprobs, capabilities.alternatives)
        body.update(request.extra)
        return body

    def _structure(
        self,
        request: ProviderRequest,
        whole: Mapping[str, Any],
        messages: Sequence[Mapping[str, str]],
    ) -> dict[str, Any]:
        """Return the part of a body that makes the answer fit a schema."""
        capabilities, name = self._negotiator.capabilities, request.schema_name
        schema = whole if capabilities.lengths else without(whole, LENGTHS)
        schema = schema if capabilities.limits else without(whole, LIMITS)
        if capabilities.mode == "json_schema":
            wanted = {"name": name, "schema": schema, "strict": True}
            return {"response_format": {"type": "json_schema", "json_schema": wanted}}
        # The arguments of a tool come without log-probabilities, which choices are read from.
        if capabilities.mode == "tools" and not (request.top_logprobs and capabilities.logprobs):
            function = {"name": name, "description": "Gives the answer.", "parameters": schema}
            choice: Any = {"tool": {"type": "function", "function": {"name": name}}}
            choice = {**choice, "any": "required", "auto": "auto"}[capabilities.choice]
            return {"tools": [{"type": "function", "function": function}], "tool_choice": choice}
        out: dict[str, Any] = {"messages": [*messages[:-1], _with(messages[-1], told(whole))]}
        if capabilities.json_object:
            out["response_format"] = {"type": "json_object"}
        return out

    def _adapt(self, about: str, body: Mapping[str, Any]) -> bool:
        """Give up the parts of a request that an address complained about, all that are named.

        Returns False when the complaint is about nothing we can do without. Requests in flight
        together get the same complaint; those whose part is given up already are just sent again.
        """
        capabilities = self._negotiator.capabilities
        given_up = self._renamed(about, body) | self._with_fewer_alternatives(about, body)
        for name in ("seed", "temperature"):
            if name in about and name in body:
                setattr(capabilities, name, False)
                given_up = True
        given_up |= with_fewer(capabilities, about, [m["role"] for m in body["messages"]])
        if given_up:
            return True
        if "length" in about and has_any(body, LENGTHS) and capabilities.lengths:
            capabilities.lengths = False
        elif "tool_choice" in about and "tool_choice" in body:
            sent = body["tool_choice"]
            choice = sent if sent == "auto" else "any" if sent == "required" else "tool"
            return self._negotiator.loosen(choice)
        elif "tools" in body and any(word in about for word in ("tool", "function")):
            return self._negotiator.weaken("tools")
        elif "response_format" in body and _is_about_structure(about):
            if body["response_format"]["type"] != "json_schema":
                capabilities.json_object = False
            elif _is_about_limits(about) and has_any(body, LIMITS) and capabilities.limits:
                capabilities.limits = False
            else:
                return self._negotiator.weaken("json_schema")
        else:
            return False
        return True

    def _renamed(self, about: str, body: Mapping[str, Any]) -> bool:
        """Give the limit on answered tokens its other name, where it is the name that is wrong."""
        sent = next((name for name in _LIMIT_NAMES if name in body), None)
        if (
            sent is None
            or not any(name in about for name in _LIMIT_NAMES)
            or _OF_VALUE.search(about)
        ):
            return False
        capabilities = self._negotiator.capabilities
        if sent == capabilities.limit:
            self._refused_names.add(sent)
            other = next((name for name in _LIMIT_NAMES if name not in self._refused_names), None)
            if other is None:
                return False
            capabilities.limit = other
        return True

    def _with_fewer_alternatives(self, about: str, body: Mapping[str, Any]) -> bool:
        """Ask for fewer alternatives where there are too many, else for no log-probabilities."""
        if "logprob" not in about.replace("_", "").replace("-", "").replace(" ", ""):
            return False
        capabilities, asked = self._negotiator.capabilities, int(body.get("top_logprobs") or 0)
        if "logprobs" not in body:
            return False
        if capabilities.logprobs and capabilities.alternatives >= asked:
            allowed = [n for n in map(int, _NUMBER.findall(about)) if _FEWEST <= n < asked]
            named = _NUMBER.search(about) is not None and not _UNKNOWN.search(about)
            named = named and asked > _FEW
            if allowed or named:
                capabilities.alternatives = max(allowed, default=_FEW)
            else:
                capabilities.logprobs = False
        return True

    def _blindly(self, about: str, body: Mapping[str, Any]) -> list[Callable[[], object]]:
        """Return what can be given up of a body, one by one, where a complaint names none of it."""
        if is_of_limit(about) and _OF_VALUE.search(about):
            return []

        def give_up(name: str, value: Any) -> Callable[[], object]:
            return lambda: setattr(self._negotiator.capabilities, name, value)

        changes = []
        if "logprobs" in body:
            changes.append(give_up("logprobs", False))
        if "max_tokens" in body:
            changes.append(give_up("limit", "max_completion_tokens"))
        changes.append(give_up("temperature", False))
        if any(message["role"] == "system" for message in body["messages"]):
            changes.append(give_up("system", False))
        if "response_format" in body and not self._negotiator.fixed:
            changes.append(lambda: (give_up("mode", "json")(), give_up("json_object", False)()))
        return changes


# Names of the limit on answered tokens, and what complaints about its value say.
_LIMIT_NAMES = ("max_tokens", "max_completion_tokens")
_OF_VALUE = re.compile(
    r"too (large|high|big|many)|at most|exceed|less than|<=|between|maximum (of|is)|\brange\b"
)
_UNKNOWN = re.compile(r"(not|n't) (supported|permitted|available)|unsupported|unknown|extra_forbid")
_NUMBER = re.compile(r"(?<![\w.-])\d+(?![\w-])")
# Alternatives that most allow who have a limit, and fewer than which say nothing of a choice.
_FEW, _FEWEST = 5, 2


def _with(message: Mapping[str, str], more: str) -> dict[str, str]:
    return {**message, "content": f"{message['content']}\n\n{more}"}


def _is_about_structure(about: str) -> bool:
    words = ("response_format", "json_schema", "json_object", "schema", "grammar", "strict")
    return any(word in about for word in words)


def _is_about_limits(about: str) -> bool:
    return any(re.search(rf"\b{word.lower()}\b", about) for word in LIMITS)
