"""Whether prediction sets hold the answer as often as they say, and how large they are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lupom.science.evaluation.bootstrap import Ints
from lupom.science.evaluation.groups import MISSING, SMALLEST, Traits, attributes_of
from lupom.science.inputs import arrow, require

SET_METRICS = pa.schema(
    [
        ("survey", pa.string()),
        ("scenario", pa.string()),
        ("predictor", pa.string()),
        ("llm", pa.string()),
        ("question_id", pa.string()),
        ("attribute", pa.string()),
        ("group", pa.string()),
        ("level", pa.float64()),
        ("coverage", pa.float64()),
        ("low", pa.float64()),
        ("high", pa.float64()),
        ("mean_size", pa.float64()),
        ("share_single", pa.float64()),
        ("n", pa.int64()),
    ]
)
_PAIR = ("survey", "respondent_id", "question_id")


def set_metrics(
    sets: Any,
    holdout: Any,
    respondents: Any = None,
    *,
    attributes: Sequence[str] | None = None,
    level: float = 0.95,
    smallest: int = SMALLEST,
) -> pa.Table:
    """Return how often prediction sets hold the answer: over all, by question and by group.

    Parameters
    ----------
    sets : a table as `conformal.prediction_sets` returns it.
    holdout : survey, respondent_id, question_id, role, answer; role 'test' counts.
    respondents : survey, respondent_id, attributes, for the groups; None for none.
    level : of the interval of the coverage. smallest : groups with fewer pairs are left out.

    Returns
    -------
    Rows by predictor; question_id or attribute and group are null where it is over all of them.
    coverage has Wilson's interval (pairs of one person are taken as independent); mean_size is the
    number of options in a set, share_single the share of sets of one option.

    Raises ValueError for a missing column.
    """
    sets, holdout = arrow(sets), arrow(holdout)
    require(sets, (*_PAIR, "predictor", "llm", "scenario", "options", "size", "level"), "sets")
    require(holdout, (*_PAIR, "role", "answer"), "holdout")
    test = holdout.filter(pc.equal(holdout["role"], "test")).select([*_PAIR, "answer"])
    keys = zip(*(test[name].to_pylist() for name in _PAIR), strict=True)
    truth = dict(zip(keys, test["answer"].to_pylist(), strict=True))
    people = {} if respondents is None else attributes_of(respondents, attributes)
    frame = [
        (row["survey"], row["scenario"], row["predictor"], row["llm"], row["level"])
        for row in sets.select(["survey", "scenario", "predictor", "llm", "level"]).to_pylist()
    ]
    pairs = list(zip(*(sets[name].to_pylist() for name in _PAIR), strict=True))
    held = np.array(
        [truth.get(p) in o for p, o in zip(pairs, sets["options"].to_pylist(), strict=True)],
        dtype=bool,
    )
    known = np.array([p in truth for p in pairs], dtype=bool)
    place: dict[tuple[str, str], int] = {}
    sizes = np.asarray(sets["size"], dtype=np.float64)
    asked = np.array([question for _, _, question in pairs], dtype=object)
    traits = {}
    for survey in sorted({survey for survey, *_ in frame}):
        everyone = sorted({person for of, person, _ in pairs if of == survey})
        traits[survey] = Traits(people.get(survey, {}), everyone)
        place.update(((survey, person), i) for i, person in enumerate(everyone))
    who = np.array([place[pair[:2]] for pair in pairs], dtype=np.int64)
    members: dict[Any, list[int]] = {}
    for i in np.flatnonzero(known).tolist():
        members.setdefault(frame[i], []).append(i)
    rows: list[dict[str, Any]] = []
    for key in sorted(members, key=str):
        here = np.array(members[key], dtype=np.int64)
        parts = _parts(here, asked[here], who[here], traits[key[0]], attributes, smallest)
        for words, chosen in parts:
            n = len(chosen)
            if not n:
                continue
            low, high = _wilson(float(held[chosen].mean()), n, level)
            rows.append(
                {
                    **dict(
                        zip(("survey", "scenario", "predictor", "llm", "level"), key, strict=True)
                    ),
                    **words,
                    "coverage": float(held[chosen].mean()),
                    "low": low,
                    "high": high,
                    "mean_size": float(sizes[chosen].mean()),
                    "share_single": float((sizes[chosen] == 1).mean()),
                    "n": n,
                }
            )
    return pa.Table.from_pylist(rows, schema=SET_METRICS)


def _parts(
    here: Ints,
    asked: Any,
    who: Ints,
    traits: Traits,
    attributes: Sequence[str] | None,
    smallest: int,
) -> Iterator[tuple[dict[str, str], Ints]]:
    """Yield all pairs, those of each question, and those of each group that is large enough.

    Parameters
    ----------
    asked, who : the question of each pair, and the place of its person among those of the traits.
    """
    yield {}, here
    questions, of = np.unique(asked.astype(str), return_inverse=True)
    for i, question in enumerate(questions):
        yield {"question_id": str(question)}, here[of == i]
    for attribute in traits.names if attributes is None else attributes:
        values, codes = traits.codes(attribute)
        mine = codes[who]
        for i, count in enumerate(np.bincount(mine, minlength=len(values))):
            if values[i] not in ("", MISSING) and count >= smallest:
                yield {"attribute": attribute, "group": values[i]}, here[mine == i]


def _wilson(share: float, n: int, level: float) -> tuple[float, float]:
    from statistics import NormalDist

    z = NormalDist().inv_cdf(0.5 + level / 2.0)
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * (share * (1 - share) / n + z**2 / (4 * n**2)) ** 0.5
    return max(centre - half, 0.0), min(centre + half, 1.0)
