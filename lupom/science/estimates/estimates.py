"""Shares, means and differences in a population, from people's answers and predictions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lupom.science.blas import one_thread
from lupom.science.estimates import intervals, people, ppi
from lupom.science.estimates.design import Bools, Design, Floats
from lupom.science.estimates.people import Asked, People
from lupom.science.estimates.ppi import Mean
from lupom.science.inputs import arrow, require

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
_PREDICTION = (
    *("survey", "respondent_id", "question_id", "predictor", "llm", "answer", "probabilities"),
    "status",
)


@dataclass(frozen=True)
class _Told:
    """What a predictor says of one question: its name, its LLM, and values of everybody."""

    predictor: str
    llm: str | None
    values: Floats


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
    ValueError : for a missing column, an answer that is no option, a respondent without a row.
    """
    responses, questions, respondents = arrow(responses), arrow(questions), arrow(respondents)
    require(responses, _ANSWER, "responses")
    require(questions, ("survey", "question_id", "options", "kind"), "questions")
    require(respondents, ("survey", "respondent_id", "attributes"), "respondents")
    said = None if predictions is None else _one(predictions)
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
        here = None if said is None else people.by_survey(said, survey)
        rows = _Rows(population, level, smallest, attributes)
        # Small matrices on several BLAS threads wait for each other: 163 questions took 5 s of CPU
        # and, on a busy machine, 500 s of time.
        with one_thread():
            for place in range(len(population.asked)):
                rows.add(place, here)
        parts.append(rows.table())
    return pa.concat_tables(parts) if parts else ESTIMATES.empty_table()


def _one(predictions: Any) -> pa.Table:
    """Return one table or several as one, with the columns that are needed."""
    tables = [arrow(t) for t in (predictions if isinstance(predictions, list) else [predictions])]
    for table in tables:
        require(table, _PREDICTION, "predictions")
    spread = pa.map_(pa.string(), pa.float64())
    types = [spread if name == "probabilities" else pa.string() for name in _PREDICTION]
    schema = pa.schema(list(zip(_PREDICTION, types, strict=True)))
    return pa.concat_tables([table.select(_PREDICTION).cast(schema) for table in tables])


class _Rows:
    """Collects the rows of one survey."""

    def __init__(
        self, population: People, level: float, smallest: int, attributes: Sequence[str] | None
    ) -> None:
        self._people = population
        self._level = level
        self._smallest = smallest
        names = list(population.attributes) if attributes is None else list(attributes)
        self._groups = list(population.groups(names, smallest))
        self._columns: dict[str, list[Any]] = {name: [] for name in ESTIMATES.names}

    def table(self) -> pa.Table:
        return pa.table(self._columns, schema=ESTIMATES)

    def add(self, place: int, said: pa.Table | None) -> None:
        """Add all rows of one question."""
        asked = self._people.asked[place]
        among = ~asked.outside
        if asked.answered.sum() < 2:
            return
        told = list(self._told(place, said))
        for statistic, scale in _statistics(asked):
            values = np.nan_to_num(asked.values) @ scale
            labels = asked.options if statistic == "share" else (None,)
            # Classical means by the place of their group, which each method is compared with.
            plains: dict[int, Mean] = {}
            self._method(asked, among, statistic, labels, values, plains, None, CLASSICAL, not told)
            for one in told:
                at = one.values @ scale
                last = one is told[-1]
                self._method(
                    asked, among, statistic, labels, values, plains, one, POWERED, last, at
                )
            for one in told:
                if one.predictor not in (OWN, TOGETHER):
                    at = one.values @ scale
                    self._method(
                        asked, among, statistic, labels, values, plains, one, NAIVE, False, at
                    )

    def _told(self, place: int, said: pa.Table | None) -> Iterator[_Told]:
        """Yield predictors of a question, the one that knows most last."""
        asked, design = self._people.asked[place], self._people.design
        among = ~asked.outside
        own = _Told(OWN, None, self._people.crossed(place))
        raw = [own] if _enough(own.values, asked.answered, among) else []
        yield from raw
        if said is None:
            return
        here = said.filter(pc.equal(said["question_id"], asked.question))
        names = here.select(["predictor", "llm"]).group_by(["predictor", "llm"]).aggregate([])
        order = [("predictor", "ascending"), ("llm", "ascending")]
        for name in names.sort_by(order).to_pylist():
            rows = pc.equal(here["predictor"], name["predictor"])
            llm = name["llm"]
            of_llm = pc.is_null(here["llm"]) if llm is None else pc.equal(here["llm"], llm)
            rows = pc.and_(rows, pc.fill_null(of_llm, False))
            values = people.predicted(asked, self._people, here.filter(rows))
            if _enough(values, asked.answered, among):
                one = _Told(name["predictor"], llm, values)
                raw.append(one)
                yield _Told(one.predictor, llm, self._calibrated(asked, design, values))
        covers = [~np.isnan(one.values).any(axis=1) & among for one in raw]
        # What only some people have a prediction of all of is worth less than the best alone.
        together = np.all(covers, axis=0) if covers else among
        if len(raw) > 1 and together.sum() >= 0.9 * max(c.sum() for c in covers):
            values = np.hstack([one.values for one in raw])
            yield _Told(TOGETHER, None, self._calibrated(asked, design, values))

    def _calibrated(self, asked: Asked, design: Design, values: Floats) -> Floats:
        answers = np.nan_to_num(asked.values)
        return ppi.calibrate(answers, asked.answered, values, design.weights, self._people.fold)

    def _method(
        self,
        asked: Asked,
        among: Bools,
        statistic: str,
        labels: Sequence[str | None],
        values: Floats,
        plains: dict[int, Mean],
        told: _Told | None,
        method: str,
        recommended: bool,
        predictions: Floats | None = None,
    ) -> None:
        design = self._people.design

        def mean(place: int, here: Bools, everybody: Mean | None = None) -> tuple[Mean, Mean]:
            if place not in plains:
                plains[place] = ppi.classical(values, asked.answered, design, here)
            plain = plains[place]
            if predictions is None:
                return plain, plain
            if method == NAIVE:
                return ppi.naive(predictions, design, here), plain
            found = ppi.powered(
                *(values, asked.answered, predictions, design, here),
                everybody=everybody,
                plain=plain,
            )
            return found, plain

        head = (asked.question, statistic, method, told, recommended)
        everybody, plain = mean(-1, among)
        self._rows(head, labels, (None, None, None), everybody, plain, asked.answered & among)
        largest: dict[str, tuple[str, Mean, Mean, Bools]] = {}
        found = []
        for place, (attribute, group, members) in enumerate(self._groups):
            here = among & members
            count = int((here & asked.answered).sum())
            if count < self._smallest or plain.humans == count:
                continue
            pair = mean(place, here, everybody)
            found.append((attribute, group, *pair, here & asked.answered))
            if attribute not in largest or count > largest[attribute][2].humans:
                largest[attribute] = (group, *pair, here & asked.answered)
        for attribute, group, own, alone, who in found:
            self._rows(head, labels, (attribute, group, None), own, alone, who)
        for attribute, group, own, alone, who in found:
            other, theirs, theirs_alone, they = largest[attribute]
            if other != group:
                own, alone = own.minus(theirs, design), alone.minus(theirs_alone, design)
                words = (attribute, group, other)
                self._rows(head, labels, words, own, alone, who, they)

    def _rows(
        self,
        head: tuple[str, str, str, _Told | None, bool],
        labels: Sequence[str | None],
        group: tuple[str | None, str | None, str | None],
        mean: Mean,
        plain: Mean,
        who: Bools,
        they: Bools | None = None,
    ) -> None:
        question, statistic, method, told, recommended = head
        design = self._people.design
        tells = design.tells(who) and (they is None or design.tells(they))
        variance = mean.variance if tells else np.full_like(mean.variance, np.nan)
        who = who if they is None else who | they
        degrees = design.degrees(who) - (method == POWERED) - (group[2] is not None)
        if statistic == "share" and group[2] is None:
            size = design.size(who)
            low, high = intervals.of_shares(mean.value, variance, degrees, size, self._level)
        else:
            low, high = intervals.of_means(mean.value, variance, degrees, self._level)
        n_effective = None
        if method != NAIVE and tells:
            left = float(mean.variance.sum())
            n_effective = plain.humans * (float(plain.variance.sum()) / left if left > 0 else 1.0)
        for i, label in enumerate(labels):
            row = (
                *(self._people.survey, question, statistic, label, *group, method),
                *(told.predictor if told else None, told.llm if told else None),
                *(_number(mean.value[i]), _number(np.sqrt(variance[i]))),
                *(_number(low[i]), _number(high[i]), max(float(degrees), 1.0)),
                *(mean.humans, mean.predicted, n_effective),
                *(mean.power if told else None, mean.imbalance),
                *(method != NAIVE, recommended),
            )
            for name, value in zip(ESTIMATES.names, row, strict=True):
                self._columns[name].append(value)


def _statistics(asked: Asked) -> Iterator[tuple[str, Floats]]:
    """Yield what is estimated of a question, and the values of its options, (options, K)."""
    if not asked.options:
        yield "mean", np.eye(1)
        return
    yield "share", np.eye(len(asked.options))
    if not np.isnan(asked.ranks).any():
        yield "mean", asked.ranks[:, None]


def _enough(values: Floats, answered: Bools, among: Bools) -> bool:
    has = ~np.isnan(values).any(axis=1) & among
    return bool((has & answered).sum() >= SMALLEST and (has & ~answered).sum() >= SMALLEST)


def _number(value: Any) -> float | None:
    return None if np.isnan(value) else float(value)
