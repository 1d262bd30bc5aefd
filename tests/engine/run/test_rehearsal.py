"""A plan that makes answers up: what is below has numbers before anything was asked."""

from __future__ import annotations

import json

import pytest

from lupom import Project
from tests.support.commands import lupom
from tests.support.notes_project import make, rows, run

__all__ = ["make"]

SECOND = """
{{ config(materialized='llm', prompt='traits', response='Traits', key='id') }}
select id, upper(text) as name from {{ ref('notes') }}
"""
THIRD = """
{{ config(materialized='llm', prompt='note', response='Note', key=['name', 'town']) }}
select distinct id::varchar as name, town from {{ ref('traits_of') }}
"""
# A Python model between, which asks for embeddings.
TRAITS_OF = """
def model(lupom):
    texts = [name for (name,) in lupom.ref("second").project("name").fetchall()]
    vectors = lupom.embed(texts)
    assert vectors.shape[0] == len(texts)
    return lupom.ref("second").project("id, 'T' || (id % 2) as town")
"""
CHAIN = {
    "models/second.sql": SECOND,
    "models/traits_of.py": TRAITS_OF,
    "models/third.sql": THIRD,
}


@pytest.fixture
def folder(make, server):
    settings = f"""price: {{input: 10, output: 20}}
                    embeddings:
                      default:
                        provider: openai
                        base_url: {server.base_url}
                        model: vectors
                        price: {{input: 5, output: 0}}
    """
    return make(6, extra=CHAIN, settings=settings)


def spent(folder):
    with Project(folder) as project:
        return project.context.state.ledger.spent()[1]


def estimates(folder, **options):
    with Project(folder) as project:
        return {s.node: s.estimate for s in project.plan(**options).steps if s.estimate}


def test_what_waits_for_answers_is_counted_by_answers_that_are_made_up(folder, server):
    assert estimates(folder)["third"].low is None
    found = estimates(folder, rehearse=True)
    assert {name: (one.guessed, one.embeds) for name, one in found.items()} == {
        "notes": (False, False),
        "second": (True, False),
        "traits_of": (True, True),
        "third": (True, False),
    }
    assert {one.high for one in found.values() if not one.embeds} == {6}
    assert all(one.cost.high > one.cost.low > 0 for one in found.values())
    # Nothing was asked, embeddings neither, and nothing stands.
    assert (server.requests, server.embedded) == (0, 0)
    assert not (folder / "lupom.duckdb").exists()
    result = run(folder)
    assert {n.node: n.calls.asked for n in result.nodes if n.calls and n.calls.asked} == {
        name: one.high for name, one in found.items() if not one.embeds
    }


def test_what_stands_is_read_and_its_texts_are_not_embedded(folder, server):
    run(folder, select="+second")
    requests = server.requests
    # Of the texts all is known, of what is below nothing: a plan has none of them embedded.
    found = estimates(folder)
    texts = found["traits_of"]
    assert (texts.cached, texts.guessed, texts.embeds) == (0, False, True)
    assert (found["third"].low, found["third"].note) == (
        None,
        "rows are known once traits_of is built",
    )
    found = estimates(folder, rehearse=True)
    assert (found["third"].high, found["third"].guessed) == (6, True)
    assert (server.requests, server.embedded) == (requests, 0)
    before = spent(folder)
    (node,) = run(folder, select="traits_of").nodes
    assert server.embedded == texts.high == texts.rows == node.embedded.texts
    assert texts.cost.holds(spent(folder) - before)
    assert node.embedded.usage.cost == pytest.approx(spent(folder) - before)
    assert f"{texts.high} texts embedded, " in node.message


def test_vectors_that_are_kept_are_taken(folder, server):
    run(folder)
    (folder / "lupom.duckdb").unlink()
    # Every answer is in the ledger, and every vector.
    found = estimates(folder, rehearse=True)
    assert {name: one.high for name, one in found.items()} == dict.fromkeys(
        ("notes", "second", "traits_of", "third"), 0
    )
    with Project(folder) as project:
        assert project.plan(select="traits_of").steps


def test_texts_of_today_may_change_with_the_answers_above(folder, server):
    run(folder)
    prompt = next((folder / "prompts").glob("traits*.jinja"))
    prompt.write_text("Anew. " + prompt.read_text(encoding="utf-8"), encoding="utf-8")
    texts = estimates(folder)["traits_of"]
    assert (texts.low, texts.high, texts.cached) == (0, 0, texts.rows)
    assert texts.note == "texts to embed, by those of today; second may change them"


def test_a_comparison_has_no_texts_embedded(folder, server, capsys):
    run(folder)
    words = "texts = ['not ' + name for (name,)"
    (folder / "models/traits_of.py").write_text(
        TRAITS_OF.replace("texts = [name for (name,)", words)
    )
    embedded = server.embedded
    assert lupom("diff", "third", "--project-dir", str(folder)) == 1
    assert "'traits_of' has texts to be embedded first" in capsys.readouterr().err
    assert server.embedded == embedded


def test_answers_of_the_ledger_are_taken(folder, server):
    run(folder, select="+second")
    traits = "select count(*) from second"
    ((real,),) = rows(folder, traits)
    (folder / "lupom.duckdb").unlink()
    found = estimates(folder, rehearse=True)
    assert (found["notes"].high, found["second"].high) == (0, 0)
    assert found["third"].high > 0
    run(folder, select="+second")
    assert rows(folder, traits) == [(real,)]


def test_a_class_that_no_made_up_answer_fits_is_told(make, server):
    strict = """
from pydantic import BaseModel, field_validator

class Note(BaseModel):
    text: str

    @field_validator("text")
    @classmethod
    def in_german(cls, text):
        assert text.startswith("Ich ")
        return text

class Traits(Note):
    pass
"""
    second = CHAIN["models/second.sql"]
    folder = make(3, extra={"models/second.sql": second, "prompts/responses.py": strict})
    found = estimates(folder, rehearse=True)
    assert found["notes"].note == "no answer can be made up for 3 rows"
    assert found["second"].rows == 0


def test_the_command_names_the_option_and_marks_what_is_guessed(folder, server, capsys):
    words = ["plan", "--project-dir", str(folder)]
    assert lupom(*words) == 0
    said = capsys.readouterr()
    assert "3 wait for answers above them; about what they take says lupom plan --rehearse" in (
        said.err
    )
    # The LLM has a price; it is the rows that nobody knows.
    assert "price unknown" not in said.out
    assert lupom(*words, "--rehearse") == 0
    said = capsys.readouterr()
    assert "~6" in said.out
    assert "In all about 18 calls and " in said.err
    assert lupom(*words, "--rehearse", "--format", "json") == 0
    found = {row["node"]: row["to call"] for row in json.loads(capsys.readouterr().out)}
    assert (found["notes"], found["third"]) == ("6", "~6")
