"""SPSS (.sav, .zsav) and Stata (.dta) files: values with labels and codes for what is missing."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from lupom.science.surveys import cells, encodings, labels
from lupom.science.surveys.columns import SELECTED, Column, File, check, check_width

# What ReadStat calls encodings, where not as Python does.
# Of cp1255 iconv keeps each text's last letter for the next one, to which points may belong.
_NAMES = {"utf-8": "UTF-8", "cp1252": "WINDOWS-1252", "cp1255": "ISO-8859-8"}
# Different values of a column that are looked at for their encoding.
_VALUES = 1000

SUFFIXES = (".sav", ".zsav", ".dta")


def read(path: Path, *, encoding: str | None = None) -> File:
    """Read an SPSS or Stata file.

    Parameters
    ----------
    path : a .sav, .zsav or .dta file. Values that the file marks as missing are kept as codes
        (Stata's .a to .z as 'a' to 'z'); blank is only what is missing without a code.
    encoding : of its texts; by default the one it declares, and where that fails what its bytes
        are most like.

    Raises
    ------
    ValueError : when it is not such a file, or not in that encoding.
    ModuleNotFoundError : without pyreadstat, which reads these formats.
    """
    try:
        import pyreadstat
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"{path.name}: reading {path.suffix} needs pyreadstat: pip install 'lupom[files]'"
        ) from error
    if not path.stat().st_size:
        raise ValueError(f"{path.name}: the file is empty")
    stata = path.suffix.lower() == ".dta"
    reader = pyreadstat.read_dta if stata else pyreadstat.read_sav
    notes: list[str] = []
    found = ""
    try:
        frame, meta = _read(reader, path, encoding)
    except (pyreadstat.ReadstatError, pyreadstat.PyreadstatError, UnicodeDecodeError) as error:
        if encoding is not None:
            raise ValueError(
                f"{path.name}: not a {path.suffix} file in the encoding {encoding!r}, or a damaged "
                f"one ({error})"
            ) from error
        try:
            # Files of older programs declare an encoding, or none, and are written in another.
            texts = _texts(*_read(reader, path, "ISO-8859-1"), "latin-1")
            found = encodings.told(texts) or "cp1252"
            frame, meta = _read(reader, path, found)
        except (pyreadstat.ReadstatError, pyreadstat.PyreadstatError, UnicodeDecodeError):
            raise ValueError(
                f"{path.name}: not a {path.suffix} file, or a damaged one ({error})"
            ) from error
        notes.append(
            f"text that is not in the encoding the file declares is read as {found}, by its bytes; "
            "--encoding names another"
        )
    else:
        if encoding is None and not stata and (told := _other_than_declared(frame, meta)):
            with suppress(pyreadstat.ReadstatError, pyreadstat.PyreadstatError, UnicodeDecodeError):
                frame, meta = _read(reader, path, told)
                found = told
                notes.append(
                    f"texts are read as {told}, which their bytes are, though the file declares "
                    "Windows-1252; --encoding names another"
                )
        if encoding is None and stata and _without_unicode(path):
            told = encodings.told(_texts(frame, meta, "cp1252")) or "cp1252"
            if told not in ("cp1252", "utf-8"):
                with suppress(pyreadstat.ReadstatError, pyreadstat.PyreadstatError):
                    frame, meta = _read(reader, path, told)
                    found = told
                    notes.append(
                        "files of Stata before version 14 do not say their encoding; texts are read"
                        f" as {told}, by their bytes; --encoding names another"
                    )
    columns = []
    for name in meta.column_names:
        given = {
            cells.code(k): " ".join(cells.text(v).split())
            for k, v in (meta.variable_value_labels.get(name) or {}).items()
        }
        written: dict[Any, str] = {}
        raw = [None if value != value else value for value in frame[name].tolist()]
        for value in raw:
            if value not in written:
                written[value] = cells.code(value)
        values = [written[value] for value in raw]
        measure = (meta.variable_measure or {}).get(name) or ""
        form = str((meta.original_variable_types or {}).get(name) or "")
        columns.append(
            Column(
                name,
                values,
                label=" ".join(cells.text(meta.column_names_to_labels.get(name)).split()),
                labels=given,
                missing=_missing(meta, name, {*values, *given} - {""}),
                measure="" if measure == "unknown" else measure,
                why="a date or time" if _is_time(form) else "",
            )
        )
    _sets(columns, getattr(meta, "mr_sets", None) or {})
    title = " ".join((getattr(meta, "file_label", None) or "").split())
    return check(File(path.name, columns, notes, title=title, encoding=found))


def _sets(columns: list[Column], sets: dict[str, Any]) -> None:
    """Read the dichotomies of SPSS's multiple response sets as what was selected and what not."""
    by_name = {column.name: column for column in columns}
    for name, found in sets.items():
        counted = cells.code(found.get("counted_value"))
        members = [by_name[n] for n in found.get("variable_list") or () if n in by_name]
        if found.get("type") != "D" or not counted or len(members) < 2:
            continue
        for column in members:
            told = labels.among(column.labels.values())
            kept = {c: text for c, text in column.labels.items() if text in told}
            column.values = [
                v if v in kept or v in column.missing or not v else "01"[v == counted]
                for v in column.values
            ]
            question = " ".join(str(found.get("label") or "").split())
            if question and question not in column.label:
                column.label = f"{question} {column.label or column.name}"
            column.labels, column.group = {**SELECTED, **kept}, name


def _without_unicode(path: Path) -> bool:
    """Say whether a Stata file is of a version before 14; ReadStat reads its texts as cp1252."""
    with path.open("rb") as file:
        head = file.read(64)
    found = re.match(rb"<stata_dta><header><release>(\d+)", head)
    return found is None or int(found[1]) < 118


def _other_than_declared(frame: Any, meta: Any) -> str | None:
    """Return what the texts of a file that declares Windows-1252 or Latin-1 are by their bytes.

    Every byte is a letter of these, so that reading one wrongly fails nowhere. None where they are
    what is declared.
    """
    declared = re.sub(r"\W|_", "", str(meta.file_encoding or "").casefold())
    if declared not in ("windows1252", "cp1252", "iso88591", "latin1"):
        return None
    told = encodings.told(_texts(frame, meta, "cp1252"))
    return None if told == "cp1252" else told


def _texts(frame: Any, meta: Any, encoding: str) -> Iterator[bytes]:
    """Yield the bytes of a file's texts that are not ASCII, which were read as an encoding."""
    said = [getattr(meta, "file_label", None), *(meta.column_names_to_labels or {}).values()]
    for told in (meta.variable_value_labels or {}).values():
        said += told.values()
    for name in frame.columns:
        if frame[name].dtype == object or str(frame[name].dtype).startswith("str"):
            said += frame[name].unique().tolist()[:_VALUES]
    for text in said:
        if isinstance(text, str) and not text.isascii():
            with suppress(UnicodeEncodeError):
                yield text.encode(encoding)


def _read(reader: Any, path: Path, encoding: str | None) -> tuple[Any, Any]:
    """Return frame and metadata; the width is checked before the rest is read."""
    encoding = None if encoding is None else _NAMES.get(encoding.lower(), encoding)
    _, meta = reader(str(path), metadataonly=True, encoding=encoding)
    check_width(meta.number_columns, path.name)
    found: tuple[Any, Any] = reader(
        str(path), encoding=encoding, user_missing=True, disable_datetime_conversion=True
    )
    return found


def _missing(meta: Any, name: str, codes: set[str]) -> frozenset[str]:
    """Return those of the codes that the file marks as missing."""
    ranges = (meta.missing_ranges or {}).get(name) or []
    tagged = {str(v) for v in (meta.missing_user_values or {}).get(name) or []}
    out = set(codes & tagged)
    for code in codes:
        number = _number(code)
        for span in ranges:
            low, high = span["lo"], span["hi"]
            if isinstance(low, str) or isinstance(high, str):
                if cells.code(low) == code:
                    out.add(code)
            elif not math.isnan(number) and float(low) <= number <= float(high):
                out.add(code)
    return frozenset(out)


def _number(code: str) -> float:
    try:
        return float(code)
    except ValueError:
        return math.nan


def _is_time(form: str) -> bool:
    return form.upper().startswith(
        ("DATE", "ADATE", "EDATE", "SDATE", "JDATE", "DATETIME", "TIME", "%T", "%D")
    )
