"""People who were not there: a project's fitted predictors asked about them, without a run."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any

from lupom.engine.errors import UsageError
from lupom.engine.run.reading import standing
from lupom.telling import warn

if TYPE_CHECKING:
    import pyarrow as pa

    from lupom.engine.run.context import Context
    from lupom.engine.run.tables import Table
    from lupom.science.predictors.new_people import Fitted
    from lupom.science.predictors.task import Floats, Task

ID = "respondent_id"
# People who are predicted at a time.
BLOCK = 5_000


def predict(
    context: Context,
    people: Any = None,
    *,
    attributes: Mapping[str, str] | None = None,
    answers: Mapping[str, str] | None = None,
    survey: str | None = None,
    questions: str | Collection[str] = (),
    every: bool = False,
    encoding: str | None = None,
    format: str | None = None,
    note: Callable[[str], None] | None = None,
) -> Table:
    """Return what the fitted predictors say of people who were not there.

    Parameters
    ----------
    people : a file that `import_survey` reads (CSV, Excel, Parquet, SPSS, Stata), a stream of CSV,
        a table, or mappings: a row a person, and columns named as questions and attributes or as in
        the file that was imported, in any case, `respondent_id` if there is one. Cells are texts or
        codes; what the import takes for no answer is blank. Columns that are none of these are told
        to `note`; one that is nearly such a name is refused. Left out, it is one person of
        `attributes` and `answers`.
    survey : needed where the project has several. questions : those to predict, one or several; all
        by default.
    encoding, format : of a file that is not UTF-8, or whose name does not say its format.
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
    UsageError : for a survey, question, attribute or option that is not there, what is said twice,
        and a person twice.
    ProjectError : the same in a file, with its line where it is a text.
    """
    from functools import partial

    import numpy as np
    import pyarrow as pa

    from lupom import newcomers
    from lupom.engine.run.tables import Table
    from lupom.names import found as named
    from lupom.names import several
    from lupom.science.predictors.conformal import ENOUGH
    from lupom.science.predictors.new_people import STACK, task_of
    from lupom.science.surveys.fields import Misread
    from lupom.science.surveys.newcomers import one

    name, found = _fitted(context, survey)
    asked = found.frame[0]
    known = newcomers.known(context, name, dict(zip(*found.frame, strict=True)), found.attributes)
    note = note or warn
    if people is None:
        try:
            persons = one(attributes or {}, answers or {}, known)
        except Misread as error:
            raise newcomers.misread(error) from error
    elif attributes or answers:
        raise UsageError("people have their own attributes and answers: give one or the other")
    else:
        persons = newcomers.read(
            people,
            known,
            encoding=encoding,
            format=format,
            elsewhere=partial(newcomers.elsewhere, context, name),
        )
        for text in persons.notes:
            note(text)
    places = {q: i for i, q in enumerate(asked)}
    chosen = several(questions, "questions")
    wanted = {places[named(q, asked, "there is no closed question")] for q in chosen}
    columns = np.array(sorted(wanted or places.values()))
    tables: dict[str, list[pa.Table]] = {}
    for start in range(0, len(persons.ids), BLOCK):
        block = slice(start, start + BLOCK)
        ids, traits = persons.ids[block], persons.attributes[block]
        task = task_of(found, name, ids, persons.answers[block], traits, columns)
        said = found.predict(task, every=every)
        if said.combined is None and said.parts and not every:
            raise UsageError(
                f"the combination of survey '{name}' cannot be kept: it has a predictor without a"
                " fit of its own, or no tuning pairs",
                hint="--all shows each predictor's own",
            )
        if said.combined is not None and said.inside is None and not every and not tables:
            note(
                f"options are blank: they take {ENOUGH} tuning pairs (var tuning_pairs), of which"
                f" there are {said.pairs}"
            )
        parts = {STACK: said.combined} if said.combined is not None else {}
        for predictor, shares in (said.parts if every else parts).items():
            inside = None if every else said.inside
            tables.setdefault(predictor, []).append(_table(task, predictor, shares, inside))
    if not tables:
        note("there is nothing to predict: everybody answered everything that is asked for")
        return Table(_schema().empty_table())
    return Table(pa.concat_tables([one for some in tables.values() for one in some]))


def _fitted(context: Context, survey: str | None) -> tuple[str, Fitted]:
    import pyarrow.compute as pc

    from lupom import entry_points
    from lupom.names import found as named
    from lupom.science.predictors.new_people import read
    from lupom.science.predictors.predictor import GROUP

    # The combination first: where nothing is built, building it builds the predictors.
    combined = standing(context, "fitted_stack").arrow
    rows = standing(context, "fitted_predictors").arrow
    names = sorted(pc.unique(rows["survey"]).to_pylist())
    if survey is None and len(names) != 1:
        hint = "say which: " + ", ".join(names) if names else "there are no held-out pairs"
        raise UsageError(f"the project has {len(names)} fitted surveys", hint=hint)
    name = names[0] if survey is None else named(survey, names, "there is no fitted survey")
    chosen = context.files.vars.get("predictors")
    offers = entry_points.chosen(GROUP, chosen, "predictors")
    try:
        given = {n: offer.load() for n, offer in offers.items()}
        return name, read(rows, combined, name, given)
    except ValueError as error:
        raise UsageError(str(error), hint="lupom run --select +fitted_stack") from error


def _schema() -> pa.Schema:
    import pyarrow as pa

    return pa.schema(
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


def _table(task: Task, predictor: str, p: Floats, inside: Any) -> pa.Table:
    """Return what a predictor says of a task's pairs, by person, as they were given."""
    import numpy as np
    import pyarrow as pa

    schema = _schema()
    order = np.lexsort((task.columns, task.rows))
    names = np.array(task.questions, dtype=object)[task.columns[order]]
    people = np.array(task.respondents, dtype=object)[task.rows[order]]
    labels = [task.options[c] for c in task.columns[order]]
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
        pa.array(people.tolist(), pa.string()),
        pa.array(names.tolist(), pa.string()),
        pa.repeat(predictor, len(p)),
        pa.array([options[b] for options, b in zip(labels, best, strict=True)], pa.string()),
        pa.array(p[np.arange(len(p)), best]),
        pa.array(sets, pa.list_(pa.string())),
        pa.array(spread, schema.field("probabilities").type),
    ]
    return pa.table(columns, schema=schema)
