"""The forest as arrays, beside scikit-learn's."""

from __future__ import annotations

import zlib

import numpy as np
from sklearn.ensemble import ExtraTreesClassifier

from lupom.science.predictors import forest
from lupom.science.predictors.task import Task, tasks
from tests.science import synthetic


def task_of(items: int = 6) -> Task:
    s = synthetic.survey(people=240, held=120, items=items)
    return tasks(s.known, s.pairs, s.respondents, s.questions)[0]


def test_its_votes_are_those_of_scikit_learns_trees() -> None:
    task = task_of()
    found = forest.forest_answers(task, 7)
    for question, pairs in task.by_question():
        learners = task.learners(question)
        given = task.answers[learners, question]
        others = np.ones(task.features.shape[1], dtype=bool)
        others[task.offsets[question] : task.offsets[question + 1]] = False
        seed = np.random.SeedSequence([7, zlib.crc32(task.questions[question].encode())])
        peer = ExtraTreesClassifier(
            n_estimators=forest.TREES,
            min_samples_leaf=forest.LEAF,
            bootstrap=True,
            random_state=int(seed.generate_state(1)[0]),
        ).fit(task.features[np.ix_(learners, others)], given)
        p = peer.predict_proba(task.features[task.rows[pairs]][:, others])
        prior = task.prior(question)
        expected = (p * len(learners) + prior) / (len(learners) + 1.0)
        np.testing.assert_allclose(found[pairs, : len(prior)], expected, atol=5e-4)


def test_it_sees_the_questions_that_tell_most(monkeypatch) -> None:
    monkeypatch.setattr(forest, "TOLD_BY", 2)
    task = task_of(items=7)
    state = forest.forest_answers.fit(task, 0)
    of_feature = np.searchsorted(task.offsets, np.arange(task.features.shape[1]), side="right") - 1
    nodes = state["nodes"].reshape(-1, forest.TREES).sum(axis=1)
    for question, part in enumerate(np.split(state["feature"], np.cumsum(nodes)[:-1])):
        seen = set(of_feature[part[part >= 0]]) - {len(task.questions)}
        assert len(seen) <= 2
        assert question not in seen
