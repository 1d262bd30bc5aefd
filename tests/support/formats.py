"""Each provider of instructor as it is tested: a server on loopback, a model, its errors' names."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

import pytest

from tests.support import bedrock_server, llm_server
from tests.support.anthropic_server import AnthropicServer
from tests.support.bedrock_server import BedrockServer
from tests.support.google_server import GoogleServer
from tests.support.llm_server import LLMServer


@dataclass(frozen=True)
class Format:
    """One provider as it is tested: its server, a model, and what its errors are called."""

    server: type
    model: str
    faults: dict[str, str] = field(default_factory=dict)
    path: str = ""

    def fault(self, kind: str, message: str = "injected", retry_after: float | None = None):
        if self.server is LLMServer:
            status = {"busy": 503, "limit": 429, "long": 400, "key": 401, "gone": 404}
            if kind in status:
                return llm_server.Fault(
                    status=status[kind], message=message, retry_after=retry_after
                )
            return llm_server.Fault(kind)
        if kind in self.faults:
            code = self.faults[kind]
            return bedrock_server.Fault(code=code, message=message, retry_after=retry_after)
        return bedrock_server.Fault(kind)

    def messages(self, body):
        """Return the (role, text) of a request's messages."""
        turns = body.get("contents") or body["messages"]
        out = []
        for turn in turns:
            parts = turn.get("parts") or turn["content"]
            parts = [{"text": parts}] if isinstance(parts, str) else parts
            out.append((turn["role"], "".join(part["text"] for part in parts)))
        return out


FORMATS = {
    "google": Format(
        GoogleServer,
        "google/gemini-2.5-flash",
        {
            **{"busy": "UNAVAILABLE", "limit": "RESOURCE_EXHAUSTED", "long": "INVALID_ARGUMENT"},
            **{"key": "UNAUTHENTICATED", "gone": "NOT_FOUND"},
        },
    ),
    "anthropic": Format(
        AnthropicServer,
        "anthropic/claude-haiku-4-5",
        {
            **{"busy": "overloaded_error", "limit": "rate_limit_error", "key": "permission_error"},
            **{"long": "invalid_request_error", "gone": "not_found_error"},
        },
    ),
    "bedrock": Format(
        BedrockServer,
        "bedrock/anthropic.claude-haiku-4-5",
        {
            **{"busy": "ServiceUnavailableException", "limit": "ThrottlingException"},
            **{"long": "ValidationException", "key": "UnrecognizedClientException"},
            "gone": "ResourceNotFoundException",
        },
    ),
    "mistral": Format(LLMServer, "mistral/mistral-large-latest"),
    "groq": Format(LLMServer, "groq/llama-3.3-70b-versatile"),
    "openai": Format(LLMServer, "openai/gpt-5-mini", path="/v1"),
}


@pytest.fixture
def clean(monkeypatch, tmp_path):
    """An environment with nobody's keys and addresses in it."""
    names = ("OPENAI", "ANTHROPIC", "GOOGLE", "GEMINI", "MISTRAL", "GROQ", "AWS")
    for name in [n for n in os.environ if n.startswith(names)]:
        monkeypatch.delenv(name)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMIsecretsecret")
    return monkeypatch
