"""Bedrock: an unmodified boto3 client against a Converse endpoint on loopback."""

from __future__ import annotations

import json

import numpy as np
import pytest

from lupom.engine.errors import LLMError
from lupom.engine.llm.gateway import Call, Gateway
from lupom.engine.llm.providers.bedrock import start_of
from lupom.engine.project.aliases import READY, with_ready
from lupom.engine.project.providers import embedding_settings, llm_settings
from lupom.engine.project.settings import ProjectSettings
from tests.support.answers import embedding
from tests.support.bedrock import KEY_ID, SECRET, aws, points, server
from tests.support.bedrock_server import Fault, Model
from tests.support.gateways import user

__all__ = ["aws", "server"]

pytest.importorskip("boto3")

TEXTS = [f"Question {i:02d}" for i in range(8)]
NEWEST = "global.anthropic.claude-sonnet-4-6"
OLD_CLAUDE = "anthropic.claude-3-haiku-20240307-v1:0"
MISTRAL = "mistral.mistral-large-2402-v1:0"
LLAMA = "meta.llama3-70b-instruct-v1:0"


@pytest.fixture
def ask(state):
    """Return a function that asks texts of a model, in a gateway of its own."""
    gateways = []

    def ask(spec, texts, *, values=None, system=None, **settings):
        given = {"provider": "bedrock", "model": NEWEST, "timeout": 5, **settings}
        gateway = Gateway(state, {"default": llm_settings(**given)}, backoff=0.001)
        gateways.append(gateway)
        before = [{"role": "system", "content": system}] if system else []
        calls = [Call([*before, *user(text)], spec.for_row(values or {})) for text in texts]
        return gateway.ask("default", calls, node="notes", run_id="r")

    yield ask
    for gateway in gateways:
        gateway.close()


def way(body):
    """How a request asked for its answer."""
    if "outputConfig" in body:
        return "json_schema"
    if "toolConfig" in body:
        return next(iter(body["toolConfig"].get("toolChoice", {"auto": {}})))
    return "json" if "JSON schema" in body["messages"][-1]["content"][-1]["text"] else "plain"


# Structured answers


def test_a_request_says_what_is_wanted_and_is_signed(ask, note, server):
    (answer,) = ask(
        note,
        ["Question"],
        system="You answer.",
        region="eu-west-1",
        extra={"inferenceConfig": {"topP": 0.9}, "outputConfig": {"effort": "low"}},
    )
    assert answer.status == "ok"
    (body,) = server.bodies
    assert server.models == [NEWEST]
    assert body["system"] == [{"text": "You answer."}]
    assert body["messages"] == [{"role": "user", "content": [{"text": "Question"}]}]
    assert body["inferenceConfig"] == {"maxTokens": 2048, "temperature": 0.0, "topP": 0.9}
    wanted = body["outputConfig"]["textFormat"]["structure"]["jsonSchema"]
    assert body["outputConfig"]["effort"] == "low"
    assert wanted["name"] == "Note"
    # Native schemas take no limits; they are said in words.
    text = {"type": "string", "description": "At most 20 characters."}
    assert json.loads(wanted["schema"])["properties"] == {"text": text}
    assert f"Credential={KEY_ID}/" in server.headers[0]["authorization"]
    assert "/eu-west-1/bedrock/" in server.headers[0]["authorization"]


@pytest.mark.parametrize(
    ("model", "expected"),
    [(NEWEST, "json_schema"), (OLD_CLAUDE, "tool"), (MISTRAL, "any"), (LLAMA, "json")],
)
def test_each_model_is_asked_in_its_own_way_from_the_start(ask, note, server, model, expected):
    answers = ask(note, TEXTS, model=model)
    assert {a.status for a in answers} == {"ok"}
    assert {way(body) for body in server.bodies} == {expected}
    assert server.requests == len(TEXTS)


@pytest.mark.parametrize(
    ("able", "expected"),
    [
        (Model(json_schema=False), ["json_schema", "tool"]),
        (Model(json_schema=False, choices=("any",)), ["json_schema", "tool", "any"]),
        (Model(json_schema=False, choices=("auto",)), ["json_schema", "tool", "any", "auto"]),
        (Model(json_schema=False, choices=()), ["json_schema", "tool", "json"]),
    ],
    ids=["a forced tool", "any tool", "an offered tool", "words"],
)
def test_what_a_model_cannot_do_is_found_out_once(ask, note, server, able, expected):
    server.model = able
    answers = ask(note, TEXTS)
    assert {a.status for a in answers} == {"ok"}
    assert [way(body) for body in server.bodies][: len(expected)] == expected
    assert server.requests == len(TEXTS) + len(expected) - 1
    server.reset()
    ask(note, ["another process"])
    assert [way(body) for body in server.bodies] == expected[-1:]


@pytest.mark.parametrize(
    "able", [Model(system=False), Model(temperature=False)], ids=["system", "temperature"]
)
def test_what_can_be_done_without_is_done_without(ask, note, server, able):
    server.model = able
    answers = ask(note, TEXTS, system="You are terse.")
    assert {a.status for a in answers} == {"ok"}
    assert server.requests == len(TEXTS) + 1
    last = server.bodies[-1]
    assert "You are terse." in json.dumps(last)
    assert ("system" in last, "temperature" in last["inferenceConfig"]) == (
        able.system,
        able.temperature,
    )


def test_a_mode_may_be_set(ask, note, server):
    ask(note, ["Question"], mode="tools")
    assert [way(body) for body in server.bodies] == ["tool"]
    server.model = Model(choices=())
    with pytest.raises(LLMError, match="doesn't support tool use"):
        ask(note, ["Another"], mode="tools")


def test_invalid_answers_are_corrected_in_the_conversation(ask, note, server):
    server.answers = lambda body: {"text": ["no", "text"]} if len(body["messages"]) == 1 else None
    (answer,) = ask(note, ["Question"], model=OLD_CLAUDE)
    assert answer.status == "ok"
    assert [m["role"] for m in server.bodies[1]["messages"]] == ["user", "assistant", "user"]


def test_a_choice_is_its_label_without_a_distribution(ask, choice, server):
    server.answers = lambda _body: {"answer": "B"}
    (answer,) = ask(choice, ["Question"], values={"options": ["Yes", "No"]})
    assert answer.value == {"answer": "No"}
    assert answer.probabilities is None
    assert server.requests == 1


def test_an_answer_cut_off_says_so(ask, note, server):
    message = server._message

    def cut(body):
        return {**message(body), "stopReason": "max_tokens"}

    server._message = cut
    server.answers = lambda _body: '{"text": "half'
    (answer,) = ask(note, ["Question"], attempts=1)
    assert "cut off at max_tokens=2048" in answer.error


def test_thoughts_before_an_answer_are_no_part_of_it(ask, note, server):
    message = server._message

    def thinking(body):
        made = message(body)
        thought = {"reasoningContent": {"reasoningText": {"text": "Hm. {"}}}
        made["output"]["message"]["content"].insert(0, thought)
        return made

    server._message = thinking
    assert ask(note, ["Question"])[0].status == "ok"


# Prompt caches and usage

# Models cache from 1,024, 2,048 or 4,096 tokens on.
LONG = "What is the same for all.\n" * 800


def test_what_all_prompts_begin_with_is_cached_and_paid_at_its_price(ask, note, server, state):
    price = {"input": 100, "output": 0, "cache_read": 10, "cache_write": 125}
    answers = ask(note, [LONG + text for text in TEXTS], price=price, concurrency=1)
    assert {tuple(text for text, _ in points(body)) for body in server.bodies} == {(LONG,)}
    shared = len(LONG) // 4
    rows = state.calls_since(0)
    assert [row["tokens_written"] for row in rows] == [shared] + [0] * 7
    assert [row["tokens_cached"] for row in rows] == [0] + [shared] * 7
    (whole,) = {row["tokens_in"] for row in rows}
    assert whole >= len(LONG + TEXTS[0]) // 4
    expected = (shared * 125 + (whole - shared) * 100) / 1e6
    assert answers[0].cost == pytest.approx(expected)
    assert answers[1].cost == pytest.approx((shared * 10 + (whole - shared) * 100) / 1e6)


def test_a_point_stands_after_the_system_s_text_where_only_that_is_shared(ask, note, server):
    ask(note, TEXTS, system=LONG, prompt_cache="1h")
    ((text, point),) = points(server.bodies[-1])
    assert text == LONG
    assert point == {"type": "default", "ttl": "1h"}
    assert server.bodies[-1]["system"][-1] == {"cachePoint": point}


@pytest.mark.parametrize(
    ("prompts", "settings"),
    [
        ([f"Short {i}" for i in range(5)], {}),
        ([LONG + "alone"], {}),
        ([f"{i} " + LONG for i in range(5)], {}),
        ([LONG + text for text in TEXTS], {"prompt_cache": False}),
        ([LONG + text for text in TEXTS], {"model": LLAMA}),
    ],
    ids=["short", "single", "different at once", "switched off", "not to be had"],
)
def test_there_is_no_point_where_it_would_gain_nothing(ask, note, server, prompts, settings):
    ask(note, prompts, **settings)
    assert [points(body) for body in server.bodies] == [[]] * len(prompts)


def test_a_model_that_takes_no_points_is_asked_without(ask, note, server):
    server.model = Model(cache=False)
    answers = ask(note, [LONG + text for text in TEXTS])
    assert {a.status for a in answers} == {"ok"}
    assert server.requests == len(TEXTS) + 1


# Failures


@pytest.mark.parametrize(
    "fault",
    [
        Fault(),
        Fault(code="ServiceUnavailableException"),
        Fault(code="ModelTimeoutException"),
        Fault(code="ModelErrorException"),
        Fault(code="ModelNotReadyException"),
        Fault(code="ThrottlingException", message="Too many requests, please wait"),
        Fault("bad_json"),
        Fault("wrong_shape"),
        Fault("reset"),
    ],
    ids=lambda fault: fault.code if fault.kind == "error" else fault.kind,
)
def test_a_passing_failure_is_asked_again(ask, note, server, fault):
    server.faults = lambda number, _body: fault if number % 3 == 0 else None
    answers = ask(note, TEXTS, concurrency=4)
    assert {a.status for a in answers} == {"ok"}
    assert server.answered == len(TEXTS)
    assert server.requests > server.answered


def test_a_request_that_is_never_answered_is_given_up_and_sent_again(ask, note, server):
    server.faults = lambda number, _body: Fault("hang") if number == 1 else None
    (answer,) = ask(note, ["Question"], timeout=0.3)
    assert answer.status == "ok"
    assert server.requests == 2


def test_a_dead_endpoint_is_one_error(ask, note, aws):
    aws.setenv("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", "http://127.0.0.1:9")
    aws.setenv("AWS_ACCESS_KEY_ID", KEY_ID)
    aws.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    with pytest.raises(LLMError, match=r"llm 'default' at global\.anthropic.*Could not connect"):
        ask(note, TEXTS, max_retries=1)


def test_without_credentials_it_is_said_what_boto3_looks_for(ask, note, server, aws):
    aws.delenv("AWS_ACCESS_KEY_ID")
    aws.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(LLMError, match="there are no AWS credentials") as caught:
        ask(note, TEXTS)
    assert "AWS_PROFILE" in str(caught.value)
    assert server.requests == 0


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (
            Fault(
                code="AccessDeniedException",
                message="You don't have access to the model with the specified model ID.",
            ),
            ["no access to the model 'global.anthropic", "in us-east-1", "Bedrock console"],
        ),
        (
            Fault(
                code="AccessDeniedException",
                message="User is not authorized to perform: bedrock:InvokeModel",
            ),
            ["no access to the model", "needs bedrock:InvokeModel"],
        ),
        (
            Fault(code="UnrecognizedClientException", message="The security token is invalid."),
            ["AWS does not take the credentials", "aws sts get-caller-identity"],
        ),
        (
            Fault(code="ExpiredTokenException", message="The token has expired"),
            ["AWS does not take the credentials", "aws sso login"],
        ),
        (
            Fault(
                code="ResourceNotFoundException",
                message="This model version has reached the end of its life.",
            ),
            ["end of its life", "name another `model` under llms.default"],
        ),
        (
            Fault(
                code="ValidationException",
                message="Invocation of model ID x with on-demand throughput isn't supported.",
            ),
            ["on-demand throughput", "us., eu., apac. or global."],
        ),
        (
            Fault(code="ValidationException", message="The provided model identifier is invalid."),
            ["there is no model 'global.anthropic", "`model` and `region`"],
        ),
        (
            Fault(code="ThrottlingException", message="Too many tokens per day"),
            ["Too many tokens per day", "run again tomorrow"],
        ),
        (Fault(code="ValidationException", message="something else"), ["something else"]),
    ],
    ids=lambda value: value.message[:30] if isinstance(value, Fault) else "",
)
def test_what_cannot_get_better_fails_at_once_and_says_what_to_do(ask, note, server, fault, says):
    server.faults = lambda _number, _body: fault
    with pytest.raises(LLMError) as caught:
        ask(note, TEXTS, concurrency=1)
    for words in says:
        assert words in str(caught.value)
    # What might be about one row's text is asked of two others first.
    assert server.requests == (3 if fault.message == "something else" else 1)


def test_throttling_for_ever_ends_and_names_the_settings(ask, note, server):
    server.faults = lambda _number, _body: Fault(code="ThrottlingException", message="slow down")
    with pytest.raises(LLMError, match="slow down") as caught:
        ask(note, TEXTS, concurrency=2, max_retries=1)
    assert "`requests_per_minute` under llms.default" in str(caught.value)
    assert server.requests <= 4


def test_a_row_that_is_too_long_is_quarantined_and_the_rest_goes_on(ask, note, server):
    def faults(_number, body):
        if len(str(body["messages"])) > 1000:
            message = "Input is too long for requested model."
            return Fault(code="ValidationException", message=message)
        return None

    server.faults = faults
    answers = ask(note, ["short", "long " * 1000])
    assert [a.status for a in answers] == ["ok", "invalid"]
    assert "too long" in answers[1].error


def test_no_secret_is_in_an_error_or_in_the_database(ask, note, server, state, aws):
    aws.setenv("AWS_SESSION_TOKEN", "token-of-the-session")
    ask(note, ["Question"])
    said = f"signature of {SECRET} by {KEY_ID} with token-of-the-session does not match"
    server.faults = lambda _n, _b: Fault(code="UnrecognizedClientException", message=said)
    with pytest.raises(LLMError) as caught:
        ask(note, ["Another"])
    state.close()
    kept = b"".join(path.read_bytes() for path in state.path.parent.glob("state.db*"))
    for secret in (SECRET, KEY_ID, "token-of-the-session"):
        assert secret not in str(caught.value)
        assert secret.encode() not in kept


# Places, keys, checks


def test_as_many_requests_are_in_flight_as_the_alias_has_places(ask, note, server):
    server.latency = 0.1
    ask(note, [f"Question {i}" for i in range(40)], concurrency=10)
    assert server.max_in_flight == 10


def test_the_region_is_in_no_key(ask, note, server):
    ask(note, ["Question"], region="us-west-2")
    ask(note, ["Question"], region="eu-west-1")
    ask(note, ["Question"], model=OLD_CLAUDE)
    assert server.models == [NEWEST, OLD_CLAUDE]


def test_check_counts_tokens_and_asks_nothing(state, server, aws):
    settings = llm_settings(provider="bedrock", model=NEWEST, region="eu-west-1")
    gateway = Gateway(state, {"default": settings})
    assert gateway.check("default") == f"Bedrock in eu-west-1, '{NEWEST}': reachable"
    invalid = Fault(code="ValidationException", message="This model doesn't count tokens")
    server.faults = lambda _n, _b: invalid
    assert "reachable (it counts no tokens" in gateway.check("default")
    server.faults = lambda _n, _b: Fault(code="AccessDeniedException", message="no")
    with pytest.raises(LLMError, match="no access to the model"):
        gateway.check("default")
    gateway.close()


# Embeddings


def test_titan_s_vectors_are_paid_for_once(state, server):
    settings = embedding_settings(provider="bedrock", dimensions=256, region="eu-west-1")
    gateway = Gateway(state, {}, backoff=0.001)
    texts = [f"text {i}" for i in range(20)]
    vectors = gateway.embed(settings, texts)
    assert vectors.shape == (20, 256)
    np.testing.assert_allclose(vectors[7], embedding("text 7", 256), rtol=1e-6)
    assert set(server.models) == {"amazon.titan-embed-text-v2:0"}
    again = gateway.embed(settings, [*texts, "text 3", "a new one"])
    assert server.requests == 21
    np.testing.assert_array_equal(again[20], vectors[3])
    assert state.ledger.spent()[1] > 0
    server.faults = lambda _n, _b: Fault(code="AccessDeniedException", message="no")
    with pytest.raises(LLMError, match=r"embeddings at Bedrock's amazon\.titan.*no access"):
        gateway.embed(settings, ["another"])
    gateway.close()


# Ready aliases


def settings_of(llms):
    return ProjectSettings(name="demo", llms=llms).llms


def test_ready_aliases_are_there_with_model_and_price():
    llms = settings_of({"default": {"provider": "embedded"}})
    assert set(llms) == {"default", "haiku", "sonnet", "mistrallarge", "llama70b3"}
    for name in READY:
        assert llms[name].provider == "bedrock"
        assert llms[name].price.output > llms[name].price.input > 0
    assert start_of(llms["llama70b3"].model).mode == "json"
    assert start_of(llms["mistrallarge"].model).choice == "any"


def test_each_key_of_a_ready_alias_may_be_overridden():
    llms = settings_of({"sonnet": {"region": "eu-central-1", "concurrency": 3}})
    assert llms["sonnet"].model == NEWEST
    assert (llms["sonnet"].region, llms["sonnet"].concurrency) == ("eu-central-1", 3)
    assert llms["sonnet"].price.input == 3.0


def test_another_model_does_not_keep_the_price_of_the_ready_one():
    llms = settings_of({"sonnet": {"model": "global.anthropic.claude-sonnet-5-5"}})
    assert llms["sonnet"].price is None
    priced = {"model": "global.anthropic.claude-sonnet-5-5", "price": {"input": 2, "output": 10}}
    assert settings_of({"sonnet": priced})["sonnet"].price.input == 2


def test_a_ready_alias_may_be_had_elsewhere():
    llms = settings_of({"sonnet": {"provider": "anthropic"}})
    assert llms["sonnet"].model == "claude-sonnet-4-6"
    own = {"haiku": {"provider": "openai", "model": "m", "base_url": "http://127.0.0.1/v1"}}
    assert settings_of(own)["haiku"].price is None


def test_what_is_malformed_is_left_to_validation():
    assert with_ready({"sonnet": 3})["sonnet"] == 3
