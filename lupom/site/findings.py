"""What the report reads from the store, and how it words numbers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from lupom.engine.store.names import quoted
from lupom.site.titles import titles

if TYPE_CHECKING:
    from lupom.engine.workspace import Project

Row = dict[str, Any]
COMBINED = ("stack_plain", "stack", "routed")
SCENARIOS = {
    "known": "people and questions that are known otherwise",
    "new_respondent": "new respondents, of whom no answer is known",
    "new_question": "new questions, which nobody's answer is known to",
}


class Findings:
    """The store's tables as rows; one that is not built has none."""

    def __init__(self, project: Project) -> None:
        self._project = project
        found = project.query("select table_name from duckdb_tables() where schema_name = 'main'")
        self._there = {name for (name,) in found.rows()}
        self._titles: dict[str, str] = {}

    def rows(self, name: str, where: Mapping[str, Any] | None = None) -> list[Row]:
        """Return the rows whose columns have these values; None is null."""
        if not self.has(name):
            return []
        wanted = where or {}
        terms = [
            f"{quoted(column)} is null" if value is None else f"{quoted(column)} = ?"
            for column, value in wanted.items()
        ]
        tail = f" where {' and '.join(terms)}" if terms else ""
        values = [value for value in wanted.values() if value is not None]
        # In an order of its own: a table's own order is nobody's promise.
        return self.query(f"select * from {quoted('main', name)}{tail} order by all", values)

    def query(self, sql: str, values: list[Any] | None = None) -> list[Row]:
        """Return the rows of a query; a number that is none (NaN, infinite) is None."""
        table = self._project.query(sql, values).arrow
        found = table.to_pylist(maps_as_pydicts="lossy")
        return [{name: _number(value) for name, value in row.items()} for row in found]

    def has(self, name: str) -> bool:
        return name in self._there

    def title(self, predictor: str) -> str:
        """Return what a predictor or setting is to a reader, or its name where nothing says it."""
        if not self._titles:
            told = self.rows("predictors") if self.has("predictors") else []
            self._titles = {r["predictor"]: r["title"] for r in told if r.get("title")}
        if predictor not in self._titles:
            settings = self.rows("prediction_settings", {"setting": predictor})
            self._titles[predictor] = titles([predictor], settings).get(predictor, predictor)
        return self._titles[predictor]

    def small(self, alias: str) -> bool:
        """Say whether an alias is one of a small LLM, such as the embedded one."""
        found = self._project.files.settings.llms.get(alias)
        return found is not None and found.profile == "small"

    def said(self, row: Mapping[str, Any], *, first: bool = False) -> str:
        """Return title and own name for a sentence: 'the most common answer (majority)'.

        `first` begins a sentence.
        """
        title = self.title(str(row["predictor"]))
        if title == row["predictor"]:
            return name_of(row)
        word = title.partition(" ")[0]
        if word.casefold() not in ("a", "an", "the", "each", "every", "one"):
            # What begins with a name or an abbreviation keeps its capital.
            plain_word = word[1:].islower() and word != "Bayesian"
            title = f"the {title[:1].lower() if plain_word else title[:1]}{title[1:]}"
        title = (title[:1].upper() if first else title[:1].lower()) + title[1:]
        return f"{title} ({', '.join(filter(None, (row['predictor'], row['llm'])))})"


def _number(value: Any) -> Any:
    if isinstance(value, Decimal):
        return float(value)
    return None if isinstance(value, float) and not math.isfinite(value) else value


def name_of(row: Mapping[str, Any], predictor: str = "predictor", llm: str = "llm") -> str:
    """Return a predictor's name, with its LLM's alias if it has one."""
    return str(row[predictor]) if row[llm] is None else f"{row[predictor]} ({row[llm]})"


def kind_of(row: Mapping[str, Any]) -> str:
    """Return 'combined', 'llm' or 'plain', as charts mark them."""
    if row["predictor"] in COMBINED:
        return "combined"
    return "plain" if row["llm"] is None else "llm"


def best_of(board: Iterable[Row]) -> Row:
    """Return the predictor with the least log loss, and without any the most accurate."""
    rows = list(board)
    with_loss = [r for r in rows if r["nll"] is not None]
    if with_loss:
        return min(with_loss, key=lambda r: r["nll"])
    return max(rows, key=lambda r: r["accuracy"])


def which_pairs(pairs: str) -> str:
    """Return a set of pairs in words."""
    known = {"all": "all test pairs", "llm": "the pairs the LLM was asked"}
    return known.get(pairs, f"the pairs that {pairs} predicted")


def share(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.1f} %"


def signed(value: float | None) -> str:
    """Return points, signed: '+1.0'; what rounds to 0 has no sign."""
    if value is None:
        return ""
    points = round(100 * value, 1)
    return f"{points:+.1f}" if points else "0.0"


def plain(value: Any, digits: int = 3) -> str:
    if value is None:
        return ""
    return f"{round(value, digits) + 0.0:.{digits}f}" if isinstance(value, float) else f"{value:,}"


def money(value: float) -> str:
    """Return dollars with as many digits as say something."""
    if value == 0 or value >= 1:
        return f"{value:,.2f} USD"
    return f"{value:.{max(2, 1 - math.floor(math.log10(value)))}f} USD"


def within(low: str, high: str) -> str:
    """Return an interval to put after a number, or nothing."""
    return f" [{low}, {high}]" if low and high else ""
