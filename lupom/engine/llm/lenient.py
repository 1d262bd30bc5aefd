"""A response class read leniently: what a provider does not enforce is no reason to ask again.

Lengths are cut, patterns and further fields accepted, an allowed value in other letters taken for
what it is. Whatever the class checks by validators of its own stays checked, and so do types,
smallest lengths and ranges of numbers: there the answer does not say what was asked.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from lupom.engine.llm.numerals import one_number

if TYPE_CHECKING:
    from pydantic import BaseModel
    from pydantic_core import SchemaValidator

# Typographic apostrophes, quotes, dashes and the ellipsis, as a keyboard has them.
_SPELLINGS = str.maketrans(
    {
        **dict.fromkeys("\u2018\u2019\u02bc\u0060\u00b4", "'"),
        **dict.fromkeys("\u201c\u201d\u201e", '"'),
        **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2212", "-"),
        "\u2026": "...",
    }
)
# A text is cut where a word ends if that costs no more than this part of it.
_WORD = 0.8


def plain(text: str) -> str:
    """Return a text without what tells spellings apart: case, spaces, quotes, a final full stop."""
    text = unicodedata.normalize("NFKC", text).translate(_SPELLINGS).casefold()
    return " ".join(text.split()).strip("\"'").removesuffix(".").strip()


def fitting(value: Any, allowed: Iterable[str]) -> str | None:
    """Return the one allowed text that a value spells; None where none does, or several do."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    allowed = list(allowed)
    if value in allowed:
        return str(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    wanted = plain(str(value))
    found = {text for text in allowed if plain(text) == wanted} if wanted else set()
    if not found:
        wanted = _words(str(value))
        if sum(char.isalpha() for char in wanted) >= _LETTERS:
            found = {text for text in allowed if _words(text) == wanted}
    return found.pop() if len(found) == 1 else None


# Fewer letters than this may be a label, or another word but for a sign.
_LETTERS = 3
# Beside digits signs say what a number is: 5-9, -1, 1.5.
_BETWEEN = re.compile(r"(?<!\d)[\s\"'`*_.,;:!?()\[\]/\\-]+(?!\d)")


def _words(text: str) -> str:
    """Return a text without spaces and signs between its words."""
    return _BETWEEN.sub("", plain(text))


# Names under which an object holds the one thing that was asked for.
NAMES = frozenset(
    {"answer", "choice", "label", "letter", "option", "response", "selected", "selection"}
    | {"text", "value", "final answer", "final_answer", "output", "result"}
    | {"predicted", "predicted answer", "predicted_answer", "prediction"}
)


def alone(value: Any) -> Any:
    """Return the one text in a list, or in an object under a name for it; else the value."""
    if isinstance(value, dict) and len(value) == 1 and plain(str(next(iter(value)))) in NAMES:
        value = list(value.values())
    is_one = isinstance(value, list) and len(value) == 1 and isinstance(value[0], str)
    return value[0] if is_one else value


def key_of(name: str, value: Mapping[str, Any], taken: Collection[str]) -> str | None:
    """Return the one key of an object that spells a name in other letters; None if there is none.

    Keys in `taken` are names themselves.
    """
    wanted = _bare(name)
    found = [key for key in value if key not in taken and _bare(key) == wanted]
    return found[0] if len(found) == 1 else None


def _bare(name: str) -> str:
    return re.sub(r"[\W_]+", "", plain(str(name)))


def lenient_validator(cls: type[BaseModel]) -> SchemaValidator:
    """Return a validator that makes objects of a class out of answers that bend its limits."""
    from pydantic_core import SchemaValidator

    schema = _loosened(cls.__pydantic_core_schema__)
    try:
        # Without it, classes within the class are validated by themselves, as strictly as ever.
        return SchemaValidator(schema, _use_prebuilt=False)
    except TypeError:
        return SchemaValidator(schema)


def _loosened(part: Any) -> Any:
    if isinstance(part, list):
        return [_loosened(item) for item in part]
    if not isinstance(part, dict):
        return part
    kind = part.get("type")
    if kind in ("literal", "enum"):
        return _before(part, _to_one_of([getattr(m, "value", m) for m in _members(part)]))
    out = {key: value if key == "metadata" else _loosened(value) for key, value in part.items()}
    if kind == "str":
        return _text(out)
    if kind in ("int", "float"):
        return _before(out, number_of)
    if kind in ("list", "set", "frozenset"):
        most = out.pop("max_length", None)
        return out if most is None else _before(out, lambda value: _cut_list(value, most))
    if kind == "model":
        config = {k: v for k, v in out.get("config", {}).items() if k != "extra_fields_behavior"}
        fields = _fields(out.get("schema"))
        # A reference stays with what it names.
        return _before({**out, "config": config}, lambda value: _renamed(value, fields))
    return out


def _members(part: Mapping[str, Any]) -> list[Any]:
    return list(part.get("expected") or part.get("members") or ())


def _before(schema: dict[str, Any], change: Callable[[Any], Any]) -> dict[str, Any]:
    out = {
        "type": "function-before",
        "function": {"type": "no-info", "function": change},
        "schema": {key: value for key, value in schema.items() if key != "ref"},
    }
    return {**out, "ref": schema["ref"]} if "ref" in schema else out


def _to_one_of(values: list[Any]) -> Callable[[Any], Any]:
    texts = [value for value in values if isinstance(value, str)]

    def change(value: Any) -> Any:
        value = alone(value)
        if value in values:
            return value
        found = fitting(value, texts)
        return value if found is None else found

    return change


def _text(schema: dict[str, Any]) -> dict[str, Any]:
    most, pattern = schema.pop("max_length", None), schema.pop("pattern", None)
    schema["coerce_numbers_to_str"] = True
    if most is None and pattern is None:
        return schema

    def change(value: str) -> str:
        if pattern is not None:
            value = _to_pattern(value, pattern)
        return value if most is None or len(value) <= most else _cut(value, most)

    return {
        "type": "function-after",
        "function": {"type": "no-info", "function": change},
        "schema": schema,
    }


def number_of(value: Any) -> Any:
    """Return a number that a text writes in groups of digits, with a decimal comma, or in a few
    words.

    Only where it can be read in one way: "1,200" may be 1200 or 1.2 and stays a text.
    """
    inner = _only(value)
    if isinstance(inner, int | float) and not isinstance(inner, bool):
        return inner
    if not isinstance(value, str) or len(value) > _LONGEST_NUMBER:
        return value
    text = unicodedata.normalize("NFKC", value).translate(_SPELLINGS).strip()
    for pattern, group, point in _GROUPED:
        if pattern.fullmatch(text):
            return text.replace(group, "").replace(point, ".")
    said = one_number(text)
    return value if said is None else said


def _only(value: Any) -> Any:
    """Return the one entry of a list, or of an object under a name for it; else the value."""
    if isinstance(value, dict) and len(value) == 1 and plain(str(next(iter(value)))) in NAMES:
        return next(iter(value.values()))
    return value[0] if isinstance(value, list) and len(value) == 1 else value


_LONGEST_NUMBER = 200
# A pattern, what stands between its groups, and its decimal point.
_GROUPED = [
    (re.compile(pattern, re.ASCII), group, point)
    for pattern, group, point in (
        (r"-?\d+(\.\d+)?", "_", "."),
        (r"-?\d{1,3}( \d{3})+(\.\d+)?", " ", "."),
        (r"-?\d{1,3}( \d{3})+,\d+", " ", ","),
        (r"-?\d{1,3}('\d{3})+(\.\d+)?", "'", "."),
        (r"-?\d{1,3}(,\d{3})+\.\d+", ",", "."),
        (r"-?\d{1,3}(,\d{3}){2,}", ",", "."),
        (r"-?\d{1,3}(\.\d{3})+,\d+", ".", ","),
        (r"-?\d{1,3}(\.\d{3}){2,}", ".", ","),
        (r"-?(0|\d+(?!,\d{3}$)),\d+", "_", ","),
    )
]


def _to_pattern(value: str, pattern: str) -> str:
    """Return a text without the spaces or the full stop around it where it fits a pattern then."""
    for spelled in (value, value.strip(), value.strip().removesuffix(".").strip()):
        try:
            if spelled and re.search(pattern, spelled):
                return spelled
        except re.error:
            # Pydantic's patterns are another engine's.
            return value
    return value


def _cut(text: str, most: int) -> str:
    cut = text[:most]
    if not text[most : most + 1].isspace():
        at = max(cut.rfind(" "), cut.rfind("\n"))
        cut = cut[:at] if at >= _WORD * most else cut
    return cut.rstrip().rstrip(",;:-").rstrip() or text[:most]


def _cut_list(value: Any, most: int) -> Any:
    return value[:most] if isinstance(value, list) else value


def _fields(schema: Any) -> list[str]:
    """Return the names of a model's fields, below whatever validators stand around them."""
    while isinstance(schema, dict):
        if schema.get("type") == "model-fields":
            return list(schema["fields"])
        schema = schema.get("schema")
    return []


def _renamed(value: Any, fields: Collection[str]) -> Any:
    if not isinstance(value, dict):
        return value
    out = dict(value)
    for name in fields:
        if name not in out:
            key = key_of(name, out, fields)
            if key is not None:
                out[name] = out.pop(key)
    if len(fields) == 1 and len(out) == 1 and plain(str(*out)) in NAMES:
        # The one thing that was asked for, under another name.
        return dict(zip(fields, out.values(), strict=True))
    return out
