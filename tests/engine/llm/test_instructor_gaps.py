"""Why Bedrock and Anthropic have a way of their own beside instructor's.

Where one of these fails after an update of instructor, its reason is gone: see `docs/llms.md`.
"""

from __future__ import annotations

import pytest


def handlers(provider, mode):
    from instructor.v2.core.registry import mode_registry

    return mode_registry.get_handlers(provider, mode)


def wanted():
    from pydantic import BaseModel

    class Answer(BaseModel):
        """Gives the answer."""

        text: str

    return Answer


@pytest.fixture
def of_bedrock():
    from instructor import Mode, Provider

    return lambda mode, **body: handlers(Provider.BEDROCK, Mode[mode]).request_handler(
        response_model=wanted(), kwargs={"model": "m", **body}
    )[1]


def test_instructor_drops_cache_points_of_system_messages_on_bedrock(of_bedrock):
    system = [{"text": "The same for all."}, {"cachePoint": {"type": "default"}}, {"text": "More."}]
    sent = of_bedrock("TOOLS", system=system, messages=[{"role": "user", "content": "?"}])
    assert sent["system"] == [{"text": "The same for all."}]


def test_instructor_demands_its_tool_by_name_on_bedrock(of_bedrock):
    sent = of_bedrock("TOOLS", messages=[{"role": "user", "content": "?"}])
    assert sent["toolConfig"]["toolChoice"] == {"tool": {"name": "Answer"}}


def test_instructor_has_no_native_schemas_at_anthropic():
    from instructor import Mode, Provider

    handler = handlers(Provider.ANTHROPIC, Mode.JSON_SCHEMA).request_handler
    with pytest.warns(UserWarning, match="does not support `output_format`"):
        _, sent = handler(
            response_model=wanted(),
            kwargs={"model": "m", "messages": [{"role": "user", "content": "?"}]},
        )
    assert not {"output_format", "output_config"} & sent.keys()
