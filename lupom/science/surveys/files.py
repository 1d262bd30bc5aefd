"""Any file of survey data: the reader is chosen by its name and first lines."""

from __future__ import annotations

import difflib
from pathlib import Path

from lupom.science.surveys import labelled, qualtrics, tables
from lupom.science.surveys.columns import File, gather
from lupom.science.surveys.layout import Layout

SUFFIXES = (*labelled.SUFFIXES, *tables.CSV, *tables.EXCEL, ".parquet")


def read(path: Path, *, qsf: Path | None = None, encoding: str | None = None) -> File:
    """Read an SPSS, Stata, CSV, Parquet or Excel file, or a Qualtrics export.

    Parameters
    ----------
    path : the file of answers, a row a respondent.
    qsf : the definition of a Qualtrics survey, for its export.
    encoding : of a CSV file, where it is not UTF-8.

    Raises
    ------
    ValueError : naming the file and what is wrong with it.
    ModuleNotFoundError : when the format needs a package that is not installed.
    """
    suffix = path.suffix.lower()
    if suffix == ".qsf":
        raise ValueError(
            f"{path.name}: a QSF holds the questions, not the answers; give the CSV export, and "
            f"the QSF with --qsf"
        )
    if suffix not in SUFFIXES:
        close = difflib.get_close_matches(suffix, SUFFIXES, n=1)
        hint = f"; did you mean {close[0]}?" if close else ""
        raise ValueError(
            f"{path.name}: {suffix or 'a file without a suffix'} is none of the formats that can "
            f"be read: {', '.join(SUFFIXES)}{hint}"
        )
    if suffix in labelled.SUFFIXES:
        return gather(labelled.read(path))
    if suffix in tables.CSV and (qsf or qualtrics.is_export(path, encoding=encoding)):
        return qualtrics.read(path, qsf, encoding=encoding)
    return gather(tables.read(path, encoding=encoding))


def read_layout(folder: Path, survey: str, *, encoding: str | None = None) -> Layout:
    """Read a folder that has OpinionQA's three tables: info.csv, responses.csv, metadata.csv.

    Parameters
    ----------
    folder : where they are, or where NAME_info.csv and so on are.
    survey : the survey's name, for messages.

    Raises
    ------
    ValueError : when one is missing, or does not hold what the models read.
    """
    found = []
    for part in ("info", "responses", "metadata"):
        files = sorted(folder.glob(f"{part}.csv")) or sorted(folder.glob(f"*_{part}.csv"))
        if len(files) != 1:
            several = f", but {', '.join(f.name for f in files)}" if files else ""
            raise ValueError(f"{folder}: there is no {part}.csv{several}")
        lines = tables.rows(files[0], encoding=encoding)
        lines[0] = [name.strip() or ("index" if i == 0 else "") for i, name in enumerate(lines[0])]
        found.append(lines)
    info, responses, metadata = found
    layout = Layout(info, responses, metadata)
    layout.check(survey)
    return layout
