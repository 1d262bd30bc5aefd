"""Order effects: whether an LLM chooses an option for what it says or for its place in the list."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lupom.science.inputs import arrow, require

_GROUP = ("survey", "setting", "llm", "option_order")
_KEY = ("survey", "respondent_id", "question_id", "setting", "llm", "draw")

EFFECTS = pa.schema(
    [
        *((name, pa.string()) for name in _GROUP),
        ("position", pa.int64()),
        ("share", pa.float64()),
        ("low", pa.float64()),
        ("high", pa.float64()),
        ("expected", pa.float64()),
        ("excess", pa.float64()),
        ("excess_low", pa.float64()),
        ("excess_high", pa.float64()),
        ("n", pa.int64()),
    ]
)


def order_effects(requests: Any, answers: Any, *, seed: int = 1, resamples: int = 1000) -> pa.Table:
    """Return how often the option in each place was chosen, and how often it would be by chance.

    Where options are shuffled, what an option says has no part in its place: without an effect of
    order the option in a place is chosen as often as there are such options, 1 in 3 of questions
    with three. What goes beyond is the effect. In the order given the two cannot be told apart,
    and only the share is reported.

    Parameters
    ----------
    requests : survey, respondent_id, question_id, setting, llm, draw, option_order ('given' or
        'shuffled'), options (in the order asked).
    answers : survey, respondent_id, question_id, setting, llm, draw, answer.
    seed, resamples : of the bootstrap over respondents.

    Returns
    -------
    Table: survey, setting, llm, option_order, position (from 1), share (of the answers to questions
    with so many options), low, high (its 95 % interval), expected, excess (share - expected),
    excess_low, excess_high (null where the order is given), n (answers).
    """
    asked, given = arrow(requests), arrow(answers)
    require(asked, (*_KEY, "option_order", "options"), "requests")
    require(given, (*_KEY, "answer"), "answers")
    chosen = dict(zip(_keys(given, _KEY), given.column("answer").to_pylist(), strict=True))
    groups: dict[tuple[Any, ...], list[tuple[str, int, int]]] = {}
    people = asked.column("respondent_id").to_pylist()
    options = asked.column("options").to_pylist()
    for key, group, person, shown in zip(
        _keys(asked, _KEY), _keys(asked, _GROUP), people, options, strict=True
    ):
        answer = chosen.get(key)
        if answer is not None and answer in (shown or ()):
            found = groups.setdefault(group, [])
            found.append((person, shown.index(answer), len(shown)))
    rows = []
    for group in sorted(groups):
        rows += _effects(group, groups[group], seed, resamples)
    return pa.Table.from_pylist(rows, schema=EFFECTS)


def _keys(table: pa.Table, names: tuple[str, ...]) -> list[tuple[Any, ...]]:
    return list(zip(*(table.column(name).to_pylist() for name in names), strict=True))


def _effects(
    group: tuple[Any, ...], found: list[tuple[str, int, int]], seed: int, resamples: int
) -> list[dict[str, Any]]:
    persons, who = np.unique([person for person, *_ in found], return_inverse=True)
    place = np.array([at for _, at, _ in found])
    size = np.array([count for *_, count in found])
    width = int(size.max())
    shape = (len(persons), width)
    hits, there, chance = (np.zeros(shape) for _ in range(3))
    np.add.at(hits, (who, place), 1.0)
    for position in range(width):
        has = size > position
        np.add.at(there[:, position], who[has], 1.0)
        np.add.at(chance[:, position], who[has], 1.0 / size[has])
    # Bootstrap over respondents: how many times each is drawn.
    draws = np.random.default_rng(seed).multinomial(
        len(persons), np.full(len(persons), 1 / len(persons)), size=resamples
    )
    share, expected = _shares(hits, there), _shares(chance, there)
    shares, chances = _shares(hits, there, draws), _shares(chance, there, draws)
    low, high = np.nanquantile(shares, (0.025, 0.975), axis=0)
    excess_low, excess_high = np.nanquantile(shares - chances, (0.025, 0.975), axis=0)
    shuffled = group[_GROUP.index("option_order")] == "shuffled"
    out = []
    for position in range(width):
        row: dict[str, Any] = dict(zip(_GROUP, group, strict=True))
        row |= {
            "position": position + 1,
            "share": share[position],
            "low": low[position],
            "high": high[position],
            "n": int(there[:, position].sum()),
        }
        if shuffled:
            row |= {
                "expected": expected[position],
                "excess": share[position] - expected[position],
                "excess_low": excess_low[position],
                "excess_high": excess_high[position],
            }
        out.append(row)
    return out


def _shares(
    part: NDArray[np.float64], whole: NDArray[np.float64], draws: NDArray[Any] | None = None
) -> NDArray[np.float64]:
    """Return the share of each place, (width,) or for each draw (draws, width)."""
    weight = np.ones(len(part)) if draws is None else draws
    top, bottom = weight @ part, weight @ whole
    out = np.full(top.shape, np.nan)
    np.divide(top, bottom, out=out, where=bottom > 0)
    return out
