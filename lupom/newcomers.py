"""What a project knows of how its survey is written, to read people who were not there."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lupom.engine.errors import LupomError, ProjectError, UsageError

if TYPE_CHECKING:
    from lupom.engine.run.context import Context
    from lupom.science.surveys.columns import File
    from lupom.science.surveys.fields import Misread
    from lupom.science.surveys.newcomers import Known, People

# What a file of people is called that comes through standard input.
STDIN = "stdin"


def known(
    context: Context,
    survey: str,
    questions: Mapping[str, Sequence[str]],
    attributes: Mapping[str, Sequence[str]],
) -> Known:
    """Return what can be said of people of a survey, by its seeds and its codebook.

    Parameters
    ----------
    questions, attributes : options, and values, by name: those that were learned of. A survey that
        is a source has no codes, only those.

    Raises ProjectError where the seeds or the codebook cannot be read.
    """
    from lupom.science.surveys import codebook, layout, newcomers, opinionqa, tables
    from lupom.science.surveys import questions as asked
    from lupom.surveys import codebook_path

    files = context.files
    seeds = {Path(relative).stem: files.root / relative for relative in files.seeds}
    info, metadata = (seeds.get(f"{survey}_{part}") for part in ("info", "metadata"))
    try:
        rows = [] if info is None else asked.read(layout.arrow(tables.rows(info)), survey)
        values = {} if metadata is None else opinionqa.listed(layout.arrow(tables.rows(metadata)))
        path = codebook_path(files.root, survey)
        book = None
        if path.is_file():
            book = codebook.load(path.read_text(encoding="utf-8-sig"), path.name)
    except (ValueError, OSError) as error:
        raise ProjectError(str(error), hint="import the survey again") from error
    others = [question.key for question in rows if question.key not in questions]
    return newcomers.known(
        questions, attributes, asked=rows, values=values, book=book, others=others
    )


def read(
    people: Any,
    known: Known,
    *,
    encoding: str | None = None,
    format: str | None = None,
    elsewhere: Callable[[Sequence[str]], str | None] = lambda _: None,
) -> People:
    """Return people of a file, a stream of CSV, a table or mappings; the file's place in errors.

    `elsewhere` says whose columns they are, where none is of this survey.
    Raises UsageError for what is none of these, ProjectError for what is wrong in a file.
    """
    from lupom.science.surveys import newcomers
    from lupom.science.surveys.fields import Misread

    path = Path(people) if isinstance(people, str | os.PathLike) else None
    if path is not None or hasattr(people, "read"):
        file = _file(people if path is None else path, encoding, format)
        where = str(path) if path is not None else STDIN
    else:
        file, where = _given(people), None
    try:
        return newcomers.read(file, known)
    except newcomers.Unrelated as error:
        if other := elsewhere(error.columns):
            error.hint = f"{other}; {error.hint}"
        raise misread(error, where, file.lines) from error
    except Misread as error:
        raise misread(error, where, file.lines) from error


def elsewhere(context: Context, survey: str, columns: Sequence[str]) -> str | None:
    """Return which of the project's other surveys has most of some columns, None where none has.

    Parameters
    ----------
    survey : the one that has none of them. columns : their names.
    """
    from lupom.science.surveys import codebook, newcomers, tables
    from lupom.surveys import codebook_path

    files = context.files
    counts: dict[str, int] = {}
    for relative in files.seeds:
        stem = Path(relative).stem
        other = stem.removesuffix("_info")
        if other in (stem, survey):
            continue
        names: set[str] = set()
        # What cannot be read is for whoever predicts that survey.
        with suppress(ValueError, OSError):
            for part in (relative, relative.replace(f"{stem}.", f"{other}_metadata.")):
                header, *rows = tables.rows(files.root / part)
                names |= {row[header.index("key")] for row in rows}
            path = codebook_path(files.root, other)
            if path.is_file():
                text = path.read_text(encoding="utf-8-sig")
                names |= set(codebook.load(text, path.name).columns)
        counts[other] = newcomers.alike(columns, names)
    best = max(counts, key=lambda name: counts[name], default=None)
    if best is None or not counts[best]:
        return None
    return f"{counts[best]} of {len(columns)} columns are of survey '{best}': --survey {best}"


def misread(error: Misread, file: str | None = None, lines: Sequence[int] = ()) -> LupomError:
    """Return the error of a project or a call that a Misread is, with its place."""
    if error.row is None:
        return (UsageError if file is None else ProjectError)(
            error.message, file=file, hint=error.hint
        )
    if lines:
        return ProjectError(error.message, file=file, line=lines[error.row], hint=error.hint)
    said = f"person {error.row + 1}: {error.message}"
    return UsageError(said, file=file, hint=error.hint)


def _file(given: Any, encoding: str | None, format: str | None) -> File:
    if isinstance(given, Path):
        if not given.exists():
            raise UsageError(f"there is no file {given}", hint=_json(given))
        return _read(given, encoding, format)
    data = given.read()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / STDIN
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        return _read(path, encoding, format or "csv")


def _read(path: Path, encoding: str | None, format: str | None) -> File:
    from lupom.science.surveys import files, layout
    from lupom.science.surveys.columns import Column, File

    try:
        found = files.read(path, encoding=encoding, format=format, guess=False)
    except (ValueError, ModuleNotFoundError) as error:
        raise ProjectError(str(error), hint=_json(path)) from error
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}") from error
    if isinstance(found, layout.Layout):
        header, *rows = found.responses
        columns = zip(*rows, strict=True)
        return File(path.name, [Column(n, list(c)) for n, c in zip(header, columns, strict=True)])
    return found


def _given(people: Any) -> File:
    """Return mappings, or a table, as a file."""
    from lupom.science.inputs import arrow
    from lupom.science.surveys.columns import Column, File, check

    if isinstance(people, Mapping):
        raise UsageError(
            "people are a list of mappings, one a person, a table or a file",
            hint="one person: attributes={...}, answers={...}",
        )
    if isinstance(people, Sequence):
        for number, person in enumerate(people, 1):
            if not isinstance(person, Mapping):
                raise UsageError(
                    f"person {number} is a {type(person).__name__}, and no mapping of names to"
                    " what is known"
                )
        names = list(dict.fromkeys(name for person in people for name in person))
        cells = [[_told(person.get(name)) for person in people] for name in names]
    else:
        try:
            table = arrow(people)
        except (ValueError, TypeError) as error:
            raise UsageError(f"these are no people: {error}") from error
        names = table.column_names
        cells = [[_told(value) for value in column.to_pylist()] for column in table.columns]
    if not cells or not cells[0]:
        raise UsageError("there is nobody to predict")
    try:
        return check(File("people", [Column(str(n), c) for n, c in zip(names, cells, strict=True)]))
    except ValueError as error:
        raise UsageError(str(error)) from error


def _told(value: object) -> str:
    """Return what a cell says: nothing where it is None or no number, as pandas has blanks."""
    from lupom.science.surveys import cells

    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return ""
    return cells.text(value)


def _json(path: Path) -> str | None:
    """Return what to do with JSON, where a file is that."""
    try:
        with path.open("rb") as file:
            head = file.read(64).lstrip(b"\xef\xbb\xbf \t\r\n")
    except OSError:
        return None
    if head[:1] not in (b"{", b"["):
        return None
    return "that is JSON; write it as CSV, or give it in Python: project.predict(json.load(file))"
