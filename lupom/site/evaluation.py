"""The evaluation: the tables that judge predictors, by survey."""

from __future__ import annotations

from typing import Any

from lupom.engine.store.names import quoted
from lupom.site.shards import Shards
from lupom.site.tables import Tables

# Tables of the page, in its order, with what orders their rows.
TABLES = {
    "leaderboard": "scenario, pairs, nll nulls last, accuracy desc, predictor, llm",
    "metrics": "scenario, pairs, metric, predictor, llm, weighting",
    "comparisons": "scenario, pairs, metric, predictor, llm, against, against_llm",
    "calibration": "scenario, pairs, predictor, llm, bin",
    "group_metrics": "scenario, pairs, metric, attribute, predictor, llm, measure, value",
    "distribution_metrics": "scenario, pairs, metric, predictor, llm",
    "published_metrics": "predictor, llm",
    "order_effects": "all",
    "refinement_summary": "all",
}

# Rows of one table of one survey: groups of many attributes, or every question. What is beyond is
# one query away, and a browser would show it to nobody.
ROWS = 40_000


def write(shards: Shards, tables: Tables) -> dict[str, list[str]]:
    """Write a shard for each table and survey; returns the tables that have rows, by survey."""
    found: dict[str, list[str]] = {}
    for name, order in TABLES.items():
        if not tables.has(name, "survey"):
            continue
        # An order by columns that are not there is one of a project that has its own such table.
        columns = tables.columns[name]
        wanted = [part for part in order.split(", ") if part.split()[0] in columns]
        by = ", ".join(wanted) or "all"
        total = " where question_id is null" if name == "distribution_metrics" else ""
        if total and "question_id" not in columns:
            total = ""
        relation = quoted("main", name)
        for (survey,) in tables.rows(
            f"select distinct survey from {relation} where survey is not null order by 1"
        ):
            and_ = f"{total} and" if total else " where"
            rows = tables.rows(
                f"select * from {relation}{and_} survey = ? order by {by} limit {ROWS}",
                [survey],
            )
            if rows:
                shards.write(f"evaluation/{name}/{survey}", _columnar(list(columns), rows))
                found.setdefault(str(survey), []).append(name)
    return found


def _columnar(columns: list[str], rows: list[tuple[Any, ...]]) -> dict[str, Any]:
    """Return rows by column, text as numbers into a list of words: a third of the size."""
    packed: dict[str, Any] = {}
    for i, column in enumerate(columns):
        values = [row[i] for row in rows]
        if any(isinstance(value, str) for value in values):
            words = list(dict.fromkeys(values))
            place = {word: j for j, word in enumerate(words)}
            packed[column] = {"words": words, "codes": [place[value] for value in values]}
        else:
            packed[column] = [
                round(value, 6) if isinstance(value, float) else value for value in values
            ]
    return {"columns": columns, "n": len(rows), "data": packed}
