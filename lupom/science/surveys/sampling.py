"""Columns that say how a survey's people were drawn: sampling units, strata, probabilities."""

from __future__ import annotations

import re
from collections.abc import Collection

from lupom.science.surveys.columns import Column, slug
from lupom.science.surveys.missing_codes import number_of

# The European Social Survey's psu and stratum, the General Social Survey's vpsu and vstrat, NHANES'
# sdmvpsu and sdmvstra, PISA's and DHS' names.
_CLUSTER = re.compile(
    r"(?:v|sdmv|var|e|s|w\d+_?)?psu(?:_?(?:id|no|nr|code))?\d*|(?:var_?)?secu|upm|upp?_?id"
)
_STRATUM = re.compile(
    r"(?:v|sdmv|var|ve|e|w\d+_?)?(?:strat(?:um|a|um_?id)?|stra)(?:_?(?:id|no|nr|code))?\d*|estrato"
)
_PROBABILITY = re.compile(
    r"(?:(?:sel(?:ection)?|incl(?:usion)?|sampling|samp)_?)?prob(?:ability)?(?:_?(?:sel(?:ection)?|incl(?:usion)?))?"
)
# Fewer are answers: two strata are groups. A unit of its own for each person is none of a cluster,
# and says that there are none.
FEWEST = 3


def role(column: Column) -> str:
    """Return 'cluster' or 'stratum' where a column is one of these, else ''."""
    name = slug(column.name)
    different = set(column.values) - {""}
    if column.why or len(different) < FEWEST or "" in column.values:
        return ""
    return "cluster" if _CLUSTER.fullmatch(name) else "stratum" if _STRATUM.fullmatch(name) else ""


def is_probability(column: Column) -> bool:
    """Say whether a column has the probabilities with which people were drawn."""
    if not _PROBABILITY.fullmatch(slug(column.name)) or column.labels:
        return False
    numbers = [number_of(v) for v in column.values if v]
    return bool(numbers) and all(n is not None and 0 < n < 1 for n in numbers)


def note(design: Collection[str]) -> str | None:
    """Return how to tell estimates of these columns; None where they are not plain."""
    by_role: dict[str, str] = {}
    for name in design:
        found = "cluster" if _CLUSTER.fullmatch(slug(name)) else "stratum"
        by_role.setdefault(found, name)
    if not by_role:
        return None
    told = ", ".join(f"{role}: {name}" for role, name in sorted(by_role.items()))
    verb = "say" if len(by_role) > 1 else "says"
    return (
        f"{' and '.join(by_role.values())} {verb} how people were drawn; for intervals of estimates"
        f" that know it put survey_design: {{{told}}} under vars: in lupom_project.yml"
    )
