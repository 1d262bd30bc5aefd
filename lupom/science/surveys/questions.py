"""The questions of a survey in OpinionQA's layout: one row of its info table each."""

from __future__ import annotations

import difflib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from lupom.science.inputs import require
from lupom.science.surveys import batteries, cells, labels

KINDS = ("single", "ordinal", "multiple", "numeric", "text")
# Kinds that are answered in the respondent's own figures or words.
OPEN = ("numeric", "text")
REFUSALS = ("exclude", "option")


@dataclass(frozen=True)
class Question:
    """A question.

    Attributes
    ----------
    key : its id, the name of its column among the responses.
    text, preface, item : the full wording, what it shares with its battery, what is its own.
    options : what can be answered, in the survey's order; without refusals and "don't know",
        unless they are to count as answers. None for the open kinds.
    ordinal : position per option, None where an option has none ("Not sure").
    nonresponse : status by label, for labels such as 'Refused'.
    codes : label by code, both options and nonresponses.
    kind : 'single', 'ordinal', 'multiple' (one item, Selected / Not selected, of a question where
        several can be), 'numeric' or 'text'.
    low, high : least and largest number that answers a numeric question, None without a limit.
    """

    key: str
    text: str
    preface: str
    item: str
    options: tuple[str, ...]
    ordinal: tuple[float | None, ...]
    topic: str
    nonresponse: dict[str, str]
    codes: dict[str, str]
    kind: str
    low: float | None = None
    high: float | None = None


def read(info: pa.Table, survey: str, *, refusals: str = "exclude") -> list[Question]:
    """Read an info table.

    Parameters
    ----------
    info : columns key, question, and references or option_mapping or both (a list of labels; a
        dict from codes to labels); if there are any, option_ordinal (a list of positions,
        positional with the labels), topic, kind (as in `Question`; blank: seen from the options),
        range ([least, largest], of a numeric question) and refusals (as below, for this question).
        Other columns are not looked at.
    survey : the survey's name, for messages.
    refusals : 'exclude': a refusal or "don't know" is not an answer; 'option': where the question
        lists it, it is an option among others, without a position.

    Raises
    ------
    ValueError : with table, column and row, for what is malformed, missing or twice.
    """
    table = f"{survey}: info"
    if refusals not in REFUSALS:
        raise ValueError(f"refusals is 'exclude' or 'option', not {refusals!r}")
    require(info, ("key", "question"), table)
    if not {"references", "option_mapping"} & set(info.column_names):
        raise ValueError(f"{table} has neither a column 'references' nor 'option_mapping'")
    rows = info.to_pylist()
    texts = [cells.text(row["question"]) for row in rows]
    out: list[Question] = []
    seen: dict[str, int] = {}
    for number, (row, (preface, item)) in enumerate(
        zip(rows, batteries.split(texts), strict=True), start=1
    ):
        key = cells.text(row["key"])
        where = f"row {number} (key {key!r})"
        if not key:
            raise ValueError(f"{table}, column 'key', row {number}: the key is blank")
        if key in seen:
            raise ValueError(f"{table}, column 'key', {where}: row {seen[key]} has the same key")
        seen[key] = number
        if not texts[number - 1]:
            raise ValueError(f"{table}, column 'question', {where}: the question is blank")
        declared = _one_of(row, "kind", KINDS, table, where)
        kept = _one_of(row, "refusals", REFUSALS, table, where) or refusals
        low, high = _range(row, declared, table, where)
        topic = cells.text(row.get("topic"))
        text = " ".join(texts[number - 1].split())
        if declared in OPEN:
            nonresponse, codes = _no_options(row, declared, table, where)
            options: tuple[str, ...] = ()
            ordinal: tuple[float | None, ...] = ()
        else:
            options, nonresponse, codes, ordinal = _options(row, table, where, kept == "option")
        kind = declared or _kind(options, ordinal)
        out.append(
            Question(
                *(key, text, preface, item, options, ordinal, topic, nonresponse, codes, kind),
                *(low, high),
            )
        )
    return out


def _kind(options: Sequence[str], ordinal: Sequence[float | None]) -> str:
    """Return the kind of a question that does not say it: a matter of its options."""
    nonresponse = labels.among(options)
    answers = [o for o in options if o not in nonresponse]
    if len(answers) == 2 and any(o.casefold() == "not selected" for o in answers):
        return "multiple"
    return "ordinal" if sum(p is not None for p in ordinal) >= 2 else "single"


def _one_of(row: dict[str, Any], name: str, known: Sequence[str], table: str, where: str) -> str:
    value = cells.text(row.get(name)).casefold()
    if value and value not in known:
        close = difflib.get_close_matches(value, known, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        raise ValueError(
            f"{table}, column {name!r}, {where}: {value!r} is none of {', '.join(known)}{hint}"
        )
    return value


def _range(
    row: dict[str, Any], kind: str, table: str, where: str
) -> tuple[float | None, float | None]:
    """Return least and largest number of a numeric question."""
    place = f"{table}, column 'range', {where}"
    given = cells.literal(row.get("range"), list, table=table, column="range", row=where)
    if not given:
        return None, None
    if kind != "numeric":
        raise ValueError(f"{place}: a question with a range is of the kind 'numeric'")
    try:
        low, high = (float(v) for v in given)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{place}: expected [least, largest], got {given}") from error
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ValueError(f"{place}: the least number is not below the largest: {given}")
    return low, high


def _no_options(
    row: dict[str, Any], kind: str, table: str, where: str
) -> tuple[dict[str, str], dict[str, str]]:
    """Return nonresponses and codes of an open question; it may list nothing else."""
    names = (("references", list), ("option_mapping", dict))
    given, mapping = (
        cells.literal(row.get(n), k, table=table, column=n, row=where) for n, k in names
    )
    codes = {cells.code(k): cells.text(v) for k, v in mapping.items()}
    nonresponse: dict[str, str] = {}
    for label in dict.fromkeys([*map(cells.text, given), *codes.values()]):
        status = labels.nonresponse(label)
        if status is None:
            raise ValueError(
                f"{table}, {where}: a {kind} question has no options, but it lists {label!r}"
            )
        nonresponse[label] = status
    return nonresponse, codes


def _options(
    row: dict[str, Any], table: str, where: str, keep_refusals: bool
) -> tuple[tuple[str, ...], dict[str, str], dict[str, str], tuple[float | None, ...]]:
    """Return options, nonresponses, codes and positions of one row of an info table."""
    raw = {
        name: cells.literal(row.get(name), kind, table=table, column=name, row=where)
        for name, kind in (("references", list), ("option_mapping", dict), ("option_ordinal", list))
    }
    _without_nan(raw)
    mapping = {cells.code(k): cells.text(v) for k, v in raw["option_mapping"].items()}
    given = [cells.text(label) for label in raw["references"]]
    references = given or list(dict.fromkeys(mapping.values()))
    if not references:
        raise ValueError(f"{table}, {where}: the question has no options")
    column = "references" if given else "option_mapping"
    if "" in references or "" in mapping.values():
        blank = column if "" in references else "option_mapping"
        raise ValueError(f"{table}, column {blank!r}, {where}: an option is blank")
    if len(mapping) < len(raw["option_mapping"]):
        raise ValueError(f"{table}, column 'option_mapping', {where}: two keys are the same code")
    twice = [label for label in references if references.count(label) > 1]
    if twice:
        raise ValueError(f"{table}, column {column!r}, {where}: {twice[0]!r} appears twice")
    nonresponse = labels.among([*references, *mapping.values()])
    answers = [label for label in references if label not in nonresponse]
    refusals = [k for k, v in nonresponse.items() if v != labels.NOT_ASKED] if keep_refusals else []
    # Some surveys list the labels of their codes among the references and some do not.
    references = [*references, *(label for label in refusals if label not in references)]
    nonresponse = {k: status for k, status in nonresponse.items() if k not in refusals}
    extra = [v for v in mapping.values() if v not in references and v not in nonresponse]
    if extra:
        raise ValueError(
            f"{table}, column 'option_mapping', {where}: {extra[0]!r} is not among the references "
            f"{references}"
        )
    positions = _positions(
        references, raw["option_ordinal"], f"{table}, column 'option_ordinal', {where}"
    )
    kept = [i for i, label in enumerate(references) if label not in nonresponse]
    if not answers:
        raise ValueError(
            f"{table}, column {column!r}, {where}: no option is an answer: {references}"
        )
    return (
        tuple(references[i] for i in kept),
        nonresponse,
        mapping,
        tuple(positions[i] for i in kept),
    )


def _without_nan(raw: dict[str, Any]) -> None:
    """Take out the options that pandas wrote as nan, with their positions where they have one."""

    def absent(value: Any) -> bool:
        return value is None or (cells.text(value) == "" and str(value).strip() != "")

    listed, places = raw["references"], raw["option_ordinal"]
    kept = [i for i, label in enumerate(listed) if not absent(label)]
    if len(kept) < len(listed):
        raw["references"] = [listed[i] for i in kept]
        if len(places) == len(listed):
            raw["option_ordinal"] = [places[i] for i in kept]
    raw["option_mapping"] = {k: v for k, v in raw["option_mapping"].items() if not absent(v)}


def _positions(references: Sequence[str], ordinal: Sequence[Any], where: str) -> list[float | None]:
    """Return the position of each label on the question's scale, None where it has none.

    The list is positional with the labels. OpinionQA leaves the labels without a place ('Not
    sure', 'Refused') out of it; they stand last there, but a list as long as the placed labels is
    read as theirs wherever the others stand.
    """
    try:
        given = [None if cells.text(p) == "" else float(p) for p in ordinal]
    except (TypeError, ValueError) as error:
        raise ValueError(f"{where}: expected numbers, got {list(ordinal)}") from error
    if len(given) > len(references):
        raise ValueError(f"{where}: {len(given)} positions for {len(references)} options")
    placed = [i for i, label in enumerate(references) if not labels.unplaced(label)]
    slots = placed if len(given) == len(placed) else list(range(len(given)))
    out: list[float | None] = [None] * len(references)
    for slot, position in zip(slots, given, strict=True):
        out[slot] = position
    # OpinionQA gives the same position to all options of a question that has no scale.
    if len(given) > 1 and len(set(given)) == 1:
        return [None] * len(references)
    # "Undecided" has a place where it is given one between others.
    between = [p for i in placed if (p := out[i]) is not None]
    return [
        p
        if i in placed
        or (
            p is not None
            and labels.nonresponse(references[i]) is None
            and min(between, default=p) < p < max(between, default=p)
        )
        else None
        for i, p in enumerate(out)
    ]
