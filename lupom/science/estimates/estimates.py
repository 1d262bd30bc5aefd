"""Shares, means and differences in a population, from people's answers and predictions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from lupom.science.blas import one_thread
from lupom.science.estimates import intervals, people, ppi
from lupom.science.estimates.design import Bools, Design, Floats, Ints
from lupom.science.estimates.people import Asked, People
from lupom.science.estimates.ppi import Mean
from lupom.science.estimates.said import by_predictor, by_question, joined
from lupom.science.inputs import arrow, require
from lupom.science.names import check_attributes

ESTIMATES = pa.schema(
    [
        ("survey", pa.string()),
        ("question_id", pa.string()),
        ("statistic", pa.string()),
        ("option", pa.string()),
        ("attribute", pa.string()),
        ("group", pa.string()),
        ("against", pa.string()),
        ("method", pa.string()),
        ("predictor", pa.string()),
        ("llm", pa.string()),
        ("estimate", pa.float64()),
        ("std_error", pa.float64()),
        ("low", pa.float64()),
        ("high", pa.float64()),
        ("degrees", pa.float64()),
        ("n_humans", pa.int64()),
        ("n_predicted", pa.int64()),
        ("n_effective", pa.float64()),
        ("power", pa.float64()),
        ("imbalance", pa.float64()),
        ("valid", pa.bool_()),
        ("recommended", pa.bool_()),
    ]
)
CLASSICAL, POWERED, NAIVE = "classical", "powered", "naive"
# The predictor that every survey has: a cross-fitted ridge regression on all other answers.
OWN = "ridge_answers"
# Several predictors side by side, calibrated together.
TOGETHER = "all"
# Fewer people than this say too little about what a predictor is worth, and about a group.
SMALLEST = 20

_ANSWER = ("survey", "respondent_id", "question_id", "status", "answer")


@dataclass(frozen=True)
class _Told:
    """What a predictor says of one question: its name, its LLM, and values of everybody."""

    predictor: str
    llm: str | None
    values: Floats


@dataclass(frozen=True)
class _Group:
    """A group of a question's people, or everybody: (N) masks, and what its answers can tell.

    Attributes
    ----------
    place : among the survey's groups, -1 for everybody and in differences.
    here : whom the mean is of; who : those of them who answered; count : how many.
    tells, degrees, size : as `Design` has them.
    rows, design : the people here alone, where each is drawn for themselves; else None, and
        everybody's.
    """

    place: int
    attribute: str | None
    group: str | None
    here: Bools
    who: Bools
    count: int
    tells: bool
    degrees: float
    size: float
    rows: Ints | None
    design: Design

    def of(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return the part of everybody's values, (N, ...), that its estimates are made of."""
        return values if self.rows is None else values.take(self.rows, axis=0)


def estimates(
    responses: Any,
    questions: Any,
    respondents: Any,
    predictions: Any = None,
    designs: Any = None,
    *,
    attributes: Sequence[str] | None = None,
    seed: int = 0,
    level: float = 0.95,
    smallest: int = SMALLEST,
) -> pa.Table:
    """Estimate each question's shares and means from who answered and what others are predicted.

    Those who answered are taken for a random sample of all whom the question is about: everyone but
    those who were asked and refused or did not know. People who were not asked because of who they
    are (a filter) make estimates of everybody that no method can mend.

    Parameters
    ----------
    responses : survey, respondent_id, question_id, status ('answered', 'refused', 'dont_know' or
        'not_asked') and answer.
    questions : survey, question_id, options, kind, and ordinal (positions on a scale, or null).
    respondents : survey, respondent_id, attributes (map of text) and weight.
    predictions : predictions made elsewhere or by an LLM, of people who answered and of others:
        survey, respondent_id, question_id, predictor, llm, answer, probabilities (map from options,
        or null), status. What is said of a person must not be made from that person's answer to
        the question. A predictor counts where it covers 20 of those who answered and 20 others. Or
        a list of such tables.
    designs : survey, respondent_id, cluster, stratum, replicates (list), scale; see `Design`.
    attributes : those to make groups of; None is all.
    smallest : groups in which fewer people answered are left out.

    Returns
    -------
    A row for each question, statistic ('share' of an option, 'mean' of a number or of positions on
    a scale), group (attribute and group are null for everybody) and method:
        classical : people's answers alone.
        powered : these and predictions (`ppi.powered`). The predictor is 'ridge_answers', which is
            made here of the survey's other answers, one of `predictions`, or 'all' of them.
        naive : the mean of predictions, as if they were answers. `valid` is false: its interval
            does not hold.
    Where `against` is a group, the estimate is the difference of `group` from it, which is the
    attribute's group with most answers.
        degrees : of freedom of the interval: people, or sampling units less strata.
        low, high : Student's interval, and of shares Wilson's with the effective sample size. Null
            where no variance is known: of one sampling unit alone (std_error and n_effective are
            null, too), and of means and differences where all answered alike.
        n_effective : how many people, asked in the same way, would leave as much variance by the
            classical method; of shares, of all options together.
        power : the predictions' weight.
        imbalance : by how many standard errors the mean prediction of those who answered differs
            from everybody's; above 3 they are hardly a random part.
        recommended : the powered estimate by all that is known where there is one, else the
            classical.

    Raises
    ------
    ValueError : for a missing column, an answer that is no option, a respondent without a row, and
        for attributes that nobody has.
    """
    responses, questions, respondents = arrow(responses), arrow(questions), arrow(respondents)
    require(responses, _ANSWER, "responses")
    require(questions, ("survey", "question_id", "options", "kind"), "questions")
    require(respondents, ("survey", "respondent_id", "attributes"), "respondents")
    if attributes is not None:
        check_attributes(respondents, attributes, "group_attributes")
    said = None if predictions is None else joined(predictions)
    parts = []
    for survey in sorted(pc.unique(questions["survey"]).to_pylist()):
        population = people.people_of(
            survey,
            people.by_survey(responses, survey),
            people.by_survey(questions, survey),
            people.by_survey(respondents, survey),
            None if designs is None else people.by_survey(designs, survey),
            seed,
        )
        here = None if said is None else by_question(people.by_survey(said, survey))
        rows = _Rows(population, level, smallest, attributes)
        # Small matrices on several BLAS threads wait for each other: 163 questions took 5 s of CPU
        # and, on a busy machine, 500 s of time.
        with one_thread():
            for place, asked in enumerate(population.asked):
                rows.add(place, None if here is None else here.get(asked.question))
        parts.append(rows.table())
    return pa.concat_tables(parts) if parts else ESTIMATES.empty_table()


class _Rows:
    """Collects the rows of one survey."""

    def __init__(
        self, population: People, level: float, smallest: int, attributes: Sequence[str] | None
    ) -> None:
        self.people = population
        self.level = level
        self._smallest = smallest
        names = list(population.attributes) if attributes is None else list(attributes)
        self._groups = list(population.groups(names, smallest))
        self._columns: dict[str, list[Any]] = {name: [] for name in ESTIMATES.names}

    def table(self) -> pa.Table:
        # What is not known is NaN until here, and null in the table.
        columns = [
            pa.array(self._columns[field.name], field.type, from_pandas=True) for field in ESTIMATES
        ]
        return pa.table(columns, schema=ESTIMATES)

    def add(self, place: int, said: pa.Table | None) -> None:
        """Add all rows of one question; `said` is what is predicted of it."""
        asked = self.people.asked[place]
        if asked.answered.sum() < 2:
            return
        told = list(self._told(place, said))
        groups = self._among(asked)
        for statistic, scale in _statistics(asked):
            values = np.nan_to_num(asked.values) @ scale
            # Classical means are what each method is compared with, and are made once.
            plain = [
                ppi.classical(g.of(values), g.of(g.who), g.design, g.of(g.here)) for g in groups
            ]
            add = _Statistic(self, asked, statistic, values, groups, plain)
            add(None, CLASSICAL, not told)
            for one in told:
                add(one, POWERED, one is told[-1], one.values @ scale)
            for one in told:
                if one.predictor not in (OWN, TOGETHER):
                    add(one, NAIVE, False, one.values @ scale)

    def _among(self, asked: Asked) -> list[_Group]:
        """Return everybody whom a question is about, and the groups in which enough answered."""
        among, design = ~asked.outside, self.people.design
        found: list[_Group] = []
        every: list[tuple[Any, Any, Bools]] = [(None, None, among)]
        every += [(a, g, among & members) for a, g, members in self._groups]
        for place, (attribute, group, here) in enumerate(every, start=-1):
            who = asked.answered & here
            count = int(who.sum())
            if not found or self._smallest <= count < found[0].count:
                told = design.tells(who), design.degrees(who), design.size(who)
                # A group's answers are enough for it: with 150 questions and 5,000 people this is
                # half of the work.
                rows = np.flatnonzero(here) if design.simple else None
                own = design if rows is None else Design(design.weights[rows])
                found.append(_Group(place, attribute, group, here, who, count, *told, rows, own))
        return found

    def _told(self, place: int, said: pa.Table | None) -> Iterator[_Told]:
        """Yield predictors of a question, the one that knows most last."""
        asked, design = self.people.asked[place], self.people.design
        among = ~asked.outside
        own = _Told(OWN, None, self.people.crossed(place))
        raw = [own] if _enough(own.values, asked.answered, among) else []
        yield from raw
        if said is None:
            return
        for predictor, llm, rows in by_predictor(said):
            values = people.predicted(asked, self.people, rows)
            if _enough(values, asked.answered, among):
                raw.append(_Told(predictor, llm, values))
                yield _Told(predictor, llm, self._calibrated(asked, design, values))
        covers = [ppi.has_all(one.values) & among for one in raw]
        # What only some people have a prediction of all of is worth less than the best alone.
        together = np.all(covers, axis=0) if covers else among
        if len(raw) > 1 and together.sum() >= 0.9 * max(c.sum() for c in covers):
            values = np.hstack([one.values for one in raw])
            yield _Told(TOGETHER, None, self._calibrated(asked, design, values))

    def _calibrated(self, asked: Asked, design: Design, values: Floats) -> Floats:
        answers = np.nan_to_num(asked.values)
        return ppi.calibrate(answers, asked.answered, values, design.weights, self.people.fold)

    def extend(self, count: int, *columns: Any) -> None:
        """Add some rows: of each column a list with so many values, or one value for all."""
        for own, values in zip(self._columns.values(), columns, strict=True):
            own.extend(values if isinstance(values, list) else [values] * count)


class _Statistic:
    """Adds the rows of one statistic of a question, method by method."""

    def __init__(
        self,
        rows: _Rows,
        asked: Asked,
        statistic: str,
        values: Floats,
        groups: list[_Group],
        plain: list[Mean],
    ) -> None:
        self._rows, self._people, self._level = rows, rows.people, rows.level
        self._asked, self._statistic, self._values = asked, statistic, values
        self._groups, self._plain = groups, plain

    def __call__(
        self,
        told: _Told | None,
        method: str,
        recommended: bool,
        predictions: Floats | None = None,
    ) -> None:
        design, head = self._people.design, (told, method, recommended)
        means: list[Mean] = []
        for one, plain in zip(self._groups, self._plain, strict=True):
            if predictions is None:
                mean = plain
            elif method == NAIVE:
                mean = ppi.naive(one.of(predictions), one.design, one.of(one.here))
            else:
                mean = ppi.powered(
                    one.of(self._values),
                    one.of(one.who),
                    one.of(predictions),
                    one.design,
                    one.of(one.here),
                    everybody=means[0] if means else None,
                    plain=plain,
                )
            means.append(mean)
            self._add(head, one, None, mean, plain)
        largest: dict[str | None, int] = {}
        for i, one in enumerate(self._groups):
            if one.count > self._groups[largest.setdefault(one.attribute, i)].count:
                largest[one.attribute] = i
        for i, one in enumerate(self._groups):
            j = largest[one.attribute]
            if i != j:
                pairs = ((of[i], of[j]) for of in (means, self._plain))
                if design.simple:
                    # A person has one value of an attribute.
                    mean, plain = (a.minus_others(b) for a, b in pairs)
                else:
                    mean, plain = (a.minus(b, design) for a, b in pairs)
                self._add(head, one, self._groups[j], mean, plain)

    def _add(
        self,
        head: tuple[_Told | None, str, bool],
        one: _Group,
        other: _Group | None,
        mean: Mean,
        plain: Mean,
    ) -> None:
        """Add the rows of a group's mean, or of its difference from another's."""
        told, method, recommended = head
        tells = one.tells and (other is None or other.tells)
        variance = mean.variance if tells else np.full_like(mean.variance, np.nan)
        degrees = one.degrees
        if other is not None:
            degrees = one.degrees + other.degrees
            if not self._people.design.simple:
                degrees = self._people.design.degrees(one.who | other.who) - 1
        degrees -= method == POWERED
        if self._statistic == "share" and other is None:
            low, high = intervals.of_shares(mean.value, variance, degrees, one.size, self._level)
        else:
            low, high = intervals.of_means(mean.value, variance, degrees, self._level)
        n_effective = None
        if method != NAIVE and tells:
            left = float(mean.variance.sum())
            n_effective = plain.humans * (float(plain.variance.sum()) / left if left > 0 else 1.0)
        labels = list(self._asked.options) if self._statistic == "share" else [None]
        against = None if other is None else other.group
        self._rows.extend(
            len(labels),
            *(self._people.survey, self._asked.question, self._statistic, labels),
            *(one.attribute, one.group, against, method),
            *(told.predictor if told else None, told.llm if told else None),
            *(mean.value.tolist(), np.sqrt(variance).tolist(), low.tolist(), high.tolist()),
            *(max(float(degrees), 1.0), mean.humans, mean.predicted, n_effective),
            *(mean.power if told else None, mean.imbalance),
            *(method != NAIVE, recommended),
        )


def _statistics(asked: Asked) -> Iterator[tuple[str, Floats]]:
    """Yield what is estimated of a question, and the values of its options, (options, K)."""
    if not asked.options:
        yield "mean", np.eye(1)
        return
    yield "share", np.eye(len(asked.options))
    if not np.isnan(asked.ranks).any():
        yield "mean", asked.ranks[:, None]


def _enough(values: Floats, answered: Bools, among: Bools) -> bool:
    has = ppi.has_all(values) & among
    return bool((has & answered).sum() >= SMALLEST and (has & ~answered).sum() >= SMALLEST)
