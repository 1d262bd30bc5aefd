"""The report's figures of what to do next time: which questions, which blocks, at what cost."""

from __future__ import annotations

from lupom.site.charts import Dot, Line, dots, lines
from lupom.site.figures import Figure, Table
from lupom.site.findings import Findings, Row, name_of, plain, share
from lupom.site.wording import questions

# Strategies as the reader knows them, with the colour of their lines.
STRATEGIES = {
    "chosen": ("The same questions for all", "combined"),
    "adaptive": ("Each person's own, by the answers so far", "llm"),
    "entropy": ("The least certain questions", "plain"),
    "random": ("Questions drawn by lot", "plain"),
}


def plans(tables: Findings) -> list[Figure]:
    """Return the questions to ask in their order, and how other choices compare."""
    rows = [r for r in tables.rows("question_plan", {"attribute": None}) if r["nll"] is not None]
    texts, _ = questions(tables)
    figures = []
    for survey in dict.fromkeys(r["survey"] for r in rows):
        own = [r for r in rows if r["survey"] == survey]
        form = sorted((r for r in own if r["strategy"] == "chosen"), key=lambda r: r["questions"])
        if len(form) > 1:
            figures.append(_form(survey, form, texts))
            figures.append(_strategies(survey, [r for r in own if r["questions"]]))
    return figures


def _form(survey: str, form: list[Row], texts: dict[tuple[str, str], str]) -> Figure:
    caption = f"{survey}: which questions to ask first, and what is left to know of the others"
    labels = [
        f"{r['questions']}. {texts.get((survey, r['question_id']), r['question_id'])}"
        if r["questions"]
        else "Nothing asked"
        for r in form
    ]
    chart = dots(
        [
            Dot(label, r["nll"], r["low"], r["high"], "combined", r["question_id"] or "")
            for label, r in zip(labels, form, strict=True)
        ],
        "Log loss of the answers not asked for, after each question",
        unit="log loss, nats",
    )
    table = Table(
        ["asked", "question", "can be asked", "log loss of the rest", "from", "to", "rest right"],
        [
            [
                *(str(r["questions"]), r["question_id"] or "", share(r.get("asked_of"))),
                *(plain(r["nll"]), plain(r["low"]), plain(r["high"]), share(r["accuracy"])),
            ]
            for r in form
        ],
    )
    return Figure(caption, [("", chart)], table)


def _strategies(survey: str, rows: list[Row]) -> Figure:
    caption = (
        f"{survey}: answers not asked for that are predicted right, by how questions are chosen"
    )
    series = [
        Line(
            title,
            [(r["questions"], r["accuracy"], None, None) for r in rows if r["strategy"] == name],
            kind,
        )
        for name, (title, kind) in STRATEGIES.items()
        if any(r["strategy"] == name for r in rows)
    ]
    chart = lines(series, caption, across="questions asked", up="right, %")
    table = Table(
        ["how", "asked", "log loss of the rest", "less the form's", "from", "to", "people"],
        [
            [
                *(STRATEGIES.get(r["strategy"], (r["strategy"],))[0], str(r["questions"])),
                *(plain(r["nll"]), plain(r["difference"]), plain(r["difference_low"])),
                *(plain(r["difference_high"]), f"{r['n']:,}"),
            ]
            for r in sorted(rows, key=lambda r: (r["questions"], r["nll"]))
        ],
    )
    return Figure(caption, [("", chart)], table)


PLANS = {
    "humans": ("Everybody is asked everything", "plain"),
    "split": ("Everybody is asked some blocks", "combined"),
    "humans_and_llm": ("People, and an LLM's predictions", "llm"),
}
# Half-widths that are drawn, of those in the table; and questions.
DRAWN = (0.02, 0.03, 0.05)
MOST = 20


def costs(tables: Findings) -> list[Figure]:
    """Return what precision costs, by plan, and which questions an LLM is worth asking."""
    every = tables.rows("survey_plan", {"attribute": None})
    figures = []
    for survey in dict.fromkeys(r["survey"] for r in every):
        mine = [r for r in every if r["survey"] == survey]
        own = [r for r in mine if r["cost"] is not None]
        whole = [r for r in own if r["question_id"] is None]
        if whole:
            figures.append(_frontier(survey, whole))
        asked = [r for r in own if r["question_id"] is not None and r["predictor"]]
        if any(r["r2"] is not None for r in asked):
            figures.append(_worth(survey, asked))
        if without := [r for r in mine if r["question_id"] is not None and r["cost"] is None]:
            rows = [[r["question_id"], r["reason"]] for r in without]
            caption = f"{survey}: questions of which there is no plan"
            figures.append(Figure(caption, [], Table(["question", "why"], rows)))
    return figures


def _frontier(survey: str, rows: list[Row]) -> Figure:
    caption = (
        f"{survey}: what it costs to know every share so well, and means as well as a share of half"
    )
    rows = sorted(rows, key=lambda r: (r["half_width"], r["cost"], r["plan"], str(r["llm"])))
    drawn = [r for r in rows if r["half_width"] in DRAWN] or rows
    chart = dots(
        [
            Dot(
                f"\u00b1 {100 * r['half_width']:g} points: {PLANS[r['plan']][0]}",
                r["cost"],
                kind=PLANS[r["plan"]][1],
                small=_asked(r),
            )
            for r in drawn
        ],
        caption,
        digits=0,
        reference=0.0,
        unit="cost",
    )
    table = Table(
        [
            *("half-width", "plan", "LLM", "people", "questions each", "LLM calls", "cost"),
            *("cheapest", "takes most"),
        ],
        [
            [
                *(share(r["half_width"]), r["plan"], name_of(r) if r["predictor"] else ""),
                *(f"{r['people']:,}", plain(r["questions_each"], 1), f"{r['llm_calls']:,}"),
                *(f"{r['cost']:,.0f}", "yes" if r["cheapest"] else "", r.get("limited_by") or ""),
            ]
            for r in rows
        ],
    )
    return Figure(caption, [("", chart)], table)


def _asked(row: Row) -> str:
    said = f"{row['people']:,} people, {plain(row['questions_each'], 1)} questions each"
    return said + (f", {row['llm_calls']:,} LLM calls" if row["llm_calls"] else "")


def _worth(survey: str, rows: list[Row]) -> Figure:
    caption = f"{survey}: which questions an LLM is worth asking beside people"
    rows = sorted(rows, key=lambda r: (-(r["r2"] or 0.0), r["question_id"], name_of(r)))
    told = [r for r in rows if r["r2"] is not None]
    chart = dots(
        [
            Dot(
                r["question_id"],
                r["r2"],
                kind="llm" if r["llm_calls"] else "plain",
                small=name_of(r),
                few=not r["llm_calls"],
            )
            for r in told[:MOST]
        ],
        f"{caption}: what its predictions explain of answers (the line is what they must)",
        percent=True,
        reference=rows[0]["r2_needed"],
        unit="of variance, %",
    )
    table = Table(
        ["question", "LLM", "explains", "must explain", "people", "LLM calls", "cost", "why"],
        [
            [
                *(r["question_id"], name_of(r), share(r["r2"]), share(r["r2_needed"])),
                *(f"{r['people']:,}", f"{r['llm_calls']:,}", f"{r['cost']:,.0f}"),
                r.get("reason") or "",
            ]
            for r in rows
        ],
    )
    return Figure(caption, [("", chart)], table)


def blocks(tables: Findings) -> list[Figure]:
    """Return what a split questionnaire costs each question in precision."""
    rows = [r for r in tables.rows("design_blocks") if not r.get("recode_of")]
    figures = []
    for survey in dict.fromkeys(r["survey"] for r in rows):
        own = sorted(
            (r for r in rows if r["survey"] == survey),
            key=lambda r: (r["half_width"], r["question_id"]),
        )
        caption = (
            f"{survey}: if each person is asked {own[0]['blocks_asked']} blocks of questions, how"
            " much wider intervals are than if all were asked"
        )
        chart = dots(
            [
                Dot(
                    r["question_id"],
                    r["half_width"],
                    kind="combined",
                    small=f"block {r['block']}; from those asked alone {r['half_width_alone']:.2f}",
                )
                for r in own[:MOST]
            ],
            caption,
            digits=2,
            reference=1.0,
            unit="times as wide",
        )
        table = Table(
            ["question", "block", "asked", "times as wide", "from those asked alone"],
            [
                [
                    *(r["question_id"], r["block"], share(r["asked"])),
                    *(plain(r["half_width"], 2), plain(r["half_width_alone"], 2)),
                ]
                for r in own
            ],
        )
        figures.append(Figure(caption, [("", chart)], table))
    return figures
