"""The five answers of the report, in sentences."""

from __future__ import annotations

from lupom.site.findings import Findings, Row, best_of, name_of, nats, share, signed


def answers(tables: Findings, board: list[Row]) -> list[tuple[str, list[str]]]:
    """Return question and answers: how good, against what, for whom, at what cost, and whether."""
    good, against, whom, use = [], [], [], []
    for survey, scenario, pairs in dict.fromkeys(
        (r["survey"], r["scenario"], r["pairs"]) for r in board
    ):
        rows = [
            r
            for r in board
            if (r["survey"], r["scenario"], r["pairs"]) == (survey, scenario, pairs)
        ]
        which = "all test pairs" if pairs == "all" else "the LLM's pairs"
        where = f"{survey}, {which}" + ("" if scenario == "known" else f", {scenario}")
        good.append(_how_good(where, rows))
        against.append(_against(where, rows))
        if said := _for_whom(tables, where, rows):
            whom.append(said)
        if pairs == "llm":
            use.append(_use(tables, survey, scenario, where, rows))
    return [
        ("How good?", good),
        ("Compared with what?", against),
        ("For whom?", whom or ["No group is large enough to tell."]),
        ("At what cost?", [_spent(tables)]),
        ("Should I use the LLM here?", use or ["No LLM has predicted anything yet."]),
    ]


def _how_good(where: str, rows: list[Row]) -> str:
    best = best_of(rows)
    said = (
        f"{where}: {name_of(best)} is right in {share(best['accuracy'])} of {best['n']:,} pairs"
        f" [{100 * best['low']:.1f}, {100 * best['high']:.1f}]"
    )
    return said + ("." if best["nll"] is None else f", log loss {best['nll']:.3f}.")


def _against(where: str, rows: list[Row]) -> str:
    best = best_of(rows)
    rivals = [r for r in rows if r["vs_best"] is None]
    if not rivals:
        return f"{where}: there is nothing to compare with."
    if best in rivals:
        return f"{where}: {name_of(best)} is itself the best predictor that needs no LLM."
    points = (
        f"{signed(best['vs_best'])} points [{signed(best['vs_low'])}, {signed(best['vs_high'])}]"
    )
    sure = best["vs_low"] > 0 or best["vs_high"] < 0
    tail = "" if sure else "; the interval holds 0, so this may be chance"
    rival = f"{name_of(rivals[0])}, the most accurate without an LLM"
    return f"{where}: {name_of(best)} against {rival}: {points}{tail}."


def _for_whom(tables: Findings, where: str, rows: list[Row]) -> str | None:
    best = best_of(rows)
    head = {k: best[k] for k in ("survey", "scenario", "pairs", "predictor", "llm")}
    gaps = tables.rows("group_metrics", {**head, "metric": "accuracy", "measure": "gap"})
    if not gaps:
        return None
    widest = max(gaps, key=lambda r: r["low"])
    groups = tables.rows(
        "group_metrics",
        {**head, "metric": "accuracy", "measure": "value", "attribute": widest["attribute"]},
    )
    most, least = (f(groups, key=lambda r: r["value"]) for f in (max, min))
    return (
        f"{where}: the widest gap of {name_of(best)} is by {widest['attribute']}:"
        f" {most['group']} {share(most['value'])}, {least['group']} {share(least['value'])}."
        f" A gap between groups of this size is at least {100 * widest['low']:.1f} points in 97.5 %"
        " of draws; gaps are positive by chance too."
    )


def _spent(tables: Findings) -> str:
    if not tables.has("calls"):
        return "Nothing: no LLM was asked."
    [row] = tables.query(
        "select count(*) as calls, coalesce(sum(tokens_in + tokens_out), 0) as tokens,"
        " sum(cost) as cost, count(cost) as priced from main.calls"
    )
    if not row["calls"]:
        return "Nothing: no LLM was asked."
    money = "price unknown"
    if row["priced"] == row["calls"]:
        money = f"{row['cost']:.2f} USD"
    said = f"{row['calls']:,} calls, {row['tokens']:,} tokens, {money}, personas included."
    if tables.has("predictions"):
        [made] = tables.query("select count(*) as n from main.predictions")
        if made["n"] and row["priced"] == row["calls"]:
            said += (
                f" That is {row['cost'] / made['n']:.4f} USD for each of {made['n']:,} predictions."
            )
    return said


def _use(tables: Findings, survey: str, scenario: str, where: str, rows: list[Row]) -> str:
    whole = [
        r
        for r in tables.rows(
            "router", {"survey": survey, "scenario": scenario, "question_id": None}
        )
        if r["n"]
    ]
    said = []
    for r in whole:
        advice = "ask it" if r["recommendation"] == "llm" else "do without it"
        gain, low, high = (nats(r[f"nll_gain_{k}"]) for k in ("pooled", "low", "high"))
        said.append(
            f"{r['llm']}: {advice}. On {r['n']:,} tuning pairs it gains {gain} nats [{low}, {high}]"
            " over the predictors that need none."
        )
    if not whole:
        said.append("there were no tuning pairs to tell by (llm_tuning_pairs).")
    widths = [r["high"] - r["low"] for r in rows if r["llm"] is not None]
    if widths and max(widths) > 0.1:
        said.append(
            f"With {rows[0]['n']:,} pairs the intervals are {100 * max(widths):.0f} points wide:"
            " raise llm_pairs and llm_tuning_pairs before you rely on this."
        )
    return f"{where}: " + " ".join(said)
