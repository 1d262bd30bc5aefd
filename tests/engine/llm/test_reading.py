"""What is read out of an answer as LLMs write it, and what is not."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lupom.engine.llm.providers.base import TokenLogprobs
from lupom.engine.llm.responses import InvalidAnswer

SOURCE = """
class Item(BaseModel):
    name: str = Field(max_length=12, pattern="^[a-z ]+$")
    level: Literal["low", "Mid-High"]

class Found(BaseModel):
    mood: Annotated[str, OneOf("moods")]
    score: float
    items: list[Item] = Field(default=[], max_length=2)

    @field_validator("score")
    @classmethod
    def small(cls, value):
        if value > 10:
            raise ValueError("ten is the most")
        return value
"""
MOODS = {"moods": ["Happy", "Sad", "Not sure", "Don't know", "Yes", "Yes."]}
OPTIONS = {"options": ["Happy", "Sad", "Not sure"]}
GOOD = '{"mood": "Sad", "score": 0.5}'
VALUE = {"mood": "Sad", "score": 0.5, "items": []}


@pytest.fixture
def row(load):
    return load(SOURCE, "Found").for_row(MOODS)


ENVELOPES = {
    "as it is": "{}",
    "a fence": "```json\n{}\n```",
    "a fence and prose with braces": "Sure! ```json\n{}\n```\nNote that {this} is my pick.",
    "a thought with braces": '<think>\n{A} or {"mood": "Happy", "score": 1}?\n</think>\n\n{}',
    "a thought in another tag": '<Reasoning>{"mood": "Happy", "score": 1}</Reasoning>{}',
    "a thought in brackets": '[THINK]{"mood": "Happy", "score": 1}[/THINK]{}',
    "the end of a thought alone": 'about {"mood": "Happy", "score": 1}\n</think>\n{}',
    "a channel of thought": '<|channel|>analysis<|message|>{"mood": "Happy", "score": 1}<|end|>'
    "<|start|>assistant<|channel|>final<|message|>{}<|return|>",
    "a tag that stays open before nothing else": "<think>\n\n{}",
    "two objects": '{"mood": "Happy", "score": 1}\n{}',
    "two objects, the second no answer": '{}\n{"confidence": 0.9}',
    "an array around it": "[{}]",
    "a byte order mark": "\ufeff{}",
    "an object around it": '{"answer": {}}',
    "the schema's own word around it": '{"type": "object", "properties": {}}',
    "an array within an object around it": '{"answers": [{}]}',
    "two objects around it": '{"result": {"data": {}}}',
    "two arrays around it": "[[{}]]",
}


@pytest.mark.parametrize("envelope", ENVELOPES)
def test_an_answer_is_read_out_of_what_stands_around_it(row, envelope):
    read = row.read(ENVELOPES[envelope].replace("{}", GOOD))
    assert (read.value, read.repaired) == (VALUE, False)


@pytest.mark.parametrize(
    "text",
    [json.dumps(GOOD), json.dumps({"answer": GOOD}), f"Here it is: {json.dumps(GOOD)}"],
    ids=["alone", "in an object", "in prose"],
)
def test_json_within_a_string_is_read(row, text):
    assert row.read(text).value == VALUE


BROKEN = {
    "single quotes": "{'mood': 'Sad', 'score': 0.5}",
    "single quotes with an apostrophe": "{'mood': 'Don't know', 'score': 0.5}",
    "a trailing comma": '{"mood": "Sad", "score": 0.5,}',
    "a comment": '{"mood": "Sad", "score": 0.5 // my pick\n}',
    "names without quotes": "{mood: 'Sad', score: 0.5}",
    "a comma that is missing": '{"mood": "Sad" "score": 0.5}',
    "typographic quotes": "{\u201cmood\u201d: \u201cSad\u201d, \u201cscore\u201d: 0.5}",
    "an end that is missing": '{"mood": "Sad", "score": 0.5',
    "escaped quotes": '{\\"mood\\": \\"Sad\\", \\"score\\": 0.5}',
    "in a fence, with prose": "```\n{'mood': 'Sad', 'score': 0.5}\n```\nI hope it's {fine}.",
    "after a thought": "<think>{'mood': 'Happy', 'score': 1}</think>{'mood': 'Sad', 'score': .5}",
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_json_is_mended_and_said_to_be(row, case):
    read = row.read(BROKEN[case])
    expected = "Don't know" if "apostrophe" in case else "Sad"
    assert (read.value["mood"], read.value["score"], read.repaired) == (expected, 0.5, True)


@pytest.mark.parametrize("number", ["5 million", "<5", "1 000", "10^3", "10 - 20", "50%", "- 5"])
def test_a_number_that_is_more_than_its_digits_is_not_taken_for_them(row, load, number):
    with pytest.raises(InvalidAnswer):
        row.read(f"{{mood: 'Sad', score: {number}}}")
    note = load("class Note(BaseModel):\n    text: str\n", "Note").for_row({})
    assert note.read(f"{{'text': {number}}}").value == {"text": number}


@pytest.mark.parametrize("number", ["-5", "\u22125", "-5.0", "-5  // or so\n"])
def test_a_number_keeps_its_sign_through_a_repair(row, number):
    assert row.read(f"{{mood: 'Sad', score: {number}}}").value["score"] == -5


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('{"text": "line 1\nline 2\ttab"}', "line 1\nline 2\ttab"),
        ('{"text": "half \\ud83d end"}', "half ? end"),
        ('{"text": "whole \\ud83c\\udf78"}', "whole \U0001f378"),
    ],
    ids=["raw control characters", "half a surrogate pair", "a whole pair"],
)
def test_text_that_json_has_no_room_for_is_kept(load, text, name):
    note = load("class Note(BaseModel):\n    text: str\n", "Note").for_row({})
    assert note.parse(text) == {"text": name}


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("sad", "Sad"),
        (" Sad ", "Sad"),
        ("Sad.", "Sad"),
        ("'SAD'", "Sad"),
        ("not  sure", "Not sure"),
        ("Don\u2019t know", "Don't know"),
        ("yes", None),
        ("S", None),
        ("Sadness", None),
        ("Happy or sad", None),
        ("", None),
    ],
)
def test_an_option_in_other_letters_is_taken_where_exactly_one_fits(row, written, meant):
    text = json.dumps({"mood": written, "score": 0.5})
    if meant is None:
        with pytest.raises(InvalidAnswer, match="not one of the allowed"):
            row.read(text)
    else:
        read = row.read(text)
        assert (read.value["mood"], read.repaired) == (meant, True)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("b", "Sad"),
        (" B ", "Sad"),
        ("B.", "Sad"),
        ("(B)", "Sad"),
        ("B: Sad", "Sad"),
        ("B) sad.", "Sad"),
        ("sad", "Sad"),
        ("B: Happy", None),
        ("A or B", None),
        ("D", None),
        (2, None),
        (["B"], "Sad"),
        (["B", "A"], None),
    ],
)
def test_a_label_in_other_letters_is_taken_where_exactly_one_fits(choice, written, meant):
    row = choice.for_row(OPTIONS)
    text = json.dumps({"answer": written})
    if meant is None:
        with pytest.raises(InvalidAnswer):
            row.read(text)
    else:
        assert row.read(text).value == {"answer": meant}


@pytest.mark.parametrize(
    "text",
    [
        "B",
        "Sad.",
        "B: Sad",
        "**Answer:** B",
        "**B**",
        "answer: B",
        "```yaml\nanswer: B\n```",
        "<answer>Sad</answer>",
        "\\boxed{B}",
        "<think>A or B?</think>\n\nB",
        "I choose B.",
        "Sad (B)",
        "B = Sad",
        "[B]",
        "<B>",
        "B<|im_end|>",
        "### Answer\nB",
        "**Final answer:** B",
        "B\n\nReasoning: so it is.",
        "Between A and B it is hard to say.\n\n**Answer:** B",
        "Some would be happy.\nB",
    ],
)
def test_a_choice_without_an_object_is_read_where_it_is_an_option_alone(choice, text):
    read = choice.for_row(OPTIONS).read(text)
    assert (read.value, read.repaired) == ({"answer": "Sad"}, True)


@pytest.mark.parametrize(
    "text",
    [
        *("I do not choose B.", "A or B", "not sad", "B: Happy", "A: Sad", "Wrong: B", "<think>B"),
        *("", "D", "Answer: A\nAnswer: B", "A\nB", "B\nand then?", "Sad (A)", "1. Sad"),
    ],
)
def test_words_about_options_are_no_choice(choice, text):
    with pytest.raises(InvalidAnswer):
        choice.for_row(OPTIONS).read(text)


def test_an_option_that_is_the_beginning_of_words_cut_off_is_no_choice(choice):
    with pytest.raises(InvalidAnswer):
        choice.for_row(OPTIONS).read("B", finished=False)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("1,234,567", 1234567),
        ("1,200.50", 1200.5),
        ("1.234.567", 1234567),
        ("1.200,50", 1200.5),
        ("1 200", 1200),
        ("1\u202f200", 1200),
        ("1\u2019200", 1200),
        ("12,5", 12.5),
        ("0,125", 0.125),
        ("\u22125", -5),
    ],
)
def test_a_number_in_a_text_is_read_where_it_can_be_read_in_one_way(load, written, meant):
    number = load("class Number(BaseModel):\n    number: float\n", "Number").for_row({})
    assert number.read(json.dumps({"number": written})).value == {"number": meant}
    assert number.read(json.dumps({"number": written})).repaired


@pytest.mark.parametrize(
    "written", ["1,200", "twelve", "12 %", "3-4", "1,2,3", "$5", "5 hours", ""]
)
def test_a_number_that_may_be_another_is_asked_for_again(load, written):
    number = load("class Number(BaseModel):\n    number: float\n", "Number").for_row({})
    with pytest.raises(InvalidAnswer):
        number.read(json.dumps({"number": written}))


def test_a_number_among_the_options_may_be_written_as_one(choice):
    row = choice.for_row({"options": ["0", "1", "2"]})
    assert row.parse('{"answer": 2}') == {"answer": "2"}


def test_limits_that_are_not_enforced_are_bent_and_not_asked_for_again(row):
    items = [
        {"name": "Love & Work / Life", "level": "low"},
        {"name": "calm.", "level": "mid-high "},
        {"name": "one more", "level": "low"},
    ]
    read = row.read(json.dumps({"mood": "Sad", "score": "0.5", "items": items}))
    assert read.repaired
    assert read.value["items"] == [
        {"name": "Love & Work", "level": "low"},
        {"name": "calm", "level": "Mid-High"},
    ]


def test_fields_in_other_letters_are_found(row):
    assert row.parse('{"Mood": "Sad", " SCORE": 0.5}') == VALUE


def test_values_of_each_are_found_in_other_letters(load):
    spec = load(
        """
        class Persona(BaseModel):
            values: Annotated[
                dict[str, str],
                OneOfEach("dims", key="id", options="values", name="name", unknown="unknown"),
            ]
        """,
        "Persona",
    )
    dims = [
        {"id": "d1", "name": "Trust in people", "values": ["low", "high"]},
        {"id": "d2", "name": "Openness", "values": ["open", "closed"]},
    ]
    row = spec.for_row({"dims": dims})
    value = {"values": {"trust_in_people": "High", "Openness": "Unknown."}}
    assert row.parse(json.dumps(value)) == {"values": {"d1": "high", "d2": None}}
    # One field only, so the level above it may be left out.
    assert row.parse(json.dumps(value["values"])) == {"values": {"d1": "high", "d2": None}}


UNUSABLE = {
    "nothing": "",
    "prose": "I am not sure.",
    "prose with braces": "I am {not} sure.",
    "a thought alone": "<think>" + GOOD + "</think>",
    "a thought without an end": "<think>maybe " + GOOD + " but",
    "a text cut off within its quotes": '{"score": 0.5, "mood": "Sa',
    "an object cut off before a value": '{"mood": "Sad", "score":',
    "NaN": '{"mood": "Sad", "score": NaN}',
    "NaN in quotes": '{"mood": "Sad", "score": "nan"}',
    "infinity": '{"mood": "Sad", "score": 1e999}',
    "minus infinity": '{"mood": "Sad", "score": -Infinity}',
    "a number of any length": '{"mood": "Sad", "score": 1%s}' % ("0" * 400),
    "what a validator refuses": '{"mood": "Sad", "score": 11}',
    "a field that is missing": '{"mood": "Sad"}',
    "the schema": '{"properties": {"mood": {"enum": ["Sad"]}, "score": {"type": "number"}}}',
}


@pytest.mark.parametrize("case", UNUSABLE)
def test_what_cannot_be_used_is_refused_with_a_reason(row, case):
    with pytest.raises(InvalidAnswer) as caught:
        row.read(UNUSABLE[case])
    assert caught.value.message


@pytest.mark.parametrize("text", ['{"mood": "Sad", "score": 0.5', '{"mood": "Sad", "score": 0'])
def test_what_was_cut_off_is_not_completed(row, text):
    assert row.read(text).repaired
    with pytest.raises(InvalidAnswer):
        row.read(text, finished=False)


def test_an_object_without_any_of_the_fields_is_no_answer(load):
    note = load("class Note(BaseModel):\n    text: str | None = None\n", "Note").for_row({})
    with pytest.raises(InvalidAnswer):
        note.read('I think {"this": "is nice"} and {that} too')


# Where the distribution is read


def written(text, alternatives):
    """Tokens of one character each; `alternatives` by place."""
    plain = [(char, -0.01) for char in text]
    return [TokenLogprobs(*token, alternatives.get(at, [token])) for at, token in enumerate(plain)]


def likely(**shares):
    return [(label, math.log(share)) for label, share in shares.items()]


@pytest.mark.parametrize(
    "text",
    [
        '<think>I could say "answer": "B" but no</think>{"answer": "A"}',
        '<think>{"answer": "A"}? or {"answer": "B"}?</think>{"answer": "A"}',
        '{"answer": "B"} No: {"answer": "A"}',
        '{"answer": "B", "answer": "A"}',
        '```json\n{"answer": "A"}\n```',
        '{"result": {"answer": "A"}}',
    ],
)
def test_probabilities_are_read_where_the_answer_is(choice, text):
    row = choice.for_row({"options": ["Happy", "Sad"]})
    at = text.rfind('"A"') + 1
    places = {i: likely(A=0.01, B=0.99) for i, char in enumerate(text) if char in "AB"}
    tokens = written(text, {**places, at: likely(A=0.97, B=0.02)})
    read = row.read(text)
    assert read.value == {"answer": "Happy"}
    found, missing = row.distribution(text, tokens, read)
    assert found == pytest.approx({"Happy": 0.97 / 0.99, "Sad": 0.02 / 0.99})
    assert missing == pytest.approx(0.01)


@pytest.mark.parametrize(
    "text",
    [
        '{"answer": "Happy"}',
        '{"answer": "a"}',
        '{"answer": "A", "second": {"answer": "B"}}',
        "{'answer': 'A',}",
    ],
    ids=["an option in full", "a label in other letters", "another field of the name", "repaired"],
)
def test_there_are_none_where_the_place_is_not_the_answer_s(choice, text):
    row = choice.for_row({"options": ["Happy", "Sad"]})
    places = {i: likely(A=0.1, B=0.9) for i, char in enumerate(text) if char in "ABHa"}
    assert row.distribution(text, written(text, places), row.read(text)) is None


@pytest.mark.parametrize(
    "alternatives",
    [
        [("A", float("nan")), ("B", -1.0)],
        [("A", 0.0), ("B", 0.0)],
        [("A", -9999.0), ("B", float("-inf"))],
    ],
    ids=["no numbers", "zeros in their place", "nothing"],
)
def test_what_cannot_be_probabilities_is_none(choice, alternatives):
    row = choice.for_row({"options": ["Happy", "Sad"]})
    text = '{"answer": "A"}'
    assert row.distribution(text, written(text, {text.index('A"'): alternatives})) is None


# Any text

SIGNS = ["{", "}", "[", "]", '"', "'", ":", ",", "\\", "\n", " ", "```", "//", "\ud83d", "é"]
PARTS = [
    "<think>",
    "</think>",
    "mood",
    "score",
    "Sad",
    "0.5",
    "null",
    '{"mood": "Sad", "score": 1}',
]
WORDS = st.sampled_from([*SIGNS, *PARTS])


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(words=st.lists(WORDS, max_size=30))
def test_whatever_is_written_is_an_answer_or_invalid(row, words):
    try:
        read = row.read("".join(words))
    except InvalidAnswer:
        return
    assert read.value["mood"] in MOODS["moods"]
    json.dumps(read.value, allow_nan=False)


@pytest.mark.parametrize("piece", ['{"a":', "{", '"{', "[0,", '{"a":[0,', "<think>", "{'a':'"])
def test_long_nonsense_is_refused_in_no_time(row, piece):
    with pytest.raises(InvalidAnswer):
        row.read(piece * 5000)


@pytest.mark.parametrize("piece", ["answer: ", "the answer is ", "option "])
@pytest.mark.parametrize("form", ["{}x", '{{"mood": "{}x"}}', '["{}x"]'])
def test_so_is_what_names_an_answer_without_end(load, piece, form):
    choice = load('class A(BaseModel):\n    mood: Annotated[str, OneOf("moods")]', "A")
    with pytest.raises(InvalidAnswer):
        choice.for_row(MOODS).read(form.format(piece * 3000))


@pytest.mark.parametrize(
    "text",
    [
        "35",
        "**35**",
        "Answer: 35",
        "[35]",
        '{"number": [35]}',
        '{"value": "35"}',
        '{"number": {"value": 35}}',
    ],
)
def test_a_number_that_is_all_that_is_asked_for_may_stand_by_itself(load, text):
    row = load("class A(BaseModel):\n    number: float", "A").for_row({})
    read = row.read(text)
    assert (read.value, read.repaired) == ({"number": 35.0}, True)
    # Where a text is asked for, a refusal would be one, too.
    with pytest.raises(InvalidAnswer):
        load("class B(BaseModel):\n    text: str", "B").for_row({}).read("35")


@pytest.mark.parametrize(
    "text", ["35 or so", "between 30 and 40", "I am not 35.", "<think>35", "35 36"]
)
def test_a_number_among_words_is_none(load, text):
    row = load("class A(BaseModel):\n    number: float", "A").for_row({})
    with pytest.raises(InvalidAnswer):
        row.read(text)


def test_objects_with_a_part_of_the_answer_each_are_joined(load):
    spec = load("class Person(BaseModel):\n    name: str\n    age: int\n", "Person").for_row({})
    reading = spec.read('{"name": "Ann"}\n{"age": 45}')
    assert (reading.value, reading.repaired) == ({"name": "Ann", "age": 45}, True)
    assert spec.parse("| Field | Value |\n|---|---|\n| name | Ann |\n| Age | 45 |") == reading.value
    for said in ('{"name": "Ann"}\n{"name": "Bob", "years": 45}', '{"name": "Ann"} {"old": 4}'):
        with pytest.raises(InvalidAnswer):
            spec.parse(said)


def test_a_number_in_a_box_is_read(load):
    spec = load("class Age(BaseModel):\n    age: int\n", "Age").for_row({})
    assert spec.parse("They have two children, 8 and 12: $\\boxed{45}$") == {"age": 45}
    with pytest.raises(InvalidAnswer):
        spec.parse("\\boxed{45} or \\boxed{46}")
