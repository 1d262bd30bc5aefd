"""What asking rows together saves: the shipped survey's questions at 1, 4 and 8 a request.

    python benchmarks/together.py
    python benchmarks/together.py --people 40 --sizes 1 4 8 16

The first of the shipped survey's respondents are asked some of its questions after their whole
history, in a prompt of task, history and questions. A server on loopback counts requests and prompt
tokens (four characters each) and answers at random. Prints JSON, of each size: requests, tokens of
prompts and of answers, and tokens of prompts per question; `schemas` are the characters of the
schemas sent beside. Takes half a minute.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from engine import CHECKOUT

sys.path.insert(0, str(CHECKOUT))

from lupom import Project
from lupom.engine.project.shipped import create
from tests.support.llm_server import LLMServer

MODEL = """
{{{{ config(materialized='llm', prompt='together', response='PredictedResponse',
          key=['respondent_id', 'question_id'],
          rows_per_call={size}, rows_together=['respondent_id']) }}}}
-- Another draw for each size: with the same one, all but the first would be in the ledger.
select h.survey, h.respondent_id, q.question_id, {size} as draw, h.history, q.question, q.options
from (from {{{{ ref('histories') }}}} order by respondent_id limit {people}) as h
join (
    from {{{{ ref('questions') }}}} where len(options) > 1 order by question_id limit {questions}
) as q using (survey)
"""
PROMPT = """
Predict how a person answers survey questions from the person's other answers.

Answers of the person:
{% for entry in history %}
- {{ entry.battery }} {{ entry.item }} {{ entry.answer }}
{% endfor %}

{% if rows is defined %}
Answer each of these questions as the person would, under its label:
{% for row in rows %}
{{ row.label }}: {{ row.question }}
{% for choice in row.choices %}
{{ choice.label }}. {{ choice.option }}
{% endfor %}
{% endfor %}
{% else %}
Answer this question as the person would:
{{ question }}
{% for choice in choices %}
{{ choice.label }}. {{ choice.option }}
{% endfor %}
{% endif %}
"""


def measure(
    folder: Path, server: LLMServer, size: int, people: int, questions: int
) -> dict[str, Any]:
    """Ask the questions, so many a request, and return what reached the server."""
    (folder / "models" / "asked_together.sql").write_text(
        MODEL.format(size=size, people=people, questions=questions)
    )
    server.reset()
    with Project(folder) as project:
        result = project.run(select=["asked_together"], full_refresh=True)
        if result.status != "success":
            raise SystemExit("; ".join(node.message for node in result.nodes))
        sql = "select count(*), sum(tokens_in)::int, sum(tokens_out)::int from asked_together"
        ((rows, tokens_in, tokens_out),) = project.query(
            f"{sql} join lupom.calls using (call_id)"
        ).rows()
    schemas = [body["response_format"]["json_schema"]["schema"] for body in server.bodies]
    return {
        "questions_per_request": size,
        "questions": rows,
        "requests": server.requests,
        "prompt_tokens": tokens_in,
        "answer_tokens": tokens_out,
        "prompt_tokens_per_question": round(tokens_in / rows, 1),
        "schemas": sum(len(json.dumps(schema)) for schema in schemas),
    }


def benchmark(people: int, questions: int, sizes: list[int]) -> dict[str, Any]:
    """Measure each size in one project; the tables above are built once."""
    with tempfile.TemporaryDirectory(prefix="lupom-together-") as name, LLMServer() as server:
        folder = Path(name) / "project"
        create(folder)
        settings = folder / "lupom_project.yml"
        alias = f"provider: openai\n    base_url: {server.base_url}\n    model: m"
        text = settings.read_text().replace("provider: embedded", f"{alias}\n    mode: json_schema")
        settings.write_text(text)
        (folder / "prompts" / "together.jinja").write_text(PROMPT)
        (folder / "models" / "asked_together.sql").write_text(
            MODEL.format(size=1, people=people, questions=questions)
        )
        with Project(folder) as project:
            project.run(select=["+histories", "+known_responses", "+questions"])
        found = [measure(folder, server, size, people, questions) for size in sizes]
    first = found[0]["prompt_tokens"]
    for one in found:
        one["saved"] = round(1 - one["prompt_tokens"] / first, 3)
    return {"sizes": found}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--people", type=int, default=12, help="respondents (12)")
    parser.add_argument("--questions", type=int, default=16, help="questions to each (16)")
    parser.add_argument("--sizes", type=int, nargs="+", default=[1, 4, 8], help="a request (1 4 8)")
    given = parser.parse_args()
    print(json.dumps(benchmark(given.people, given.questions, given.sizes), indent=2))


if __name__ == "__main__":
    main()
