"""How a survey's people were drawn: sampling units, strata and replicate weights."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from lupom.science.inputs import arrow
from lupom.science.names import did_you_mean
from lupom.science.surveys import cells
from lupom.science.surveys.opinionqa import respondent_ids

DESIGNS = pa.schema(
    [
        ("survey", pa.string()),
        ("respondent_id", pa.string()),
        ("cluster", pa.string()),
        ("stratum", pa.string()),
        ("replicates", pa.list_(pa.float64())),
        ("scale", pa.float64()),
    ]
)
KEYS = ("cluster", "stratum", "replicates", "method", "fay")
# How the sum of squared deviations of R replicates becomes a variance (Wolter 2007, chapters 3-5).
METHODS = ("brr", "fay", "jackknife", "bootstrap")


def designs(surveys: Mapping[str, tuple[Any, Any]], told: Any) -> pa.Table:
    """Return one row per respondent of every survey whose design is told.

    Parameters
    ----------
    surveys : the tables (info, responses) by survey name.
    told : by survey name, or one for all surveys: a mapping of cluster and stratum (columns of
        responses), or of replicates (columns, `*` standing for any letters, or a list of them) with
        method ('brr', 'fay', 'jackknife' or 'bootstrap') and for 'fay' its coefficient, `fay`.

    Returns
    -------
    survey, respondent_id, cluster, stratum (null where not told), replicates (a list of weights,
    null where not told), scale (of their squared deviations' sum).

    Raises
    ------
    ValueError : for an unknown key, method or column, a column that is a question, a weight that is
        no number, a blank cluster or stratum.
    """
    parts = []
    for survey, tables in surveys.items():
        design = _of(told, survey, surveys)
        if design:
            info, responses = tables
            parts.append(_design(survey, arrow(info), arrow(responses), design))
    return pa.concat_tables(parts) if parts else DESIGNS.empty_table()


def _of(told: Any, survey: str, surveys: Mapping[str, Any]) -> dict[str, Any]:
    if not told:
        return {}
    if not isinstance(told, Mapping):
        raise ValueError(
            f"survey_design: expected a mapping such as {{cluster: PSU, stratum: STRATUM}}, "
            f"got {told!r}"
        )
    if not all(isinstance(v, Mapping) for v in told.values()):
        return _checked(told, "survey_design")
    for name in told:
        if name not in surveys:
            raise ValueError(
                f"survey_design: there is no survey {name!r}{did_you_mean(name, surveys)}; "
                f"there are {', '.join(surveys)}"
            )
    return _checked(told.get(survey) or {}, f"survey_design: {survey}")


def _checked(design: Mapping[str, Any], where: str) -> dict[str, Any]:
    for key in design:
        if key not in KEYS:
            raise ValueError(f"{where}: unknown key {key!r}{did_you_mean(key, KEYS)}")
    if not design.get("replicates"):
        lost = [key for key in ("replicates", "method", "fay") if key in design]
        if lost:
            raise ValueError(
                f"{where}: {lost[0]} without columns of replicate weights; name them, such as "
                f'replicates: "REPWT*"'
            )
        if not any(design.get(key) for key in ("cluster", "stratum")):
            raise ValueError(f"{where}: neither a cluster, a stratum nor replicates are told")
        return dict(design)
    if {"cluster", "stratum"} & set(design):
        raise ValueError(
            f"{where}: replicate weights hold clusters and strata already; tell one or the other"
        )
    method = design.get("method")
    if method not in METHODS:
        said = "no method is told" if method is None else f"unknown method {method!r}"
        raise ValueError(
            f"{where}: {said}{did_you_mean(str(method), METHODS)}; the survey's documentation says "
            f"which of {', '.join(METHODS)} made the replicate weights"
        )
    fay = design.get("fay", 0.0)
    if method == "fay" and not (isinstance(fay, int | float) and 0 < fay < 1):
        raise ValueError(f"{where}: Fay's coefficient (fay) is between 0 and 1, not {fay!r}")
    return dict(design)


def _design(
    survey: str, info: pa.Table, responses: pa.Table, design: Mapping[str, Any]
) -> pa.Table:
    ids = respondent_ids(responses, survey)
    questions = {cells.text(key) for key in info["key"].to_pylist()}

    def column(name: Any, what: str) -> pa.ChunkedArray:
        names = responses.column_names
        if name not in names:
            raise ValueError(
                f"{survey}: responses has no column {name!r}, which survey_design calls {what}"
                f"{did_you_mean(str(name), names)}"
            )
        if name in questions:
            raise ValueError(f"{survey}: {name!r} is a question and cannot be {what}")
        return responses[name]

    units: dict[str, list[str] | None] = {"cluster": None, "stratum": None}
    for what in units:
        if design.get(what) is not None:
            values = [cells.text(v) for v in column(design[what], f"a {what}").to_pylist()]
            if "" in values:
                raise ValueError(
                    f"{survey}: responses, column {design[what]!r}, row {values.index('') + 1}: "
                    f"a respondent's {what} is blank"
                )
            units[what] = values
    replicates, scale = _replicates(survey, responses, questions, design)
    n = responses.num_rows
    return pa.table(
        [
            pa.repeat(survey, n),
            ids,
            *(pa.nulls(n, pa.string()) if v is None else pa.array(v) for v in units.values()),
            pa.nulls(n, pa.list_(pa.float64())) if replicates is None else pa.array(replicates),
            pa.array([scale] * n, pa.float64()),
        ],
        schema=DESIGNS,
    )


def _replicates(
    survey: str, responses: pa.Table, questions: set[str], design: Mapping[str, Any]
) -> tuple[list[list[float]] | None, float | None]:
    patterns = design.get("replicates")
    if not patterns:
        return None, None
    names: list[str] = []
    for pattern in [patterns] if isinstance(patterns, str) else patterns:
        found = fnmatch.filter(responses.column_names, str(pattern))
        if not found:
            raise ValueError(
                f"{survey}: no column of responses is {pattern!r}, which survey_design calls "
                f"replicate weights{did_you_mean(str(pattern), responses.column_names)}"
            )
        names += [name for name in found if name not in names]
    asked = [name for name in names if name in questions]
    if asked:
        raise ValueError(f"{survey}: {asked[0]!r} is a question and cannot be a replicate weight")
    if len(names) < 2:
        raise ValueError(f"{survey}: one column of replicate weights, {names[0]!r}, is no variance")
    columns = [cells.weights(responses[name], name, survey, "a replicate weight") for name in names]
    r = len(names)
    factor = {
        "brr": 1 / r,
        "fay": 1 / (r * (1 - design.get("fay", 0.0)) ** 2),
        "jackknife": (r - 1) / r,
        "bootstrap": 1 / r,
    }[design["method"]]
    return [list(row) for row in zip(*columns, strict=True)], factor
