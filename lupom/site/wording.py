"""What questions are called in charts."""

from __future__ import annotations

from lupom.site.findings import Findings

LONGEST, STEM = 140, 100  # characters of a question, and of a battery's beginning

Question = tuple[str, str]


def questions(tables: Findings) -> tuple[dict[Question, str], dict[Question, str]]:
    """Return a text for each question, of a battery's item its own, and batteries' beginnings."""
    texts: dict[Question, str] = {}
    stems: dict[Question, str] = {}
    for row in tables.rows("questions"):
        key = row["survey"], row["question_id"]
        texts[key] = _cut(row.get("item") or row.get("question") or row["question_id"], LONGEST)
        if row.get("item") and row.get("battery"):
            stems[key] = _cut(row["battery"], STEM)
    return texts, stems


def _cut(text: str, longest: int) -> str:
    text = " ".join(str(text).split())
    return text if len(text) <= longest else text[:longest].rsplit(" ", 1)[0] + " \u2026"
