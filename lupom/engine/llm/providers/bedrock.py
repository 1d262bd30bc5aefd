"""Amazon Bedrock through boto3's Converse: Claude, Mistral, Llama, Nova and whatever follows.

Not through instructor 1.17, which `provider: instructor, model: bedrock/...` is for. It keeps the
first block of a system message and drops the rest, cache points among it, so that the part all
prompts share would be paid in full; it demands its one tool by name, which Mistral Large and models
that may only be offered tools refuse; and it makes no records of batch jobs. A test holds these
against it, to be told when they change. It costs 2.0 ms of CPU a call where this takes 1.1.

aiobotocore pins an exact botocore; boto3 in threads gives 800 answers a second at 200 in flight and
100 ms each, beyond any quota of Bedrock's.

What Converse has not: log-probabilities. A choice's distribution is its label alone, or the share
of labels over several draws.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lupom.engine.llm.providers.aws import Runtime
from lupom.engine.llm.providers.base import (
    ALONE,
    Collected,
    ProviderError,
    ProviderReply,
    ProviderRequest,
    Surroundings,
)
from lupom.engine.llm.providers.bedrock_models import start_of
from lupom.engine.llm.providers.capabilities import (
    Negotiator,
    told,
    with_extra,
)
from lupom.engine.llm.providers.endpoint import RejectedError, is_of_one_request, may_be_alone
from lupom.engine.llm.providers.jobs import ENDED, Jobs
from lupom.engine.llm.providers.prefix import cached_from, in_blocks, pieces_of
from lupom.engine.llm.providers.replies import CONVERSE_USAGE, of_blocks
from lupom.engine.llm.providers.turns import as_taken, with_fewer
from lupom.engine.llm.schemas import LIMITS, without

if TYPE_CHECKING:
    from lupom.engine.llm.settings.bedrock import BedrockSettings


class BedrockProvider:
    """A model on Bedrock.

    A part of a request that the model refuses (ValidationException: schemas, tools, system
    messages, cache points, a temperature) is given up, and not asked for again.
    """

    cache_points = True

    def __init__(self, alias: str, settings: BedrockSettings, around: Surroundings = ALONE) -> None:
        self._settings = settings
        self._model = settings.model or ""
        self._runtime = Runtime(
            alias, settings, threads=settings.concurrency, under=f"llms.{alias}"
        )
        self._jobs = Jobs(self._runtime, settings)
        self._negotiator = Negotiator(
            self.identity(), settings.mode, start_of(self._model), around.memory
        )

    def identity(self) -> dict[str, Any]:
        """Return provider and model; the same model in another region is the same model."""
        return {"provider": "bedrock", "model": self._model}

    def cached_from(self) -> int:
        """Return the characters from which a beginning is cached; 0 where none is."""
        self._negotiator.recall()
        wanted = self._settings.prompt_cache and self._negotiator.capabilities.cache
        return cached_from(self._model) if wanted else 0

    async def complete(self, request: ProviderRequest) -> ProviderReply:
        """Answer one request; raises ProviderError."""
        return await self._negotiator.ask(request, self._body, self._send, self._adapt, _read)

    async def _send(self, body: dict[str, Any]) -> dict[str, Any]:
        return await self._runtime.call("converse", **body)

    def batch_line(self, name: str, request: ProviderRequest) -> str:
        """Return the record of a job that asks one request, as Converse would be asked it."""
        self._negotiator.recall()
        # Jobs of Converse refuse tools, whatever the model takes.
        mode = "json" if self._negotiator.capabilities.mode == "tools" else None
        record = {"recordId": name, "modelInput": self._body(request, mode)}
        return json.dumps(record, ensure_ascii=False)

    async def submit_batch(self, lines: Sequence[str], token: str) -> str:
        """Put the records into S3 and create the job; returns its ARN."""
        return await self._jobs.submit(lines, token)

    async def find_batch(self, token: str) -> str | None:
        """Look for the job whose name has a token."""
        return await self._jobs.find(token)

    async def collect_batch(self, batch_id: str) -> Collected:
        """Return the replies of a job that has ended, however it did."""
        status, told_, prefix = await self._jobs.state(batch_id)
        if status not in ENDED:
            return Collected()
        replies: dict[str, ProviderReply | ProviderError] = {}
        for record in await self._jobs.records(prefix):
            replies.update(_record(record))
        # A job that expired or was stopped has the answers made by then; the rest goes again.
        failed = status == "Failed" and not replies
        return Collected(replies, (told_ or "no reason given") if failed else None)

    async def check(self) -> str:
        """Count the tokens of a word, which is free; raises ProviderError."""
        words: dict[str, Any] = {"messages": [{"role": "user", "content": [{"text": "Hello"}]}]}
        note = ""
        try:
            await self._runtime.call("count_tokens", input={"converse": words})
        except ProviderError as error:
            # That it counts no tokens for this model, or under this profile, is an answer, too.
            if not isinstance(error, RejectedError) and "there is no model" not in error.message:
                raise
            note = " (it counts no tokens for this model)"
        capabilities = self._negotiator.described()
        capabilities = "" if capabilities is None else f"; {capabilities}"
        return f"Bedrock in {self._runtime.region}, '{self._model}': reachable{note}{capabilities}"

    async def close(self) -> None:
        await self._runtime.close()

    def _body(self, request: ProviderRequest, mode: str | None = None) -> dict[str, Any]:
        capabilities = self._negotiator.capabilities
        mode = mode or capabilities.mode
        inference: dict[str, Any] = {"maxTokens": request.max_tokens}
        if capabilities.temperature:
            inference["temperature"] = request.temperature
        body: dict[str, Any] = {"inferenceConfig": inference}
        taken = as_taken(request.messages, capabilities)
        texts = [(message["role"], message["content"]) for message in taken]
        if request.schema is not None:
            schema = request.schema if capabilities.lengths else without(request.schema, LIMITS)
            name = request.schema_name
            if mode == "json_schema":
                wanted = {"name": name, "schema": json.dumps(schema, ensure_ascii=False)}
                structure = {"type": "json_schema", "structure": {"jsonSchema": wanted}}
                body["outputConfig"] = {"textFormat": structure}
            elif mode == "tools":
                body["toolConfig"] = _tool(name, request.schema, capabilities.choice)
            else:
                role, text = texts[-1]
                texts[-1] = (role, f"{text}\n\n{told(request.schema)}")
        lasts = self._settings.prompt_cache if capabilities.cache else False
        body |= in_blocks(request, texts, lasts, "default", _blocks)
        return with_extra(body, request.extra)

    def _adapt(self, about: str, body: Mapping[str, Any]) -> bool:
        """Give up what a model complained about; False when that is nothing we can do without."""
        capabilities = self._negotiator.capabilities
        choice = next(iter(body.get("toolConfig", {}).get("toolChoice", {})), "auto")
        of_choice = "toolchoice" in about.replace("_", "").replace(" ", "")
        if ("cachepoint" in about or "prompt caching" in about) and _has_cache(body):
            capabilities.cache = False
        elif "temperature" in about and "temperature" in body["inferenceConfig"]:
            capabilities.temperature = False
        elif with_fewer(capabilities, about, _roles(body)):
            return True
        elif of_choice and "toolConfig" in body:
            return self._negotiator.loosen(choice)
        elif "tool" in about and "toolConfig" in body:
            return self._negotiator.weaken("tools")
        elif "outputConfig" in body and any(word in about for word in _STRUCTURE):
            return self._negotiator.weaken("json_schema")
        else:
            return False
        return True


_STRUCTURE = (
    "outputconfig",
    "output_config",
    "textformat",
    "structured output",
    "schema",
    "format",
)


def _tool(name: str, schema: Mapping[str, Any], choice: str) -> dict[str, Any]:
    spec = {"name": name, "description": "Gives the answer.", "inputSchema": {"json": schema}}
    config: dict[str, Any] = {"tools": [{"toolSpec": spec}]}
    if choice == "tool":
        config["toolChoice"] = {"tool": {"name": name}}
    elif choice == "any":
        config["toolChoice"] = {"any": {}}
    return config


def _blocks(text: str, cuts: Sequence[int], point: Mapping[str, Any]) -> list[dict[str, Any]]:
    out: list[dict[str, Any]] = []
    for piece, cached in pieces_of(text, cuts):
        out.append({"text": piece})
        if cached:
            out.append({"cachePoint": dict(point)})
    return out


def _roles(body: Mapping[str, Any]) -> list[str]:
    system = ["system"] if body.get("system") else []
    return [*system, *(message["role"] for message in body["messages"])]


def _has_cache(body: Mapping[str, Any]) -> bool:
    blocks = [*body.get("system", ()), *(b for m in body["messages"] for b in m["content"])]
    return any("cachePoint" in block for block in blocks)


def _record(record: Mapping[str, Any]) -> dict[str, ProviderReply | ProviderError]:
    """Return what came of one record of a job."""
    name = str(record.get("recordId"))
    error = record.get("error")
    try:
        if not error:
            return {name: _read(record["modelOutput"], {})}
        code, message = int(error.get("errorCode") or 0), str(error.get("errorMessage"))
    except ProviderError as torn:
        return {name: torn}
    except (KeyError, TypeError, ValueError, AttributeError):
        return {}
    refused = is_of_one_request(code, message.lower())
    alone = may_be_alone(code, "", message.lower())
    return {name: ProviderError(f"status {code}: {message}", refused=refused, alone=alone)}


def _read(raw: Mapping[str, Any], sent: Mapping[str, Any]) -> ProviderReply:
    try:
        return _reply(raw, offered="toolConfig" in sent)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError):
        shown = json.dumps(raw, ensure_ascii=False, default=str)[:120]
        raise ProviderError(f"the body is not a message: {shown}", retryable=True) from None


def _reply(raw: Mapping[str, Any], *, offered: bool) -> ProviderReply:
    content = raw["output"]["message"]["content"] or ()
    called = [block["toolUse"].get("input") for block in content if "toolUse" in block]
    cited = [block["citationsContent"] for block in content if "citationsContent" in block]
    texts = [block for block in content if "text" in block]
    texts += [text for one in cited for text in one.get("content") or () if "text" in text]
    thoughts = [block.get("reasoningContent") or {} for block in content]
    return of_blocks(
        [c for c in called if c is not None],
        "".join(str(block["text"]) for block in texts),
        raw.get("usage"),
        raw.get("stopReason"),
        offered=offered,
        names=CONVERSE_USAGE,
        thought="".join(str((t.get("reasoningText") or {}).get("text") or "") for t in thoughts),
    )
