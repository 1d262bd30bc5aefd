"""People who were not there: a project's fitted predictors asked about them, without a run."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
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
) -> Table:
    """Return what the fitted predictors say of people who were not there.

    Parameters
    ----------
    people : a file (CSV or Parquet), a table, or mappings: a row a person, a column `respondent_id`
        if there is one, and columns named as questions and attributes; others are not looked at.
        Left out, it is one person of `attributes` and `answers`.
    survey : needed where the project has several. questions : those to predict; all by default.
    every : each predictor's probabilities, in place of their combination's.

    Returns
    -------
    Table: survey, respondent_id, question_id, predictor, answer (the likeliest option), probability
    (of it), options (among which the answer is nine times in ten; of the combination alone), and
    probabilities (map). What a person answered is not predicted.

    Raises
    ------
    StoreError : where `fitted_predictors` and `fitted_stack` are not built.
    UsageError : for a survey, question, attribute or option that is not there.
    ProjectError : the same in a file, with its line.
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
        persons = list(_people(people, found))
    ids = [person.id for person in persons]
    twice = sorted({i for i in ids if ids.count(i) > 1})[:3] if len(set(ids)) < len(ids) else []
    if twice:
        raise UsageError(f"people twice: {', '.join(twice)}", hint=f"{ID} is one's own")
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


def _people(people: Any, found: Fitted) -> Iterable[Person]:
    file: Path | None = None
    if isinstance(people, (str, Path)):
        file = Path(people)
        rows: Sequence[Mapping[str, Any]] = _read(file)
    elif isinstance(people, Sequence):
        rows = people
    else:
        from lupom.science.inputs import arrow

        rows = arrow(people).to_pylist()
    if not rows:
        raise UsageError("there is nobody to predict" + (f" in {file}" if file else ""))
    columns = list(dict.fromkeys(name for row in rows for name in row))
    asked, attributes = set(found.frame[0]), set(found.attributes)
    if not (asked | attributes) & set(columns):
        raise UsageError(
            f"no column is a question or an attribute: {', '.join(columns[:20])}",
            hint=f"questions are {', '.join(sorted(asked)[:8])}, attributes "
            f"{', '.join(sorted(attributes)[:8])}",
        )
    for number, row in enumerate(rows, 1):
        said = {k: str(v) for k, v in row.items() if v is not None and str(v) != ""}
        own = {k: v for k, v in said.items() if k in attributes}
        answers = {k: v for k, v in said.items() if k in asked}
        # Line 1 has the names.
        line = number + 1 if file is not None and file.suffix.lower() == ".csv" else None
        try:
            yield _person(found, said.get(ID, str(number)), own, answers, line)
        except UsageError as error:
            if file is None:
                raise UsageError(f"person {number}: {error.message}", hint=error.hint) from error
            raise ProjectError(error.message, file=file, line=line, hint=error.hint) from error


def _read(file: Path) -> list[dict[str, Any]]:
    if not file.is_file():
        raise UsageError(f"there is no file {file}")
    if file.suffix.lower() == ".parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            return list(pq.read_table(file).to_pylist())
        except pa.ArrowInvalid as error:
            raise UsageError(f"{file} is no Parquet file: {error}") from error
    if file.suffix.lower() != ".csv":
        raise UsageError(f"{file} is neither CSV nor Parquet", hint="name it .csv or .parquet")
    import csv

    try:
        with file.open(newline="", encoding="utf-8-sig") as text:
            rows: list[dict[str, Any]] = []
            for row in csv.DictReader(text):
                if None in row:
                    raise ProjectError(
                        "the row has more cells than there are names", file=file, line=len(rows) + 2
                    )
                rows.append(dict(row))
            return rows
    except UnicodeDecodeError as error:
        raise UsageError(f"{file} is not UTF-8", hint="save it as CSV in UTF-8") from error


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
        value = "" if value is None else str(value)
        if value and value not in values:
            hint = did_you_mean(value, values) or f"there are {', '.join(values[:20])}"
            raise UsageError(f"the attribute '{attribute}' has no value '{value}'", hint=hint)
        own[attribute] = value
    for word, answer in answers.items():
        question = _known(word, asked, "closed question")
        if answer is None:
            continue
        options = labels[asked.index(question)]
        said[question] = _known(answer, options, f"option of '{question}'")
    return Person(name, own, said, line)


def _known(word: object, known: Sequence[str], what: str) -> str:
    word = str(word)  # of Python, where a number may be given
    if word in known:
        return word
    same = [name for name in known if name.casefold() == word.casefold()]
    if len(same) == 1:
        return same[0]
    there = ", ".join(known[:20]) or "none"
    raise UsageError(
        f"there is no {what} '{word}'", hint=did_you_mean(word, known) or f"there are {there}"
    )


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
