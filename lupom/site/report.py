"""The report: one page that says how good, compared with what, for whom, at what cost, and whether
to use the LLM here."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from lupom import __version__
from lupom.engine.errors import StoreError
from lupom.site.answers import answers
from lupom.site.charts import Dot, Point, dots, reliability
from lupom.site.findings import Findings, Row, best_of, kind_of, name_of, plain, share, signed

if TYPE_CHECKING:
    from lupom.engine.workspace import Project

SCENARIOS = {
    "known": "people and questions that are known otherwise",
    "new_respondent": "new respondents, of whom no answer is known",
    "new_question": "new questions, which nobody's answer is known to",
}


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


@dataclass(slots=True)
class Part:
    """What there is to say of one survey, scenario and set of pairs."""

    title: str
    note: str
    figures: list[Figure] = field(default_factory=list)


@dataclass(slots=True)
class Report:
    """All the page shows; `answers` are question and answer."""

    project: str
    answers: list[tuple[str, list[str]]] = field(default_factory=list)
    parts: list[Part] = field(default_factory=list)
    router: list[Figure] = field(default_factory=list)
    cost: Table | None = None
    twins: Table | None = None
    made: list[str] = field(default_factory=list)


def write_report(project: Project, path: str | Path | None = None) -> Path:
    """Write the report of a built project to a file (by default target/report.html); returns it.

    Raises StoreError when the evaluation is not built yet, or the file cannot be written.
    """
    path = Path(path) if path is not None else project.files.target_folder / "report.html"
    page = render(gather(project))
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(page, encoding="utf-8")
        os.replace(partial, path)
    except OSError as error:
        raise StoreError(f"cannot write {path}: {error.strerror or error}") from error
    return path


def render(report: Report) -> str:
    """Return the page as HTML; every text in it is escaped."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.jinja").render(report=report)


def gather(project: Project) -> Report:
    """Read from the store what the report shows; raises StoreError without a leaderboard."""
    tables = Findings(project)
    board = tables.rows("leaderboard")
    if not board:
        raise StoreError("the evaluation is not built yet", hint="lupom run, then lupom report")
    # Where no LLM has predicted, its pairs are some of all pairs and say nothing of their own.
    asked = {(r["survey"], r["scenario"]) for r in board if r["llm"] is not None}
    board = [r for r in board if r["pairs"] == "all" or (r["survey"], r["scenario"]) in asked]
    report = Report(project.name)
    heads = list(dict.fromkeys((r["survey"], r["scenario"], r["pairs"]) for r in board))
    for head in heads:
        report.parts.append(_part(tables, head))
    report.router = _router(tables)
    report.cost = _cost(tables)
    report.twins = _twins(tables)
    report.answers = answers(tables, board)
    report.made = _made(project, tables)
    return report


# -- the figures of one survey, scenario and set of pairs ----------------------------------------


def _part(tables: Findings, head: tuple[str, str, str]) -> Part:
    survey, scenario, pairs = head
    where = {"survey": survey, "scenario": scenario, "pairs": pairs}
    board = tables.rows("leaderboard", where)
    which = "all test pairs" if pairs == "all" else "the pairs the LLM was asked"
    title = f"{survey}: {which}"
    if scenario != "known":
        title += f", {SCENARIOS.get(scenario, scenario)}"
    part = Part(title, f"{board[0]['n']:,} pairs of respondent and question.")
    part.figures.append(_accuracy(board))
    part.figures += _losses(tables, where)
    part.figures += _differences(tables, where)
    part.figures += _calibration(tables, where)
    part.figures += _groups(tables, where, board)
    part.figures += _distributions(tables, where)
    return part


def _accuracy(board: list[Row]) -> Figure:
    rows = sorted(board, key=lambda r: -r["accuracy"])
    chart = dots(
        [Dot(name_of(r), r["accuracy"], r["low"], r["high"], kind_of(r)) for r in rows],
        "Accuracy of each predictor with its 95 % interval",
        percent=True,
    )
    table = Table(
        ["predictor", "accuracy", "from", "to", "log loss", "calibration error", "invalid"],
        [
            [
                *(name_of(r), share(r["accuracy"]), share(r["low"]), share(r["high"])),
                *(plain(r["nll"]), plain(r["calibration"]), share(r["invalid"])),
            ]
            for r in rows
        ],
    )
    return Figure("Accuracy, with 95 % intervals over respondents", [("", chart)], table)


def _losses(tables: Findings, where: Mapping[str, Any]) -> list[Figure]:
    rows = tables.rows("metrics", {**where, "metric": "nll", "weighting": "none"})
    if not rows:
        return []
    rows = sorted(rows, key=lambda r: r["value"])
    chart = dots(
        [Dot(name_of(r), r["value"], r["low"], r["high"], kind_of(r)) for r in rows],
        "Log loss of each predictor with its 95 % interval; less is better",
    )
    table = Table(
        ["predictor", "log loss", "from", "to", "predictions"],
        [
            [name_of(r), *(plain(r[k]) for k in ("value", "low", "high")), f"{r['n']:,}"]
            for r in rows
        ],
    )
    return [Figure("Log loss in nats; less is better", [("", chart)], table)]


def _differences(tables: Findings, where: Mapping[str, Any]) -> list[Figure]:
    """Return the accuracy of every predictor less that of the best one without an LLM."""
    board = tables.rows("leaderboard", where)
    rows = [r for r in board if r["vs_best"] is not None]
    best = [r for r in board if r["vs_best"] is None]
    if not rows or not best:
        return []
    p_of = {}
    for c in tables.rows("comparisons", {**where, "metric": "accuracy", "best_baseline": True}):
        p_of[c["predictor"], c["llm"]] = p_of[c["against"], c["against_llm"]] = c["p_holm"]
    rows = sorted(rows, key=lambda r: -r["vs_best"])
    chart = dots(
        [
            Dot(name_of(r), 100 * r["vs_best"], 100 * r["vs_low"], 100 * r["vs_high"], kind_of(r))
            for r in rows
        ],
        f"Accuracy less that of {name_of(best[0])}, in points",
        digits=1,
        reference=0.0,
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
        f"Accuracy less that of {name_of(best[0])}, the best without an LLM, on the same pairs"
    )
    return [Figure(caption, [("", chart)], table)]


def _calibration(tables: Findings, where: Mapping[str, Any]) -> list[Figure]:
    curves: dict[str, list[Row]] = {}
    for row in tables.rows("calibration", where):
        curves.setdefault(name_of(row), []).append(row)
    if not curves:
        return []
    charts, rows = [], []
    for name, bins in curves.items():
        points = [Point(b["confidence"], b["accuracy"], b["low"], b["high"], b["n"]) for b in bins]
        charts.append((name, reliability(points, f"How often {name} is right when it is so sure")))
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


def _groups(tables: Findings, where: Mapping[str, Any], board: list[Row]) -> list[Figure]:
    """Return the accuracy of the best predictor by group, and its gaps."""
    best = best_of(board)
    found = tables.rows(
        "group_metrics",
        {**where, "metric": "accuracy", "predictor": best["predictor"], "llm": best["llm"]},
    )
    values = [r for r in found if r["measure"] == "value"]
    gaps = {r["attribute"]: r for r in found if r["measure"] == "gap"}
    if not values:
        return []
    charts = []
    # One scale for all attributes, so that lengths can be compared from one to the next.
    domain = min(r["low"] for r in values), max(r["high"] for r in values)
    for attribute in sorted(gaps, key=lambda a: -gaps[a]["low"]):
        rows = [r for r in values if r["attribute"] == attribute]
        chart = dots(
            [Dot(str(r["group"]), r["value"], r["low"], r["high"], kind_of(r)) for r in rows],
            f"Accuracy of {name_of(best)} by {attribute}",
            percent=True,
            domain=domain,
        )
        charts.append((attribute, chart))
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
    return [Figure(f"Accuracy of {name_of(best)} by group", charts, table)]


def _distributions(tables: Findings, where: Mapping[str, Any]) -> list[Figure]:
    figures = []
    for metric, caption in (
        ("representativeness", "How like the distribution of answers the predicted one is; 1 is"),
        ("variance_ratio", "Variance of predicted answers over that of people's; below 1: alike"),
    ):
        whole = {"metric": metric, "question_id": None, "attribute": None}
        rows = tables.rows("distribution_metrics", {**where, **whole})
        if not rows:
            continue
        rows = sorted(rows, key=lambda r: -r["value"])
        chart = dots(
            [Dot(name_of(r), r["value"], r["low"], r["high"], kind_of(r)) for r in rows],
            caption,
            reference=1.0,
        )
        table = Table(
            ["predictor", metric.replace("_", " "), "from", "to"],
            [[name_of(r), *(plain(r[k]) for k in ("value", "low", "high"))] for r in rows],
        )
        figures.append(Figure(caption, [("", chart)], table))
    return figures


# -- whether the LLM is worth it, and what it cost ------------------------------------------------


def _router(tables: Findings) -> list[Figure]:
    figures = []
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
                for r in own
            ],
            f"What {llm} gains by question, in nats an answer",
            reference=0.0,
        )
        table = Table(
            ["question", "tuning pairs", "gain in nats", "from", "to", "advice"],
            [
                [
                    *(r["question_id"] or "all questions", f"{r['n']:,}"),
                    *(plain(r[f"nll_gain_{k}"]) for k in ("pooled", "low", "high")),
                    "ask the LLM" if r["recommendation"] == "llm" else "do without",
                ]
                for r in own
            ],
        )
        caption = (
            f"{survey}, {llm}: gain of the stack with the LLM over the one without, on tuning pairs"
        )
        if scenario != "known":
            caption += f" of {SCENARIOS.get(scenario, scenario)}"
        figures.append(Figure(caption, [("", chart)], table))
    return figures


def _cost(tables: Findings) -> Table | None:
    if not tables.has("calls"):
        return None
    rows = tables.query(
        "select node, alias, model, count(*) as calls, sum(tokens_in + tokens_out) as tokens,"
        " case when count(cost) = count(*) then sum(cost) end as cost from main.calls"
        " group by all order by node, alias, model"
    )
    if not rows:
        return None
    return Table(
        ["model of the project", "LLM", "calls", "tokens", "USD"],
        [
            [
                *(r["node"], f"{r['alias']}: {r['model']}", f"{r['calls']:,}"),
                *(f"{r['tokens'] or 0:,}", "unknown" if r["cost"] is None else f"{r['cost']:.2f}"),
            ]
            for r in rows
        ],
    )


def _twins(tables: Findings) -> Table | None:
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


def _made(project: Project, tables: Findings) -> list[str]:
    made = [
        f"LUPoM {__version__}, project {project.name}, target {project.files.target_name},"
        f" {datetime.now(UTC):%Y-%m-%d %H:%M} UTC.",
        "Test pairs are hidden from personas, network, neighbours, prompts and everything tuned;"
        " tuning pairs of other respondents are what combinations are fitted on.",
        f"Intervals are of {project.files.vars.get('bootstrap_resamples', 1000):,} draws of"
        f" respondents, each with all their pairs; seed {project.files.vars.get('seed', 1)}.",
        "An invalid answer counts as wrong. Blue: predictors that need no LLM; orange: an LLM's"
        " settings; green: combinations of them.",
    ]
    if tables.has("holdout"):
        counts = tables.query(
            "select survey, role, count(*) as n from main.holdout group by all order by all"
        )
        said = ", ".join(f"{r['survey']} {r['role']} {r['n']:,}" for r in counts)
        made.append(f"Held-out pairs: {said}.")
    return made
