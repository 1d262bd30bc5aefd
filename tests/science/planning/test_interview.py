"""An interview of one person: who can be asked what is told by who was asked, not who answered."""

from __future__ import annotations

import numpy as np

from lupom.science.planning.interview import Interviewer
from lupom.science.predictors.task import everyone
from tests.support.planned_surveys import noisy, tables, three_themes


def test_who_refused_was_asked():
    answers = three_themes()
    shy = answers["a0"] == 1
    secret = noisy(np.random.default_rng(9), answers["b0"], 0.2)
    secret[shy] = -1
    (task,) = everyone(*tables({**answers, "secret": secret, "nobody": np.full(900, -1)}))
    place = {name: i for i, name in enumerate(task.questions)}
    asked = task.answers >= 0
    by_answers = Interviewer(task)
    names = by_answers.task.questions
    given = {names.index("a0"): 1}
    assert names.index("secret") not in dict(by_answers.gains({}, given)), "as if it were a filter"
    asked[:, place["secret"]] = True
    told = Interviewer(task, asked)
    assert dict(told.gains({}, given))[names.index("secret")] > 0
