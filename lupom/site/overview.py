"""The site's first page: what was asked of whom, what was found, at what cost, what is stale."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lupom.engine.errors import LupomError
from lupom.engine.run.plan import RUN
from lupom.site.answers import spent
from lupom.site.finding import findings
from lupom.site.findings import Findings, Row, kind_of, name_of, which_pairs

if TYPE_CHECKING:
    from lupom.engine.workspace import Project

# Predictors of a chart: the first page is for the best of them; the evaluation has all.
MOST = 20


def overview(project: Project) -> dict[str, Any]:
    """Return what the first page shows; of what is not built there is nothing.

    Keys surveys (title, fielded, population, ... and how many questions, respondents and answers),
    findings (sentences by survey), boards (survey, title, and predictors with their accuracy), cost
    (a sentence, '' where there is no ledger) and stale (node and reason, None where it cannot be
    told); titles of predictors by name.
    """
    found: dict[str, Any] = {"surveys": [], "findings": [], "boards": [], "cost": "", "titles": {}}
    if project.store.exists:
        tables = Findings(project)
        found["surveys"] = _surveys(tables)
        found["findings"] = [
            {
                "survey": one.survey,
                "sentences": [one.good, one.against, one.llm],
                "next": one.next,
            }
            for one in findings(tables)
        ]
        found["boards"] = _boards(tables)
        found["titles"] = {
            name: title
            for name in sorted({str(r["predictor"]) for r in tables.rows("leaderboard")})
            if (title := tables.title(name)) != name
        }
        found["cost"] = spent(tables) if tables.has("calls") else ""
    return {**found, "stale": _stale(project)}


def _surveys(tables: Findings) -> list[Row]:
    """Return what is known of each survey, and its size."""
    if not (tables.has("questions") and tables.has("respondents")):
        return []
    known = {row["survey"]: row for row in tables.rows("surveys")}
    sizes = {
        name: {
            row["survey"]: row["n"]
            for row in tables.query(
                f"select survey, count(*) as n from main.{name}{where} group by 1"
            )
        }
        for name, where in (
            ("questions", ""),
            ("respondents", ""),
            ("responses", " where status = 'answered'"),
        )
        if tables.has(name)
    }
    context = ("title", "fielded", "population", "country", "language")
    return [
        {
            "survey": survey,
            **{name: known.get(survey, {}).get(name) for name in context},
            **{name: by_survey.get(survey) for name, by_survey in sizes.items()},
        }
        for survey in sorted(sizes["questions"].keys() | sizes["respondents"].keys())
    ]


def _boards(tables: Findings) -> list[dict[str, Any]]:
    """Return a chart for each survey and set of pairs, the best predictors first."""
    needed = ("scenario", "pairs", "predictor", "llm", "accuracy", "low", "high", "nll", "n")
    rows = [r for r in tables.rows("leaderboard") if all(name in r for name in needed)]
    rows = [r for r in rows if r["scenario"] == "known" and r["accuracy"] is not None]
    boards = []
    for survey, pairs in dict.fromkeys((r["survey"], r["pairs"]) for r in rows):
        own = [r for r in rows if (r["survey"], r["pairs"]) == (survey, pairs)]
        own.sort(key=lambda r: (-r["accuracy"], name_of(r)))
        boards.append(
            {
                "survey": survey,
                "title": which_pairs(pairs),
                "n": own[0]["n"],
                "left": max(0, len(own) - MOST),
                "rows": [
                    {
                        "title": tables.title(str(r["predictor"])),
                        "name": name_of(r),
                        "kind": kind_of(r),
                        "value": r["accuracy"],
                        "low": r["low"],
                        "high": r["high"],
                    }
                    for r in own[:MOST]
                ],
            }
        )
    return boards


def _stale(project: Project) -> list[dict[str, str]] | None:
    try:
        plan = project.plan(estimate=False, offline=True)
    except LupomError:
        # A source that is not here any more: the pages of what is built are made all the same.
        return None
    return [{"node": step.node, "reason": step.reason} for step in plan.steps if step.action == RUN]
