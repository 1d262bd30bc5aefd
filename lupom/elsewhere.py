"""What `lupom import predictions` does: predictions made elsewhere, written into a project."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lupom.engine.errors import LupomError, ProjectError, StoreError, UsageError, did_you_mean

if TYPE_CHECKING:
    from lupom.engine.project.discovery import ProjectFiles
    from lupom.science.surveys.predicted import Known, Predicted

VAR = "predictions_elsewhere"

_SEED = """version: 2

seeds:
  - name: {name}
    description: Predictions of {survey} that were made elsewhere, from {source}.
    config: {{column_types: {{"*": VARCHAR}}}}
"""


@dataclass(frozen=True, slots=True)
class ImportedPredictions:
    """Predictions that were imported.

    Attributes
    ----------
    root : the project's folder.
    name : of the seed they are in.
    survey : the survey they are of.
    rows : how many there are.
    written : the files.
    named : whether lupom_project.yml names the seed under `predictions_elsewhere` now.
    """

    root: Path
    name: str
    survey: str
    rows: int
    written: list[Path]
    named: bool
    lines: list[str] = field(default_factory=list)

    def summary(self) -> list[str]:
        """Return what was made of the file, a line each."""
        return self.lines


def import_predictions(
    file: str | Path,
    folder: str | Path | None = None,
    *,
    survey: str | None = None,
    name: str | None = None,
    llm: str | None = None,
    setting: str | None = None,
    columns: Mapping[str, str] | None = None,
    encoding: str | None = None,
) -> ImportedPredictions:
    """Read predictions made elsewhere into a seed of a project, as `lupom import predictions`.

    Parameters
    ----------
    file : CSV, Excel or Parquet; a row a prediction, or a row a respondent and a column a question.
    folder : the project's; by default this one or the next above it.
    survey : whose answers are predicted; by default the project's, where it has one.
    name : of the seed; by default the file's.
    llm, setting : who predicted and how, where rows do not say it; by default the seed's name and
        'elsewhere'.
    columns : the file's column by role (respondent_id, question_id, answer, ...), where it is not
        called as its role.
    encoding : of a CSV file that is not UTF-8.

    Raises
    ------
    LupomError : for whatever is wrong with the file or what is asked; nothing is written then.
    """
    from lupom.engine.project.discovery import find_root, read_project
    from lupom.science.surveys import predicted
    from lupom.science.surveys.columns import slug

    path = Path(file)
    if not path.is_file():
        raise UsageError(f"there is no file {path}")
    files = read_project(find_root(None if folder is None else Path(folder)))
    chosen = _survey(files, survey)
    seed = name or slug(path.stem)
    if not re.fullmatch(r"[A-Za-z]\w*", seed, re.ASCII):
        raise UsageError(
            f"'{seed}' is not a name for a seed",
            hint="give --name: letters, digits and _, a letter first",
        )
    place = files.root / "seeds" / "predictions" / f"{seed}.csv"
    _check_free(files, seed, place)
    try:
        found = predicted.read(
            predicted.open_file(path, encoding=encoding),
            _known(files, chosen),
            _meant,
            columns=columns,
            llm=llm or seed,
            setting=setting or "",
        )
    except (ValueError, ModuleNotFoundError) as error:
        raise LupomError(str(error)) from error
    except OSError as error:
        raise LupomError(f"{path} cannot be read: {error.strerror or error}") from error
    written = _write(files, seed, chosen, path.name, place, found)
    named = _name(files, seed)
    return ImportedPredictions(
        files.root, seed, chosen, len(found.rows), written, named, _summary(path, chosen, found)
    )


def _survey(files: ProjectFiles, given: str | None) -> str:
    there = [str(name) for name in files.vars.get("surveys") or []]
    if given is not None and given not in there:
        raise UsageError(
            f"the project has no survey '{given}' under the var 'surveys'",
            hint=did_you_mean(given, there) or f"surveys: {', '.join(there)}",
        )
    if given is None and len(there) != 1:
        raise UsageError(
            f"which of the surveys are they predictions of? {', '.join(there) or 'There is none.'}",
            hint="give --survey NAME",
        )
    return given or there[0]


def _check_free(files: ProjectFiles, seed: str, place: Path) -> None:
    for relative in (*files.models, *files.seeds):
        if Path(relative).stem == seed and files.root / relative != place:
            raise UsageError(
                f"{relative} has the name '{seed}', too", hint="give the predictions a --name"
            )


def _known(files: ProjectFiles, survey: str) -> Known:
    """Return what is known of a survey: by its seeds, or by the store where it is a source."""
    from lupom.science.surveys import codebook, layout, opinionqa, predicted, questions, tables
    from lupom.surveys import codebook_path

    seeds = {Path(relative).stem: files.root / relative for relative in files.seeds}
    parts = [seeds.get(f"{survey}_{part}") for part in ("info", "responses", "metadata")]
    if None in parts:
        return _built(files, survey)
    info, responses, metadata = (layout.arrow(tables.rows(part)) for part in parts if part)
    refusals = files.vars.get("refusals", "exclude")
    asked = {q.key: q for q in questions.read(info, survey, refusals=refusals)}
    people = opinionqa.respondents({survey: (info, responses, metadata)})["respondent_id"]
    columns: dict[str, Any] = {}
    path, ids = codebook_path(files.root, survey), None
    if path.is_file():
        book = codebook.load(path.read_text(encoding="utf-8-sig"), path.name)
        columns, ids = {q.key: q for q in book.questions}, book.id
    return predicted.Known(
        survey,
        {
            key: predicted.Asked(
                question,
                columns[key].column if key in columns else key,
                columns[key].bins if key in columns else (),
            )
            for key, question in asked.items()
        },
        people.to_pylist(),
        ids,
    )


def _built(files: ProjectFiles, survey: str) -> Known:
    from lupom.engine.workspace import Project
    from lupom.science.surveys.predicted import Asked, Known
    from lupom.science.surveys.questions import Question

    with Project(files.root) as project:
        try:
            rows = project.query("select * from questions where survey = ?", [survey]).arrow
            people = project.query(
                "select respondent_id from respondents where survey = ?", [survey]
            ).arrow
        except StoreError as error:
            raise LupomError(
                f"the questions and respondents of {survey} are not known yet",
                hint="lupom run --select questions respondents",
            ) from error
    asked = {
        q["question_id"]: Asked(
            Question(
                q["question_id"],
                q["question"],
                q["battery"],
                q["item"],
                tuple(q["options"] or ()),
                tuple(q["ordinal"] or ()),
                q["topic"] or "",
                {},
                {},
                q["kind"],
                q["low"],
                q["high"],
            ),
            q["question_id"],
        )
        for q in rows.to_pylist()
    }
    return Known(survey, asked, people["respondent_id"].to_pylist())


def _meant(text: str, labels: Mapping[str, str]) -> str | None:
    """Return the option that a text spells otherwise, as the answers of LLMs are read."""
    from lupom.engine.llm.choices import meant

    return meant(text, labels)


def _write(
    files: ProjectFiles, seed: str, survey: str, source: str, place: Path, found: Predicted
) -> list[Path]:
    from lupom.engine.files import replacing
    from lupom.science.surveys.predicted import HEADER

    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEADER)
    writer.writerows(found.rows)
    properties = place.with_suffix(".yml")
    written = {place: text.getvalue()}
    if not properties.exists():
        plain = re.sub(r"[^\w .,()-]", "_", source)
        written[properties] = _SEED.format(name=seed, survey=survey, source=plain)
    try:
        for path, content in written.items():
            with replacing(path) as part:
                part.write_text(content, encoding="utf-8")
    except OSError as error:
        raise ProjectError(
            f"{place.parent} cannot be written: {error.strerror or error}"
        ) from error
    return list(written)


def _name(files: ProjectFiles, seed: str) -> bool:
    """Name the seed in lupom_project.yml; returns False where that cannot be done by a line."""
    from lupom.engine.files import replacing
    from lupom.engine.project.discovery import PROJECT_FILE
    from lupom.engine.project.shipped import set_var

    there = files.vars.get(VAR) or []
    if isinstance(there, list) and seed in there:
        return True
    path = files.root / PROJECT_FILE
    try:
        text = set_var(path.read_text(encoding="utf-8"), VAR, [*there, seed])
        with replacing(path) as part:
            part.write_text(text, encoding="utf-8")
    except (LupomError, OSError, TypeError):
        return False
    return True


def _summary(path: Path, survey: str, found: Predicted) -> list[str]:
    people, asked = ({row[i] for row in found.rows} for i in (1, 2))
    who = sorted({f"{row[3] or 'elsewhere'} ({row[4]})" for row in found.rows})
    return [
        f"{path.name}, {found.form}: {len(found.rows):,} predictions of {len(people):,} "
        f"respondents of {survey} and {len(asked):,} questions.",
        f"  by: {', '.join(who[:10])}",
        *(f"  note: {note}" for note in found.notes),
    ]
