"""What a capable LLM says, in the ways such LLMs say it: a server's `answers`, without a model.

It reads a request as OpenAI's chat completions, Bedrock's Converse or Anthropic's Messages have it
and answers what the schema asks for, with names, descriptions and candidate values as Claude writes
them. Patterns, lengths and counts are not heeded (providers do not enforce them); closed lists of
values are. Some replies begin with a thought, some stand in a fence:

    with LLMServer(answers=Capable(), logprobs="ignore") as server: ...
    with BedrockServer(answers=Capable(), model=Model(json_schema=False)) as server: ...

What it answers depends on the words of the request alone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.support.answers import number_of, schema_in
from tests.support.concepts import CONCEPTS, DEMOGRAPHIC, Concept

UNKNOWN = "unknown"

THOUGHTS = (
    "Let me look at what the answers have in common.",
    "Here is my answer, based on what I was told of the person:",
    "The question is about more than one thing, so I name what I find on each level.",
)


@dataclass(frozen=True)
class Capable:
    """Answers a request as a capable LLM does; called with the request's body.

    Attributes
    ----------
    chatty : some replies begin with a thought, with braces in it or not, others stand in a fence;
        without it every reply is an object and nothing else.
    unknowns : the share of persona values that are unknown, where that may be said.
    """

    chatty: bool = True
    unknowns: float = 0.15

    def __call__(self, body: dict[str, Any]) -> str | dict[str, Any]:
        text = text_of(body)
        schema, tool = schema_of(body)
        if schema is None:
            return "I would gladly help, but in which form do you want the answer?"
        answer: dict[str, Any] = _Speaker(text, schema, self.unknowns).value(schema, "")
        said = json.dumps(answer, ensure_ascii=False)
        most = 4 * limit_of(body)
        if len(said) > most:
            return said[:most]
        if tool:
            # The argument of a tool comes as an object, whatever is said beside it.
            return answer
        kind = number_of(text) % 5 if self.chatty else 0
        kind = kind if len(said) + 200 < most else 0
        if kind == 1:
            return f"{THOUGHTS[number_of(said) % len(THOUGHTS)]}\n\n{said}"
        if kind == 2:
            return f"```json\n{json.dumps(answer, ensure_ascii=False, indent=2)}\n```"
        if kind == 3:
            return (
                f'<think>\nThey want {{an object}}, like {{"a": 1}}. So be it.\n</think>\n\n{said}'
            )
        return said


def useless(body: dict[str, Any]) -> str:
    """Answer with what is of no use, whatever was asked: talk, an empty object, another object."""
    kinds = ("I am sorry, but I cannot help with that.", "{}", '{"result": "ok"}', "```\n\n```")
    return kinds[number_of(text_of(body)) % len(kinds)]


def text_of(body: dict[str, Any]) -> str:
    """Return all a request says, system first, as one text; of OpenAI, Converse or Anthropic."""
    contents = [body.get("system", []), *(m["content"] for m in body.get("messages", []))]
    texts: list[str] = []
    for content in contents:
        blocks = [{"text": content}] if isinstance(content, str) else content
        texts += [block["text"] for block in blocks if block.get("text")]
    return "\n\n".join(texts)


def limit_of(body: dict[str, Any]) -> int:
    """Return the most tokens a request lets the answer have; one is some four characters."""
    named = (body.get(name) for name in ("max_tokens", "max_completion_tokens"))
    found = next((limit for limit in named if limit), None)
    return int(found or body.get("inferenceConfig", {}).get("maxTokens") or 1_000_000)


def schema_of(body: dict[str, Any]) -> tuple[dict[str, Any] | None, bool]:
    """Return the schema a request asks for, and whether as the argument of a tool."""
    wanted = body.get("response_format") or {}
    if wanted.get("type") == "json_schema":
        return wanted["json_schema"]["schema"], False
    if "outputConfig" in body:
        structure = body["outputConfig"]["textFormat"]["structure"]
        return json.loads(structure["jsonSchema"]["schema"]), False
    if "output_config" in body:
        return body["output_config"]["format"]["schema"], False
    if "toolConfig" in body:
        return body["toolConfig"]["tools"][0]["toolSpec"]["inputSchema"]["json"], True
    if body.get("tools"):
        tool = body["tools"][0]
        function = tool.get("function")
        return (function["parameters"] if function else tool["input_schema"]), True
    return schema_in(text_of(body)), False


class _Speaker:
    """Makes the values of one answer."""

    def __init__(self, text: str, root: dict[str, Any], unknowns: float) -> None:
        self._text, self._root, self._unknowns = text, root, unknowns

    def _pick(self, path: str) -> int:
        return number_of(f"{self._text}/{path}")

    def value(self, schema: dict[str, Any], path: str) -> Any:
        """Return a value that fits a schema, but for what providers do not enforce."""
        if "$ref" in schema:
            target: Any = self._root
            for part in schema["$ref"].removeprefix("#/").split("/"):
                target = target[part]
            return self.value(target, path)
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return self._chosen(schema["enum"], path)
        for word in ("anyOf", "oneOf", "allOf"):
            if word in schema:
                return self.value(schema[word][0], path)
        kind = schema.get("type")
        kind = kind[0] if isinstance(kind, list) else kind
        if kind == "object":
            return self._object(schema, path)
        if kind == "array":
            return self._list(schema, path)
        if kind in ("integer", "number"):
            low, high = float(schema.get("minimum", 0)), float(schema.get("maximum", 100))
            number = low + (high - low) * (self._pick(path) % 101) / 100
            return int(number) if kind == "integer" else round(number, 2)
        if kind == "boolean":
            return self._pick(path) % 2 == 0
        return None if kind == "null" else self._words(path)

    def _object(self, schema: dict[str, Any], path: str) -> dict[str, Any]:
        properties: dict[str, Any] = schema.get("properties", {})
        if {"name", "description"} <= properties.keys():
            return self._dimension(properties, self._concept(path), path)
        shares = [n for n, s in properties.items() if s.get("type") == "number"]
        answer = {n: self.value(s, f"{path}/{n}") for n, s in properties.items()}
        if len(shares) > 1:
            # Several numbers side by side are shares, which add up to 1, or nearly so.
            weights = {n: 1 + self._pick(f"{path}/{n}") % 50 for n in shares}
            total = sum(weights.values())
            answer |= {n: round(w / total, 2) for n, w in weights.items()}
        return answer

    def _list(self, schema: dict[str, Any], path: str) -> list[Any]:
        items = schema.get("items", {})
        if {"name", "description", "level"} <= items.get("properties", {}).keys():
            return list(self._proposed(items["properties"], path))
        count = max(schema.get("minItems", 0), 2)
        return [self.value(items, f"{path}/{i}") for i in range(count)]

    def _proposed(self, properties: dict[str, Any], path: str) -> Iterator[dict[str, Any]]:
        """Propose one to six dimensions, the same ones for questions that are much alike."""
        pick = self._pick(path)
        for i in range(1 + pick % 6):
            place = self._pick(f"{path}/{i}") % len(CONCEPTS)
            yield self._dimension(properties, CONCEPTS[place], f"{path}/{i}")

    def _concept(self, path: str) -> Concept:
        """Return the concept whose name is written most often in the request."""
        counts = [sum(self._text.count(name) for name in concept[1]) for concept in CONCEPTS]
        best = max(counts)
        return CONCEPTS[counts.index(best) if best else self._pick(path) % len(CONCEPTS)]

    def _dimension(self, properties: dict[str, Any], concept: Concept, path: str) -> dict[str, Any]:
        level, names, description, values, ordered = concept
        proposed = "level" in properties
        said: dict[str, Any] = {
            "level": level,
            # Merged, a dimension goes by one name.
            "name": names[self._pick(path) % len(names)] if proposed else names[0],
            "description": description,
            "candidate_values": list(values),
            "ordered": ordered,
        }
        return {
            n: said[n] if n in said else self.value(schema, f"{path}/{n}")
            for n, schema in properties.items()
        }

    def _chosen(self, values: list[Any], path: str) -> Any:
        """Choose one of a closed list, for checks by what they are about."""
        told = _options(self._text)
        if all(isinstance(value, str) and len(value) == 1 for value in values):
            shown = {value: told.get(value, "") for value in values}
            verdict = self._verdict(shown)
            if verdict is not None:
                return verdict
        return self._known(values, path)

    def _known(self, values: list[Any], path: str) -> Any:
        known = [value for value in values if value != UNKNOWN]
        if len(known) < len(values) and self._pick(f"{path}?") % 100 < 100 * self._unknowns:
            return UNKNOWN
        return known[self._pick(path) % len(known)] if known else values[0]

    def _verdict(self, shown: dict[str, str]) -> str | None:
        by_option = {option: label for label, option in shown.items()}
        if "a demographic fact" in by_option:
            about = [name for name in DEMOGRAPHIC[1] if name in self._text]
            keep = next(option for option in by_option if option != "a demographic fact")
            return by_option["a demographic fact" if about else keep]
        if "one and the same thing" in by_option:
            counts = [sum(name in self._text for name in concept[1]) for concept in CONCEPTS]
            keep = next(option for option in by_option if option != "one and the same thing")
            return by_option["one and the same thing" if max(counts) > 1 else keep]
        return None

    def _words(self, path: str) -> str:
        field = path.rsplit("/", 1)[-1]
        told = self._told(path) if field == "value" else []
        if told:
            return str(self._known([*told, UNKNOWN], path))
        if field in ("thought", "reasoning", "reason", "why"):
            return (
                "What the person said before points to one side, though not to its far end; people "
                "with such answers mostly choose what lies in between."
            )
        return CONCEPTS[self._pick(path) % len(CONCEPTS)][2].split(".")[0] + "."

    def _told(self, path: str) -> list[str]:
        """Return the values that the prompt lists for what a value is of: under its label, where
        the request asks of several things at once."""
        label = re.search(r"/(r\d+)/", path)
        text = self._text.split(f"\n{label[1]}:\n")[-1] if label else self._text
        listed = re.findall(r"(?m)^ *Values[^:]*: (.+)$", text)
        return listed[0 if label else -1].split(" | ") if listed else []


def _options(text: str) -> dict[str, str]:
    """Return the options listed last in a prompt by their labels: 'A. Yes'."""
    return dict(re.findall(r"(?m)^ *([A-Za-z])[.):] (.+?) *$", text))
