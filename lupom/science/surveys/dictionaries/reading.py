"""Any data dictionary: which format reads a file, and which file beside the data is one."""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from lupom.science.surveys import encodings, tables
from lupom.science.surveys.dictionaries import (
    ddi,
    limesurvey,
    spss_syntax,
    stata_syntax,
    texts,
    xlsform,
)
from lupom.science.surveys.dictionaries import tables as variables
from lupom.science.surveys.dictionaries.dictionary import LARGEST, MOST_VARIABLES, Dictionary

# What files are called that are codebooks.
_CALLED = re.compile(
    r"code_?book|data_?dict(?:ionary)?|dictionary|code_?plan|[ck]odebuch|value_?labels?"
    r"|variable_?(?:list|labels?|names?|descriptions?|views?)|variables|columns|var_?labels?"
    r"|libro_de_codigos|diccionario(?:_de_datos)?|dictionnaire(?:_des_variables)?|xlsform"
)
# Files of a folder that are looked at for it.
_MOST_FILES = 2_000
_SYNTAX = (".sps", ".do", ".dct", ".lss")


@dataclass(frozen=True)
class Reader:
    """A format of data dictionaries.

    Attributes
    ----------
    title : what people call it.
    suffixes : of its files, in lower case and with their dot.
    read : a path, the names of the data's columns, in order, and an encoding or None, to a
        Dictionary; None where the file is not of this format.
    """

    title: str
    suffixes: tuple[str, ...]
    read: Callable[[Path, Sequence[str], str | None], Dictionary | None]


def _labelled(path: Path, columns: Sequence[str], encoding: str | None) -> Dictionary | None:
    text = decoded(path, encoding)
    if path.suffix.lower() == ".sps" or (
        path.suffix.lower() == ".txt" and spss_syntax.recognises(text)
    ):
        return spss_syntax.read(text, path.name, columns)
    return None


def _do(path: Path, columns: Sequence[str], encoding: str | None) -> Dictionary | None:
    text = decoded(path, encoding)
    if path.suffix.lower() != ".txt" or stata_syntax.recognises(text):
        return stata_syntax.read(text, path.name, columns)
    return None


def _ddi(path: Path, columns: Sequence[str], encoding: str | None) -> Dictionary | None:
    text = decoded(path, encoding)
    return ddi.read(text, path.name) if ddi.recognises(text) else None


def _limesurvey(path: Path, columns: Sequence[str], encoding: str | None) -> Dictionary | None:
    text = decoded(path, encoding)
    return limesurvey.read(text, path.name) if limesurvey.recognises(text) else None


def _table(path: Path, columns: Sequence[str], encoding: str | None) -> Dictionary | None:
    text = decoded(path, encoding)
    parted, text, skipped = tables.delimiter(text)
    if path.suffix.lower() == ".tsv":
        parted = "\t"
    rows: list[list[str]] = []
    lines: list[int] = []
    try:
        for line, row in tables.lines_of(text, parted, skipped):
            if any(row):
                rows.append(row)
                lines.append(line)
    except tables.MalformedRow as error:
        if path.suffix.lower() in (".txt", ".md"):
            return None
        raise ValueError(f"{path.name}:{error.line}: {error}") from error
    return variables.read(rows, path.name, columns, lines)


def _workbook(path: Path, columns: Sequence[str], encoding: str | None) -> Dictionary | None:
    """Return what a workbook's sheets say together: variables in one, their codes in another."""
    book = tables.workbook(path)
    try:
        # Sheets of answers are longer than those of a codebook, and slow to read.
        short = [s for s in book.worksheets if (s.max_row or 0) <= MOST_VARIABLES]
        sheets = {s.title: [list(r) for r in s.iter_rows(values_only=True)] for s in short}
    except tables.DAMAGED as error:
        raise ValueError(f"{path.name}: a damaged Excel file ({error})") from error
    finally:
        book.close()
    if xlsform.recognises(sheets):
        return xlsform.read(sheets, path.name)
    out: Dictionary | None = None
    for title, rows in sheets.items():
        told = [[variables.text(v) for v in row] for row in rows]
        found = variables.read(told, f"{path.name}, sheet {title!r}", columns)
        if found is None:
            continue
        if out is None:
            out = found
            continue
        out.name = path.name
        for key, variable in found.variables.items():
            ours = out.variables.setdefault(key, variable)
            ours.label = ours.label or variable.label
            ours.labels = ours.labels or variable.labels
            ours.missing |= variable.missing
    return out


def _text(path: Path, columns: Sequence[str], encoding: str | None) -> Dictionary | None:
    found = texts.read(decoded(path, encoding), path.name, columns)
    return found if found.variables else None


READERS = (
    Reader(spss_syntax.TITLE, (".sps", ".txt"), _labelled),
    Reader(stata_syntax.TITLE, (".do", ".dct", ".txt"), _do),
    Reader(limesurvey.TITLE, (".lss", ".txt", ".tsv"), _limesurvey),
    Reader(ddi.TITLE, (".xml",), _ddi),
    Reader(variables.TITLE, (".csv", ".tsv"), _table),
    Reader(xlsform.TITLE, (".xlsx", ".xlsm"), _workbook),
    Reader(texts.TITLE, (".txt", ".md"), _text),
)
SUFFIXES = tuple(dict.fromkeys(suffix for reader in READERS for suffix in reader.suffixes))


def read(path: Path, columns: Sequence[str], *, encoding: str | None = None) -> Dictionary:
    """Read a data dictionary, in the first format of READERS that it is in.

    Parameters
    ----------
    path : the file. columns : of the data, in order. encoding : of a file that is not UTF-8; by
        default what its bytes are most like.

    Raises
    ------
    ValueError : naming the file, and the line where there is one, for what cannot be read, and for
        a file that says nothing of any column.
    ModuleNotFoundError : for Excel without openpyxl.
    """
    suffix = path.suffix.lower()
    if suffix in (".yml", ".yaml"):
        raise ValueError(
            f"{path.name}: this is a codebook of LUPoM's own, which is read from codebooks/NAME."
            "codebook.yml in the project; put it there, and leave --codebook out"
        )
    if suffix == ".qsf":
        raise ValueError(f"{path.name}: the definition of a Qualtrics survey is given with --qsf")
    fit = [reader for reader in READERS if suffix in reader.suffixes]
    if not fit:
        raise ValueError(
            f"{path.name}: {suffix or 'a file without a suffix'} is none of the codebooks that can"
            f" be read: {', '.join(SUFFIXES)}"
        )
    if path.stat().st_size > LARGEST:
        raise ValueError(f"{path.name}: {path.stat().st_size:,} bytes, too many for a codebook")
    for reader in fit:
        found = reader.read(path, columns, encoding)
        if found is not None:
            return found
    known = ", ".join(columns[:3])
    raise ValueError(
        f"{path.name}: it describes no column of the data ({known}, ...); it is read as"
        f" {' or '.join(reader.title for reader in fit)}"
    )


def beside(path: Path) -> list[Path]:
    """Return files beside one of data that are called as its codebooks are, the likeliest first."""
    found: list[tuple[bool, str, Path]] = []
    stem = _slug(path.stem)
    for count, file in enumerate(path.resolve().parent.iterdir()):
        if count >= _MOST_FILES:
            break
        suffix = file.suffix.lower()
        if file.name == path.name or suffix not in SUFFIXES or not file.is_file():
            continue
        called = _slug(file.stem)
        own = called == stem and suffix in (*_SYNTAX, ".xml")
        # LimeSurvey names its files by the survey's number: limesurvey_survey_1234.lss.
        own = own or suffix == ".lss"
        if own or _CALLED.search(called):
            found.append((not (own or stem in called), file.name, file))
    return [file for _, _, file in sorted(found)]


def _slug(text: str) -> str:
    return re.sub(r"[\W_]+", "_", text.casefold()).strip("_")


def decoded(path: Path, encoding: str | None) -> str:
    """Return a file's text; raises ValueError where it is none."""
    data = path.read_bytes()
    if encoding is None:
        utf16 = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        encoding = "utf-16" if utf16 else "utf-8-sig"
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            encoding = encodings.told(data.splitlines()) or "cp1252"
            text = data.decode(encoding, errors="replace")
    else:
        try:
            text = data.decode(encoding)
        except LookupError as error:
            raise ValueError(f"{path.name}: there is no encoding {encoding!r}") from error
        except UnicodeDecodeError:  # named for the data, which may be in another
            return decoded(path, None)
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise ValueError(f"{path.name}:{line}: a null character; this is not a text file")
    return text.replace("\r\n", "\n")
