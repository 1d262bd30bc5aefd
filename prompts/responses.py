"""What comes back from each prompt of a capable LLM.

Not all providers enforce what a schema says, and every answer is paid for. So what an answer has
too much of is trimmed, what says the same twice is merged, and what cannot be used is left out, as
long as something is left. The LLM is told all limits in the prompts; no docstring reaches it.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, model_validator

from lupom import AsArray, Distribution, OneOf, OneOfEach, Usable

# ---- Persona dimensions and values ---------------------------------------------------------------

# What is longer is cut after a word; what prompts ask for is about half of it.
LONGEST_NAME, LONGEST_DESCRIPTION, LONGEST_VALUE = 120, 600, 80
MOST_VALUES = 7
# Of a persona dimension these are not values: that one is not known is said of a person.
NO_VALUES = {"", "unknown", "not known", "don't know", "n/a", "na", "none of these", "no answer"}
# Words that make no difference between two names.
FILLERS = {"a", "an", "and", "for", "in", "of", "on", "or", "the", "to", "toward", "towards"}
FILLERS |= {"versus", "vs", "with"}


def cut(text: str, longest: int) -> str:
    """Return a text on one line, cut after a word where it is too long."""
    line = " ".join(text.split())
    return line if len(line) <= longest else line[:longest].rsplit(" ", 1)[0].rstrip(" ,;:.") + "…"


def name_of(text: str) -> str:
    if not any(character.isalnum() for character in text):
        raise ValueError("a name needs letters")
    return cut(text.strip(" .:*#\"'`"), LONGEST_NAME)


def description_of(text: str) -> str:
    if not text.strip():
        raise ValueError("the description is empty")
    return cut(text, LONGEST_DESCRIPTION)


def level_of(said: Any) -> Any:
    """Return low, mid or high of 'Low', 'mid-level', 'medium' or 'High level'."""
    words = re.findall("[a-z]+", str(said).lower())
    first = words[0] if words else ""
    return {"medium": "mid", "middle": "mid"}.get(first, first)


def order_of(said: Any) -> bool:
    """Return whether values are in order: so they are where it is not said otherwise."""
    return str(said).strip().lower() not in ("false", "no", "0", "unordered", "nominal")


def values_of(said: Any) -> list[str]:
    """Return 2 to 7 candidate values, each once.

    They may be written into one string, or have explanations beside them; of more than 7, every
    second or third is left out and the ends are kept. Raises ValueError for fewer than two.
    """
    if isinstance(said, str):
        marks = (mark for mark in ("|", " / ", ";", "/", ",") if mark in said)
        said = said.split(next(marks, "|"))
    if not isinstance(said, list | dict):
        raise ValueError("candidate values are a list")
    found: dict[str, str] = {}
    for value in said:
        if isinstance(value, dict):
            value = next((value[key] for key in ("value", "label", "name") if key in value), "")
        text = cut(str("" if value is None else value).strip(' "*'), LONGEST_VALUE)
        if text.lower() not in NO_VALUES:
            found.setdefault(text.lower(), text)
    values = list(found.values())
    if len(values) < 2:
        raise ValueError("a dimension needs two candidate values at least")
    if len(values) > MOST_VALUES:
        last, steps = len(values) - 1, MOST_VALUES - 1
        values = [values[round(i * last / steps)] for i in range(MOST_VALUES)]
    return values


def meaning(name: str) -> frozenset[str]:
    """Return the words of a name by which two names are one: Trust in Science, Science Trust."""
    words = re.findall(r"\w+", name.lower())
    return frozenset(word.rstrip("s") for word in words if word not in FILLERS) or frozenset(words)


Name = Annotated[str, AfterValidator(name_of)]
Description = Annotated[str, AfterValidator(description_of)]
Values = Annotated[list[str], AsArray(), BeforeValidator(values_of)]
Ordered = Annotated[bool, BeforeValidator(order_of)]


# What fields are called where a schema is not enforced.
CALLED = {
    "name": ("dimension", "dimension_name", "title", "label"),
    "description": ("definition", "meaning", "explanation"),
    "candidate_values": ("values", "candidates", "options", "scale"),
}


def renamed(said: Any) -> Any:
    """Return a dimension with the fields' own names where others stand for them."""
    if not isinstance(said, dict):
        return said
    out = dict(said)
    for name, others in CALLED.items():
        found = [other for other in others if other in out]
        if name not in out and len(found) == 1:
            out[name] = out.pop(found[0])
    return out


def in_one_list(said: Any) -> Any:
    """Return dimensions in one list where they are grouped by level: {"low": [...]}."""
    if not isinstance(said, dict):
        return said
    grouped = said.get("dimensions", said)
    if not isinstance(grouped, dict) or not grouped:
        return said
    levels = {level_of(key): inner for key, inner in grouped.items()}
    if not set(levels) <= {"low", "mid", "high"}:
        return said
    flat = []
    for level, inner in levels.items():
        for one in inner if isinstance(inner, list) else [inner]:
            flat.append({"level": level, **one} if isinstance(one, dict) else one)
    return {"dimensions": flat}


class ProposedDimension(BaseModel):
    level: Annotated[Literal["low", "mid", "high"], BeforeValidator(level_of)]
    name: Name
    description: Description
    candidate_values: Values
    ordered: Ordered = True

    _named = model_validator(mode="before")(renamed)


class ProposedDimensions(BaseModel):
    """Dimensions behind one question; of two with one name the first counts."""

    dimensions: Annotated[list[ProposedDimension], Usable()]

    _grouped = model_validator(mode="before")(in_one_list)

    @model_validator(mode="after")
    def _merged(self) -> ProposedDimensions:
        if not self.dimensions:
            raise ValueError("no dimension is named")
        kept: dict[frozenset[str], ProposedDimension] = {}
        for dimension in self.dimensions:
            kept.setdefault(meaning(dimension.name), dimension)
        self.dimensions = list(kept.values())
        return self


class MergedDimension(BaseModel):
    """One dimension in place of those of a cluster."""

    name: Name
    description: Description
    candidate_values: Values
    ordered: Ordered = True

    _named = model_validator(mode="before")(renamed)


class DemographicCheck(BaseModel):
    kind: Annotated[str, OneOf("kinds")]


class DuplicateCheck(BaseModel):
    verdict: Annotated[str, OneOf("verdicts")]


class PersonaValues(BaseModel):
    """A value of each dimension in the row's list; one that is unknown is NULL.

    A dimension whose value is none of its own gets no row; the others count.
    """

    values: Annotated[
        dict[str, str],
        OneOfEach(
            "dimensions",
            key="dimension_id",
            options="candidate_values",
            name="label",
            unknown="unknown",
            partial=True,
        ),
    ]


class PersonaValue(BaseModel):
    """The value of one dimension, where each has a call of its own.

    Its schema is the same for all dimensions and the prompt lists the values: a provider puts the
    schema before the messages, so that its cache would hold nothing for the next dimension's call.
    """

    values: Annotated[
        dict[str, str],
        OneOfEach(
            "dimensions",
            key="dimension_id",
            options="candidate_values",
            name="label",
            unknown="unknown",
            partial=True,
            told=True,
        ),
    ]


# ---- Predictions ---------------------------------------------------------------------------------


# What an LLM thinks before it answers is cut at so many characters; it is asked for two or three
# sentences.
Thought = Annotated[str, AfterValidator(lambda text: cut(text, 2_000))]


class PredictedResponse(BaseModel):
    # Asked by labels; its probabilities are the labels' log-probabilities, where there are any.
    answer: Annotated[str, OneOf("options")]


class StatedResponse(BaseModel):
    probabilities: Annotated[dict[str, float], Distribution("options")]


class ReasonedResponse(BaseModel):
    thought: Thought
    answer: Annotated[str, OneOf("options")]


class ReasonedDistribution(BaseModel):
    thought: Thought
    probabilities: Annotated[dict[str, float], Distribution("options")]


class PredictedNumber(BaseModel):
    number: Annotated[float, Field(ge=-1e15, le=1e15, allow_inf_nan=False)]


class PredictedText(BaseModel):
    text: Annotated[str, Field(min_length=1), AfterValidator(lambda text: cut(text, 2_000))]
