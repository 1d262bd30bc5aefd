"""What `lupom init` does: a project in a folder of its own, with a survey."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lupom.surveys import Survey

_README = """# {name}

A LUPoM project on {what}. Tables are models: `models/` has them, `prompts/` what an LLM is
asked, `seeds/` the survey, `lupom_project.yml` the settings.

```sh
lupom setup                             # once: the weights of the embedded LLM
lupom plan                              # what would run, and at what cost
lupom run                               # build it; --no-llm: baselines only
lupom query "select * from metrics"
```
{codebook}"""
_CODEBOOK = """
`{path}` says what each column of {source} is. Edit it, then
`lupom import {again} --survey {survey}`.
"""


@dataclass(frozen=True, slots=True)
class Created:
    """A project that was made: its folder, and the survey that was read for it, if one was.

    `codebook` is what was guessed of a survey's file, for review.
    """

    root: Path
    survey: Survey | None = None
    codebook: Path | None = None


def init(
    folder: str | Path,
    source: str | Path | None = None,
    *,
    survey: str | None = None,
    qsf: str | Path | None = None,
    encoding: str | None = None,
    force: bool = False,
    format: str | None = None,
    codebook: str | Path | None = None,
    beside: bool = True,
) -> Created:
    """Make a project with LUPoM's own models and prompts, and a survey, as `lupom init` does.

    Parameters
    ----------
    folder : where to; its name is the project's.
    source : a survey's file as `import_survey` takes it, or a folder of info.csv, responses.csv and
        metadata.csv. Without it the project has the General Social Survey 2018.
    survey : its name; by default the file's.
    qsf : the definition of a Qualtrics survey, for its CSV export.
    encoding : of a file that is not UTF-8.
    format : the file's, by name, where it cannot be told by the file.
    codebook : says what its columns and codes mean, as `import_survey` takes it.
    beside : whether such a file beside it is read where none is given.
    force : write into a folder that is not empty, over files of the same names and no others.

    Raises
    ------
    UsageError : for a folder that is not empty, or a source that is not there.
    LupomError : for a survey that cannot be read. Where a codebook could mend it, the project is
        made without the survey's tables, and the hint says what to edit.
    """
    from lupom import surveys
    from lupom.engine.project import shipped

    root = Path(folder)
    shipped.check_free(root, force=force)
    if source is None:
        headline = "A LUPoM project: the General Social Survey 2018, to try things on."
        readme = _README.format(name=root.name, what="the General Social Survey 2018", codebook="")
        shipped.create(root, headline=headline, readme=readme, force=force)
        return Created(root)
    file = Path(source)
    name = surveys.survey_name(survey, file)
    book = surveys.codebook_path(Path(), name)
    dictionary = None if codebook is None else Path(codebook)
    try:
        read = surveys.read(
            file,
            name,
            qsf=None if qsf is None else Path(qsf),
            encoding=encoding,
            format=format,
            dictionary=dictionary,
            beside=beside,
        )
    except surveys.Unfit as error:
        # The project is made without the survey's tables, so that there is a codebook to edit.
        _create(root, file, name, {"surveys": [name]}, force=force, dictionary=dictionary)
        surveys.keep(error, root, name)
        error.hint = (
            f"the project {root} is made, but for the survey's tables: in it, edit "
            f"{book.as_posix()}, then `lupom import {_again(root, file, dictionary)} "
            f"--survey {name}`"
        )
        raise
    _create(root, file, name, surveys.project_vars(read), force=force, dictionary=dictionary)
    surveys.write(read, root)
    return Created(root, read, book if file.is_file() else None)


def _again(root: Path, file: Path, dictionary: Path | None) -> str:
    """Return what `lupom import` is given in a project to read a file once more."""
    out = os.path.relpath(file, root)
    return out if dictionary is None else f"{out} --codebook {os.path.relpath(dictionary, root)}"


def _create(
    root: Path,
    source: Path,
    survey: str,
    variables: Mapping[str, Any],
    *,
    force: bool,
    dictionary: Path | None = None,
) -> None:
    """Make the project of a survey, without its tables."""
    from lupom import surveys
    from lupom.engine.project import shipped

    book = ""
    if source.is_file():
        again = _again(root, source, dictionary)
        path = surveys.codebook_path(Path(), survey).as_posix()
        book = _CODEBOOK.format(path=path, source=source.name, again=again, survey=survey)
    shipped.create(
        root,
        leave_out=["seeds/gss_2018"],
        headline=f"A LUPoM project on the survey {survey}.",
        vars={"neighbour_demographics": "all", **variables},
        readme=_README.format(name=root.name, what=f"the survey {survey}", codebook=book),
        force=force,
    )
