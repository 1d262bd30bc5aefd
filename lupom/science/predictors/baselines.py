"""All predictors that need no LLM, as one table of predictions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from lupom import entry_points
from lupom.science.blas import one_thread
from lupom.science.predictors import distributions
from lupom.science.predictors.distributions import PREDICTIONS as PREDICTIONS
from lupom.science.predictors.learners import logistic_demographics
from lupom.science.predictors.predictor import (
    GROUP,
    Predictor,
    State,
    as_predictors,
    checked,
)
from lupom.science.predictors.screened import screened, untold
from lupom.science.predictors.shrinkage import shrunk
from lupom.science.predictors.states import STAND_IN, applied
from lupom.science.predictors.task import Floats, Task, tasks
from lupom.science.predictors.unseen import shares_alike

DESCRIBED = pa.schema(
    [
        ("predictor", pa.string()),
        ("title", pa.string()),
        ("answers", pa.bool_()),
        ("cost", pa.string()),
        ("code", pa.string()),
    ]
)


def shipped() -> dict[str, Predictor]:
    """Return the predictors that LUPoM ships, by name."""
    offered = entry_points.chosen(GROUP, None, "predictors")
    return as_predictors({name: offer.load() for name, offer in offered.items()})


def prepared(predictors: Mapping[str, Any] | None = None) -> dict[str, Predictor]:
    """Return predictors, or those that ship, as they are used: shrunk where there are few people.

    Errors are as of `predictor.as_predictors`.
    """
    given = shipped() if predictors is None else as_predictors(predictors)
    return {name: shrunk(screened(one), name) for name, one in given.items()}


def described(predictors: Mapping[str, Any] | None = None) -> pa.Table:
    """Return what predictors are, a row each in their order.

    Columns predictor (its name), title, answers (whether it looks at answers of the respondent it
    predicts), cost (null where there is nothing to say), code (the module that has it). Parameter
    and errors are as of `predict`.
    """
    given = shipped() if predictors is None else as_predictors(predictors)
    rows = [
        {
            "predictor": name,
            "title": one.title,
            "answers": one.answers,
            "cost": one.cost or None,
            "code": getattr(one.function, "__module__", None),
        }
        for name, one in given.items()
    ]
    return pa.Table.from_pylist(rows, schema=DESCRIBED)


def predict(
    known: Any,
    pairs: Any,
    respondents: Any,
    questions: Any,
    *,
    seed: int = 0,
    group: Sequence[str] | Mapping[str, Sequence[str]] = (),
    predictors: Mapping[str, Any] | None = None,
    states: Mapping[str, Mapping[str, State]] | None = None,
    learners: Any = None,
) -> pa.Table:
    """Predict every pair by every predictor, from the known answers alone.

    A model is fitted for each question on the known answers of reference respondents and sees of
    the respondent it predicts their known answers and attributes. To a question that nobody
    answered predictors give the shares of questions with the same options (`unseen.shares_alike`).
    For a respondent of whom no answer is known, those that look at answers give what
    logistic_demographics gives. With fewer than 300 reference respondents predictions are pulled to
    the shares of all (`shrinkage`).

    Parameters
    ----------
    known, pairs, respondents, questions : tables as `task.tasks` takes them.
    seed : of what predictors draw, and of the folds by which they are shrunk.
    group : the attributes of majority_group, for all surveys or by survey; see there.
    predictors : by name a `Predictor`, or a function of a Task and a seed that returns
        probabilities (P, width); by default those that LUPoM ships.
    states : what predictors learned of these known answers, by survey and name; those without are
        fitted here.
    learners : as for `task.tasks`.

    Returns
    -------
    One row per pair and predictor, columns as `predictions` has them: answer is the likeliest
    option (the first of equals), probabilities holds all of the question's options; llm and
    call_id are null, missing_mass is 0, status is 'valid'; role and scenario are the pair's.

    Raises
    ------
    ValueError : as `task.tasks` does; among others when the answer to a pair is known; and for a
        predictor that gives no probabilities of the pairs' options.
    """
    parts = []
    given = prepared(predictors)
    for task in tasks(known, pairs, respondents, questions, learners=learners):
        chosen = grouped(given, group, task.survey)
        learned = (states or {}).get(task.survey)
        for name, probabilities in probabilities_of(task, chosen, seed, learned).items():
            parts.append(table(task, name, probabilities))
    return pa.concat_tables(parts).combine_chunks() if parts else PREDICTIONS.empty_table()


def grouped(
    predictors: Mapping[str, Predictor],
    group: Sequence[str] | Mapping[str, Sequence[str]],
    survey: str,
) -> dict[str, Predictor]:
    """Return predictors with the attributes by which majority_group groups a survey's people."""
    attributes = group.get(survey, ()) if isinstance(group, Mapping) else group
    out = dict(predictors)
    if attributes and "majority_group" in out:
        out["majority_group"] = out["majority_group"].having(attributes=tuple(attributes))
    return out


def probabilities_of(
    task: Task,
    predictors: Mapping[str, Predictor],
    seed: int = 0,
    states: Mapping[str, State] | None = None,
) -> dict[str, Floats]:
    """Return each predictor's probabilities (P, width), new questions and respondents included.

    A predictor that has one of `states` is not fitted but applied.
    """
    learned = states or {}
    known = {
        name: applied(one, learned[name]) if name in learned else one
        for name, one in {STAND_IN: logistic_demographics, **predictors}.items()
    }
    # Matrices this small are slower on several BLAS threads, the more so on a busy machine.
    with one_thread():
        chosen = {name: known[name] for name in predictors}
        return _probabilities_of(task, chosen, known[STAND_IN], seed)


def _probabilities_of(
    task: Task, predictors: Mapping[str, Predictor], stand_in: Predictor, seed: int
) -> dict[str, Floats]:
    seen = task.answered[task.columns]
    told = ~untold(task)
    strange = np.flatnonzero(seen & ~told)
    demographic = stand_in(task.only(strange), seed) if len(strange) else None
    out = {}
    for name, predictor in predictors.items():
        answers = predictor.answers
        probabilities = np.zeros((len(task.rows), task.width))
        usual = np.flatnonzero(seen & told if answers else seen)
        if len(usual):
            part = task.only(usual)
            probabilities[usual] = checked(predictor(part, seed), part, name)
        if answers and demographic is not None:
            probabilities[strange] = demographic
        if not seen.all():
            probabilities[~seen] = shares_alike(task.only(~seen), own=answers)
        out[name] = probabilities
    return out


def table(task: Task, name: str, probabilities: Floats) -> pa.Table:
    """Return a predictor's probabilities (P, width) as rows of predictions."""
    return distributions.table(
        task.survey,
        name,
        [task.respondents[row] for row in task.rows],
        [task.questions[column] for column in task.columns],
        [task.options[column] for column in task.columns],
        probabilities,
        roles=task.roles.tolist(),
        scenarios=task.scenarios.tolist(),
    )
