"""What instructor speaks to: packages it needs, where keys come from, what differs in a request.

Only what instructor does not say of itself, or says too late, is here. A provider that is missing
here still works, with whatever instructor and the provider's own package do by default.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lupom.engine.errors import did_you_mean
from lupom.engine.llm.providers.base import ProviderError
from lupom.engine.logs import root_as_it_is


@dataclass(frozen=True, slots=True)
class Backend:
    """One provider as instructor speaks to it.

    Attributes
    ----------
    packages : what is imported, by the name it is installed under.
    keys : environment variables of the key; the first that is set counts.
    address : environment variable by which the package takes another address.
    seed : what the draw is called; None where there is none.
    modes : instructor's mode for each of ours, where it is another one than its name says.
    without : of our modes, those that do not work.
    """

    packages: Mapping[str, str] = field(default_factory=dict)
    keys: tuple[str, ...] = ()
    address: str | None = None
    seed: str | None = None
    modes: Mapping[str, str] = field(default_factory=dict)
    without: frozenset[str] = frozenset()

    def check(self, name: str) -> None:
        """Raise ProviderError where a package cannot be imported."""
        for package, module in self.packages.items():
            try:
                with root_as_it_is():
                    importlib.import_module(module)
            except ImportError as error:
                wanted = " ".join(self.packages)
                raise ProviderError(
                    f"'{name}' needs the package {package}, which cannot be imported: {error}",
                    hint=f"pip install {wanted}",
                ) from None

    def key_name(self) -> str | None:
        """Return the environment variable that has the key, or the one that should have."""
        found = [name for name in self.keys if os.environ.get(name)]
        return next(iter([*found, *self.keys]), None)


def _served(key: str, address: str | None = None, seed: str | None = "seed") -> Backend:
    """Return a provider that is spoken to with OpenAI's package."""
    return Backend({"openai": "openai"}, (key,), address, seed)


BACKENDS: Mapping[str, Backend] = {
    "openai": _served("OPENAI_API_KEY", "OPENAI_BASE_URL"),
    "anthropic": Backend(
        {"anthropic": "anthropic"},
        ("ANTHROPIC_API_KEY",),
        "ANTHROPIC_BASE_URL",
        modes={"json": "JSON"},
        # instructor 1.17 sends a parameter for it that anthropic 2 does not take any more.
        without=frozenset({"json_schema"}),
    ),
    "google": Backend(
        {"google-genai": "google.genai", "jsonref": "jsonref"},
        ("GOOGLE_API_KEY", "GEMINI_API_KEY"),
        "GOOGLE_GEMINI_BASE_URL",
        "seed",
        modes={"json_schema": "JSON"},
        without=frozenset({"json"}),
    ),
    "mistral": Backend({"mistralai": "mistralai"}, ("MISTRAL_API_KEY",), seed="random_seed"),
    "groq": Backend({"groq": "groq"}, ("GROQ_API_KEY",), "GROQ_BASE_URL", "seed"),
    "bedrock": Backend({"boto3": "boto3"}),
    "cohere": Backend({"cohere": "cohere"}, ("CO_API_KEY",), "CO_API_URL", "seed"),
    "cerebras": Backend(
        *({"cerebras-cloud-sdk": "cerebras.cloud.sdk"}, ("CEREBRAS_API_KEY",)),
        *("CEREBRAS_BASE_URL", "seed"),
    ),
    "fireworks": Backend({"fireworks-ai": "fireworks.client"}, ("FIREWORKS_API_KEY",)),
    "writer": Backend({"writer-sdk": "writerai"}, ("WRITER_API_KEY",), "WRITER_BASE_URL"),
    "xai": Backend({"xai-sdk": "xai_sdk"}, ("XAI_API_KEY",), seed="seed"),
    "azure_openai": _served("AZURE_OPENAI_API_KEY", "AZURE_OPENAI_ENDPOINT"),
    "anyscale": _served("ANYSCALE_API_KEY"),
    "together": _served("TOGETHER_API_KEY"),
    "databricks": _served("DATABRICKS_TOKEN", "DATABRICKS_HOST"),
    "deepseek": _served("DEEPSEEK_API_KEY"),
    "openrouter": _served("OPENROUTER_API_KEY"),
    "perplexity": Backend(
        *({"openai": "openai"}, ("PERPLEXITY_API_KEY",)),
        without=frozenset({"json_schema", "tools"}),
    ),
    "ollama": Backend({"openai": "openai"}, (), None, "seed"),
    "litellm": Backend({"litellm": "litellm"}),
}
# Doors to Google that it has closed; instructor still names them.
_GONE = {"gemini": "google", "generative-ai": "google", "vertexai": "google"}


def named(model: str) -> tuple[str, str, Backend]:
    """Return the provider, the model and what is known of the provider, of 'provider/model'.

    Raises ValueError for another shape and for a provider nobody knows.
    """
    name, slash, rest = model.partition("/")
    if not slash or not name or not rest:
        raise ValueError(
            f"model '{model}' does not say whose it is (provider/model, as in"
            " google/gemini-2.5-flash or mistral/mistral-large-latest)"
        )
    if name in _GONE:
        raise ValueError(f"'{name}' is gone ({_GONE[name]}/{rest})")
    if name not in BACKENDS and not _known(name):
        hint = did_you_mean(name, BACKENDS) or "known: " + ", ".join(sorted(BACKENDS))
        raise ValueError(f"instructor does not speak to '{name}' ({hint})")
    return name, rest, BACKENDS.get(name, Backend())


def _known(name: str) -> bool:
    """Tell whether the instructor that is installed knows a provider that we do not."""
    from instructor.v2.core.provider_specs import ALIAS_TO_PROVIDER

    return name in ALIAS_TO_PROVIDER


def modes_of(backend: Backend, provider: Any) -> dict[str, Any]:
    """Return instructor's mode for each of ours that works, the best one first.

    `provider` is instructor's own word for the provider.
    """
    from instructor import Mode
    from instructor.v2.core.registry import mode_registry

    there = set(mode_registry.get_modes_for_provider(provider))
    names = {"json_schema": "JSON_SCHEMA", "tools": "TOOLS", "json": "MD_JSON", **backend.modes}
    found = {ours: Mode[theirs] for ours, theirs in names.items() if ours not in backend.without}
    return {ours: mode for ours, mode in found.items() if mode in there}
