"""The validity card: one page to print on what a predictor may be trusted with, and what it is of.

The checks are the table `validity`; the disclosure follows what AAPOR's Code (2021, part III) and
ESOMAR's 20 Questions (2024) ask for, as far as a run can know it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lupom.engine.errors import StoreError
from lupom.site.figures import Table
from lupom.site.findings import (
    SCENARIOS,
    Findings,
    Row,
    best_of,
    name_of,
    plain,
    share,
    which_pairs,
)
from lupom.site.writing import filled, write_page
from lupom.version import __version__

if TYPE_CHECKING:
    from lupom.engine.workspace import Project

# Check -> what it asks, what its value is read beside, and whether values are shares.
QUESTIONS: dict[str, tuple[str, str, bool]] = {
    "beats_chance": ("How often is it right?", "guessing: {}", True),
    "beats_majority": ("Is it better than the most common answer?", "0", True),
    "near_retest": ("How near is it to people asked twice?", "their own: {}", True),
    "calibrated": ("Does it know how sure it may be?", "at most {}", False),
    "as_varied": ("Are predicted people as varied as people?", "people: {}", False),
    "keeps_associations": ("Do answers hang together as people's do?", "people's: {}", False),
    "fair_to_groups": ("Is it as good for every group?", "at most {}", True),
    "like_people": ("Can predicted answers be told from people's?", "not at all: {}", False),
    "steady": ("Does it stay when the prompt changes?", "at least {}", True),
    "marginals_known": ("Does the LLM know what people answer on the whole?", "nothing: {}", True),
}
MEANING = {
    "beats_chance": "share of right answers",
    "beats_majority": "difference in right answers",
    "near_retest": "right answers by those of people asked again",
    "calibrated": "mean gap of probability and right answers",
    "as_varied": "variance by people's",
    "keeps_associations": "mean difference of Cramér's V",
    "fair_to_groups": "difference in right answers",
    "like_people": "area under a classifier's curve",
    "steady": "share of pairs answered alike",
    "marginals_known": "nearer to people's shares than equal shares are",
}
VERDICTS = {"good": "✓ good", "poor": "✗ poor", "open": "○ open"}


@dataclass(frozen=True, slots=True)
class Cell:
    """What one predictor got in one check."""

    value: str
    verdict: str
    detail: str


@dataclass(frozen=True, slots=True)
class Check:
    """A row of the card; a predictor that the check is not of has None."""

    question: str
    meaning: str
    beside: str
    cells: list[Cell | None]


@dataclass(frozen=True, slots=True)
class Card:
    """The checks of one survey, scenario and set of pairs, a column a predictor."""

    title: str
    predictors: list[tuple[str, str]]
    checks: list[Check]


@dataclass(frozen=True, slots=True)
class Page:
    """All that the page shows; disclosure is field and what is known of it."""

    project: str
    cards: list[Card]
    disclosure: list[tuple[str, list[str]]] = field(default_factory=list)


def write_card(project: Project, path: str | Path | None = None) -> Path:
    """Write the card of a built project (by default target/validity.html); returns the file.

    Raises StoreError when `validity` is not built yet, or the file cannot be written.
    """
    path = Path(path) if path is not None else project.files.target_folder / "validity.html"
    tables = Findings(project)
    page = Page(project.name, cards(tables), disclosure(project, tables))
    if not page.cards:
        raise StoreError("the table validity is not built yet", hint="lupom run --select +validity")
    return write_page(path, render(page))


def render(page: Page) -> str:
    """Return the page as HTML; every text in it is escaped."""
    return filled("card.jinja", page=page)


def cards(tables: Findings) -> list[Card]:
    """Return the checks of each set of pairs, of the predictors that matter to a reader.

    These are the most common answer's rival with the least log loss, the stack without an LLM, and,
    where one was asked, each LLM setting and the stack with it; at most four.
    """
    rows = tables.rows("validity")
    board = [r for r in tables.rows("leaderboard") if r["accuracy"] is not None]
    out = []
    for head in dict.fromkeys((r["survey"], r["scenario"], r["pairs"]) for r in rows):
        own = [r for r in rows if (r["survey"], r["scenario"], r["pairs"]) == head]
        ranked = [r for r in board if (r["survey"], r["scenario"], r["pairs"]) == head]
        names = _shown(own, ranked)
        asked = any(llm is not None for _, llm in names)
        if head[2] != "all" and not asked:
            continue
        title = f"{head[0]}: {which_pairs(head[2])}"
        if head[1] != "known":
            title += f", {SCENARIOS.get(head[1], head[1])}"
        found = {(r["predictor"], r["llm"], r["check"]): r for r in own}
        checks = [
            _check(name, [found.get((*predictor, name)) for predictor in names])
            for name in QUESTIONS
            if any((*predictor, name) in found for predictor in names)
        ]
        shown = [
            (tables.title(predictor), name_of({"predictor": predictor, "llm": llm}))
            for predictor, llm in names
        ]
        out.append(Card(title, shown, checks))
    return out


def as_table(card: Card) -> Table:
    """Return a card as a table of the report."""
    names = [title if title == name else f"{title} ({name})" for title, name in card.predictors]
    rows = []
    for check in card.checks:
        cells = [
            "does not apply"
            if c is None
            else " ".join(filter(None, (c.value, c.verdict, c.detail)))
            for c in check.cells
        ]
        rows.append([f"{check.question} ({check.meaning})", check.beside, *cells])
    return Table(["check", "read beside", *names], rows)


def _shown(rows: list[Row], board: list[Row]) -> list[tuple[str, str | None]]:
    there = list(dict.fromkeys((r["predictor"], r["llm"]) for r in rows))
    plain_ = [r for r in board if r["llm"] is None and not r["predictor"].startswith("stack")]
    settings = [
        r for r in board if r["llm"] is not None and r["predictor"] not in ("stack", "routed")
    ]
    wanted: list[tuple[str, str | None]] = []
    if plain_:
        best = best_of(plain_)
        wanted.append((best["predictor"], None))
    wanted.append(("stack_plain", None))
    if settings:
        best = best_of(settings)
        wanted.append((best["predictor"], best["llm"]))
        wanted.append(("stack", best["llm"]))
    shown = [name for name in wanted if name in there]
    return shown or there[:4]


def _check(name: str, rows: list[Row | None]) -> Check:
    question, beside, shares = QUESTIONS[name]
    word = share if shares else plain
    reference = next((r["reference"] for r in rows if r and r["reference"] is not None), None)
    cells: list[Cell | None] = []
    for row in rows:
        if row is None:
            cells.append(None)
            continue
        ends = [word(row[end]) for end in ("low", "high")]
        value = word(row["value"])
        if all(ends):
            value += f" [{ends[0].removesuffix(' %')}, {ends[1].removesuffix(' %')}]"
        cells.append(Cell(value, VERDICTS[row["verdict"]], row["detail"] or ""))
    told = beside.format(word(reference)) if reference is not None else ""
    return Check(question, MEANING[name], told, cells)


def disclosure(project: Project, tables: Findings) -> list[tuple[str, list[str]]]:
    """Return what is to be disclosed, by field, as far as the project and its runs know it."""
    settings = project.files.vars
    out: list[tuple[str, list[str]]] = []

    def add(name: str, *lines: str | None) -> None:
        said = [line for line in lines if line]
        out.append((name, said or ["not known to the project; add it to what you publish"]))

    for row in tables.rows("surveys"):
        told = {
            "population": row["population"],
            "fielded": row["fielded"],
            "country": row["country"],
            "language": row["language"],
        }
        add(
            f"Survey {row['survey']}",
            row["title"],
            *(f"{name}: {value}" for name, value in told.items() if value),
        )
    add("People's answers", *_people(tables))
    add("Held out", *_held_out(tables), f"drawn by hash with seed {settings.get('seed', 1)}")
    asked = _llms(tables)
    add("LLMs", *(asked or ["none was asked"]))
    if asked:
        add("What LLMs were asked", *_prompts(tables))
        add("Settings", *_settings(tables))
    add(
        "Intervals",
        f"95 %, bootstrap over respondents with {settings.get('bootstrap_resamples', 1000):,} draws"
        f" ({settings.get('group_resamples', 200):,} for groups and checks)",
    )
    add(
        "Software",
        f"LUPoM {__version__}, project {project.name}, target {project.files.target_name}",
        f"written {datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
    )
    for name in ("Sponsor", "Consent and ethics review", "Contact"):
        given = (settings.get("disclosure") or {}).get(name.partition(" ")[0].lower())
        add(name, str(given) if given else None)
    return out


def _people(tables: Findings) -> list[str]:
    lines = []
    if tables.has("responses"):
        for row in tables.query(
            "select survey, count(distinct respondent_id) as people,"
            " count(distinct question_id) as questions,"
            " count(*) filter (status = 'answered') as answered,"
            " count(*) filter (status in ('refused', 'dont_know')) as refused"
            " from main.responses group by survey order by survey"
        ):
            lines.append(
                f"{row['survey']}: {row['people']:,} respondents, {row['questions']} questions,"
                f" {row['answered']:,} answers, {row['refused']:,} refused or not known"
            )
    if tables.has("respondents"):
        weighted = tables.query(
            "select survey from main.respondents group by survey"
            " having max(weight) > min(weight) order by survey"
        )
        names = ", ".join(r["survey"] for r in weighted)
        lines.append(f"survey weights: {names or 'none'}")
    if tables.has("survey_designs"):
        designs = tables.query("select distinct survey from main.survey_designs order by survey")
        names = ", ".join(r["survey"] for r in designs)
        lines.append(f"sampling design in intervals of estimates: {names or 'none told'}")
    return lines


def _held_out(tables: Findings) -> list[str]:
    if not tables.has("holdout"):
        return []
    counts = tables.query(
        "select survey, role, count(*) as n from main.holdout where role in ('test', 'tuning')"
        " group by all order by all"
    )
    return [f"{r['survey']}: {r['n']:,} {r['role']} pairs" for r in counts]


def _llms(tables: Findings) -> list[str]:
    if not tables.has("calls"):
        return []
    rows = tables.query(
        "select alias, provider, model, parameters, count(*) as calls,"
        " count(*) filter (status <> 'ok') as invalid,"
        " strftime(min(created_at) at time zone 'UTC', '%Y-%m-%d') as first,"
        " strftime(max(updated_at) at time zone 'UTC', '%Y-%m-%d') as last"
        " from main.calls group by alias, provider, model, parameters order by all"
    )
    return [
        f"{r['alias']}: {r['model']} by {r['provider']}, parameters {_parameters(r['parameters'])},"
        f" {r['calls']:,} calls, {r['invalid']:,} without a usable answer, {_between(r)}"
        for r in rows
    ]


def _parameters(text: Any) -> str:
    return str(text) if text and text != "{}" else "the provider's own"


def _between(row: Row) -> str:
    return row["first"] if row["first"] == row["last"] else f"{row['first']} to {row['last']}"


def _prompts(tables: Findings) -> list[str]:
    rows = tables.query(
        "select node, count(*) as calls, count(distinct messages_hash) as prompts"
        " from main.calls group by node order by node"
    )
    told = ", ".join(f"{r['node']} {r['calls']:,} ({r['prompts']:,} prompts)" for r in rows)
    return [
        f"calls by model of the project: {told}",
        "the wording is in the project's prompts/, what each call was told in its ledger",
    ]


def _settings(tables: Findings) -> list[str]:
    rows = tables.rows("prediction_settings")
    return [f"{r['setting']}: {tables.title(r['setting'])}" for r in rows]
