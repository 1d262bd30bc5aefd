"""The key of a call: equal for equal calls, different for anything that decides the answer."""

from __future__ import annotations

from types import SimpleNamespace

from hypothesis import given
from hypothesis import strategies as st

from lupom.engine.llm.keys import KeyMaker
from lupom.engine.llm.schemas import canonical

IDENTITY = {
    "provider": "openai",
    "base_url": "http://127.0.0.1/v1",
    "model": "m",
    "parameters": {"temperature": 0.0, "max_tokens": 9, "logprobs": True},
}
RESPONSE = SimpleNamespace(choices=None, schema_text='{"type":"object"}')
CHOICE = SimpleNamespace(choices=[], schema_text='{"type":"object"}')

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
