"""A project's estimates of the population, those that are asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from lupom.engine.errors import UsageError
from lupom.engine.run.reading import standing
from lupom.names import found
from lupom.telling import warn

if TYPE_CHECKING:
    from lupom.engine.run.context import Context
    from lupom.engine.run.tables import Table

# The var that says how many answers a group has at least, and what it is where it is not set.
_SMALLEST = "estimate_smallest", 20
SHOWN = (
    *("survey", "question_id", "statistic", "option", "attribute", "group", "against", "method"),
    *("predictor", "llm", "estimate", "low", "high", "n_humans", "n_effective", "valid"),
)


def estimate(
    context: Context,
    question: str | None = None,
    *,
    by: str | None = None,
    survey: str | None = None,
    differences: bool = False,
    every: bool = False,
    note: Callable[[str], None] | None = None,
) -> Table:
    """Return estimates of the built model `estimates`.

    Parameters
    ----------
    question : of one question alone. by : of the groups of this attribute, in place of everybody.
    differences : of how groups differ from the largest. every : every method, the naive ones that
        are not valid too, in place of the recommended one.

    Raises
    ------
    StoreError : where estimates are not built.
    UsageError : for a question, attribute or survey that is not among them, and differences
        without `by`.
    """
    import pyarrow.compute as pc

    from lupom import groups
    from lupom.engine.run.tables import Table

    if differences and by is None:
        raise UsageError("differences are between groups", hint="--by ATTRIBUTE says which")
    rows = standing(context, "estimates").arrow
    for name, wanted, what in (
        ("survey", survey, "survey"),
        ("question_id", question, "question"),
        ("attribute", by, "attribute"),
    ):
        if wanted is not None:
            known = sorted(v for v in pc.unique(rows[name]).to_pylist() if v is not None)
            if what == "attribute":
                has = "the estimates have"
                by = name_of = groups.found(context, wanted, known, has, *_SMALLEST, survey)
            else:
                name_of = found(wanted, known, f"no estimates of the {what}")
            if what == "survey":
                survey = name_of
            rows = rows.filter(pc.fill_null(pc.equal(rows[name], name_of), False))
    if by is None:
        rows = rows.filter(pc.is_null(rows["attribute"]))
    else:
        there = {*rows["group"].to_pylist(), *rows["against"].to_pylist()}
        if said := groups.left_out(context, by, there, *_SMALLEST, survey):
            (note or warn)(said)
    against = pc.is_valid(rows["against"])
    rows = rows.filter(against if differences else pc.invert(against))
    if not every:
        rows = rows.filter(rows["recommended"])
    shown = [name for name in SHOWN if _tells(rows, name)]
    return Table(rows.select(shown))


def _tells(rows: Any, name: str) -> bool:
    """Say whether a column is worth its place: it is one of numbers, or holds something."""
    return name not in ("attribute", "group", "against", "predictor", "llm", "option") or (
        rows[name].null_count < rows.num_rows
    )
