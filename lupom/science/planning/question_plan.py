"""What a few questions tell of all others: a curve by their number, measured on people held out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from lupom.science.blas import one_thread
from lupom.science.names import check_attributes
from lupom.science.planning import classes, forms
from lupom.science.planning.classes import Panel, Pool
from lupom.science.planning.moments import Cells, Moments, cells, fit
from lupom.science.planning.options import Singles
from lupom.science.planning.questionnaire import Questionnaire, few, questionnaires, varying
from lupom.science.planning.reach import Reach
from lupom.science.predictors.task import Bools, Floats, Ints, Task

QUESTION_PLAN = pa.schema(
    [
        ("survey", pa.string()),
        ("strategy", pa.string()),
        ("questions", pa.int64()),
        ("question_id", pa.string()),
        ("recodes", pa.list_(pa.string())),
        ("asked_of", pa.float64()),
        ("attribute", pa.string()),
        ("group", pa.string()),
        ("nll", pa.float64()),
        ("low", pa.float64()),
        ("high", pa.float64()),
        ("nll_before", pa.float64()),
        ("accuracy", pa.float64()),
        ("difference", pa.float64()),
        ("difference_low", pa.float64()),
        ("difference_high", pa.float64()),
        ("n", pa.int64()),
    ]
)
CHOSEN, ADAPTIVE, ENTROPY, RANDOM = "chosen", "adaptive", "entropy", "random"
FOLDS = 5
# Of each number of questions so many forms are drawn by lot.
DRAWS = 10
# People by whose answers questions are chosen, and who are interviewed (a step is a search for each
# of them); more choose the same and show as much. With many questions fewer people have as many
# answers: on 150 questions these are 266 people, which takes a quarter of the time.
MOST_PEOPLE, LEAST_PEOPLE, CELLS = 1000, 200, 40_000
# Numbers of questions for which all strategies are compared.
SIZES = (1, 3, 5, 10)
# Questions that an adaptive form has at most.
LONGEST = 5
SPARE = 5
# Numbers, of people by groups, that are summed up at one time: 16 MB of them.
AT_ONCE = 2**21


@dataclass(frozen=True)
class Sums:
    """Of each person the summed loss of the rest, before and after, right answers, and how many.

    Each is (n); of several forms drawn by lot (draws, n).
    """

    loss: Floats
    before: Floats
    right: Floats
    count: Floats


def question_plan(
    responses: Any,
    respondents: Any,
    questions: Any,
    *,
    most: int = 10,
    attributes: Sequence[str] | None = None,
    known_attributes: bool = True,
    smallest: int = 100,
    interviewed: int | None = None,
    people: int | None = None,
    seed: int = 0,
    note: Callable[[str], None] = lambda _: None,
) -> pa.Table:
    """Return which questions tell most of the others, and how much that is.

    Everything is judged on people who had no part in it: of five folds each is predicted by what
    the other four chose and answered; `question_id` is what all of them together choose.

    Parameters
    ----------
    responses : survey, respondent_id, question_id, answer (null where there is none).
    respondents, questions : as `task.tasks` takes them.
    most : how many questions to choose.
    attributes : those to show groups of; None is all.
    known_attributes : whether attributes are known of the people to ask.
    smallest : groups of fewer people are left out.
    interviewed : how many people adaptive forms are judged by; None is as many as give 40,000
        answers, from 200 to 1,000.
    people : of surveys of more so many are drawn, and all is of them; None is all.
    note : hears of which surveys there is no plan, and why.

    Returns
    -------
    A row for each strategy, number of questions and group (null: everybody):
        chosen : the same questions for all, by `forms.choose`; question_id is the last of them.
        adaptive : each person's own, by `forms.adaptive`, up to five.
        entropy : those whose answers are least certain, by themselves; one that not all can be
            asked counts by the share who can.
        random : the mean over 10 forms drawn by lot.
    nll is the mean log loss, in nats, of the answers to all questions that were not asked, by
    survey weight; nll_before that of the same answers where attributes alone are known; accuracy
    the share of right ones. A person without an answer to a question is asked the next one in its
    place. difference is nll less that of the chosen form of as many questions (of the same people),
    below 0 where the strategy is better. Intervals are of 95 %, of people.

    Raises
    ------
    ValueError : as `task.tasks` does, and for attributes that nobody has.
    """
    parts = []
    given = (responses, respondents, questions)
    if attributes is not None:
        check_attributes(respondents, attributes, "group_attributes")
    for found in questionnaires(*given, attributes=known_attributes, people=people, seed=seed):
        one, same = varying(found)
        if same:
            note(f"{one.task.survey}: to {few(same)} everybody gave one answer; it is not planned")
        if len(one.task.questions) < 2:
            note(f"{one.task.survey}: {_none(one)}, so that there is no plan: it takes two")
        with one_thread():
            rows = list(
                _rows(one, most, attributes, known_attributes, smallest, interviewed, seed)
                if len(one.task.questions) > 1
                else ()
            )
        parts.append(pa.Table.from_pylist(rows, schema=QUESTION_PLAN))
    return pa.concat_tables(parts) if parts else QUESTION_PLAN.empty_table()


def _none(one: Questionnaire) -> str:
    """Return what there is of a survey with fewer than two questions."""
    said = f"{len(one.task.questions)} closed question that people answered"
    made = [f"{name} of {source}" for source, names in one.recodes.items() for name in names]
    return f"there is {said}, beside recodes ({', '.join(made)})" if made else f"there is {said}"


def _rows(
    asked: Questionnaire,
    most: int,
    attributes: Sequence[str] | None,
    known: bool,
    smallest: int,
    many: int | None,
    seed: int,
) -> Iterator[dict[str, Any]]:
    task, reach = asked.task, asked.reach
    people = cells(task, attributes=known)
    n, count = people.codes.shape
    most = min(most, count - 1)
    sizes = [size for size in SIZES if size <= most]
    rng = np.random.default_rng(seed)
    fold = rng.permutation(n) % FOLDS
    interviewed = np.zeros(n, dtype=bool)
    interviewed[rng.permutation(n)[: _enough(count) if many is None else many]] = True
    # Whichever way questions are chosen, one behind a filter comes after that.
    lots = [forms.preceded(rng.permutation(count), reach.before) for _ in range(DRAWS)]
    whole = fit(people, seed=seed)
    order = _chosen(whole, people, reach, most, rng)
    found: dict[tuple[str, int], Sums] = {}
    for k in range(FOLDS):
        here = fold == k
        moments = fit(people.only(~here), seed=seed)
        part, members = people.only(here), interviewed[here]
        # Longer than is shown, for people who have no answer to some of them.
        own = _chosen(moments, people.only(~here), reach.only(~here), most + SPARE, rng)
        least_certain = forms.preceded(
            uncertain(moments, reach.only(~here).shares), reach.only(~here).before
        )
        # Where people were asked few of the questions, as in a split questionnaire, all are needed
        # for everybody to be asked as many.
        own += [q for q in least_certain if q not in set(own)]
        pool = Pool(moments, classes.fit(people.only(~here), seed=seed))
        judge = Judge(pool, part)
        for size in range(most + 1):
            _put(found, (CHOSEN, size), here, judge.sums(own, size))
        for size in sizes:
            _put(found, (ENTROPY, size), here, judge.sums(least_certain, size))
            drawn = [judge.sums(form, size) for form in lots]
            _put(found, (RANDOM, size), here, _stacked(drawn))
        if members.any():
            some = Judge(pool, part.only(members))
            # Where everybody can be asked everything there is nothing to weigh.
            limits = None if reach.open.all() else reach.only(here & interviewed)
            each = forms.adaptive(pool, some.people, min(most, LONGEST), limits)
            for size in range(1, each.shape[1] + 1):
                _put(found, (ADAPTIVE, size), here & interviewed, some.sums(each, size))
    groups, members = _groups(task, attributes, smallest)
    for (strategy, size), sums in found.items():
        shown = len(groups) if strategy in (CHOSEN, ADAPTIVE) else 1
        here = members[:shown] & interviewed if strategy == ADAPTIVE else members[:shown]
        against = found[CHOSEN, size] if strategy != CHOSEN else None
        rows = summaries(sums, against, task.weights, here)
        for (attribute, group), row in zip(groups[:shown], rows, strict=True):
            # A group without an answer to the rest has no loss.
            if (group is not None and row["n"] < smallest) or np.isnan(row["nll"]):
                continue
            last = order[size - 1] if strategy == CHOSEN and size else None
            name = None if last is None else task.questions[last]
            yield {
                "survey": task.survey,
                "strategy": strategy,
                "questions": size,
                "question_id": name,
                "recodes": None if name is None else asked.recodes.get(name, []),
                "asked_of": None if last is None else float(reach.shares[last]),
                "attribute": attribute,
                "group": group,
                **row,
            }


class Judge:
    """Predicts people's answers to what they are not asked, and says how well."""

    def __init__(self, pool: Pool, people: Cells) -> None:
        self.people = people
        self._pool, self._panel = pool, Panel(pool, people)
        self._before = self._said(np.zeros(people.codes.shape, dtype=bool))[0]

    def sums(self, order: Any, size: int) -> Sums:
        """Return each person's sums over the rest.

        Parameters
        ----------
        order : questions in their order, of everyone, (m), or of each, (n, m); -1 is none.
        size : how many of them are asked: the first that the person has an answer to.
        """
        n, count = self.people.codes.shape
        order = np.broadcast_to(np.asarray(order, dtype=np.int64), (n, np.shape(order)[-1]))
        has = np.take_along_axis(self.people.there, np.maximum(order, 0), axis=1)
        has &= order >= 0
        row, place = np.nonzero(has & (has.cumsum(axis=1) <= size))
        mask = np.zeros((n, count), dtype=bool)
        mask[row, order[row, place]] = True
        loss, right = self._said(mask)
        there = (self.people.there & ~mask).astype(np.float32)
        parts = (loss, self._before, right, there)
        return Sums(*(np.einsum("pq,pq->p", there, x).astype(np.float64) for x in parts))

    def _said(self, mask: Bools) -> tuple[Singles, Singles]:
        """Return log losses in nats, (n, Q), and 1 where the option given is the likeliest."""
        pool, given = self._pool, self.people.given
        options = pool.moments.options
        squares = pool.squares(*self._panel.known(mask))
        said = squares.ravel()[given]
        likelier = options.total((squares > options.each(said)).astype(np.float32))
        loss = np.log(options.total(np.sqrt(squares)) / np.sqrt(said))
        return loss, (likelier == 0).astype(np.float32)


def summaries(
    sums: Sums, against: Sums | None, weights: Floats, members: Bools
) -> list[dict[str, Any]]:
    """Return means over the answers of each group's people, and their intervals.

    An interval is that of a ratio of sums over people, by linearisation, with people as the units
    that were drawn.

    Parameters
    ----------
    sums, against : the sums, and those that they are compared with. weights : (n).
    members : (G, n), the people of each group.
    """
    step = max(AT_ONCE // len(weights), 1)
    return [
        row
        for begin in range(0, len(members), step)
        for row in _summaries(sums, against, weights, members[begin : begin + step])
    ]


def _summaries(
    sums: Sums, against: Sums | None, weights: Floats, members: Bools
) -> Iterator[dict[str, Any]]:
    count = members.sum(axis=1)
    loss, spread = _ratio(sums.loss, sums.count, weights, members)
    low, high = _interval(loss, spread, count)
    columns = {
        "nll": loss,
        "low": low,
        "high": high,
        "nll_before": _ratio(sums.before, sums.count, weights, members)[0],
        "accuracy": _ratio(sums.right, sums.count, weights, members)[0],
        "n": count,
    }
    if against is not None:
        other, theirs = _ratio(against.loss, against.count, weights, members)
        low, high = _interval(loss - other, spread - theirs, count)
        columns |= {"difference": loss - other, "difference_low": low, "difference_high": high}
    lists = [column.tolist() for column in columns.values()]
    for row in zip(*lists, strict=True):
        yield dict(zip(columns, row, strict=True))


def _ratio(top: Floats, count: Floats, weights: Floats, members: Bools) -> tuple[Floats, Floats]:
    """Return each group's weighted mean over answers, (G), and people's parts in its error, (G, n).

    Of several forms, (draws, n), they are the means over forms.
    """
    top, count = np.atleast_2d(top * weights), np.atleast_2d(count * weights)
    inside = members.astype(np.float64)
    total = count @ inside.T
    # Of nobody's answers there is no mean.
    total[total <= 0] = np.nan
    mean = top @ inside.T / total
    parts = sum(
        (t - m[:, None] * c) / n[:, None]
        for t, c, m, n in zip(top, count, mean, total, strict=True)
    )
    return mean.mean(axis=0), parts * inside / len(mean)


def _interval(value: Floats, parts: Floats, count: Ints) -> tuple[Floats, Floats]:
    # As scipy.stats has it, which takes a second to import.
    from scipy.special import stdtrit

    degrees = count - 1.0
    degrees[degrees <= 0] = np.nan
    square = np.einsum("gp,gp->g", parts, parts)
    error = np.sqrt(square * count / degrees) * stdtrit(degrees, 0.975)
    return value - error, value + error


def _chosen(
    moments: Moments, people: Cells, reach: Reach, most: int, rng: np.random.Generator
) -> list[int]:
    n, count = people.codes.shape
    some = np.sort(rng.permutation(n)[: _enough(count)])
    return forms.choose(
        moments, people.only(some), most, together=reach.together, before=reach.before
    )


def _enough(questions: int) -> int:
    return min(max(CELLS // questions, LEAST_PEOPLE), MOST_PEOPLE)


def uncertain(moments: Moments, asked_of: Floats | None = None) -> Ints:
    """Return questions by the entropy of their answers, the least certain first.

    Parameters
    ----------
    asked_of : (Q), the share of people who can be asked each, by which it counts; 1 by default.
    """
    shares = moments.shares(moments.mean[: moments.width].astype(np.float32))
    known = moments.options.total(shares * np.log(shares))
    return np.argsort(known if asked_of is None else known * asked_of, kind="stable")


def _put(found: dict[tuple[str, int], Sums], key: tuple[str, int], here: Bools, part: Sums) -> None:
    """Set the people of a fold in the sums of a strategy."""
    if key not in found:
        shape = (*part.loss.shape[:-1], len(here))
        found[key] = Sums(*(np.zeros(shape) for _ in range(4)))
    for name in ("loss", "before", "right", "count"):
        getattr(found[key], name)[..., here] = getattr(part, name)


def _stacked(parts: Sequence[Sums]) -> Sums:
    return Sums(*(np.array([getattr(p, k) for p in parts]) for k in Sums.__dataclass_fields__))


def _groups(
    task: Task, attributes: Sequence[str] | None, smallest: int
) -> tuple[list[tuple[str | None, str | None]], Bools]:
    """Return attributes and values of groups that are large enough, and their members, (G, n).

    The first is everybody.
    """
    names: list[tuple[str | None, str | None]] = [(None, None)]
    rows = [np.ones(len(task.respondents), dtype=bool)]
    for column, name in enumerate(task.trait_names):
        if attributes is not None and name not in attributes:
            continue
        for code, value in enumerate(task.trait_values[column]):
            members = task.traits[:, column] == code
            if members.sum() >= smallest:
                names.append((name, value))
                rows.append(members)
    return names, np.array(rows)
