"""An endpoint whose replies are odd in one way: what a case says, counted."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from tests.support.llm_server import LLMServer

Reply = Callable[[int, dict[str, Any]], "Odd | str | dict[str, Any]"]


@dataclass(frozen=True)
class Odd:
    """One response as it goes over the wire."""

    body: str | bytes | dict[str, Any] | list[Any]
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()


def completion(content: Any, **more: Any) -> dict[str, Any]:
    """A chat completion; `finish`, `usage` and `logprobs` are its own, the rest the message's."""
    finish, logprobs = more.pop("finish", "stop"), more.pop("logprobs", None)
    usage = more.pop("usage", {"prompt_tokens": 11, "completion_tokens": 7})
    message = {"role": "assistant", "content": content, **more}
    choice = {"index": 0, "message": message, "finish_reason": finish, "logprobs": logprobs}
    return {"id": "x", "object": "chat.completion", "choices": [choice], "usage": usage}


def complaint(status: int, message: str, *, headers: Any = (), **more: Any) -> Odd:
    """An error as OpenAI writes it."""
    return Odd({"error": {"message": message, "type": "error", **more}}, status, tuple(headers))


@dataclass
class OddServer(LLMServer):
    """The server; `reply` is given the number of the request (from 1) and its body.

    A text becomes the content of a completion, an object the whole body.
    """

    reply: Reply = lambda _number, _body: "{}"

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        self.requests += 1
        number = self.requests
        body = await request.json()
        self._keep(request, body)
        said = self.reply(number, body)
        if isinstance(said, str):
            said = completion(said)
        odd = said if isinstance(said, Odd) else Odd(said)
        text = odd.body if isinstance(odd.body, str | bytes) else json.dumps(odd.body)
        content = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
        return web.Response(
            body=content,
            status=odd.status,
            headers=dict(odd.headers),
            content_type="application/json",
        )
