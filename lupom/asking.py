"""What to ask: a project's plan of questions, and an interview that asks the best one next."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from lupom.engine.errors import UsageError
from lupom.engine.run.reading import standing, table
from lupom.names import found
from lupom.telling import warn

if TYPE_CHECKING:
    from lupom.engine.run.context import Context
    from lupom.engine.run.tables import Table
    from lupom.engine.workspace import Project
    from lupom.science.planning.interview import Interviewer

# The var that says how many people a group has at least, and what it is where it is not set.
_SMALLEST = "plan_smallest", 100
EMPTY = (
    "the plan is empty: it takes two closed questions that people answered and that are no recodes"
    " of others or of attributes (question_reach, questions)"
)
PLAN = (
    *("survey", "strategy", "questions", "question_id", "attribute", "group", "question"),
    *("recodes", "asked_of"),
    *("nll", "low", "high", "nll_before", "accuracy", "difference", "difference_low"),
    *("difference_high", "n"),
)


def ask(
    context: Context,
    *,
    survey: str | None = None,
    by: str | None = None,
    every: bool = False,
    note: Callable[[str], None] | None = None,
) -> Table:
    """Return the built model `question_plan`: which questions tell most of the others.

    Parameters
    ----------
    survey : of one survey alone. by : for each group of this attribute, in place of everybody.
    every : the other strategies too, and how they differ.
    note : is told which groups are left out, and where another form does better; by default that is
        a Python warning.

    Raises
    ------
    StoreError : where the plan is not built.
    UsageError : for a survey or attribute that is not in it, and vars with which it was not built.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    from lupom import groups
    from lupom.arrow_columns import equal, texts
    from lupom.engine.run.tables import Table

    rows = standing(context, "question_plan").arrow
    if not len(rows):
        (note or warn)(EMPTY)
        return Table(rows.append_column("question", pa.nulls(0, pa.string())).select(PLAN))
    for name, wanted in (("survey", survey), ("attribute", by)):
        if wanted is not None:
            known = [v for v in pc.unique(rows[name]).to_pylist() if v is not None]
            if name == "attribute":
                has = "the plan has"
                by = own = groups.found(context, wanted, known, has, *_SMALLEST, survey)
            else:
                survey = own = found(wanted, known, f"the plan has no {name}")
            rows = rows.filter(equal(rows[name], own))
    if by is None:
        rows = rows.filter(equal(rows["attribute"], None))
    else:
        shown = set(rows["group"].to_pylist())
        if said := groups.left_out(context, by, shown, *_SMALLEST, survey):
            (note or warn)(said)
    if not every:
        for said in _beaten(rows.to_pylist()):
            (note or warn)(said)
        rows = rows.filter(equal(rows["strategy"], "chosen"))
    order = ("survey", "attribute", "group", "strategy", "questions")
    rows = rows.sort_by([(name, "ascending") for name in order])
    wordings = {
        (r["survey"], r["question_id"]): _text(r)
        for r in table(context, "questions").arrow.to_pylist()
    }
    keys = zip(rows["survey"].to_pylist(), rows["question_id"].to_pylist(), strict=True)
    rows = rows.append_column("question", texts([wordings.get(key) for key in keys]))
    empty = {"attribute": by is None, "group": by is None, "strategy": not every}
    empty |= dict.fromkeys(("difference", "difference_low", "difference_high"), not every)
    # A plan that was built before there were such columns has none.
    there = set(rows.column_names)
    made = rows["recodes"].to_pylist() if "recodes" in there else []
    empty |= {"recodes": not any(made), "asked_of": "asked_of" not in there}
    return Table(rows.select([name for name in PLAN if not empty.get(name)]))


def _beaten(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return a sentence for each survey with a form than which the least certain questions do
    better: a form is chosen by what is learned of some people, and judged on others."""
    least: dict[str, Mapping[str, Any]] = {}
    for row in rows:
        if row["strategy"] == "entropy" and row["group"] is None and row["difference_high"] < 0:
            before = least.setdefault(row["survey"], row)
            least[row["survey"]] = min(before, row, key=lambda one: one["difference"])
    return [
        f"{survey}: the {_counted(row['questions'])} {-row['difference']:.3f}"
        " nats less than this form of as many (--all): take "
        f"{'it' if row['questions'] == 1 else 'them'} where a form is to be that long"
        for survey, row in sorted(least.items())
    ]


def _counted(questions: int) -> str:
    plural = f"{questions} least certain questions leave"
    return "least certain question leaves" if questions == 1 else plural


class Interview:
    """An interview of one person: which question tells most next, and what the answers say.

    The survey's answers are those of the project's store; all of them are learned from, held-out
    ones too, since the person is a new one.

    Parameters
    ----------
    project : an open project whose staging is built. survey : needed where it has several.
    attributes : what is known of the person before anything is asked.

    Raises
    ------
    StoreError : where questions, respondents or responses are not built.
    UsageError : for a survey, attribute or value that is not there.

    Examples
    --------
    >>> interview = Interview(project, attributes={"SEX": "Female"})    # doctest: +SKIP
    >>> interview.next()                                                # doctest: +SKIP
    'absingle'
    >>> interview.answer("absingle", "Yes")                             # doctest: +SKIP
    >>> interview.predict("abany")                                      # doctest: +SKIP
    {'Yes': 0.93, 'No': 0.07}
    """

    def __init__(
        self,
        project: Project,
        *,
        survey: str | None = None,
        attributes: Mapping[str, str] | None = None,
    ) -> None:
        from lupom import newcomers
        from lupom.science.surveys.newcomers import ATTRIBUTE, by_name

        if not hasattr(project, "context"):
            raise UsageError(
                f"an interview is of an open project, and not of a {type(project).__name__}",
                hint="Interview(Project('demo'))",
            )
        self._science = _interviewer(project.context, survey)
        task = self._science.task
        self.survey = task.survey
        traits = dict(zip(task.trait_names, task.trait_values, strict=True))
        asked = dict(zip(task.questions, task.options, strict=True))
        self._known = newcomers.known(project.context, task.survey, asked, traits)
        self._attributes: dict[int, int] = {}
        self._answers: dict[int, int] = {}
        self._passed: dict[int, None] = {}
        with _told():
            known = self._known
            given = by_name(attributes or {}, known.attributes, ATTRIBUTE, known.questions)
            for name, value in given.items():
                told = self._known.attributes[name].meaning(value)
                # A value that nobody had tells nothing; blank is one of its own.
                if not told or told in traits[name]:
                    code = traits[name].index(told) if told else -1
                    self._attributes[task.trait_names.index(name)] = code

    @property
    def answers(self) -> dict[str, str]:
        """Return the answers so far, by question."""
        task = self._science.task
        return {task.questions[q]: task.options[q][a] for q, a in self._answers.items()}

    @property
    def passed(self) -> tuple[str, ...]:
        """Return the questions that were asked and not answered: "don't know", a refusal."""
        return tuple(self._science.task.questions[q] for q in self._passed)

    def next(self) -> str | None:
        """Return the question that is best asked next; None once there is nothing left to tell."""
        ranked = self.ranked()
        return ranked[0][0] if ranked else None

    def ranked(self) -> list[tuple[str, float]]:
        """Return the best questions to ask next, and the nats each is expected to save.

        That is the entropy, of all questions not asked, which is gone once it is answered.
        """
        task = self._science.task
        if len(self._answers) >= len(task.questions) - 1:
            return []
        gains = self._science.gains(self._attributes, self._answers)
        return [(task.questions[q], gain) for q, gain in gains if q not in self._passed]

    def answer(self, question: str, answer: str | None, *, replace: bool = False) -> None:
        """Take the answer to a question, in any order.

        Parameters
        ----------
        answer : an option, or its code; None takes back what was said. What is no answer ("Don't
            know", "Refused") tells nothing, and the question is not asked again.
        replace : whether it may be another than was said before.

        Raises UsageError for a question or an option that is not there, and for a second answer.
        """
        from lupom.science.surveys.newcomers import field_of

        task, known = self._science.task, self._known
        with _told():
            field = field_of(question, known.questions, others=known.attributes)
            told = "" if answer is None else field.meaning(answer)
        place = task.questions.index(field.name)
        if answer is not None and not told and not str(answer).strip():
            raise UsageError(
                f"the answer to '{field.name}' is blank",
                hint='None takes an answer back; "Don\'t know" is said to a question',
            )
        before = None if place not in self._answers else task.options[place][self._answers[place]]
        if before is not None and answer is not None and told != before and not replace:
            raise UsageError(
                f"'{field.name}' was answered '{before}', and now '{answer}'",
                hint="replace=True takes the new one, None takes it back",
            )
        self._answers.pop(place, None)
        self._passed.pop(place, None)
        if told:
            self._answers[place] = task.options[place].index(told)
        elif answer is not None:
            self._passed[place] = None

    def take(self, answers: Mapping[str, str]) -> None:
        """Take several answers, by question; raises UsageError where a question is there twice."""
        from lupom.science.surveys.newcomers import by_name

        with _told():
            given = by_name(answers, self._known.questions, others=self._known.attributes)
        for question, answer in given.items():
            self.answer(question, answer)

    @property
    def ruled_out(self) -> dict[str, list[str]]:
        """Return the questions that what is known of the person rules out, and by what.

        A question on work is ruled out by `work: No`.
        """
        return {q: reasons for q, (_, reasons) in self._asked().items() if reasons}

    def asked(self, question: str) -> float:
        """Return the probability that the person is asked a question, by who can be asked it.

        0 where what is known rules it out, 1 of what was answered; where a filter's question is not
        answered yet, the probability that its answer does not rule it out. Raises UsageError for an
        unknown question.
        """
        name = self._named(question)
        return 1.0 if name in self.answers else self._asked()[name][0]

    def predict(self, question: str | None = None) -> dict[str, Any]:
        """Return the probabilities of a question's options, or of every question's by question.

        They are those of the answer if the question is asked. What was answered has probability 1;
        of what the person cannot be asked (`ruled_out`) there is none: no option, and no question
        among all. Raises UsageError for an unknown question.
        """
        task, gone = self._science.task, self.ruled_out
        wanted = None if question is None else self._named(question)
        shares = self._science.predict(self._attributes, self._answers)
        said = {
            task.questions[q]: dict(zip(task.options[q], map(float, p), strict=True))
            for q, p in shares.items()
            if task.questions[q] not in gone
        }
        return said if wanted is None else said.get(wanted, {})

    def _asked(self) -> dict[str, tuple[float, list[str]]]:
        """Return the chance of each question that is not answered, and what rules it out."""
        found = self._science.asked(self._attributes, self._answers)
        names = self._science.task.questions
        return {names[q]: one for q, one in found.items() if q not in self._answers}

    def _named(self, question: str) -> str:
        from lupom.science.surveys.newcomers import field_of

        with _told():
            return field_of(question, self._known.questions, others=self._known.attributes).name


@contextmanager
def _told() -> Iterator[None]:
    """Make what cannot be read of a person an error of the call."""
    from lupom.newcomers import misread
    from lupom.science.surveys.fields import Misread

    try:
        yield
    except Misread as error:
        raise misread(error) from error


def next_questions(
    project: Project,
    answers: Mapping[str, str],
    *,
    survey: str | None = None,
    attributes: Mapping[str, str] | None = None,
) -> Table:
    """Return the best questions to ask a person next, and what is likely to be said.

    Parameters and errors are as of `Interview`. Columns question_id, question (wording),
    nats_saved (expected, of all questions not asked), answer (the likeliest), probability.
    """
    import pyarrow as pa

    from lupom.engine.run.tables import Table

    interview = Interview(project, survey=survey, attributes=attributes)
    interview.take(answers)
    likely = interview.predict()
    texts = {
        r["question_id"]: _text(r)
        for r in table(project.context, "questions").arrow.to_pylist()
        if r["survey"] == interview.survey
    }
    schema = pa.schema(
        [
            ("question_id", pa.string()),
            ("question", pa.string()),
            ("nats_saved", pa.float64()),
            ("answer", pa.string()),
            ("probability", pa.float64()),
        ]
    )
    rows = []
    for question, gain in interview.ranked():
        best = max(likely[question], key=likely[question].get)
        row = (question, texts.get(question), gain, best, likely[question][best])
        rows.append(dict(zip(schema.names, row, strict=True)))
    return Table(pa.Table.from_pylist(rows, schema=schema))


def _interviewer(context: Context, survey: str | None) -> Interviewer:
    import pyarrow.compute as pc

    from lupom.science.planning.interview import Interviewer
    from lupom.science.planning.questionnaire import NOT_ASKED, cells
    from lupom.science.predictors.task import everyone

    closed = table(context, "closed_questions").arrow
    names = sorted(pc.unique(closed["survey"]).to_pylist())
    if survey is None and len(names) != 1:
        raise UsageError(
            f"the project has {len(names)} surveys; say which",
            hint="--survey " + " or ".join(names) if names else "lupom run --select +responses",
        )
    name = names[0] if survey is None else found(survey, names, "the project has no survey")
    closed, responses, respondents = (
        t.filter(pc.equal(t["survey"], name))
        for t in (closed, table(context, "responses").arrow, table(context, "respondents").arrow)
    )
    responses = responses.filter(pc.is_in(responses["question_id"], closed["question_id"]))
    (task,) = everyone(responses, respondents, closed)
    asked = cells(responses, task, pc.not_equal(responses["status"], NOT_ASKED))
    return Interviewer(task, asked, seed=int(context.files.vars.get("seed", 1)))


def _text(row: Mapping[str, Any]) -> str:
    return " ".join(str(row.get("item") or row.get("question") or "").split())
