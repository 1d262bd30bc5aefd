"""One person at a time: what to ask next, and what the answers so far say of all others."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from lupom.science.blas import one_thread
from lupom.science.planning import classes, forms, screening
from lupom.science.planning.classes import Pool
from lupom.science.planning.moments import cells, fit
from lupom.science.planning.options import Singles
from lupom.science.planning.questionnaire import answered, drawn, of_people
from lupom.science.planning.reach import reach
from lupom.science.planning.recodes import recodes
from lupom.science.predictors.task import HIDDEN, Bools, Floats, Task

# Of more people so many are drawn to learn from: with 20,000 of 100,000 what is said after five
# questions has a log loss that is .0001 worse (standard error .0002; `benchmarks/bounds.py`).
MOST_PEOPLE = 20_000


class Interviewer:
    """What a survey's answers say of a new person.

    Parameters
    ----------
    asked : (R, Q), who was asked each question of the survey, whatever they answered; those with an
        answer when left out.

    Attributes
    ----------
    task : the survey, with the questions that anybody answered.
    """

    def __init__(self, task: Task, asked: Bools | None = None, *, seed: int = 0) -> None:
        some = drawn(len(task.respondents), MOST_PEOPLE, seed)
        task = of_people(task, some)
        self.task = answered(task)
        if asked is not None:
            asked = asked[np.ix_(some, (task.answers != HIDDEN).any(axis=0))]
        people = cells(self.task)
        sources = recodes(self.task, attributes=True)
        self._recodes = np.array([source is not None for source in sources], dtype=bool)
        with one_thread():
            self._pool = Pool(fit(people, seed=seed), classes.fit(people, seed=seed))
            self._reach = reach(self.task, asked)
            self._screening = screening.of(self._reach)
            self._before = forms.behind(self._reach.before, len(self.task.questions))

    def predict(
        self, attributes: Mapping[int, int], answers: Mapping[int, int]
    ) -> dict[int, Floats]:
        """Return probabilities of each question's options, by the question's place.

        Parameters
        ----------
        attributes : the number of a value by the number of an attribute, as of the task's
            `trait_values` (-1: blank); what is not among them is not known.
        answers : the option given by the question's place.
        """
        left, implied = self._implied(attributes, answers)
        means, kinds, _ = self._known(attributes, implied)
        shares = self._pool.shares(means, kinds)[0] * left
        out = {}
        for question, options in enumerate(self.task.options):
            part = shares[self._pool.moments.columns(question)].astype(np.float64)
            if question in answers:
                part = np.eye(len(options))[answers[question]]
            out[question] = np.asarray(part / part.sum())
        return out

    def asked(
        self, attributes: Mapping[int, int], answers: Mapping[int, int]
    ) -> dict[int, tuple[float, list[str]]]:
        """Return the probability that the person is asked each question, by its place, and what is
        known of them that rules it out ('work: No'; nothing where it is above 0).

        Parameters are as of `predict`. Blank is no value of an attribute.
        """
        codes = np.full((1, len(self.task.questions)), HIDDEN, dtype=np.int64)
        codes[0, list(answers)] = list(answers.values())
        traits = np.full((1, len(self.task.trait_names)), HIDDEN, dtype=np.int64)
        traits[0, list(attributes)] = list(attributes.values())
        found, every = self._screening, range(len(self.task.questions))
        values = found.values(codes, traits)
        likely = self.predict(attributes, answers)
        said = {q: likely[q][None] for q in found.needed(every)}
        shares = {t: self._shares(t) for t in found.unknown(every, values)}
        (chances,) = found.chances(values, said, shares)
        return {q: (float(chances[q]), found.reasons(values[0], q)) for q in every}

    def _shares(self, trait: int) -> Floats:
        """Return the share of people who have each of an attribute's values, by weight."""
        codes, count = self.task.traits[:, trait], len(self.task.trait_values[trait])
        there = codes >= 0
        found = np.bincount(codes[there], self.task.weights[there], count)
        return np.asarray(found / max(float(found.sum()), 1e-300))

    def gains(
        self, attributes: Mapping[int, int], answers: Mapping[int, int]
    ) -> list[tuple[int, float]]:
        """Return questions and the entropy, in nats, that asking each is expected to take from all
        questions not asked, the best first.

        A question that the person cannot be asked, by what is known (`reach.Reach`), is none of
        them, nor is one whose filter is not answered yet; what is saved of such a one counts by its
        chance to be asked. Neither are recodes, which are not asked. Parameters are as of
        `predict`.
        """
        _, answers = self._implied(attributes, answers)
        means, kinds, covariance = self._known(attributes, answers)
        odds = self._odds(attributes, answers)
        rest = ~self._recodes & (odds.each[0] > 0)
        rest[list(answers)] = False
        each = self._pool.entropies(means, kinds)[0] * odds.each[0]
        now = float(each[rest].sum())
        same = np.zeros(1, dtype=np.int64)
        open_ = np.ones(len(self.task.questions), dtype=np.float32)
        open_[list(answers)] = 0
        can = open_ @ self._before == 0
        (expected,) = forms.expected_entropy(
            self._pool, means, kinds, same, covariance[None], rest[None], odds, can[None]
        )
        order = [int(q) for q in np.argsort(expected, kind="stable") if np.isfinite(expected[q])]
        return [(q, now - float(expected[q])) for q in order]

    def _implied(
        self, attributes: Mapping[int, int], answers: Mapping[int, int]
    ) -> tuple[Singles, dict[int, int]]:
        """Return what answers leave of each option, and answers with those that they imply."""
        answered = np.zeros((1, len(self.task.questions)), dtype=bool)
        answered[0, list(answers)] = True
        left, one = self._reach.left(answered, self._columns(attributes, answers)[0])
        (whole,), columns = left, self._pool.moments.columns
        alone = {int(q): int(whole[columns(int(q))].argmax()) for q in np.flatnonzero(one[0])}
        return np.asarray(whole), {**alone, **answers}

    def _odds(self, attributes: Mapping[int, int], answers: Mapping[int, int]) -> forms.Odds:
        """Return what chance there is that the person can be asked each question."""
        found = self._reach
        return forms.Odds(found.odds(*self._columns(attributes, answers)), found.given)

    def _columns(
        self, attributes: Mapping[int, int], answers: Mapping[int, int]
    ) -> tuple[Singles, Bools]:
        """Return what is known of the person as `Reach` has it: columns, and which of them are."""
        found, count = self._reach, len(self.task.questions)
        known = np.zeros((1, int(found.owner.max(initial=-1)) + 1), dtype=bool)
        values = np.zeros((1, len(found.owner)), dtype=np.float32)
        given = {**answers, **{count + trait: value for trait, value in attributes.items()}}
        for of, option in given.items():
            if option >= 0:
                known[0, of] = True
                values[0, np.flatnonzero(found.owner == of)[option]] = 1
        return values, known

    def _known(
        self, attributes: Mapping[int, int], answers: Mapping[int, int]
    ) -> tuple[Singles, Singles, Singles]:
        moments = self._pool.moments
        told: Bools = np.zeros(len(moments.mean), dtype=bool)
        values = np.zeros((1, len(moments.mean)))
        for question, option in answers.items():
            told[moments.columns(question)] = True
            values[0, moments.columns(question).start + option] = 1.0
        for place, (attribute, value) in enumerate(self.task.common):
            if attribute in attributes:
                told[moments.width + place] = True
                values[0, moments.width + place] = float(attributes[attribute] == value)
        slope, covariance = moments.given(told)
        centred = values[:, told] - moments.mean[told]
        means = moments.mean[: moments.width] + centred @ slope
        classes = self._pool.classes
        likelihood = classes.start + values[:, told].astype(np.float32) @ classes.logs[told]
        kinds = classes.posterior(likelihood)
        return means.astype(np.float32), kinds, covariance.astype(np.float32)
