"""Values of several things in lines, tables and lists of objects: read, or asked for again."""

from __future__ import annotations

import pytest

from lupom.engine.llm.responses import InvalidAnswer

DIMENSIONS = [
    {"dimension_id": "trust", "candidate_values": ["low", "mid", "high"], "label": "D1"},
    {"dimension_id": "views", "candidate_values": ["modern", "mixed", "not modern"], "label": "D2"},
    {"dimension_id": "risk", "candidate_values": ["averse", "seeking"], "label": "D10"},
]
ALL = {"trust": "low", "views": "mixed", "risk": "averse"}


@pytest.fixture
def persona(load):
    spec = load(
        """
        class Persona(BaseModel):
            values: Annotated[dict[str, str], OneOfEach("dimensions", key="dimension_id",
                options="candidate_values", name="label", unknown="unknown", partial=True)]
        """,
        "Persona",
    )
    return spec.for_row({"dimensions": DIMENSIONS})


@pytest.mark.parametrize(
    "said",
    [
        "D1: low\nD2: mixed\nD10: averse",
        "Here they are:\n\n- **D1**: low\n- **D2**: mixed\n* D10: Averse.",
        "| D | Value |\n|---|---|\n| D1 | low |\n| D2 | mixed |\n| D10 | averse |",
        "D1 = low, D2 = mixed, D10 = averse",
        "1. D1 (trust): low - they trust nobody\n2. D2: mixed (in part)\n3. D10 \u2013 averse",
        '{"values": "D1: low; D2: mixed; D10: averse"}',
        '{"values": {"D1: trust": "low trust", "D2": "mixed", "D10": "averse, mostly"}}',
        '[{"dimension": "D1", "value": "low"}, {"dimension": "D2", "value": "mixed"},'
        ' {"dimension": "D10", "value": "averse"}]',
        '{"values": [{"D1": "low"}, {"D2": "mixed"}, {"D10": "averse"}]}',
        '{"values": [{"id": "trust", "level": "low", "y": "x"}, {"id": "views", "level": "mixed"},'
        ' {"id": "risk", "level": "averse"}]}',
    ],
)
def test_what_decides_all_of_them_is_read(persona, said):
    reading = persona.read(said)
    assert (reading.value["values"], reading.repaired) == (ALL, True)


@pytest.mark.parametrize(
    "said",
    [
        "D1: low income\nD2: mixed\nD10: averse",
        "D1: low does not fit\nD2: mixed\nD10: averse",
        "D1: low?\nD2: mixed\nD10: averse",
        "trust in the police: low\nD2: mixed\nD10: averse",
        '{"values": {"trust in the police": "low", "D2": "mixed", "D10": "averse"}}',
        '{"values": {"D1": "low can be ruled out", "D2": "mixed", "D10": "averse"}}',
    ],
)
def test_words_that_go_on_are_another_name_and_another_value(persona, said):
    assert persona.parse(said)["values"] == {"views": "mixed", "risk": "averse"}


def test_reasons_beside_a_value_are_none(persona):
    said = (
        '[{"dimension": "trust", "reason": "high", "value": "low"}, {"dimension": "views",'
        ' "value": "mixed", "reason": "risk"}, {"dimension": "risk", "value": "averse"}]'
    )
    assert persona.parse(said)["values"] == ALL


def test_one_that_is_unknown_or_cannot_be_read_does_not_cost_the_others(persona):
    said = "D1: unknown\nD2: not modern\nD10: low or high"
    assert persona.parse(said)["values"] == {"trust": None, "views": "not modern"}


@pytest.mark.parametrize(
    "said",
    [
        "D1: low",  # of three
        "The person is low on D1, mixed on D2 and averse to D10.",
        "D1: low\nD2: mixed\nD10: averse\nD1: high",
        "D1: low or mid\nD2: modern, mixed\nD10: averse or seeking",
        "D1: low is unlikely\nD2: neither",
        "I cannot say.",
    ],
)
def test_what_decides_few_or_says_two_things_is_asked_again(persona, said):
    with pytest.raises(InvalidAnswer):
        persona.parse(said)
