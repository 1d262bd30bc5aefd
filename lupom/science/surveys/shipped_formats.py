"""The formats that LUPoM ships, as its entry points name them."""

from __future__ import annotations

from pathlib import Path

from lupom.science.surveys import files, labelled, qualtrics, tables
from lupom.science.surveys.choices import gather
from lupom.science.surveys.columns import File
from lupom.science.surveys.formats import Asked, Format, described


def _labelled(path: Path, asked: Asked) -> File:
    file = described(labelled.read(path, encoding=asked.encoding), path, asked)
    return gather(file) if asked.guess else file


def _table(path: Path, asked: Asked) -> File:
    file = described(tables.read(path, encoding=asked.encoding), path, asked)
    return gather(file) if asked.guess else file


def _qualtrics(path: Path, asked: Asked) -> File:
    return described(qualtrics.read(path, asked.qsf, encoding=asked.encoding), path, asked)


SPSS = Format("SPSS", _labelled, (".sav", ".zsav"))
STATA = Format("Stata", _labelled, (".dta",))
QUALTRICS = Format(
    "Qualtrics' CSV export, with or without its QSF",
    _qualtrics,
    tables.CSV,
    lambda path, asked: asked.qsf is not None or qualtrics.is_export(path, encoding=asked.encoding),
)
CSV = Format("CSV, a respondent a row", _table, tables.CSV)
EXCEL = Format("Excel, the first sheet", _table, tables.EXCEL)
PARQUET = Format("Parquet", _table, (".parquet",))
OPINIONQA = Format(
    "A folder of info.csv, responses.csv and metadata.csv, as OpinionQA has them",
    lambda path, asked: files.read_layout(path, asked.survey, encoding=asked.encoding),
    folder=True,
)
