"""Any file or folder of survey data: the format is chosen by its name and first lines."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from lupom.science.surveys import formats, opinionqa, tables
from lupom.science.surveys.columns import File
from lupom.science.surveys.layout import Layout


def read(
    path: Path,
    *,
    qsf: Path | None = None,
    encoding: str | None = None,
    format: str | None = None,
    survey: str = "",
    guess: bool = True,
    codebook: Path | None = None,
    beside: bool = False,
) -> File | Layout:
    """Read a file or folder of survey data, in a format of `formats`.

    Parameters
    ----------
    path : the file of answers, or the folder.
    format : the format's name; by default the one whose file this is.
    survey : the survey's name, for messages.
    qsf : the definition of a Qualtrics survey, for its export.
    guess : whether columns of choices are to be told by what they hold.
    codebook : says what the file's columns and codes mean. beside : whether one is looked for
        beside it.
    encoding : of a CSV file, where it is not UTF-8; of SPSS and Stata, where the file does not say.

    Raises
    ------
    ValueError : naming the file and what is wrong with it.
    ModuleNotFoundError : when the format needs a package that is not installed.
    """
    if path.suffix.lower() == ".qsf" and format is None:
        raise ValueError(
            f"{path.name}: a QSF holds the questions, not the answers; give the CSV export, and "
            f"the QSF with --qsf"
        )
    return formats.read(path, formats.Asked(survey, encoding, qsf, guess, codebook, beside), format)


def read_layout(folder: Path, survey: str, *, encoding: str | None = None) -> Layout:
    """Read a folder that has OpinionQA's three tables: info.csv, responses.csv, metadata.csv.

    A first column without a name (the running number that pandas writes) is the respondents' id
    where no other column is; any other column without a name, and one whose name is also that of
    an earlier one, is left out and noted, unless it is a question or an attribute.

    Parameters
    ----------
    folder : where they are, or where NAME_info.csv and so on are.
    survey : the survey's name, for messages.

    Raises
    ------
    ValueError : when one is missing, or does not hold what the models read.
    """
    found: dict[str, tuple[str, list[list[str]]]] = {}
    for part in ("info", "metadata", "responses"):
        files = sorted(folder.glob(f"{part}.csv")) or sorted(folder.glob(f"*_{part}.csv"))
        if len(files) != 1:
            several = f", but {', '.join(f.name for f in files)}" if files else ""
            within = sorted(f.parent.name for f in folder.glob("*/info.csv")) if not found else []
            hint = f" (it is in {', '.join(within)}: name one of them)" if within else ""
            raise ValueError(f"{folder}: there is no {part}.csv{several}{hint}")
        found[part] = (files[0].name, tables.rows(files[0], encoding=encoding))
    info, _ = _named(*found["info"], opinionqa.INFO_COLUMNS)
    metadata, _ = _named(*found["metadata"], opinionqa.METADATA_COLUMNS)
    wanted = [*_keys(info), *_keys(metadata)]
    name, lines = found["responses"]
    header = [n.strip() for n in lines[0]]
    if not set(opinionqa.ID_COLUMNS) & set(filter(None, header)):
        folded = [n.casefold() for n in header]
        known = [n for n in ("index", "respondent_id", "qkey") if n in folded]
        named = {folded.index(known[0]): "index"} if known else {0: header[0] or "index"}
        lines[0] = [named.get(i, n) for i, n in enumerate(lines[0])]
    responses, notes = _named(name, lines, [*opinionqa.ID_COLUMNS, *wanted])
    if not header[0] and responses[0][0] == "index":
        notes.append(
            f"{name}: no column is called index, respondent_id or QKEY: the first, which has no "
            f"name, has the respondents' ids"
        )
    layout = Layout(info, responses, metadata, notes=notes)
    layout.check(survey)
    return layout


def _keys(lines: list[list[str]]) -> list[str]:
    at = lines[0].index("key") if "key" in lines[0] else None
    return [] if at is None else [row[at].strip() for row in lines[1:]]


def _named(
    file: str, lines: list[list[str]], wanted: Iterable[str]
) -> tuple[list[list[str]], list[str]]:
    """Return a table's rows without the columns that have no name of their own, and notes."""
    header = [" ".join(name.split()) for name in lines[0]]
    needed = {name.casefold() for name in wanted if name}
    kept: list[int] = []
    seen: dict[str, int] = {}
    notes = []
    for i, name in enumerate(header):
        # DuckDB's names are the same in upper and lower case.
        before = seen.get(name.casefold())
        if name and before is None:
            seen[name.casefold()] = i
            kept.append(i)
        elif name and name.casefold() in needed:
            raise ValueError(
                f"{file}: the columns {before + 1 if before is not None else 0} and {i + 1} are "
                f"both called {name!r}; rename one"
            )
        else:
            why = (
                f"is called {name!r}, as column {before + 1}"
                if before is not None
                else "has no name"
            )
            notes.append(f"{file}: column {i + 1} {why} and is left out")
    if len(kept) < len(header):
        lines = [[row[i] for i in kept] for row in lines]
    return [[header[i] for i in kept], *lines[1:]], notes
