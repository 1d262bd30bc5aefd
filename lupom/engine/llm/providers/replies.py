"""Bodies that come back, read by what they say and not by the status they come under.

Gateways put errors under status 200, stream to those who did not ask for a stream, write content as
a list of parts, and usage as they like. What was paid for is read wherever it is.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from lupom.engine.llm.providers.base import ProviderReply, TokenLogprobs
from lupom.engine.llm.providers.transport import is_cut, mended
from lupom.engine.llm.token_counts import tokens_of

# How replies end, in the words of OpenAI and its like, Claude, Converse, Gemini; others stay as is.
_ENDS = {
    **dict.fromkeys(("stop", "eos", "eos_token", "end_turn", "stop_sequence", "completed"), "stop"),
    **dict.fromkeys(("tool_use", "tool_calls", "tool_call", "function_call", "finished"), "stop"),
    **dict.fromkeys(("length", "max_tokens", "max_output_tokens", "model_length"), "length"),
    **dict.fromkeys(("model_context_window_exceeded", "truncated"), "length"),
}
_THOUGHTS = ("thinking", "reasoning", "redacted_thinking", "reasoning_content")


class NoReplyError(ValueError):
    """A body that is not a reply, or nothing at all; the message says what it is.

    `broke_off` says that it ended too soon, or did not begin.
    """

    def __init__(self, message: str, *, broke_off: bool = False) -> None:
        super().__init__(message)
        self.broke_off = broke_off


def body_of(content: bytes) -> dict[str, Any]:
    """Return the object in a body; a stream nobody asked for is put together.

    Raises NoReplyError for anything else.
    """
    text = _decoded(content).strip()
    if text.startswith(":"):
        # Comments that keep a connection open, before the body itself.
        text = _COMMENTS.sub("", text).lstrip() or text
    if text.startswith(("data:", "event:", "id:", ":")):
        value: Any = _streamed(text)
    elif (lines := _lines_of(text)) is not None:
        value = _streamed("".join(f"data: {line}\n\n" for line in lines))
    else:
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            shown = text[:80]
            if re.match(r"<(!doctype|html|\?xml|head|body)", text, re.IGNORECASE):
                raise NoReplyError(f"the address answers with a web page: {shown!r}") from None
            if not text:
                raise NoReplyError("the body is empty", broke_off=True) from None
            whole = mended(text.encode())
            if whole is not None:
                value = json.loads(whole)
            elif is_cut(text):
                raise NoReplyError(
                    f"the body breaks off after {len(text)} characters: {shown!r}", broke_off=True
                ) from None
            else:
                raise NoReplyError(f"the body is not JSON: {shown!r}") from None
    if isinstance(value, list) and value and isinstance(value[0], dict):
        # Google's errors come in an array.
        value = value[0]
    if not isinstance(value, dict):
        raise NoReplyError("the body is not a JSON object")
    return value


def as_object(content: bytes) -> bytes | None:
    """Return a body as the JSON object that it means, by the same rules; None where it means none.

    An object is returned as it is.
    """
    whole = mended(content)
    if whole is not None:
        return whole
    try:
        body = body_of(content)
    except NoReplyError:
        return None
    if "choices" in body:
        # Mistral's package takes no body without these.
        known = {"id": "", "object": "chat.completion", "created": 0, "model": ""}
        body = {**known, **body, "usage": body.get("usage") or {}}
    return json.dumps(body).encode()


def _decoded(content: bytes) -> str:
    """Return the text of a body: packed without a word of it, or in another encoding than UTF-8."""
    if content.startswith(b"\x1f\x8b"):
        with suppress(zlib.error):
            content = zlib.decompressobj(wbits=31).decompress(content, _MOST_BYTES)
    encoding = json.detect_encoding(content)
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        # A letter that is cut at the end is no sign of another encoding.
        cut = encoding != "utf-8" or error.end >= len(content)
        return content.decode(encoding if cut else "cp1252", "replace")


_MOST_BYTES = 64 << 20


def _lines_of(text: str) -> list[str] | None:
    """Return the lines of a stream that has a chunk of an answer on each; None for other texts."""
    first, more, rest = text.partition("\n")
    if not more or not rest.strip() or not first.startswith("{") or '"delta"' not in first:
        return None
    try:
        is_chunk = "choices" in json.loads(first)
    except (ValueError, RecursionError):
        return None
    return text.splitlines() if is_chunk else None


def _streamed(text: str) -> dict[str, Any] | None:
    """Put the events of a stream together, OpenAI's or Anthropic's.

    Raises NoReplyError for one that was cut: without its end, or with half a line in it. Where all
    of an object had come, it is an answer.
    """
    chunks: list[dict[str, Any]] = []
    whole = ended = True
    for line in text.splitlines():
        data = line.removeprefix("data:").strip()
        if line.startswith("data:") and data and data != "[DONE]":
            try:
                chunk = json.loads(data)
            except (ValueError, RecursionError):
                whole = whole and not is_cut(data)
                continue
            if isinstance(chunk, dict):
                chunks.append(chunk)
    failed = next((chunk for chunk in chunks if chunk.get("error")), None)
    if failed is not None:
        return {"error": failed["error"]}
    if any("choices" in chunk for chunk in chunks):
        body, ended = _of_chunks(chunks), _DONE.search(text) is not None
        choice = body["choices"][0]
        if choice["finish_reason"] != INTERRUPTED:
            ended = True
        elif ended:
            choice["finish_reason"] = "stop"
        said = [choice["message"]["content"], *_arguments(choice["message"])]
    elif any(chunk.get("type") == "message_start" for chunk in chunks):
        body = _of_events(chunks)
        ended = body["stop_reason"] != INTERRUPTED
        inputs = [b.get("input") for b in body["content"]]
        said = [str(b.get("text") or "") for b in body["content"]]
        said += [given for given in inputs if isinstance(given, str)]
    else:
        if not whole or not chunks:
            raise _cut_stream(text)
        return chunks[-1]
    if not (whole and ended) and not any(_is_object(one) for one in said):
        raise _cut_stream(text)
    return body


_COMMENTS = re.compile(r"\A(?::[^\n]*\n\s*)+(?=\{)")
# How a reply ended whose stream did not say so.
INTERRUPTED = "interrupted"
_DONE = re.compile(r"^data:\s*\[DONE\]", re.MULTILINE)


def _cut_stream(text: str) -> NoReplyError:
    return NoReplyError(
        f"the stream breaks off before its end, after {len(text)} characters: {text[-80:]!r}",
        broke_off=True,
    )


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


def _of_chunks(chunks: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    content, finish = "", INTERRUPTED
    besides = {"reasoning_content": "", "refusal": ""}
    calls: dict[Any, dict[str, str]] = {}
    tokens: list[Any] = []
    usage = None
    for chunk in chunks:
        usage = chunk.get("usage") or usage
        choices = chunk.get("choices")
        given = choices if isinstance(choices, list) else []
        # Of several answers that were streamed at once the first is read.
        choice: Mapping[str, Any] = next((one for one in given if not one.get("index")), {})
        part = choice.get("delta") or choice.get("message") or {}
        content += text_of(part.get("content")) or ""
        for name, other in (("reasoning_content", "reasoning"), ("refusal", "refusal")):
            more = part.get(name) or part.get(other)
            besides[name] += more if isinstance(more, str) else ""
        for call in part.get("tool_calls") or ():
            function = call.get("function") or {}
            known = calls.setdefault(call.get("index", 0), {"name": "", "arguments": ""})
            for name in known:
                known[name] += function.get(name) or ""
        finish = choice.get("finish_reason") or finish
        tokens += (choice.get("logprobs") or {}).get("content") or []
    message: dict[str, Any] = {"role": "assistant", "content": content, **besides}
    if calls:
        message["tool_calls"] = [{"function": call} for call in calls.values()]
    said = {"message": message, "finish_reason": finish, "logprobs": {"content": tokens}}
    return {"choices": [{"index": 0, **said}], "usage": usage}


def _of_events(events: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    message: dict[str, Any] = {"stop_reason": INTERRUPTED}
    usage: dict[str, Any] = {}
    blocks: dict[Any, dict[str, Any]] = {}
    for event in events:
        kind, delta = event.get("type"), event.get("delta") or {}
        if kind == "message_start":
            usage.update((event.get("message") or {}).get("usage") or {})
        elif kind == "content_block_start":
            blocks[event.get("index")] = dict(event.get("content_block") or {})
        elif kind == "content_block_delta":
            block = blocks.setdefault(event.get("index"), {"type": "text"})
            if "partial_json" in delta:
                before = block.get("input")
                block["input"] = (before if isinstance(before, str) else "") + delta["partial_json"]
            elif "text" in delta:
                block["text"] = (block.get("text") or "") + delta["text"]
        elif kind == "message_delta":
            message["stop_reason"] = delta.get("stop_reason") or message["stop_reason"]
            usage.update(event.get("usage") or {})
    return {**message, "content": list(blocks.values()), "usage": usage}


def text_of(content: Any) -> str | None:
    """Return the text of a message's content: as it is, or of its parts but for thoughts.

    None where it has no text. Raises TypeError for what is not content.
    """
    if content is None or isinstance(content, str):
        return content
    if isinstance(content, Mapping):
        if isinstance(content.get("text"), str) and content.get("type", "text") == "text":
            return str(content["text"])
        # The answer itself, in place of its text.
        return json.dumps(content, ensure_ascii=False)
    if not isinstance(content, list):
        raise TypeError("content")
    parts = []
    for part in content:
        if isinstance(part, Mapping):
            if part.get("type") in _THOUGHTS:
                continue
            part = part.get("text") if "text" in part else part.get("content")
            part = part.get("value") if isinstance(part, Mapping) else part
        if isinstance(part, str):
            parts.append(part)
    return "".join(parts)


def end_of(reason: Any) -> str:
    """Return how a reply ended: 'stop', 'length', or the provider's own word."""
    if reason is None or reason == "":
        return "stop"
    word = str(reason)
    return _ENDS.get(word.lower(), word)


def usage_of(
    usage: Any, text: str, tokens_in: Sequence[str], tokens_out: Sequence[str]
) -> tuple[int | None, int | None]:
    """Return the tokens a usage says by these names; None where it says none that can be.

    A prompt has tokens, and so has an answer that has text: none of them is what is said by those
    who do not count.
    """
    given: Mapping[str, Any] = usage if isinstance(usage, Mapping) else {}
    before = next((n for name in tokens_in if (n := tokens_of(given.get(name)))), None)
    found = (tokens_of(given.get(name)) for name in tokens_out)
    after = next((n for n in found if n is not None), None)
    whole = tokens_of(given.get("total_tokens"))
    if before is not None and whole is not None and after is not None:
        # Gemini's and xAI's count thoughts in the sum alone, and they are paid for as answers are.
        after = max(after, whole - before)
    return before, None if after == 0 and text else after


def part_of(whole: int | None, *numbers: Any) -> int:
    """Return the first of some numbers of tokens that is one, as a part of a whole; else 0."""
    found = next((n for number in numbers if (n := tokens_of(number))), 0)
    return found if whole is None else min(found, whole)


_IN, _OUT = ("prompt_tokens", "input_tokens"), ("completion_tokens", "output_tokens")


def chat_reply(body: Mapping[str, Any], *, offered: bool) -> ProviderReply:
    """Read a chat completion; `offered` says that the answer was asked for as a tool's argument.

    Raises KeyError, IndexError, TypeError, ValueError or AttributeError for what is none.
    """
    usage = body.get("usage")
    choices = body.get("choices")
    if not choices and isinstance(body.get("message"), Mapping):
        # Ollama's own interface.
        choices = [{"message": body["message"], "finish_reason": body.get("done_reason")}]
        usage = {"prompt_tokens": body.get("prompt_eval_count")}
        usage["completion_tokens"] = body.get("eval_count")
    if not choices and "choices" in body and usage_of(usage, "", _IN, _OUT)[0]:
        # Nothing was written, and it was counted: a reply that is empty.
        choices = [{"message": {"content": ""}}]
    choice, *others = _in_order(choices if choices is not None else body["choices"])
    message = choice.get("message") or choice.get("delta") or {"content": choice["text"]}
    texts = _texts_of(message, choice.get("finish_reason"), offered=offered)
    refusal = message.get("refusal") or _refused(message.get("content"))
    for other in others:
        # More than one answer was asked for, and is paid for.
        texts += _texts_of(other.get("message") or {}, other.get("finish_reason"), offered=offered)
    text = texts[0] if texts else str(refusal or "")
    tokens_in, tokens_out = usage_of(usage, text, _IN, _OUT)
    known: Mapping[str, Any] = usage if isinstance(usage, Mapping) else {}
    details = known.get("prompt_tokens_details")
    cached = details.get("cached_tokens") if isinstance(details, Mapping) else None
    return ProviderReply(
        text=text,
        tokens_in=tokens_in,
        tokens_out=tokens_out,
        finish_reason="refusal" if refusal else end_of(choice.get("finish_reason")),
        tokens=_tokens(choice.get("logprobs")),
        tokens_cached=part_of(tokens_in, cached, known.get("prompt_cache_hit_tokens")),
        otherwise=texts[1:],
    )


def _in_order(choices: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return choices in the order of their numbers, if they have any."""
    first, *more = choices
    found = [first, *(choice for choice in more if isinstance(choice, Mapping))]
    numbers = [choice.get("index") for choice in found]
    if all(isinstance(number, int) for number in numbers):
        found.sort(key=lambda choice: choice["index"])
    return found


def _texts_of(message: Mapping[str, Any], end: Any, *, offered: bool) -> list[str]:
    """Return the texts of a message that may be the answer, the likeliest first."""
    said = message.get("content")
    content = text_of(said) or ""
    called = _arguments(message)
    # A call of a tool that nobody offered is not the answer while there is one beside it.
    texts = [*called, content] if offered else [content, *called]
    if isinstance(said, Mapping):
        # A part with a text, or an answer with a field of that name.
        texts.append(json.dumps(said, ensure_ascii=False))
    if isinstance(message.get("parsed"), Mapping):
        texts.append(json.dumps(message["parsed"], ensure_ascii=False))
    thought = message.get("reasoning_content") or message.get("reasoning")
    if isinstance(thought, str):
        # Servers that cut thoughts off cut off everything where there is no tag.
        only = not content.strip() and end_of(end) == "stop"
        if thought.strip().startswith("{") or (only and _ends_with_object(thought)):
            texts.append(thought)
    return [text for text in texts if text.strip()]


def _ends_with_object(text: str) -> bool:
    return text.strip().removesuffix("```").rstrip().endswith("}")


def _refused(content: Any) -> str:
    """Return the refusal among the parts of a content; '' where there is none."""
    parts = content if isinstance(content, list) else []
    found = (part.get("refusal") for part in parts if isinstance(part, Mapping))
    return next((str(refusal) for refusal in found if refusal), "")


@dataclass(frozen=True, slots=True)
class UsageNames:
    """What an interface calls the tokens of its usage.

    What was read from the prompt cache, or written to it, is counted beside the other input.
    """

    tokens_in: str
    tokens_out: str
    read: str
    written: str


ANTHROPIC_USAGE = UsageNames(
    *("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
)
CONVERSE_USAGE = UsageNames(
    *("inputTokens", "outputTokens", "cacheReadInputTokens", "cacheWriteInputTokens")
)


def of_blocks(
    called: Sequence[Any],
    said: str,
    usage: Any,
    reason: Any,
    *,
    offered: bool,
    names: UsageNames,
    thought: str = "",
) -> ProviderReply:
    """Make the reply of a message in blocks, Anthropic's or Converse's.

    `called` are the arguments of its tools, `said` is its text, `thought` its reasoning; `offered`
    as in `chat_reply`.
    """
    spelled = [c if isinstance(c, str) else json.dumps(c, ensure_ascii=False) for c in called]
    texts = [*spelled, said] if offered else [said, *spelled]
    texts = [text for text in texts if text.strip()]
    if not texts and end_of(reason) == "stop" and _ends_with_object(thought):
        texts = [thought]
    text = texts[0] if texts else ""
    given: Mapping[str, Any] = usage if isinstance(usage, Mapping) else {}
    read, written = part_of(None, given.get(names.read)), part_of(None, given.get(names.written))
    plain, tokens_out = usage_of(given, text, (names.tokens_in,), (names.tokens_out,))
    if plain is None and (read or written):
        # All of it was in the cache.
        plain = tokens_of(given.get(names.tokens_in))
    return ProviderReply(
        text=text,
        tokens_in=None if plain is None else plain + read + written,
        tokens_out=tokens_out,
        finish_reason=end_of(reason),
        tokens_cached=0 if plain is None else read,
        tokens_written=0 if plain is None else written,
        otherwise=texts[1:],
    )


def _arguments(message: Mapping[str, Any]) -> list[str]:
    """Return the arguments of the tools a message calls, as texts."""
    calls = message.get("tool_calls")
    functions = [
        c.get("function") or c.get("custom") for c in calls or () if isinstance(c, Mapping)
    ]
    functions.append(message.get("function_call"))
    found = [f.get("arguments", f.get("input")) for f in functions if isinstance(f, Mapping)]
    return [
        value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        for value in found
        if value is not None
    ]


def _tokens(logprobs: Any) -> list[TokenLogprobs] | None:
    """Read log-probabilities; what is not shaped as expected counts as none."""
    content = logprobs.get("content") if isinstance(logprobs, dict) else None
    if not content:
        return None
    try:
        return [
            TokenLogprobs(
                str(t["token"]),
                float(t["logprob"]),
                [(str(o["token"]), float(o["logprob"])) for o in t.get("top_logprobs") or ()],
            )
            for t in content
        ]
    except (KeyError, TypeError, ValueError, AttributeError):
        return None
