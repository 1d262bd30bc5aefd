"""What predictors learned, kept: fitted once, saved as bytes, applied to other people."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from lupom.science.blas import one_thread
from lupom.science.predictors import screened, unseen
from lupom.science.predictors.learners import logistic_demographics
from lupom.science.predictors.predictor import Predictor, State, checked
from lupom.science.predictors.task import HIDDEN, Floats, Task, one_hot

# The predictor that stands in where no answer of a respondent is known.
STAND_IN = "logistic_demographics"
# Entries that `fit` adds to what a predictor's own fit returns begin so.
OURS = "task."
# The entry of the archive that holds what is no array.
_JSON = "json"


def fit(
    predictor: Predictor, task: Task, seed: int = 0, before: State | None = None
) -> dict[str, Any]:
    """Return what a predictor learns of a task, and what its numbers stand for: a state.

    The latter are questions, options, attributes, and the shares that questions which nobody
    answered are predicted by. A state is flat: arrays, and what JSON can say, by name. A predictor
    that reuses states takes from an earlier one of its own, `before`, what would come out the same.

    Raises
    ------
    ValueError : for a predictor without fit, and entries that are neither.
    """
    if predictor.fit is None:
        raise ValueError(f"the predictor {predictor.title!r} has no fit of its own to keep")
    with one_thread():
        earlier = {"before": before} if predictor.reuses and before is not None else {}
        own = dict(predictor.fit(task, seed, **earlier))
        ours = {**_frame(task), **unseen.fit(task)}
    return {**own, **{OURS + name: value for name, value in ours.items()}}


def _frame(task: Task) -> dict[str, list[Any]]:
    """Return what a task's numbers stand for."""
    return {
        "questions": list(task.questions),
        "options": [list(o) for o in task.options],
        "traits": list(task.trait_names),
        "values": [list(v) for v in task.trait_values],
        "columns": [list(c) for c in task.common],
    }


def apply(
    predictor: Predictor,
    state: State,
    task: Task,
    stand_in: State | None = None,
    substitute: Predictor = logistic_demographics,
) -> Floats:
    """Return a predictor's probabilities for a task's pairs by what it learned, (P, width).

    Parameters
    ----------
    state : as `fit` returned it, of a task with these questions and options; others may be among
        them. The task's respondents may be others, and so may the values of their attributes: one
        that was not there is taken as none.
    stand_in : the state of logistic_demographics, which predicts those of whom no answer is known.
        Without it they are an error for a predictor that looks at answers.
    substitute : logistic_demographics as it is used, pulled to the shares where people are few.

    New questions, which nobody had answered, are predicted by `unseen.shares_alike`.

    Raises
    ------
    ValueError : for a question that the state does not know or whose options are others, for a
        state that another version of the predictor made, and for what are no probabilities of the
        pairs' options.
    """
    if predictor.apply is None:
        raise ValueError(f"the predictor {predictor.title!r} has no fit of its own to apply")
    same = recoded(task, state)
    out = np.zeros((len(same.rows), same.width))
    seen = np.asarray(state[OURS + "answered"])[same.columns]
    blank = screened.untold(same, screened.kept_in(state)) & seen & predictor.answers
    with one_thread():
        for of, title, learned, chosen in (
            (predictor.apply, predictor.title, state, seen & ~blank),
            (substitute.apply, STAND_IN, stand_in, blank),
        ):
            if of is None or not chosen.any():
                continue
            if learned is None:
                person = same.respondents[int(same.rows[np.flatnonzero(chosen)[0]])]
                raise ValueError(
                    f"no answer of respondent {person} is known, so that {STAND_IN} stands in; "
                    f"give its state too"
                )
            part = same.only(chosen)
            out[chosen] = checked(_of(of, learned, part, title), part, title)
        if not seen.all():
            shares = {name: state[OURS + name] for name in ("answered", "shares", "weighted")}
            out[~seen] = unseen.apply(shares, same.only(~seen), own=predictor.answers)
    return out[:, : task.width]


def _of(apply: Callable[[State, Task], Floats], state: State, task: Task, title: str) -> Floats:
    """Apply a state; what it lacks, the version that made it did not keep."""
    try:
        return apply(state, task)
    except KeyError as error:
        lacks = error.args[0] if error.args else None
        if not isinstance(lacks, str) or lacks in state:
            raise
        raise ValueError(
            f"what '{title}' learned is of another version of it, which kept no {lacks!r}"
        ) from error


def predict(
    predictors: Mapping[str, Predictor], states: Mapping[str, State], task: Task
) -> dict[str, Floats]:
    """Return what each predictor of `states` says of a task's pairs, as `apply` does, by name."""
    stand_in = states.get(STAND_IN), predictors.get(STAND_IN, logistic_demographics)
    return {name: apply(predictors[name], state, task, *stand_in) for name, state in states.items()}


def applied(predictor: Predictor, state: State) -> Predictor:
    """Return a predictor that learns nothing: its function applies a state."""
    apply = predictor.apply
    if apply is None:
        raise ValueError(f"the predictor {predictor.title!r} has no fit of its own to apply")

    def function(task: Task, seed: int = 0) -> Floats:
        return apply(state, recoded(task, state))[:, : task.width]

    return replace(predictor, function=function)


def recoded(task: Task, state: State) -> Task:
    """Return a task in the numbers of a state: its questions, traits and columns of attributes.

    Raises ValueError for a question that is not among them or whose options are others.
    """
    frame = {
        name: state[OURS + name] for name in ("questions", "options", "traits", "values", "columns")
    }
    if frame == _frame(task):
        return task
    place = {question: i for i, question in enumerate(frame["questions"])}
    options = tuple(tuple(o) for o in frame["options"])
    for question, labels in zip(task.questions, task.options, strict=True):
        if question not in place:
            raise ValueError(f"{task.survey}: nothing was learned of the question {question}")
        if options[place[question]] != labels:
            raise ValueError(
                f"{task.survey}: the options of {question} were {list(options[place[question]])} "
                f"and are now {list(labels)}"
            )
    at = np.array([place[q] for q in task.questions], dtype=np.int64)
    answers = np.full((len(task.respondents), len(place)), HIDDEN, dtype=np.int64)
    answers[:, at] = task.answers
    traits = np.full((len(task.respondents), len(frame["traits"])), HIDDEN, dtype=np.int64)
    strange = np.zeros_like(traits, dtype=bool)
    for column, (name, values) in enumerate(zip(frame["traits"], frame["values"], strict=True)):
        if name not in task.trait_names:
            continue
        own = task.trait_names.index(name)
        codes = {value: code for code, value in enumerate(values)}
        known = [codes.get(value, HIDDEN) for value in task.trait_values[own]]
        given = task.traits[:, own]
        traits[:, column] = np.array([*known, HIDDEN])[given]
        strange[:, column] = (given != HIDDEN) & (traits[:, column] == HIDDEN)
    # A value that is not known is not blank, which is a value of its own.
    common = tuple((trait, value) for trait, value in frame["columns"])
    attributes = one_hot(np.where(strange, HIDDEN - 1, traits), common)
    return replace(
        task,
        questions=tuple(frame["questions"]),
        options=options,
        answers=answers,
        columns=at[task.columns],
        attributes=attributes,
        traits=traits,
        trait_names=tuple(frame["traits"]),
        trait_values=tuple(tuple(v) for v in frame["values"]),
        common=common,
        # What hangs on what stands in the state.
        follow_ups=(),
    )


def to_bytes(state: State) -> bytes:
    """Return a state as an archive of arrays (NumPy's npz) in which nothing is pickled.

    The same state gives the same bytes. Raises ValueError for an entry that is neither an array of
    numbers or text nor what JSON can say.
    """
    arrays = {name: value for name, value in state.items() if isinstance(value, np.ndarray)}
    rest = {name: value for name, value in state.items() if name not in arrays}
    for name, array in arrays.items():
        if array.dtype.hasobject or name == _JSON:
            raise ValueError(f"the entry {name!r} of a state cannot be kept: {array.dtype}")
    try:
        text = json.dumps(rest, ensure_ascii=False, sort_keys=True)
    except TypeError as error:
        raise ValueError(f"an entry of a state is neither an array nor JSON: {error}") from error
    said = np.frombuffer(text.encode(), dtype=np.uint8)
    file = io.BytesIO()
    np.savez(file, allow_pickle=False, **{_JSON: said, **dict(sorted(arrays.items()))})
    return file.getvalue()


def from_bytes(data: bytes) -> dict[str, Any]:
    """Return the state that `to_bytes` made these bytes of, to the last bit."""
    with np.load(io.BytesIO(data), allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}
    said = json.loads(arrays.pop(_JSON).tobytes())
    return {**said, **arrays}
