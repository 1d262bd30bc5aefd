"""The report's figures of what predictions are worth: people learned from, sets, estimates."""

from __future__ import annotations

from collections.abc import Mapping

from lupom.site import planning
from lupom.site.changes import changes
from lupom.site.charts import Dot, Line, dots, lines
from lupom.site.figures import Figure, Table, dot
from lupom.site.findings import (
    SCENARIOS,
    Findings,
    Row,
    kind_of,
    name_of,
    plain,
    share,
)
from lupom.site.wording import Question, questions

# Lines of a value curve; its table has every predictor.
SHOWN = ("stack", "stack_plain", "logistic_answers", "majority")
# Questions whose estimates are drawn, and whose gains: those that gain most.
QUESTIONS, GAINS = 6, 12


def value_curves(tables: Findings) -> list[Figure]:
    """Return accuracy by the number of people learned from, of all test pairs and of the LLM's."""
    rows = [r for r in tables.rows("value_curve") if r["accuracy"] is not None]
    figures = []
    for survey, pairs, llm in dict.fromkeys((r["survey"], r["pairs"], r["llm"]) for r in rows):
        own = [r for r in rows if (r["survey"], r["pairs"], r["llm"]) == (survey, pairs, llm)]
        names = [name for name in SHOWN if any(r["predictor"] == name for r in own)]
        if not names:
            continue
        caption = f"{survey}: accuracy by the number of people learned from"
        if pairs == "all":
            caption += f", on all {own[0]['n']:,} test pairs"
        else:
            caption += (
                f", with the LLM {llm} and without, on the {own[0]['n']:,} pairs it predicted"
            )
        series = [
            Line(
                tables.title(name),
                [
                    (r["respondents"], r["accuracy"], r["low"], r["high"])
                    for r in own
                    if r["predictor"] == name
                ],
                _kind(name),
                name,
            )
            for name in names
        ]
        chart = lines(series, caption, across="people learned from", up="right, %")
        table = Table(
            ["predictor", "people", "accuracy", "from", "to"],
            [
                [r["predictor"], f"{r['respondents']:,}", *(share(r[k]) for k in _THREE)]
                for r in sorted(own, key=lambda r: (r["predictor"], r["respondents"]))
            ],
        )
        figures.append(Figure(caption, [("", chart)], table))
    return figures


_THREE = ("accuracy", "low", "high")


def _kind(predictor: str) -> str:
    # With and without the LLM must not look alike.
    return "llm" if predictor == "stack" else kind_of({"predictor": predictor, "llm": None})


def sets(tables: Findings) -> list[Figure]:
    """Return how often prediction sets hold the answer, and how many options are in them."""
    rows = tables.rows("set_metrics", {"question_id": None, "attribute": None})
    rows = [r for r in rows if r["coverage"] is not None and r["mean_size"] is not None]
    figures = []
    for survey, scenario, level in dict.fromkeys(
        (r["survey"], r["scenario"], r["level"]) for r in rows
    ):
        own = [
            r for r in rows if (r["survey"], r["scenario"], r["level"]) == (survey, scenario, level)
        ]
        own.sort(key=lambda r: (r["mean_size"], name_of(r)))
        caption = f"{survey}: sets that are to hold the answer in {share(level)} of cases"
        if scenario != "known":
            caption += f", {SCENARIOS.get(scenario, scenario)}"
        held = dots(
            [dot(tables, r, "coverage") for r in own],
            f"How often the sets of each predictor hold the answer; wanted {share(level)}",
            percent=True,
            reference=level,
            unit="of answers, %",
        )
        size = dots(
            [dot(tables, {**r, "low": None, "high": None}, "mean_size") for r in own],
            "How many options are in a set; fewer say more",
            digits=2,
            unit="options",
        )
        table = Table(
            [
                "predictor",
                "hold the answer",
                "from",
                "to",
                "options",
                "of one option",
                "predictions",
            ],
            [
                [
                    *(name_of(r), share(r["coverage"]), share(r["low"]), share(r["high"])),
                    *(plain(r["mean_size"], 2), share(r["share_single"]), f"{r['n']:,}"),
                ]
                for r in own
            ],
        )
        charts = [
            ("How often they hold it (the dotted line is what is wanted)", held),
            ("How many options are in them (fewer say more)", size),
        ]
        figures.append(Figure(caption, charts, table))
    return figures


def estimates(tables: Findings) -> list[Figure]:
    """Return estimated shares from answers alone beside those with predictions, and the gain."""
    rows = tables.rows("estimates", {"attribute": None, "against": None, "statistic": "share"})
    rows = [r for r in rows if r["estimate"] is not None]
    texts, stems = questions(tables)
    figures = []
    for survey in dict.fromkeys(r["survey"] for r in rows):
        own = [r for r in rows if r["survey"] == survey]
        best: dict[str, Row] = {}
        for r in own:
            # Of each question the option that most people choose.
            if r["recommended"] and r["method"] == "powered" and r["n_effective"]:
                first = best.get(r["question_id"])
                if first is None or r["estimate"] > first["estimate"]:
                    best[r["question_id"]] = r
        gained = sorted(best.values(), key=lambda r: (-_gain(r), r["question_id"]))
        if not gained:
            continue
        figures.append(_shares(survey, gained[:QUESTIONS], own, texts, stems))
        figures.append(_gains(survey, gained[:GAINS], texts))
    return figures


def _gain(row: Row) -> float:
    return float(row["n_effective"] - row["n_humans"])


def _shares(
    survey: str,
    chosen: list[Row],
    own: list[Row],
    texts: Mapping[Question, str],
    stems: Mapping[Question, str],
) -> Figure:
    charts, numbers = [], []
    for one in chosen:
        same = [r for r in own if all(r[k] == one[k] for k in ("question_id", "option"))]
        same = [r for r in same if r["recommended"] or r["method"] == "classical" or not r["valid"]]
        same.sort(key=lambda r: (not r["valid"], r["recommended"], r["method"]))
        text = texts.get((survey, one["question_id"]), one["question_id"])
        stem = stems.get((survey, one["question_id"]))
        whole = f"{text} ({stem})" if stem else text
        title = f"{one['question_id']}. {whole} Share of \u201c{one['option']}\u201d"
        charts.append(
            (
                title,
                dots(
                    [_method(r) for r in same],
                    f"Share of {one['option']} by method: {text}",
                    percent=True,
                    unit="of people, %",
                ),
            )
        )
        numbers += [
            [
                *(
                    r["question_id"],
                    str(r["option"]),
                    r["method"],
                    name_of(r) if r["predictor"] else "",
                ),
                *(share(r["estimate"]), share(r["low"]), share(r["high"])),
                *(f"{r['n_humans']:,}", plain(r["n_effective"], 0), "yes" if r["valid"] else "no"),
            ]
            for r in same
        ]
    columns = ["question", "option", "method", "predictor", "share", "from", "to"]
    return Figure(
        f"{survey}: shares from answers alone, and with predictions of those not asked; the"
        " questions that gain most",
        charts,
        Table([*columns, "people who answered", "worth as many", "valid"], numbers),
    )


def _method(row: Row) -> Dot:
    label, kind = {
        "classical": ("Answers alone", "plain"),
        "powered": ("Answers and predictions", "combined"),
    }.get(row["method"], ("Predictions alone: not valid", "llm"))
    small = ", ".join(filter(None, [row["method"], row["predictor"] and name_of(row)]))
    return Dot(label, row["estimate"], row["low"], row["high"], kind, small, few=not row["valid"])


def _gains(survey: str, chosen: list[Row], texts: Mapping[Question, str]) -> Figure:
    caption = f"{survey}: what predictions are worth, in people who need not be asked"
    chart = dots(
        [
            Dot(
                texts.get((survey, r["question_id"]), r["question_id"]),
                _gain(r),
                kind="combined",
                small=f"{r['question_id']}, {r['n_humans']:,} answered",
            )
            for r in chosen
        ],
        caption,
        digits=0,
        reference=0.0,
        unit="people",
    )
    table = Table(
        ["question", "people who answered", "worth as many", "power", "predictor"],
        [
            [
                *(r["question_id"], f"{r['n_humans']:,}", f"{r['n_effective']:,.0f}"),
                *(plain(r["power"], 2), name_of(r)),
            ]
            for r in chosen
        ],
    )
    return Figure(caption, [("", chart)], table)


def sections(tables: Findings) -> list[tuple[str, str, str, list[Figure]]]:
    """Return id, title, note and figures of each section that has any; empty ones are left out."""
    found: list[tuple[str, str, str, list[Figure]]] = [
        (
            *("people", "How many people it takes"),
            "Predictors that are fitted in no time, fitted anew to some of the people: how much is"
            " gained by asking more. The LLM's predictions are as they stand.",
            value_curves(tables),
        ),
        (
            *("sets", "Sets instead of single answers"),
            "Where one answer is too much to promise: the options among which the answer is. Of two"
            " predictors whose sets hold what they promise, the one with fewer options knows more.",
            sets(tables),
        ),
        (
            *("estimates", "Estimates of the population"),
            "Both intervals hold: 95 of 100 contain the truth. With predictions they are narrower"
            " by as much as predictions are worth. Predictions alone are no estimate: their"
            " intervals do not hold.",
            estimates(tables),
        ),
        (
            *("again", "If you ask again"),
            "Planned from these answers: which questions tell most of the others, judged on people"
            " who had no part in the choice; what a split questionnaire loses; what it all costs.",
            [*planning.plans(tables), *planning.blocks(tables), *planning.costs(tables)],
        ),
        (
            *("changes", "What changed"),
            "The questions two surveys have in common, by their recommended estimates. Greyed is"
            " what may be chance, corrected for their number (Benjamini and Hochberg).",
            changes(tables),
        ),
    ]
    return [section for section in found if section[3]]
