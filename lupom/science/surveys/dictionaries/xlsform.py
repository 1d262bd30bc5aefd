"""XLSForm: the workbook in which Kobo's and ODK's surveys are written: survey and choices."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from lupom.science.surveys import cells
from lupom.science.surveys.dictionaries.dictionary import Dictionary, plain

TITLE = "an XLSForm"
_SELECT = re.compile(
    r"(?P<how>select_one|select_multiple|select one|select multiple|rank)(?: from)?\s+(?P<list>\S+)"
    r"(?:\s+or[_ ]other)?",
    re.IGNORECASE,
)
_RECORD = {
    *("start", "end", "today", "deviceid", "subscriberid", "simserial", "phonenumber", "username"),
    *("audit", "start-geopoint", "calculate", "hidden", "background-audio"),
}
_WHY = {
    "note": "no question",
    "image": "a file",
    "audio": "a file",
    "video": "a file",
    "file": "a file",
    "geopoint": "a place",
    "geotrace": "a place",
    "geoshape": "a place",
    "date": "a date or time",
    "time": "a date or time",
    "datetime": "a date or time",
}


def recognises(sheets: Mapping[str, Sequence[Sequence[object]]]) -> bool:
    """Say whether a workbook's sheets, rows by name, are those of an XLSForm."""
    rows = _sheet(sheets, "survey")
    return bool(rows) and {"type", "name"} <= {cells.text(v).casefold() for v in rows[0]}


def read(sheets: Mapping[str, Sequence[Sequence[object]]], name: str) -> Dictionary:
    """Return what an XLSForm says of its questions, in its default language.

    Raises
    ------
    ValueError : naming file, sheet and row, for a list of choices that is not there.
    """
    out = Dictionary(name, TITLE)
    settings = _records(_sheet(sheets, "settings"))
    language = settings[0][1].get("default_language", "") if settings else ""
    out.title = plain(settings[0][1].get("form_title", "")) if settings else ""
    lists: dict[str, dict[str, str]] = {}
    for _, row in _records(_sheet(sheets, "choices")):
        key = row.get("list_name") or row.get("list name") or ""
        code = cells.code(row.get("name") or row.get("value") or "")
        if key and code:
            lists.setdefault(key, {})[code] = plain(_said(row, language)) or code
    for line, row in _records(_sheet(sheets, "survey")):
        kind, key = " ".join(row.get("type", "").split()), row.get("name", "")
        if not key or re.match(r"(?:begin|end)[ _]", kind):
            continue
        variable = out.variable(key, line)
        variable.label = plain(_said(row, language))
        variable.asked_if = row.get("relevant", "")
        variable.why = _WHY.get(
            kind, "of the interview, not of the person" if kind in _RECORD else ""
        )
        found = _SELECT.fullmatch(kind)
        if found is None:
            continue
        if found["list"] not in lists and not re.search(
            r"\.(?:csv|xml|geojson)$|\$\{", found["list"]
        ):
            raise ValueError(
                f"{name}, sheet 'survey', row {line}: the question {key!r} has the choices"
                f" {found['list']!r}, which are not in the sheet 'choices'"
            )
        variable.labels = dict(lists.get(found["list"], {}))
        variable.several = found["how"].casefold().endswith("multiple")
    return out


def _sheet(
    sheets: Mapping[str, Sequence[Sequence[object]]], name: str
) -> Sequence[Sequence[object]]:
    return next((rows for title, rows in sheets.items() if title.strip().casefold() == name), [])


def _records(rows: Sequence[Sequence[object]]) -> list[tuple[int, dict[str, str]]]:
    """Return rows by their headings in lower case, each with its number."""
    if not rows:
        return []
    head = [cells.text(v).casefold() for v in rows[0]]
    return [
        (number, {h: cells.text(v) for h, v in zip(head, row, strict=False) if h})
        for number, row in enumerate(rows[1:], start=2)
        if any(cells.text(v) for v in row)
    ]


def _said(row: Mapping[str, str], language: str) -> str:
    """Return a label in the form's default language, or in the first that has one."""
    labels = {h.partition(":")[2].strip(": "): v for h, v in row.items() if re.match(r"label\b", h)}
    wanted = language.casefold()
    for told, text in labels.items():
        if text and told in ("", wanted):
            return text
    return next((v for v in labels.values() if v), "")
