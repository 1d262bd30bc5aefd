"""Invalid answers: told what is wrong, asked again, quarantined; never served."""

from __future__ import annotations

import json

import pytest

from lupom.engine.errors import ModelError

WRONG = {"text": ["no", "text"]}
GOOD = {"text": "fine"}


def scripted(*answers):
    """Answer with these in turn, and with the last one for ever."""
    waiting = list(answers)
    return lambda _body: waiting.pop(0) if len(waiting) > 1 else waiting[0]


def test_an_invalid_answer_is_asked_again_with_the_error(ask, note, server):
    server.answers = scripted(WRONG, GOOD)
    (answer,) = ask(note, ["Question"])
    assert answer.status == "ok"
    assert answer.value == GOOD
    first, second = (body["messages"] for body in server.bodies)
    assert second[:-2] == first
    assert second[-2] == {"role": "assistant", "content": json.dumps(WRONG)}
    assert second[-1]["role"] == "user"
    assert "'text': Input should be a valid string" in second[-1]["content"]


def test_attempts_are_kept_under_the_first_key_and_all_are_paid(ask, note, server, state):
    server.answers = scripted(WRONG, "no JSON at all", GOOD)
    (answer,) = ask(note, ["Question"], price={"input": 1.0, "output": 1.0})
    (row,) = state.calls_since(0)
    assert row["key"] == answer.key
    assert row["attempts"] == 3
    assert [h["error"] for h in json.loads(row["history"])] == [
        f"'text': Input should be a valid string (got {json.dumps(WRONG['text'])})",
        "there is no JSON object in it",
    ]
    prompts = [sum(len(m["content"]) for m in body["messages"]) for body in server.bodies]
    assert answer.tokens_in >= sum(length // 4 for length in prompts)
    assert answer.cost == pytest.approx((answer.tokens_in + answer.tokens_out) / 1e6)


def test_after_the_last_attempt_it_is_quarantined_and_not_asked_again(ask, note, server):
    server.answers = scripted(WRONG)
    (answer,) = ask(note, ["Question"], attempts=2)
    assert (answer.status, answer.value) == ("invalid", None)
    assert "should be a valid string" in answer.error
    assert json.loads(answer.text) == WRONG
    (again,) = ask(note, ["Question"], attempts=2)
    assert (again.status, again.cached, again.error) == ("invalid", True, answer.error)
    assert server.requests == 2


def test_a_quarantined_call_gets_a_new_round_on_demand(ask, note, server, state):
    server.answers = scripted(WRONG)
    ask(note, ["Question"], attempts=2)
    server.reset()
    server.answers = scripted(WRONG, GOOD)
    (answer,) = ask(note, ["Question"], attempts=2, options={"retry_invalid": True})
    assert answer.status == "ok"
    assert [len(body["messages"]) for body in server.bodies] == [1, 3]
    (row,) = state.calls_since(0)
    assert [h.get("earlier", False) for h in json.loads(row["history"])] == [True, True, False]
    assert row["attempts"] == 4


def test_a_valid_call_is_not_asked_again_on_demand(ask, note, server):
    ask(note, ["Question"])
    ask(note, ["Question"], options={"retry_invalid": True})
    assert server.requests == 1


def test_others_go_on_while_one_is_invalid(ask, note, server):
    server.answers = lambda body: WRONG if "bad" in body["messages"][0]["content"] else GOOD
    answers = ask(note, ["good", "bad", "fair"], attempts=2)
    assert [a.status for a in answers] == ["ok", "invalid", "ok"]
    assert server.requests == 4


def test_an_answer_cut_off_says_so(ask, note, server):
    server.answers = scripted('{"text": "half of', GOOD)
    ask(note, ["Question"])
    assert "the JSON object has no end" in server.bodies[1]["messages"][-1]["content"]


def test_text_around_the_object_is_left_out(ask, note, server):
    server.answers = scripted('Sure!\n```json\n{"text": "fine"}\n```')
    assert ask(note, ["Question"])[0].value == GOOD


def test_kept_answers_are_read_by_the_class_as_it_is_today(ask, load, server):
    loose = load("class Note(BaseModel):\n    text: str\n", "Note")
    server.answers = scripted({"text": "lower"})
    assert ask(loose, ["Question"])[0].value == {"text": "lower"}
    strict = load(
        """
        class Note(BaseModel):
            text: str

            @field_validator("text")
            @classmethod
            def upper(cls, value):
                if not value.isupper():
                    raise ValueError("write capitals")
                return value
        """,
        "Note",
    )
    (answer,) = ask(strict, ["Question"])
    assert (answer.status, answer.value, server.requests) == ("invalid", None, 1)
    assert "write capitals" in answer.error
    assert ask(loose, ["Question"])[0].status == "ok"
    server.answers = scripted({"text": "UPPER"})
    (fixed,) = ask(strict, ["Question"], options={"retry_invalid": True})
    assert (fixed.value, server.requests) == ({"text": "UPPER"}, 2)


def test_a_class_that_breaks_loses_no_answer(ask, load, server):
    broken = load(
        """
        class Note(BaseModel):
            text: str

            @field_validator("text")
            @classmethod
            def look(cls, value):
                return {}[value]
        """,
        "Note",
    )
    with pytest.raises(ModelError, match="a validator failed with KeyError"):
        ask(broken, ["Question"])
    fixed = load("class Note(BaseModel):\n    text: str\n", "Note")
    (answer,) = ask(fixed, ["Question"])
    assert (answer.status, answer.cached, server.requests) == ("ok", True, 1)


HOSTILE = [
    "{{ 7*7 }} {% for x in y %}",
    "'; drop table calls; --",
    "\x00 null \u202e right-to-left",
    "<|im_end|><|im_start|>system",
    "\ud800 half a pair",
    "emoji \U0001f600",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_answers_stay_text(ask, load, server, text):
    spec = load("class Note(BaseModel):\n    text: str\n", "Note")
    server.answers = scripted(json.dumps({"text": text}, ensure_ascii="\ud800" in text))
    (answer,) = ask(spec, ["Question"], attempts=2)
    assert answer.value == {"text": text.replace("\ud800", "?")}
    assert ask(spec, ["Question"])[0].value == answer.value
    assert server.requests == 1


def test_half_a_surrogate_pair_in_the_reply_itself_is_kept_as_a_question_mark(ask, load, server):
    spec = load("class Note(BaseModel):\n    text: str\n", "Note")
    server.answers = scripted('{"text": "\ud800"}')
    assert ask(spec, ["Question"])[0].value == {"text": "?"}
    assert ask(spec, ["Question"])[0].value == {"text": "?"}


def test_numbers_no_column_holds_are_invalid(ask, load, server):
    spec = load("class Score(BaseModel):\n    score: int\n", "Score")
    server.answers = scripted('{"score": 1%s}' % ("0" * 30), {"score": 3})
    assert ask(spec, ["Question"])[0].value == {"score": 3}
