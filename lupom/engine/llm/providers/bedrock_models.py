"""How models on Bedrock are likely to want to be asked, by their names."""

from __future__ import annotations

from lupom.engine.llm.providers.capabilities import Capabilities


def start_of(model: str) -> Capabilities:
    """Return how a model is likely to want to be asked; its first request tells for certain.

    Native JSON schemas came with Claude 4.5, a forced tool with Claude 3 and Nova; Mistral Large
    can be told to use any tool, and Llama follows a schema in the prompt best.
    """
    name = model.lower()
    capabilities = Capabilities(logprobs=False, seed=False, lengths=False)
    old_claude = "anthropic.claude-3" in name
    if old_claude or "amazon.nova" in name:
        capabilities.mode = "tools"
    elif "mistral.mistral-large-24" in name:
        capabilities.mode, capabilities.choice = "tools", "any"
    elif any(word in name for word in ("meta.llama", "titan-text", "cohere.command-text")):
        capabilities.mode = "json"
    caching = ("claude-3-7", "claude-3-5-haiku", "claude-3-5-sonnet-20241022", "amazon.nova")
    newer = "anthropic.claude-" in name and not old_claude
    capabilities.cache = newer or any(word in name for word in caching)
    return capabilities
