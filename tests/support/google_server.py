"""Google's Gemini on loopback for its own client: no model, answers that fit the schema.

As `BedrockServer`; a Fault's code is the status of Google's error, and its `retry_after` is said in
the body, as Google says it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from tests.support.answers import fit
from tests.support.bedrock_server import BedrockServer, Fault, Model

STATUS = {
    "INVALID_ARGUMENT": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
    "RESOURCE_EXHAUSTED": 429,
    "INTERNAL": 500,
    "UNAVAILABLE": 503,
}


@dataclass
class GoogleServer(BedrockServer):
    """The server; `api_key` is the key to insist on, `blocked` withholds every answer."""

    api_key: str | None = None
    blocked: bool = False

    def _route(self, router: web.UrlDispatcher) -> None:
        for version in ("v1", "v1beta"):
            router.add_post(f"/{version}/models/{{model}}:generateContent", self._converse)

    def _stranger(self, request: web.Request) -> Fault | None:
        sent = request.headers.get("x-goog-api-key")
        if self.api_key is None or sent == self.api_key:
            return None
        return Fault(code="UNAUTHENTICATED", message=f"API key not valid: {sent}")

    async def _fail(self, request: web.Request, fault: Fault) -> web.StreamResponse:
        if fault.kind != "error":
            return await super()._fail(request, fault)
        code = "INVALID_ARGUMENT" if fault.code == "ValidationException" else fault.code
        status = STATUS.get(code, 500)
        error: dict[str, Any] = {"code": status, "message": fault.message, "status": code}
        if fault.retry_after is not None:
            kind = "type.googleapis.com/google.rpc.RetryInfo"
            error["details"] = [{"@type": kind, "retryDelay": f"{fault.retry_after}s"}]
        return web.json_response({"error": error}, status=status)

    def _complaint(self, body: dict[str, Any], model: Model) -> dict[str, str] | None:
        config = body.get("generationConfig", {})
        if "responseSchema" in config and not model.json_schema:
            return {"message": "JSON mode is not enabled: response_mime_type, response_schema"}
        if "temperature" in config and not model.temperature:
            return {"message": "temperature is not supported by this model"}
        if {c["role"] for c in body["contents"]} - {"user", "model"}:
            return {"message": "Please use a valid role: user, model."}
        return None

    def _message(self, body: dict[str, Any]) -> dict[str, Any]:
        contents = [body.get("systemInstruction", {"parts": []}), *body["contents"]]
        text = "\n".join(part["text"] for content in contents for part in content["parts"])
        config = body.get("generationConfig", {})
        tools = body.get("tools")
        declared = tools[0]["functionDeclarations"][0] if tools else None
        schema = config.get("responseSchema") or (declared or {}).get("parameters")
        answer: Any = self.answers(body) if self.answers else None
        if answer is None:
            answer = "I am not sure." if schema is None else fit(_plain(schema), text)
        spelled = answer if isinstance(answer, str) else json.dumps(answer)
        usage = {"promptTokenCount": max(1, len(text) // 4), "totalTokenCount": 0}
        if self.blocked:
            return {"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": usage}
        part: dict[str, Any] = {"text": spelled}
        if declared is not None and not isinstance(answer, str):
            part = {"functionCall": {"name": declared["name"], "args": answer}}
        thought = {"text": "Hm. {", "thought": True}
        return {
            "candidates": [
                {"content": {"role": "model", "parts": [thought, part]}, "finishReason": "STOP"}
            ],
            "usageMetadata": {
                **usage,
                "candidatesTokenCount": max(1, len(spelled) // 4),
                "thoughtsTokenCount": 7,
                "cachedContentTokenCount": 1,
            },
        }


def _plain(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a schema with types spelled small, as JSON schemas have them, and without order."""
    out: dict[str, Any] = {}
    for key, value in schema.items():
        if key == "type":
            out[key] = value.lower()
        elif key == "properties":
            out[key] = {name: _plain(inner) for name, inner in value.items()}
        elif key == "items":
            out[key] = _plain(value)
        elif key == "anyOf":
            out[key] = [_plain(inner) for inner in value]
        elif key not in ("format", "propertyOrdering", "nullable"):
            out[key] = int(value) if key in ("minItems", "maxItems", "maxLength") else value
    return out
