"""The questions of a survey in OpinionQA's layout: one row of its info table each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pyarrow as pa

from lupom.science.inputs import require
from lupom.science.surveys import batteries, cells, labels


@dataclass(frozen=True)
class Question:
    """A closed question.

    Attributes
    ----------
    key : its id, the name of its column among the responses.
    text, preface, item : the full wording, what it shares with its battery, what is its own.
    options : what can be answered, in the survey's order; without refusals and "don't know".
    ordinal : position per option, None where an option has none ("Not sure").
    nonresponse : status by label, for labels such as 'Refused'.
    codes : label by code, both options and nonresponses.
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

    @cached_property
    def kind(self) -> str:
        """Return 'selection' (Selected / Not selected), 'ordinal' or 'nominal'."""
        if len(self.options) == 2 and any(o.casefold() == "not selected" for o in self.options):
            return "selection"
        return "ordinal" if sum(p is not None for p in self.ordinal) >= 2 else "nominal"


def read(info: pa.Table, survey: str) -> list[Question]:
    """Read an info table.

    Parameters
    ----------
    info : columns key, question, and references or option_mapping or both (a list of labels; a
        dict from codes to labels); option_ordinal (a list of positions, positional with the
        labels) and topic if there are any. Other columns are not looked at.
    survey : the survey's name, for messages.

    Raises
    ------
    ValueError : with table, column and row, for what is malformed, missing or twice.
    """
    table = f"{survey}: info"
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
        options, nonresponse, codes, ordinal = _options(row, table, where)
        topic = cells.text(row.get("topic"))
        text = " ".join(texts[number - 1].split())
        out.append(Question(key, text, preface, item, options, ordinal, topic, nonresponse, codes))
    return out


def _options(
    row: dict[str, Any], table: str, where: str
) -> tuple[tuple[str, ...], dict[str, str], dict[str, str], tuple[float | None, ...]]:
    """Return options, nonresponses, codes and positions of one row of an info table."""
    raw = {
        name: cells.literal(row.get(name), kind, table=table, column=name, row=where)
        for name, kind in (("references", list), ("option_mapping", dict), ("option_ordinal", list))
    }
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
        raise ValueError(f"{table}, column {column!r}, {where}: {twice[0]!r} stands there twice")
    nonresponse = {
        label: status
        for label in dict.fromkeys([*references, *mapping.values()])
        if (status := labels.nonresponse(label)) is not None
    }
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
    if not kept:
        raise ValueError(
            f"{table}, column {column!r}, {where}: no option is an answer: {references}"
        )
    return (
        tuple(references[i] for i in kept),
        nonresponse,
        mapping,
        tuple(positions[i] for i in kept),
    )


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
    return [p if i in placed else None for i, p in enumerate(out)]
