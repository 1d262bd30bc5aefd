"""What was found, in sentences to be read aloud: how good, what the LLM adds, what to do next.

The site's first page, the report and the end of a run say the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from lupom.site.findings import (
    Findings,
    Row,
    best_of,
    plain,
    share,
    signed,
    within,
)

# An interval this wide (in accuracy) says little about which of two predictors is better.
WIDE = 0.1
# With fewer tuning pairs than this it cannot be told that an LLM adds nothing.
ENOUGH = 100

_NEEDED = ("survey", "scenario", "pairs", "predictor", "llm", "accuracy", "low", "high", "nll", "n")


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found of one survey.

    Attributes
    ----------
    survey : its name.
    good : how good the best predictor is, with its interval.
    against : how much better that is than the most common answer, and how sure.
    llm : what the LLM adds.
    next : what to do.
    """

    survey: str
    good: str
    against: str
    llm: str
    next: str


def findings(tables: Findings) -> list[Finding]:
    """Return what was found of each survey; nothing where no leaderboard of this kind is built."""
    board = [r for r in tables.rows("leaderboard") if all(k in r for k in _NEEDED)]
    board = [r for r in board if r["scenario"] == "known" and None not in (r["accuracy"], r["n"])]
    found = []
    for survey in dict.fromkeys(r["survey"] for r in board):
        own = [r for r in board if r["survey"] == survey]
        every = [r for r in own if r["pairs"] == "all"] or own
        best = best_of(every)
        # Of several sets of pairs that an LLM predicted, those this project asked it for.
        sets = {r["pairs"]: r["n"] for r in own if r["llm"] is not None}
        judged = max(sets, key=lambda pairs: (pairs == "llm", sets[pairs], pairs), default=None)
        llm, advice = of_llm(tables, survey, [r for r in own if r["pairs"] == judged])
        found.append(
            Finding(survey, _good(tables, best), _against(tables, best, every), llm, advice)
        )
    return found


def line(tables: Findings) -> str:
    """Return what was found and what to do next, for the end of a run: a paragraph a survey."""
    found = findings(tables)
    several = len(found) > 1
    return "\n".join(
        f"{f'{one.survey}: ' if several else ''}{one.good} {one.against} {one.llm} {one.next}"
        for one in found
    )


def points(value: float | None) -> str:
    return plain(None if value is None else 100 * value, 1)


def difference(
    tables: Findings, one: Row, other: Row, metric: str = "accuracy"
) -> tuple[float, float | None, float | None] | None:
    """Return by how much one predictor's metric is above another's, with its interval, if known."""
    same = {k: one[k] for k in ("survey", "scenario", "pairs")}
    for a, b, sign in ((one, other, 1), (other, one, -1)):
        rows = tables.rows(
            "comparisons",
            {
                **same,
                "metric": metric,
                **{"predictor": a["predictor"], "llm": a["llm"]},
                **{"against": b["predictor"], "against_llm": b["llm"]},
            },
        )
        if rows and rows[0]["difference"] is not None:
            row = rows[0]
            ends = (row["low"], row["high"])[::sign]
            low, high = (None if end is None else sign * end for end in ends)
            return sign * row["difference"], low, high
    return None


def _good(tables: Findings, best: Row) -> str:
    return (
        f"{tables.said(best, first=True)} predicts best: right in {share(best['accuracy'])} of"
        f" {best['n']:,} held-out answers{within(points(best['low']), points(best['high']))}."
    )


def _against(tables: Findings, best: Row, rows: Iterable[Row]) -> str:
    most = [r for r in rows if r["predictor"] == "majority" and r["llm"] is None]
    if not most or most[0] is best:
        return "Nothing does better than giving everyone the most common answer."
    found = difference(tables, best, most[0])
    said = f"Giving everyone the most common answer is right in {share(most[0]['accuracy'])}"
    if found is None:
        return f"{said}."
    value, low, high = found
    if value <= 0:
        return f"{said}, so that nothing is right more often than that."
    if low is not None and low > 0:
        interval = within(points(low), points(high))
        return f"{said}; the best gains {points(value)} points{interval}, more than chance would."
    interval = within(signed(low), signed(high))
    return f"{said}; the difference of {signed(value)} points{interval} may be chance."


def of_llm(tables: Findings, survey: str, rows: list[Row]) -> tuple[str, str]:
    """Return what the LLM adds to the combination of all others, and what to do next.

    `rows` are the leaderboard's, of one set of pairs. With several LLMs, it is the one
    whose combination has the least log loss.
    """
    if not any(r["llm"] is not None for r in rows):
        return (
            "No LLM has predicted yet.",
            "Next: name an LLM under llms in lupom_project.yml, see with lupom plan what it would"
            " cost, and run again.",
        )
    with_llm = [r for r in rows if r["predictor"] == "stack"]
    without = [r for r in rows if r["predictor"] == "stack_plain"]
    if not with_llm or not without:
        best = best_of([r for r in rows if r["llm"] is not None])
        said = f"{tables.said(best, first=True)} is right in {share(best['accuracy'])} of the"
        said += f" {best['n']:,} it was asked{within(points(best['low']), points(best['high']))}."
        return said, "Next: lupom report compares it with the others."
    best = best_of(with_llm)
    name = f"The LLM ({best['llm']})" if best["llm"] != "default" else "The LLM"
    found = difference(tables, best, without[0]) or (
        best["accuracy"] - without[0]["accuracy"],
        None,
        None,
    )
    value, low, high = found
    pairs = f"{best['n']:,} answers it was asked for"
    interval = within(signed(low), signed(high))
    more = "Next: raise llm_pairs and llm_tuning_pairs, so that its worth can be told."
    if tables.small(best["llm"]):
        more = (
            "Next: name a capable LLM under llms in lupom_project.yml; the one that comes with"
            " LUPoM shows that all works, and predicts badly."
        )
    router = tables.rows("router", {"survey": survey, "scenario": "known", "llm": best["llm"]})
    tuned = sum(r["n"] or 0 for r in router if r["question_id"] is None)
    if not any((value, low, high)):
        said = f"{name} adds nothing here: on the {pairs} the combination of all other predictors"
        said += " is as often right without it"
        if tuned < ENOUGH:
            return f"{said}, but {tuned} tuning pairs are too few to tell.", more
        return f"{said}.", "Next: do without it, or try another LLM or setting."
    wide = low is None or high is None or high - low > WIDE
    if low is not None and low > 0:
        sure = within(points(low), points(high))
        said = f"{name} helps: on the {pairs} it adds {points(value)} points{sure} to all other"
        return f"{said} predictors.", "Next: lupom report says for which questions it is worth it."
    said = f"on the {pairs} it changes the accuracy of all other predictors together by"
    said += f" {signed(value)} points{interval}"
    if high is not None and high < 0:
        return f"{name} does harm here: {said}.", "Next: do without it, or try another setting."
    if wide:
        return f"Whether the LLM adds anything cannot be told yet: {said}.", more
    return (
        f"{name} adds nothing that can be told from chance: {said}.",
        "Next: do without it, or try another LLM or setting.",
    )
