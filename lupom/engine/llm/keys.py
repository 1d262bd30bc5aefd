"""What decides an answer, in one spelling, and its hash: the key of a call."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lupom.engine.hashes import canonical

if TYPE_CHECKING:
    from lupom.engine.llm.responses import RowResponse
    from lupom.engine.llm.rows_response import RowsResponse
    from lupom.engine.project.providers import EmbeddingSettings, LLMSettings


def llm_identity(
    alias: str, settings: LLMSettings, *, cache_dir: Path | None = None
) -> dict[str, Any]:
    """Return what decides an alias's answers besides messages and schema, JSON-ready.

    Provider, base_url or the weights' hash, model, and parameters. No network. Raises LLMError
    when an embedded alias has no weights.
    """
    from lupom.engine.llm.providers import make_provider
    from lupom.engine.llm.providers.base import Surroundings

    provider = make_provider(alias, settings, Surroundings(cache_dir=cache_dir))
    return {**provider.identity(), "parameters": parameters(settings)}


def embedding_identity(settings: EmbeddingSettings) -> dict[str, Any]:
    """Return what decides an embeddings alias's vectors besides the text, JSON-ready; no
    network."""
    return settings.identity()


def parameters(settings: LLMSettings) -> dict[str, Any]:
    """Return the settings that decide an answer; concurrency, timeouts, price do not."""
    out: dict[str, Any] = {
        "temperature": settings.temperature,
        "max_tokens": settings.max_tokens,
        "logprobs": settings.logprobs,
    }
    if settings.extra:
        out["extra"] = settings.extra
    return out


class KeyMaker:
    """Makes the keys of one alias's calls.

    A key is the SHA-256 of canonical JSON: {draw, messages, parameters, provider, schema}. The
    parts that repeat are spelled once. Whether log-probabilities are asked for matters to choices
    only, as nothing else is read from them.
    """

    def __init__(self, identity: Mapping[str, Any]) -> None:
        provider = {k: v for k, v in identity.items() if k != "parameters"}
        given = dict(identity["parameters"])
        self._provider = canonical(provider)
        self.parameters_of_choice = canonical(given)
        given.pop("logprobs", None)
        self.parameters = canonical(given)

    def key(
        self,
        messages: Sequence[Mapping[str, str]],
        response: RowResponse | RowsResponse,
        draw: int,
    ) -> tuple[str, str]:
        """Return a call's key and the hash of its messages, both in hex."""
        spelled = canonical(messages)
        given = self.parameters_of_choice if response.top_logprobs else self.parameters
        whole = (
            f'{{"draw":{draw:d},"messages":{spelled},"parameters":{given},'
            f'"provider":{self._provider},"schema":{response.schema_text}}}'
        )
        return _sha(whole), _sha(spelled)


def _sha(text: str) -> str:
    # Text from anywhere may hold half a surrogate pair, which UTF-8 has no bytes for.
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
