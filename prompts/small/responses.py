"""What comes back from each prompt.

Every string and list has a largest size, and what can be chosen is not written: a small model that
is free to go on does go on, and is cut off. Validators say what makes an answer unusable.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field, model_validator

from lupom import OneOf, OneOfEach

# Letters, and little else: given more, a small model writes lists of options and numbered clauses.
Name = Annotated[str, Field(min_length=3, max_length=60, pattern=r"^[A-Z][A-Za-z', -]{2,59}$")]
Description = Annotated[
    str, Field(min_length=10, max_length=120, pattern=r"^[A-Z][A-Za-z ,'()-]{9,119}$")
]

# The examples in propose_dimensions.jinja and merge_dimensions.jinja: a small model likes to give
# them back. Change these with the examples, and where your survey is about such things.
EXAMPLES = frozenset(
    {
        "care for workers",
        "importance of tradition",
        "interest in food",
        "importance of enjoyment",
        "care for animals",
        "importance of nature",
        "interest in schools",
        "importance of order",
    }
)
EXAMPLE_WORDS = frozenset(
    {
        "bakers",
        "butchers",
        "cashiers",
        "cats",
        "coffee",
        "customs",
        "dogs",
        "flats",
        "sunday",
        "uniforms",
    }
)


def words(text: str) -> list[str]:
    return text.lower().replace(",", " ").split()


def unusable(name: str, description: str) -> bool:
    """Tell whether a dimension gives an example back, or its words run in circles."""
    said = words(description)
    thrice = any(said[i] == said[i + 1] == said[i + 2] for i in range(len(said) - 2))
    return (
        " ".join(words(name)) in EXAMPLES
        or not EXAMPLE_WORDS.isdisjoint(words(name) + said)
        or thrice
        or 2 * len(set(said)) < len(said)
    )


class ProposedDimension(BaseModel):
    level: Literal["low", "mid", "high"]
    name: Name
    description: Description
    scale: Annotated[str, OneOf("scales")]


class ProposedDimensions(BaseModel):
    """Dimensions behind one question, one of each level.

    Those that are not an answer are left out, and one name counts once. With none left the answer
    is invalid.
    """

    dimensions: Annotated[list[ProposedDimension], Field(min_length=3, max_length=3)]

    @model_validator(mode="after")
    def _usable(self) -> ProposedDimensions:
        kept: dict[str, ProposedDimension] = {}
        for dimension in self.dimensions:
            if not unusable(dimension.name, dimension.description):
                kept.setdefault(" ".join(words(dimension.name)), dimension)
        if not kept:
            raise ValueError("every dimension repeats an example or itself")
        self.dimensions = list(kept.values())
        return self


class MergedDimension(BaseModel):
    """One dimension in place of those of a cluster; its scale is the one they have most often."""

    name: Name
    description: Description

    @model_validator(mode="after")
    def _usable(self) -> MergedDimension:
        if unusable(self.name, self.description):
            raise ValueError("the dimension repeats an example or itself")
        return self


class DemographicCheck(BaseModel):
    kind: Annotated[str, OneOf("kinds")]


class DuplicateCheck(BaseModel):
    verdict: Annotated[str, OneOf("verdicts")]


class PersonaValues(BaseModel):
    """A value of each dimension in the row's list.

    For a model that can tell when answers say nothing of a dimension, add `unknown="unknown"`: that
    becomes NULL. The embedded model then says it of nearly everything.
    """

    values: Annotated[
        dict[str, str],
        OneOfEach("dimensions", key="dimension_id", options="candidate_values", name="name"),
    ]


class PersonaValue(PersonaValues):
    """The value of one dimension, where each has a call of its own (`persona_calls: dimension`)."""


class PredictedResponse(BaseModel):
    answer: Annotated[str, OneOf("options")]


class ReasonedResponse(BaseModel):
    """An answer after a thought; it has no distribution, since the thought has decided by then."""

    thought: Annotated[str, Field(min_length=1, max_length=600)]
    answer: Annotated[str, OneOf("options")]


class PredictedNumber(BaseModel):
    number: Annotated[float, Field(ge=-1e15, le=1e15, allow_inf_nan=False)]


class PredictedText(BaseModel):
    text: Annotated[str, Field(min_length=1, max_length=300)]
