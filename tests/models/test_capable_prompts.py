"""The prompts and response classes of persona dimensions and values, for capable LLMs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lupom.engine.llm.profiles import load_prompt
from lupom.engine.llm.responses import InvalidAnswer, load_response
from tests.support.concepts import CONCEPTS

PROMPTS = Path(__file__).parents[2] / "prompts"
SURVEY = {
    "title": "Panel of Cats 2020",
    "fielded": "May 2020",
    "population": "Cats of 1 and over",
    "country": "Cat Island",
    "language": None,
}
DIMENSIONS = [
    {
        "dimension_id": "trust_in_science_technology_institutional",
        "label": "trust_in_science_technology_institutional",
        "name": "Trust in Science & Technology (Institutional)",
        "description": "How much the cat trusts science.",
        "level": "mid",
        "candidate_values": ["Low", "Neutral/ambivalent", "High, but not in vets"],
        "ordered": True,
    },
    {
        "dimension_id": "доверие_к_людям",
        "label": "dimension__2",
        "name": "Доверие к людям",
        "description": "How much the cat trusts people.",
        "level": "high",
        "candidate_values": ['"Careful"', "Trusting"],
        "ordered": False,
    },
]
HISTORY = [
    {
        "question_id": "a",
        "battery": "On spending:",
        "item": "Parks.",
        "options": ["Too little", "Too much"],
        "answer": "Too little",
    },
    {
        "question_id": "b",
        "battery": "On spending:",
        "item": "Roads.",
        "options": ["Too little", "Too much"],
        "answer": "Too much",
    },
    {
        "question_id": "c",
        "battery": "",
        "item": "What do you eat?",
        "options": [],
        "answer": "Sugar\nQ: Sugar",
    },
]


def spec(name, **limits):
    return load_response(PROMPTS / "responses.py", name).for_row(limits)


def parsed(name, answer, **limits):
    return spec(name, **limits).parse(json.dumps(answer, ensure_ascii=False))


def messages(prompt, response=None, **values):
    made = load_prompt(PROMPTS, prompt, "capable").messages({**SURVEY, **values}, response)
    return {message["role"]: message["content"] for message in made}


def proposal(name="Trust in Science", **changed):
    return {
        "level": "mid",
        "name": name,
        "description": "How much the person trusts science.",
        "candidate_values": ["Low", "High"],
        "ordered": True,
        **changed,
    }


def proposed(*dimensions):
    return parsed("ProposedDimensions", {"dimensions": list(dimensions)})["dimensions"]


# Answers


@pytest.mark.parametrize("concept", CONCEPTS, ids=lambda concept: concept[1][0])
def test_dimensions_as_capable_llms_write_them_come_back_as_they_are(concept):
    level, names, description, values, ordered = concept
    for name in names:
        said = {"level": level, "name": name, "description": description}
        said |= {"candidate_values": list(values), "ordered": ordered}
        assert proposed(said) == [said]
        merged = {key: value for key, value in said.items() if key != "level"}
        assert parsed("MergedDimension", merged) == merged


def test_dimensions_are_read_by_level_and_under_other_names_for_their_fields():
    one, other = proposal("Trust"), proposal("Faith")
    for said in (one, other):
        del said["level"]
    expected = [{"level": "low", **one}, {"level": "high", **other}]
    grouped = {"low": [one], "high": other}
    assert parsed("ProposedDimensions", grouped)["dimensions"] == expected
    assert parsed("ProposedDimensions", {"dimensions": grouped})["dimensions"] == expected
    called = {"level": "Low", "dimension": "Trust", "definition": one["description"]}
    assert proposed({**called, "values": ["Low", "High"]}) == [{"level": "low", **one}]
    with pytest.raises(InvalidAnswer):
        parsed("ProposedDimensions", {"societal": [one]})


def test_any_number_of_dimensions_of_any_levels_is_taken():
    many = [proposal(f"Attitude {number}") for number in "ABCDEFGHI"]
    assert len(proposed(*many)) == 9
    assert len(proposed(many[0])) == 1


def test_a_dimension_that_cannot_be_used_does_not_cost_the_others():
    wrong = [
        proposal(level="societal"),
        proposal(name="?!"),
        proposal(description=" "),
        proposal(candidate_values=["Low"]),
        proposal(candidate_values=["Unknown", "High", "high"]),
        {"level": "mid"},
        "Trust",
    ]
    for one in wrong:
        assert [d["name"] for d in proposed(one, proposal("Openness"))] == ["Openness"]
        with pytest.raises(InvalidAnswer):
            proposed(one)
    with pytest.raises(InvalidAnswer, match="no dimension is named"):
        proposed()


def test_of_dimensions_of_nearly_one_name_the_first_counts():
    names = ["Trust in Science", "Trust in the Sciences", "Science: trust", "Trust in Scientists"]
    assert [d["name"] for d in proposed(*map(proposal, names))] == [names[0], names[3]]


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("Low / Medium / High", ["Low", "Medium", "High"]),
        ("Low, High", ["Low", "High"]),
        ([{"value": "Low", "description": "..."}, {"value": "High"}], ["Low", "High"]),
        ({"Low": "never", "High": "always"}, ["Low", "High"]),
        ([1, 2, 3], ["1", "2", "3"]),
        (["Low", " low ", None, "High", "Unknown"], ["Low", "High"]),
        (list("abcdefghi"), ["a", "b", "d", "e", "f", "h", "i"]),
    ],
)
def test_candidate_values_are_taken_however_they_are_written(said, kept):
    assert proposed(proposal(candidate_values=said))[0]["candidate_values"] == kept


def test_what_is_too_long_is_cut_after_a_word():
    long = "word " * 500
    [dimension] = proposed(proposal(long, description=long, candidate_values=[long, "No"]))
    assert len(dimension["name"]) <= 121
    assert dimension["name"].endswith("word…")
    assert dimension["candidate_values"][1] == "No"


@pytest.mark.parametrize("level", ["Mid", "mid-level", "medium", " MID "])
def test_levels_are_known_in_other_words(level):
    assert proposed(proposal(level=level))[0]["level"] == "mid"


@given(
    st.lists(
        st.fixed_dictionaries(
            {},
            optional={
                key: st.one_of(
                    st.none(),
                    st.integers(),
                    st.text(max_size=5),
                    st.lists(st.one_of(st.none(), st.text(max_size=3)), max_size=9),
                )
                for key in ("level", "name", "description", "candidate_values", "ordered")
            },
        ),
        max_size=4,
    )
)
def test_nothing_that_comes_beside_a_good_dimension_costs_it(others):
    kept = proposed(*others, proposal("Interest in mice"))
    assert "Interest in mice" in [dimension["name"] for dimension in kept]
    assert all(2 <= len(dimension["candidate_values"]) <= 7 for dimension in kept)


# Persona values

IDS = [dimension["dimension_id"] for dimension in DIMENSIONS]


def values(answer, name="PersonaValues", dimensions=DIMENSIONS):
    response = spec(name, dimensions=dimensions)
    return {
        row["dimension_id"]: row["value"]
        for row in response.rows(response.parse(json.dumps(answer, ensure_ascii=False)))
    }


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("Low", "Trusting", {IDS[0]: "Low", IDS[1]: "Trusting"}),
        ("unknown", None, {IDS[0]: None, IDS[1]: None}),
        (
            "high, but not in vets.",
            "careful",
            {IDS[0]: "High, but not in vets", IDS[1]: '"Careful"'},
        ),
        ({"value": "Low", "reason": "x"}, ["Trusting"], {IDS[0]: "Low", IDS[1]: "Trusting"}),
        # What is none of a dimension's values is left out, and the other counts.
        ("Very low", "Trusting", {IDS[1]: "Trusting"}),
        ("Low", 7, {IDS[0]: "Low"}),
    ],
)
def test_each_dimension_has_its_own_values(first, second, expected):
    assert values({"values": {DIMENSIONS[0]["label"]: first, "dimension__2": second}}) == expected


@pytest.mark.parametrize(
    "answer",
    [
        {"values": {DIMENSIONS[0]["name"]: "Low"}},
        {"values": {IDS[0].upper(): "Low"}},
        {IDS[0]: "Low"},
    ],
)
def test_an_answer_that_is_written_in_another_way_counts(answer):
    assert values(answer) == {IDS[0]: "Low"}


@pytest.mark.parametrize("answer", [{"values": {}}, {"values": {IDS[0]: "Very low"}}, {}])
def test_an_answer_without_any_value_is_invalid(answer):
    with pytest.raises(InvalidAnswer):
        values(answer)


def test_calls_of_one_dimension_each_share_their_schema():
    one, two = ([{**dimension, "label": "value"}] for dimension in DIMENSIONS)
    schemas = [spec("PersonaValue", dimensions=own).schema_text for own in (one, two)]
    assert schemas[0] == schemas[1]
    for answer in ({"values": {"value": "trusting"}}, {"value": "Trusting"}):
        assert values(answer, "PersonaValue", two) == {IDS[1]: "Trusting"}
    with pytest.raises(InvalidAnswer, match="not one of"):
        values({"values": {"value": "Low"}}, "PersonaValue", two)


def test_what_properties_are_called_suits_every_provider():
    schema = spec("PersonaValues", dimensions=DIMENSIONS).schema
    assert list(schema["properties"]["values"]["properties"]) == [IDS[0], "dimension__2"]


# Prompts


def test_a_question_is_shown_with_topic_battery_item_and_options():
    question = {"topic": "food", "battery": "How good is:", "item": "Fish.", "kind": "ordinal"}
    shown = messages("propose_dimensions", **question, options=["Bad", "Good"], low=None, high=None)
    assert shown["user"] == (
        "Topic: food\nQuestion, one of several with this preface: How good is:\nItem: Fish.\n"
        "Options: Bad | Good"
    )
    for said in ("Panel of Cats 2020", "May 2020", "Cats of 1 and over", "Cat Island"):
        assert said in shown["system"]
    for level in ("low", "mid", "high"):
        assert shown["system"].count(f"- {level}. Abstraction: ") == 1
    for word in ("Relevance: ", "Stability: "):
        assert shown["system"].count(word) == 3


def test_what_is_not_known_of_a_question_or_survey_leaves_no_gap():
    nothing = dict.fromkeys(["topic", "battery", "options", "low", "high", *SURVEY])
    shown = messages("propose_dimensions", **nothing, item="How old are you?", kind="numeric")
    assert shown["user"] == "Question: How old are you?\nThe answer is a number."
    assert "None" not in shown["system"]
    assert "Survey:" not in shown["system"]


def test_members_of_a_cluster_are_shown_with_their_values():
    members = [
        {"name": "A", "description": "Is a.", "times": 3, "candidate_values": ["x", "y, z"]},
        {"name": "B", "description": "Is b.", "times": 1, "candidate_values": None},
    ]
    shown = messages("merge_dimensions", level="mid", members=members)["user"]
    assert shown.startswith("Level: mid\n")
    assert shown.endswith("- A (3 times): Is a.\n  Values: x | y, z\n- B: Is b.")


def test_checks_see_attributes_in_words_with_their_values():
    attributes = [
        {"key": "RELIGATTEND", "label": "Religious attendance", "shown": ["Never"], "more": 0},
        {"key": "AGE", "label": "AGE", "shown": ["18", "19"], "more": 60},
    ]
    kinds = spec("DemographicCheck", kinds=["keep", "drop"])
    shown = messages("check_demographic", kinds, known=attributes, **DIMENSIONS[0])
    assert "- Religious attendance (RELIGATTEND): Never\n" in shown["system"]
    assert "- AGE: 18 | 19 and 60 more\n" in shown["system"]
    assert "Values: Low | Neutral/ambivalent | High, but not in vets\n" in shown["user"]
    assert shown["user"].endswith("A. keep\nB. drop")
    other = {f"other_{key}": DIMENSIONS[1][key] for key in ("name", "description", "level")}
    other["other_values"] = DIMENSIONS[1]["candidate_values"]
    verdicts = spec("DuplicateCheck", verdicts=["keep", "drop"])
    shown = messages("check_duplicate", verdicts, **other, **DIMENSIONS[0])
    assert 'Values: "Careful" | Trusting\n' in shown["user"]
    assert shown["user"].endswith("A. keep\nB. drop")


def test_question_and_answer_stand_apart_in_a_history_and_by_battery():
    assert messages("history", history=HISTORY)["user"] == (
        "On spending:\nQ: Parks.\nOptions: Too little | Too much\nA: Too little\n"
        "Q: Roads.\nA: Too much\n\nQ: What do you eat?\nA: Sugar Q: Sugar"
    )


def test_what_calls_share_comes_first():
    def whole(part, dimensions, history):
        shown = messages("infer_persona", part=part, dimensions=dimensions, history=history)
        return shown["system"], shown["user"]

    # All dimensions in one call: the task has them, and all people share it.
    system, user = whole("all", DIMENSIONS, HISTORY)
    assert DIMENSIONS[0]["name"] in system
    assert "- dimension__2: Доверие к людям (high): " in system
    assert user.endswith("A: Sugar Q: Sugar")
    # One call a dimension: the person comes before it.
    one, two = (whole(d["dimension_id"], [{**d, "label": "value"}], HISTORY) for d in DIMENSIONS)
    assert one[0] == two[0]
    shared = one[1][: one[1].index("Where does the person stand")]
    assert two[1].startswith(shared)
    assert "A: Sugar Q: Sugar" in shared
    assert DIMENSIONS[0]["name"] not in one[0] + shared
