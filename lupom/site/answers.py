"""The report's five answers in sentences."""

from __future__ import annotations

from typing import Any

from lupom.engine.llm import prices
from lupom.site.finding import WIDE, points
from lupom.site.findings import (
    Findings,
    Row,
    best_of,
    kind_of,
    money,
    plain,
    share,
    signed,
    which_pairs,
    within,
)


def answers(tables: Findings, board: list[Row]) -> list[tuple[str, list[str]]]:
    """Return question and answers, an answer for each survey, scenario and set of pairs."""
    good, against, whom, use = [], [], [], []
    elsewhere = {r["llm"] for r in tables.rows("predictions_elsewhere")}
    for survey, scenario, pairs in dict.fromkeys(
        (r["survey"], r["scenario"], r["pairs"]) for r in board
    ):
        head = {"survey": survey, "scenario": scenario, "pairs": pairs}
        rows = [r for r in board if all(r[k] == v for k, v in head.items())]
        which = which_pairs(pairs)
        where = f"{survey}, {which}"
        if scenario != "known":
            where += f", {scenario.replace('_', ' ')}s"
        good.append(f"{where}: {_how_good(tables, rows)}")
        against.append(f"{where}: {_against(tables, head, rows)}")
        if said := _for_whom(tables, head, rows):
            whom.append(f"{where}: {said}")
        if pairs == "llm" or any(r["llm"] is not None and r["llm"] in elsewhere for r in rows):
            use.append(f"{where}: {_use(tables, survey, scenario, rows)}")
    nothing = "There is nothing to judge: the leaderboard is empty."
    return [
        ("How good?", good or [nothing]),
        ("Compared with what?", against or [nothing]),
        ("For whom?", whom or ["No group has the 20 respondents it takes to tell."]),
        ("At what cost?", [spent(tables), *_elsewhere(tables)]),
        ("Should I use the LLM here?", use or ["No LLM has predicted anything yet."]),
    ]


def _right(row: Row) -> str:
    said = f"right in {share(row['accuracy'])} of {row['n']:,} pairs"
    return said + within(points(row["low"]), points(row["high"]))


def _how_good(tables: Findings, rows: list[Row]) -> str:
    best = best_of(rows)
    said = f"{tables.said(best)} is best. It is {_right(best)}"
    if best["nll"] is not None:
        said += f"; its log loss, {best['nll']:.3f}, is the least"
    by_llm = [r for r in rows if kind_of(r) == "llm"]
    if by_llm and best not in by_llm:
        one = best_of(by_llm)
        said += f". Of the LLM's own settings the best is {tables.said(one)}: {_right(one)}"
    return said + "."


def _against(tables: Findings, head: dict[str, Any], rows: list[Row]) -> str:
    """Compare with the best baseline: the LLM's best where there is one, else the best of all."""
    rivals = [r for r in rows if r["vs_best"] is None and kind_of(r) == "plain"]
    if len(rivals) != 1:
        return "there is no predictor without an LLM to compare with."
    [rival] = rivals
    best = best_of(rows)
    judged = [best]
    if head["pairs"] != "all" or any(r["llm"] is not None for r in rows):
        # What the LLM adds by itself, and what it adds to the others.
        kinds = ("llm", "combined")
        of_llm = [[r for r in rows if r["llm"] is not None and kind_of(r) == k] for k in kinds]
        judged = [best_of(some) for some in of_llm if some] or judged
    p_of = p_values(tables, head)
    said = []
    for row in judged:
        if row is rival:
            said.append("It is itself the best of all.")
        elif row["vs_best"] is not None:
            p = p_of.get((row["predictor"], row["llm"]))
            said.append(f"Against it, {tables.said(row)}: {_difference(row, p)}")
    return f"the most accurate without an LLM is {tables.said(rival)}. " + " ".join(said)


def _difference(row: Row, p: float | None) -> str:
    low, high = row["vs_low"], row["vs_high"]
    if not any((row["vs_best"], low, high)):
        return "no difference on these pairs."
    said = f"{signed(row['vs_best'])} points{within(signed(low), signed(high))}"
    if p is not None:
        said += f", p = {p:.3f}" if p >= 0.001 else ", p < 0.001"
        said += " corrected for all comparisons"
    if None in (low, high) or low <= 0 <= high:
        said += "; this may be chance"
    elif p is not None and p >= 0.05:
        said += "; clear by itself, but among so many comparisons it may be chance"
    return said + "."


def p_values(tables: Findings, head: dict[str, Any]) -> dict[tuple[str, str | None], float]:
    """Return the corrected p of accuracy against the most accurate baseline, by predictor."""
    board = tables.rows("leaderboard", {**head, "vs_best": None, "llm": None})
    bests = {r["predictor"] for r in board if kind_of(r) == "plain"}
    found: dict[tuple[str, str | None], float] = {}
    for c in tables.rows("comparisons", {**head, "metric": "accuracy"}):
        if c["against"] in bests and c["against_llm"] is None:
            found[c["predictor"], c["llm"]] = c["p_holm"]
        elif c["predictor"] in bests and c["llm"] is None:
            found[c["against"], c["against_llm"]] = c["p_holm"]
    return found


def _for_whom(tables: Findings, head: dict[str, Any], rows: list[Row]) -> str | None:
    best = best_of(rows)
    of_best = {**head, "metric": "accuracy", "predictor": best["predictor"], "llm": best["llm"]}
    found = tables.rows("group_metrics", of_best)
    gaps = [
        r
        for r in found
        if r["measure"] == "gap" and r["value"] is not None and r["low"] is not None
    ]
    if not gaps:
        return None
    widest = max(gaps, key=lambda r: (r["low"], r["attribute"]))
    groups = [
        r
        for r in found
        if r["measure"] == "value"
        and r["attribute"] == widest["attribute"]
        and r["value"] is not None
    ]
    if len(groups) < 2:
        return None
    most, least = (f(groups, key=lambda r: (r["value"], r["group"])) for f in (max, min))
    said = (
        f"{tables.said(best)} differs most by {widest['attribute']}: it is right in"
        f" {share(most['value'])} of {most['group']} and in {share(least['value'])} of"
        f" {least['group']}, a gap of {points(widest['value'])} points"
        f"{within(points(widest['low']), points(widest['high']))}."
    )
    if None in (least["high"], most["low"]) or least["high"] >= most["low"]:
        return said + (
            " The intervals of the two groups overlap, and the widest of many gaps is above 0 by"
            " chance alone: this may be no difference at all."
        )
    return said + (
        " The intervals of the two groups do not overlap; still, the widest of many gaps is above 0"
        " by chance alone."
    )


def spent(tables: Findings) -> str:
    """Return in a sentence what the calls of the project's tables took."""
    nothing = "Nothing: no LLM was asked."
    if not tables.has("calls"):
        return nothing
    [row] = tables.query(
        "select count(*) as calls, case when count(tokens_in + tokens_out) = count(*)"
        " then sum(tokens_in + tokens_out)::bigint end as tokens,"
        " sum(cost) as cost, count(cost) as priced from main.calls"
    )
    if not row["calls"]:
        return nothing
    priced = row["priced"] == row["calls"]
    said = (
        f"{row['calls']:,} calls, {prices.tokens(row['tokens'])},"
        f" {money(row['cost']) if priced else 'price unknown'}, everything included."
    )
    if tables.has("predictions") and priced and row["cost"]:
        [made] = tables.query(
            "select count(*) as n, avg(c.cost) as cost from main.predictions as p"
            " join main.calls as c on c.call_id = p.call_id"
        )
        if made["n"] and made["cost"] is not None:
            said += f" The calls that predict cost {money(made['cost'])} an answer."
    if priced and not row["cost"]:
        said += " The LLM in use has no price; it costs this machine's time."
    return said


def _elsewhere(tables: Findings) -> list[str]:
    """Return what predictions made elsewhere cost, a line for each who made them."""
    if not tables.has("predictions_elsewhere"):
        return []
    rows = tables.query(
        "select llm, count(*) as n, count(cost) as told, avg(cost) as cost"
        " from main.predictions_elsewhere group by llm order by llm"
    )
    return [
        f"{r['llm']}, made elsewhere: {r['n']:,} predictions of held-out pairs, "
        + (f"{money(r['cost'])} an answer." if r["told"] == r["n"] else "at a cost not told.")
        for r in rows
    ]


def _use(tables: Findings, survey: str, scenario: str, rows: list[Row]) -> str:
    found = tables.rows("router", {"survey": survey, "scenario": scenario})
    found = [r for r in found if r["n"] and r["nll_gain_pooled"] is not None]
    whole = [r for r in found if r["question_id"] is None]
    said = [_advice(r, found, len(whole) > 1) for r in whole]
    if not whole:
        said.append("it cannot be told, for there were no tuning pairs (var llm_tuning_pairs).")
    routed = [r for r in rows if r["predictor"] == "routed"]
    base = [r for r in rows if r["predictor"] == "stack_plain"]
    if routed and base:
        by_llm = [
            f"{share(r['accuracy'])}" + (f" ({r['llm']})" if len(routed) > 1 else "")
            for r in sorted(routed, key=lambda r: r["llm"] or "")
        ]
        said.append(
            f"On the test pairs, who follows this advice is right in {', '.join(by_llm)}, and who"
            f" does without an LLM in {share(base[0]['accuracy'])}."
        )
    widths = [r["high"] - r["low"] for r in rows if None not in (r["llm"], r["low"], r["high"])]
    if widths and max(widths) > WIDE:
        said.append(
            f"But {rows[0]['n']:,} test pairs are too few to be sure: the LLM's accuracy has an"
            f" interval of {100 * max(widths):.0f} points. Raise llm_pairs and llm_tuning_pairs"
            " before you rely on this."
        )
    return " ".join(said)


def _advice(row: Row, found: list[Row], several: bool) -> str:
    questions = [r for r in found if r["question_id"] is not None and r["llm"] == row["llm"]]
    worth = sum(r["recommendation"] == "llm" for r in questions)
    named = "the LLM" if row["llm"] == "default" and not several else f"the LLM {row['llm']}"
    low, high = plain(row["nll_gain_low"]), plain(row["nll_gain_high"])
    where = f"on {row['n']:,} tuning pairs"
    if {plain(row["nll_gain_pooled"]), low, high} <= {"0.000", ""}:
        said = (
            f"{named} adds nothing here: {where} the combination of all predictors hardly hears"
            " it. Do without it."
        )
    else:
        gain = (
            f"{where} it gains {plain(row['nll_gain_pooled'])} nats an answer{within(low, high)}"
            " over the predictors that need none"
        )
        if row["accuracy_gain_pooled"] is not None:
            gain += (
                f", and {signed(row['accuracy_gain_pooled'])} points of accuracy"
                f"{within(signed(row['accuracy_gain_low']), signed(row['accuracy_gain_high']))}"
            )
        chance = row["nll_gain_low"] is not None and row["nll_gain_low"] <= 0
        unsure = chance and row["nll_gain_high"] is not None and row["nll_gain_high"] >= 0
        if row["recommendation"] == "llm":
            said = f"{named} helps here: {gain}{' (this may be chance)' if unsure else ''}. Ask it."
        elif unsure:
            said = f"{named} adds nothing that can be told from chance: {gain}. Do without it."
        else:
            said = f"{named} is not worth it here: {gain}. Do without it."
    if questions and worth:
        said += f" By question, it is worth asking for {worth} of {len(questions)}."
    elif questions:
        said += " There is no question that it is worth asking for."
    if row["price_per_correct"] is not None:
        said += f" One more correct answer costs {money(row['price_per_correct'])}."
    return said
