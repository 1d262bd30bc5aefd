"""The one number that a few words say."""

from __future__ import annotations

import pytest

from lupom.engine.llm.numerals import one_number
from lupom.engine.llm.responses import InvalidAnswer


@pytest.mark.parametrize(
    ("said", "number"),
    [
        *(("45", "45"), ("about 45", "45"), ("~45", "45"), ("I'd say 45.", "45"), ("-3.5", "-3.5")),
        *(("45 years", "45"), ("I am 45 years old.", "45"), ("7 out of 10", "7"), ("5 stars", "5")),
        ("The respondent would likely say 45", "45"),
    ],
)
def test_a_number_among_words_is_read(said, number):
    assert one_number(said) == number


@pytest.mark.parametrize(
    "said",
    [
        *("30-40", "between 30 and 40", "30 or 40", "less than 5", "<5", "5+", "5 million", "45k"),
        *("45%", "7/10", "1,200", "5 weeks", "18 months", "half of 5", "minus 3", "not 5", "B5"),
        *("5th", "forty-five", "", "45 (range 40-50)", "question 5", "2024-05-01", "5 " * 200),
        *(
            "up to 5",
            "$5",
            "$30,000",
            "5 hours",
            "- 5",
            "45 km",
            "5 Mio",
            "5 tausend",
            "5 lakh",
            "5 \u4e07",
        ),
        *(
            "Earlier answer: 45",
            "In 2016",
            "born in 1980",
            "No. 45",
            "Option 3",
            "Llama 3",
            "step 1",
        ),
        *(
            "max 40",
            "nearly 40",
            "40-something",
            "5 years ago",
            "5 \u00bd",
            "1. I think",
            "grade 5",
        ),
        *("I have 2 reasons", "3 out of 4 people trust him", "2 out of the 5 options fit"),
    ],
)
def test_what_is_another_number_or_two_is_none(said):
    assert one_number(said) is None


def test_it_is_read_in_an_object_and_alone(load):
    spec = load("class Age(BaseModel):\n    age: float\n", "Age").for_row({})
    for said in ('{"age": "about 45 years"}', "I'd say 45.", "Age: 45 years", "45 years old"):
        assert spec.parse(said) == {"age": 45.0}
    for said in ('{"age": "30-40"}', "I am 30 or 40", '{"age": "5 million"}'):
        with pytest.raises(InvalidAnswer):
            spec.parse(said)


def test_a_text_alone_is_read_where_something_says_that_it_is_one(load):
    spec = load("class Reply(BaseModel):\n    text: str = Field(min_length=1)\n", "Reply").for_row(
        {}
    )
    for said in ('"I like dogs."', "Text: I like dogs.", "```\nI like dogs.\n```"):
        assert spec.parse(said) == {"text": "I like dogs."}
    for said in (
        "I'm sorry, but I can't answer that.",
        '{"text": "half of',
        '```json\n{"text": "half',
    ):
        with pytest.raises(InvalidAnswer):
            spec.parse(said)
