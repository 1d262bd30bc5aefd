"""A Bedrock runtime on loopback for an unmodified boto3 client: Converse and CountTokens, no model.

Answers are deterministic and fit the schema that was asked for. What a model can do is a setting:
it complains about the rest in AWS's words. Prompt caches are kept, so that usage counts them.

    with BedrockServer() as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", server.url)
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import unquote

from aiohttp import web

import tests.support.aws_models  # noqa: F401 -- what boto3 reads of AWS, once
from tests.support.answers import embedding, fit, read_and_written, schema_in
from tests.support.threaded_server import ThreadedServer


@dataclass(frozen=True)
class Fault:
    """What goes wrong with one request: an AWS exception, or a broken answer.

    `kind` 'error' answers with `code` and `message`; 'bad_json' with a body that is no JSON;
    'wrong_shape' with JSON that is no message; 'reset' by closing the connection; 'hang' never.
    """

    kind: Literal["error", "bad_json", "wrong_shape", "reset", "hang"] = "error"
    code: str = "InternalServerException"
    message: str = "injected"
    retry_after: float | None = None


STATUS = {
    "AccessDeniedException": 403,
    "ExpiredTokenException": 403,
    "UnrecognizedClientException": 403,
    "ThrottlingException": 429,
    "ModelNotReadyException": 429,
    "ResourceNotFoundException": 404,
    "ModelTimeoutException": 408,
    "ModelErrorException": 424,
    "ServiceUnavailableException": 503,
    "ValidationException": 400,
    "InternalServerException": 500,
}


@dataclass(frozen=True)
class Model:
    """What a model can do; `choices` are the tool choices it takes, none at all for no tools."""

    json_schema: bool = True
    choices: tuple[str, ...] = ("auto", "any", "tool")
    cache: bool = True
    system: bool = True
    temperature: bool = True


@dataclass
class BedrockServer(ThreadedServer):
    """The server, in a thread of its own; a context manager.

    Attributes
    ----------
    latency : seconds before each answer.
    faults : called with the request's number (from 1) and body; returns what goes wrong, or None.
    answers : called with the body; returns the object to answer with, a text, or None for the
        usual answer.
    model : what a model can do.
    of : what those can do whose id holds a word, where models differ.
    cached_from : tokens of the shortest beginning that a cache point caches.
    """

    latency: float = 0.0
    faults: Callable[[int, dict[str, Any]], Fault | None] | None = None
    answers: Callable[[dict[str, Any]], dict[str, Any] | str | None] | None = None
    model: Model = field(default_factory=Model)
    of: Mapping[str, Model] = field(default_factory=dict)
    cached_from: int = 0

    port: int = 0
    requests: int = 0
    answered: int = 0
    max_in_flight: int = 0
    bodies: list[dict[str, Any]] = field(default_factory=list)
    models: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    _in_flight: int = 0
    _cached: set[str] = field(default_factory=set, repr=False)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def reset(self) -> None:
        """Forget what was asked so far; settings stay."""
        self.requests = self.answered = self.max_in_flight = 0
        self.bodies.clear()
        self.models.clear()
        self.headers.clear()

    async def _serve(self, ready: Callable[[], None]) -> None:
        app = web.Application(client_max_size=64 << 20)
        self._route(app.router)
        await self._serve_app(app, ready)

    def _route(self, router: web.UrlDispatcher) -> None:
        router.add_post("/model/{model}/converse", self._converse)
        router.add_post("/model/{model}/count-tokens", self._count)
        router.add_post("/model/{model}/invoke", self._invoke)

    async def _converse(self, request: web.Request) -> web.StreamResponse:
        begun = time.monotonic()
        self._in_flight += 1
        self.max_in_flight = max(self.max_in_flight, self._in_flight)
        try:
            body, refused = await self._read(request)
            if refused is not None:
                return await self._fail(request, refused)
            complaint = self._complaint(body, self._ability(_name(request, body)))
            if complaint is not None:
                return await self._fail(
                    request, Fault(code="ValidationException", message=complaint["message"])
                )
            wait = self.latency - (time.monotonic() - begun)
            if wait > 0:
                await asyncio.sleep(wait)
            self.answered += 1
            return web.json_response(self._message(body))
        finally:
            self._in_flight -= 1

    async def _count(self, request: web.Request) -> web.StreamResponse:
        _, refused = await self._read(request)
        if refused is not None:
            return await self._fail(request, refused)
        return web.json_response({"inputTokens": 9})

    async def _invoke(self, request: web.Request) -> web.StreamResponse:
        """Answer as Titan's text embeddings do."""
        body, refused = await self._read(request)
        if refused is not None:
            return await self._fail(request, refused)
        self.answered += 1
        vector = embedding(body["inputText"], body.get("dimensions") or 1024)
        count = max(1, len(body["inputText"]) // 4)
        return web.json_response({"embedding": vector, "inputTextTokenCount": count})

    async def _read(self, request: web.Request) -> tuple[dict[str, Any], Fault | None]:
        self.requests += 1
        number = self.requests
        body = await request.json()
        self.bodies.append(body)
        self.models.append(_name(request, body))
        self.headers.append({k.lower(): v for k, v in request.headers.items()})
        stranger = self._stranger(request)
        if stranger is not None:
            return body, stranger
        return body, self.faults(number, body) if self.faults else None

    def _stranger(self, request: web.Request) -> Fault | None:
        signed = request.headers.get("Authorization", "")
        if signed.startswith(("AWS4-HMAC-SHA256 Credential=", "Bearer ")):
            return None
        return Fault(code="UnrecognizedClientException", message="Missing Authentication Token")

    async def _fail(self, request: web.Request, fault: Fault) -> web.StreamResponse:
        if fault.kind == "bad_json":
            return web.Response(text='{"output": {"mess', content_type="application/json")
        if fault.kind == "wrong_shape":
            return web.json_response({"output": {"nothing": "here"}})
        if fault.kind == "hang":
            assert self._closing is not None
            await self._closing.wait()
        if fault.kind in ("reset", "hang"):
            if request.transport is not None:
                request.transport.abort()
            return web.Response(status=500)
        headers = {"x-amzn-ErrorType": fault.code}
        if fault.retry_after is not None:
            headers["retry-after"] = str(fault.retry_after)
        status = STATUS.get(fault.code, 400)
        return web.json_response({"message": fault.message}, status=status, headers=headers)

    def _ability(self, name: str) -> Model:
        return next((can for word, can in self.of.items() if word in name), self.model)

    def _complaint(self, body: dict[str, Any], model: Model) -> dict[str, str] | None:
        if "outputConfig" in body and not model.json_schema:
            return {"message": "This model doesn't support the outputConfig.textFormat field."}
        if "toolConfig" in body:
            choice = next(iter(body["toolConfig"].get("toolChoice") or {"auto": {}}))
            if not model.choices:
                return {"message": "This model doesn't support tool use."}
            if choice not in model.choices:
                where = f"toolConfig.toolChoice.{choice}"
                return {"message": f"This model doesn't support the {where} field. Remove {where}"}
        if "system" in body and not model.system:
            return {"message": "This model doesn't support system messages."}
        if "temperature" in body.get("inferenceConfig", {}) and not model.temperature:
            return {"message": "`temperature` is deprecated for this model."}
        if len(_points(body)) > 4:
            return {"message": "Too many cachePoint blocks: at most 4 are allowed."}
        if _points(body) and not model.cache:
            unsupported = "You invoked an unsupported model or your request did not allow"
            return {"message": f"{unsupported} prompt caching."}
        return None

    def _message(self, body: dict[str, Any]) -> dict[str, Any]:
        text = "\n".join(_texts(body))
        schema, name = None, None
        if "outputConfig" in body:
            wanted = body["outputConfig"]["textFormat"]["structure"]["jsonSchema"]
            schema = json.loads(wanted["schema"])
        elif "toolConfig" in body:
            spec = body["toolConfig"]["tools"][0]["toolSpec"]
            schema, name = spec["inputSchema"]["json"], spec["name"]
        else:
            schema = schema_in(text)
        answer: Any = self.answers(body) if self.answers else None
        if answer is None:
            answer = "I am not sure." if schema is None else fit(schema, text)
        content: dict[str, Any]
        if name is not None and not isinstance(answer, str):
            content = {"toolUse": {"toolUseId": "t", "name": name, "input": answer}}
        else:
            content = {"text": answer if isinstance(answer, str) else json.dumps(answer)}
        spelled = answer if isinstance(answer, str) else json.dumps(answer)
        return {
            "output": {"message": {"role": "assistant", "content": [content]}},
            "stopReason": "tool_use" if "toolUse" in content else "end_turn",
            "usage": self._usage(body, text, spelled),
            "metrics": {"latencyMs": 1},
        }

    def _usage(self, body: dict[str, Any], text: str, answer: str) -> dict[str, Any]:
        read, written = read_and_written(_points(body), self._cached, self.cached_from)
        plain = max(1, len(text) // 4) - read - written
        out = max(1, len(answer) // 4)
        usage = {"inputTokens": plain, "outputTokens": out, "totalTokens": plain + out}
        if _points(body):
            usage |= {"cacheReadInputTokens": read, "cacheWriteInputTokens": written}
        return usage


def _name(request: web.Request, body: dict[str, Any]) -> str:
    return unquote(request.match_info.get("model", body.get("model", "")))


def _blocks(body: dict[str, Any]) -> list[dict[str, Any]]:
    return [*body.get("system", []), *(b for m in body["messages"] for b in m["content"])]


def _texts(body: dict[str, Any]) -> list[str]:
    return [block["text"] for block in _blocks(body) if "text" in block]


def _points(body: dict[str, Any]) -> list[str]:
    """Return the text before each cache point."""
    found, before = [], ""
    for block in _blocks(body):
        before += block.get("text", "")
        if "cachePoint" in block:
            found.append(before)
    return found
