"""The report's figures of what to do next time: which questions tell most of the others."""

from __future__ import annotations

from lupom.site.charts import Dot, Line, dots, lines
from lupom.site.figures import Figure, Table
from lupom.site.findings import Findings, Row, plain, share
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
        ["asked", "question", "log loss of the rest", "from", "to", "rest right"],
        [
            [
                *(str(r["questions"]), r["question_id"] or ""),
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
