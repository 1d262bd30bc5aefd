"""Response classes: the schema a row is asked with, what counts as an answer, and its rows."""

from __future__ import annotations

import json

import pytest

from lupom.engine.errors import ModelError
from lupom.engine.llm.responses import InvalidAnswer
from lupom.engine.llm.schemas import LIMITS as REFUSED_LIMITS
from lupom.engine.llm.schemas import without

DIMENSIONS = [
    {"dimension_id": "d1", "name": "trust", "candidate_values": ["low", "high"]},
    {"dimension_id": "d2", "name": "openness", "candidate_values": ["open", "closed"]},
]

PERSONA = """
class Persona(BaseModel):
    values: Annotated[
        dict[str, str],
        OneOfEach("dimensions", key="dimension_id", options="candidate_values"{more}),
    ]
"""


def test_scalars_become_columns_and_the_schema_is_closed(load):
    spec = load(
        """
        class Note(BaseModel):
            '''A note.'''
            text: str = Field(max_length=9, description="what it says")
            score: int = Field(ge=1, le=5)
            share: float | None = None
            sure: bool = False
            level: Literal["low", "high"]
        """,
        "Note",
    )
    assert spec.columns() == {
        "text": "VARCHAR",
        "score": "BIGINT",
        "share": "DOUBLE",
        "sure": "BOOLEAN",
        "level": "VARCHAR",
    }
    row = spec.for_row({})
    assert row.schema == {
        "type": "object",
        "properties": {
            "text": {"type": "string", "maxLength": 9, "description": "what it says"},
            "score": {"type": "integer", "minimum": 1, "maximum": 5},
            "share": {"anyOf": [{"type": "number"}, {"type": "null"}]},
            "sure": {"type": "boolean"},
            "level": {"type": "string", "enum": ["low", "high"]},
        },
        "required": ["text", "score", "share", "sure", "level"],
        "additionalProperties": False,
    }
    value = row.parse('{"text": "hm", "score": 2, "share": null, "sure": true, "level": "low"}')
    assert row.rows(value) == [
        {"text": "hm", "score": 2, "share": None, "sure": True, "level": "low"}
    ]


def test_only_descriptions_meant_for_the_llm_are_sent(load):
    spec = load(
        """
        import enum

        class Level(enum.Enum):
            '''How high; see the note on levels.'''
            low = "low"

        class Inner(BaseModel):
            '''For developers: measured with the embedded model.'''
            level: Level
            text: str = Field(description="in one sentence")

        class Outer(BaseModel):
            '''For developers.'''
            model_config = {"json_schema_extra": {"description": "What the person thinks."}}
            items: list[Inner] = Field(description="one per topic")
        """,
        "Outer",
    )
    text = spec.for_row({}).schema_text
    for sent in ("What the person thinks.", "one per topic", "in one sentence"):
        assert sent in text
    assert "developers" not in text
    assert "note on levels" not in text


def test_limits_a_provider_refuses_are_said_in_words(load):
    row = load(LIST, "Candidates").for_row({})
    said = without(row.schema, REFUSED_LIMITS)["properties"]["dimensions"]
    assert said["description"] == "At most 3 items."
    fields = said["items"]["properties"]
    assert fields["name"] == {"type": "string", "description": "At most 40 characters."}
    assert fields["candidate_values"]["description"] == "From 2 to 5 items."
    assert fields["candidate_values"]["items"]["description"] == "At most 30 characters."
    note = load(
        """
        class Note(BaseModel):
            code: str = Field(pattern="^[a-z]+$", description="a word")
            score: int = Field(ge=1, le=5)
            share: float = Field(gt=0)
        """,
        "Note",
    )
    fields = without(note.for_row({}).schema, REFUSED_LIMITS)["properties"]
    assert fields["code"]["description"] == "a word. It matches the regular expression ^[a-z]+$"
    assert fields["score"]["description"] == "From 1 to 5."
    assert fields["share"]["description"] == "More than 0."


LIST = """
class Candidate(BaseModel):
    name: str = Field(max_length=40)
    level: Literal["low", "mid", "high"]
    candidate_values: list[Annotated[str, Field(max_length=30)]] = Field(min_length=2, max_length=5)

class Candidates(BaseModel):
    topic: str
    dimensions: list[Candidate] = Field(min_length=1, max_length=3)
"""


def test_a_list_of_objects_becomes_rows(load):
    spec = load(LIST, "Candidates")
    assert spec.columns() == {
        "topic": "VARCHAR",
        "name": "VARCHAR",
        "level": "VARCHAR",
        "candidate_values": "VARCHAR[]",
        "position": "BIGINT",
    }
    row = spec.for_row({})
    items = row.schema["properties"]["dimensions"]
    assert (items["minItems"], items["maxItems"]) == (1, 3)
    assert items["items"]["additionalProperties"] is False
    assert items["items"]["properties"]["candidate_values"]["items"] == {
        "type": "string",
        "maxLength": 30,
    }
    assert "$defs" not in json.dumps(row.schema)
    value = {
        "topic": "work",
        "dimensions": [
            {"name": "a", "level": "low", "candidate_values": ["x", "y"]},
            {"name": "b", "level": "high", "candidate_values": ["z", "w"]},
        ],
    }
    assert row.rows(row.parse(json.dumps(value))) == [
        {
            "topic": "work",
            "name": "a",
            "level": "low",
            "candidate_values": ["x", "y"],
            "position": 1,
        },
        {
            "topic": "work",
            "name": "b",
            "level": "high",
            "candidate_values": ["z", "w"],
            "position": 2,
        },
    ]


def test_a_list_of_texts_becomes_rows_or_stays_one_column(load):
    rows = load("class Tags(BaseModel):\n    tag: list[str]\n", "Tags")
    assert rows.columns() == {"tag": "VARCHAR", "position": "BIGINT"}
    assert rows.for_row({}).rows({"tag": ["a", "b"]}) == [
        {"tag": "a", "position": 1},
        {"tag": "b", "position": 2},
    ]
    kept = load("class Tags(BaseModel):\n    tag: Annotated[list[str], AsArray()]\n", "Tags")
    assert kept.columns() == {"tag": "VARCHAR[]"}
    assert kept.for_row({}).rows({"tag": ["a", "b"]}) == [{"tag": ["a", "b"]}]


# Limits by row

LIMITED = """
class Item(BaseModel):
    topic: Annotated[str, OneOf("topics")]

class Guess(BaseModel):
    answer: Annotated[str, OneOf("options")]
    second: Annotated[str | None, OneOf("options")] = None
    others: Annotated[list[Annotated[str, OneOf("options")]], AsArray()]
    items: list[Item]
"""
LIMITS = {"options": ["Yes", "No"], "topics": ["work", "home"]}


def test_a_field_is_limited_to_the_values_of_the_row(load):
    row = load(LIMITED, "Guess").for_row(LIMITS)
    properties = row.schema["properties"]
    text = {"type": "string", "enum": ["Yes", "No"]}
    assert properties["answer"] == text
    assert properties["second"] == {"anyOf": [text, {"type": "null"}]}
    assert properties["others"]["items"] == text
    topic = properties["items"]["items"]["properties"]["topic"]
    assert topic == {"type": "string", "enum": ["work", "home"]}


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"answer": "Maybe"}, "'answer': not one of the allowed values: 'Yes', 'No'"),
        ({"second": "yes or no"}, "'second'"),
        ({"others": ["Yes", "Never"]}, "'others.1'"),
        ({"items": [{"topic": "elsewhere"}]}, "'items.0.topic'"),
    ],
)
def test_what_the_row_does_not_allow_is_invalid(load, change, complaint):
    row = load(LIMITED, "Guess").for_row(LIMITS)
    good = {"answer": "Yes", "second": None, "others": ["No"], "items": [{"topic": "work"}]}
    assert row.parse(json.dumps(good)) == good
    with pytest.raises(InvalidAnswer) as caught:
        row.parse(json.dumps({**good, **change}))
    assert complaint in caught.value.message


def test_rows_with_equal_limits_share_a_response(load):
    spec = load(LIMITED, "Guess")
    assert spec.for_row(LIMITS) is spec.for_row({**LIMITS, "name": "another column"})
    assert spec.for_row(LIMITS) is not spec.for_row({**LIMITS, "options": ["No", "Yes"]})


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"option": ["a"], "topics": ["b"]}, "did you mean 'option'"),
        ({"options": [], "topics": ["b"]}, "empty in a row"),
        ({"options": None, "topics": ["b"]}, "NULL in a row"),
        ({"options": "Yes, No", "topics": ["b"]}, "is not a list"),
        ({"options": [1, 2], "topics": ["b"]}, "1 is not a string"),
    ],
)
def test_a_row_without_its_limits_is_an_error(load, values, complaint):
    with pytest.raises(ModelError) as caught:
        load(LIMITED, "Guess").for_row(values)
    assert complaint in str(caught.value)


# Choices


def test_a_choice_is_asked_by_labels_and_answered_by_options(choice):
    assert choice.choice_field == "answer"
    assert choice.columns() == {
        "answer": "VARCHAR",
        "probabilities": "MAP(VARCHAR, DOUBLE)",
        "missing_mass": "DOUBLE",
    }
    row = choice.for_row({"options": ["Yes", "No", "Don't know"]})
    assert row.schema["properties"] == {"answer": {"type": "string", "enum": ["A", "B", "C"]}}
    assert row.choices[1] == {"label": "B", "option": "No"}
    assert row.parse('{"answer": "B"}') == {"answer": "No"}
    assert row.parse('{"answer": "Don\'t know"}') == {"answer": "Don't know"}


@pytest.mark.parametrize(
    "text",
    ['{"answer": "D"}', '{"answer": ["A", "B"]}', '{"answer": null}', '{"other": "A"}', "A, or B"],
)
def test_anything_but_a_label_or_an_option_is_invalid(choice, text):
    with pytest.raises(InvalidAnswer):
        choice.for_row({"options": ["Yes", "No", "Other"]}).parse(text)


def test_a_label_comes_before_an_option_of_the_same_letters(choice):
    row = choice.for_row({"options": ["B", "A"]})
    assert row.parse('{"answer": "A"}') == {"answer": "B"}


def test_more_options_than_letters_are_numbered_and_have_no_distribution(choice):
    assert choice.for_row({"options": [f"City {i}" for i in range(52)]}).top_logprobs > 0
    row = choice.for_row({"options": [f"City {i}" for i in range(60)]})
    assert row.top_logprobs == 0
    assert row.choices[:2] == [
        {"label": "1", "option": "City 0"},
        {"label": "2", "option": "City 1"},
    ]
    assert row.schema["properties"]["answer"]["enum"][-1] == "60"
    for text in ('{"answer": "57"}', '{"answer": 57}', '{"answer": "57. City 56"}'):
        assert row.parse(text) == {"answer": "City 56"}
    assert row.parse('{"answer": "City 7"}') == {"answer": "City 7"}
    with pytest.raises(InvalidAnswer):
        row.parse('{"answer": "61"}')


def test_options_that_are_numbers_are_their_own_labels_where_letters_do_not_suffice(choice):
    row = choice.for_row({"options": [str(i) for i in range(60)]})
    assert row.choices[3] == {"label": "3", "option": "3"}
    assert row.parse('{"answer": "59"}') == {"answer": "59"}


def test_an_optional_field_is_no_choice(load):
    spec = load(
        'class Guess(BaseModel):\n    answer: Annotated[str | None, OneOf("options")]\n', "Guess"
    )
    assert spec.choice_field is None
    row = spec.for_row({"options": ["Yes"]})
    assert row.choices is None
    assert row.parse('{"answer": null}') == {"answer": None}


# One value for each struct of a list


def test_one_of_each_asks_a_value_for_every_struct(load):
    spec = load(PERSONA.format(more=""), "Persona")
    assert spec.columns() == {"dimension_id": "VARCHAR", "value": "VARCHAR"}
    row = spec.for_row({"dimensions": DIMENSIONS})
    assert row.schema["properties"]["values"] == {
        "type": "object",
        "properties": {
            "d1": {"type": "string", "enum": ["low", "high"]},
            "d2": {"type": "string", "enum": ["open", "closed"]},
        },
        "required": ["d1", "d2"],
        "additionalProperties": False,
    }
    value = row.parse('{"values": {"d2": "open", "d1": "high"}}')
    assert row.rows(value) == [
        {"dimension_id": "d1", "value": "high"},
        {"dimension_id": "d2", "value": "open"},
    ]


def test_one_of_each_can_be_unknown_or_null_and_named_otherwise(load):
    more = ', name="name", unknown="unknown", nullable=True, value="trait"'
    spec = load(PERSONA.format(more=more), "Persona")
    assert spec.columns() == {"dimension_id": "VARCHAR", "trait": "VARCHAR"}
    row = spec.for_row({"dimensions": DIMENSIONS})
    inner = row.schema["properties"]["values"]
    assert list(inner["properties"]) == ["trust", "openness"]
    assert inner["properties"]["trust"] == {
        "anyOf": [{"type": "string", "enum": ["low", "high", "unknown"]}, {"type": "null"}]
    }
    value = row.parse('{"values": {"trust": "unknown", "openness": null}}')
    assert row.rows(value) == [
        {"dimension_id": "d1", "trait": None},
        {"dimension_id": "d2", "trait": None},
    ]


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"d1": "low"}, "'d2' is missing"),
        ({"d1": "open", "d2": "open"}, "'d1': 'open' is not one of 'low', 'high'"),
        ({"d1": None, "d2": "open"}, "'d1' is null"),
        ({"d1": "unknown", "d2": "open"}, "'unknown' is not one of"),
    ],
)
def test_one_of_each_refuses_what_a_struct_does_not_allow(load, values, complaint):
    row = load(PERSONA.format(more=""), "Persona").for_row({"dimensions": DIMENSIONS})
    with pytest.raises(InvalidAnswer) as caught:
        row.parse(json.dumps({"values": values}))
    assert complaint in caught.value.message


@pytest.mark.parametrize(
    ("structs", "complaint"),
    [
        ([{"dimension_id": "d1"}], "no field 'candidate_values'"),
        ([*DIMENSIONS, DIMENSIONS[0]], "'d1' appears twice"),
        ([{**DIMENSIONS[0], "candidate_values": []}], "'d1' has no candidate_values"),
        (["d1"], "is not a struct"),
    ],
)
def test_structs_that_do_not_fit_are_an_error(load, structs, complaint):
    with pytest.raises(ModelError) as caught:
        load(PERSONA.format(more=""), "Persona").for_row({"dimensions": structs})
    assert complaint in str(caught.value)


# Parts of an answer


def test_items_that_are_not_valid_are_left_out_as_long_as_one_is(load):
    row = load(
        """
        class Pet(BaseModel):
            name: str
            legs: int


        class Pets(BaseModel):
            pets: Annotated[list[Pet], Usable()]
        """,
        "Pets",
    ).for_row({})
    cat, wrong = {"name": "cat", "legs": 4}, {"name": "dog", "legs": "many"}
    for said in ([cat, wrong, "fish"], [wrong, cat], cat):
        assert row.parse(json.dumps({"pets": said})) == {"pets": [cat]}
    for said in ([wrong], "cat", None):
        with pytest.raises(InvalidAnswer):
            row.parse(json.dumps({"pets": said}))
    assert row.schema["properties"]["pets"]["items"]["required"] == ["name", "legs"]


def test_a_partial_answer_has_rows_for_what_it_says(load):
    more = ', name="name", unknown="unknown", partial=True'
    named = [{**d, "name": f"Is it {d['name']}?"} for d in DIMENSIONS]
    row = load(PERSONA.format(more=more), "Persona").for_row({"dimensions": named})

    def rows(**said):
        return row.rows(row.parse(json.dumps({"values": said})))

    assert rows(d1="High.", D2=" unknown") == [
        {"dimension_id": "d1", "value": "high"},
        {"dimension_id": "d2", "value": None},
    ]
    assert rows(d1="medium", **{"Is it openness?": None}) == [{"dimension_id": "d2", "value": None}]
    for said in ({}, {"d1": "medium"}, {"d1": ["low", "high"]}):
        with pytest.raises(InvalidAnswer, match=r"is missing|is not one of"):
            rows(**said)


def test_values_that_the_prompt_tells_are_checked_and_not_in_the_schema(load):
    spec = load(PERSONA.format(more=", told=True"), "Persona")
    row = spec.for_row({"dimensions": DIMENSIONS[:1]})
    assert row.schema["properties"]["values"]["properties"] == {"d1": {"type": "string"}}
    assert row.parse('{"values": {"d1": "low"}}') == {"values": {"d1": "low"}}
    with pytest.raises(InvalidAnswer, match="'medium' is not one of 'low', 'high'"):
        row.parse('{"values": {"d1": "medium"}}')
