"""Answers to a choice that say one option in another way: one request each, marked repaired."""

from __future__ import annotations

import pytest

from lupom.engine.llm.gateway import Call
from lupom.engine.llm.responses import InvalidAnswer
from tests.support.gateways import make_gateway, user
from tests.support.odd_server import OddServer

OPTIONS = ["No", "Yes", "Perhaps"]
# All of them say Yes, which has the label B.
ONE = [
    *('["B"]', '["Yes"]', '[["B"]]', '["B", "Yes"]', '"B"', '"B) Yes"', "B) Yes", "Option B"),
    *('{"answer": ["B"]}', '{"answer": ["B) Yes"]}', '{"answer": [["B"]]}', "{'answer': ['B']}"),
    *('{"answer": {"answer": "B"}}', '{"answer": {"label": "B", "option": "Yes"}}'),
    *('{"answer": {"value": "yes.", "confidence": 0.8}}', '{"answer": [{"answer": "B"}]}'),
    *('{"Answer": "B"}', '{"ANSWER ": "b"}', '{"choice": "B"}', '{"selected": ["B"]}'),
    *('{"B": "Yes"}', '{"B": true}', '{"answer": {"A": false, "B": true}}'),
    *('{"answer": "Option B"}', '{"answer": "The answer is B"}', "The answer is **B**"),
    *(
        '{"answer": "Yes (B)"}',
        '{"answer": "**B**"}',
        '{"answer": "2. Yes"}',
        '{"answer": "B Yes"}',
    ),
    *('{"final_answer": "B"}', '{"prediction": "yes"}', "My final answer is: Yes"),
]
# None of them says one option.
NONE = [
    *('["A", "B"]', '{"answer": ["A", "B"]}', '{"answer": []}', '{"answer": {}}', "[]"),
    *('{"answer": {"label": "A", "option": "Yes"}}', '{"A": "Yes"}', '{"reason": "B"}'),
    *('{"answer": {"A": true, "B": true}}', '{"A": 0.2, "B": 0.8}', "B or C", "A or B) Yes"),
    *('{"answer": "Yes (A)"}', '{"answer": "3. Yes"}', '{"answer": "Yes and no"}'),
    *('{"answer": 2}', '{"answer": null}', "The answer is B or C", '{"answer": ["B", 7]}'),
    '{"answer": ' + "[" * 9 + '"B"' + "]" * 9 + "}",
]


def test_what_says_one_option_is_not_asked_again_and_what_does_not_is(state, choice):
    replies = [*ONE, *NONE]
    response = choice.for_row({"options": OPTIONS})
    calls = [Call(user(f"Case {i:02d}"), response) for i in range(len(replies))]

    def reply(_number, body):
        return replies[int(body["messages"][0]["content"][5:])]

    with OddServer(reply=reply) as odd:
        settings = {"attempts": 2, "mode": "json_schema"}
        with make_gateway(odd.base_url, state, **settings) as gateway:
            answers = gateway.ask("default", calls, node="n", run_id="r")
        asked = [body["messages"][0]["content"] for body in odd.bodies]
    for said, call, answer in zip(replies, calls, answers, strict=True):
        times = asked.count(call.messages[0]["content"])
        value = {"answer": "Yes"} if said in ONE else None
        assert (answer.value, times) == (value, 1 if said in ONE else 2), said
    kept = {row["messages_hash"]: row["repaired"] for row in state.calls_since(0)}
    assert sum(kept.values()) == len(ONE)


def test_an_option_called_like_another_s_label_is_itself(choice):
    response = choice.for_row({"options": ["Option B", "Option A"]})
    assert response.parse('{"answer": ["Option B"]}') == {"answer": "Option B"}
    # As a label it is the second, as a text the first.
    with pytest.raises(InvalidAnswer):
        choice.for_row({"options": ["B", "A"]}).parse('{"answer": ["b"]}')


def test_an_object_with_the_field_counts_before_one_without(choice):
    response = choice.for_row({"options": OPTIONS})
    said = '{"answer": "C"}\nFor comparison: {"label": "B", "option": "Yes"}'
    assert response.parse(said) == {"answer": "Perhaps"}


def test_a_field_among_others_may_hold_its_one_value_in_a_list(load):
    two = load(
        """
        class Two(BaseModel):
            thought: str
            answer: Annotated[str, OneOf("options")]
            sure: Literal["low", "high"] = "low"
        """,
        "Two",
    ).for_row({"options": OPTIONS})
    reading = two.read('{"thought": "x", "answer": ["Yes"], "sure": {"value": "High"}}')
    assert reading.value == {"thought": "x", "answer": "Yes", "sure": "high"}
    assert reading.repaired
    with pytest.raises(InvalidAnswer):
        two.read('{"thought": "x", "answer": ["Yes", "No"]}')


def test_signs_between_words_tell_no_options_apart_but_beside_digits_do(choice):
    dash = "\u2013"
    spelled = choice.for_row({"options": [f"Disagree {dash} somewhat", "Don't know"]})
    for said in ("disagree -- somewhat", "Disagree, somewhat", f"Disagree{dash}somewhat"):
        assert spelled.parse(f'{{"answer": "{said}"}}') == {"answer": f"Disagree {dash} somewhat"}
    assert spelled.parse('{"answer": "Dont know"}') == {"answer": "Don't know"}
    numbers = choice.for_row({"options": ["5-9 years", "59 years", "-1"]})
    for said in ("5 9 years", "5/9 years", "+1"):
        with pytest.raises(InvalidAnswer):
            numbers.parse(f'{{"answer": "{said}"}}')
