"""Rows asked together, at the gateway: repaired replies, and limits that a model does not take."""

from __future__ import annotations

import json

import pytest

from lupom.engine.errors import BudgetError
from lupom.engine.llm.budget import Budget, Pot
from lupom.engine.llm.gateway import Call
from lupom.engine.llm.together import Together
from tests.support.gateways import make_gateway, user
from tests.support.odd_server import OddServer, complaint, completion

A, B, C = '{"text": "a"}', '{"text": "b"}', '{"text": "c"}'


@pytest.fixture
def odd():
    with OddServer() as running:
        yield running


@pytest.fixture
def ask(odd, state, note):
    """Return a function that asks so many rows, three in a request, one request at a time."""

    def ask(rows=3, budget=None, **settings):
        def write(members):
            return user("\n".join(row["text"] for row, _ in members))

        together = Together(3, write)
        texts = [f"Row {i}" for i in range(1, rows + 1)]
        response = note.for_row({})
        calls = [Call(user(t), response, together=together, row={"text": t}) for t in texts]
        given = {"concurrency": 1, "attempts": 2, "max_retries": 1, **settings}
        with make_gateway(odd.base_url, state, **given) as gateway:
            gateway.budget = budget
            return gateway.ask("default", calls, node="notes", run_id="r")

    return ask


@pytest.mark.parametrize(
    ("reply", "repaired"),
    [
        (f'{{"r1": {A}, "r2": {B}, "r3": {C}}}', [0, 0, 0]),
        (f'<think>{{}}</think>```json\n{{"r1": {A}, "r2": {B}, "r3": {C}}}\n```', [0, 0, 0]),
        (f'{{"r1": {A}, "r2": {B}, "r3": {C},}}', [1, 1, 1]),
        (f'{{"r1": {A}, "r2": {B}, "r3": {C}', [1, 1, 1]),
        ("{'r1': {'text': 'a'}, 'r2': {'text': 'b'}, 'r3': {'text': 'c'}}", [1, 1, 1]),
        (f'{{"r1": {A}, "r2": {B}, "r3": {{"text": "{"long " * 9}"}}}}', [0, 0, 1]),
        (f'{{"r1": {A}, "r2": "b", "r3": {C}}}', [0, 1, 0]),
        (f'{{"R1": {A}, "r2": {B}, "3.": {C}}}', [1, 0, 1]),
        (f'[{{"label": "r1", "text": "a"}}, {{"r2": {B}}}, {{"r3": {C}}}]', [1, 0, 0]),
        (f"r1: {A}\n- **r2**: {B}\nr3 = {C}", [1, 1, 1]),
        (f"{A}\n{B}\n{C}", [1, 1, 1]),
        (f'{{"answers": [{A}, "b", {C}]}}', [1, 1, 1]),
    ],
)
def test_the_ledger_says_which_rows_were_repaired(odd, ask, state, reply, repaired):
    odd.reply = lambda _number, _body: reply
    assert [answer.status for answer in ask()] == ["ok"] * 3
    assert odd.requests == 1
    found = {row["answer"]: row["repaired"] for row in state.calls_since(0)}
    assert [found[text] for text in sorted(found)] == repaired


@pytest.mark.parametrize(
    "one",
    [
        A,
        f"{A}\n{B}",
        f"r1: {A}\nr3: {C}",
        f"[{A}, {B}, {C}, {A}]",
        f"r1: {A} r1: {B} r2: {C}",
        f"Row 3: {A}\nRow 2: {B}\nRow 1: {C}",
    ],
)
def test_an_answer_that_does_not_say_whose_it_is_is_nobody_s(odd, ask, state, one):
    def reply(number, body):
        rows = body["messages"][0]["content"].splitlines()
        own = {f"r{i}": {"text": row} for i, row in enumerate(rows, 1)}
        return one if number == 1 else json.dumps(own)

    odd.reply = reply
    assert [answer.value["text"] for answer in ask()] == ["Row 1", "Row 2", "Row 3"]
    assert odd.requests == 3  # one for all, and one for each half


def test_a_row_that_is_said_in_two_ways_is_asked_again_alone(odd, ask, state):
    said = f'{{"r1": {A}, "r2": {B}, "r3": {C}}}\nSummary: {{"r2": {C}}}'
    odd.reply = lambda number, _body: said if number == 1 else f'{{"r1": {B}}}'
    assert [answer.value["text"] for answer in ask()] == ["a", "b", "c"]
    assert odd.requests == 2
    shown, told = (message["content"] for message in odd.bodies[1]["messages"][1:])
    assert shown == f"{B}\n{C}"
    assert "r1: the answer says two things of it" in told


def test_what_was_whole_before_a_cut_is_as_it_was_written(odd, ask, state):
    cut = completion(f'{{"r1": {A}, "r2": {B}, "r3": {{"te', finish="length")
    odd.reply = lambda number, _body: cut if number == 1 else f'{{"r1": {C}}}'
    assert [answer.value["text"] for answer in ask()] == ["a", "b", "c"]
    assert odd.requests == 2
    assert not any(row["repaired"] for row in state.calls_since(0))


# A model that answers with 2,048 tokens at most, in the words of those who have one.
LIMITS = {
    "openai": {
        "message": "max_tokens is too large: 6144. This model supports at most 2048 completion"
        " tokens, whereas you provided 6144.",
        "param": "max_tokens",
    },
    "without a parameter": {"message": "max_tokens is too large"},
    "deepseek": {"message": "Invalid max_tokens value, the valid range of max_tokens is [1, 2048]"},
    "mistral": {"message": "`max_tokens` must be less than or equal to `2048`"},
    "vllm": {
        "message": "'max_tokens' or 'max_completion_tokens' is too large: 6144. This model's"
        " maximum context length is 4096 tokens and your request has 9 input tokens"
    },
    "bedrock": {"message": "The maximum tokens you requested exceeds the model limit of 2048."},
}


@pytest.mark.parametrize("words", LIMITS)
def test_a_model_that_may_not_answer_so_much_is_allowed_what_one_row_is(odd, ask, words):
    def reply(_number, body):
        if body["max_tokens"] > 2048:
            return complaint(400, **LIMITS[words])
        rows = body["messages"][0]["content"].splitlines()
        return {f"r{i}": {"text": row} for i, row in enumerate(rows, 1)}

    odd.reply = lambda number, body: (
        json.dumps(said) if isinstance(said := reply(number, body), dict) else said
    )
    answers = ask(6, max_tokens=2048)
    assert [answer.value["text"] for answer in answers] == [f"Row {i}" for i in range(1, 7)]
    # Refused once; the second three rows are asked with the limit that passed.
    assert [body["max_tokens"] for body in odd.bodies] == [6144, 2048, 2048]


def test_a_budget_holds_back_what_all_rows_of_a_request_may_answer(odd, ask):
    """Three rows may take 3 x 100 tokens, so a budget of 200 has no place for them."""
    odd.reply = lambda _number, _body: f'{{"r1": {A}, "r2": {B}, "r3": {C}}}'
    with pytest.raises(BudgetError):
        ask(budget=Budget(Pot("run", tokens=250)), max_tokens=100)
    assert odd.requests == 0
