"""The prompts and response classes for small models: what is shown, which answers are of use."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lupom.engine.llm.profiles import load_prompt
from lupom.engine.llm.responses import InvalidAnswer, load_response

ROOT = Path(__file__).parents[2]
PROMPTS = ROOT / "prompts"
SCALES = ["against / undecided / for", "low / medium / high"]
HISTORY = [
    {"question_id": "a", "battery": "On spending:", "item": "Parks.", "answer": "Too little"},
    {"question_id": "b", "battery": "On spending:", "item": "Roads.", "answer": "Too much"},
    {"question_id": "c", "battery": "", "item": "Are you happy?", "answer": "Yes"},
]


def response(name, **limits):
    return load_response(PROMPTS / "small/responses.py", name).for_row(limits)


def text(prompt, response=None, **values):
    (message,) = load_prompt(PROMPTS, prompt, "small").messages(values, response)
    return message["content"]


def proposed(*dimensions):
    return json.dumps(
        {
            "dimensions": [
                {"level": level, "name": name, "description": description, "scale": SCALES[1]}
                for level, name, description in dimensions
            ]
        }
    )


PARKS = ("low", "Support for parks", "How strongly the person is for parks")
NATURE = ("mid", "Care for animals", "How much the person cares about animals")
TRADITION = ("high", "Importance of tradition", "How important old ways are to the person")
CIRCLES = ("mid", "Care for parks", "How much parks parks parks parks the person likes")


def test_candidates_that_give_an_example_back_or_run_in_circles_are_left_out():
    parsed = response("ProposedDimensions", scales=SCALES).parse(
        proposed(PARKS, CIRCLES, TRADITION)
    )
    assert [d["name"] for d in parsed["dimensions"]] == ["Support for parks"]


def test_a_name_counts_once_in_an_answer():
    again = ("mid", "Support for  Parks", "How much the person is for parks")
    parsed = response("ProposedDimensions", scales=SCALES).parse(proposed(PARKS, again, CIRCLES))
    assert [d["level"] for d in parsed["dimensions"]] == ["low"]


def test_an_answer_without_any_usable_candidate_is_invalid():
    with pytest.raises(InvalidAnswer, match="every dimension repeats an example or itself"):
        response("ProposedDimensions", scales=SCALES).parse(proposed(NATURE, TRADITION, CIRCLES))


def test_a_scale_is_chosen_and_not_written():
    answer = json.loads(proposed(PARKS, PARKS, PARKS))
    answer["dimensions"][0]["scale"] = "1 to 10"
    with pytest.raises(InvalidAnswer, match="not one of the allowed values"):
        response("ProposedDimensions", scales=SCALES).parse(json.dumps(answer))


@pytest.mark.parametrize("prompt", ["propose_dimensions", "merge_dimensions"])
def test_every_example_is_known_as_one(prompt):
    """An example that responses.py does not know would come back as a finding."""
    shown = text(prompt, battery="", item="", members=[])
    answers = [
        line[len("Answer: ") :] for line in shown.splitlines() if line.startswith("Answer: ")
    ]
    assert answers
    for answer in answers:
        if prompt == "merge_dimensions":
            name = "MergedDimension"
            spec = response(name)
        else:
            name = "ProposedDimensions"
            scales = (ROOT / "seeds/persona_scales.csv").read_text(encoding="utf-8").splitlines()
            # The examples choose among the scales of the seed, so a wrong one would fail here too.
            spec = response(name, scales=scales[1:])
        with pytest.raises(InvalidAnswer, match="repeats an example"):
            spec.parse(answer)


def test_the_static_part_of_a_persona_prompt_comes_first():
    one = text("infer_persona", history=HISTORY[:1])
    two = text("infer_persona", history=HISTORY[1:])
    shared = next(i for i, (a, b) in enumerate(zip(one, two, strict=False)) if a != b)
    assert one[shared:].startswith("Parks: Too little\n")


def test_each_dimension_has_its_own_values_in_an_answer():
    dimensions = [
        {"dimension_id": "calm", "name": "Calm", "candidate_values": ["low", "high"]},
        {"dimension_id": "parks", "name": "For parks", "candidate_values": ["against", "for"]},
    ]
    spec = response("PersonaValues", dimensions=dimensions)
    value = spec.parse('{"values": {"Calm": "high", "For parks": "for"}}')
    assert spec.rows(value) == [
        {"dimension_id": "calm", "value": "high"},
        {"dimension_id": "parks", "value": "for"},
    ]
    with pytest.raises(InvalidAnswer):
        spec.parse('{"values": {"Calm": "for", "For parks": "for"}}')


PARTS = {
    "history": {"history": HISTORY},
    "demographics": {"attributes": [{"key": "AGE", "value": "65+"}]},
    "persona": {
        "persona": [{"name": "Calm", "description": None, "candidate_values": [], "value": "high"}]
    },
    "neighbours": {"neighbours_answer": "Yes", "neighbours_share": 0.654},
}
SEEN = {
    "history": "- Roads. Too much",
    "demographics": "- AGE: 65+",
    "persona": "- Calm: high",
    "neighbours": "65 % answer the question with: Yes",
}


@pytest.mark.parametrize("settings", [["history"], ["persona", "neighbours"], list(PARTS)])
def test_a_setting_shows_its_parts_and_no_others(settings):
    row = {"history": [], "attributes": [], "persona": []}
    row |= {"neighbours_answer": None, "neighbours_share": None}
    row |= {"neighbours_answers": [], "neighbours_distribution": []}
    for part in settings:
        row |= PARTS[part]
    spec = response("PredictedResponse", options=["Yes", "No"])
    shown = text("predict_response", spec, question="Are you rich?", **row)
    assert {part for part, words in SEEN.items() if words in shown} == set(settings)
    assert shown.endswith("Question: Are you rich?\nA. Yes\nB. No\nAnswer:")


@pytest.mark.parametrize(
    ("prompt", "name", "field"),
    [
        ("check_demographic", "DemographicCheck", "kind"),
        ("check_duplicate", "DuplicateCheck", "verdict"),
    ],
)
def test_checks_are_choices_with_labels(prompt, name, field):
    spec = response(name, **{f"{field}s": ["keep", "drop"]})
    values = dict.fromkeys(("name", "description", "other_name", "other_description"), "x")
    assert text(prompt, spec, attributes=["AGE"], **values).endswith("A. keep\nB. drop")
    assert spec.parse(json.dumps({field: "B"})) == {field: "drop"}
