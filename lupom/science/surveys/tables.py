"""CSV, Parquet and Excel files as columns of text."""

from __future__ import annotations

import codecs
import csv
import io
import re
import xml.etree.ElementTree as ET
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from lupom.science.surveys import cells, encodings, headers, numerals
from lupom.science.surveys.columns import Column, File, check, check_width

# The longest open answers of public surveys have some 20,000 characters.
LONGEST_CELL = 1_000_000

# Of a text's beginning so much is looked at for what parts its cells.
_LOOKED_AT = 200_000

# A first sheet of fewer rows may be a title page, where another has at least so many cells.
_FEW_ROWS, _ENOUGH = 6, 100

CSV = (".csv", ".tsv", ".txt")
EXCEL = (".xlsx", ".xlsm")
# What openpyxl raises for a file that is none of a workbook, or is cut or spoilt.
DAMAGED = (
    *(zipfile.BadZipFile, zlib.error, ET.ParseError, KeyError, ValueError, OSError, EOFError),
    *(TypeError, IndexError, AttributeError),
)
# The first bytes of what has been called .csv.
_MAGIC = {
    b"PK\x03\x04": "an Excel file or another archive (.xlsx, .zip)",
    b"\xd0\xcf\x11\xe0": "an Excel file of the old kind (.xls), to be saved as .xlsx or CSV",
    b"$FL2@(#)": "an SPSS file (.sav)",
    b"$FL3@(#)": "an SPSS file (.zsav)",
    b"<stata_dta>": "a Stata file (.dta)",
    b"PAR1": "a Parquet file (.parquet)",
}


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
        return _sheet(path)
    lines, found, parted = _numbered(path, encoding)
    file = numerals.plain(table(found, path.name), thousands=parted == ",")
    file.lines = lines[len(lines) - file.rows :]
    return file


def rows(path: Path, *, encoding: str | None = None) -> list[list[str]]:
    """Return the rows of a CSV file, its header first; each as long as the header.

    Raises ValueError with file and line for what does not decode, or is longer or shorter than the
    header, or for a cell without end.
    """
    return _numbered(path, encoding)[1]


def _numbered(path: Path, encoding: str | None) -> tuple[list[int], list[list[str]], str]:
    """Return the rows of a CSV file as `rows` does, the line each begins in, what parts cells."""
    if not path.stat().st_size:
        raise ValueError(f"{path.name}: the file is empty")
    text = _decoded(path, encoding)
    parted, text, skipped = delimiter(text)
    out: list[list[str]] = []
    lines: list[int] = []
    try:
        for line, row in lines_of(text, parted, skipped):
            blank = not any(map(str.strip, row))
            # SurveyMonkey's second header line may be blank.
            if not row or (blank and (not out or (len(out) == 1 and len(out[0]) > 1))):
                continue
            if not out:
                check_width(len(row), path.name)
            elif len(row) != len(out[0]):
                title = "; delete a title above the header" if len(out[0]) == 1 else ""
                raise ValueError(
                    f"{path.name}:{line}: {len(row)} cells where the header has "
                    f"{len(out[0])}{title}"
                )
            out.append(row)
            lines.append(line)
    except MalformedRow as error:
        raise ValueError(f"{path.name}:{error.line}: {error}") from error
    # Spreadsheets save rows that were emptied, ',,,', below the last one.
    while len(out) > 1 and len(out[0]) > 1 and not any(map(str.strip, out[-1])):
        out.pop()
        lines.pop()
    if not out or not any(out[0]):
        raise ValueError(f"{path.name}: there is no header")
    return lines, out, parted


class MalformedRow(ValueError):
    """What is wrong with a row of a CSV text, and the `line` in which it begins."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.line = line


def lines_of(text: str, parted: str, skipped: int = 0) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows of a CSV text, each with the line in which it begins.

    Parameters
    ----------
    parted : what stands between cells. skipped : lines of the file before the text.

    Raises
    ------
    MalformedRow : for a quotation that does not end, which would else hold all rows after it, for
        one within a cell, and for a cell of more than LONGEST_CELL characters.
    """
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=parted, strict=True)
    line = skipped + 1
    previous = csv.field_size_limit(LONGEST_CELL)
    try:
        for row in reader:
            yield line, row
            line = reader.line_num + skipped + 1
    except csv.Error as error:
        said = str(error)
        if "field limit" in said:
            said = f"a cell of more than {LONGEST_CELL:,} characters; is a quote not closed?"
        elif "unexpected end" in said:
            said = "a quotation that begins in this row does not end"
        raise MalformedRow(said, line) from error
    finally:
        csv.field_size_limit(previous)


def delimiter(text: str) -> tuple[str, str, int]:
    """Return what stands between cells, the text to read, and how many lines of it are left out."""
    told = re.match(r"sep=(.)\r?\n", text)  # Excel's own first line
    if told:
        return told[1], text[told.end() :], 1
    first = next((line for line in text.splitlines() if line.strip()), "")
    signs = [d for d in ",;\t|" if d in first] or [","]
    # Questions have commas and semicolons of their own: rows are as long as the header by one sign.
    even = {d: _evenness(text, d) for d in signs} if len(signs) > 1 else {}
    return max(signs, key=lambda d: (even.get(d, 0), first.count(d), d == ",")), text, 0


def _evenness(text: str, parted: str) -> float:
    """Return the share of a text's first rows that are as long as its header, 0 of one cell."""
    head = text[:_LOOKED_AT]
    try:
        rows = [r for r in csv.reader(io.StringIO(head, newline=""), delimiter=parted) if any(r)]
    except csv.Error:
        return 0.0
    if len(head) < len(text):
        rows = rows[:-1]  # cut
    if len(rows) < 2 or len(rows[0]) < 2:
        return 0.0
    return sum(len(row) == len(rows[0]) for row in rows[1:]) / len(rows[1:])


def table(lines: list[list[Any]], name: str) -> File:
    """Return rows, header first, as a file's columns."""
    found = headers.read(lines)
    columns = [
        Column(name, [cells.text(row[i]) for row in found.rows], label=label)
        for i, (name, label) in enumerate(zip(found.names, found.labels, strict=True))
    ]
    return check(File(name, columns, found.notes, head=found.head))


def _decoded(path: Path, encoding: str | None) -> str:
    data = path.read_bytes()
    if encoding is None:
        binary = next((what for magic, what in _MAGIC.items() if data.startswith(magic)), None)
        if binary:
            raise ValueError(f"{path.name}: {binary}, whatever its name says; rename it")
        utf16 = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        # ASCII as UTF-16 without a mark: every other byte of the header is 0.
        head = data[:64] if len(data) > 8 else b""
        zeros = [n for n in (0, 1) if head and not any(head[n::2])]
        encoding = "utf-16" if utf16 else "utf-8-sig"
        encoding = ("utf-16-be", "utf-16-le")[zeros[0]] if len(zeros) == 1 else encoding
    try:
        text = data.decode(encoding)
    except LookupError as error:
        raise ValueError(f"{path.name}: there is no encoding {encoding!r}") from error
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        said = "(Excel on Windows writes cp1252)"
        if encoding == "utf-8-sig" and (likely := encodings.told(data.splitlines())):
            said = f"{likely}, which it looks like"
            words = re.findall(r"\w*[^\W\x00-\x7f]\w*", data.decode(likely, errors="ignore"))
            said += f" ({', '.join(list(dict.fromkeys(words))[:3])})"
        raise ValueError(
            f"{path.name}:{line}: the byte 0x{data[error.start]:02x} is not "
            f"{encoding.removesuffix('-sig')}; save the "
            f"file as UTF-8, or give --encoding {said}"
        ) from error
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise ValueError(f"{path.name}:{line}: a null character; this is not a text file")
    return text.replace("\r\n", "\n")


def _sheet(path: Path) -> File:
    """Return a workbook's sheet of answers; what is wrong with it, or noted, names the others."""
    lines, read_, others, first = _excel(path)
    which = "the first sheet is" if first else "the sheet of answers is"
    said = f"{which} {read_!r}; not read: {', '.join(map(repr, others))}"
    try:
        file = table(lines, path.name)
    except ValueError as error:
        hint = f"; {said}; put the sheet of answers first" if others else ""
        raise ValueError(f"{error}{hint}") from error
    if others:
        file.notes.append(said)
    return file


def workbook(path: Path) -> Any:
    """Open a workbook of Excel's to be read, its formulas as their values; to be closed.

    Raises
    ------
    ModuleNotFoundError : saying what to install, without openpyxl.
    ValueError : naming the file, for one that is no workbook, or damaged.
    """
    try:
        import openpyxl
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"{path.name}: reading {path.suffix} needs openpyxl: pip install 'lupom[files]'"
        ) from error
    try:
        return openpyxl.load_workbook(path, read_only=True, data_only=True)
    except DAMAGED as error:
        raise ValueError(f"{path.name}: not an Excel file, or a damaged one ({error})") from error


def _excel(path: Path) -> tuple[list[list[Any]], str, list[str], bool]:
    """Return the rows of a workbook's sheet of answers, its name, the others', if it is the first.

    It is the first, unless that has less than two columns or a handful of rows (a title page, a
    read-me) where another has a hundred cells and more than it.
    """
    book = workbook(path)
    try:
        sheets = [sheet for sheet in book.worksheets if sheet.sheet_state == "visible"]
        sheets = sheets or list(book.worksheets)
        lines = _cells(sheets[0], path.name)
        chosen = sheets[0]
        if len(sheets) > 1 and (len(lines) < _FEW_ROWS or len(lines[0]) < 2):
            for sheet in sheets[1:]:
                found = _cells(sheet, path.name)
                if _size(found) > max(_size(lines), _ENOUGH) and len(found[0]) > 1:
                    lines, chosen = found, sheet
        others = [sheet.title for sheet in book.worksheets if sheet is not chosen]
    finally:
        book.close()
    if not lines:
        raise ValueError(f"{path.name}: the first sheet, {chosen.title!r}, is empty")
    return lines, chosen.title, others, chosen is sheets[0]


def _cells(sheet: Any, name: str) -> list[list[Any]]:
    check_width(sheet.max_column or 0, name)
    try:
        lines = [list(row) for row in sheet.iter_rows(values_only=True)]
    except DAMAGED as error:
        raise ValueError(f"{name}: a damaged Excel file ({error})") from error
    lines = [row for row in lines if any(cells.text(v) for v in row)]
    width = max((len(row) for row in lines), default=0)
    return [row + [None] * (width - len(row)) for row in lines]


def _size(lines: Sequence[Sequence[Any]]) -> int:
    return len(lines) * len(lines[0]) if lines else 0


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
