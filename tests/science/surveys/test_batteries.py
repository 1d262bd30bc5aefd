"""Question texts split into preface and item."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lupom.science.surveys.batteries import split

WORDS = st.sampled_from(
    ["How much?", "In the U.S. today:", "Dr. No.", "trust", "Parks and roads.", "If so!", "  "]
)


def test_a_preface_of_three_is_taken_off() -> None:
    texts = [f"We face many problems. How about this one? {x}." for x in ("Crime", "Cities", "Aid")]
    preface = "We face many problems. How about this one?"
    assert split(texts) == [(preface, "Crime."), (preface, "Cities."), (preface, "Aid.")]


def test_a_preface_of_two_stays() -> None:
    texts = ["Is it a problem? Crime", "Is it a problem? Cities", "Do you vote?"]
    assert split(texts) == [("", text) for text in texts]


def test_one_question_in_three_wordings_is_no_battery() -> None:
    assert split(["Think of crime. Is it bad?"] * 3) == [("", "Think of crime. Is it bad?")] * 3


def test_a_colon_ends_a_preface_before_any_letter() -> None:
    texts = [f"Should abortion be legal: {x}" for x in ("if poor?", "if raped?", "for any reason?")]
    assert [item for _, item in split(texts)] == ["if poor?", "if raped?", "for any reason?"]


def test_the_longest_preface_wins() -> None:
    near = [f"Think of food. Is it risky? {x}" for x in ("Salt", "Sugar", "Fat")]
    far = ["Think of food. Do you cook?"]
    assert [preface for preface, _ in split(near + far)] == [
        *["Think of food. Is it risky?"] * 3,
        "Think of food.",
    ]


def test_an_abbreviation_ends_no_sentence() -> None:
    texts = [f"In the U.S. {x}" for x in ("Congress is good.", "Taxes are low.", "Roads are bad.")]
    assert split(texts) == [("", text) for text in texts]


@given(st.lists(st.lists(WORDS, min_size=1, max_size=6).map(" ".join), max_size=12))
def test_preface_and_item_give_the_text_back(texts: list[str]) -> None:
    for text, (preface, item) in zip(texts, split(texts), strict=True):
        assert f"{preface} {item}".split() == text.split()
        assert item or not text.strip()
