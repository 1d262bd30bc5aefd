"""CSV, Parquet and Excel files as columns of text."""

from __future__ import annotations

import codecs
import csv
import io
import re
import zipfile
from pathlib import Path
from typing import Any

from lupom.science.surveys import cells
from lupom.science.surveys.columns import Column, File, check, check_width

# The longest open answers of public surveys have some 20,000 characters.
LONGEST_CELL = 1_000_000

CSV = (".csv", ".tsv", ".txt")
EXCEL = (".xlsx", ".xlsm")


def read(path: Path, *, encoding: str | None = None) -> File:
    """Read a CSV (comma, semicolon or tab), Parquet or Excel file (its first sheet).

    Raises
    ------
    ValueError : naming the file and the line or column that is malformed.
    ModuleNotFoundError : for Excel without openpyxl.
    """
    if not path.stat().st_size:
        raise ValueError(f"{path.name}: the file is empty")
    if path.suffix.lower() == ".parquet":
        return _parquet(path)
    if path.suffix.lower() in EXCEL:
        return table(_excel(path), path.name)
    return _decimals(table(rows(path, encoding=encoding), path.name))


def rows(path: Path, *, encoding: str | None = None) -> list[list[str]]:
    """Return the rows of a CSV file, its header first; each as long as the header.

    Raises ValueError with file and line for what does not decode, or is longer or shorter than the
    header, or for a cell without end.
    """
    if not path.stat().st_size:
        raise ValueError(f"{path.name}: the file is empty")
    text = _decoded(path, encoding)
    first = text[: text.find("\n")] if "\n" in text else text
    delimiter = max(",;\t", key=lambda d: (first.count(d), d == ","))
    previous = csv.field_size_limit(LONGEST_CELL)
    out: list[list[str]] = []
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        for row in reader:
            if not out:
                check_width(len(row), path.name)
            elif not row:
                continue
            elif len(row) != len(out[0]):
                raise ValueError(
                    f"{path.name}:{reader.line_num}: {len(row)} cells where the header has "
                    f"{len(out[0])}"
                )
            out.append(row)
    except csv.Error as error:
        said = str(error)
        if "field limit" in said:
            said = f"a cell of more than {LONGEST_CELL:,} characters; is a quote not closed?"
        raise ValueError(f"{path.name}:{reader.line_num}: {said}") from error
    finally:
        csv.field_size_limit(previous)
    if not out or not any(out[0]):
        raise ValueError(f"{path.name}: there is no header")
    return out


def table(lines: list[list[Any]], name: str) -> File:
    """Return rows, header first, as a file's columns."""
    header = [" ".join(cells.text(h).split()) for h in lines[0]] if lines else []
    notes = []
    for i, column in enumerate(header):
        if not column:
            header[i] = "index" if i == 0 else f"column_{i + 1}"
            notes.append(f"column {i + 1} has no name and is called {header[i]!r}")
    body = lines[1:]
    columns = [
        Column(column, [cells.text(row[i]) for row in body], label=column if " " in column else "")
        for i, column in enumerate(header)
    ]
    return check(File(name, columns, notes))


_COMMA = re.compile(r"[+-]?\d+(?:,\d+)?")


def _decimals(file: File) -> File:
    """Return the file with numbers such as '0,85' as '0.85', where a column has nothing else.

    '1,3' can be two choices in a cell, and '1,234' a thousand: of a column, one number must have
    two decimals, or four and more, or stand behind a zero.
    """
    found = []
    for column in file.columns:
        values = [v for v in column.values if v]
        told = any(re.search(r"\b0,\d|,\d{2}$|,\d{4,}$", v) for v in values)
        if told and all(_COMMA.fullmatch(v) for v in values):
            column.values = [v.replace(",", ".") for v in column.values]
            found.append(column.name)
    if found:
        file.notes.append(f"decimal commas are read as points: {', '.join(found)}")
    return file


def _decoded(path: Path, encoding: str | None) -> str:
    data = path.read_bytes()
    if encoding is None:
        utf16 = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        encoding = "utf-16" if utf16 else "utf-8-sig"
    try:
        text = data.decode(encoding)
    except LookupError as error:
        raise ValueError(f"{path.name}: there is no encoding {encoding!r}") from error
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ValueError(
            f"{path.name}:{line}: the byte 0x{data[error.start]:02x} is not {encoding}; save the "
            f"file as UTF-8, or give --encoding (Excel on Windows writes cp1252)"
        ) from error
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise ValueError(f"{path.name}:{line}: a null character; this is no text file")
    return text.replace("\r\n", "\n")


def _excel(path: Path) -> list[list[Any]]:
    try:
        import openpyxl
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"{path.name}: reading {path.suffix} needs openpyxl: pip install 'lupom[files]'"
        ) from error
    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    except (zipfile.BadZipFile, KeyError, ValueError, OSError) as error:
        raise ValueError(f"{path.name}: not an Excel file, or a damaged one ({error})") from error
    try:
        sheet = book.worksheets[0]
        check_width(sheet.max_column or 0, path.name)
        lines = [list(row) for row in sheet.iter_rows(values_only=True)]
    finally:
        book.close()
    lines = [row for row in lines if any(cells.text(v) for v in row)]
    if not lines:
        raise ValueError(f"{path.name}: the first sheet is empty")
    width = max(len(row) for row in lines)
    return [row + [None] * (width - len(row)) for row in lines]


def _parquet(path: Path) -> File:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        parquet = pq.ParquetFile(path)
        check_width(len(parquet.schema_arrow.names), path.name)
        data = parquet.read()
    except (pa.ArrowInvalid, OSError) as error:
        said = str(error).splitlines()[0]
        raise ValueError(f"{path.name}: not a Parquet file, or a damaged one ({said})") from error
    columns = []
    for name, column in zip(data.column_names, data.columns, strict=True):
        kind = column.type
        why = ""
        if pa.types.is_nested(kind):
            why = f"holds lists or structs ({kind})"
        elif pa.types.is_temporal(kind):
            why = "a date or time"
        values = [cells.text(v) for v in column.to_pylist()]
        columns.append(Column(name, values, label=name if " " in name else "", why=why))
    return check(File(path.name, columns))
