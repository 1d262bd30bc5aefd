"""What a reply says that is not JSON: all of it, a line that names the answer, or a sentence."""

from __future__ import annotations

import re
from collections.abc import Mapping

from lupom.engine.llm import latex, prose
from lupom.engine.llm.choices import BEFORE, meant
from lupom.engine.llm.lenient import plain


def bare(text: str, field: str) -> str:
    """Return what a text that is not JSON says, without marks around it and a name before it.

    `**Answer:** B`, `mood: B` in a fence, `<mood>B</mood>` and `\\boxed{B}` are B.
    """
    text = _MARKS.sub(" ", text).strip() or text.strip()
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
        text = text[1:-1].strip()
    named = re.match(
        rf"(?:answer|{re.escape(field)})\s*[:=\n\uff1a\u2192\u2013\u2014-]\s*(.+)",
        text,
        re.I | re.S,
    )
    return named[1].strip() if named else text


def boxed(text: str) -> str | None:
    """Return what a text has in a box, as models that solve problems mark their answer:
    `So \\boxed{\\text{B}}.` is B. None where it has none, several that differ, or takes it back.
    """
    places = list(latex.BOX.finditer(text))
    if not places:
        return None
    found = {latex.without(place[1]).strip() for place in places}
    before = text[: places[-1].start()].rpartition("\n")[2]
    after = latex.without(text[places[-1].end() :])
    if len(found) > 1 or prose.denies(before) or prose.takes_back(after):
        return None
    return found.pop()


def said_in(text: str, labels: Mapping[str, str], field: str) -> str | None:
    """Return the one option that a text says which is not JSON.

    It is all of the text; or what lines say that name the answer ("Answer: B"); or what the last
    line says, or the first one before the reason for it, if no other line says another; or what a
    sentence answers with.
    """
    if text.rstrip(" \n*_").endswith("?") and meant(text.strip().strip("*_"), labels) is None:
        return None
    if (framed := boxed(text)) is not None:
        return meant(framed, labels, field)
    option = _in_lines(text, labels, field)
    if option is None:
        option = prose.begins(_MARKS.sub(" ", text), labels)
    if option is None:
        option = prose.said(
            text, labels, lambda words: meant(bare(words, field), labels, field), field
        )
    return option


def _in_lines(text: str, labels: Mapping[str, str], field: str) -> str | None:
    option = meant(text.strip(), labels, field) or meant(bare(text, field), labels, field)
    if option is not None:
        # "Agree?" asks.
        return None if text.strip("*_ \n\"'").endswith("?") and "?" not in option else option
    cleaned = [line.strip() for line in _MARKS.sub(" ", text).splitlines()]
    lines = [line for line in cleaned if line]
    if len(lines) > 2 and prose.is_heading(lines[0]):
        lines = lines[1:]
    if not 1 < len(lines) <= _MOST_LINES:
        return None
    named = re.compile(
        rf"\W*{BEFORE}(?:answer|choice|prediction|{re.escape(field)})(?:\s+is)?\s*[:=]\s*(.+)",
        re.I,
    )
    told: dict[int, str] = {}
    for place, line in enumerate(lines):
        if match := named.fullmatch(line):
            told[place] = match[1]
        elif match := prose.NAMED.fullmatch(line):
            told[place] = match["said"]
    if told:
        found = {meant(one.strip(), labels, field) for one in told.values()}
        first, last = min(told), max(told)
        others = (_LATER.search(line) for place, line in enumerate(lines) if place > first)
        found |= {meant(one[1], labels, field) for one in others if one is not None}
        # "B", and then a question and an answer that nobody asked for.
        if first and (begun := meant(lines[0], labels, field)) and not meant(lines[1], labels):
            found.add(begun)
        # "Q1. ... Answer: B. Now to Q2": of a question asked before.
        if first and _GOES_ON.search("\n".join(lines[last + 1 :])):
            return None
        return found.pop() if len(found) == 1 else None
    said = {
        place: option for place, line in enumerate(lines) if (option := meant(line, labels, field))
    }
    if len({*said.values()}) != 1:
        return None
    if len(lines) - 1 in said:
        before = lines[len(lines) - 2]
        apart = cleaned.index("", cleaned.index(before)) if "" in cleaned else 0
        ok = prose.introduces(before, apart=bool(apart)) and not prose.refused("\n".join(lines))
    elif 0 in said:
        rest = "\n".join(lines[1:])
        apart = "" in cleaned[cleaned.index(lines[0]) : cleaned.index(lines[1])]
        ok = not prose.refused(rest) and (
            bool(_REASON.match(lines[1]))
            or (apart and prose.explains(rest) and not _names(rest, labels))
        )
    else:
        return None
    return {*said.values()}.pop() if ok else None


def _names(text: str, labels: Mapping[str, str]) -> bool:
    """Tell whether a text has one of the options in it."""
    text = plain(text)
    return any(plain(one) in text for one in labels.values())


_LATER = re.compile(r"[:,]\s*(?:\w+\s+)?(?:answer|choice|prediction)\s*[:=]\s*(.+)", re.I)
_GOES_ON = re.compile(r"\b(?:predict|question|item|next|now|q\d+)\b", re.I)
# A text of more lines is not an answer with its reason.
_MOST_LINES = 60
_REASON = re.compile(r"\W*(reason|explanation|because|rationale|justification|why|note)", re.I)
_MARKS = re.compile(
    r"```\w*|</?\w{2,}>|</?s>|<\|\w+\|>|\[/?INST\]|[\u2600-\u27bf\ufe0f\U0001f000-\U0001faff]"
    r"|\\boxed|\\text|[*`{}$]|^[ \t]*[#>]+(?=\s)",
    re.MULTILINE,
)
