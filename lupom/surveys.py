"""What `lupom import` and `lupom init` do: a survey's files read, and written into a project."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lupom.engine.errors import LupomError, ProjectError, UsageError
from lupom.engine.files import replacing
from lupom.engine.llm.choices import LABELS

if TYPE_CHECKING:
    from lupom.science.surveys.codebook import Codebook
    from lupom.science.surveys.layout import Layout

# An attribute of more values tells too few people apart from too many to make anyone similar.
_FEW = 12

_SEEDS = """version: 2

seeds:
  - name: {survey}_info
    description: Questions of {source}; lists and dicts are Python literals.
    config:
      column_types: {{"*": VARCHAR}}
{meta}
  - name: {survey}_metadata
    description: Attributes of its respondents, with their values.
    config: {{column_types: {{"*": VARCHAR}}}}

  - name: {survey}_responses
    description: >
      Answers (blank where there is none), attributes and weight of its respondents. It holds the
      answers that will be held out, and so has the tag holdout.
    config:
      tags: [holdout]
      column_types: {{"*": VARCHAR}}
"""


# What prompts say of the survey; a survey with a codebook takes it from there.
_META = re.compile(r"^      meta:\n        survey:\n(?:          .*\n)*", re.MULTILINE)


class Unfit(LupomError):
    """A file that does not fit its codebook; `codebook` is the text of one that was guessed."""

    def __init__(self, message: str, codebook: str | None) -> None:
        super().__init__(message)
        self.codebook = codebook


@dataclass
class Survey:
    """A survey that was read: its tables, and its codebook where it came from one file."""

    name: str
    source: str
    layout: Layout
    codebook: Codebook | None = None
    codebook_text: str | None = None
    notes: list[str] = field(default_factory=list)

    def summary(self) -> list[str]:
        """Return what was made of the file, a line each."""
        rows = len(self.layout.responses) - 1
        out = [
            f"{self.source}: {_count(rows, 'respondent')}, "
            f"{_count(len(self.layout.info) - 1, 'question')}, "
            f"{_count(len(self.layout.metadata) - 1, 'attribute')}."
        ]
        if self.codebook is not None:
            book = self.codebook
            out.append(f"  id: {book.id or 'none: rows are numbered'}")
            out.append(f"  weight: {book.weight or 'none: everyone counts the same'}")
            kinds: dict[str, int] = {}
            for question in book.questions:
                kinds[question.kind] = kinds.get(question.kind, 0) + 1
            out.append("  questions: " + ", ".join(f"{n} {kind}" for kind, n in kinds.items()))
            names = [a.name for a in book.attributes]
            out.append(f"  attributes: {', '.join(names) or 'none'}")
            out += [f"  ignored: {name} ({why})" for name, why in book.ignored.items()]
        if self.layout.unread:
            listed = ", ".join(self.layout.unread)
            out.append(f"  kept, but not read (no question, no attribute): {listed}")
        many = {q: n for q, n in self.layout.options.items() if n > len(LABELS)}
        out += [
            f"  {q}: {n} options, asked by number and without probabilities"
            for q, n in many.items()
        ]
        counts = self.layout.answers
        said = (f"{counts[s]:,} {s.replace('_', ' ')}" for s in _STATUSES if counts.get(s))
        out.append(f"  answers: {', '.join(said)}")
        return out + [f"  note: {note}" for note in self.notes]


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


@dataclass(frozen=True, slots=True)
class Imported:
    """A survey that was imported: the project's folder, what was read, the files written."""

    root: Path
    survey: Survey
    written: list[Path]


def import_survey(
    file: str | Path,
    folder: str | Path | None = None,
    *,
    survey: str | None = None,
    qsf: str | Path | None = None,
    encoding: str | None = None,
    guess: bool = False,
    format: str | None = None,
    numbers: bool = False,
    codebook: str | Path | None = None,
    beside: bool = True,
) -> Imported:
    """Read a survey's file into the seeds of a project, as `lupom import`.

    Parameters
    ----------
    file : SPSS, Stata, CSV, Excel, Parquet, a Qualtrics export, or a folder of tables.
    folder : the project's; by default this one or the next above it.
    survey : its name; by default the file's.
    qsf : the definition of a Qualtrics survey, for its CSV export.
    encoding : of a file that is not UTF-8.
    guess : guess anew, over the codebook that is there.
    numbers : guess that what is answered in numbers is predicted as a number, not as a range.
    format : the file's, by name, where it cannot be told by the file; packages may add their own.
    codebook : a file that came with the data and says what its columns and codes mean: SPSS or
        Stata syntax, a REDCap data dictionary, a table of variables, a text, an XLSForm, DDI.
    beside : whether such a file beside the data is read where none is given.

    Raises
    ------
    LupomError : for whatever is wrong with the files; an Unfit where the file does not fit its
        codebook, of which a guess is then in the project, to be edited.
    """
    from lupom.engine.project.discovery import find_root

    root, path = find_root(None if folder is None else Path(folder)), Path(file)
    name = survey_name(survey, path)
    if not guess:
        check_free(root, name)
    book: Path | None = codebook_path(root, name)
    if guess or book is None or not book.exists():
        book = None
    definition = None if qsf is None else Path(qsf)
    dictionary = None if codebook is None else Path(codebook)
    try:
        found = read(
            path,
            name,
            qsf=definition,
            encoding=encoding,
            codebook=book,
            format=format,
            numbers=numbers,
            dictionary=dictionary,
            beside=beside,
        )
    except Unfit as error:
        keep(error, root, name)
        raise
    return Imported(root, found, write(found, root))


_STATUSES = ("answered", "refused", "dont_know", "not_asked")


def survey_name(given: str | None, path: Path) -> str:
    """Return a survey's name: as given, checked, or made of the file's."""
    from lupom.science.surveys.columns import slug

    if given is None:
        name = slug(path.resolve().stem)
        return name if name[:1].isalpha() else f"survey_{name}".rstrip("_")
    if not re.fullmatch(r"[A-Za-z]\w*", given, re.ASCII):
        raise UsageError(
            f"'{given}' is not a name for a survey", hint="letters, digits and _, a letter first"
        )
    return given


def read(
    path: Path,
    survey: str,
    *,
    qsf: Path | None = None,
    encoding: str | None = None,
    codebook: Path | None = None,
    format: str | None = None,
    numbers: bool = False,
    dictionary: Path | None = None,
    beside: bool = True,
) -> Survey:
    """Read a survey's file or folder, in any format that is installed.

    Parameters
    ----------
    path : the file or folder.
    survey : the survey's name.
    numbers : guess that what is answered in numbers is predicted as a number, not as a range.
    format : the format's name, an entry point of 'lupom.formats'; by default the file's own.
    dictionary : a file that says what the columns and codes mean. beside : whether one is looked
        for beside the file.
    codebook : the codebook to apply; without one it is guessed. Columns it does not name are
        guessed and added.

    Raises
    ------
    LupomError : for whatever is wrong with the files, naming file and place; an Unfit where it is
        that the file does not fit the codebook.
    """
    from lupom.science.surveys import choices, doubts, files, guesses, layout
    from lupom.science.surveys import codebook as books
    from lupom.science.surveys.numbers import as_numbers

    for file in (path, qsf, codebook, dictionary):
        if file is not None and not file.exists():
            raise UsageError(f"there is no file {file}")
    try:
        data = files.read(
            path,
            qsf=qsf,
            encoding=encoding,
            format=format,
            survey=survey,
            codebook=dictionary,
            beside=beside,
        )
        if isinstance(data, layout.Layout):
            return Survey(survey, path.name, data, notes=list(data.notes))
        text: str | None = None
        notes = list(data.notes)
        if codebook is None:
            book = guesses.guess(data, survey)
            if numbers:
                as_numbers(book, data)
            text = books.dump(book)
            notes += doubts.doubts(data, book)
        else:
            book = books.load(_text(codebook), codebook.name)
            book.survey, book.file = survey, data.name
            choices.derive(data, book.columns)
            if read_as := encoding or data.encoding:
                notes += doubts.garbled(data, book, read_as)
            if added := guesses.extend(book, data):
                text = books.dump(book)
                notes.append(f"not in {codebook.name}, and added by a guess: {', '.join(added)}")
        try:
            made = layout.build(data, book)
        except ValueError as error:
            raise Unfit(str(error), text if codebook is None else None) from error
        return Survey(survey, data.name, made, book, text, notes)
    except guesses.Fruitless as error:
        raise Unfit(str(error), books.dump(error.codebook)) from error
    except (ValueError, ModuleNotFoundError) as error:
        raise LupomError(str(error)) from error
    except OSError as error:
        raise LupomError(f"{path} cannot be read: {error.strerror or error}") from error


def write(survey: Survey, root: Path) -> list[Path]:
    """Write a survey's seeds, and its codebook, into a project; returns the files.

    Each is written beside its place and then put there, so that a failure leaves what was.
    """
    from lupom.science.surveys.layout import text

    folder = root / "seeds" / survey.name
    files = {
        folder / f"{survey.name}_info.csv": text(survey.layout.info),
        folder / f"{survey.name}_responses.csv": text(survey.layout.responses),
        folder / f"{survey.name}_metadata.csv": text(survey.layout.metadata),
    }
    files |= _properties(survey, folder / f"{survey.name}.yml")
    if survey.codebook_text is not None:
        files[codebook_path(root, survey.name)] = survey.codebook_text
    _put(files, folder)
    return list(files)


def keep(unfit: Unfit, root: Path, survey: str) -> None:
    """Write the codebook that was guessed of a file that does not fit it, and say where it is."""
    path = codebook_path(root, survey)
    if unfit.codebook is not None:
        _put({path: unfit.codebook}, path.parent)
    unfit.hint = f"edit {os.path.relpath(path)}, and import again"


def _properties(survey: Survey, path: Path) -> dict[Path, str]:
    """Return the file of a survey's properties, if there is something to write.

    One that is there is the user's; only what the codebook says of the survey is put into it, at
    its place, and noted where that place is gone.
    """
    book = survey.codebook
    if not path.exists():
        from lupom.science.surveys import context

        given = context.guessed(survey.name) if book is None else book.context
        meta = _meta(given)
        return {path: _SEEDS.format(survey=survey.name, source=_one_line(survey.source), meta=meta)}
    if book is None:
        return {}
    before = path.read_text(encoding="utf-8")
    after, count = _META.subn(lambda _: _meta(book.context), before, count=1)
    if not count and book.context:
        survey.notes.append(
            f"{path.name} has no 'meta: survey:' where prompts look for the survey's title and so "
            f"on; put it there, or delete the file and import again"
        )
    return {path: after} if after != before else {}


def _meta(given: Mapping[str, str]) -> str:
    from lupom.science.surveys.context import CONTEXT

    # JSON's texts and null are YAML's.
    lines = (f"          {k}: {json.dumps(given.get(k), ensure_ascii=False)}\n" for k in CONTEXT)
    return "      meta:\n        survey:\n" + "".join(lines)


def _put(files: Mapping[Path, str], folder: Path) -> None:
    """Write files, each beside its place first, so that a failure leaves what was."""
    try:
        with ExitStack() as stack:
            for path, content in files.items():
                stack.enter_context(replacing(path)).write_text(content, encoding="utf-8")
    except OSError as error:
        raise ProjectError(f"{folder} cannot be written: {error.strerror or error}") from error


def codebook_path(root: Path, survey: str) -> Path:
    """Return where a survey's codebook is in a project."""
    return root / "codebooks" / f"{survey}.codebook.yml"


def check_free(root: Path, survey: str) -> None:
    """Raise UsageError where a survey of the name is there that was not imported."""
    there = root / "seeds" / survey / f"{survey}_info.csv"
    if there.exists() and not codebook_path(root, survey).exists():
        raise UsageError(
            f"{there.relative_to(root)} is there, and no codebook of it",
            hint="give --survey another name, or --guess to write over it",
        )


def project_vars(survey: Survey) -> dict[str, Any]:
    """Return the vars of a project that has this survey alone."""
    few = [name for name, count in survey.layout.attributes.items() if 2 <= count <= _FEW]
    return {"surveys": [survey.name], "neighbour_demographics": few}


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path.name}: the file is not UTF-8 text") from error


def _one_line(text: str) -> str:
    return re.sub(r"[^\w .,()-]", "_", text)
