"""An OpenAI-compatible server on loopback for tests and benchmarks: real sockets, no model.

Answers are deterministic and fit the JSON schema that was asked for. Latency, faults, a rate limit
and scripted answers are settings; every request is counted and its body kept.

    with LLMServer(latency=0.1) as server:
        ... base_url=server.base_url ...
        assert server.requests == 3

It also runs by itself: `python -m tests.support.llm_server --port 8999 --latency-ms 100`.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import contextlib
import json
import struct
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from aiohttp import web

from tests.support.answers import (
    already_begun,
    embedding,
    fit,
    labels_of,
    logprobs_of,
    probabilities_of,
    schema_in,
    schema_of,
)
from tests.support.faults import Fault, fail_always, fail_every, fail_first
from tests.support.threaded_server import ThreadedServer

__all__ = ["Fault", "LLMServer", "fail_always", "fail_every", "fail_first"]


@dataclass
class LLMServer(ThreadedServer):
    """The server, in a thread of its own; a context manager.

    Attributes
    ----------
    latency : seconds before each answer.
    gathers : so many requests must have been out at once before any but the first, which goes
        alone, is answered (after half a minute they are, all the same); 0 waits for none.
    faults : called with the request's number (from 1) and body; returns what goes wrong, or None.
    answers : called with the request's body; returns the content to answer with (a string, or an
        object that becomes JSON), a Fault, or None for the usual answer.
    distribution : called with the labels of a choice; returns the probability of each, to be
        reported at the label's token. Default: deterministic by the prompt, 2 % of the mass
        elsewhere.
    logprobs, json_schema, tools : 'accept', 'ignore' (answer as if not asked) or 'reject' (status
        400); json_object, too, but for 'ignore'.
    cached_from : tokens from which beginnings are cached, as OpenAI does by itself, and counted in
        `prompt_tokens_details`; 0: usage says nothing of a cache.
    counts : whether the usage of embeddings is said.
    glue : the label shares its token with the quote before it, as in some tokenizers.
    rate_limit : requests in any one second before status 429.
    batches : what becomes of batches when they are looked at; one that expires has answered half
        of its requests.
    api_key : the key to insist on (status 401); models : the names it knows (status 404), None for
        any.
    """

    latency: float = 0.0
    gathers: int = 0
    port: int = 0
    faults: Callable[[int, dict[str, Any]], Fault | None] | None = None
    answers: Callable[[dict[str, Any]], str | dict[str, Any] | Fault | None] | None = None
    distribution: Callable[[list[str]], dict[str, float]] | None = None
    logprobs: Literal["accept", "ignore", "reject"] = "accept"
    json_schema: Literal["accept", "ignore", "reject"] = "accept"
    tools: Literal["accept", "ignore", "reject"] = "accept"
    json_object: Literal["accept", "reject"] = "accept"
    cached_from: int = 0
    counts: bool = True
    glue: bool = False
    rate_limit: float = 0.0
    retry_after: float | None = 0.05
    api_key: str | None = None
    models: list[str] | None = None
    batches: Literal["complete", "wait", "fail", "expire"] = "complete"
    keep: int = 10_000

    requests: int = 0
    answered: int = 0
    embedded: int = 0
    in_flight: int = 0
    max_in_flight: int = 0
    bodies: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    batched: list[list[dict[str, Any]]] = field(default_factory=list)
    _files: dict[str, bytes] = field(default_factory=dict, repr=False)
    _batches: dict[str, dict[str, Any]] = field(default_factory=dict, repr=False)
    _begun: set[str] = field(default_factory=set, repr=False)
    _recent: deque[float] = field(default_factory=deque, repr=False)

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def prompts(self) -> list[str]:
        """The text of each kept request's last message."""
        return [body["messages"][-1]["content"] for body in self.bodies if "messages" in body]

    def reset(self) -> None:
        """Forget what was asked so far; settings stay."""
        self.requests = self.answered = self.embedded = self.max_in_flight = 0
        self.batched.clear()
        self.bodies.clear()
        self.headers.clear()

    async def _serve(self, ready: Callable[[], None]) -> None:
        app = web.Application(client_max_size=64 << 20)
        app.router.add_post("/v1/chat/completions", self._chat)
        # As the package of Groq asks for it.
        app.router.add_post("/openai/v1/chat/completions", self._chat)
        app.router.add_post("/v1/embeddings", self._embeddings)
        app.router.add_get("/v1/models", self._models)
        app.router.add_post("/v1/files", self._upload)
        app.router.add_get("/v1/files/{id}/content", self._download)
        app.router.add_post("/v1/batches", self._make_batch)
        app.router.add_get("/v1/batches", self._list_batches)
        app.router.add_get("/v1/batches/{id}", self._look_at_batch)
        app.router.add_get("/stats", self._stats)
        app.router.add_post("/reset", self._reset)
        app.router.add_post("/config", self._config)
        await self._serve_app(app, ready)

    # Endpoints

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        begun = time.monotonic()
        self.requests += 1
        number = self.requests
        self.in_flight += 1
        self.max_in_flight = max(self.max_in_flight, self.in_flight)
        try:
            body = await request.json()
            self._keep(request, body)
            refused = self._refusal(request, body)
            if refused is not None:
                return refused
            fault = self.faults(number, body) if self.faults else None
            content = None
            if fault is None and self.answers is not None:
                answer = self.answers(body)
                if isinstance(answer, Fault):
                    fault = answer
                elif answer is not None:
                    content = answer if isinstance(answer, str) else json.dumps(answer)
            if fault is not None and fault.kind == "text":
                content, fault = fault.message, None
            await self._gathered(number)
            wait = self.latency - (time.monotonic() - begun)
            if wait > 0:
                await asyncio.sleep(wait)
            if fault is not None:
                return await self._fail(request, fault)
            self.answered += 1
            return web.json_response(self._completion(number, body, content))
        finally:
            self.in_flight -= 1

    async def _gathered(self, number: int) -> None:
        end = time.monotonic() + 30.0
        while number > 1 and self.max_in_flight < self.gathers and time.monotonic() < end:
            await asyncio.sleep(0.005)

    async def _embeddings(self, request: web.Request) -> web.StreamResponse:
        self.requests += 1
        body = await request.json()
        self._keep(request, body)
        refused = self._refusal(request, body)
        if refused is not None:
            return refused
        fault = self.faults(self.requests, body) if self.faults else None
        if fault is not None:
            return await self._fail(request, fault)
        texts = [body["input"]] if isinstance(body["input"], str) else body["input"]
        self.embedded += len(texts)
        size = body.get("dimensions") or 8
        data = []
        for i, text in enumerate(texts):
            vector: Any = embedding(text, size)
            if body.get("encoding_format") == "base64":
                vector = base64.b64encode(struct.pack(f"<{size}f", *vector)).decode()
            data.append({"object": "embedding", "index": i, "embedding": vector})
        tokens = sum(max(1, len(text) // 4) for text in texts)
        usage = {"prompt_tokens": tokens, "total_tokens": tokens}
        said = {"usage": usage} if self.counts else {}
        return web.json_response(
            {"object": "list", "data": data, "model": body.get("model"), **said}
        )

    async def _models(self, request: web.Request) -> web.StreamResponse:
        if self.api_key and request.headers.get("Authorization") != f"Bearer {self.api_key}":
            return self._error(Fault(status=401, message="Incorrect API key provided"))
        names = self.models or ["test-model"]
        data = [{"id": n, "object": "model", "created": 0, "owned_by": "tests"} for n in names]
        return web.json_response({"object": "list", "data": data})

    async def _stats(self, _request: web.Request) -> web.StreamResponse:
        names = ("requests", "answered", "embedded", "in_flight", "max_in_flight")
        return web.json_response({name: getattr(self, name) for name in names})

    async def _reset(self, _request: web.Request) -> web.StreamResponse:
        self.reset()
        return web.json_response({})

    async def _config(self, request: web.Request) -> web.StreamResponse:
        """Set latency, rate_limit, retry_after; fail_every with the fields of a Fault."""
        wanted = await request.json()
        every = wanted.pop("fail_every", None)
        fault = wanted.pop("fault", {})
        if every is not None:
            self.faults = fail_every(every, Fault(**fault)) if every else None
        names = ("latency", "rate_limit", "retry_after", "logprobs", "json_schema", "tools", "glue")
        for name in names:
            if name in wanted:
                setattr(self, name, wanted[name])
        return web.json_response({})

    # Batches

    async def _upload(self, request: web.Request) -> web.StreamResponse:
        content = b""
        async for part in await request.multipart():
            if getattr(part, "name", "") == "file":
                content = bytes(await part.read())  # type: ignore[union-attr,arg-type]
        name = f"file-{len(self._files)}"
        self._files[name] = content
        made = {"id": name, "object": "file", "bytes": len(content), "created_at": 0}
        return web.json_response({**made, "filename": "x", "purpose": "batch", "status": "ok"})

    async def _download(self, request: web.Request) -> web.StreamResponse:
        return web.Response(body=self._files[request.match_info["id"]])

    async def _make_batch(self, request: web.Request) -> web.StreamResponse:
        self.requests += 1
        wanted = await request.json()
        fault = self.faults(self.requests, wanted) if self.faults else None
        if fault is not None and fault.kind != "reset":
            return await self._fail(request, fault)
        lines = [json.loads(x) for x in self._files[wanted["input_file_id"]].splitlines()]
        self.batched.append([line["body"] for line in lines])
        name = f"batch-{len(self._batches)}"
        known = {key: wanted[key] for key in ("input_file_id", "endpoint", "completion_window")}
        self._batches[name] = {
            **{"id": name, "object": "batch", "created_at": 0, "status": "validating"},
            **known,
            "metadata": wanted.get("metadata"),
        }
        if fault is not None:
            # Created, but the answer is lost on the way.
            return await self._fail(request, fault)
        return web.json_response(self._batches[name])

    async def _list_batches(self, _request: web.Request) -> web.StreamResponse:
        data = list(reversed(self._batches.values()))
        return web.json_response({"object": "list", "data": data, "has_more": False})

    async def _look_at_batch(self, request: web.Request) -> web.StreamResponse:
        batch = self._batches[request.match_info["id"]]
        if batch["status"] in ("validating", "in_progress"):
            self._proceed(batch)
        return web.json_response(batch)

    def _proceed(self, batch: dict[str, Any]) -> None:
        if self.batches == "wait":
            batch["status"] = "in_progress"
            return
        if self.batches == "fail":
            error = {"code": "invalid", "message": "the file is no good"}
            batch |= {"status": "failed", "errors": {"object": "list", "data": [error]}}
            return
        lines = [json.loads(x) for x in self._files[batch["input_file_id"]].splitlines()]
        if self.batches == "expire":
            lines = lines[: len(lines) // 2]
        output, errors = [], []
        for number, line in enumerate(lines):
            answer = self.answers(line["body"]) if self.answers else None
            if isinstance(answer, Fault):
                body: dict[str, Any] = {"error": {"message": answer.message}}
                response = {"status_code": answer.status, "body": body}
                errors.append({"custom_id": line["custom_id"], "response": response})
                continue
            content = answer if isinstance(answer, str) or answer is None else json.dumps(answer)
            body = self._completion(number, line["body"], content)
            response = {"status_code": 200, "body": body}
            output.append({"custom_id": line["custom_id"], "response": response})
        batch["status"] = "expired" if self.batches == "expire" else "completed"
        for name, found in (("output_file_id", output), ("error_file_id", errors)):
            if found:
                batch[name] = f"{batch['id']}-{name}"
                self._files[batch[name]] = "\n".join(map(json.dumps, found)).encode()

    # What is answered

    def _keep(self, request: web.Request, body: dict[str, Any]) -> None:
        if len(self.bodies) < self.keep:
            self.bodies.append(body)
            self.headers.append({k.lower(): v for k, v in request.headers.items()})

    def _refusal(self, request: web.Request, body: dict[str, Any]) -> web.Response | None:
        if self.api_key and request.headers.get("Authorization") != f"Bearer {self.api_key}":
            sent = request.headers.get("Authorization", "")
            return self._error(
                Fault(
                    status=401,
                    message=f"Incorrect API key provided: {sent}",
                    code="invalid_api_key",
                )
            )
        if self.models is not None and body.get("model") not in self.models:
            message = f"The model `{body.get('model')}` does not exist"
            return self._error(Fault(status=404, message=message, code="model_not_found"))
        if self.rate_limit:
            now = time.monotonic()
            while self._recent and self._recent[0] < now - 1:
                self._recent.popleft()
            if len(self._recent) >= self.rate_limit:
                return self._error(
                    Fault(status=429, message="Rate limit reached", retry_after=self.retry_after)
                )
            self._recent.append(now)
        if body.get("logprobs") and self.logprobs == "reject":
            return self._error(
                Fault(status=400, message="logprobs is not supported", param="logprobs")
            )
        if schema_of(body) is not None and self.json_schema == "reject":
            message = "Invalid parameter: 'response_format' of type 'json_schema' is not supported"
            return self._error(Fault(status=400, message=message, param="response_format"))
        if body.get("tools") and self.tools == "reject":
            message = "This model does not support tools"
            return self._error(Fault(status=400, message=message, param="tools"))
        kind = (body.get("response_format") or {}).get("type")
        if kind == "json_object" and self.json_object == "reject":
            message = "response_format of type 'json_object' is not supported"
            return self._error(Fault(status=400, message=message, param="response_format"))
        return None

    def _error(self, fault: Fault) -> web.Response:
        error = {
            "message": fault.message,
            "type": "error",
            "code": fault.code,
            "param": fault.param,
        }
        headers = {} if fault.retry_after is None else {"retry-after": str(fault.retry_after)}
        return web.json_response({"error": error}, status=fault.status, headers=headers)

    async def _fail(self, request: web.Request, fault: Fault) -> web.StreamResponse:
        if fault.kind == "status":
            return self._error(fault)
        if fault.kind == "bad_json":
            return web.Response(text='{"id": "chatcmpl', content_type="application/json")
        if fault.kind == "wrong_shape":
            return web.json_response({"result": "ok", "choices": {"no": "list"}})
        if fault.kind == "hang":
            assert self._closing is not None
            await self._closing.wait()
        if fault.kind == "truncated":
            response = web.StreamResponse(
                headers={"content-type": "application/json", "content-length": "1000"}
            )
            await response.prepare(request)
            await response.write(b'{"id": "chatcmpl-1", "object": "chat.comp')
        if request.transport is not None:
            request.transport.abort() if fault.kind == "reset" else request.transport.close()
        return web.Response(status=500)

    def _completion(self, number: int, body: dict[str, Any], content: str | None) -> dict[str, Any]:
        text = "\n".join(str(message.get("content")) for message in body["messages"])
        seed = f"{text}\n{body.get('seed') or 0}"
        schema = schema_of(body) if self.json_schema != "ignore" else None
        tool = body["tools"][0]["function"] if body.get("tools") else None
        if tool is not None and self.tools == "ignore":
            tool = None
        if tool is not None:
            schema = tool["parameters"]
        if schema is None and schema_of(body) is None:
            schema = schema_in(text)
        labels = labels_of(schema)
        probabilities: dict[str, float] = {}
        if labels:
            probabilities = (
                self.distribution(labels) if self.distribution else probabilities_of(labels, seed)
            )
        if content is None:
            if labels:
                name = next(iter((schema or {})["properties"]))
                content = json.dumps({name: max(probabilities, key=lambda k: probabilities[k])})
            else:
                content = "I am not sure." if schema is None else json.dumps(fit(schema, seed))
        logprobs = None
        if body.get("logprobs") and self.logprobs == "accept" and tool is None:
            top = int(body.get("top_logprobs") or 0)
            logprobs = {
                "content": logprobs_of(content, probabilities, top, self.glue),
                "refusal": None,
            }
        message: dict[str, Any] = {"role": "assistant", "content": content, "refusal": None}
        choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": logprobs}
        if tool is not None and content.startswith("{"):
            called = {"name": tool["name"], "arguments": content}
            message["content"] = None
            message["tool_calls"] = [{"id": "call_1", "type": "function", "function": called}]
            choice["finish_reason"] = "tool_calls"
        tokens_in, tokens_out = max(1, len(text) // 4), max(1, len(content) // 4)
        usage: dict[str, Any] = {
            "prompt_tokens": tokens_in,
            "completion_tokens": tokens_out,
            "total_tokens": tokens_in + tokens_out,
        }
        if self.cached_from:
            usage["prompt_tokens_details"] = {
                "cached_tokens": already_begun(text, self._begun, self.cached_from)
            }
        return {
            "id": f"chatcmpl-{number}",
            "object": "chat.completion",
            "created": 0,
            "model": body.get("model", ""),
            "choices": [choice],
            "usage": usage,
        }


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(description="OpenAI-compatible test server on loopback")
    parser.add_argument("--port", type=int, default=8999)
    parser.add_argument("--latency-ms", type=float, default=0.0)
    parser.add_argument("--rate-limit", type=float, default=0.0)
    given = parser.parse_args()
    server = LLMServer(
        latency=given.latency_ms / 1000, port=given.port, rate_limit=given.rate_limit, keep=0
    )

    def ready() -> None:
        print(server.base_url, flush=True)

    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(server._run(ready))


if __name__ == "__main__":
    main()
