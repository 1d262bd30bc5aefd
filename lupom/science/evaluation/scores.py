"""Each prediction of a test pair beside the answer that was given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from lupom.science.inputs import arrow, require

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
class _Options:
    """The options of all questions: labels and positions by question, and where to find them."""

    keys: pa.Array
    labels: tuple[tuple[str, ...], ...]
    positions: Floats  # (questions, width), NaN where an option has none or there is no option
    groups: Ints  # the same, the group of a collapsed scale, -1 where there is no position
    kinds: tuple[str | None, ...]

    @property
    def open_ended(self) -> Bools:
        """Which questions have no options and are of a kind that needs none."""
        return np.array(
            [
                not o and k in ("numeric", "text")
                for o, k in zip(self.labels, self.kinds, strict=True)
            ],
            dtype=bool,
        )

    @property
    def numeric(self) -> Bools:
        return np.array([k == "numeric" for k in self.kinds], dtype=bool)


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
    holdout : survey, respondent_id, question_id, role, answer, and scenario if there is one. Only
        role 'test' counts; predictions of other pairs are left out.
    questions : survey, question_id, options, ordinal, and kind if there is one. Questions of kind
        'numeric' without options are scored by the difference of numbers, and those of kind 'text'
        by nothing but whether there is an answer.
    llm_pairs : survey, respondent_id, question_id of the pairs an LLM was asked, if any.
    respondents : survey, respondent_id, weight, if weights are wanted.

    Returns
    -------
    The predictions' columns, and for each
        truth : the answer given.
        truth_code, answer_code : their places among the question's options, from 1; answer_code is
            null where the prediction is invalid.
        correct : whether the answer is the truth; false where the prediction is invalid, which it
            is when its status is not 'valid' or its answer is none of the options.
        ordinal_error : distance of answer and truth in the question's ordinal positions; null where
            either has none or the prediction is invalid.
        nll : minus the natural log of the truth's probability, which counts as at least 1e-4; null
            without a distribution, and where the prediction is invalid.
        brier : sum over the question's options of the squared difference between probability and
            outcome, 0 to 2 (Brier 1950); null as nll.
        in_llm_sample : whether the pair is among `llm_pairs`.
        scenario, kind, weight : the pair's, the question's and the respondent's (null without).
        collapsed_correct : whether answer and truth are in the same group of an ordinal scale: its
            halves, or its ends and its middle where the number of positions is odd. Null where the
            truth has no position.
        absolute_error : difference of the numbers; null for all but numeric questions.
        confidence : the probability of the answer; null without a distribution.
        valid : whether the prediction is one.
    Probabilities are divided by their sum.

    Raises
    ------
    ValueError : for a missing column, a question without a row, a truth that is no option, a
        probability that is negative or no number or on no option, and a prediction made twice.
    """
    table, truths, known = arrow(predictions), arrow(holdout), arrow(questions)
    require(table, _PREDICTION, "predictions")
    require(truths, (*_PAIR, "role", "answer"), "holdout")
    require(known, ("survey", "question_id", "options", "ordinal"), "questions")
    truths = truths.filter(pc.equal(truths["role"], "test"))
    place = pc.index_in(_key(table, _PAIR), value_set=_key(truths, _PAIR))
    table = table.select(_PREDICTION).filter(pc.is_valid(place))
    _check_once(table)
    options = _options(known)
    truth = truths["answer"].combine_chunks().take(place.drop_null())
    question = _question(table, options)
    truth_code = _codes(truth, question, options)
    open_ended = options.open_ended[question]
    lost = (truth_code < 0) & ~open_ended
    if lost.any():
        row = int(np.flatnonzero(lost)[0])
        raise ValueError(
            f"the held-out answer {truth[row].as_py()!r} to {table['question_id'][row]} is none of "
            f"the question's options {list(options.labels[int(question[row])])}"
        )
    code = _codes(table["answer"].combine_chunks(), question, options)
    stated = np.asarray(pc.fill_null(pc.equal(table["status"], "valid"), False))
    code[~stated] = -1
    numeric = open_ended & options.numeric[question]
    gap = np.full(len(code), np.nan)
    if numeric.any():
        gap = np.abs(_floats(table["answer"].combine_chunks()) - _floats(truth))
        gap[~(numeric & stated)] = np.nan
    said = np.asarray(pc.is_valid(table["answer"].combine_chunks()))
    valid = np.where(numeric, np.isfinite(gap), np.where(open_ended, stated & said, code >= 0))
    rows = np.arange(len(code))
    step = np.abs(options.positions[question, code] - options.positions[question, truth_code])
    nll, brier = np.full(len(code), np.nan), np.full(len(code), np.nan)
    spread, has = _distributions(table, question, options)
    has &= (code >= 0) & (truth_code >= 0)
    p = spread[rows, truth_code]
    nll[has] = -np.log(np.clip(p[has], FLOOR, 1.0))
    # sum (p_k - y_k)^2 = sum p_k^2 - 2 p_truth + 1
    brier[has] = (np.square(spread).sum(axis=1) - 2.0 * p + 1.0)[has]
    asked = pa.nulls(0, pa.string()) if llm_pairs is None else _key(arrow(llm_pairs), _PAIR)
    columns = {
        "truth": truth,
        "truth_code": pa.array(truth_code + 1, mask=truth_code < 0),
        "answer_code": pa.array(code + 1, mask=code < 0),
        "correct": pa.array(code == truth_code, mask=open_ended),
        "ordinal_error": _nullable(np.where(code >= 0, step, np.nan)),
        "nll": _nullable(nll),
        "brier": _nullable(brier),
        "in_llm_sample": pc.is_in(_key(table, _PAIR), value_set=asked),
        "scenario": _scenario(truths).take(place.drop_null()),
        "kind": pa.array(options.kinds, pa.string()).take(pa.array(question)),
        "weight": _weights(table, respondents),
        "collapsed_correct": _collapsed(options, question, code, truth_code),
        "absolute_error": _nullable(gap),
        "confidence": _nullable(np.where(has, spread[rows, code], np.nan)),
        "valid": pa.array(valid.astype(bool)),
    }
    for name, column in columns.items():
        table = table.append_column(name, column)
    return table


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


def _options(questions: pa.Table) -> _Options:
    labels = tuple(tuple(o or ()) for o in questions["options"].to_pylist())
    positions = np.full((len(labels), max(map(len, labels), default=0) + 1), np.nan)
    for i, given in enumerate(questions["ordinal"].to_pylist()):
        for code, position in enumerate(given or ()):
            positions[i, code] = np.nan if position is None else position
    kinds = (
        questions["kind"].to_pylist() if "kind" in questions.column_names else [None] * len(labels)
    )
    groups = collapsed(positions)
    return _Options(
        _key(questions, ("survey", "question_id")), labels, positions, groups, tuple(kinds)
    )


def collapsed(positions: Floats) -> Ints:
    """Return the group of each option, (questions, width): 0 low, 1 middle, 2 high, -1 without.

    Distinct positions are halved; where their number is odd, the one in the middle is a group of
    its own.
    """
    out = np.full(positions.shape, -1, dtype=np.int64)
    for row, own in zip(out, positions, strict=True):
        there = np.isfinite(own)
        steps, place = np.unique(own[there], return_inverse=True)
        middle = (len(steps) - 1) / 2
        row[there] = 1 + np.sign(place - middle).astype(np.int64)
    return out


def _collapsed(options: _Options, question: Ints, code: Ints, truth_code: Ints) -> pa.Array:
    truth = options.groups[question, truth_code]
    guess = np.where(code >= 0, options.groups[question, code], -1)
    return pa.array(truth == guess, mask=(truth < 0) | (truth_code < 0))


def _scenario(truths: pa.Table) -> pa.Array:
    if "scenario" in truths.column_names:
        return truths["scenario"].cast(pa.string()).fill_null("known").combine_chunks()
    return pa.array(["known"] * truths.num_rows, pa.string())


def _weights(table: pa.Table, respondents: Any) -> pa.Array:
    if respondents is None:
        return pa.nulls(table.num_rows, pa.float64())
    people = arrow(respondents)
    names = ("survey", "respondent_id")
    require(people, (*names, "weight"), "respondents")
    place = pc.index_in(_key(table, names), value_set=_key(people, names))
    return people["weight"].cast(pa.float64()).combine_chunks().take(place)


def _floats(column: pa.Array) -> Floats:
    """Return texts as numbers, NaN where they are none."""
    out = np.full(len(column), np.nan)
    for i, text in enumerate(column.to_pylist()):
        try:
            value = float(text)
        except (TypeError, ValueError):
            continue
        out[i] = value if np.isfinite(value) else np.nan
    return out


def _question(table: pa.Table, options: _Options) -> Ints:
    found = pc.index_in(_key(table, ("survey", "question_id")), value_set=options.keys)
    if found.null_count:
        row = int(pc.index(pc.is_null(found), True).as_py())
        raise ValueError(
            f"{table['survey'][row]}: {table['question_id'][row]} has no row among the questions"
        )
    return np.asarray(found, dtype=np.int64)


def _codes(answers: pa.Array, question: Ints, options: _Options) -> Ints:
    """Return each answer as the index of its option in its own question, -1 where it is none."""
    encoded = answers.dictionary_encode()
    place = {label: i for i, label in enumerate(encoded.dictionary.to_pylist())}
    # One row more than there are labels: -1, the index of a null, finds it.
    codes = np.full((len(place) + 1, max(len(options.labels), 1)), -1, dtype=np.int64)
    for column, given in enumerate(options.labels):
        for code, label in enumerate(given):
            if label in place:
                codes[place[label], column] = code
    label_of = np.asarray(pc.fill_null(encoded.indices, -1), dtype=np.int64)
    return np.asarray(codes[label_of, question])


def _distributions(table: pa.Table, question: Ints, options: _Options) -> tuple[Floats, Bools]:
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
    code = _codes(maps.keys.take(cells), question[row], options)
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
