"""Whether a classifier can tell predicted answers from those that people gave."""

from __future__ import annotations

import zlib

import numpy as np

from lupom.science.estimates import crossfit
from lupom.science.evaluation.bootstrap import Draws, Floats, Ints
from lupom.science.evaluation.groups import MISSING, Traits
from lupom.science.evaluation.sample import Judged, Sample

FOLDS = 5
# A value of an attribute that fewer pairs have is left out: it cannot be learned from.
RAREST_VALUE = 20


def told_apart(
    sample: Sample,
    judged: Judged,
    traits: Traits,
    draws: Draws,
    seed: int = 0,
) -> tuple[Floats, int] | None:
    """Return the area under the curve of telling answers from predictions, in each draw.

    Each pair is shown twice, once with the answer given and once with the one predicted, among what
    is known of the person; a linear classifier learns on other respondents which is which
    (classifier two-sample test: Lopez-Paz and Oquab 2017). At .5 predictions are like answers: the
    same shares, hanging together with the same attributes. Those that are right for nobody can
    be; accuracy says how right they are.

    Parameters
    ----------
    traits : the attributes of the sample's people.
    draws : of the bootstrap over the sample's people.

    Returns
    -------
    (1 + resamples), the first of the sample itself, and the number of pairs; None where fewer than
    50 predictions are valid.
    """
    kept = np.flatnonzero(judged.valid & ~np.isnan(judged.numbers["truth_code"]))
    if len(kept) < 50:
        return None
    person, question = judged.person[kept], judged.question[kept]
    codes = np.concatenate(
        [judged.numbers["truth_code"][kept], judged.numbers["answer_code"][kept]]
    ).astype(np.int64)
    twice = np.concatenate([question, question])
    label = np.repeat([0.0, 1.0], len(kept))
    features = _features(sample, person, twice, codes, traits)
    folds = [zlib.crc32(f"{seed}|{r}".encode()) % FOLDS for r in sample.people]
    fold = np.array(folds, dtype=np.int64)[np.concatenate([person, person])]
    everyone = np.ones(len(label), dtype=bool)
    score = crossfit.crossed(features, label[:, None], everyone, fold)[:, 0]
    # An answer and a prediction that are the same tie, whatever the order in which sums are taken.
    score = np.round(score, 10)
    if np.isnan(score).any():
        return None
    return _areas(score, label, np.concatenate([person, person]), draws), len(kept)


def _features(
    sample: Sample,
    person: Ints,
    question: Ints,
    codes: Ints,
    traits: Traits,
) -> Floats:
    """Return which option of which question, and its place for each value of each attribute."""
    cells, cell = np.unique(np.stack([question, codes]), axis=1, return_inverse=True)
    columns = [np.eye(cells.shape[1])[cell.reshape(-1)]]
    highest = np.zeros(len(sample.questions))
    np.maximum.at(highest, question, codes)
    place = (codes - 1.0) / np.maximum(highest[question] - 1.0, 1.0) - 0.5
    for attribute in traits.names:
        values, told = traits.codes(attribute)
        of_pair = told[person]
        for i, count in enumerate(np.bincount(of_pair, minlength=len(values))):
            if values[i] not in ("", MISSING) and count >= RAREST_VALUE:
                mine = np.tile(of_pair == i, 2)
                columns.append((mine * place)[:, None])
    return np.hstack(columns)


def _areas(score: Floats, label: Floats, person: Ints, draws: Draws) -> Floats:
    """Return the weighted Mann-Whitney statistic in each draw, ties counting for a half."""
    tie = np.unique(score, return_inverse=True)[1]
    count = int(tie.max()) + 1
    answered, predicted = (draws.of_cells(tie, person, of, count) for of in (1.0 - label, label))
    below = np.cumsum(answered, axis=0) - answered
    won = (predicted * (below + 0.5 * answered)).sum(axis=0)
    all_ = predicted.sum(axis=0) * answered.sum(axis=0)
    return np.asarray(np.divide(won, all_, out=np.full(len(won), np.nan), where=all_ > 0))
