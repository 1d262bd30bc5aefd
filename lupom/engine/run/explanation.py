"""What is known of one answer, as an object and as text for a terminal."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Attempt:
    """An answer that was not valid, and why; `earlier` is of a round before the last retry."""

    text: str
    error: str
    earlier: bool = False


@dataclass(frozen=True, slots=True)
class Input:
    """Rows of an upstream table that share the columns `by` with the answer's row.

    `count` is how many there are; `rows` are the first of them. `guarded` tables are held out.
    """

    table: str
    by: list[str]
    count: int
    rows: list[dict[str, Any]]
    guarded: bool = False


@dataclass(slots=True)
class Explanation:
    """One answer of an LLM model and where it comes from.

    Attributes
    ----------
    key : the row, by key column.
    prompt : messages as they would be asked today.
    rows_per_call : how many rows the prompt may ask together with this one; it is shown as it would
        ask this one alone.
    options : what may be answered, where the response is a choice.
    answer : the answer's rows in the model's table; [] where it has none.
    status : 'ok', 'invalid', or None where nothing was asked.
    call_id, alias, provider, llm : of the call in the ledger; `llm` is the model's name there.
    text : what the LLM wrote last; `error` why that was not valid.
    attempts, invalid : how often it was asked, and what came back that was not valid.
    tokens_in, tokens_out, tokens_cached, cost, seconds : of all attempts; USD, None where the price
        is unknown.
    asked_at, run_id, asked_for : when (UTC), by which run and for which model it was last asked.
    from_ledger : the run that built the table found it in the ledger and paid nothing.
    prompt_changed : the answer is of another prompt than today's.
    inputs : what went in, from upstream tables.
    left_out : upstream tables of which too many rows share the key's columns, with their number.
    """

    model: str
    key: dict[str, Any]
    prompt: list[dict[str, str]]
    options: list[str] | None = None
    rows_per_call: int = 1
    answer: list[dict[str, Any]] = field(default_factory=list)
    status: str | None = None
    call_id: str | None = None
    alias: str | None = None
    provider: str | None = None
    llm: str | None = None
    text: str | None = None
    error: str | None = None
    probabilities: dict[str, float] | None = None
    missing_mass: float | None = None
    attempts: int = 0
    invalid: list[Attempt] = field(default_factory=list)
    tokens_in: int | None = 0
    tokens_out: int | None = 0
    tokens_cached: int = 0
    cost: float | None = None
    seconds: float = 0.0
    asked_at: str | None = None
    run_id: str | None = None
    asked_for: str | None = None
    built_by: str | None = None
    from_ledger: bool = False
    repaired: bool = False
    prompt_changed: bool = False
    inputs: list[Input] = field(default_factory=list)
    left_out: dict[str, int] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain values, as `lupom explain --format json` prints it."""
        return asdict(self)

    def __str__(self) -> str:
        return self.as_text()

    def as_text(self) -> str:
        """Return it as text for a terminal, without control characters."""
        lines = [f"{self.model}: " + ", ".join(f"{k} {v}" for k, v in self.key.items()), ""]
        lines += self._answer_lines()
        lines += ["", "Prompt" + (" (the answer is of an earlier one)" * self.prompt_changed)]
        if self.rows_per_call > 1:
            lines.append(f"  alone; up to {self.rows_per_call} rows like it share a request")
        lines.append("")
        for message in self.prompt:
            lines += [f"  [{message['role']}]"]
            lines += [f"  {_plain(line)}" for line in message["content"].splitlines()]
        if self.options is not None:
            lines += ["", "Options: " + " | ".join(_plain(option) for option in self.options)]
        for one in self.inputs:
            some = f"{one.count:,} row{'s' if one.count != 1 else ''}"
            cut = f", the first {len(one.rows)}" if one.count > len(one.rows) else ""
            held = ", held out" if one.guarded else ""
            lines += ["", f"{one.table} ({some} by {', '.join(one.by)}{cut}{held})", ""]
            lines += _table([_without(row, self.key) for row in one.rows])
        if self.left_out:
            named = ", ".join(f"{name} ({count:,} rows)" for name, count in self.left_out.items())
            lines += ["", f"Not shown, being of more than this row: {named}"]
        return "\n".join(lines)

    def _answer_lines(self) -> list[str]:
        if self.status is None:
            return ["Answer: none; it was not asked yet"]
        if self.status != "ok" or not self.answer:
            lines = [f"Answer: {self.status}" + (f": {_plain(self.error)}" if self.error else "")]
            lines.append(f"  last text: {_plain(self.text or '(nothing)')}")
        elif len(self.answer) == 1:
            lines = ["Answer"]
            shown = {k: v for k, v in self.answer[0].items() if k != "probabilities"}
            lines += [f"  {name}: {_value(value)}" for name, value in shown.items()]
        else:
            lines = [f"Answer, {len(self.answer)} rows", *_table(self.answer)]
        if self.probabilities:
            ranked = sorted(self.probabilities.items(), key=lambda pair: (-pair[1], pair[0]))
            lines += ["Probabilities"]
            lines += [f"  {share:6.3f}  {_plain(option)}" for option, share in ranked]
        price = "cost unknown" if self.cost is None else f"${self.cost:.6f}"
        if self.cost is None and self.tokens_in is not None:
            price = "price unknown"
        taken = ["unknown" if n is None else f"{n:,}" for n in (self.tokens_in, self.tokens_out)]
        cached = f" ({self.tokens_cached:,} from the prompt cache)" if self.tokens_cached else ""
        lines += [
            "",
            "Call",
            f"  llm: {self.alias} ({self.provider}, {self.llm})",
            f"  tokens: {taken[0]} in{cached}, {taken[1]} out; {price}; {self.seconds:.1f} s",
            f"  asked: {self.asked_at} by run {self.run_id} for {self.asked_for}, in"
            f" {self.attempts} attempt{'s' if self.attempts != 1 else ''}",
            f"  call_id: {self.call_id}",
        ]
        if self.repaired:
            lines.append("  the answer's text was repaired to be read: it is as written above")
        if self.from_ledger:
            lines.append(f"  run {self.built_by} built the table, and took it from the ledger")
        for attempt in self.invalid:
            when = "invalid in an earlier round" if attempt.earlier else "invalid"
            lines.append(f"  {when}: {_plain(attempt.text)} ({_plain(attempt.error)})")
        return lines


def _without(row: dict[str, Any], key: dict[str, Any]) -> dict[str, Any]:
    """Leave out of a row what the key says already."""
    return {n: v for n, v in row.items() if n not in key or str(v) != str(key[n])} or row


def _value(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.3f}"
    if isinstance(value, dict | list):
        return _plain(json.dumps(value, ensure_ascii=False, default=str))
    return _plain("" if value is None else str(value))


def _plain(text: str) -> str:
    # Control characters in respondents' text or an answer must not drive the reader's terminal.
    return "".join(c if c.isprintable() else " " for c in text)


def _table(rows: list[dict[str, Any]]) -> list[str]:
    from tabulate import tabulate

    if not rows:
        return ["  (no rows)"]
    names = list(dict.fromkeys(name for row in rows for name in row))
    cells = [[_cut(_value(row.get(name))) for name in names] for row in rows]
    text: str = tabulate(cells, headers=names, tablefmt="simple", disable_numparse=True)
    return [f"  {line}" for line in text.splitlines()]


def _cut(text: str, width: int = 60) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"
