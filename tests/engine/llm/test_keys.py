"""The key of a call: equal for equal calls, different for anything that decides the answer."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lupom.engine.llm.embeddings import keys
from lupom.engine.llm.keys import KeyMaker, llm_identity
from lupom.engine.llm.schemas import canonical
from lupom.engine.project.providers import embedding_settings, llm_settings

IDENTITY = {
    "provider": "openai",
    "base_url": "http://127.0.0.1/v1",
    "model": "m",
    "parameters": {"temperature": 0.0, "max_tokens": 9, "logprobs": True},
}
RESPONSE = SimpleNamespace(choices=None, top_logprobs=0, schema_text='{"type":"object"}')
CHOICE = SimpleNamespace(choices=[], top_logprobs=6, schema_text='{"type":"object"}')

texts = st.text(max_size=30)
messages = st.lists(
    st.fixed_dictionaries({"role": st.sampled_from(["system", "user"]), "content": texts}),
    min_size=1,
    max_size=3,
)


def key(said, draw=0, response=RESPONSE, **changes):
    return KeyMaker({**IDENTITY, **changes}).key(said, response, draw)[0]


@given(messages, messages, st.integers(0, 3), st.integers(0, 3))
def test_keys_are_equal_exactly_when_calls_are(first, second, one, two):
    assert (key(first, one) == key(second, two)) == (first == second and one == two)


@given(messages)
def test_the_order_in_which_a_dict_was_made_does_not_matter(said):
    turned = [dict(reversed(list(message.items()))) for message in said]
    identity = dict(reversed(list(IDENTITY.items())))
    assert key(said) == KeyMaker(identity).key(turned, RESPONSE, 0)[0]


def test_log_probabilities_matter_to_choices_only():
    said = [{"role": "user", "content": "Why?"}]
    without = {"parameters": {**IDENTITY["parameters"], "logprobs": False}}
    assert key(said) == key(said, **without)
    assert key(said, response=CHOICE) != key(said, response=CHOICE, **without)


def test_the_spelling_of_a_schema_keeps_the_order_of_properties_alone():
    one = {"type": "object", "properties": {"x": {"type": "string", "maxLength": 3}, "y": {}}}
    two = {"properties": {"x": {"maxLength": 3, "type": "string"}, "y": {}}, "type": "object"}
    three = {"type": "object", "properties": {"y": {}, "x": {"type": "string", "maxLength": 3}}}
    assert canonical(one) == canonical(two) != canonical(three)


OPENAI = {"provider": "openai", "model": "gpt", "max_tokens": 512}
SERVED = {
    **{"provider": "openai", "base_url": "http://127.0.0.1:8000/v1/", "model": "m"},
    **{"temperature": 0.5, "max_tokens": 64, "extra": {"top_p": 0.9}},
}
EMBEDDED = {
    **{"provider": "embedded", "model": "SmolLM2", "weights": "0" * 64, "revision": 1},
    "parameters": {"temperature": 0.0, "max_tokens": 512, "logprobs": True},
}


@pytest.mark.parametrize(
    ("identity", "of_note", "of_choice"),
    [
        (
            llm_identity("a", llm_settings(**SERVED)),
            "4960402cdafeab697b8c457984ed9aa7a683fb3898176f8d3193afa7a2b112a7",
            "c912c758d5d99641e3a2a5006b1afe6853d36d77537b778ec1f0c20b80474f9a",
        ),
        (
            llm_identity("a", llm_settings(**OPENAI)),
            "2311cd6f640618f83eaceaf1583f3b4c0c3392bfaca4e5abbc217cdbc68790b8",
            "d95f0ca32c58bd9dbb63a78df944ac5a409fb796fd97195aeac534b59b4a284f",
        ),
        (
            EMBEDDED,
            "a27c4ef403037bff7d3fc936b127e7bfe56e83a1b66c5a442862010437727b60",
            "0526a9d77d31e262b0516698cd50269e2e1bbb906eaaaf29e7a9b54a958376a1",
        ),
    ],
    ids=["an address of one's own", "openai", "embedded"],
)
def test_keys_stay_what_they_were(load, identity, of_note, of_choice):
    """A key that changes throws away every answer kept under it."""
    source = """
        class Note(BaseModel):
            text: str = Field(max_length=20)

        class Prediction(BaseModel):
            answer: Annotated[str, OneOf("options")]
        """
    said = [{"role": "system", "content": "You answer."}, {"role": "user", "content": "Why?"}]
    maker = KeyMaker(identity)
    assert maker.key(said, load(source, "Note").for_row({}), 0)[0] == of_note
    options = {"options": ["Yes", "No"]}
    assert maker.key(said, load(source, "Prediction").for_row(options), 2)[0] == of_choice


@pytest.mark.parametrize(
    "changed",
    [
        {"requests_per_minute": 60, "tokens_per_minute": 9000},
        {"price": {"input": 1, "output": 2, "cache_read": 0.1}},
        {"fallback": "other"},
        {"concurrency": 3, "timeout": 5, "attempts": 9, "max_retries": 1},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_what_only_paces_or_prices_is_in_no_key(changed):
    assert llm_identity("a", llm_settings(**OPENAI, **changed)) == llm_identity(
        "b", llm_settings(**OPENAI)
    )


FULL = {"temperature": 0.0, "max_tokens": 2048, "logprobs": True}


@pytest.mark.parametrize(
    ("settings", "identity"),
    [
        (
            {"provider": "bedrock", "model": "m", "region": "eu-west-1", "prompt_cache": False},
            {"provider": "bedrock", "model": "m"},
        ),
        (
            {"provider": "anthropic", "model": "m", "mode": "tools", "headers": {"x": "y"}},
            {"provider": "anthropic", "base_url": "https://api.anthropic.com", "model": "m"},
        ),
        (
            {"provider": "instructor", "model": "google/gemini", "api_key_env": "KEY"},
            {"provider": "instructor", "model": "google/gemini"},
        ),
        (
            {"provider": "openai", "model": "m", "batch": True, "batch_minimum": 5},
            {"provider": "openai", "base_url": "https://api.openai.com/v1", "model": "m"},
        ),
    ],
    ids=lambda given: given.get("provider"),
)
def test_what_decides_an_answer_is_what_it_was_before_providers_had_their_own_settings(
    settings, identity
):
    assert llm_identity("a", llm_settings(**settings)) == {**identity, "parameters": FULL}


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        (
            {"provider": "openai", "model": "m", "base_url": "http://127.0.0.1:8000/v1/"},
            "4815ab9461180e149021b670ef3f0a5cbd55c174ccd1ba9c5e234dc49ff937d5",
        ),
        (
            {"provider": "bedrock", "region": "eu-west-1", "dimensions": 256},
            "3a80d106c976404a5571d5d80d94ef1fd06490175b5724a81fb2227e4d7f1d7e",
        ),
    ],
    ids=["openai", "bedrock"],
)
def test_keys_of_vectors_stay_what_they_were(settings, key):
    assert keys(embedding_settings(**settings), ["text"]) == [key]
