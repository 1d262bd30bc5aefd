"""Cells of a responses table read as answers: the option's text, or why there is none."""

from __future__ import annotations

import difflib
import re
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from lupom.science.surveys import cells, labels
from lupom.science.surveys.questions import OPEN, Question

_TRUE = {"true", "yes", "y", "t", "selected"}
_FALSE = {"false", "no", "n", "f", "not selected"}

_NUMBER = re.compile(r"[+-]?(\d{1,15}(\.\d*)?|\.\d+)([eE][+-]?\d{1,2})?")
# What is shown of one answer in the respondent's own words.
LONGEST_TEXT = 2000


def decode(column: pa.ChunkedArray, question: Question, where: str) -> tuple[pa.Array, pa.Array]:
    """Return (status, answer) for every cell of a question's column.

    Parameters
    ----------
    column : labels, or codes of the question's option_mapping, written in any way ('1', '1.0', 1).
        A column is read as labels when all of it are labels, else as codes when all of it are
        codes, else cell by cell, labels first. Blank is not asked. Of an open question what is
        not a refusal is the answer itself: a number, or a text, on one line and cut at 2,000
        characters.
    question : whose options to use.
    where : survey and table, for messages.

    Returns
    -------
    status : 'answered', 'refused', 'dont_know' or 'not_asked', never null.
    answer : the option's text, null unless answered.

    Raises
    ------
    ValueError : for a cell that is neither an option, a code, nor a refusal or "don't know", and
        where a number is asked for, for what is none or outside of the question's range.
    """
    encoded = column.combine_chunks().dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    values = encoded.dictionary.to_pylist()
    by_label = [_by_label(v, question) for v in values]
    by_code = [question.codes.get(cells.code(v)) for v in values]
    blank = [
        cells.text(v) == "" or (label is None and code is None and _absent(v))
        for v, label, code in zip(values, by_label, by_code, strict=True)
    ]
    as_labels = all(b or found is not None for b, found in zip(blank, by_label, strict=True))
    as_codes = all(b or found is not None for b, found in zip(blank, by_code, strict=True))
    first, second = (by_code, by_label) if as_codes and not as_labels else (by_label, by_code)
    statuses, answers = [], []
    for i, value in enumerate(values):
        if question.kind in OPEN:
            found = _open(encoded, i, question, where)
            statuses.append(found[0])
            answers.append(found[1])
            continue
        label = first[i] if first[i] is not None else second[i]
        if label is None and not blank[i]:
            raise ValueError(_unknown(value, _row(encoded, i), question, where))
        status = labels.NOT_ASKED
        if label is not None and label in question.options:
            status = labels.ANSWERED
        elif label is not None:
            status = question.nonresponse.get(label) or labels.nonresponse(label) or status
        statuses.append(status)
        answers.append(label if status == labels.ANSWERED else None)
    status = pa.array(statuses, pa.string()).take(encoded.indices)
    answer = pa.array(answers, pa.string()).take(encoded.indices)
    return pc.fill_null(status, labels.NOT_ASKED), answer


def _open(
    encoded: pa.DictionaryArray, index: int, question: Question, where: str
) -> tuple[str, str | None]:
    """Return status and answer of the cells of an open question that hold one value."""
    value = encoded.dictionary[index].as_py()
    text = " ".join(cells.text(value).split())
    code = cells.code(value)
    status = question.nonresponse.get(question.codes.get(code, text))
    if not text or (status is None and _absent(text)):
        return labels.NOT_ASKED, None
    # A text "No answer" is the words of a refusal, whether the survey lists it or not.
    status = status or labels.nonresponse(text)
    if status is not None:
        return status, None
    if question.kind == "text":
        return labels.ANSWERED, text[:LONGEST_TEXT]
    place = f"{where}, column {question.key!r}"
    if not _NUMBER.fullmatch(text):
        raise ValueError(
            f"{place}, row {_row(encoded, index)}: {value!r} is not a number, nor one of the codes "
            f"{list(question.codes)}"
        )
    number = float(text)
    low, high = question.low, question.high
    if (low is not None and number < low) or (high is not None and number > high):
        raise ValueError(
            f"{place}, row {_row(encoded, index)}: {value!r} is outside of the question's range, "
            f"{low:g} to {high:g}"
        )
    return labels.ANSWERED, cells.code(number)


def _by_label(value: Any, question: Question) -> str | None:
    """Return the option or nonresponse a cell names, None when it names none."""
    if isinstance(value, bool):
        # A reader of typed CSV turns a column of Yes and No into booleans.
        words = _TRUE if value else _FALSE
        return next((o for o in question.options if o.casefold() in words), None)
    text = cells.text(value)
    if not text:
        return None
    for known in (question.options, question.nonresponse):
        if text in known:
            return text
    folded = " ".join(text.split()).casefold()
    for known in (question.options, question.nonresponse):
        for label in known:
            if " ".join(label.split()).casefold() == folded:
                return label
    # Items such as "Selected / Not selected" do not list 'Refused', and yet it can be there. 'NA'
    # where no option is called so was written by a program, as there was nothing.
    return text if labels.nonresponse(text) and not _absent(text) else None


def _absent(value: Any) -> bool:
    return cells.text(value).casefold() in cells.ABSENT


def _row(encoded: pa.DictionaryArray, index: int) -> int:
    return int(pc.index(encoded.indices, pa.scalar(index, encoded.indices.type)).as_py()) + 1


def _unknown(value: Any, row: int, question: Question, where: str) -> str:
    close = difflib.get_close_matches(cells.text(value), question.options, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    return (
        f"{where}, column {question.key!r}, row {row}: {value!r} is none of the options "
        f"{list(question.options)} nor one of the codes {list(question.codes)}{hint}"
    )
