"""What a server without a model answers: deterministic, and fit for the schema asked for."""

from __future__ import annotations

import hashlib
import json
import math
import re
from typing import Any


def number_of(text: str) -> int:
    """Return a large number that depends on the text alone."""
    return int.from_bytes(
        hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).digest(), "big"
    )


def embedding(text: str, size: int) -> list[float]:
    """Return a unit vector that depends on the text alone."""
    values = [math.sin(number_of(text) % 99_991 + 1 + i) for i in range(size)]
    norm = math.sqrt(sum(v * v for v in values))
    return [v / norm for v in values]


def read_and_written(points: list[str], cached: set[str], least: int = 0) -> tuple[int, int]:
    """Return the tokens of a request that come from a prompt cache and those put into it, given
    the text before each of its cache points; `cached` are the beginnings it holds.

    The longest beginning it has is read, and what goes on to the last point is written; one of
    fewer than `least` tokens is neither.
    """
    sizes = {point: len(point) // 4 for point in points if len(point) // 4 >= least}
    read = max((size for point, size in sizes.items() if point in cached), default=0)
    written = max(sizes.values(), default=0) - read
    cached |= set(sizes)
    return read, max(0, written)


def already_begun(text: str, known: set[str], least: int) -> int:
    """Return the tokens of a prompt that an earlier one began with, in steps of 128 as at OpenAI;
    `known` are the beginnings so far, and fewer than `least` are none."""
    steps = range(128, len(text) // 4 + 1, 128)
    most = max((size for size in steps if text[: 4 * size] in known), default=0)
    known |= {text[: 4 * size] for size in steps}
    return most if most >= least else 0


def fit(schema: dict[str, Any], seed: str, root: dict[str, Any] | None = None) -> Any:
    """Return a value that fits a JSON schema, the same for the same seed."""
    root = schema if root is None else root
    if "$ref" in schema:
        target: Any = root
        for part in schema["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        return fit(target, seed, root)
    pick = number_of(seed)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][pick % len(schema["enum"])]
    for word in ("anyOf", "oneOf", "allOf"):
        if word in schema:
            return fit(schema[word][0], seed, root)
    kind = schema.get("type")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "object":
        properties = schema.get("properties", {})
        if len(properties) > 1 and all(s == {"type": "number"} for s in properties.values()):
            # Nothing but numbers: shares, which add up to 1 or nearly so.
            weights = {n: 1 + number_of(f"{seed}/{n}") % 50 for n in properties}
            return {n: round(w / sum(weights.values()), 2) for n, w in weights.items()}
        return {n: fit(s, f"{seed}/{n}", root) for n, s in properties.items()}
    if kind == "array":
        count = max(schema.get("minItems", 0), min(2, schema.get("maxItems", 2)))
        return [fit(schema.get("items", {}), f"{seed}/{i}", root) for i in range(count)]
    if kind == "integer":
        low = int(schema.get("minimum", 0))
        return low + pick % (int(schema.get("maximum", low + 9)) - low + 1)
    if kind == "number":
        least = float(schema.get("minimum", 0))
        most = float(schema.get("maximum", least + 1))
        return round(least + (most - least) * (pick % 1000) / 1000, 3)
    if kind == "boolean":
        return pick % 2 == 0
    if kind == "null":
        return None
    words = f"word {pick % 1_000_000:06d}"
    return words[: schema.get("maxLength", 1_000)].ljust(schema.get("minLength", 0), "x")


def tokenize(text: str, *, glue: bool = False) -> list[str]:
    """Split JSON text roughly as a tokenizer would: quotes and braces stick together, words stand
    alone."""
    pieces = re.findall(r'\{"|": ?|", ?"|"\}|"|[A-Za-z]+|\d+|\s+|.', text, re.S)
    if glue:
        text_out: list[str] = []
        for piece in pieces:
            if text_out and text_out[-1] == '"' and piece.isalnum():
                text_out[-1] += piece
            else:
                text_out.append(piece)
        return text_out
    return pieces


def schema_of(body: dict[str, Any]) -> dict[str, Any] | None:
    wanted = body.get("response_format") or {}
    return (
        wanted.get("json_schema", {}).get("schema") if wanted.get("type") == "json_schema" else None
    )


def schema_in(text: str) -> dict[str, Any] | None:
    """Find a schema that stands in the prompt, as a model in JSON mode would."""
    told = max(text.rfind("JSON schema:"), text.rfind("json_schema:"))
    start = text.find("{", told) if told >= 0 else -1
    try:
        return json.JSONDecoder().raw_decode(text[start:])[0] if start >= 0 else None
    except ValueError:
        return None


def labels_of(schema: dict[str, Any] | None) -> list[str]:
    """Return the labels of a choice: one property, an enum of single characters."""
    properties = list((schema or {}).get("properties", {}).values())
    values = properties[0].get("enum", []) if len(properties) == 1 else []
    return values if all(isinstance(v, str) and len(v) == 1 for v in values) else []


def probabilities_of(labels: list[str], seed: str) -> dict[str, float]:
    weights = [1 + number_of(f"{seed}/{label}") % 100 for label in labels]
    return {label: 0.98 * w / sum(weights) for label, w in zip(labels, weights, strict=True)}


def logprobs_of(
    content: str, probabilities: dict[str, float], top: int, glue: bool
) -> list[dict[str, Any]]:
    out = []
    labelled = False
    pieces = tokenize(content, glue=glue)
    for i, piece in enumerate(pieces):
        bare = piece.lstrip('" ')
        # The label is the last word of the object; a property's name may be one letter, too.
        at_label = bool(probabilities) and bare in probabilities and not labelled
        at_label = at_label and any(":" in before for before in pieces[:i])
        if at_label:
            labelled = True
            before = piece[: len(piece) - len(bare)]
            shares = {before + label: p for label, p in probabilities.items()}
        else:
            shares = {piece: 0.99, piece + "s": 0.005}
        ranked = sorted(((t, math.log(p)) for t, p in shares.items() if p > 0), key=lambda x: -x[1])
        own = math.log(max(shares.get(piece, 0.0), 1e-9))
        alternatives = [{"token": t, "logprob": p, "bytes": None} for t, p in ranked[:top]]
        out.append({"token": piece, "logprob": own, "bytes": None, "top_logprobs": alternatives})
    return out


def personas(body: dict[str, Any]) -> dict[str, Any] | None:
    """Propose and merge dimensions under names of letters, as the response classes want them."""
    wanted = schema_of(body)
    if wanted is None or not {"dimensions", "name"} & wanted.get("properties", {}).keys():
        return None
    answer: dict[str, Any] = fit(wanted, body["messages"][-1]["content"])
    for dimension in answer.get("dimensions", [answer]):
        word = "".join(chr(ord("a") + int(digit)) for digit in str(number_of(str(dimension)))[:8])
        dimension["name"] = f"Love of {word}"
        dimension["description"] = f"How much somebody is fond of {word}"
    return answer
