"""The report: one page that says how good, compared with what, for whom, at what cost, and whether
to use the LLM here."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from lupom.engine.errors import StoreError
from lupom.site import card, costs, figures, population
from lupom.site.answers import answers
from lupom.site.figures import Figure, Table
from lupom.site.findings import SCENARIOS, Findings, Row, which_pairs
from lupom.site.writing import filled, write_page
from lupom.version import __version__

if TYPE_CHECKING:
    from lupom.engine.workspace import Project


@dataclass(slots=True)
class Part:
    """What there is to say of one survey, scenario and set of pairs."""

    title: str
    note: str
    figures: list[Figure] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Section:
    """Figures on one subject, over all surveys; `id` is where links lead, `said` what follows."""

    id: str
    title: str
    note: str
    figures: list[Figure]
    said: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Report:
    """All the page shows; `answers` are question and answer."""

    project: str
    answers: list[tuple[str, list[str]]] = field(default_factory=list)
    parts: list[Part] = field(default_factory=list)
    cards: list[tuple[str, Table]] = field(default_factory=list)
    sections: list[Section] = field(default_factory=list)
    numbers: list[Figure] = field(default_factory=list)
    router: list[Figure] = field(default_factory=list)
    weights: list[Figure] = field(default_factory=list)
    cost: Table | None = None
    twins: Table | None = None
    made: list[str] = field(default_factory=list)


def write_report(project: Project, path: str | Path | None = None) -> Path:
    """Write the report of a built project to a file (by default target/report.html); returns it.

    Raises StoreError when the evaluation is not built yet, or the file cannot be written.
    """
    path = Path(path) if path is not None else project.files.target_folder / "report.html"
    return write_page(path, render(gather(project)))


def render(report: Report) -> str:
    """Return the page as HTML; every text in it is escaped."""
    return filled("report.jinja", report=report)


def gather(project: Project) -> Report:
    """Read from the store what the report shows; raises StoreError where nothing is scored yet."""
    tables = Findings(project)
    board = [r for r in tables.rows("leaderboard") if r["accuracy"] is not None]
    report = Report(project.name)
    report.numbers = figures.numbers(tables)
    if not board and not report.numbers:
        raise StoreError("the evaluation is not built yet", hint="lupom run, then lupom report")
    # Where no LLM has predicted, its pairs are some of all pairs and say nothing of their own.
    asked = {(r["survey"], r["scenario"]) for r in board if r["llm"] is not None}
    board = [r for r in board if r["pairs"] == "all" or (r["survey"], r["scenario"]) in asked]
    for survey, scenario, pairs in dict.fromkeys(
        (r["survey"], r["scenario"], r["pairs"]) for r in board
    ):
        head = {"survey": survey, "scenario": scenario, "pairs": pairs}
        own = [r for r in board if all(r[k] == v for k, v in head.items())]
        report.parts.append(_part(tables, head, own))
    report.cards = [(one.title, card.as_table(one)) for one in card.cards(tables)]
    report.sections = [Section(*section) for section in population.sections(tables)]
    found, said = costs.predictors(tables)
    if found:
        report.sections.append(Section("predictors", costs.TITLE, costs.NOTE, found, said))
    report.router = figures.router(tables)
    report.weights = figures.weights(tables)
    report.cost = figures.cost(tables)
    report.twins = figures.twins(tables)
    report.answers = answers(tables, board)
    report.made = _made(project, tables)
    return report


def _part(tables: Findings, head: dict[str, str], board: list[Row]) -> Part:
    which = which_pairs(head["pairs"])
    title = f"{head['survey']}: {which}"
    if head["scenario"] != "known":
        title += f", {SCENARIOS.get(head['scenario'], head['scenario'])}"
    part = Part(title, f"{board[0]['n']:,} pairs of respondent and question.")
    part.figures.append(figures.accuracy(tables, board))
    for what, table, found in (
        ("Log loss", "metrics", figures.losses(tables, head)),
        ("Differences", "comparisons", figures.differences(tables, head)),
        ("Calibration", "calibration", figures.calibration(tables, head)),
        ("Groups", "group_metrics", figures.groups(tables, head, board)),
        ("Distributions", "distribution_metrics", figures.distributions(tables, head)),
    ):
        part.figures += found
        if not found:
            part.left_out.append(f"{what}: nothing to show, the table {table} has no such rows.")
    return part


def _made(project: Project, tables: Findings) -> list[str]:
    made = [
        f"LUPoM {__version__}, project {project.name}, target {project.files.target_name},"
        f" {datetime.now(UTC):%Y-%m-%d %H:%M} UTC.",
        "Test pairs are hidden from personas, network, neighbours, prompts and everything tuned;"
        " tuning pairs of other respondents are what combinations are fitted on.",
        f"Intervals are of {project.files.vars.get('bootstrap_resamples', 1000):,} draws of"
        f" respondents, each with all their pairs; seed {project.files.vars.get('seed', 1)}.",
        "Accuracy is the share of right answers; an invalid one counts as wrong. Log loss is the"
        " mean of -ln of the true answer's probability: it punishes being sure and wrong.",
        "The best predictor is chosen on the pairs it is judged on and so looks a little better"
        " than it is. Corrected p-values are Holm's, of tests clustered on respondents.",
        "Representativeness is 1 less the Wasserstein distance of predicted and given answers, the"
        " mean over questions.",
    ]
    if tables.has("holdout"):
        counts = tables.query(
            "select survey, role, count(*) as n from main.holdout group by all order by all"
        )
        said = ", ".join(f"{r['survey']} {r['role']} {r['n']:,}" for r in counts)
        made.append(f"Held-out pairs: {said}.")
    return made
