"""Predictors that look at nothing that hangs on a question while they predict it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from lupom.science.predictors.predictor import Predictor, State
from lupom.science.predictors.task import HIDDEN, Bools, Floats, Ints, Task

# What is added to a state: the layers, and what was learned for each, after its number.
_FILTERS, _KEPT, _LAYER = "screened.filters", "screened.kept", "screened.{}."


@dataclass(frozen=True)
class Layer:
    """Filters none of which hangs on another one of them.

    Attributes
    ----------
    filters : their numbers. kept : the questions that hang on none of them, in order.
    """

    filters: Ints
    kept: Ints


def layers(follow_ups: Sequence[Sequence[int]]) -> list[Layer]:
    """Return the filters of a survey, those first that hang on no other.

    Parameters
    ----------
    follow_ups : by question, those that hang on it, as `Task` has them.
    """
    left = [question for question, those in enumerate(follow_ups) if len(those)]
    out = []
    while left:
        hang = {one for question in left for one in follow_ups[question] if one != question}
        # Of two that hang on each other neither is predicted with sight of the other.
        free = [question for question in left if question not in hang] or left[:1]
        dropped = {one for question in free for one in follow_ups[question]} - set(free)
        kept = [question for question in range(len(follow_ups)) if question not in dropped]
        out.append(Layer(np.array(free, dtype=np.int64), np.array(kept, dtype=np.int64)))
        left = [question for question in left if question not in free]
    return out


def untold(task: Task, found: Sequence[Layer] | None = None) -> Bools:
    """Return of which pairs nothing is known of the person that may be looked at, (P).

    Parameters
    ----------
    found : the layers, by default those of the task.
    """
    blank = np.asarray(task.blank[task.rows])
    for layer in layers(task.follow_ups) if found is None else found:
        none = (task.answers[:, layer.kept] == HIDDEN).all(axis=1)
        blank |= np.isin(task.columns, layer.filters) & none[task.rows]
    return blank


def screened(predictor: Predictor) -> Predictor:
    """Return a predictor that predicts filters without what hangs on them.

    Whoever answered a follow-up has passed its filter, and whoever has a blank there mostly has
    not: what reads either reads the answer. So filters are predicted by what is learned of the
    other questions alone, and what hangs on them is missing there, of learners too.
    """
    if not predictor.answers:
        return predictor
    learn, apply = predictor.fit, predictor.apply

    def function(task: Task, seed: int = 0, **options: Any) -> Floats:
        given = predictor.having(**options) if options else predictor
        return _apart(task, layers(task.follow_ups), lambda part, layer: given.function(part, seed))

    if learn is None or apply is None:
        return replace(predictor, function=function)

    def fitted(task: Task, seed: int = 0, *, before: State | None = None, **options: Any) -> State:
        found = layers(task.follow_ups)

        def earlier(number: int | None) -> dict[str, State]:
            return {} if before is None else {"before": _part(before, number)}

        if not found:
            return learn(task, seed, **earlier(None), **options)
        filters = np.concatenate([layer.filters for layer in found])
        others = ~np.isin(np.arange(len(task.questions)), filters)
        state = dict(learn(replace(task, targets=others), seed, **earlier(None), **options))
        for number, layer in enumerate(found):
            part = learn(_without(task, layer), seed, **earlier(number), **options)
            state |= {_LAYER.format(number) + name: value for name, value in part.items()}
        state[_FILTERS] = [layer.filters.tolist() for layer in found]
        state[_KEPT] = [layer.kept.tolist() for layer in found]
        return state

    def applied(state: State, task: Task) -> Floats:
        def of(part: Task, number: int | None) -> Floats:
            return apply(_part(state, number), part)

        return _apart(task, kept_in(state), of)

    return replace(predictor, function=function, fit=fitted, apply=applied)


def _part(state: State, number: int | None) -> State:
    """Return what was learned for a layer, by its number; None is of what is no filter."""
    prefix = "" if number is None else _LAYER.format(number)
    return {name[len(prefix) :]: v for name, v in state.items() if name.startswith(prefix)}


def kept_in(state: Mapping[str, Any]) -> list[Layer]:
    """Return the layers of a state."""
    return [
        Layer(np.array(filters, dtype=np.int64), np.array(kept, dtype=np.int64))
        for filters, kept in zip(state.get(_FILTERS, ()), state.get(_KEPT, ()), strict=True)
    ]


def _apart(
    task: Task, found: Sequence[Layer], predict: Callable[[Task, int | None], Floats]
) -> Floats:
    """Return what `predict` says of a task's pairs (P, width), those of filters apart.

    It is given a task, and the number of its layer; None of what is no filter.
    """
    out = np.zeros((len(task.rows), task.width))
    rest = np.ones(len(task.rows), dtype=bool)
    for number, layer in enumerate(found):
        own = np.isin(task.columns, layer.filters)
        rest &= ~own
        if own.any():
            part = _without(task.only(own), layer)
            out[own, : part.width] = predict(part, number)
    if rest.all():
        return np.asarray(predict(task, None))
    if rest.any():
        out[rest] = predict(task.only(rest), None)
    return out


def _without(task: Task, layer: Layer) -> Task:
    """Return a task of filters, without what hangs on them."""
    place = np.full(len(task.questions), -1, dtype=np.int64)
    place[layer.kept] = np.arange(len(layer.kept))
    return replace(
        task,
        questions=tuple(task.questions[q] for q in layer.kept),
        options=tuple(task.options[q] for q in layer.kept),
        answers=task.answers[:, layer.kept],
        columns=place[task.columns],
        follow_ups=(),
        targets=np.isin(layer.kept, layer.filters),
    )
