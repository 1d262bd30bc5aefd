"""What is known of an alias before it is asked."""

from __future__ import annotations

import pytest

from lupom.engine.project.providers import llm_settings
from lupom.engine.project.traits import traits_of


def traits(provider="openai", model="m", **settings):
    return traits_of(llm_settings(provider=provider, model=model, **settings))


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, True),
        ({"base_url": "http://localhost/v1"}, True),
        ({"provider": "embedded", "model": None}, True),
        ({"provider": "bedrock"}, False),
        ({"provider": "anthropic"}, False),
        ({"logprobs": False}, False),
        ({"model": "o3-mini"}, False),
        ({"model": "openai/gpt-5.1"}, False),
        ({"model": "gpt-5-chat-latest"}, True),
        ({"model": "gpt-5.1", "extra": {"reasoning_effort": "none"}}, True),
        ({"model": "qwen3-235b-a22b-thinking"}, False),
        ({"model": "qwen3", "extra": {"chat_template_kwargs": {"enable_thinking": False}}}, True),
        ({"extra": {"reasoning_effort": "low"}}, False),
        ({"extra": {"reasoning": {"effort": "high"}}}, False),
        # Whoever knows better says so.
        ({"model": "o9", "logprobs": True}, True),
    ],
)
def test_log_probabilities_are_expected_of_what_can_give_them(settings, expected):
    assert traits(**settings).logprobs is expected


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, False),
        ({"temperature": 0.7}, True),
        ({"extra": {"temperature": 1}}, True),
        ({"temperature": 1, "extra": {"inferenceConfig": {"temperature": 0}}}, False),
        ({"model": "o4-mini"}, True),
        ({"extra": {"thinking": {"type": "enabled", "budget_tokens": 2000}}}, True),
        ({"extra": {"thinking": {"type": "disabled"}}}, False),
    ],
)
def test_draws_differ_at_a_temperature_or_after_thinking(settings, expected):
    assert traits(**settings).sampled is expected


def test_the_profile_is_that_of_the_settings():
    assert traits().profile == "capable"
    assert traits(provider="embedded", model=None).profile == "small"
