"""Odd replies: what becomes of each, and how many requests it takes.

Three rows are asked, one at a time, with two attempts and one retry. The table in docs/llms.md has
the same cases.
"""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

import pytest

from lupom.engine.errors import LLMError
from lupom.engine.llm.gateway import Call
from tests.support.gateways import make_gateway, user
from tests.support.odd_server import Odd, OddServer, complaint, completion
from tests.support.refusals import GOOD, PARTS, TEXTS, while_it_has

DOCS = Path(__file__).parents[3] / "docs" / "llms.md"


def always(reply):
    return lambda _number, _body: reply


def once(reply):
    """Answer the first request so, and all others well."""
    return lambda number, _body: reply if number == 1 else GOOD


def to_person(which, reply):
    return lambda _number, body: reply if which in str(body["messages"]) else GOOD


def streamed(*deltas):
    chunks = [{"choices": [{"delta": {"content": delta}}]} for delta in deltas]
    chunks.append({"choices": [{"delta": {}, "finish_reason": "stop"}]})
    return Odd("".join(f"data: {json.dumps(c)}\n\n" for c in chunks) + "data: [DONE]\n\n")


def in_chunks(*choices):
    """A stream with a choice in each chunk, as they are given."""
    chunks = [{"choices": [choice]} for choice in choices]
    return Odd("".join(f"data: {json.dumps(c)}\n\n" for c in chunks) + "data: [DONE]\n\n")


def misshapen(written):
    """What a model wrote, as Groq hands it back where it is not what was asked for."""
    return complaint(
        400,
        "Failed to generate JSON. See 'failed_generation' for more details.",
        code="json_validate_failed",
        failed_generation=written,
    )


def wait(value, status=429):
    return complaint(status, "slow down", headers=[("retry-after", value)])


# Three quarters of a stream: the object in it is not whole.
HALF = Odd(streamed('{"text":', ' "fi').body.split("data: [DONE]")[0].rsplit("data:", 1)[0])
WHOLE = Odd(streamed('{"text":', ' "fine"}').body.rsplit("data:", 2)[0])
SEVERAL = {
    "choices": [
        {"index": 1, "message": {"content": GOOD}, "finish_reason": "stop"},
        {"index": 0, "message": {"content": "Let me see."}, "finish_reason": "stop"},
    ]
}
STRAY = [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}]
CHOICE_ERROR = {
    "choices": [
        {
            "index": 0,
            "error": {"message": "Provider returned error", "code": 502},
            "finish_reason": "error",
            "message": {"role": "assistant", "content": ""},
        }
    ]
}
LONE = '{"text": "half \\ud83d"}'

# What is replied, what becomes of the three rows ('ok', 'invalid', 'error', or the one that is
# invalid), and requests.
CASES = {
    # Read as it is
    "a thought before the answer, with braces in it": (
        always('<think>{A} or {"text": "no"}?</think>' + GOOD),
        *("ok", 3),
    ),
    "a thought of which only the end is marked": (always('{"text": "no"}</think>' + GOOD), "ok", 3),
    "a code fence, and prose with braces after it": (
        always(f"```json\n{GOOD}\n```\nI chose {{this}}."),
        *("ok", 3),
    ),
    "two objects": (always('{"text": "no"}\n' + GOOD), "ok", 3),
    "JSON within a JSON string": (always(json.dumps(GOOD)), "ok", 3),
    "content as a list of parts": (
        always(
            completion(
                [
                    {"type": "thinking", "thinking": [{"type": "text", "text": "{hm}"}]},
                    {"type": "text", "text": GOOD},
                ]
            )
        ),
        *("ok", 3),
    ),
    "one level of wrapping": (always('{"answer": ' + GOOD + "}"), "ok", 3),
    "three levels of wrapping": (
        always('{"result": [{"data": {"answer": ' + GOOD + "}}]}"),
        *("ok", 3),
    ),
    "a tool's call that nobody asked for": (always(completion(GOOD, tool_calls=STRAY)), "ok", 3),
    "all of it in the reasoning": (always(completion(None, reasoning_content=GOOD)), "ok", 3),
    "nothing but reasoning, which ends with it": (
        always(completion(None, reasoning_content="{So}, fine.\n```json\n" + GOOD + "\n```")),
        *("ok", 3),
    ),
    "several choices, of which the first is none": (always(SEVERAL), "ok", 3),
    "an answer in place of its text": (always(completion(json.loads(GOOD))), "ok", 3),
    "comments before the body": (
        always(Odd(": WAITING\n\n: WAITING\n\n" + json.dumps(completion(GOOD)))),
        *("ok", 3),
    ),
    "a stream nobody asked for": (always(streamed('{"text":', ' "fine"}')), "ok", 3),
    "a stream that breaks off after the whole object": (always(WHOLE), "ok", 3),
    "a stream nobody asked for, without its prefix": (
        always(Odd(streamed('{"text":', ' "fine"}').body.replace("data: ", ""))),
        *("ok", 3),
    ),
    "a stream of thoughts that ends with the answer": (
        always(
            in_chunks(
                {"delta": {"reasoning_content": "{So}, fine.\n"}},
                {"delta": {"reasoning_content": GOOD}, "finish_reason": "stop"},
            )
        ),
        *("ok", 3),
    ),
    "a stream of two answers at once": (
        always(
            in_chunks(
                {"index": 0, "delta": {"content": GOOD[:5]}},
                {"index": 1, "delta": {"content": '{"te'}},
                {"index": 0, "delta": {"content": GOOD[5:]}, "finish_reason": "stop"},
                {"index": 1, "delta": {}, "finish_reason": "stop"},
            )
        ),
        *("ok", 3),
    ),
    "a body in UTF-16, or packed without a word of it": (
        lambda number, _body: Odd(
            json.dumps(completion(GOOD)).encode("utf-16")
            if number % 2
            else gzip.compress(json.dumps(completion(GOOD)).encode())
        ),
        *("ok", 3),
    ),
    "an answer as Ollama's own interface has it": (
        always({"message": {"role": "assistant", "content": GOOD}, "done_reason": "stop"}),
        *("ok", 3),
    ),
    "what was written, in a status 400 of the provider's own check": (
        always(misshapen(GOOD[:-1])),
        *("ok", 3),
    ),
    "usage that is missing, negative, a list or a word": (
        lambda number, _body: completion(
            GOOD, usage=[None, {"prompt_tokens": -1}, [1, 2], "many"][number % 4]
        ),
        *("ok", 3),
    ),
    # Repaired
    "single quotes": (always("{'text': 'fine'}"), "ok", 3),
    "a trailing comma, a comment": (always('{"text": "fine", // so\n}'), "ok", 3),
    "raw line breaks within a text": (always('{"text": "fi\nne"}'), "ok", 3),
    "half a surrogate pair": (always(LONE), "ok", 3),
    "a text longer than its limit": (always(json.dumps({"text": "fine " * 9})), "ok", 3),
    # Not an answer
    "NaN or infinity where a number is wanted": (always('{"text": NaN}'), "invalid", 6),
    "an answer cut off": (always(completion('{"text": "fi', finish="length")), "invalid", 6),
    "nothing": (always(completion(None)), "invalid", 6),
    "no choices, but usage": (always({**completion(GOOD), "choices": []}), "invalid", 6),
    "what was written, in a status 400, and is no answer": (
        always(misshapen('{"text"')),
        *("invalid", 6),
    ),
    "a refusal": (always(completion(None, refusal="I cannot.")), "invalid", 3),
    "a refusal in a stream": (
        always(
            in_chunks(
                {"delta": {"refusal": "I can"}},
                {"delta": {"refusal": "not."}, "finish_reason": "stop"},
            )
        ),
        *("invalid", 3),
    ),
    "a refusal among the parts": (
        always(completion([{"type": "refusal", "refusal": "I cannot."}])),
        *("invalid", 3),
    ),
    "a content filter": (always(completion("", finish="content_filter")), "invalid", 3),
    # Errors in other clothes
    "an error under status 200 that may pass": (
        once(Odd({"error": {"message": "overloaded", "code": 502}})),
        *("ok", 4),
    ),
    "an error within the choice, once": (once(CHOICE_ERROR), "ok", 4),
    "an error within the choice, always": (always(CHOICE_ERROR), "error", 4),
    "status 200 whose body says 401": (
        always(Odd({"error": {"message": "No auth credentials found", "code": 401}})),
        *("error", 1),
    ),
    "status 200 whose body says 404": (
        always(Odd({"object": "error", "message": "no such model", "code": 404})),
        *("error", 1),
    ),
    "a web page under status 200, once": (once(Odd("<html>Bad gateway</html>")), "ok", 4),
    "a web page under status 200, always": (always(Odd("<html>Log in</html>")), "error", 4),
    "a stream that breaks off, once": (once(HALF), "ok", 4),
    "a stream that breaks off, always": (always(HALF), "error", 4),
    "a body that breaks off behind the answer, in its usage": (
        always(Odd(json.dumps(completion(GOOD))[:-12])),
        *("ok", 3),
    ),
    "a body that breaks off, once": (once(Odd('{"id": "x", "choi')), "ok", 4),
    "status 200 whose body says that the address is none": (
        always(Odd({"error": "Unexpected endpoint or method. (POST /chat/completions)"})),
        *("error", 1),
    ),
    # One row
    "one row is refused, in whatever words": (
        to_person("Person 2", complaint(400, "Content Exists Risk")),
        *("Person 2", 3),
    ),
    "the first row is refused, in whatever words": (
        to_person("Person 1", complaint(400, "Content Exists Risk")),
        # Refused once, and once with each of two parts given up and with both.
        *("Person 1", 7),
    ),
    "one row is refused under status 403, as by moderation": (
        to_person("Person 2", complaint(403, "Your input was flagged")),
        *("Person 2", 3),
    ),
    "every row is refused under status 403": (always(complaint(403, "no")), "error", 1),
    "one row is too long, under status 500": (
        to_person("Person 2", complaint(500, "tokens exceed context window of 4096")),
        *("Person 2", 3),
    ),
    "one row fails each time, others pass": (
        to_person("Person 2", complaint(500, "oops")),
        *("Person 2", 6),
    ),
    "every row is refused": (always(complaint(400, "no")), "error", 7),
    "the account is empty, under status 400": (
        always(complaint(400, "Your credit balance is too low")),
        *("error", 1),
    ),
    # Retry-After
    "Retry-After in the year 99999": (once(wait("Wed, 21 Oct 99999 07:28:00 GMT")), "ok", 4),
    "Retry-After infinite, negative or a word": (
        lambda number, _body: wait(["inf", "-5", "soon"][number // 2]) if number % 2 else GOOD,
        *("ok", 6),
    ),
    "Retry-After of a day": (always(wait("86400")), "error", 1),
}

# One row whose answer never comes whole: the others have theirs, and this one is not at fault.
OUTAGES = {
    "one row's answer breaks off each time, others pass": (
        to_person("Person 2", HALF),
        *("error", 6),
    ),
}
# Of a choice among four, whose log-probabilities are asked for.
LOGPROBS = {
    "log-probabilities refused, under status 403": (
        while_it_has("logprobs", complaint(403, "You may not request logprobs from this model")),
        *(None, 4),
    ),
    "at most 5 log-probabilities": (
        lambda _n, body: (
            complaint(400, f"logprobs of {body['top_logprobs']}, max allowed: 5")
            if body.get("top_logprobs", 0) > 5
            else completion('{"answer": "A"}')
        ),
        *(5, 4),
    ),
}
# Of a choice among four.
CHOICES = {
    "an option in a list, in an object or under another name": (
        lambda number, _body: [
            *('{"answer": ["B"]}', '{"answer": {"label": "B", "option": "b"}}', '{"choice": "B"}')
        ][number % 3],
        *("ok", 3),
    ),
    "two options where one is wanted": (always('{"answer": ["A", "B"]}'), "invalid", 6),
}


@pytest.fixture
def odd():
    with OddServer() as running:
        yield running


def outcome(server, state, spec, values=None, system=None, **settings):
    """Ask the three rows; returns the gateway's answers, or the error."""
    gateway = make_gateway(
        server.base_url, state, **{"concurrency": 1, "attempts": 2, "max_retries": 1, **settings}
    )
    before = [] if system is None else [{"role": "system", "content": system}]
    row = spec.for_row(values or {})
    calls = [Call([*before, *user(text)], row) for text in TEXTS]
    try:
        return gateway.ask("default", calls, node="notes", run_id="r")
    except LLMError as error:
        return error
    finally:
        gateway.close()


@pytest.mark.parametrize("case", [*CASES, *PARTS])
def test_an_odd_reply_is_what_it_means(odd, state, note, case):
    odd.reply, becomes, requests = {**CASES, **PARTS}[case]
    system = "Be a person." if case in PARTS else None
    found = outcome(odd, state, note, system=system)
    assert odd.requests == requests
    if becomes == "error":
        assert isinstance(found, LLMError)
        assert "Traceback" not in str(found)
        assert not [row for row in state.calls_since(0) if row["status"] == "ok"]
        return
    wrong = TEXTS if becomes == "invalid" else [becomes]
    expected = ["invalid" if text in wrong else "ok" for text in TEXTS]
    assert [answer.status for answer in found] == expected
    # Whatever it was, nothing is asked again.
    outcome(odd, state, note, system=system)
    assert odd.requests == requests


@pytest.mark.parametrize("case", OUTAGES)
def test_an_outage_of_one_row_is_an_error_and_no_answer_of_that_row(odd, state, note, case):
    odd.reply, _, requests = OUTAGES[case]
    error = outcome(odd, state, note)
    assert odd.requests == requests
    assert "the stream breaks off before its end" in error.message
    assert "2 of 3 answers are in the ledger" in error.message
    odd.reply = always(GOOD)
    assert [answer.status for answer in outcome(odd, state, note)] == ["ok"] * 3
    assert odd.requests == requests + 1


@pytest.mark.parametrize("case", LOGPROBS)
def test_log_probabilities_are_asked_for_as_far_as_they_are_given(odd, state, choice, case):
    reply, most, requests = LOGPROBS[case]
    answer = completion('{"answer": "A"}')
    odd.reply = lambda n, body: said if (said := reply(n, body)) != GOOD else answer
    found = outcome(odd, state, choice, {"options": ["a", "b", "c", "d"]})
    assert [row.value for row in found] == [{"answer": "a"}] * 3
    assert odd.requests == requests
    assert odd.bodies[-1].get("top_logprobs") == most


@pytest.mark.parametrize("case", CHOICES)
def test_an_option_is_read_where_exactly_one_fits(odd, state, choice, case):
    odd.reply, becomes, requests = CHOICES[case]
    found = outcome(odd, state, choice, {"options": ["a", "b", "c", "d"]})
    assert [answer.status for answer in found] == [becomes] * 3
    assert odd.requests == requests
    assert all(row["repaired"] == (becomes == "ok") for row in state.calls_since(0))


@pytest.mark.parametrize(
    ("case", "repaired"),
    [
        *(("two objects", 0), ("single quotes", 1), ("half a surrogate pair", 0)),
        *(("a text longer than its limit", 1), ("raw line breaks within a text", 1)),
    ],
)
def test_the_ledger_says_what_was_repaired(odd, state, note, case, repaired):
    odd.reply = CASES[case][0]
    outcome(odd, state, note)
    assert [row["repaired"] for row in state.calls_since(0)] == [repaired] * 3


def test_the_text_of_the_system_is_put_before_the_user_s(odd, state, note):
    odd.reply = PARTS["system role not supported"][0]
    outcome(odd, state, note, system="Be a person.")
    assert odd.bodies[-1]["messages"] == user("Be a person.\n\nPerson 3")


def test_a_page_says_where_to_look(odd, state, note):
    odd.reply = CASES["a web page under status 200, always"][0]
    error = outcome(odd, state, note)
    assert "web page" in error.message
    assert "base_url" in (error.hint or "")


def test_what_is_not_said_is_unknown_and_counts_by_the_request_s_own_estimate(odd, state, note):
    odd.reply = always(completion(GOOD, usage=None))
    found = outcome(odd, state, note, price={"input": 1.0, "output": 2.0})
    assert {(a.tokens_in, a.tokens_out, a.cost) for a in found} == {(None, None, None)}
    tokens, money = state.ledger.spent()
    assert tokens > 3 * len(GOOD) / 3
    assert money > 0


def test_thoughts_that_only_the_sum_counts_are_booked(odd, state, note):
    usage = {"prompt_tokens": 10, "completion_tokens": 7, "total_tokens": 517}
    odd.reply = always(completion(GOOD, usage=usage))
    outcome(odd, state, note)
    rows = state.calls_since(0)
    assert {(row["tokens_in"], row["tokens_out"]) for row in rows} == {(10, 507)}


def test_letters_of_another_encoding_are_kept(odd, state, note):
    body = json.dumps(completion('{"text": "caf\u00e9"}'), ensure_ascii=False)
    odd.reply = always(Odd(body.encode("latin-1")))
    assert {answer.value["text"] for answer in outcome(odd, state, note)} == {"caf\u00e9"}


def test_what_was_written_and_refused_is_in_the_ledger(odd, state, note):
    odd.reply = CASES["what was written, in a status 400, and is no answer"][0]
    outcome(odd, state, note)
    rows = state.calls_since(0)
    assert {row["attempts"] for row in rows} == {2}
    assert {row["tokens_in"] for row in rows} == {None}
    assert all('{"text"' in row["history"] or '\\"text' in row["history"] for row in rows)


def test_the_documented_table_has_the_same_cases_and_counts():
    text = DOCS.read_text(encoding="utf-8").split("## Odd replies", 1)[1].split("\n## ", 1)[0]
    rows = re.findall(r"^\| ([^|]+) \| [^|]+ \| (\d+) \|$", text, re.MULTILINE)
    cases = {**CASES, **OUTAGES, **PARTS, **LOGPROBS, **CHOICES}
    assert dict(rows) == {name: str(requests) for name, (_, _, requests) in cases.items()}
