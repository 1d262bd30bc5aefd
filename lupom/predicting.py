"""People who were not there: a project's fitted predictors asked about them, without a run."""

from __future__ import annotations

import difflib
import re
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lupom.engine.errors import ProjectError, UsageError, did_you_mean
from lupom.engine.run.reading import table

if TYPE_CHECKING:
    from lupom.engine.run.context import Context
    from lupom.engine.run.tables import Table
    from lupom.science.predictors.new_people import Fitted

ID = "respondent_id"

# Of a name of five letters one is wrong, two are swapped or one is too many: 'abnay' for 'abany'.
# At did_you_mean's .6 other questions of a survey (natenvir for natheal) would be slips.
SLIP = 0.8


@dataclass(frozen=True)
class Person:
    """Somebody to predict: an id, attributes by name, answers by question, the file's line."""

    id: str
    attributes: Mapping[str, str]
    answers: Mapping[str, str]
    line: int | None = None


def predict(
    context: Context,
    people: Any = None,
    *,
    attributes: Mapping[str, str] | None = None,
    answers: Mapping[str, str] | None = None,
    survey: str | None = None,
    questions: Collection[str] = (),
    every: bool = False,
    note: Callable[[str], None] | None = None,
) -> Table:
    """Return what the fitted predictors say of people who were not there.

    Parameters
    ----------
    people : a file (CSV or Parquet), a table, or mappings: a row a person, a column `respondent_id`
        if there is one, and columns named as questions and attributes, in any case. Others are
        told to `note`; one that is nearly such a name is refused. Cells of a CSV are parted by
        comma, semicolon, tab or bar. Left out, it is one person of `attributes` and `answers`.
    survey : needed where the project has several. questions : those to predict; all by default.
    every : each predictor's probabilities, in place of their combination's.
    note : is told which columns are not looked at; by default that is a Python warning.

    Returns
    -------
    Table: survey, respondent_id, question_id, predictor, answer (the likeliest option), probability
    (of it), options (among which the answer is nine times in ten; of the combination alone), and
    probabilities (map). What a person answered is not predicted.

    Raises
    ------
    StoreError : where `fitted_predictors` and `fitted_stack` are not built.
    UsageError : for a survey, question, attribute or option that is not there, or a person twice.
    ProjectError : the same in a row of a CSV, with its line.
    """
    import numpy as np

    from lupom.science.predictors.new_people import STACK, task_of

    name, found = _fitted(context, survey)
    asked, labels = found.frame
    place = {q: i for i, q in enumerate(asked)}
    if people is None:
        persons = [_person(found, "1", attributes or {}, answers or {})]
    elif attributes or answers:
        raise UsageError("people have their own attributes and answers: give one or the other")
    else:
        persons = list(_people(people, found, note or _warn))
    ids = [person.id for person in persons]
    codes = np.full((len(persons), len(asked)), -1, dtype=np.int64)
    for row, person in enumerate(persons):
        for question, answer in person.answers.items():
            column = place[question]
            codes[row, column] = labels[column].index(answer)
    wanted = [place[_known(q, asked, "question")] for q in questions] or list(range(len(asked)))
    task = task_of(
        found, name, ids, codes, [p.attributes for p in persons], np.array(sorted(set(wanted)))
    )
    said = found.predict(task, every=every)
    if every:
        parts = dict(said.parts)
    elif said.combined is None and said.parts:
        raise UsageError(
            f"the combination of survey '{name}' cannot be kept: it has a predictor without a fit"
            " of its own, or no tuning pairs",
            hint="--all shows each predictor's own",
        )
    else:
        parts = {} if said.combined is None else {STACK: said.combined}
    return _table(task, parts, said.inside if not every else None)


def _fitted(context: Context, survey: str | None) -> tuple[str, Fitted]:
    import pyarrow.compute as pc

    from lupom import entry_points
    from lupom.science.predictors.new_people import read
    from lupom.science.predictors.predictor import GROUP

    rows = table(context, "fitted_predictors").arrow
    names = sorted(pc.unique(rows["survey"]).to_pylist())
    if survey is None and len(names) != 1:
        hint = "say which: " + ", ".join(names) if names else "there are no held-out pairs"
        raise UsageError(f"the project has {len(names)} fitted surveys", hint=hint)
    name = names[0] if survey is None else _known(survey, names, "fitted survey")
    chosen = context.files.vars.get("predictors")
    offers = entry_points.chosen(GROUP, chosen, "predictors")
    try:
        given = {n: offer.load() for n, offer in offers.items()}
        return name, read(rows, table(context, "fitted_stack").arrow, name, given)
    except ValueError as error:
        raise UsageError(str(error), hint="lupom run --select +fitted_stack") from error


def _warn(text: str) -> None:
    # Where Project.predict is called: below it are predict, _people, _columns and this.
    warnings.warn(text, stacklevel=6)


def _people(people: Any, found: Fitted, note: Callable[[str], None]) -> Iterator[Person]:
    file: Path | None = None
    lines: Sequence[int | None] = ()
    if isinstance(people, (str, Path)):
        file = Path(people)
        rows, lines = _read(file)
    elif isinstance(people, Sequence):
        rows = list(people)
    else:
        from lupom.science.inputs import arrow

        rows = arrow(people).to_pylist()
    if not rows:
        raise UsageError("there is nobody to predict" + (f" in {file}" if file else ""))
    columns = list(dict.fromkeys(str(name) for row in rows for name in row))
    names = _columns(columns, found, file, note)
    said = [{str(k): word for k, v in row.items() if (word := _told(v).strip())} for row in rows]
    own = [next((v for k, v in row.items() if names.get(k) == ID), "") for row in said]
    ids = _ids(own)
    first: dict[str, int] = {}
    for n, row in enumerate(said):
        line = lines[n] if lines else None
        try:
            before = first.setdefault(ids[n], n)
            if before != n:
                where = f"line {lines[before]}" if line else f"person {before + 1}"
                raise UsageError(
                    f"{ID} '{ids[n]}' is that of {where} too", hint="a row is a person"
                )
            attributes = {k: v for k, v in row.items() if names.get(k) in found.attributes}
            answers = {k: v for k, v in row.items() if names.get(k) in found.frame[0]}
            yield _person(found, ids[n], attributes, answers, line)
        except UsageError as error:
            if line is None:
                raise UsageError(
                    f"person {n + 1}: {error.message}", file=file, hint=error.hint
                ) from error
            raise ProjectError(error.message, file=file, line=line, hint=error.hint) from error


def _ids(own: Sequence[str]) -> list[str]:
    """Return each person's id: their own, or where it is blank their number, if nobody has it."""
    taken, ids = set(own), []
    for number, name in enumerate(own, 1):
        free = name or str(number)
        while not name and free in taken:
            free = f"row {free}"
        taken.add(free)
        ids.append(free)
    return ids


def _columns(
    columns: Sequence[str], found: Fitted, file: Path | None, note: Callable[[str], None]
) -> dict[str, str]:
    """Return which question, attribute or id each column is; tell of those that are none."""
    asked, attributes = found.frame[0], list(found.attributes)
    known = list(dict.fromkeys([ID, *asked, *attributes]))
    names: dict[str, str] = {}
    for column in columns:
        same = _same(column, known)
        if len(same) > 1:
            raise UsageError(
                f"the column '{column}' may be {' or '.join(same)}", file=file, hint="write it so"
            )
        if same:
            names[column] = same[0]
    others = [column for column in columns if column not in names and column.strip()]
    # 'nathealy' beside 'natheal' is another question of the same survey, and no slip.
    absent = [name for name in known if name not in names.values()]
    slips = {c: near for c in others if (near := _slip(c, [n for n in absent if n != ID]))}
    if slips:
        meant = ", ".join(f"'{name}'" for name in slips.values())
        raise UsageError(
            f"no question or attribute: {', '.join(slips)}",
            file=file,
            hint=f"did you mean {meant}? If not, leave it out",
        )
    if not set(names.values()) - {ID}:
        raise UsageError(
            f"no column is a question or an attribute: {', '.join(columns[:20])}",
            file=file,
            hint=f"questions are {', '.join(sorted(asked)[:8])}, attributes "
            f"{', '.join(sorted(attributes)[:8])}",
        )
    if others:
        shown = [f"{c} ({hint})" if (hint := did_you_mean(c, absent)) else c for c in others[:20]]
        more = f" and {len(others) - 20} more" if len(others) > 20 else ""
        note(f"no question or attribute, and not looked at: {', '.join(shown)}{more}")
    return names


def _slip(column: str, known: Sequence[str]) -> str | None:
    """Return the name that a column is a misspelling of, or None; q12 is none of q11."""
    word = column.strip().casefold()
    digits = re.sub(r"\D", "", word)
    alike = {name.casefold(): name for name in known if re.sub(r"\D", "", name) == digits}
    close = difflib.get_close_matches(word, list(alike), n=1, cutoff=SLIP)
    return alike[close[0]] if close else None


def _read(file: Path) -> tuple[list[dict[str, Any]], list[int | None]]:
    """Return a file's rows, and of a CSV the line where each begins."""
    if not file.is_file():
        raise UsageError(f"there is no file {file}")
    if file.suffix.lower() == ".parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            return list(pq.read_table(file).to_pylist()), []
        except pa.ArrowInvalid as error:
            raise UsageError(f"{file} is no Parquet file: {error}") from error
    if file.suffix.lower() != ".csv":
        raise UsageError(f"{file} is neither CSV nor Parquet", hint="name it .csv or .parquet")
    from lupom.science.surveys.tables import MalformedRow, delimiter, lines_of

    try:
        parted, text, skipped = delimiter(file.read_bytes().decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise UsageError(f"{file} is not UTF-8", hint="save it as CSV in UTF-8") from error
    header: list[str] = []
    rows: list[dict[str, Any]] = []
    lines: list[int | None] = []
    try:
        for line, row in lines_of(text, parted, skipped):
            if row and not header:
                header = row
                twice = sorted({name for name in row if name and row.count(name) > 1})
                if twice:
                    raise ProjectError(f"columns twice: {', '.join(twice)}", file=file, line=line)
            elif row:
                if len(row) > len(header):
                    raise ProjectError(
                        "the row has more cells than there are names", file=file, line=line
                    )
                rows.append(dict(zip(header, row, strict=False)))
                lines.append(line)
    except MalformedRow as error:
        raise ProjectError(str(error), file=file, line=error.line) from error
    return rows, lines


def _person(
    found: Fitted,
    name: str,
    attributes: Mapping[str, str],
    answers: Mapping[str, str],
    line: int | None = None,
) -> Person:
    asked, labels = found.frame
    own, said = {}, {}
    for word, value in attributes.items():
        attribute = _known(word, list(found.attributes), "attribute")
        values = found.attributes[attribute]
        value = _told(value)
        if attribute in own:
            raise UsageError(f"the attribute '{attribute}' is given twice")
        if value.strip():
            same = _same(value, values)
            if len(same) != 1:
                hint = did_you_mean(value, values) or f"there are {', '.join(values[:20])}"
                raise UsageError(f"the attribute '{attribute}' has no value '{value}'", hint=hint)
            value = same[0]
        own[attribute] = value.strip() and value
    for word, answer in answers.items():
        question = _known(word, asked, "closed question")
        if not _told(answer).strip():
            continue
        if question in said:
            raise UsageError(f"the question '{question}' is answered twice")
        options = labels[asked.index(question)]
        said[question] = _known(answer, options, f"option of '{question}'")
    return Person(name, own, said, line)


def _known(word: object, known: Sequence[str], what: str) -> str:
    word = str(word)  # of Python, where a number may be given
    same = _same(word, known)
    if len(same) == 1:
        return same[0]
    there = ", ".join(known[:20]) or "none"
    raise UsageError(
        f"there is no {what} '{word}'", hint=did_you_mean(word, known) or f"there are {there}"
    )


def _told(value: object) -> str:
    """Return what a cell says: nothing where it is None or no number, as pandas has blanks."""
    blank = value is None or type(value).__name__ in ("NAType", "NaTType") or value != value
    return "" if blank else str(value)


def _same(word: str, known: Sequence[str]) -> list[str]:
    """Return the known names that a word is: itself, or else those of any case and blanks.

    A column of whole numbers with blanks is one of 1.0 and 2.0 in pandas.
    """
    if word in known:
        return [word]
    plain = word.strip().casefold()
    for said in (plain, plain.removesuffix(".0")):
        if same := [name for name in known if name.strip().casefold() == said]:
            return same
    return []


def _table(task: Any, parts: Mapping[str, Any], inside: Any) -> Table:
    import numpy as np
    import pyarrow as pa

    from lupom.engine.run.tables import Table

    schema = pa.schema(
        [
            ("survey", pa.string()),
            (ID, pa.string()),
            ("question_id", pa.string()),
            ("predictor", pa.string()),
            ("answer", pa.string()),
            ("probability", pa.float64()),
            ("options", pa.list_(pa.string())),
            ("probabilities", pa.map_(pa.string(), pa.float64())),
        ]
    )
    tables = []
    names = np.array(task.questions, dtype=object)[task.columns]
    people = np.array(task.respondents, dtype=object)[task.rows]
    # By person, as they were given.
    order = np.lexsort((task.columns, task.rows))
    labels = [task.options[c] for c in task.columns[order]]
    for predictor, p in parts.items():
        p = p[order]
        best = p.argmax(axis=1)
        sets: list[list[str] | None] = [None] * len(p)
        if inside is not None:
            likely = np.argsort(-p, axis=1, kind="stable")
            held = np.take_along_axis(inside[order], likely, axis=1)
            sets = [
                [options[c] for c in codes[row]]
                for options, codes, row in zip(labels, likely, held, strict=True)
            ]
        spread = [
            list(zip(options, row, strict=False))
            for options, row in zip(labels, p.tolist(), strict=True)
        ]
        columns = [
            pa.repeat(task.survey, len(p)),
            pa.array(people[order].tolist(), pa.string()),
            pa.array(names[order].tolist(), pa.string()),
            pa.repeat(predictor, len(p)),
            pa.array([options[b] for options, b in zip(labels, best, strict=True)], pa.string()),
            pa.array(p[np.arange(len(p)), best]),
            pa.array(sets, pa.list_(pa.string())),
            pa.array(spread, schema.field("probabilities").type),
        ]
        tables.append(pa.table(columns, schema=schema))
    return Table(pa.concat_tables(tables) if tables else schema.empty_table())
