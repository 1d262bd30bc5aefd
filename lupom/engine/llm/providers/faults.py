"""Errors in a body, whatever status it came under: what is said, and which status it means."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lupom.engine.llm.token_counts import tokens_of


@dataclass(frozen=True, slots=True)
class Fault:
    """An error in a body: the status it means, the provider's words, code and parameter."""

    status: int
    message: str
    code: str = ""
    param: str = ""


def fault_in(body: Mapping[str, Any]) -> Fault | None:
    """Return the error in a body that has no answer beside it; None where there is none."""
    if body.get("choices") or body.get("content") or body.get("output"):
        return None
    error = body.get("error")
    if not error and (body.get("object") == "error" or body.get("type") == "error"):
        error = body
    if not error and not any(name in body for name in ("choices", "content", "output", "data")):
        names = ("message", "detail", "msg", "errors")
        error = next((body for name in names if body.get(name)), None)
        if isinstance(body.get("message"), Mapping) and "content" in body["message"]:
            # The one message of an answer, as Ollama's own interface has it.
            return None
    return fault_of(error) if error else None


def fault_of(error: Any) -> Fault:
    """Return what an error object, or a text in its place, says.

    Its code says which status it means, as a number or a word; where none does, it is taken for the
    provider's own trouble, which may pass.
    """
    if not isinstance(error, Mapping):
        return Fault(404 if _NO_PATH.search(str(error)) else 500, str(error))
    message = next(
        (
            error[name]
            for name in ("message", "detail", "msg", "errors", "error")
            if error.get(name)
        ),
        error,
    )
    words = [str(error.get(name) or "") for name in ("code", "type", "status")]
    given = (error.get(name) for name in ("code", "status", "status_code", "http_code"))
    numbers = [tokens_of(number) for number in given]
    status = next((n for n in numbers if n is not None and 400 <= n < 600), None)
    code = " ".join(word for word in words if word)
    return Fault(status or _status_of(code), str(message), code, str(error.get("param") or ""))


# An address that is not the interface's, in the words of LM Studio, Express and others.
_NO_PATH = re.compile(
    r"unexpected endpoint|cannot (?:post|get) /|unknown (?:url|path|endpoint|route)|no such route"
    r"|invalid url",
    re.IGNORECASE,
)
# The first that is found in a code's words says its status.
_CODES = (
    (("insufficient_quota", "billing", "payment"), 402),
    (("rate_limit", "ratelimit", "too_many", "toomany", "throttl", "resource_exhausted"), 429),
    (("auth", "api_key", "apikey"), 401),
    (("permission", "forbidden"), 403),
    (("not_found", "notfound"), 404),
    (("context_length", "content_filter", "content_policy"), 400),
    (("invalid", "bad_request", "badrequest", "unprocessable", "unsupported"), 400),
)


def _status_of(code: str) -> int:
    code = code.lower()
    return next((status for words, status in _CODES if any(w in code for w in words)), 500)
