"""Answers and vectors that are made up: they fit what was asked and say nothing.

A rehearsal of a run has them in the place of an LLM's, to see how many rows there will be below.
"""

from __future__ import annotations

import json
import random
import zlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lupom.engine.llm.answers import Answer
from lupom.engine.llm.responses import InvalidAnswer, RowResponse
from lupom.engine.state.ledger import INVALID, OK

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

# Dimensions of made-up vectors: two have a cosine of 0 with a standard deviation of 1/8, so that
# texts are hardly ever alike.
_DIMENSIONS = 64
# Where a class sets no limit: words of a text, from a name's to a description's; entries of a list;
# how far a number goes beyond its least.
_WORDS, _ENTRIES, _NUMBER = (2, 12), (2, 5), 10
_SYLLABLES = ("ba", "de", "ki", "lo", "mu", "na", "po", "re", "si", "ta", "vu", "zo")
# Tries at what a class checks and its schema does not say.
_TRIES = 4


def stand_in(key: str, response: RowResponse) -> Answer:
    """Return an answer that is made up, the same for the same key.

    One that its class does not take, whatever was tried, is invalid.
    """
    for attempt in range(_TRIES):
        draw = random.Random(f"{key} {attempt}")
        text = json.dumps(_value(response.schema, response.schema, draw), ensure_ascii=False)
        try:
            value = response.parse(text)
        except InvalidAnswer as error:
            reason = str(error)
            continue
        return Answer(key, OK, value, text=text)
    return Answer(key, INVALID, None, error=reason)


def vectors(texts: Sequence[str]) -> npt.NDArray[np.float32]:
    """Return unit vectors that depend on each text alone, (n, 64)."""
    import numpy as np

    out = np.zeros((len(texts), _DIMENSIONS), dtype=np.float32)
    for row, text in zip(out, texts, strict=True):
        row[:] = np.random.default_rng(zlib.crc32(text.encode())).normal(size=_DIMENSIONS)
    out /= np.linalg.norm(out, axis=1, keepdims=True)
    return out


def _value(schema: Mapping[str, Any], root: Mapping[str, Any], draw: random.Random) -> Any:
    if "$ref" in schema:
        target: Any = root
        for part in schema["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        return _value(target, root, draw)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return draw.choice(schema["enum"])
    for word in ("anyOf", "oneOf", "allOf"):
        if word in schema:
            forms = [form for form in schema[word] if form.get("type") != "null"]
            return _value(draw.choice(forms or schema[word]), root, draw)
    kind = schema.get("type", "string")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "object":
        return _object(schema, root, draw)
    if kind == "array":
        least = schema.get("minItems", 0)
        most = schema.get("maxItems", max(least, _ENTRIES[1]))
        count = draw.randint(min(max(least, _ENTRIES[0]), most), min(most, max(least, _ENTRIES[1])))
        fixed = schema.get("prefixItems", [])
        rest = schema.get("items") or {}
        return [_value(fixed[i] if i < len(fixed) else rest, root, draw) for i in range(count)]
    if kind in ("integer", "number"):
        return _number(schema, kind, draw)
    if kind == "boolean":
        return draw.random() < 0.5
    if kind == "null":
        return None
    return _text(schema, draw)


def _object(schema: Mapping[str, Any], root: Mapping[str, Any], draw: random.Random) -> Any:
    properties = schema.get("properties", {})
    out = {name: _value(one, root, draw) for name, one in properties.items()}
    more = schema.get("additionalProperties")
    if not properties and isinstance(more, Mapping):
        out = {_text({}, draw): _value(more, root, draw) for _ in range(_ENTRIES[0])}
    shares = [name for name, one in properties.items() if one.get("type") == "number"]
    if len(shares) > 1 and len(shares) == len(properties):
        # Nothing but numbers is mostly a distribution.
        weights = [draw.random() + 0.01 for _ in shares]
        out = {n: round(w / sum(weights), 3) for n, w in zip(shares, weights, strict=True)}
    return out


def _number(schema: Mapping[str, Any], kind: str, draw: random.Random) -> Any:
    low = schema.get("minimum", schema.get("exclusiveMinimum", 0))
    high = schema.get("maximum", schema.get("exclusiveMaximum", low + _NUMBER))
    if kind == "integer":
        return draw.randint(int(low), max(int(low), int(high)))
    return round(low + (high - low) * (0.1 + 0.8 * draw.random()), 3)


def _text(schema: Mapping[str, Any], draw: random.Random) -> str:
    words = [
        "".join(draw.choices(_SYLLABLES, k=draw.randint(1, 4)))
        for _ in range(draw.randint(*_WORDS))
    ]
    text = " ".join(words)[: schema.get("maxLength", 10_000)].strip()
    return text.ljust(schema.get("minLength", 1), "a")
