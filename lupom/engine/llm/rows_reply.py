"""Each row's part of a reply to several rows: the values under their labels, whatever is around.

A model may write more than one object: an example, a draft, a correction of one row, a summary.
What they say of a row counts where they agree, and where a later one is plainly a correction; of a
row that is said in two ways nothing does, and it is asked again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from lupom.engine.llm import unlabelled
from lupom.engine.llm.reading import after_thoughts, found_in, repaired_in
from lupom.engine.llm.validation import InvalidAnswer

if TYPE_CHECKING:
    from lupom.engine.llm.responses import RowResponse

IN_TWO_WAYS = "the answer says two things of it"
UNLABELLED = "the answer does not say which row it is for"


@dataclass(frozen=True, slots=True)
class Part:
    """A row's part of a reply.

    Attributes
    ----------
    value, text : what is said of the row, and how it is written.
    start : where the text is in the reply; None where it is not there as it stands.
    repaired : what the model wrote had to be changed to be the part.
    in_words : it is a text for the row to read, and no JSON.
    unclear : why it answers nothing, where it says more than one thing.
    """

    value: Any
    text: str
    start: int | None = None
    repaired: bool = False
    in_words: bool = False
    unclear: str = ""

    def for_row(self, response: RowResponse | None) -> Part:
        """Return the part as the row's object: the answer itself may stand in place of an object
        with nothing but the answer."""
        field = None if response is None else response.only_field
        if field is None or isinstance(self.value, dict) or self.in_words or self.unclear:
            return self
        return spelled({field: self.value}, True)


@dataclass(frozen=True, slots=True)
class _Said:
    """An object of labels in a reply: what it says of each, in its order, and what is before it.

    `whole` says that it has all labels.
    """

    parts: Sequence[tuple[str, Part]]
    before: str
    whole: bool


_STRICT, _LOOSE = json.JSONDecoder(), json.JSONDecoder(strict=False)
# Beginnings of objects that may be broken, before a text is given up.
_MOST_BEGINNINGS = 500


def parts_of(
    text: str,
    labels: Sequence[str],
    responses: Sequence[RowResponse | None],
    *,
    finished: bool,
) -> dict[str, Part]:
    """Return the parts of a reply by label, as many as are whole; {} where it has no labels.

    A reply that was cut off has those before the cut; one that is not JSON has those that a repair
    gives.
    """
    objects = list(_objects(text, labels, finished=finished))
    if not objects:
        for found in repaired_in(text, finished=finished):
            parts = _labelled_in(found.value, labels)
            if parts:
                said = [(label, spelled(value, True)) for label, value, _ in parts]
                objects = [_Said(said, "", False), *objects]
    out = {}
    for label, response in zip(labels, responses, strict=True):
        told = [(part, said) for said in objects for name, part in said.parts if name == label]
        if told:
            out[label] = _decided(told, response)
    return out


def spelled(value: Any, repaired: bool) -> Part:
    """Return a value as a part that does not stand in the reply as it is."""
    return Part(value, json.dumps(value, ensure_ascii=False), repaired=repaired)


def _objects(text: str, labels: Sequence[str], *, finished: bool) -> Iterator[_Said]:
    """Yield the objects of labels in a text, in its order; the last may be broken off."""
    end = 0
    spans: list[tuple[int, int]] = []
    out: list[tuple[int, _Said]] = []
    for found in reversed(found_in(text)):
        value = found.value
        if found.start >= 0:
            value, _ = _DOUBLES.raw_decode(text, found.start)
        parts = _labelled_in(value, labels)
        if parts:
            places = _members(text, found.start) if found.start >= 0 else []
            said = []
            for label, part, as_asked in parts:
                own = (place for name, place in places if name == label and place.value == part)
                mine = spelled(part, found.repaired or not as_asked)
                said.append((label, next(own, mine)))
            before = text[end : found.start] if found.start >= 0 else ""
            whole = {label for label, _ in said} == set(labels)
            out.append((max(end, found.start), _Said(said, before, whole)))
        if found.start >= 0:
            end = found.end
            if parts:
                spans.append((found.start, found.end))
    out += _broken(text, labels, spans, finished=finished)
    for _, one in sorted(out, key=lambda pair: pair[0]):
        yield one


def _broken(
    text: str, labels: Sequence[str], spans: Sequence[tuple[int, int]], *, finished: bool
) -> list[tuple[int, _Said]]:
    """Return the first object of labels that is not JSON as a whole: its members up to there."""
    rest = after_thoughts(text) or ""
    shift = text.rfind(rest)
    begin = rest.find("{")
    for _ in range(_MOST_BEGINNINGS):
        if begin < 0:
            break
        place = begin + shift
        if not any(start <= place < end for start, end in spans):
            # Of a reply that was cut off, what is whole is as it was written.
            said = [
                (name, spelled(part.value, finished or part.repaired))
                for name, part in _members(rest, begin)
                if name in labels
            ]
            if said:
                return [(place, _Said(said, rest[:begin][-_BEFORE:], False))]
        begin = rest.find("{", begin + 1)
    return []


# Of several things that are said of a row


def _decided(told: Sequence[tuple[Part, _Said]], response: RowResponse | None) -> Part:
    """Return the part of a row of which a reply says something once or more often."""
    if len(told) == 1:
        return told[0][0]
    joined = _joined([part for part, _ in told], response)
    if joined is not None:
        return joined
    answers = [
        (part, said, value) for part, said in told if (value := _read(part, response)) is not None
    ]
    if not answers:
        return told[-1][0]
    part, said, value = answers[0]
    unclear = False
    for other, place, read in answers[1:]:
        if _agree(value, read, response):
            if _fullness(read) >= _fullness(value):
                part, said, value = other, place, read
        elif place is not said and (_corrects(place) or _is_draft(said)):
            part, said, value, unclear = other, place, read, False
        else:
            part, said, value, unclear = other, place, read, True
    if unclear:
        both = "\n".join(dict.fromkeys(part.text for part, _, _ in answers))
        return replace(part, text=both, start=None, unclear=IN_TWO_WAYS)
    return part


def _joined(parts: Sequence[Part], response: RowResponse | None) -> Part | None:
    """Return the one answer that objects give each a part of: a thought, and what it came to."""
    values = [part.value for part in parts if isinstance(part.value, dict)]
    names = [name for value in values for name in value]
    if len(values) < len(parts) or len(set(names)) < len(names):
        return None
    whole = spelled({name: one for value in values for name, one in value.items()}, True)
    return whole if _read(whole, response) is not None else None


def _read(part: Part, response: RowResponse | None) -> Any:
    """Return what a part answers; None where it is no answer."""
    if response is None:
        return part.value
    with suppress(InvalidAnswer):
        return response.read(part.for_row(response).text).value
    return None


def _agree(one: Any, other: Any, response: RowResponse | None) -> bool:
    """Tell whether two answers say the same, whatever they say of how they came to it."""
    if not isinstance(one, Mapping) or not isinstance(other, Mapping):
        return bool(one == other)
    texts = frozenset() if response is None else response.texts
    names = (one.keys() | other.keys()) - texts
    return all(one.get(name) == other.get(name) for name in names)


def _fullness(value: Any) -> int:
    return sum(map(bool, value.values())) if isinstance(value, Mapping) else 0


# How much of what stands before an object is about it.
_BEFORE = 300
_CORRECTION = re.compile(
    r"\b(?:correct(?:ed|ion|ions|ing)?|revis(?:ed|ion|ing)|updated?|final(?:ly)?|actually|instead"
    r"|mistake|sorry|apologi[sz]e|apologies|wait|reconsider(?:ed|ing)?|on second thought|no|fixed"
    r"|amended|changed?)\b",
    re.IGNORECASE,
)
_ANSWERS = re.compile(r"\b(?:answers?|predictions?|therefore|thus)\b", re.IGNORECASE)
_ANOTHER = re.compile(
    r"\b(?:alternativ\w+|examples?|formats?|earlier|previous(?:ly)?|could|might|may|if|summary"
    r"|recap|overview|second (?:choice|guess)|runner|opposite|template|schema|confidence)\b",
    re.IGNORECASE,
)
_DRAFT = re.compile(
    r"\b(?:drafts?|initial(?:ly)?|first(?:ly)?|examples?|for instance|formats?|template|schema"
    r"|such as|like this)\b|\be\.g\.",
    re.IGNORECASE,
)


def _corrects(said: _Said) -> bool:
    """Tell whether an object is given in place of what was said before it."""
    before = said.before[-_BEFORE:]
    if _ANOTHER.search(before):
        return False
    if _CORRECTION.search(before):
        return True
    return said.whole and _ANSWERS.search(before) is not None


def _is_draft(said: _Said) -> bool:
    return _DRAFT.search(said.before[-_BEFORE:]) is not None


# Labels in a value


class _Doubled(dict[str, Any]):
    """An object in which a name stands more than once; `pairs` are all of its members."""

    pairs: Sequence[tuple[str, Any]] = ()


def _object_of(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) == len(pairs):
        return value
    doubled = _Doubled(value)
    doubled.pairs = pairs
    return doubled


_DOUBLES = json.JSONDecoder(object_pairs_hook=_object_of, strict=False)


def _labelled_in(value: Any, labels: Sequence[str], depth: int = 0) -> list[tuple[str, Any, bool]]:
    """Return the values under labels in a value, or one level down in it, with their labels, and
    whether each is as it was asked for.

    A list of objects that each name their label is as good as an object of labels.
    """
    found: list[tuple[str, Any, bool]] = []
    if isinstance(value, dict):
        for name, part in value.pairs if isinstance(value, _Doubled) else value.items():
            label = _label_in(name, labels)
            if label is not None:
                found.append((label, part, name == label))
        if not found and depth == 0:
            inner = {name: _labelled_in(one, labels, 1) for name, one in value.items()}
            inner = {name: parts for name, parts in inner.items() if parts}
            if len(inner) > 1:
                # Thoughts, alternatives or confidences under labels of their own.
                named = [name for name in inner if unlabelled.is_of_answers(name)]
                inner = {named[0]: inner[named[0]]} if len(named) == 1 else inner
            for parts in inner.values():
                found += parts
    elif isinstance(value, list):
        for item in value:
            if not isinstance(item, dict):
                continue
            own = [n for n, v in item.items() if isinstance(v, str) and v in labels]
            if len(own) == 1:
                rest = {n: v for n, v in item.items() if n != own[0]}
                found.append((item[own[0]], rest, False))
            elif len(item) == 1:
                found += _labelled_in(item, labels, 1)
    return found


def _label_in(name: str, labels: Sequence[str]) -> str | None:
    """Return the label a name is meant as: `R1`, `r1.` and `1` are `r1`."""
    bare = name.strip().rstrip(".:").lower()
    bare = f"r{bare}" if bare.isdigit() else bare
    return bare if bare in labels else None


def _members(text: str, start: int) -> list[tuple[str, Part]]:
    """Return the whole members of the object that begins at a place, up to where it breaks off."""
    members: list[tuple[str, Part]] = []
    place = _blank(text, start + 1)
    while text[place : place + 1] == '"':
        try:
            name, after = _LOOSE.raw_decode(text, place)
            begin = _blank(text, _blank(text, after) + 1)
            part, place = _value(text, begin)
        except (ValueError, RecursionError):
            break
        if place == len(text) and not isinstance(part.value, dict | list | str):
            # A number at the end may have lost its last digits.
            break
        members.append((name, part))
        place = _blank(text, place)
        if text[place : place + 1] != ",":
            break
        place = _blank(text, place + 1)
    return members


def _value(text: str, begin: int) -> tuple[Part, int]:
    try:
        value, end = _STRICT.raw_decode(text, begin)
        return Part(value, text[begin:end], begin), end
    except ValueError:
        # Raw control characters in a string, which JSON has not.
        value, end = _LOOSE.raw_decode(text, begin)
        return spelled(value, True), end


def _blank(text: str, place: int) -> int:
    while text[place : place + 1] in (" ", "\t", "\r", "\n"):
        place += 1
    return place
