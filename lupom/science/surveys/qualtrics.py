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

from lupom.science.surveys import cells, choices, conventions, grids
from lupom.science.surveys.columns import SELECTED, Column, File, check, fill
from lupom.science.surveys.tables import rows

# What an ImportId can be of a question: '1_QID5' (a loop's first round), 'QID3_2' (a row or a
# choice), 'QID5_1_2' (a row and a column), 'QID7#2_1' (the second column of a side-by-side, row 1),
# 'QID2_3_TEXT'.
_QUESTION = re.compile(
    r"(?P<loop>\d+_)?(?P<question>QID\d+(?:#\d+)?)(?:_(?P<item>x?\d+))?(?:_(?P<second>x?\d+))?"
    r"(?P<text>_TEXT)?"
)
# And what it can be of what Qualtrics makes of a question or of a survey.
_MADE = (
    (r".*_DO(?:_.*)?", "the order in which things were shown"),
    (r".*_(?:FIRST_CLICK|LAST_CLICK|PAGE_SUBMIT|CLICK_COUNT)", "how long it took"),
    (r".*_NPS_GROUP", "made of another column"),
    (r".*_(?:FILE_(?:ID|NAME|SIZE|TYPE)|ID|URL|NAME|SIZE|TYPE)", "a file"),
    (r".*_(?:X|Y|REGION.*)", "a place on a picture"),
    (r".*_(?:GROUP|G\d+.*)", "items put into groups"),
    (r"SC_\w+", "a score Qualtrics makes of other columns"),
    (r"(?:\d+_)?QID\d+.*(?:Topics|Sentiment|Actionability|Emotion|Effort).*", "made of a text"),
)
# Of a question, in whatever form: what people answered is never known before.
_OF_QUESTION = re.compile(r"(?:\d+_)?QID\d+(?:[_#-].*)?")
# The record itself; an ImportId that is neither this nor of a question is embedded data.
_RECORD = {
    *("startDate", "endDate", "status", "ipAddress", "progress", "duration", "finished"),
    *("recordedDate", "_recordId", "recipientLastName", "recipientFirstName", "recipientEmail"),
    *("externalDataReference", "locationLatitude", "locationLongitude", "distributionChannel"),
    *("userLanguage", "Q_RecaptchaScore", "Q_RelevantIDDuplicate", "Q_RelevantIDDuplicateScore"),
    *("Q_RelevantIDFraudScore", "Q_RelevantIDLastStartDate", "Q_BallotBoxStuffing"),
    *("Q_DuplicateRespondent", "Q_AmbiguousTextPresent", "Q_UnansweredPercentage"),
    *("Q_UnansweredQuestions", "Q_StraightliningCount", "Q_StraightliningPercentage"),
    *("Q_StraightliningQuestions", "Q_TotalDuration", "Q_URL", "Q_Language", "Q_TerminateFlag"),
}
# What Qualtrics writes, if told so, where a question was seen and not answered.
UNANSWERED = "-99"
_KEYS = {"ImportId", "choiceId", "timeZone"}


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
    return len(lines) > 2 and any(_heading(cell) for cell in lines[2])


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
    if len(lines) < 3 or not any(_heading(cell) for cell in lines[2]):
        raise ValueError(f"{path.name}:3: not a Qualtrics export: the third line has no ImportId")
    title, language, asked = ("", "", {}) if qsf is None else _survey(qsf)
    names, wordings, ids = lines[:3]
    columns: list[Column] = []
    unread: dict[str, None] = {}
    for i, name in enumerate(names):
        heading = _heading(ids[i])
        unread |= dict.fromkeys(key for key in heading if key not in _KEYS)
        values = [cells.text(row[i]) for row in lines[3:]]
        columns.extend(
            _columns(cells.seen(name).strip(), _plain(wordings[i]), heading, values, asked)
        )
    fill(columns)
    for column in columns:
        if UNANSWERED in column.values and UNANSWERED not in column.labels:
            column.missing |= {UNANSWERED}
    notes = []
    if unread:
        listed = ", ".join(unread)
        notes.append(f"the third line has keys beside ImportId that are not read: {listed}")
    file = File(path.name, columns, title=title, language=language)
    notes += _several(columns)
    choices.split(file)
    notes += file.notes
    columns = file.columns
    status = next((c for c in columns if c.name == "Status"), None)
    previews = sum(v in ("Survey Preview", "1") for v in status.values) if status else 0
    if previews:
        notes.append(f"{previews} of the rows are previews, not respondents (column 'Status')")
    ended = next((c for c in columns if c.name == "Finished"), None)
    early = sum(v.casefold() in ("false", "0") for v in ended.values) if ended else 0
    if early:
        notes.append(f"{early} of the rows are of people who did not finish (column 'Finished')")
    notes += grids.mark(columns)
    notes += conventions.mark(columns)
    return check(File(path.name, columns, notes, title=title, language=language))


def _heading(cell: str) -> dict[str, str]:
    """Return the third line's JSON of a column, {} where there is none."""
    try:
        found = json.loads(cell) if cell.lstrip().startswith("{") else {}
    except (ValueError, RecursionError):
        return {}
    return {str(k): str(v) for k, v in found.items()} if "ImportId" in found else {}


def _several(columns: list[Column]) -> list[str]:
    """Return notes on cells with the codes of several choices, which only the definition tells."""
    found = [
        c
        for c in columns
        if not (c.why or c.labels or c.known)
        and any("," in v for v in c.values)
        and all(re.fullmatch(r"\d+(?:,\d+)*", v) for v in c.values if v)
    ]
    for column in found:
        column.why = "several choices in a cell"
    names = [column.name for column in found]
    return (
        [f"{', '.join(names)}: several choices in a cell; --qsf tells them apart"] if names else []
    )


def definition(path: Path) -> dict[str, _Asked]:
    """Return the questions of a QSF by id.

    Raises ValueError when it is not a QSF.
    """
    return _survey(path)[2]


def _survey(path: Path) -> tuple[str, str, dict[str, _Asked]]:
    """Return title, language and questions of a QSF."""
    try:
        read = json.loads(path.read_text(encoding="utf-8-sig"))
        elements = read["SurveyElements"]
        payloads = [e["Payload"] for e in elements if e.get("Element") == "SQ"]
        asked = {str(p["QuestionID"]): _question(p) for p in payloads}
        for payload in payloads:  # the columns of a side-by-side are questions of their own
            for number, inner in dict(payload.get("AdditionalQuestions") or {}).items():
                asked[f"{payload['QuestionID']}#{number}"] = _question(
                    {"Choices": payload.get("Choices"), **inner, "QuestionType": "Matrix"}
                )
        entry = read.get("SurveyEntry") or {}
        title, language = (str(entry.get(k) or "") for k in ("SurveyName", "SurveyLanguage"))
        return title, language, asked
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
    name: str, wording: str, heading: dict[str, str], values: list[str], asked: dict[str, _Asked]
) -> list[Column]:
    """Return what one column of the export is: itself, or a column for each choice it lists."""
    import_id, choice = heading.get("ImportId"), heading.get("choiceId")
    found = _QUESTION.fullmatch(import_id or "")
    if found is None:
        label = wording if wording != name else ""
        why = next((why for p, why in _MADE if import_id and re.fullmatch(p, import_id)), "")
        why = "Qualtrics' own" if import_id in _RECORD else why
        answered = _OF_QUESTION.fullmatch(import_id or "") is not None
        embedded = import_id is not None and not why and not answered
        return [Column(name, values, label=label, why=why, known=embedded)]
    if found["text"]:
        # What is typed is text, unless all of it are numbers, as an age is.
        numbers = [v for v in values if v]
        typed = bool(numbers) and all(re.fullmatch(r"-?\d+(?:\.\d+)?", v) for v in numbers)
        return [Column(name, values, label=wording, why="" if typed else "free text")]
    item = found["item"] or choice
    second = found["second"] or (choice if found["item"] else None)
    group = f"{found['loop'] or ''}{found['question']}"
    question = asked.get(found["question"])
    if question is None:
        one = len({v for v in values if v}) == 1
        if choice or (item and one):  # a choice of several: its text, or 1, where it was selected
            group = f"{group}_{found['item']}" if found["item"] and second else group
            return [_selected(name, wording, group, values, None)]
        return [Column(name, [cells.code(_plain(v)) for v in values], label=wording)]
    # A text that was piped in stands in the export, and as a variable in the definition.
    text = wording if "${" in question.text or found["loop"] else question.text
    piped = text is wording
    if question.free:
        return [Column(name, values, label=wording or question.text)]
    if question.multiple and item:
        label = question.options.get(item, "")
        text = wording if piped or not label else f"{text} {label}"
        return [_selected(name, text, group, values, None)]
    if question.multiple:
        return [
            _selected(f"{name}_{key}", f"{text} {label}", group, values, (key, label))
            for key, label in question.options.items()
        ]
    if second is not None:  # one cell of a matrix where several count in a row
        return [_selected(name, wording, f"{group}_{item}", values, None)]
    row = question.items.get(item or "")
    text = f"{text} {row}" if row and not piped else text
    codes = {label.casefold(): code for code, label in question.options.items()}
    coded = [codes.get(_plain(v).casefold(), cells.code(v)) for v in values]
    return [Column(name, coded, label=text, labels=dict(question.options), measure="")]


def _selected(
    name: str, text: str, group: str, values: list[str], choice: tuple[str, str] | None
) -> Column:
    """Return the column of one choice: '1' selected, '0' something else was, or blank."""
    if choice is None:  # what was seen and not selected can be exported as 0 or -99
        out = ["" if not v else "01"[v not in ("0", UNANSWERED)] for v in values]
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
