"""What of the prompts comes from a provider's prompt cache: estimated before, shown afterwards."""

from __future__ import annotations

import pytest

from lupom import Project
from lupom.cli import main
from tests.support.bedrock import aws
from tests.support.bedrock import server as bedrock
from tests.support.llm_server import LLMServer

__all__ = ["aws", "bedrock"]

FILES = {
    "prompts/responses.py": """
        from pydantic import BaseModel

        class Note(BaseModel):
            text: str
        """,
    "prompts/note.jinja": (
        "{% for i in range(200) %}What is the same for all.\n{% endfor %}"
        "{% for i in range(200) %}{{ person }} said this, and that.\n{% endfor %}"
        "{{ question }}?"
    ),
    "models/notes.sql": """
        {{ config(materialized='llm', prompt='note', response='Note', key=['person', 'question']) }}
        select * from {{ ref('people') }} cross join range(6) as t(question)
        """,
    "seeds/people.csv": "person\nAnn\nBob\nCid\n",
}
PRICE = "price: {input: 3, output: 15, cache_read: 0.3, cache_write: 3.75}"


@pytest.fixture
def make(make_project):
    def make(llm):
        settings = f"name: demo\nllms:\n  default:\n    {PRICE}\n"
        settings += "".join(f"    {name}: {value}\n" for name, value in llm.items())
        return make_project({"lupom_project.yml": settings, **FILES})

    return make


def planned(folder):
    with Project(folder) as project:
        return next(step.estimate for step in project.plan().steps if step.node == "notes")


def taken(folder):
    with Project(folder) as project:
        (row,) = project.query(
            "select sum(tokens_in)::int, sum(tokens_cached)::int, sum(cost) from lupom.calls"
        ).rows()
    return dict(zip(("tokens", "cached", "cost"), row, strict=True))


def test_the_cached_share_is_estimated_and_then_shown(make, bedrock, capsys):
    bedrock.cached_from = 1024
    model = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
    folder = make({"provider": "bedrock", "model": model, "concurrency": 3})
    before = planned(folder)
    assert "tokens from the prompt cache" in before.note
    with pytest.raises(SystemExit):
        main(["run", "--project-dir", str(folder)])
    err = capsys.readouterr().err
    found = taken(folder)
    assert found["cached"] > found["tokens"] / 2
    assert before.from_cache.holds(found["cached"])
    assert before.cost.holds(found["cost"])
    share = f"{found['cached'] / found['tokens']:.0%} of {found['tokens']:,} prompt tokens"
    assert f"18 calls, {share} from the prompt cache" in err
    with Project(folder) as project:
        (node,) = project.query(
            "select requests, tokens_cached from lupom.nodes where node = 'notes'"
        ).rows()
    assert node == (18, found["cached"])


def test_where_a_provider_has_not_said_it_is_unknown(make):
    with LLMServer() as server:
        llm = {"provider": "openai", "model": "m", "base_url": server.base_url}
        estimate = planned(make(llm))
    assert estimate.from_cache is None
    assert "how much comes from the prompt cache is unknown" in estimate.note


def test_what_an_openai_compatible_server_says_of_its_cache_is_counted_and_planned_with(
    make, capsys
):
    with LLMServer(cached_from=1024) as server:
        llm = {"provider": "openai", "model": "m", "base_url": server.base_url, "concurrency": 1}
        folder = make(llm)
        assert planned(folder).from_cache is None
        with pytest.raises(SystemExit):
            main(["run", "--project-dir", str(folder)])
        err = capsys.readouterr().err
        found = taken(folder)
        assert found["cached"] > found["tokens"] / 2
        share = f"{found['cached'] / found['tokens']:.0%} of {found['tokens']:,} prompt tokens"
        assert f"18 calls, {share} from the prompt cache" in err
        # What was read from the cache costs a tenth.
        full = (found["tokens"] - found["cached"]) * 3 + found["cached"] * 0.3
        assert full / 1e6 < found["cost"] < 1.2 * full / 1e6
        # Now it is known that this server caches.
        (folder / "seeds" / "people.csv").write_text("person\nAnn\nBob\nCid\nDan\nEve\n")
        more = planned(folder)
        assert more.from_cache.high > 0
        with Project(folder) as project:
            project.run()
        both = taken(folder)
        assert more.from_cache.holds(both["cached"] - found["cached"])
        assert more.cost.holds(both["cost"] - found["cost"])


def test_a_provider_that_is_told_not_to_cache_is_expected_not_to(make, bedrock):
    model = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
    llm = {"provider": "bedrock", "model": model, "prompt_cache": "false"}
    estimate = planned(make(llm))
    assert estimate.from_cache.high == 0
    assert "cache" not in estimate.note
