"""lupom plan."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from lupom.cli.options import (
    SelectingCommand,
    offline_option,
    open_project,
    project_options,
    selection_options,
)

if TYPE_CHECKING:
    from lupom.engine.llm.forecast import Range
    from lupom.engine.run.plan import Estimate, Step


@click.command(cls=SelectingCommand)
@selection_options
@click.option("-f", "--full-refresh", is_flag=True, help="As in lupom run.")
@click.option("--no-llm", is_flag=True, help="As in lupom run.")
@click.option("--retry-invalid", is_flag=True, help="As in lupom run.")
@click.option("--rehearse", is_flag=True, help="Make answers up, to count what is below them.")
@click.option("--all", "everything", is_flag=True, help="List what is up to date, too.")
@click.option("--format", "form", type=click.Choice(["table", "csv", "json"]), default="table")
@offline_option
@project_options
def plan(
    select: tuple[str, ...],
    exclude: tuple[str, ...],
    full_refresh: bool,
    no_llm: bool,
    retry_invalid: bool,
    rehearse: bool,
    everything: bool,
    form: str,
    offline: bool,
    project_dir: Path | None,
    target: str | None,
    vars_: str | None,
) -> None:
    """Say what a run would do, why, and at what cost. No call is made.

    For an LLM model: rows in all, rows answered before, calls to make, their tokens and price;
    calls that are out in a batch are counted apart, under "why". A model that has texts embedded
    by an endpoint has a line of the same kind. Below a model that is to be
    asked only a range is known, and nothing before it was ever asked: with --rehearse answers are
    made up, what is between is built in memory, and numbers with a ~ say about how much it is.

    \b
    Example:
      lupom plan --select persona_values+
      lupom plan --rehearse
    """
    from lupom.cli.formats import render

    with open_project(project_dir, target, vars_) as project:
        made = project.plan(
            select,
            exclude,
            full_refresh=full_refresh,
            no_llm=no_llm,
            retry_invalid=retry_invalid,
            rehearse=rehearse,
            offline=offline,
        )
    steps = made.steps if everything else made.doing()
    if not steps and form == "table":
        click.echo(f"Nothing to do: all {len(made.steps)} nodes are up to date.")
        return
    columns = ["node", "kind", "action", "rows", "answered", "to call", "tokens", "price", "why"]
    click.echo(render(columns, [_row(step) for step in steps], form))
    if form == "table":
        idle = len(made.steps) - len(made.doing())
        if idle:
            click.echo(f"{idle} more are up to date.", err=True)
        if total := _total(made.doing()):
            click.echo(total, err=True)
        unknown = [s for s in made.doing() if s.estimate and s.estimate.low is None]
        waiting = [s for s in unknown if s.estimate and not s.estimate.fault]
        if made.fault:
            click.echo(f"No LLM would be asked anything: {made.fault}", err=True)
        if waiting and not rehearse:
            click.echo(
                f"{len(waiting)} wait for answers above them; about what they take says"
                " lupom plan --rehearse.",
                err=True,
            )
        for step in unknown:
            if step.estimate and step.estimate.fault:
                # Its cell in the table is too narrow for it.
                click.echo(f"What {step.node} takes is unknown: {step.estimate.fault}", err=True)


def _row(step: Step) -> list[object]:
    estimate = step.estimate
    if estimate is None:
        return [step.node, step.kind, step.action, None, None, None, None, None, step.reason]
    why = "; ".join(part for part in (step.reason, estimate.note) if part)
    tokens = None if estimate.tokens is None else _span(estimate.tokens)
    return [
        step.node,
        step.kind,
        step.action,
        estimate.rows,
        estimate.cached,
        _range(estimate),
        tokens,
        _price(estimate),
        why,
    ]


def _range(estimate: Estimate) -> str | None:
    if estimate.low is None:
        return "?"
    if estimate.high is None:
        return f"{estimate.low} or more"
    about = "~" if estimate.guessed else ""
    if estimate.low == estimate.high:
        return f"{about}{estimate.low}"
    return f"{about}{estimate.low}-{estimate.high}"


def _total(steps: list[Step]) -> str:
    """Say what all calls together take, where more than one node makes any."""
    from lupom.engine.llm.forecast import Range
    from lupom.engine.run.spending import said

    known = [step.estimate for step in steps if step.estimate and step.estimate.tokens]
    if len(known) < 2:
        return ""
    tokens, cost = Range(), Range()
    priced = True
    for estimate in known:
        tokens = tokens + (estimate.tokens or Range())
        cost = cost + (estimate.cost or Range())
        priced = priced and estimate.cost is not None and not estimate.unpriced
    about = "about " if any(e.guessed for e in known) else ""
    what = _counted([e for e in known if not e.embeds], "calls")
    if texts := _counted([e for e in known if e.embeds], "texts to embed"):
        what = f"{what} and {texts}" if what else texts
    return f"In all {about}{what}: {said(tokens, cost if priced else None)}."


def _counted(estimates: list[Estimate], what: str) -> str:
    """Say how many of what some estimates are of; '' where there are none."""
    if not estimates:
        return ""
    low, high = (sum(getattr(e, name) or 0 for e in estimates) for name in ("low", "high"))
    return f"{high:,} {what}" if low == high else f"{low:,}-{high:,} {what}"


def _span(tokens: Range) -> str:
    low, high = round(tokens.low), round(tokens.high)
    return str(high) if low == high else f"{low}-{high}"


def _price(estimate: Estimate) -> str | None:
    if estimate.low is None:
        # How many rows there are is not known, whatever one costs.
        return "?"
    if estimate.high == 0:
        return "$0"
    if estimate.cost is None:
        return "price unknown"
    low, high = (f"${amount:.4f}" for amount in (estimate.cost.low, estimate.cost.high))
    price = high if low == high else f"{low}-{high}"
    if estimate.unpriced:
        price += f", and unknown for {', '.join(estimate.unpriced)}"
    return price
