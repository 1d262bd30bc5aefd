"""What an LLM wrote, taken apart: the JSON in a text, from strict readings to repair.

Nothing here knows what is asked for; whoever does tries what is found, in the order it is given.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

# Raw line breaks and tabs within strings are not JSON, and what half the models write.
_DECODER = json.JSONDecoder(strict=False)
# Beginnings that turn out to be no JSON, before a text is given up: each is read to where it fails.
_MOST_FAILURES = 500
# Longer texts are not repaired: the time it takes is not in proportion.
_MOST_REPAIRED = 200_000
_DEEPEST = 3

_NAMES = r"think|thinking|thoughts?|reasoning|reflection|scratchpad|analysis"
_OPENS = (
    rf"<(?:{_NAMES})>|\[THINK\]|◁think▷|<\|channel\|>\s*(?:analysis|commentary)[^<{{]*<\|message\|>"
)
_CLOSES = rf"</(?:{_NAMES})>|\[/THINK\]|◁/think▷|<\|channel\|>\s*final[^<{{]*<\|message\|>"
_OPEN, _CLOSE = re.compile(_OPENS, re.IGNORECASE), re.compile(_CLOSES, re.IGNORECASE)
# A string that holds JSON begins with its quote and then an escaped one, or a brace of an array.
_TOKEN = re.compile(rf'[{{\[]|"(?=\s*[{{\[])|{_OPENS}|{_CLOSES}', re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Found:
    """JSON in a text: its value, where it is (-1 where not as it stands), whether it was repaired.

    `repaired` is what had to be changed to be JSON at all.
    """

    value: Any
    start: int = -1
    end: int = -1
    repaired: bool = False


def found_in(text: str) -> list[Found]:
    """Return the objects and arrays in a text, the last first: the one that counts.

    What stands in a thinking model's thoughts (between tags, or before an end tag alone) is none;
    nor is what comes after a tag that is never closed, unless it is the whole rest.
    """
    return _scan(text, 0)[::-1]


def _scan(text: str, depth: int) -> list[Found]:
    found: list[Found] = []
    at = failures = 0
    while (token := _TOKEN.search(text, at)) is not None and failures < _MOST_FAILURES:
        word = token.group()
        at = token.end()
        if word in '{["':
            try:
                value, end = _DECODER.raw_decode(text, token.start())
            except (ValueError, RecursionError):
                failures += 1
                continue
            at = end
            if not isinstance(value, str):
                found.append(Found(value, token.start(), end, _is_loose(text, token.start(), end)))
            elif depth < _DEEPEST:
                found += [Found(f.value, repaired=f.repaired) for f in _scan(value, depth + 1)]
        elif _OPEN.fullmatch(word):
            end_of_thoughts = _CLOSE.search(text, at)
            if end_of_thoughts is not None:
                at = end_of_thoughts.end()
                found.clear()
            elif not _is_whole(text[at:]):
                break
        else:
            # All that came before was thought, by a model whose first tag is in the prompt.
            found.clear()
    return found


def _is_loose(text: str, start: int, end: int) -> bool:
    """Tell whether JSON holds raw control characters within its strings."""
    try:
        json.loads(text[start:end])
    except (ValueError, RecursionError):
        return True
    return False


def _is_whole(text: str) -> bool:
    text = text.strip()
    return text.startswith("{") and text.endswith("}")


def repaired_in(text: str, *, finished: bool) -> list[Found]:
    """Return what a repair makes of a text, the last first: single quotes, commas too many, ...

    What was cut off is not completed: `finished` says that the model ended by itself, and even then
    neither a text within its quotes nor a list that goes on is.
    """
    rest = after_thoughts(text)
    if rest is None or len(rest) > _MOST_REPAIRED:
        return []
    out: list[Found] = []
    at = 0
    while (at := rest.find("{", at)) >= 0 and len(out) < _MOST_FAILURES:
        end, within = _extent(rest, at)
        if end is None:
            cut = rest[at:].rstrip().removesuffix("```").rstrip()
            if finished and not within and not cut.endswith((",", ":", "{", "[")):
                out += _repaired(cut)
            break
        out += _repaired(rest[at:end])
        at = end
    return out[::-1]


def after_thoughts(text: str) -> str | None:
    """Return a text without its thoughts; None where it is nothing else."""
    closes = list(_CLOSE.finditer(text))
    rest = text[closes[-1].end() :] if closes else text
    opened = _OPEN.search(rest)
    if opened is None:
        return rest
    return rest[opened.end() :] if _is_whole(rest[opened.end() :]) else rest[: opened.start()]


def _repaired(text: str) -> list[Found]:
    import json_repair

    out: list[Found] = []
    # JSON within a string whose quotes are lost: {\"a\": 1}.
    plain = text.replace('\\"', '"') if '{\\"' in text else text
    plain = _whole_words(plain)
    try:
        value = json_repair.loads(plain, skip_json_loads=False)
    except Exception:
        # It is made for broken texts and has its own ways of breaking; then there is no repair.
        return out
    if isinstance(value, dict | list) and value:
        out.append(Found(value, repaired=True))
    return out


def _extent(text: str, start: int) -> tuple[int | None, bool]:
    """Return where the brace at `start` is closed, None if nowhere, and whether the text ends
    within quotes."""
    depth, quote = 0, ""
    for at, char, quote, _ in _walk(text, start):
        if quote:
            continue
        if char in "{[":
            depth += 1
        elif char in "}]":
            depth -= 1
            if depth == 0:
                return at + 1, False
    return None, bool(quote)


def _walk(text: str, start: int) -> Iterator[tuple[int, str, str, str]]:
    """Yield place, character, the quote it is within, and the last one before it not a space.

    A quote opens a string where a value or a key may begin, and closes it where one may end: in
    broken JSON there are quotes within quotes, and apostrophes.
    """
    quote = before = ""
    for at in range(start, len(text)):
        char = text[at]
        if quote:
            if char == quote and text[at - 1] != "\\" and _ends(text, at):
                quote = ""
                before = char
            yield at, char, quote, before
            continue
        if char in "\"'" and before in "{[,:":
            quote = char
        yield at, char, quote, before
        if not char.isspace():
            before = char


_WORD = re.compile(r"""[^,\[\]{}"'\n]+""")
_COMMENT = re.compile(r"//|#|/\*")
_NUMBER = re.compile(r"[-+~\u2212]?(\d[\d_]*\.?[\d_]*|\.\d+)([eE][-+]?\d+)?", re.ASCII)


def _whole_words(text: str) -> str:
    """Put quotes around values that only begin as numbers do, or have one in them.

    A repair takes the digits and drops the rest: "5 million" and "<5" would be 5, "10 - 20" and
    "10^6" would be 10, and a minus in another sign none.
    """
    out: list[str] = []
    done = 0
    for at, char, quote, before in _walk(text, 0):
        if at < done or quote or before not in (":", "[", ","):
            continue
        found = None if char.isspace() or char.isalpha() or char in ":_" else _WORD.match(text, at)
        if found is None:
            continue
        word = _COMMENT.split(found.group(), maxsplit=1)[0]
        if before != ":":
            # It may be the name of a field that has lost its quotes.
            word = word.split(":", 1)[0]
        word = word.rstrip()
        if not any(c.isnumeric() for c in word):
            continue
        if _NUMBER.fullmatch(word) is None:
            out += [text[done:at], json.dumps(word, ensure_ascii=False)]
        else:
            out += [text[done:at], word.replace("\u2212", "-")]
        done = at + len(word)
    return "".join([*out, text[done:]])


_AFTER = re.compile(r"\s*([,:}\]]|$|//|#|/\*|[\"'])")


def _ends(text: str, at: int) -> bool:
    return _AFTER.match(text, at + 1) is not None


def shapes(value: Any, fields: Collection[str]) -> Iterator[dict[str, Any]]:
    """Yield the objects that a value may be meant as, the likeliest first.

    As it stands; up to three levels down, in wrapping objects and arrays, or in a string of JSON;
    and a bare array or object as the one field of a class that has no other. An object without any
    of the fields says nothing and is left out.
    """
    if isinstance(value, dict) and any(name in value for name in fields):
        yield value
        return
    if not isinstance(value, dict | list):
        return
    level: list[Any] = [value]
    for _ in range(_DEEPEST):
        below: list[Any] = []
        for item in level:
            inner = item.values() if isinstance(item, dict) else item
            for one in inner:
                below += one if isinstance(one, list) else [one]
        level = []
        for item in reversed(below):
            if isinstance(item, str) and item.lstrip().startswith(("{", "[")):
                found = [one.value for one in found_in(item)]
            else:
                found = [item]
            for one in found:
                if isinstance(one, dict) and any(name in one for name in fields):
                    yield one
                elif isinstance(one, dict | list):
                    level.append(one)
        level.reverse()
    if isinstance(value, dict) and value:
        # Names in other letters are told apart by whoever knows them.
        yield value
    if len(fields) == 1 and isinstance(value, dict | list):
        yield {next(iter(fields)): value}
