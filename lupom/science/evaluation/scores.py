"""Each prediction of a test pair beside the answer that was given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from lupom.science.inputs import arrow, require
from lupom.science.tables import option_codes

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

# A probability below this counts as this in the log loss: a predictor that holds the answer given
# to be impossible loses 9.2 nats and not all. (A guess among three options loses 1.1.)
FLOOR = 1e-4

_PAIR = ("survey", "respondent_id", "question_id")
_PREDICTION = (
    *_PAIR,
    "predictor",
    "llm",
    "answer",
    "probabilities",
    "missing_mass",
    "status",
    "call_id",
)


@dataclass(frozen=True)
class Options:
    """The options of all questions: labels and positions by question, and where to find them."""

    keys: pa.Array
    labels: tuple[tuple[str, ...], ...]
    positions: Floats  # (questions, width), NaN where an option has none or there is no option
    middles: Floats  # (questions), halfway between the first and the last position
    kinds: pa.Array  # (questions)


def score(
    predictions: Any,
    holdout: Any,
    questions: Any,
    llm_pairs: Any = None,
    respondents: Any = None,
) -> pa.Table:
    """Score every prediction of a test pair.

    Parameters
    ----------
    predictions : survey, respondent_id, question_id, predictor, llm, answer, probabilities (a map
        from options, or null), missing_mass, status ('valid' or not), call_id.
    holdout : survey, respondent_id, question_id, role, answer, and scenario if there are several.
        Only role 'test' counts; predictions of other pairs are left out.
    questions : survey, question_id, options, ordinal, and kind. Questions of kind 'numeric' and
        'text' have no options.
    llm_pairs : survey, respondent_id, question_id of the pairs an LLM was asked, if any.
    respondents : survey, respondent_id, weight; without it all weigh 1.

    Returns
    -------
    The predictions' columns, and for each
        scenario : of the pair; 'known' where the holdout does not say.
        weight : the respondent's.
        kind : the question's; 'text' where it has no options and does not say.
        truth : the answer given.
        truth_code, answer_code : their places among the question's options, from 1; answer_code is
            null where the prediction is invalid, and both are for numbers and texts.
        correct : whether the answer is the truth; false where the prediction is invalid, which it
            is when its status is not 'valid' or its answer is none of the options. A number is
            right when it is equal, a text when its words are.
        collapsed_correct : the same where all options of a scale below its middle are one, and all
            above it.
        absolute_error : distance of the numbers; null but for questions of kind 'numeric'.
        confidence : the probability of the answer; null as nll.
        ordinal_error : distance of answer and truth in the question's ordinal positions; null where
            either has none or the prediction is invalid.
        nll : minus the natural log of the truth's probability, which counts as at least 1e-4; null
            without a distribution, and where the prediction is invalid.
        expected_rank_error : distance from the truth in the question's ordinal positions that is
            expected by the distribution, sum_k p_k |position_k - position_truth|; null as nll, and
            where an option has no position. Of an answer for sure it is ordinal_error.
        rps : ranked probability score, 0 to 1: mean over the steps of the scale of the squared
            difference between the probability of an answer up to there and whether the truth is
            (Epstein 1969; divided by the number of steps: Murphy 1971); null as
            expected_rank_error.
        brier : sum over the question's options of the squared difference between probability and
            outcome, 0 to 2 (Brier 1950); null as nll.
        in_llm_sample : whether the pair is among `llm_pairs`.
    Probabilities are divided by their sum.

    Raises
    ------
    ValueError : for a missing column, a question without a row, a truth that is not an option, a
        probability that is negative or no number or on no option, and a prediction made twice.
    """
    table, truths, known = arrow(predictions), arrow(holdout), arrow(questions)
    require(table, _PREDICTION, "predictions")
    require(truths, (*_PAIR, "role", "answer"), "holdout")
    require(known, ("survey", "question_id", "options", "ordinal"), "questions")
    truths = truths.filter(pc.equal(truths["role"], "test"))
    if "scenario" not in truths.column_names:
        truths = truths.append_column("scenario", pa.repeat("known", len(truths)))
    place = pc.index_in(_key(table, _PAIR), value_set=_key(truths, _PAIR))
    table = table.select(_PREDICTION).filter(pc.is_valid(place))
    _check_once(table)
    options = options_of(known)
    truth = truths["answer"].combine_chunks().take(place.drop_null())
    question = question_of(table, options)
    truth_code = option_codes(truth, question, options.labels)
    free = np.array([not labels for labels in options.labels], dtype=bool)[question]
    if ((truth_code < 0) & ~free).any():
        row = int(np.flatnonzero((truth_code < 0) & ~free)[0])
        raise ValueError(
            f"the held-out answer {truth[row].as_py()!r} to {table['question_id'][row]} is none of "
            f"the question's options {list(options.labels[int(question[row])])}"
        )
    code = option_codes(table["answer"], question, options.labels)
    said = np.asarray(pc.fill_null(pc.equal(table["status"], "valid"), False))
    code[~said] = -1
    valid = code >= 0
    rows = np.arange(len(code))
    same, distance = _free(table, truth, free & said)
    step = np.abs(options.positions[question, code] - options.positions[question, truth_code])
    nll, brier = np.full(len(code), np.nan), np.full(len(code), np.nan)
    spread, has = distributions_of(table, question, options)
    has &= valid
    p = spread[rows, truth_code]
    nll[has] = -np.log(np.clip(p[has], FLOOR, 1.0))
    # sum (p_k - y_k)^2 = sum p_k^2 - 2 p_truth + 1
    brier[has] = (np.square(spread).sum(axis=1) - 2.0 * p + 1.0)[has]
    expected, ranked = _by_rank(spread, question, truth_code, options, has)
    side = np.sign(options.positions - options.middles[:, None])
    collapsed = side[question, code] == side[question, truth_code]
    collapsed |= code == truth_code
    asked = pa.nulls(0, pa.string()) if llm_pairs is None else _key(arrow(llm_pairs), _PAIR)
    columns = {
        "scenario": pc.fill_null(truths["scenario"].combine_chunks(), "known").take(
            place.drop_null()
        ),
        "weight": _weights(table, respondents),
        "kind": options.kinds.take(pa.array(question)),
        "truth": truth,
        "truth_code": pa.array(truth_code + 1, mask=free),
        "answer_code": pa.array(code + 1, mask=~valid),
        "correct": pa.array(np.where(free, same, valid & (code == truth_code))),
        "collapsed_correct": pa.array(np.where(free, same, valid & collapsed)),
        "absolute_error": _nullable(distance),
        "confidence": _nullable(np.where(has, spread[rows, code], np.nan)),
        "ordinal_error": _nullable(np.where(valid, step, np.nan)),
        "nll": _nullable(nll),
        "brier": _nullable(brier),
        "expected_rank_error": _nullable(expected),
        "rps": _nullable(ranked),
        "in_llm_sample": pc.is_in(_key(table, _PAIR), value_set=asked),
    }
    table = table.drop_columns([name for name in columns if name in table.column_names])
    for name, column in columns.items():
        table = table.append_column(name, column)
    return table


def _by_rank(
    spread: Floats, question: Ints, truth: Ints, options: Options, has: Bools
) -> tuple[Floats, Floats]:
    """Return expected rank error and ranked probability score of each row, NaN without a scale."""
    count = np.array([len(labels) for labels in options.labels], dtype=np.int64)
    placed = np.isfinite(options.positions).sum(axis=1)
    scale = (placed == count) & (np.ptp(_filled(options.positions), axis=1) > 0)
    expected, ranked = np.full(len(truth), np.nan), np.full(len(truth), np.nan)
    rows = np.flatnonzero(has & scale[question])
    if not len(rows):
        return expected, ranked
    # Places behind the last option stand where the scale ends, and have no probability.
    ordered = np.argsort(_filled(options.positions), axis=1, kind="stable")[question[rows]]
    at = _filled(options.positions)[question[rows]]
    own = at[np.arange(len(rows)), truth[rows], None]
    p = spread[rows]
    expected[rows] = (p * np.abs(at - own)).sum(axis=1)
    at = np.take_along_axis(at, ordered, axis=1)
    reached = np.cumsum(np.take_along_axis(p, ordered, axis=1), axis=1)[:, :-1]
    steps = np.diff(at, axis=1) > 0
    ranked[rows] = (np.square(reached - (own <= at[:, :-1])) * steps).sum(axis=1)
    ranked[rows] /= steps.sum(axis=1)
    return expected, ranked


def _filled(positions: Floats) -> Floats:
    """Return positions with the highest of the question where there is none, 0 without any."""
    there = np.isfinite(positions)
    highest = np.where(there, positions, -np.inf).max(axis=1, initial=-np.inf)
    return np.where(there, positions, np.where(there.any(axis=1), highest, 0.0)[:, None])


def _key(table: pa.Table, names: tuple[str, ...]) -> pa.Array:
    """Return several columns as one text; ids hold no control characters."""
    if not table.num_rows:
        return pa.nulls(0, pa.string())
    columns = [pc.fill_null(table[name].cast(pa.string()), "") for name in names]
    return pc.binary_join_element_wise(*columns, "\x1f").combine_chunks()


def _check_once(table: pa.Table) -> None:
    keys = _key(table, (*_PAIR, "predictor", "llm"))
    counts = pc.value_counts(keys)
    twice = counts.filter(pc.greater(counts.field("counts"), 1))
    if len(twice):
        survey, respondent, question, predictor, llm = twice[0]["values"].as_py().split("\x1f")
        raise ValueError(
            f"{survey}: {len(twice)} predictions are there more than once, the first by "
            f"{predictor} {llm} of respondent {respondent} and {question}"
        )


def options_of(questions: pa.Table) -> Options:
    """Return the options of questions: survey, question_id, options, ordinal."""
    labels = tuple(tuple(o or ()) for o in questions["options"].to_pylist())
    positions = np.full((len(labels), max(map(len, labels), default=0) + 1), np.nan)
    for i, given in enumerate(questions["ordinal"].to_pylist()):
        for code, position in enumerate(given or ()):
            positions[i, code] = np.nan if position is None else position
    there = np.isfinite(positions)
    lowest = np.where(there, positions, np.inf).min(axis=1, initial=np.inf)
    highest = np.where(there, positions, -np.inf).max(axis=1, initial=-np.inf)
    with np.errstate(invalid="ignore"):
        middles = (lowest + highest) / 2.0
    given = [None] * len(labels)
    if "kind" in questions.column_names:
        given = questions["kind"].to_pylist()
    # What has options is scored by them, whatever it is called.
    kinds = [
        ("single" if kind in (None, "numeric", "text") else kind) if options else kind or "text"
        for kind, options in zip(given, labels, strict=True)
    ]
    key = _key(questions, ("survey", "question_id"))
    return Options(key, labels, positions, middles, pa.array(kinds, pa.string()))


def _weights(table: pa.Table, respondents: Any) -> pa.Array:
    """Return each prediction's respondent's weight; 1 where none is known."""
    if respondents is None:
        return pa.repeat(1.0, len(table))
    people = arrow(respondents)
    require(people, ("survey", "respondent_id", "weight"), "respondents")
    person = ("survey", "respondent_id")
    place = pc.index_in(_key(table, person), value_set=_key(people, person))
    return pc.fill_null(people["weight"].cast(pa.float64()).combine_chunks().take(place), 1.0)


def _free(table: pa.Table, truth: pa.Array, free: Bools) -> tuple[Bools, Floats]:
    """Return whether answers without options are right, and the distance of those in numbers."""
    same, distance = np.zeros(len(free), dtype=bool), np.full(len(free), np.nan)
    answers = table["answer"]
    for row in np.flatnonzero(free):
        answer, given = answers[int(row)].as_py(), truth[int(row)].as_py()
        numbers = _number(answer), _number(given)
        if None not in numbers:
            distance[row] = abs(numbers[0] - numbers[1])  # type: ignore[operator]
            same[row] = distance[row] == 0.0
        else:
            same[row] = answer is not None and _words(answer) == _words(given)
    return same, distance


def _number(text: str | None) -> float | None:
    try:
        number = float(str(text).replace(",", ""))
    except ValueError:
        return None
    return number if np.isfinite(number) else None


def _words(text: str) -> list[str]:
    return str(text).casefold().split()


def question_of(table: pa.Table, options: Options) -> Ints:
    """Return each row's question's place; raises ValueError for a question without a row."""
    found = pc.index_in(_key(table, ("survey", "question_id")), value_set=options.keys)
    if found.null_count:
        row = int(pc.index(pc.is_null(found), True).as_py())
        raise ValueError(
            f"{table['survey'][row]}: {table['question_id'][row]} has no row among the questions"
        )
    return np.asarray(found, dtype=np.int64)


def distributions_of(table: pa.Table, question: Ints, options: Options) -> tuple[Floats, Bools]:
    """Return probabilities (rows, width) that sum to one, and which rows have them."""
    maps = table["probabilities"].combine_chunks()
    out = np.zeros((len(question), options.positions.shape[1]))
    if not len(question) or pa.types.is_null(maps.type):
        return out, np.zeros(len(question), dtype=bool)
    offsets = np.asarray(maps.offsets, dtype=np.int64)
    lengths = np.where(np.asarray(maps.is_valid()), np.diff(offsets), 0)
    ends = np.cumsum(lengths)
    row = np.repeat(np.arange(len(lengths)), lengths)
    inside = np.arange(len(row)) - np.repeat(ends - lengths, lengths)
    cells = pa.array(np.repeat(offsets[:-1], lengths) + inside)
    code = option_codes(maps.keys.take(cells), question[row], options.labels)
    value = maps.items.take(cells).cast(pa.float64()).to_numpy(zero_copy_only=False)
    wrong = np.flatnonzero((code < 0) | ~(value >= 0) | ~np.isfinite(value))
    if wrong.size:
        at, key = int(row[wrong[0]]), maps.keys.take(cells)[int(wrong[0])].as_py()
        raise ValueError(
            f"the prediction of {table['predictor'][at]} for respondent "
            f"{table['respondent_id'][at]} and {table['question_id'][at]} gives {key!r} the "
            f"probability {value[wrong[0]]}; its options are "
            f"{list(options.labels[int(question[at])])}"
        )
    out[row, code] = value
    sums = out.sum(axis=1, keepdims=True)
    has = sums[:, 0] > 0
    np.divide(out, sums, out=out, where=sums > 0)
    return out, has


def _nullable(values: Floats) -> pa.Array:
    return pa.array(values, pa.float64(), from_pandas=True)
