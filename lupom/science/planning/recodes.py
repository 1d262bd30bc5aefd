"""Questions that are made of another one's answers: recodes, which nobody asks."""

from __future__ import annotations

import numpy as np

from lupom.science import recoding
from lupom.science.predictors.task import Task


def recodes(task: Task, *, attributes: bool = False) -> list[str | None]:
    """Return what each question is a recode of, the name of a question or attribute, or None, (Q).

    As `recoding.sources` says.

    Parameters
    ----------
    attributes : whether attributes are sources too, as where they are known before any question.
    """
    codes, sizes, names = task.answers, np.diff(task.offsets), list(task.questions)
    if attributes:
        codes = np.hstack([codes, task.traits])
        wide = np.array([len(told) for told in task.trait_values], dtype=np.int64)
        sizes = np.concatenate([sizes, wide])
        names += task.trait_names
    asked = np.arange(len(names)) < len(task.questions)
    found = recoding.sources(codes, sizes, asked, names)[: len(task.questions)]
    return [None if source is None else names[source] for source in found]
