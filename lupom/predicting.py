"""People who were not there: a project's fitted predictors asked about them, without a run."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lupom.engine.errors import UsageError
from lupom.engine.run.reading import query, standing
from lupom.telling import warn

if TYPE_CHECKING:
    import pyarrow as pa

    from lupom.engine.run.context import Context
    from lupom.engine.run.tables import Table
    from lupom.science.planning.screening import Screening
    from lupom.science.predictors.new_people import Fitted
    from lupom.science.predictors.task import Bools, Floats, Ints, Task

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
    (of it), options (among which the answer is nine times in ten; of the combination alone),
    probabilities (map), asked (the probability that the person is asked the question at all; null
    where no combination is kept) and ruled_out_by (what is known of the person
    that rules the question out, as 'wrkstat: Retired'; asked is 0 then, and the answer and all of
    its columns are null). What a person answered is not predicted. All is as if the question were
    asked.

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
    from lupom.science.planning import screening as screenings
    from lupom.science.predictors.conformal import ENOUGH
    from lupom.science.predictors.new_people import STACK, task_of
    from lupom.science.predictors.task import HIDDEN
    from lupom.science.surveys.fields import Misread
    from lupom.science.surveys.newcomers import one

    name, found, rows = _fitted(context, survey)
    frame = dict(zip(*found.frame, strict=True))
    asked = list(frame)
    known = newcomers.known(context, name, frame, found.attributes)
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
    screening = None if rows is None else screenings.read(rows, frame, found.attributes)
    if screening is None:
        note(
            "asked is blank: filters are kept with the combination, and fitted_stack has none"
            " (lupom run --select +fitted_stack; in a project of before filters were kept, take"
            " models/prediction/fitted_stack.py from a new one, which `lupom init` makes, first)"
        )
    elif screening.filters and found.reads_answers and not found.layers:
        note(
            f"{screening.filters[0]} and what else tells who is asked a question is predicted as of"
            " people who left that blank: the project's models are of before it was learned apart"
            " (take models/staging and models/prediction/learning_questions.sql from a new"
            " project, which `lupom init` makes, then lupom run --select +fitted_stack)"
        )
    tables: dict[str, list[pa.Table]] = {}
    for start in range(0, len(persons.ids), BLOCK):
        block = slice(start, start + BLOCK)
        ids, traits = persons.ids[block], persons.attributes[block]
        given = persons.answers[block]
        here, gone, needed = None, np.zeros(given.shape, dtype=bool), columns
        if screening is not None:
            here = _Block(context, name, screening, found.attributes, given, traits, columns)
            gone, needed = here.ruled, here.needed
        task = task_of(found, name, ids, given, traits, needed, gone)
        left = None if screening is None or here is None else screening.left(task, here.values)
        try:
            said = found.predict(task, every=every, left=left)
        except ValueError as error:
            raise UsageError(str(error), hint="lupom run --select +fitted_stack") from error
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
        own = (given == HIDDEN) & np.isin(np.arange(given.shape[1]), columns)
        if not own.any():
            continue
        parts: dict[str, Floats | None] = {STACK: said.combined}
        if not len(task.rows):
            # What is known rules all out.
            parts = dict.fromkeys(found.states if every else [STACK])
        elif every:
            parts = dict(said.parts)
        inside = None if every else said.inside
        for predictor, shares in parts.items():
            made = _table(task, predictor, shares, inside, own, here)
            tables.setdefault(predictor, []).append(made)
    if not tables:
        note("there is nothing to predict: everybody answered everything that is asked for")
        return Table(_schema().empty_table())
    return Table(pa.concat_tables([one for some in tables.values() for one in some]))


class _Block:
    """Who of some people is asked what.

    Attributes
    ----------
    ruled : (n, Q), the questions that what is known of them rules out.
    needed : places of the questions to predict: those that are wanted, and their filters.
    values : what is known of them, as `Screening.values` has it.
    """

    def __init__(
        self,
        context: Context,
        survey: str,
        screening: Screening,
        attributes: Mapping[str, Sequence[str]],
        answers: Ints,
        traits: Sequence[Mapping[str, str]],
        columns: Ints,
    ) -> None:
        import numpy as np

        codes = np.full((len(answers), len(attributes)), -1, dtype=np.int64)
        for column, (name, told) in enumerate(attributes.items()):
            place = {value: code for code, value in enumerate(told)}
            codes[:, column] = [place.get(one.get(name) or "", -1) for one in traits]
        self._screening, self.values = screening, screening.values(answers, codes)
        self.ruled = screening.ruled_out(self.values)
        self.needed = np.union1d(columns, np.array(screening.needed(columns), dtype=np.int64))
        self._shares = {
            number: _shares(context, survey, *list(attributes.items())[number])
            for number in screening.unknown(columns, self.values)
        }

    def chances(self, task: Task, p: Floats | None) -> Floats:
        """Return the probability that each is asked each question, (n, Q), by what is predicted."""
        import numpy as np

        said = {}
        for question in self._screening.needed(self.needed):
            width = len(task.options[question])
            said[question] = np.zeros((len(self.values), width))
            if p is not None:
                here = task.columns == question
                said[question][task.rows[here]] = p[here, :width]
        return self._screening.chances(self.values, said, self._shares)

    def reasons(self, person: int, question: int) -> list[str]:
        """Return what is known of a person that rules a question out."""
        return self._screening.reasons(self.values[person], question)


def _shares(context: Context, survey: str, attribute: str, values: Sequence[str]) -> Floats:
    """Return the share of a survey's people who have each of an attribute's values, by weight."""
    import numpy as np

    rows = query(
        context.store,
        "select attributes[?] as value, sum(weight) as weight from respondents where survey = ?"
        " group by all",
        [attribute, survey],
    ).rows()
    by_value = dict(rows)
    weights = np.array([by_value.get(value) or 0.0 for value in values])
    return np.asarray(weights / max(weights.sum(), 1e-300))


def _fitted(
    context: Context, survey: str | None
) -> tuple[str, Fitted, list[dict[str, Any]] | None]:
    """Return a survey's name, what is fitted to it, and its filters; None where none are kept."""
    import pyarrow.compute as pc

    from lupom import entry_points
    from lupom.names import found as named
    from lupom.science.predictors.new_people import read
    from lupom.science.predictors.predictor import GROUP

    # The combination first: where nothing is built, building it builds the predictors.
    with context.store.kept_open():
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
        fitted = read(rows, combined, name, given)
    except ValueError as error:
        raise UsageError(str(error), hint="lupom run --select +fitted_stack") from error
    # A table that was built before there was such a column has none.
    kept = dict.fromkeys(combined["survey"].to_pylist())
    if "filters" in combined.column_names:
        kept = dict(zip(kept, combined["filters"].to_pylist(), strict=True))
    return name, fitted, kept.get(name)


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
            ("asked", pa.float64()),
            ("ruled_out_by", pa.list_(pa.string())),
        ]
    )


def _table(
    task: Task, predictor: str, p: Floats | None, inside: Any, own: Bools, block: _Block | None
) -> pa.Table:
    """Return what a predictor says of pairs, by person, as they were given.

    Parameters
    ----------
    p, inside : (P, width), of the task's pairs; None of none. own : (n, Q), the pairs to show: of
        those that are none of the task's no answer is told. block : says who is asked.
    """
    import numpy as np
    import pyarrow as pa

    from lupom import arrow_columns as columns_of

    rows, columns = np.nonzero(own)
    place = np.full(own.shape, -1, dtype=np.int64)
    place[task.rows, task.columns] = np.arange(len(task.rows))
    at = place[rows, columns]
    chances = None if block is None else block.chances(task, p)[rows, columns]
    there, nothing = at >= 0, np.zeros(len(at), dtype=np.int64)
    # Of what is ruled out nothing is told; what stands there is masked.
    given = np.zeros((1, task.width)) if p is None or not len(p) else p
    p = given[np.maximum(at, 0)]
    sizes = np.array([len(options) for options in task.options], dtype=np.int64)
    # Options of all questions, one after the other.
    labels = [option for options in task.options for option in options]
    first = (np.cumsum(sizes) - sizes)[columns]
    is_option = np.arange(p.shape[1]) < sizes[columns, None]
    best = np.where(is_option, p, -1.0).argmax(axis=1)
    if inside is None:
        sets = columns_of.lists(columns_of.texts([]), nothing, nothing > 0)
    else:
        likely = np.argsort(-p, axis=1, kind="stable")
        held = np.take_along_axis(inside[np.maximum(at, 0)] & is_option, likely, axis=1)
        held &= there[:, None]
        members = columns_of.chosen(labels, (first[:, None] + likely)[held])
        sets = columns_of.lists(members, held.sum(axis=1), there)
    told = is_option & there[:, None]
    keys = columns_of.chosen(labels, (first[:, None] + np.arange(p.shape[1]))[told])
    reasons: list[list[str]] = [[] for _ in at]
    if block is not None:
        for pair in np.flatnonzero(~there):
            reasons[pair] = block.reasons(int(rows[pair]), int(columns[pair]))
    why = columns_of.texts([text for some in reasons for text in some])
    return pa.Table.from_arrays(
        [
            columns_of.chosen([task.survey], nothing),
            columns_of.chosen(task.respondents, rows),
            columns_of.chosen(task.questions, columns),
            columns_of.chosen([predictor], nothing),
            columns_of.chosen(labels, np.where(there, first + best, -1)),
            columns_of.numbers(p[np.arange(len(p)), best], there),
            sets,
            columns_of.maps(keys, columns_of.numbers(p[told]), told.sum(axis=1), there),
            columns_of.numbers(np.zeros(len(at)), nothing > 0)
            if chances is None
            else columns_of.numbers(chances),
            columns_of.lists(
                why, np.array([len(some) for some in reasons]), ~there & (block is not None)
            ),
        ],
        schema=_schema(),
    )
