"""Answers with a thought beside them: what to do where it is missing, or all there is.

A class of one field that the row limits (OneOf, Distribution) and of free texts is asked for the
sake of that field: an answer without its thought is paid for, and usable. A class that must have
the text says so by `min_length`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lupom.engine.llm import choices, in_words, latex
from lupom.engine.llm.lenient import NAMES, key_of, plain
from lupom.engine.llm.markers import OneOf
from lupom.engine.llm.stated import Distribution

if TYPE_CHECKING:
    from pydantic import BaseModel


@dataclass(frozen=True, slots=True)
class Reasoned:
    """The fields of such a class.

    Attributes
    ----------
    answer : the field that the row limits.
    column : the column of its options, where it is one of them; None where it is a distribution.
    texts : the free texts.
    """

    answer: str
    column: str | None
    texts: tuple[str, ...]

    def completed(self, value: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return an object with its missing texts empty, or taken from the one text under a name
        that is no field's; None where the answer is missing, or nothing is."""
        inner = value.get(self.answer)
        if isinstance(inner, dict) and self.answer in inner:
            value = inner
        fields = (self.answer, *self.texts)
        named = {name: name if name in value else key_of(name, value, fields) for name in fields}
        if named[self.answer] is None:
            others = [key for key in value if plain(str(key)) in NAMES]
            if len(others) != 1:
                return None
            named[self.answer] = others[0]
        missing = [name for name in self.texts if named[name] is None]
        out = {name: value[key] for name, key in named.items() if key is not None}
        out |= {name: _text(out[name]) for name in self.texts if name in out}
        spare = [
            one for key, one in value.items() if key not in named.values() and isinstance(one, str)
        ]
        taken = spare[0] if len(missing) == len(spare) == 1 else ""
        return {**out, **dict.fromkeys(missing, taken)}

    def said(self, text: str, options: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return the object of a text without JSON that says one of the options: the text itself
        is the thought."""
        if "{" in latex.without(text):
            # An object without its end: what its thought came to may be cut off.
            return None
        labels = choices.labelled(list(options))
        option = in_words.said_in(text, labels, self.answer)
        # The prompt lists options without labels: a letter alone is none of them.
        if option is None or plain(option) not in plain(text):
            return None
        thought = "" if choices.meant(in_words.bare(text, self.answer), labels) else text.strip()
        return {self.answer: option, **dict.fromkeys(self.texts, thought)}


def _text(value: Any) -> Any:
    """Return a text that came as null or as a list of lines; else the value."""
    if value is None:
        return ""
    lines = value if isinstance(value, list) else None
    return "\n".join(lines) if lines and all(isinstance(one, str) for one in lines) else value


def reasoned(cls: type[BaseModel]) -> Reasoned | None:
    """Return the fields of a class that is an answer with texts beside it; None for any other."""
    answers, texts = [], []
    for name, info in cls.model_fields.items():
        mark = next((m for m in info.metadata if isinstance(m, OneOf | Distribution)), None)
        if mark is not None and (isinstance(mark, Distribution) or info.annotation is str):
            answers.append((name, mark))
        elif mark is None and info.annotation is str:
            texts.append(name)
        else:
            return None
    if len(answers) != 1 or not texts:
        return None
    ((answer, mark),) = answers
    return Reasoned(answer, mark.column if isinstance(mark, OneOf) else None, tuple(texts))
