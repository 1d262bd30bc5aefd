"""Made-up answers: each class's own check takes them."""

from __future__ import annotations

import numpy as np
import pytest

from lupom.engine.llm.stand_ins import stand_in, vectors

DIMENSIONS = [
    {"dimension_id": "d1", "candidate_values": ["low", "high"]},
    {"dimension_id": "d2", "candidate_values": ["open", "closed"]},
]
CLASSES = {
    "scalars": """
class A(BaseModel):
    text: str = Field(max_length=9, min_length=3)
    score: int = Field(ge=2, le=5)
    share: float = Field(gt=0, lt=1)
    sure: bool
    maybe: str | None = None
    level: Literal["low", "high"]
""",
    "lists": """
class Part(BaseModel):
    name: str
    weight: int

class A(BaseModel):
    parts: list[Part] = Field(min_length=3, max_length=4)
    words: Annotated[list[str], AsArray()]
""",
    "one of": """
class A(BaseModel):
    answer: Annotated[str, OneOf("options")]
""",
    "distribution": """
class A(BaseModel):
    shares: Annotated[dict[str, float], Distribution("options")]
""",
    "one of each": """
class A(BaseModel):
    values: Annotated[
        dict[str, str], OneOfEach("dimensions", key="dimension_id", options="candidate_values")
    ]
""",
}


@pytest.mark.parametrize("kind", CLASSES)
def test_an_answer_fits_its_class(load, kind):
    spec = load(CLASSES[kind], "A")
    row = spec.for_row({"options": ["yes", "no", "perhaps"], "dimensions": DIMENSIONS})
    answers = [stand_in(f"a {i}", row) for i in range(30)]
    assert {answer.status for answer in answers} == {"ok"}
    # The same for the same key, and not the same for all.
    assert answers[0].value == stand_in("a 0", row).value
    assert len({str(answer.value) for answer in answers}) > 1


def test_what_a_class_refuses_is_invalid_with_its_reason(load):
    spec = load(
        """
        class A(BaseModel):
            text: str

            @field_validator("text")
            @classmethod
            def in_german(cls, text):
                assert text.startswith("Ich "), "say it in German"
                return text
        """,
        "A",
    )
    answer = stand_in("a", spec.for_row({}))
    assert (answer.status, answer.value) == ("invalid", None)
    assert "say it in German" in answer.error


def test_vectors_depend_on_the_text_alone():
    one, two, again = vectors(["a", "b", "a"])
    assert np.allclose(one, again)
    assert abs(float(one @ two)) < 0.6
    assert np.allclose(np.linalg.norm([one, two], axis=1), 1)
    assert vectors([]).shape == (0, 64)
