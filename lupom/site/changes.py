"""The report's figure of two waves or surveys: how answers to the same question differ."""

from __future__ import annotations

from lupom.site.charts import Dot, dots
from lupom.site.figures import Figure, Table
from lupom.site.findings import Findings, Row, share, signed

# Changes that are drawn; the table has all of everybody.
SHOWN = 12


def changes(tables: Findings) -> list[Figure]:
    """Return the largest changes between each two surveys, surer ones first."""
    rows = tables.rows("estimate_changes", {"attribute": None, "statistic": "share"})
    rows = [r for r in rows if r["change"] is not None]
    figures = []
    for first, second in dict.fromkeys((r["survey"], r["other_survey"]) for r in rows):
        own = [r for r in rows if (r["survey"], r["other_survey"]) == (first, second)]
        sure = [r for r in own if _sure(r)]
        own.sort(key=lambda r: (not _sure(r), -abs(r["change"]), r["question_id"], r["option"]))
        asked = len({r["question_id"] for r in own})
        caption = (
            f"{first} to {second}: {len(sure)} of {len(own)} shares of {asked} questions changed"
            " beyond chance; the largest changes"
        )
        chart = dots(
            [
                Dot(
                    f"{r['question_id']}: {r['option']}",
                    r["change"],
                    r["low"],
                    r["high"],
                    "combined" if _sure(r) else "plain",
                    f"{share(r['estimate'])} to {share(r['other_estimate'])}",
                    few=not _sure(r),
                )
                for r in own[:SHOWN]
            ],
            f"Change of shares from {first} to {second}",
            points=True,
            reference=0.0,
            unit="percentage points",
        )
        table = Table(
            ["question", "option", first, second, "change", "from", "to", "beyond chance"],
            [
                [
                    *(r["question_id"], str(r["option"])),
                    *(share(r["estimate"]), share(r["other_estimate"])),
                    *(signed(r["change"]), signed(r["low"]), signed(r["high"])),
                    "yes" if _sure(r) else "no",
                ]
                for r in own
            ],
        )
        figures.append(Figure(caption, [("", chart)], table))
    return figures


def _sure(row: Row) -> bool:
    return row["p_bh"] is not None and row["p_bh"] < 0.05
