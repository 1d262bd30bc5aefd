"""Anthropic's Messages on loopback for the official client: no model, answers that fit the schema.

As `BedrockServer`; a Fault's code is the type of Anthropic's error.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from tests.support.answers import fit, read_and_written, schema_in
from tests.support.bedrock_server import BedrockServer, Fault, Model

STATUS = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "overloaded_error": 529,
}


@dataclass
class AnthropicServer(BedrockServer):
    """The server; `api_key` is the key to insist on."""

    api_key: str | None = None

    def _route(self, router: web.UrlDispatcher) -> None:
        router.add_post("/v1/messages", self._converse)
        router.add_get("/v1/models/{model}", self._model)

    async def _model(self, request: web.Request) -> web.StreamResponse:
        stranger = self._stranger(request)
        if stranger is not None:
            return await self._fail(request, stranger)
        return web.json_response({"id": request.match_info["model"], "type": "model"})

    def _stranger(self, request: web.Request) -> Fault | None:
        # Newer clients send the key as a bearer token.
        bearer = request.headers.get("Authorization", "").removeprefix("Bearer ")
        sent = request.headers.get("x-api-key", bearer)
        if self.api_key is None or sent == self.api_key:
            return None
        return Fault(code="authentication_error", message=f"invalid x-api-key: {sent}")

    async def _fail(self, request: web.Request, fault: Fault) -> web.StreamResponse:
        if fault.kind != "error":
            return await super()._fail(request, fault)
        # Complaints of the base class are Bedrock's.
        code = "invalid_request_error" if fault.code == "ValidationException" else fault.code
        headers = {} if fault.retry_after is None else {"retry-after": str(fault.retry_after)}
        error = {"type": code, "message": fault.message}
        body = {"type": "error", "error": error}
        return web.json_response(body, status=STATUS.get(code, 500), headers=headers)

    def _complaint(self, body: dict[str, Any], model: Model) -> dict[str, str] | None:
        if "output_config" in body and not model.json_schema:
            return {"message": "output_config.format: not supported by this model"}
        marked = [b for m in body["messages"] for b in m["content"] if "cache_control" in b]
        if len(marked) + sum("cache_control" in b for b in body.get("system", [])) > 4:
            return {"message": "A maximum of 4 blocks with cache_control may be provided."}
        choice = (body.get("tool_choice") or {}).get("type", "auto")
        if body.get("tools") and not model.choices:
            return {"message": "tools are not supported by this model"}
        if body.get("tools") and choice not in model.choices:
            return {"message": f"tool_choice: '{choice}' forces tool use, which is not supported"}
        if "temperature" in body and not model.temperature:
            return {"message": "temperature is not supported by this model"}
        return None

    def _message(self, body: dict[str, Any]) -> dict[str, Any]:
        contents = [body.get("system", []), *(m["content"] for m in body["messages"])]
        # A text alone is short for one block of it.
        listed = [[{"text": c}] if isinstance(c, str) else c for c in contents]
        blocks: list[dict[str, Any]] = [block for content in listed for block in content]
        text = "\n".join(block["text"] for block in blocks)
        schema, name = None, None
        if "output_config" in body:
            schema = body["output_config"]["format"]["schema"]
        elif body.get("tools"):
            schema, name = body["tools"][0]["input_schema"], body["tools"][0]["name"]
        else:
            schema = schema_in(text)
        answer: Any = self.answers(body) if self.answers else None
        if answer is None:
            answer = "I am not sure." if schema is None else fit(schema, text)
        spelled = answer if isinstance(answer, str) else json.dumps(answer)
        content: dict[str, Any] = {"type": "text", "text": spelled}
        if name is not None and not isinstance(answer, str):
            content = {"type": "tool_use", "id": "t", "name": name, "input": answer}
        thought = {"type": "thinking", "thinking": "Hm. {", "signature": "s"}
        return {
            **{"id": "m", "type": "message", "role": "assistant", "model": body["model"]},
            "content": [thought, content],
            "stop_reason": "tool_use" if content["type"] == "tool_use" else "end_turn",
            "usage": self._counted(blocks, text, spelled),
        }

    def _counted(self, blocks: list[dict[str, Any]], text: str, answer: str) -> dict[str, int]:
        before, points = "", []
        for block in blocks:
            before += block["text"]
            if "cache_control" in block:
                points.append(before)
        read, written = read_and_written(points, self._cached, self.cached_from)
        return {
            "input_tokens": max(1, len(text) // 4) - read - written,
            "output_tokens": max(1, len(answer) // 4),
            "cache_read_input_tokens": read,
            "cache_creation_input_tokens": written,
        }
