"""Groups of an attribute that a table leaves out: they are small, or were not asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import TYPE_CHECKING

from lupom import names
from lupom.engine.errors import StoreError, UsageError
from lupom.engine.run.reading import table

if TYPE_CHECKING:
    from lupom.engine.run.context import Context

# How many groups of few people are named.
_SHOWN = 10


def found(
    context: Context,
    attribute: str,
    there: Collection[str],
    what: str,
    var: str,
    default: int,
    survey: str | None = None,
) -> str:
    """Return the attribute whose groups a table has.

    Parameters
    ----------
    there : the attributes in it. what : 'the plan has', for messages.
    var, default : the var that says how many people a group has at least, and what it is unset.
    survey : of one alone.

    Raises UsageError where the table has none of its groups: no such attribute, one that the var
    `group_attributes` does not name, or one of small groups alone, with their numbers of people.
    """
    same = [name for name in there if name.casefold() == str(attribute).casefold()]
    if len(same) == 1:
        return same[0]
    sizes = _sizes(context, survey)
    if attribute not in sizes and attribute in _questions(context):
        raise UsageError(
            f"{what} no groups of '{attribute}': it is a question, and no attribute",
            hint="the codebook says which is which; import again after an edit",
        )
    name = names.found(attribute, list(sizes or there), f"{what} no attribute")
    chosen = context.files.vars.get("group_attributes")
    if chosen is not None and name not in chosen:
        listed = ", ".join(map(str, chosen)) or "none"
        raise UsageError(
            f"{what} no groups of '{name}': the var group_attributes names {listed}",
            hint=f"lupom run --vars '{{group_attributes: [{name}]}}'",
        )
    least, largest = context.files.vars.get(var, default), max(sizes[name].values(), default=0)
    if largest >= least:
        raise UsageError(
            f"{what} no groups of '{name}', which has some of {var} ({least}) people and more:"
            " it was built with other vars",
            hint="lupom run",
        )
    raise UsageError(
        f"{what} no groups of '{name}': none has {var} ({least}) people; {_counted(sizes[name])}",
        hint=f"lupom run --vars '{{{var}: {max(largest, 1)}}}'",
    )


def left_out(
    context: Context,
    attribute: str,
    shown: Collection[str | None],
    var: str,
    default: int,
    survey: str | None = None,
) -> str | None:
    """Return what is to be said of an attribute's groups that a table does not show, if any."""
    sizes = _sizes(context, survey).get(attribute, Counter())
    small = Counter({group: count for group, count in sizes.items() if group not in shown})
    if not small:
        return None
    least = context.files.vars.get(var, default)
    return f"left out, with too few people for {var} ({least}): {_counted(small)}"


def _counted(sizes: Counter[str]) -> str:
    said = ", ".join(f"{group} {count:,}" for group, count in sizes.most_common(_SHOWN))
    more = len(sizes) - _SHOWN
    return f"{said} and {more} more" if more > 0 else said


def _questions(context: Context) -> set[str]:
    try:
        return set(table(context, "questions").arrow["question_id"].to_pylist())
    except StoreError:
        return set()


def _sizes(context: Context, survey: str | None) -> dict[str, Counter[str]]:
    """Return how many people have each value of each attribute, of one survey or all."""
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        people = table(context, "respondents").arrow
    except StoreError:
        return {}
    if survey is not None:
        people = people.filter(pc.equal(people["survey"], survey))
    sizes: dict[str, Counter[str]] = {}
    for part in people["attributes"].chunks:
        pairs = pa.table({"name": part.keys, "value": part.items, "one": [1] * len(part.keys)})
        counted = pairs.group_by(["name", "value"]).aggregate([("one", "sum")])
        for row in counted.to_pylist():
            sizes.setdefault(row["name"], Counter())[row["value"]] += row["one_sum"]
    return sizes
