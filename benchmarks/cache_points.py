"""How much of the shipped prompts for capable LLMs lies before a cache point.

    python benchmarks/cache_points.py
    python benchmarks/cache_points.py --questions 104 --persona-calls dimension

A survey of the published shape (answers made up, as many questions as told) is run up to its
predictions on a server that speaks as Bedrock's Converse does. Prints JSON, of each task (the first
words of its system message): calls, those with a cache point, mean characters, and the share of all
characters that stands before the last point. Takes half a minute.
"""

from __future__ import annotations

import argparse
import collections
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from engine import CHECKOUT

sys.path.insert(0, str(CHECKOUT))

from lupom import Project
from lupom.engine.project.shipped import create
from tests.support import opinionqa
from tests.support.bedrock_server import BedrockServer
from tests.support.capable import Capable

MODEL = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
SELECTED = ["+prediction_distributions", "+prediction_answers"]


def place_of(body: dict[str, Any]) -> tuple[str, int, int]:
    """Return a request's task, its characters, and those before its last cache point."""
    size = before = 0
    blocks = [*body.get("system", []), *(b for m in body["messages"] for b in m["content"])]
    for block in blocks:
        size += len(block.get("text", ""))
        before = size if "cachePoint" in block else before
    task = body["system"][0]["text"].partition(". ")[2][:30] if body.get("system") else ""
    return task, size, before


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--questions", type=int, default=60)
    parser.add_argument("--persona-calls", default="all", choices=("all", "level", "dimension"))
    parser.add_argument("--pairs", type=int, default=130)
    given = parser.parse_args()
    os.environ.setdefault("AWS_ACCESS_KEY_ID", "none")
    os.environ.setdefault("AWS_SECRET_ACCESS_KEY", "none")
    with tempfile.TemporaryDirectory() as name, BedrockServer(answers=Capable(chatty=False)) as it:
        folder = Path(name) / "project"
        create(folder)
        path = folder / "lupom_project.yml"
        text = path.read_text(encoding="utf-8")
        alias = f"provider: bedrock\n    model: {MODEL}\n    base_url: {it.url}"
        path.write_text(text.replace("provider: embedded", alias, 1), encoding="utf-8")
        settings = {
            "surveys": ["opinionqa.W34"],
            "topic_mappings": ["opinionqa.topic_mapping"],
            "opinionqa": str(opinionqa.write(Path(name) / "waves", 120, given.questions)),
            **{"test_pairs": 600, "tuning_pairs": 100, "llm_pairs": given.pairs},
            **{"llm_test_respondents": 12, "llm_reference_respondents": 6, "llm_tuning_pairs": 20},
            "persona_calls": given.persona_calls,
        }
        with Project(folder, vars=settings) as project:
            result = project.run(SELECTED)
        tasks: dict[str, list[tuple[int, int]]] = collections.defaultdict(list)
        for body in it.bodies:
            task, size, before = place_of(body)
            tasks[task].append((size, before))
    found = {
        task: {
            "calls": len(places),
            "with_point": sum(before > 0 for _, before in places),
            "characters": round(sum(size for size, _ in places) / len(places)),
            "share_before": round(
                sum(before for _, before in places) / sum(size for size, _ in places), 3
            ),
        }
        for task, places in tasks.items()
    }
    print(json.dumps({"status": result.status, "calls": len(it.bodies), "tasks": found}, indent=1))


if __name__ == "__main__":
    main()
