"""What a predictor is: a function of a task and a seed, and what there is to say of it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial, wraps
from typing import Any

import numpy as np

from lupom.science.predictors.task import Floats, Task

GROUP = "lupom.predictors"

# What other tables call predictions that are made of these or otherwise, with a title of each.
MADE: Mapping[str, str] = {
    "median": "Median of the answers",
    "network_persona": "Bayesian network over persona dimensions",
    "stack_plain": "Combination of all predictors that need no LLM",
    "stack": "Combination of all predictors with the LLM",
    "routed": "Combination with the LLM where it is worth asking",
}


# What was learned: names to NumPy arrays of numbers or text, and to what JSON can say.
State = Mapping[str, Any]


@dataclass(frozen=True)
class Predictor:
    """A predictor that needs no LLM.

    Attributes
    ----------
    function : a Task and a seed to probabilities (P, width): a row for each of the task's pairs,
        the question's options in their order, each row with the sum 1 and 0 after them.
    title : one line that says what it is to someone who knows the method.
    answers : whether it looks at other answers of the respondent it predicts. Of someone of whom no
        answer is known such a predictor is not asked; `logistic_demographics` stands in.
    cost : what it takes, where that is worth a word ('minutes above 10,000 respondents').
    fit, apply : the function in two parts, where it has them, function(task, seed) being
        apply(fit(task, seed), task).

        fit : a Task and a seed to a `State`. It learns from the reference respondents, whatever the
            task's pairs are, so that whoever is predicted later changes nothing of it.
        apply : a State and a Task to probabilities as `function` returns them. The task may have
            other respondents than the one fitted to; its questions, options, traits and
            columns of attributes are the same (`states.apply` sees to that). Of each pair's
            respondent it looks at `answers`, `traits` and `attributes`, and at nobody else:
            what a task says of reference respondents (`prior`, `learners`) belongs into fit.

        `states` keeps states as bytes. Without fit a predictor is fitted each time it is used.
    reuses : whether fit takes `before`, too, a state of a task that was another, and from it what
        would come out the same.
    """

    function: Callable[..., Floats]
    title: str
    answers: bool = True
    cost: str = ""
    fit: Callable[..., State] | None = None
    apply: Callable[[State, Task], Floats] | None = None
    reuses: bool = False

    def __post_init__(self) -> None:
        # So that help(majority) is the function's.
        object.__setattr__(self, "__doc__", inspect.getdoc(self.function))

    def __call__(self, task: Task, seed: int = 0, **options: Any) -> Floats:
        return self.function(task, seed, **options)

    def having(self, **options: Any) -> Predictor:
        """Return the predictor with some of its options set."""
        fit = None if self.fit is None else partial(self.fit, **options)
        return replace(self, function=partial(self.function, **options), fit=fit)


def predictor(
    title: str,
    *,
    answers: bool = True,
    cost: str = "",
    fit: Callable[..., State] | None = None,
    reuses: bool = False,
) -> Callable[[Callable[..., Floats]], Predictor]:
    """Make a function a `Predictor` where it is defined; parameters are its attributes.

    With `fit` the function is the predictor's `apply`.
    """

    def make(function: Callable[..., Floats]) -> Predictor:
        if fit is None:
            return Predictor(function, title, answers, cost)

        @wraps(function)
        def both(task: Task, seed: int = 0, **options: Any) -> Floats:
            return function(fit(task, seed, **options), task)

        return Predictor(both, title, answers, cost, fit, function, reuses)

    return make


def as_predictor(found: Any, name: str) -> Predictor:
    """Return what an entry point led to, or a caller gave, as a `Predictor`.

    Of a plain function the title is the first line of its docstring, and it is taken to look at
    answers. Raises ValueError for what cannot be called, and for a name that is taken.
    """
    if name in MADE:
        raise ValueError(f"no predictor can be called {name!r}: that is one made of others")
    if isinstance(found, Predictor):
        return found
    if not callable(found) or isinstance(found, type):
        raise ValueError(
            f"the predictor {name!r} is {found!r:.80}, and not a function of a task and a seed, "
            f"nor a lupom.science.predictors.predictor.Predictor"
        )
    title = (inspect.getdoc(found) or name).splitlines()[0]
    return Predictor(found, title)


def as_predictors(found: Mapping[str, Any]) -> dict[str, Predictor]:
    """Return several as `as_predictor` does, by name."""
    return {name: as_predictor(one, name) for name, one in found.items()}


def checked(probabilities: Any, task: Task, name: str) -> Floats:
    """Return what a predictor gave for a task's pairs.

    Raises ValueError, naming the predictor and the first pair, for what are no probabilities of
    these pairs' options.
    """
    wanted = (len(task.rows), task.width)
    given = np.asarray(probabilities)
    if given.shape != wanted or given.dtype.kind not in "fiu":
        raise ValueError(
            f"the predictor {name!r} returned {given.dtype} of shape {given.shape}, not numbers of "
            f"shape {wanted}: a row for each pair, a column for each option"
        )
    out = given.astype(np.float64)
    count = np.array([len(options) for options in task.options], dtype=np.int64)[task.columns]
    beyond = np.arange(task.width)[None, :] >= count[:, None]
    with np.errstate(invalid="ignore"):
        fine = (out >= 0).all(axis=1) & (np.abs(out.sum(axis=1) - 1.0) < 1e-6)
    fine &= ~((out != 0) & beyond).any(axis=1)
    if not fine.all():
        row = int(np.flatnonzero(~fine)[0])
        question = task.questions[int(task.columns[row])]
        raise ValueError(
            f"the predictor {name!r} gave {np.round(out[row], 4).tolist()} for respondent "
            f"{task.respondents[int(task.rows[row])]} and {question}, which has "
            f"{count[row]} options: probabilities are at least 0, have the sum 1, and are 0 after "
            f"the last option"
        )
    return out
