"""The budget of a run: made from settings, refused where it cannot be kept, and what is left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lupom.engine.errors import UsageError
from lupom.engine.llm import prices
from lupom.engine.llm.forecast import Asked, Forecast, Range, forecast
from lupom.engine.project.nodes import Node
from lupom.engine.run.context import Context
from lupom.engine.run.plan import Plan

if TYPE_CHECKING:
    from lupom.engine.llm.budget import Budget
    from lupom.engine.project.settings import BudgetSettings, Limit


def read_limit(given: Any) -> Limit:
    """Read a budget as it is given to a run: 2.5, '$2.50', '500k tokens'; raises UsageError."""
    from pydantic import ValidationError

    from lupom.engine.project.settings import Limit

    try:
        return Limit.model_validate(given)
    except ValidationError as error:
        reason = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise UsageError(f"--budget: {reason}", hint="--budget '$2.50' or '500k tokens'") from None


def make_budget(settings: BudgetSettings, given: str | None, context: Context) -> Budget | None:
    """Return what a run may spend; None where nothing limits it.

    `given` takes the place of the run's budget in the settings. The project's budget is kept in the
    ledger, whoever spends of it: calls whose price was unknown count with their tokens, and batches
    that are out with the most they may take.
    """
    run = settings.run if given is None else read_limit(given)
    if run is None and settings.project is None:
        return None
    from lupom.engine.llm.budget import Budget, Pot, SharedPot

    pots: list[Pot] = []
    shared: list[SharedPot] = []
    if run is not None:
        pots.append(Pot("the run's budget", run.money, run.tokens))
    if settings.project is not None:
        whole = settings.project
        named = "the project's budget"
        shared.append(SharedPot(context.state, "project", named, whole.money, whole.tokens))
    budget = Budget(*pots, shared=shared)
    budget.of_run = None if run is None else (run.tokens, run.money)
    return budget


def check_prices(context: Context, plan: Plan, budget: Budget) -> None:
    """Refuse a budget of money where an LLM to be asked has no price; raises UsageError."""
    if not budget.of_money:
        return
    for step in plan.doing():
        node = context.nodes[step.node]
        # Where rows name the alias, the data say which, and it is checked before they are asked.
        if node.materialization.needs_llm and not node.config.get("llm_column"):
            check_price(context, node, node.config["llm"], budget)


def check_price(context: Context, node: Node, alias: str, budget: Budget) -> None:
    """Refuse a budget of money for an alias (or one it falls back on) that has no price; raises
    UsageError."""
    llms = context.files.settings.llms
    name: str | None = alias if budget.of_money else None
    while name is not None:
        if llms[name].price is None:
            raise UsageError(
                f"{node.name} asks llm '{name}', whose price is unknown, so a budget of money"
                " cannot be kept",
                hint=f"give llms.{name} a price: {{input: ..., output: ...}} in USD per"
                " million tokens, 0 where it costs nothing; or a budget of tokens",
            )
        name = llms[name].fallback


def taking(context: Context, node: str, calls: Mapping[str, Sequence[Asked]]) -> Forecast:
    """Return what a node's calls will take, those of several aliases together."""
    ledger, llms = context.state.ledger, context.files.settings.llms
    out = Forecast.none()
    for alias, asked in calls.items():
        out = out + forecast(ledger, llms, alias, node, asked)
    return out


def said(tokens: Range, cost: Range | None) -> str:
    """Spell ranges of tokens and money."""
    low, high = f"{round(tokens.low):,}", prices.tokens(tokens.high)
    words = high if high.startswith(f"{low} ") else f"{low}-{high}"
    if cost is None:
        return f"{words}, price unknown"
    least, most = prices.dollars(cost.low), prices.dollars(cost.high)
    return f"{words}, {most if least == most else f'{least}-{most}'}"
