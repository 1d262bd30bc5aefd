"""The report's figures: charts with the same numbers as a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from lupom.site.answers import p_values
from lupom.site.charts import Dot, Point, dots, reliability
from lupom.site.findings import (
    SCENARIOS,
    Findings,
    Row,
    best_of,
    kind_of,
    money,
    name_of,
    plain,
    share,
    signed,
    which_pairs,
)

# Questions in a router's chart; its table has them all.
MOST = 30
# With fewer people than this the interval of an accuracy reaches more than 14 points to either side
# (1.96 x sqrt(.25 / 50)).
FEW = 50


@dataclass(frozen=True, slots=True)
class Table:
    """A table under a chart."""

    columns: list[str]
    rows: list[list[str]]


@dataclass(frozen=True, slots=True)
class Figure:
    """A chart with its caption and the same numbers as a table."""

    caption: str
    charts: list[tuple[str, Markup]]
    table: Table


def dot(
    tables: Findings, row: Row, value: str = "value", low: str = "low", high: str = "high"
) -> Dot:
    """Return a predictor's row of a chart: its title, our name in small, and its numbers."""
    title, own = tables.title(str(row["predictor"])), name_of(row)
    small = "" if title == own else own
    return Dot(title, row[value], row[low], row[high], kind_of(row), small)


def accuracy(tables: Findings, board: list[Row]) -> Figure:
    """Return each predictor's accuracy, the most accurate first."""
    rows = sorted(board, key=lambda r: -r["accuracy"])
    chart = dots(
        [dot(tables, r, "accuracy") for r in rows],
        "Accuracy of each predictor with its 95 % interval",
        percent=True,
        unit="accuracy, %",
    )
    # Of options in order alone, and of stores that a run has built since there is such a column.
    ranked = any(r.get("expected_rank_error") is not None for r in rows)
    table = Table(
        [
            *("predictor", "accuracy", "from", "to", "log loss"),
            *(["expected rank error"] if ranked else []),
            *("calibration error", "invalid"),
        ],
        [
            [
                *(name_of(r), share(r["accuracy"]), share(r["low"]), share(r["high"])),
                plain(r["nll"]),
                *([plain(r["expected_rank_error"])] if ranked else []),
                *(plain(r["calibration"]), share(r["invalid"])),
            ]
            for r in rows
        ],
    )
    return Figure("Accuracy, with 95 % intervals over respondents", [("", chart)], table)


def losses(tables: Findings, where: Mapping[str, Any]) -> list[Figure]:
    """Return each predictor's log loss, the least first; nothing where none has any."""
    rows = tables.rows("metrics", {**where, "metric": "nll", "weighting": "none"})
    rows = [r for r in rows if r["value"] is not None]
    if not rows:
        return []
    rows = sorted(rows, key=lambda r: r["value"])
    chart = dots(
        [dot(tables, r) for r in rows],
        "Log loss of each predictor with its 95 % interval; less is better",
        unit="nats",
    )
    table = Table(
        ["predictor", "log loss", "from", "to", "predictions"],
        [
            [name_of(r), *(plain(r[k]) for k in ("value", "low", "high")), f"{r['n']:,}"]
            for r in rows
        ],
    )
    return [Figure("Log loss in nats; less is better", [("", chart)], table)]


def differences(tables: Findings, where: Mapping[str, Any]) -> list[Figure]:
    """Return the accuracy of every predictor less that of the best one without an LLM."""
    board = tables.rows("leaderboard", where)
    rows = [r for r in board if r["vs_best"] is not None]
    best = [r for r in board if r["vs_best"] is None and kind_of(r) == "plain"]
    if not rows or len(best) != 1:
        return []
    p_of = p_values(tables, dict(where))
    rows = sorted(rows, key=lambda r: -r["vs_best"])
    chart = dots(
        [dot(tables, r, "vs_best", "vs_low", "vs_high") for r in rows],
        f"Accuracy less that of {name_of(best[0])}, in points",
        points=True,
        reference=0.0,
        unit="points",
    )
    table = Table(
        ["predictor", "difference in points", "from", "to", "p (Holm)"],
        [
            [
                *(name_of(r), signed(r["vs_best"]), signed(r["vs_low"]), signed(r["vs_high"])),
                plain(p_of.get((r["predictor"], r["llm"]))),
            ]
            for r in rows
        ],
    )
    caption = (
        f"Accuracy less that of {tables.said(best[0])}, the most accurate without an LLM, on the"
        " same pairs, in points"
    )
    return [Figure(caption, [("", chart)], table)]


def calibration(tables: Findings, where: Mapping[str, Any]) -> list[Figure]:
    """Return a reliability curve of each predictor that gives probabilities."""
    curves: dict[str, list[Row]] = {}
    for row in tables.rows("calibration", where):
        if row["confidence"] is None or row["accuracy"] is None:
            continue
        curves.setdefault(name_of(row), []).append(row)
    if not curves:
        return []
    charts, rows = [], []
    for name, bins in curves.items():
        points = [Point(b["confidence"], b["accuracy"], b["low"], b["high"], b["n"]) for b in bins]
        title = f"How often {name} is right when it is so sure"
        charts.append((_named(tables, bins[0]), reliability(points, title, kind=kind_of(bins[0]))))
        rows += [
            [
                *(name, *(plain(b[k], 2) for k in ("confidence", "accuracy", "low", "high"))),
                f"{b['n']:,}",
            ]
            for b in bins
        ]
    caption = "Reliability: share right (up) by stated probability (across); on the line they agree"
    columns = ["predictor", "how sure", "how often right", "from", "to", "predictions"]
    return [Figure(caption, charts, Table(columns, rows))]


def _named(tables: Findings, row: Row) -> str:
    """Return a title with our name behind it, for the head of a small chart."""
    title, own = tables.title(str(row["predictor"])), name_of(row)
    return own if title == own else f"{title} ({own})"


def groups(tables: Findings, where: Mapping[str, Any], board: list[Row]) -> list[Figure]:
    """Return the accuracy of the best predictor by group, and its gaps."""
    best = best_of(board)
    found = tables.rows(
        "group_metrics",
        {**where, "metric": "accuracy", "predictor": best["predictor"], "llm": best["llm"]},
    )
    values = [r for r in found if r["measure"] == "value" and r["value"] is not None]
    gaps = {r["attribute"]: r["low"] or 0.0 for r in found if r["measure"] == "gap"}
    if not values:
        return []
    charts = []
    labels = {
        r["attribute"]: r["label"]
        for r in tables.rows("attribute_labels", {"survey": where["survey"]})
        if r["label"]
    }
    # One scale for all attributes, so that lengths can be compared from one to the next.
    ends = [r[k] for r in values for k in ("value", "low", "high") if r[k] is not None]
    domain = min(ends), max(ends)
    attributes = dict.fromkeys(r["attribute"] for r in values)
    for attribute in sorted(attributes, key=lambda a: (-gaps.get(a, 0.0), a)):
        rows = [r for r in values if r["attribute"] == attribute]
        chart = dots(
            [_group(r) for r in rows],
            f"Accuracy of {name_of(best)} by {labels.get(attribute, attribute)}",
            percent=True,
            domain=domain,
            unit="accuracy, %",
        )
        charts.append((labels.get(attribute, attribute), chart))
    table = Table(
        ["attribute", "group", "accuracy", "from", "to", "respondents"],
        [
            [
                *(r["attribute"], str(r["group"]), share(r["value"]), share(r["low"])),
                *(share(r["high"]), f"{r['respondents']:,}"),
            ]
            for r in values
        ],
    )
    caption = f"Accuracy by group, of {tables.said(best)}"
    if any(r["respondents"] < FEW for r in values):
        caption += f"; groups of fewer than {FEW} people are grey"
    return [Figure(caption, charts, table)]


def _group(row: Row) -> Dot:
    people = row["respondents"]
    small, few = f"{people:,} people", people < FEW
    return Dot(str(row["group"]), row["value"], row["low"], row["high"], kind_of(row), small, few)


def distributions(tables: Findings, where: Mapping[str, Any]) -> list[Figure]:
    """Return representativeness and variance ratio over all questions and people."""
    figures = []
    for metric, caption in (
        (
            "representativeness",
            "Representativeness: how like people's answers predictions are, together; 1: the same",
        ),
        (
            "variance_ratio",
            "Variance of predicted answers over people's; below 1: predicted people are too alike",
        ),
    ):
        whole = {"metric": metric, "question_id": None, "attribute": None}
        rows = tables.rows("distribution_metrics", {**where, **whole})
        rows = [r for r in rows if r["value"] is not None]
        if not rows:
            continue
        rows = sorted(rows, key=lambda r: -r["value"])
        chart = dots(
            [dot(tables, r) for r in rows],
            caption,
            reference=1.0,
            unit="1: as people" if metric == "representativeness" else "ratio",
        )
        table = Table(
            ["predictor", metric.replace("_", " "), "from", "to"],
            [[name_of(r), *(plain(r[k]) for k in ("value", "low", "high"))] for r in rows],
        )
        figures.append(Figure(caption, [("", chart)], table))
    return figures


def router(tables: Findings) -> list[Figure]:
    """Return what each LLM gains by question, and what the stack makes of its parts."""
    figures: list[Figure] = []
    rows = tables.rows("router")
    for head in dict.fromkeys((r["survey"], r["llm"], r["scenario"]) for r in rows):
        own = [r for r in rows if (r["survey"], r["llm"], r["scenario"]) == head]
        own = [r for r in own if r["nll_gain_pooled"] is not None and r["n"]]
        if not own:
            continue
        survey, llm, scenario = head
        own.sort(key=lambda r: (r["question_id"] is not None, -r["nll_gain_pooled"]))
        chart = dots(
            [
                Dot(
                    r["question_id"] or "all questions",
                    r["nll_gain_pooled"],
                    r["nll_gain_low"],
                    r["nll_gain_high"],
                    "llm" if r["recommendation"] == "llm" else "plain",
                )
                for r in own[: MOST + 1]
            ],
            f"What {llm} gains by question, in nats an answer",
            reference=0.0,
            unit="nats",
        )
        table = Table(
            [
                *("question", "tuning pairs", "gain in nats", "from", "to"),
                *("gain in points", "from", "to", "advice"),
            ],
            [
                [
                    *(r["question_id"] or "all questions", f"{r['n']:,}"),
                    *(plain(r[f"nll_gain_{k}"]) for k in ("pooled", "low", "high")),
                    *(signed(r[f"accuracy_gain_{k}"]) for k in ("pooled", "low", "high")),
                    "ask the LLM" if r["recommendation"] == "llm" else "do without",
                ]
                for r in own
            ],
        )
        caption = (
            f"{survey}, {llm}: gain of the stack with the LLM over the one without, on tuning"
            " pairs, in nats an answer"
        )
        if scenario != "known":
            caption += f" of {SCENARIOS.get(scenario, scenario)}"
        if len(own) > MOST + 1:
            caption += f"; the {MOST} questions with most of it"
        figures.append(Figure(caption, [("", chart)], table))
    return figures


def weights(tables: Findings) -> list[Figure]:
    """Return what each stack makes of its parts."""
    figures = []
    rows = [r for r in tables.rows("stack_weights") if r["weight"] is not None]
    for head in dict.fromkeys((r["survey"], r["predictor"], r["llm"], r["scenario"]) for r in rows):
        own = [r for r in rows if (r["survey"], r["predictor"], r["llm"], r["scenario"]) == head]
        own.sort(key=lambda r: (-r["weight"], r["part"]))
        caption = f"{head[0]}: weight of each part in {name_of(own[0])}"
        if head[3] != "known":
            caption += f", {SCENARIOS.get(head[3], head[3])}"
        parts = [_part_of_stack(tables, r) for r in own]
        chart = dots(parts, caption, digits=2, reference=0.0, unit="weight")
        table = Table(
            ["part", "weight", "tuning pairs"],
            [[r["part"], plain(r["weight"]), f"{r['n']:,}"] for r in own],
        )
        figures.append(Figure(caption, [("", chart)], table))
    return figures


def _part_of_stack(tables: Findings, row: Row) -> Dot:
    name, mean, _ = row["part"].partition(" against its mean")
    title = tables.title(name)
    small = "" if title == name and not mean else row["part"]
    return Dot(title + (", less its mean" if mean else ""), row["weight"], small=small)


def numbers(tables: Findings) -> list[Figure]:
    """Return the error of predicted numbers, as a share of each question's range.

    Intervals are of 1.96 standard errors clustered on respondents. Who predicted all test pairs
    stands on these, and everyone on the pairs the LLM was asked.
    """
    if not tables.has("number_scores"):
        return []
    rows = tables.query(
        """
        with counted as (
            select *, count(*) over (partition by survey, scenario, predictor, llm) as own
            from main.number_scores
        ),
        most as (select *, max(own) over (partition by survey, scenario) as whole from counted),
        judged as (
            select survey, scenario, respondent_id, predictor, llm, relative_error, pairs
            from most, (values ('all'), ('llm')) as sets(pairs)
            where relative_error is not null
                and (pairs = 'all' and own = whole or pairs = 'llm' and in_llm_sample)
        ),
        means as (
            select survey, scenario, pairs, predictor, llm, avg(relative_error) as value,
                count(*) as n
            from judged group by all
        ),
        people as (
            select j.survey, j.scenario, j.pairs, j.predictor, j.llm,
                sum(j.relative_error - m.value) as off
            from judged as j join means as m
                on j.survey = m.survey and j.scenario = m.scenario and j.pairs = m.pairs
                and j.predictor = m.predictor and j.llm is not distinct from m.llm
            group by j.survey, j.scenario, j.pairs, j.predictor, j.llm, j.respondent_id
        )
        select m.*, 1.96 * sqrt(sum(p.off * p.off)) / any_value(m.n) as half
        from means as m join people as p
            on p.survey = m.survey and p.scenario = m.scenario and p.pairs = m.pairs
            and p.predictor = m.predictor and p.llm is not distinct from m.llm
        group by all order by all
        """
    )
    own_llms = {r["llm"] for r in tables.rows("prediction_settings")}
    asked = {(r["survey"], r["scenario"]) for r in rows if r["llm"] in own_llms}
    rows = [r for r in rows if r["pairs"] == "all" or (r["survey"], r["scenario"]) in asked]
    figures = []
    for head in dict.fromkeys((r["survey"], r["scenario"], r["pairs"]) for r in rows):
        own = [r for r in rows if (r["survey"], r["scenario"], r["pairs"]) == head]
        own.sort(key=lambda r: (r["value"], name_of(r)))
        which = which_pairs(head[2])
        caption = f"{head[0]}, {which}: error of numbers as a share of the range; less is better"
        if head[1] != "known":
            caption += f" ({SCENARIOS.get(head[1], head[1])})"
        ends = [(max(0.0, r["value"] - r["half"]), r["value"] + r["half"]) for r in own]
        chart = dots(
            [
                dot(tables, {**r, "low": low, "high": high})
                for r, (low, high) in zip(own, ends, strict=True)
            ],
            caption,
            unit="share of range",
        )
        table = Table(
            ["predictor", "error", "from", "to", "predictions"],
            [
                [name_of(r), plain(r["value"]), plain(low), plain(high), f"{r['n']:,}"]
                for r, (low, high) in zip(own, ends, strict=True)
            ],
        )
        figures.append(Figure(caption, [("", chart)], table))
    return figures


def cost(tables: Findings) -> Table | None:
    """Return calls, tokens and money by model of the project and LLM."""
    if not tables.has("calls"):
        return None
    rows = tables.query(
        "select node, alias, model, count(*) as calls,"
        " case when count(tokens_in + tokens_out) = count(*)"
        " then sum(tokens_in + tokens_out)::bigint end as tokens,"
        " sum(tokens_cached)::bigint as cached, sum(tokens_in)::bigint as tokens_in,"
        " case when count(cost) = count(*) then sum(cost) end as cost from main.calls"
        " group by all order by node, alias, model"
    )
    if not rows:
        return None
    return Table(
        ["model of the project", "LLM", "calls", "tokens", "from the prompt cache", "cost"],
        [
            [
                *(r["node"], f"{r['alias']}: {r['model']}", f"{r['calls']:,}"),
                "unknown" if r["tokens"] is None else f"{r['tokens']:,}",
                f"{r['cached'] / r['tokens_in']:.0%} of prompts" if r["cached"] else "",
                "price unknown" if r["cost"] is None else money(r["cost"]),
            ]
            for r in rows
        ],
    )


def twins(tables: Findings) -> Table | None:
    """Return pairs of questions that give each other's held-out answers away."""
    rows = tables.rows("question_twins")
    if not rows:
        return None
    return Table(
        ["survey", "question", "twin", "same wording", "association"],
        [
            [
                *(r["survey"], r["question_id"], r["twin_id"]),
                *("yes" if r["same_wording"] else "no", plain(r["association"])),
            ]
            for r in rows
        ],
    )
