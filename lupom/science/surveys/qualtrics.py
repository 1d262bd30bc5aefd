"""Qualtrics: the CSV export of answers, with the survey's definition (QSF) if there is one.

The export has three header lines: names, wordings, and the ids of questions as JSON. The QSF is
JSON: a question (element 'SQ') has a payload with its type, wording, choices and, for a matrix, the
answers of each row.
"""

from __future__ import annotations

import html
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lupom.science.surveys import cells
from lupom.science.surveys.columns import SELECTED, Column, File, check, fill
from lupom.science.surveys.tables import rows

_IMPORT_ID = re.compile(r'\{"ImportId":\s*"([^"]*)"')
_QUESTION = re.compile(r"(QID\d+)(?:_(x?\d+))?(_TEXT)?")


@dataclass(frozen=True)
class _Asked:
    """A question of a QSF: wording, rows of a matrix, options by code, and whether many count."""

    text: str
    items: dict[str, str]
    options: dict[str, str]
    multiple: bool
    free: bool


def is_export(path: Path, *, encoding: str | None = None) -> bool:
    """Say whether a CSV file has Qualtrics' third header line."""
    lines = rows(path, encoding=encoding)
    return len(lines) > 2 and any(_IMPORT_ID.match(cell) for cell in lines[2])


def read(path: Path, qsf: Path | None = None, *, encoding: str | None = None) -> File:
    """Read an export of answers, as choice texts or as numeric values.

    Parameters
    ----------
    path : the CSV export, with its three header lines.
    qsf : the survey's definition; without it options are the values that occur.

    Raises
    ------
    ValueError : naming the file and what is malformed in it.
    """
    lines = rows(path, encoding=encoding)
    if len(lines) < 3 or not any(_IMPORT_ID.match(cell) for cell in lines[2]):
        raise ValueError(f"{path.name}:3: not a Qualtrics export: the third line has no ImportId")
    asked = {} if qsf is None else definition(qsf)
    names, wordings, ids = lines[:3]
    columns: list[Column] = []
    for i, name in enumerate(names):
        found = _IMPORT_ID.match(ids[i])
        values = [row[i].strip() for row in lines[3:]]
        wording = _plain(wordings[i])
        columns.extend(_columns(name.strip(), wording, found and found[1], values, asked))
    fill(columns)
    notes = []
    status = next((c for c in columns if c.name == "Status"), None)
    previews = sum(v in ("Survey Preview", "1") for v in status.values) if status else 0
    if previews:
        notes.append(f"{previews} of the rows are previews, not respondents (column 'Status')")
    return check(File(path.name, columns, notes))


def definition(path: Path) -> dict[str, _Asked]:
    """Return the questions of a QSF by id.

    Raises ValueError when it is no QSF.
    """
    try:
        elements = json.loads(path.read_text(encoding="utf-8-sig"))["SurveyElements"]
        payloads = [e["Payload"] for e in elements if e.get("Element") == "SQ"]
        return {str(p["QuestionID"]): _question(p) for p in payloads}
    except json.JSONDecodeError as error:
        raise ValueError(f"{path.name}:{error.lineno}: not a QSF file: {error.msg}") from error
    except (KeyError, TypeError, AttributeError, ValueError, RecursionError) as error:
        said = f"{type(error).__name__}: {error}"
        raise ValueError(f"{path.name}: not a QSF file, or one of another form ({said})") from error


def _question(payload: dict[str, Any]) -> _Asked:
    kind = payload.get("QuestionType", "")
    choices = _ordered(payload.get("Choices"), payload.get("ChoiceOrder"))
    answers = _ordered(payload.get("Answers"), payload.get("AnswerOrder"))
    recode = payload.get("RecodeValues") or {}
    coded = answers if kind == "Matrix" else choices
    options = {cells.code(recode.get(key, key)): label for key, label in coded.items()}
    multiple = kind == "MC" and str(payload.get("Selector", "")).startswith("M")
    if multiple:  # its columns are numbered by choice, whatever the values are recoded to
        options = dict(choices)
    items = choices if kind == "Matrix" else {}
    text = _plain(payload.get("QuestionText", ""))
    return _Asked(text, items, options, multiple, kind not in ("MC", "Matrix"))


def _ordered(of: Any, order: Any) -> dict[str, str]:
    """Return choices in the order they are shown; a QSF has a list or a dict of them."""
    given = {str(i): v for i, v in enumerate(of, 1)} if isinstance(of, list) else dict(of or {})
    keys = [str(k) for k in order or () if str(k) in given]
    keys += [str(k) for k in given if str(k) not in keys]
    return {k: _plain(str(given[k]["Display"])) for k in keys}


def _columns(
    name: str, wording: str, import_id: str | None, values: list[str], asked: dict[str, _Asked]
) -> list[Column]:
    """Return what one column of the export is: itself, or a column for each choice it lists."""
    found = _QUESTION.fullmatch(import_id or "")
    if found is None:
        why = "" if import_id is None or import_id == name else "Qualtrics' own"
        return [Column(name, values, label=wording if wording != name else "", why=why)]
    if found[3]:
        return [Column(name, values, label=wording, why="free text")]
    question = asked.get(found[1])
    if question is None:
        several = bool(found[2]) and len({v for v in values if v}) == 1
        if several:  # a choice of several: its text, or 1, where it was selected
            return [_selected(name, wording, found[1], values, None)]
        return [Column(name, [cells.code(v) for v in values], label=wording)]
    if question.free:
        return [Column(name, values, label=wording or question.text)]
    if question.multiple and found[2]:
        choice = question.options.get(found[2], wording)
        return [_selected(name, f"{question.text} {choice}", found[1], values, None)]
    if question.multiple:
        return [
            _selected(f"{name}_{key}", f"{question.text} {label}", found[1], values, (key, label))
            for key, label in question.options.items()
        ]
    item = question.items.get(found[2] or "")
    text = f"{question.text} {item}" if item else question.text
    codes = {label.casefold(): code for code, label in question.options.items()}
    coded = [codes.get(_plain(v).casefold(), cells.code(v)) for v in values]
    return [Column(name, coded, label=text, labels=dict(question.options), measure="")]


def _selected(
    name: str, text: str, group: str, values: list[str], choice: tuple[str, str] | None
) -> Column:
    """Return the column of one choice: '1' selected, '0' something else was, or blank."""
    if choice is None:
        out = ["1" if v else "" for v in values]
    else:
        key, label = choice
        out = []
        for value in values:
            listed = {v.strip() for v in value.split(",")}
            # A choice's text may have commas of its own.
            whole = f",{value}," if value else ""
            out.append("" if not value else "01"[key in listed or f",{label}," in whole])
    return Column(name, out, label=text, labels=dict(SELECTED), group=group)


def _plain(text: str) -> str:
    """Return a text without HTML tags and entities, its white space as single blanks."""
    inline = re.sub(r"</?(?:a|b|em|font|i|span|strong|su[bp]|u)\b[^>]*>", "", text, flags=re.I)
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", inline)).split())
