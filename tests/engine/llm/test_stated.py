"""Distributions in so many words: what counts as one, and what becomes of it."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lupom.engine.errors import CompileError
from lupom.engine.llm.responses import InvalidAnswer
from lupom.engine.llm.stated import fractions, labelled, normalised

OPTIONS = ["Too little", "About right", "Too much"]
GUESS = """
class Guess(BaseModel):
    probabilities: Annotated[dict[str, float], Distribution("options")]
"""


@pytest.fixture
def guess(load):
    return load(GUESS, "Guess")


def read(spec, value, options=OPTIONS):
    """Return the table's row of a reply."""
    text = value if isinstance(value, str) else json.dumps({"probabilities": value})
    response = spec.for_row({"options": options})
    [row] = response.rows(response.parse(text))
    return row


def test_the_schema_has_a_number_for_each_label_and_the_table_a_map(guess):
    assert guess.columns() == {
        "probabilities": "MAP(VARCHAR, DOUBLE)",
        "probabilities_off": "DOUBLE",
    }
    response = guess.for_row({"options": OPTIONS})
    assert response.schema == {
        "type": "object",
        "properties": {
            "probabilities": {
                "type": "object",
                "properties": {label: {"type": "number"} for label in "ABC"},
                "required": ["A", "B", "C"],
                "additionalProperties": False,
            }
        },
        "required": ["probabilities"],
        "additionalProperties": False,
    }
    assert response.choices == [
        {"label": label, "option": option} for label, option in zip("ABC", OPTIONS, strict=True)
    ]
    # There is nothing to be read off its tokens.
    assert response.top_logprobs == 0


@pytest.mark.parametrize(
    ("written", "expected", "off"),
    [
        ({"A": 0.2, "B": 0.5, "C": 0.3}, [0.2, 0.5, 0.3], 0.0),
        # Percent, with and without saying so; a comma in place of the point.
        ({"A": 20, "B": 50, "C": 30}, [0.2, 0.5, 0.3], 0.0),
        ({"A": "20%", "B": "50 %", "C": "30%"}, [0.2, 0.5, 0.3], 0.0),
        ({"A": "0,2", "B": "0,5", "C": "0,3"}, [0.2, 0.5, 0.3], 0.0),
        ({"A": "20%", "B": 0.5, "C": 0.3}, [0.2, 0.5, 0.3], 0.0),
        ({"A": "20%", "B": 50, "C": 30}, [0.2, 0.5, 0.3], 0.0),
        # What adds up to something else is divided by it, and that is recorded.
        ({"A": 0.2, "B": 0.4, "C": 0.2}, [0.25, 0.5, 0.25], -0.2),
        ({"A": 0.6, "B": 0.6, "C": 0.3}, [0.4, 0.4, 0.2], 0.5),
        ({"A": 44, "B": 33, "C": 33}, [0.4, 0.3, 0.3], 0.1),
        # A missing option has 0, and so has one that is null.
        ({"A": 0.5, "C": 0.5}, [0.5, 0.0, 0.5], 0.0),
        ({"A": 1, "B": None, "C": 0}, [1.0, 0.0, 0.0], 0.0),
        # Options in words, in other letters, with their label; what is not an option is left out.
        ({"Too little": 0.2, "about right.": 0.5, "C: Too much": 0.3}, [0.2, 0.5, 0.3], 0.0),
        ({"A": 0.2, "B": 0.5, "C": 0.2, "Don't know": 0.1}, [2 / 9, 5 / 9, 2 / 9], -0.1),
        ({"A": "about 20", "B": "50 percent", "C": "ca. 30 per cent"}, [0.2, 0.5, 0.3], 0.0),
        # Other shapes of the same.
        ({"A": {"probability": 0.2}, "B": [0.5], "C": {"percent": "30%"}}, [0.2, 0.5, 0.3], 0.0),
        ({"Too little (A)": 20, "B (about right)": 50, "C": 30}, [0.2, 0.5, 0.3], 0.0),
        ([0.2, 0.5, 0.3], [0.2, 0.5, 0.3], 0.0),
        (
            [{"option": "B", "probability": 0.75}, {"option": "Too much", "probability": 0.25}],
            [0.0, 0.75, 0.25],
            0.0,
        ),
    ],
)
def test_what_is_written_becomes_probabilities_that_add_up_to_1(guess, written, expected, off):
    row = read(guess, written)
    assert list(row["probabilities"]) == OPTIONS
    assert list(row["probabilities"].values()) == pytest.approx(expected)
    assert row["probabilities_off"] == pytest.approx(off)


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ({"A": -0.2, "B": 0.9, "C": 0.3}, "'A': -0.2 is not a probability"),
        ({"A": "likely", "B": 0.5, "C": 0.5}, "'A': 'likely' is not a probability"),
        ({"A": True, "B": 0.5, "C": 0.5}, "'A': True is not a probability"),
        ({"A": {"p": 1}}, "is not a probability"),
        # Neither fractions nor percent.
        ({"A": 3, "B": 5, "C": 2}, "add up to 10; they must add up to 1"),
        ({"A": 0.1, "B": 0.1, "C": 0.1}, "add up to 0.3; they must add up to 1"),
        ({"A": 0, "B": 0, "C": 0}, "add up to 0; they must"),
        ({"yes": 0.5, "no": 0.5}, "no probability of any option; give one for A, B, C"),
        ({"A": 0.5, "Too little": 0.5}, "the option has a probability already"),
        ([0.5, 0.5], "it has 2 numbers for 3 options"),
        ("{}", "Field required"),
    ],
)
def test_what_is_no_distribution_is_invalid_and_says_why(guess, written, message):
    with pytest.raises(InvalidAnswer) as caught:
        read(guess, written)
    assert message in caught.value.message


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_a_number_that_is_none_is_invalid(guess, number):
    with pytest.raises(InvalidAnswer, match="is not a probability"):
        read(guess, f'{{"probabilities": {{"A": {number}, "B": 0.5, "C": 0.5}}}}')


def test_the_object_itself_in_a_fence_is_the_answer(guess):
    row = read(guess, 'As asked:\n```json\n{"A": 0.25, "B": 0.5, "C": 0.25}\n```')
    assert row["probabilities"]["About right"] == 0.5


def test_labels_come_before_options_that_look_like_them(guess):
    row = read(guess, {"A": 0.75, "B": 0.25}, options=["B", "A"])
    assert row["probabilities"] == {"B": 0.75, "A": 0.25}


@pytest.mark.parametrize(
    ("options", "label"),
    [
        ([f"Option {n}" for n in range(1, 61)], "60"),
        # Ages: a number is the label of none of them.
        ([*(str(age) for age in range(18, 77)), "77 or older"], "o60"),
    ],
)
def test_more_options_than_letters_have_labels_too(guess, options, label):
    response = guess.for_row({"options": options})
    labels = [choice["label"] for choice in response.choices]
    assert len(set(labels)) == 60
    assert labels[-1] == label
    assert all(name.isalnum() for name in labels)
    row = read(guess, {label: 1.0}, options=options)
    assert row["probabilities"][options[-1]] == 1.0


def test_it_may_stand_beside_other_fields(load):
    spec = load(
        """
        class Thoughtful(BaseModel):
            thought: str
            probabilities: Annotated[dict[str, float], Distribution("options")]
        """,
        "Thoughtful",
    )
    row = read(spec, '{"thought": "Hm.", "probabilities": {"A": 0.5, "B": 0.5}}')
    assert row["thought"] == "Hm."
    assert row["probabilities"] == {"Too little": 0.5, "About right": 0.5, "Too much": 0.0}


def test_a_field_in_the_way_of_its_column_is_an_error(load):
    with pytest.raises(CompileError, match="'probabilities_off' would appear twice"):
        load(GUESS + "    probabilities_off: float\n", "Guess")


@given(st.lists(st.floats(0, 1), min_size=2, max_size=70), st.sampled_from([1.0, 100.0]))
def test_fractions_and_percent_come_to_the_same(shares, scale):
    labels = labelled([f"option {i}" for i in range(len(shares))])
    total = math.fsum(shares)
    written = {label: scale * p for label, p in zip(labels, shares, strict=True)}
    if not 0.51 <= total <= 1.99:
        return
    probabilities, off = normalised(fractions(written, labels))
    assert math.fsum(probabilities.values()) == pytest.approx(1.0)
    assert off == pytest.approx(total - 1.0)
    expected = [p / total for p in shares]
    assert list(probabilities.values()) == pytest.approx(expected)


@pytest.mark.parametrize(
    "text",
    [
        "A: 20%\nB: 50%\nC: 30%",
        "- **Too little**: 0.2\n- **About right**: 0.5\n- **Too much**: 0.3\n\nTotal: 1.0",
        "| A | 20 % |\n| B | 50 % |\n| C | 30 % |",
        "Here you are: A = 0.2, B = 0.5; C = 0.3",
        '{"probabilities": "A: 0,2, B: 0,5, C: 0,3"}',
    ],
)
def test_probabilities_may_be_listed_in_a_text(guess, text):
    row = guess.for_row({"options": OPTIONS}).read(text)
    assert list(row.value["probabilities"].values()) == pytest.approx([0.2, 0.5, 0.3])


@pytest.mark.parametrize(
    "text", ["A: 20%\nA: 80%", "A is likely, 50 %", "In 2018: 50 %", "A: 1", "B: 0.5, C: 0.5"]
)
def test_a_text_that_lists_no_distribution_is_none(guess, text):
    with pytest.raises(InvalidAnswer):
        guess.for_row({"options": OPTIONS}).read(text)
