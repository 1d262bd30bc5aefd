"""What is read off a provider's own reply, in whichever shape its package gives it.

Seven shapes or so say the same few things under other names; they are told apart by the names.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from lupom.engine.llm.token_counts import tokens_of

# Reasons to finish, in small letters, as they are called here. The rest stays as it is.
_STOPS = {
    **dict.fromkeys(("stop", "end_turn", "tool_use", "tool_calls", "tool_call"), "stop"),
    **dict.fromkeys(("stop_sequence", "complete", "function_call", "eos", "reason_stop"), "stop"),
    **dict.fromkeys(("length", "max_tokens", "model_length", "reason_max_len"), "length"),
    **dict.fromkeys(("safety", "blocklist", "prohibited_content", "spii"), "content_filter"),
    **dict.fromkeys(("recitation", "content_filtered", "image_safety"), "content_filter"),
}
# Where replies count tokens, and the names of what went in, came out and was in a prompt cache.
_USAGES = (("usage",), ("usage_metadata",), ("meta", "tokens"))
_IN = ("prompt_tokens", "input_tokens", "inputTokens", "prompt_token_count")
_OUT = ("completion_tokens", "output_tokens", "outputTokens", "candidates_token_count")
_THOUGHT = "thoughts_token_count"
_CACHED = (("prompt_tokens_details", "cached_tokens"), ("cached_content_token_count",))
# These two are counted beside what went in, by those who have them.
_READ = ("cache_read_input_tokens", "cacheReadInputTokens")
_WRITTEN = ("cache_creation_input_tokens", "cacheWriteInputTokens")


def dig(value: Any, *path: str | int) -> Any:
    """Return what stands at a path of keys, attributes and places; None where there is nothing."""
    for step in path:
        if isinstance(step, int):
            is_list = isinstance(value, Sequence) and not isinstance(value, str | bytes)
            value = value[step] if is_list and len(value) > step else None
        elif isinstance(value, Mapping):
            value = value.get(step)
        else:
            value = getattr(value, step, None)
        if not value and value != 0:
            return None
    return value


def is_reply(raw: Any) -> bool:
    """Tell whether there is an answer in it at all, were it an empty or a withheld one."""
    return _message(raw) is not None or dig(raw, "prompt_feedback") is not None


def texts_of(raw: Any) -> list[str]:
    """Return what a model wrote that may be the answer, the likeliest first: the arguments of
    tools, its text, and its thoughts where they are all there is and end with an object."""
    message = _message(raw)
    calls = dig(message, "tool_calls")
    called = [dig(call, "function", "arguments") for call in calls or ()]
    content = dig(message, "content")
    if isinstance(content, str):
        text = content
    else:
        blocks = content if isinstance(content, Sequence) else dig(message, "parts") or ()
        paths = (("input",), ("toolUse", "input"), ("function_call", "args"))
        # What a tool of the provider's own was asked is no answer.
        own = [block for block in blocks if dig(block, "type") != "server_tool_use"]
        called += [dig(block, *path) for block in own for path in paths]
        found = [dig(block, "text") for block in blocks if not dig(block, "thought")]
        text = "".join(one for one in found if isinstance(one, str))
    out = [_spelled(one) for one in called if one is not None]
    out += [text or str(dig(message, "refusal") or "")]
    out = [one for one in out if one.strip()]
    thought = "" if out or finish_of(raw) != "stop" else _thought(message)
    ends = thought.strip().removesuffix("```").rstrip().endswith("}")
    return [thought] if ends else out


def _thought(message: Any) -> str:
    """Return what a model thought, as several providers have it."""
    for name in ("reasoning_content", "reasoning"):
        if isinstance(found := dig(message, name), str):
            return found
    blocks = dig(message, "content")
    if not isinstance(blocks, Sequence) or isinstance(blocks, str):
        return ""
    paths = (("thinking",), ("reasoningContent", "reasoningText", "text"))
    found = [dig(block, *path) for block in blocks for path in paths]
    return "".join(one for one in found if isinstance(one, str))


def finish_of(raw: Any) -> str:
    """Return why the reply ended: 'stop', 'length', 'content_filter', 'refusal', or its word."""
    message = _message(raw)
    if dig(message, "refusal") and not dig(message, "content"):
        return "refusal"
    paths: tuple[tuple[str | int, ...], ...] = (
        *(("choices", 0, "finish_reason"), ("candidates", 0, "finish_reason")),
        *(("stop_reason",), ("stopReason",), ("finish_reason",)),
    )
    found = next((f for path in paths if (f := dig(raw, *path)) is not None), None)
    if found is None:
        blocked = dig(raw, "prompt_feedback", "block_reason")
        return "stop" if blocked is None else "content_filter"
    word = str(getattr(found, "value", found))
    return _STOPS.get(word.lower(), word)


def usage_of(raw: Any) -> dict[str, int | None]:
    """Return tokens in and out, and those from and to a prompt cache, by `ProviderReply`'s names;
    None for what the reply does not count: a prompt of no tokens is what is said by none who do."""
    usage = next((u for path in _USAGES if (u := dig(raw, *path)) is not None), None)
    tokens_in, tokens_out = _count(usage, _IN), _count(usage, _OUT)
    if not tokens_in and not tokens_out:
        return {}
    read, written = _count(usage, _READ) or 0, _count(usage, _WRITTEN) or 0
    within = next((n for path in _CACHED if (n := tokens_of(dig(usage, *path))) is not None), 0)
    thought = tokens_of(dig(usage, _THOUGHT)) or 0
    total = tokens_of(dig(usage, "total_tokens"))
    if total is not None and tokens_in and tokens_out is not None:
        # xAI's counts thoughts in the sum alone, and they are paid for as answers are.
        tokens_out = max(tokens_out, total - tokens_in)
    whole = (tokens_in or 0) + read + written
    return {
        "tokens_in": whole or None,
        "tokens_out": None if tokens_out is None else tokens_out + thought,
        "tokens_cached": read or within,
        "tokens_written": written,
    }


def _message(raw: Any) -> Any:
    paths: tuple[tuple[str | int, ...], ...] = (
        *(("choices", 0, "message"), ("candidates", 0, "content")),
        *(("output", "message"), ("message",)),
    )
    found = next((f for path in paths if (f := dig(raw, *path)) is not None), None)
    if found is not None:
        return found
    # A candidate that was withheld has a reason and no content; Anthropic's reply is the message.
    withheld = dig(raw, "candidates", 0)
    if withheld is not None:
        return withheld
    is_message = dig(raw, "content") is not None or dig(raw, "stop_reason") is not None
    return raw if is_message else None


def _spelled(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _count(usage: Any, names: Sequence[str]) -> int | None:
    return next((n for name in names if (n := tokens_of(dig(usage, name))) is not None), None)
