"""The report's section on predictors without an LLM: what each costs, and what it adds."""

from __future__ import annotations

from lupom.science.predictors.contributions import to_leave_out
from lupom.site.charts import Dot, dots
from lupom.site.figures import Figure, Table
from lupom.site.findings import Findings, Row, plain, share, signed, within

TITLE = "What each predictor costs and adds"
NOTE = (
    "The combination of all predictors that need no LLM, fitted with each of them and without it,"
    " on tuning pairs: what is left out by this may be judged on the test pairs."
)
_ENDS = ("nll_gain", "nll_gain_low", "nll_gain_high")
_POINTS = ("accuracy_gain", "accuracy_gain_low", "accuracy_gain_high")


def predictors(tables: Findings) -> tuple[list[Figure], list[str]]:
    """Return a figure of each survey, and a sentence of what to leave out there."""
    rows = [r for r in tables.rows("predictors_cost") if r["n"]]
    figures, said = [], []
    for survey in dict.fromkeys(r["survey"] for r in rows):
        own = [r for r in rows if r["survey"] == survey]
        gained = [r for r in own if r["nll_gain"] is not None]
        if gained:
            gained.sort(key=lambda r: (-r["nll_gain"], r["predictor"]))
            figures.append(_gains(tables, survey, gained, own))
            said.append(_advice(tables, survey, own))
    return figures, said


def _gains(tables: Findings, survey: str, gained: list[Row], own: list[Row]) -> Figure:
    caption = f"{survey}: gain of the combination from each predictor, in 1/1000 nat an answer"
    if not all(r["part"] for r in gained):
        caption += "; grey is no part of it, and would add so much"
    chart = dots([_dot(tables, r) for r in gained], caption, digits=1, reference=0.0, unit="1/1000")
    # Those without a gain, such as the only part, have costs and figures of their own.
    rows = [*gained, *(r for r in own if r["nll_gain"] is None)]
    table = Table(
        [
            *("predictor", "a part", "CPU seconds", "size in kB", "accuracy", "log loss"),
            *("gain in nats", "from", "to", "gain in points", "from", "to"),
        ],
        [
            [
                *(r["predictor"], "yes" if r["part"] else "no", plain(r["seconds"], 2)),
                "" if r["size"] is None else f"{r['size'] / 1000:,.0f}",
                *(share(r["accuracy"]), plain(r["nll"])),
                *(plain(r[k], 4) for k in _ENDS),
                *(signed(r[k]) for k in _POINTS),
            ]
            for r in rows
        ],
    )
    return Figure(caption, [("", chart)], table)


def _dot(tables: Findings, row: Row) -> Dot:
    value, low, high = (None if row[k] is None else 1000 * row[k] for k in _ENDS)
    small = row["predictor"]
    if row["seconds"] is not None:
        small += f", {_seconds(row['seconds'])} of CPU"
    return Dot(
        tables.title(row["predictor"]), value or 0.0, low, high, small=small, few=not row["part"]
    )


def _seconds(value: float) -> str:
    return f"{value:,.1f} s" if value >= 0.1 else "under 0.1 s"


def _advice(tables: Findings, survey: str, rows: list[Row]) -> str:
    goes = to_leave_out(rows)
    total = sum(r["seconds"] or 0.0 for r in rows)
    if goes is None:
        return (
            f"{survey}: there is nothing to leave out. What takes long adds something, or"
            f" {rows[0]['n']:,} tuning pairs do not say that it adds nothing. All fits together"
            f" took {_seconds(total)} of CPU."
        )
    rest = ", ".join(r["predictor"] for r in rows if r is not goes)
    interval = within(plain(goes["nll_gain_low"], 4), plain(goes["nll_gain_high"], 4))
    effect = "what the combination loses without it"
    if not goes["part"]:
        effect = "what it would add to the combination, of which it is no part,"
    return (
        f"{survey}: {tables.said({**goes, 'llm': None})} may be left out. It takes"
        f" {_seconds(goes['seconds'])} of the {_seconds(total)} of CPU of all fits, and {effect}"
        f" may be chance: {plain(goes['nll_gain'], 4)} nats an answer{interval}. In"
        f" lupom_project.yml: vars: {{predictors: [{rest}]}}"
    )
