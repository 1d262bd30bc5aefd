"""LimeSurvey's own files of a survey: its structure as XML (.lss) and as a table (.txt)."""

from __future__ import annotations

import csv
import io
import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from lupom.science.surveys.dictionaries.dictionary import Dictionary, Variable, plain

TITLE = "a LimeSurvey structure"
# Options that belong to a type of question and stand in no list.
_YES_NO = {"Y": "Yes", "N": "No"}
_OPTIONS = {
    "Y": _YES_NO,
    "C": {"Y": "Yes", "U": "Uncertain", "N": "No"},
    "E": {"I": "Increase", "S": "Same", "D": "Decrease"},
    "G": {"F": "Female", "M": "Male"},
}
_STEPS = {"5": 5, "A": 5, "B": 10}
_SEVERAL = {"M", "P"}
_WHY = {"X": "no question", "|": "a file", "*": "made of other columns", "D": "a date or time"}


@dataclass
class _Asked:
    """A question: its code, type and wording, its rows and its options by code."""

    code: str
    type: str
    text: str
    line: int = 0
    asked_if: str = ""
    rows: dict[str, str] = field(default_factory=dict)
    options: dict[str, str] = field(default_factory=dict)


def recognises(text: str) -> bool:
    """Say whether a text is LimeSurvey's, as XML or as a table."""
    head = text[:5_000]
    if "<LimeSurveyDocType>" in head:
        return True
    first = head.partition("\n")[0].casefold()
    return {"class", "name", "text"} <= set(first.replace('"', "").split("\t"))


def read(text: str, name: str) -> Dictionary:
    """Return what a LimeSurvey structure says, in the survey's base language.

    Raises
    ------
    ValueError : naming file and line, for XML that is not well-formed, or declares entities.
    """
    out = Dictionary(name, TITLE)
    found = _xml(text, out) if text.lstrip("\ufeff \r\n").startswith("<") else _table(text, out)
    for asked in found:
        options = asked.options or _OPTIONS.get(asked.type, {})
        if asked.type in _STEPS:
            options = {str(i): str(i) for i in range(1, _STEPS[asked.type] + 1)}
        if not asked.rows:
            _fill(out.variable(asked.code, asked.line), asked, asked.text, options)
            continue
        for code, row in asked.rows.items():
            variable = out.variable(f"{asked.code}[{code}]", asked.line)
            end = " " if asked.text[-1:] in "?:.!" else ": "
            told = {} if asked.type in _SEVERAL else options
            _fill(variable, asked, f"{asked.text}{end}{row}" if row else asked.text, told)
    return out


def _fill(variable: Variable, asked: _Asked, label: str, options: Mapping[str, str]) -> None:
    variable.label, variable.labels = plain(label), dict(options)
    variable.asked_if = "" if asked.asked_if in ("", "1") else asked.asked_if
    variable.why = _WHY.get(asked.type, "")
    if asked.type in _STEPS:
        variable.measure = "ordinal"


def _xml(text: str, out: Dictionary) -> list[_Asked]:
    if re.search(r"<!(?:DOCTYPE|ENTITY)", text):
        raise ValueError(f"{out.name}: XML with a DOCTYPE of its own is not read")
    try:
        # What the file declares of its encoding is of its bytes.
        root = ET.fromstring(re.sub(r"^\s*<\?xml[^>]*\?>", "", text.lstrip("\ufeff")))
    except ET.ParseError as error:
        raise ValueError(
            f"{out.name}:{error.position[0]}: not well-formed XML: {error.msg}"
        ) from error
    language = root.findtext("languages/language") or ""

    def rows(table: str) -> list[dict[str, str]]:
        made = [{c.tag: c.text or "" for c in row} for row in root.findall(f"{table}/rows/row")]
        return [row for row in made if row.get("language", language) in ("", language)]

    told = {row.get("qid", ""): row.get("question", "") for row in rows("question_l10ns")}
    said = {row.get("aid", ""): row.get("answer", "") for row in rows("answer_l10ns")}
    titles = rows("surveys_languagesettings")
    out.title = plain(titles[0].get("surveyls_title", "")) if titles else ""
    asked: dict[str, _Asked] = {}
    for row in rows("questions"):
        if row.get("parent_qid", "0") in ("", "0"):
            wording = row.get("question") or told.get(row.get("qid", ""), "")
            asked[row.get("qid", "")] = _Asked(
                row.get("title", ""),
                row.get("type", ""),
                plain(wording),
                asked_if=row.get("relevance", ""),
            )
    for row in [*rows("subquestions"), *rows("questions")]:
        parent = asked.get(row.get("parent_qid", ""))
        if parent is not None:
            wording = row.get("question") or told.get(row.get("qid", ""), "")
            parent.rows.setdefault(row.get("title", ""), plain(wording))
    for row in rows("answers"):
        parent = asked.get(row.get("qid", ""))
        if parent is not None:
            wording = row.get("answer") or said.get(row.get("aid", ""), "")
            parent.options.setdefault(row.get("code", ""), plain(wording) or row.get("code", ""))
    return [a for a in asked.values() if a.code]


def _table(text: str, out: Dictionary) -> list[_Asked]:
    reader = csv.reader(io.StringIO(text.lstrip("\ufeff"), newline=""), delimiter="\t")
    head: Sequence[str] = []
    asked: dict[str, _Asked] = {}
    current: _Asked | None = None
    language = ""
    try:
        for cells_ in reader:
            if not head:
                head = [c.strip().casefold() for c in cells_]
                continue
            row = dict(zip(head, cells_, strict=False))
            kind, code, wording = (row.get(k, "").strip() for k in ("class", "name", "text"))
            if kind == "S" and code == "language":
                language = wording
            if row.get("language", language) not in ("", language):
                continue
            if kind == "SL" and code == "surveyls_title":
                out.title = plain(wording)
            elif kind == "Q":
                current = asked.setdefault(
                    code,
                    _Asked(
                        code,
                        row.get("type/scale", ""),
                        plain(wording),
                        reader.line_num,
                        row.get("relevance", ""),
                    ),
                )
            elif kind == "SQ" and current is not None:
                current.rows.setdefault(code, plain(wording))
            elif kind == "A" and current is not None:
                current.options.setdefault(code, plain(wording) or code)
    except csv.Error as error:
        raise ValueError(f"{out.name}:{reader.line_num}: {error}") from error
    return list(asked.values())
