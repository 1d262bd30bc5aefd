"""The likeliest mistakes, each with the message that docs/errors.md shows for it, word for word."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import dedent

import pytest

from lupom.cli.group import main

PAGE = Path(__file__).parents[2] / "docs" / "errors.md"

PROJECT = {
    "lupom_project.yml": """
        name: demo
        vars:
          seed: 1
        models:
          +materialized: table
        llms:
          default:
            provider: openai
            base_url: http://127.0.0.1:9/v1
            model: m
            max_retries: 0
        guarded_tags: [holdout]
        """,
    "seeds/answers.csv": "respondent_id,question,answer\n1,dogs,yes\n2,dogs,no\n",
    "models/known.sql": """
        {{ config(filters_holdout=true) }}
        select respondent_id, question
        from {{ ref('held_out') }}
        """,
    "models/held_out.sql": """
        {{ config(tags=['holdout']) }}
        select * from {{ ref('answers') }}
        """,
    "models/moods.sql": """
        {{ config(materialized='llm', prompt='mood', response='Mood', key='respondent_id') }}
        select distinct respondent_id, ['good', 'bad'] as moods
        from {{ ref('known') }}
        """,
    "models/models.yml": """
        models:
          - name: moods
            description: How people feel.
        """,
    "prompts/mood.jinja": "How is person {{ respondent_id }}?\n",
    "prompts/responses.py": """
        from typing import Annotated

        from pydantic import BaseModel

        from lupom import OneOf


        class Mood(BaseModel):
            mood: Annotated[str, OneOf("moods")]
        """,
}


@dataclass
class Mistake:
    """What somebody does wrong: files they edit (text replaced, or new), and the command."""

    heading: str
    command: str
    edits: dict[str, tuple[str, str] | str] = field(default_factory=dict)
    code: int = 2


MISTAKES = [
    Mistake("A command that does not exist", "rnu"),
    Mistake("Not in a project", "run", {"lupom_project.yml": ""}),
    Mistake("A selector that matches nothing", "run --select mood+"),
    Mistake("A var on the command line that nothing reads", "run --vars 'sed: 2'"),
    Mistake(
        "A misspelt key in lupom_project.yml",
        "run",
        {"lupom_project.yml": ("+materialized", "+materialised")},
    ),
    Mistake(
        "YAML that does not parse",
        "run",
        {"lupom_project.yml": ("guarded_tags: [holdout]", "guarded_tags: [holdout")},
    ),
    Mistake(
        "A ref to a model that does not exist", "run", {"models/known.sql": ("held_out", "heldout")}
    ),
    Mistake(
        "Models that read each other",
        "run",
        {"models/held_out.sql": ("ref('answers')", "ref('known')")},
    ),
    Mistake(
        "A brace left open in a model",
        "run",
        {"models/known.sql": ("ref('held_out') }}", "ref('held_out') }")},
    ),
    Mistake(
        "A model that reads held-out answers",
        "run",
        {"models/known.sql": ("{{ config(filters_holdout=true) }}\n", "")},
    ),
    Mistake(
        "A description of a model that does not exist",
        "run",
        {"models/models.yml": ("name: moods", "name: mood")},
    ),
    Mistake(
        "An LLM alias that is not declared",
        "run",
        {"models/moods.sql": ("key=", "llm='defualt', key=")},
    ),
    Mistake("A prompt that is not there", "run", {"models/moods.sql": ("'mood'", "'moood'")}),
    Mistake(
        "A response class that is not there", "run", {"models/moods.sql": ("'Mood'", "'Moods'")}
    ),
    Mistake(
        "A variable in a prompt that the select does not give",
        "run",
        {"prompts/mood.jinja": ("respondent_id", "respondent")},
        1,
    ),
    Mistake(
        "A column that does not exist", "run", {"models/known.sql": ("question\n", "questoin\n")}, 1
    ),
    Mistake(
        "A seed with a row too long",
        "run",
        {"seeds/answers.csv": ("1,dogs,yes", "1,dogs,yes,no")},
        1,
    ),
    Mistake(
        "A seed with two columns of one name",
        "run",
        {"seeds/answers.csv": ("question,answer", "answer,Answer")},
        1,
    ),
    Mistake(
        "A seed with a column without a name",
        "run",
        {"seeds/answers.csv": ("respondent_id,question", "respondent_id,")},
        1,
    ),
    Mistake(
        "A value that is not of the type you declare",
        "run",
        {"lupom_project.yml": ("models:", "seeds: {+column_types: {answer: DATE}}\nmodels:")},
        1,
    ),
    Mistake(
        "A model of two statements",
        "run",
        {"models/known.sql": ("ref('held_out') }}", "ref('held_out') }}; drop table answers")},
        1,
    ),
    Mistake(
        "An incremental model whose key is not unique",
        "run",
        {
            "models/known.sql": (
                "filters_holdout=true",
                "filters_holdout=true, materialized='incremental', unique_key='question'",
            )
        },
        1,
    ),
    Mistake("A table that is not built yet", "show moods", code=1),
    Mistake("An LLM that cannot be reached", "run", code=1),
    Mistake(
        "A data test of a misspelt kind",
        "test",
        {"models/models.yml": ("description: How people feel.", "data_tests: [uniqe]")},
    ),
    Mistake(
        "A survey's file in which an id appears twice",
        "import panel.csv",
        {"panel.csv": "id,trust\n1,Agree\n1,Disagree\n2,Agree\n"},
        1,
    ),
    Mistake(
        "A survey's answer that is not an option",
        "import panel.csv",
        {
            "panel.csv": "id,trust\n1,Agree\n2,Disagre\n",
            "codebooks/panel.codebook.yml": (
                "id: id\nquestions: [{column: trust, options: [Agree, Disagree]}]\n"
            ),
        },
        1,
    ),
]


def documented() -> dict[str, tuple[str, str]]:
    """Return command and message by heading, as the page has them."""
    text = PAGE.read_text(encoding="utf-8")
    found = re.findall(
        r"^## (.+?)\n.*?```sh\n\$ lupom (.*?)\n```\n\n```text\n(.*?)\n```", text, re.S | re.M
    )
    return {heading: (command, message) for heading, command, message in found}


def test_the_page_has_all_of_them_and_no_other():
    assert list(documented()) == [mistake.heading for mistake in MISTAKES]


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.heading)
def test_the_message_is_the_documented_one(mistake, tmp_path, monkeypatch, capsys):
    code, said = make(mistake, tmp_path, monkeypatch, capsys)
    command, message = documented()[mistake.heading]
    assert (command, code) == (mistake.command, mistake.code)
    assert said == message


def make(mistake, folder, monkeypatch, capsys):
    """Make a mistake; returns the exit code and what was said, times and folders left out."""
    import shlex

    for name, text in PROJECT.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text).lstrip("\n"), encoding="utf-8")
    for name, edit in mistake.edits.items():
        path = folder / name
        if edit == "":
            path.unlink()
        elif isinstance(edit, str):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(edit, encoding="utf-8")
        else:
            before = path.read_text(encoding="utf-8")
            assert edit[0] in before
            path.write_text(before.replace(*edit), encoding="utf-8")
    monkeypatch.chdir(folder)
    with pytest.raises(SystemExit) as caught:
        main(shlex.split(mistake.command))
    err = capsys.readouterr().err
    lines = [re.sub(r"^\d\d:\d\d:\d\d  ", "", line) for line in err.splitlines()]
    if mistake.command == "run" and mistake.code == 1:
        # Of a run that began only what went wrong: the lines of the node that failed.
        start = next(i for i, line in enumerate(lines) if "ERROR in" in line)
        end = next(
            i for i, line in enumerate(lines) if line.startswith("Failed in") or " SKIP " in line
        )
        lines = [re.sub(r"^\d+ of \d+ ", "", lines[start]), *lines[start + 1 : end]]
    text = "\n".join(lines).replace(str(folder), "/home/you/demo")
    # DuckDB 1 points at the first letter of what DuckDB 2 underlines.
    text = re.sub(r"(?m)^( +\^)$", r"\1^^^^^^^", text)
    return caught.value.code, re.sub(r"\d+\.\d+s", "0.02s", text)
