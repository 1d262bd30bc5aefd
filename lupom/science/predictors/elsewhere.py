"""Predictions that were made elsewhere, as predictions of this survey's held-out pairs."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from lupom.science.inputs import arrow, require
from lupom.science.predictors.distributions import PREDICTIONS

SETTING = "elsewhere"
_PAIR = ("survey", "respondent_id", "question_id")
_OPTIONAL = ("setting", "llm", "answer", "probabilities", "number", "cost")

ELSEWHERE = pa.schema([*PREDICTIONS, ("value", pa.float64()), ("cost", pa.float64())])


def predictions(
    tables: Mapping[str, Any], known: Any, questions: Any, *, everyone: bool = False
) -> pa.Table:
    """Return the predictions that tables hold of pairs that are held out.

    Parameters
    ----------
    tables : by name; respondent_id, question_id, and survey where there are several. Of each pair
        what is predicted: answer (an option's text; a number, or words, where the question has
        none), probabilities (a map from options, or its JSON; they are divided by their sum) or
        number. And setting ('elsewhere' where blank), llm (the table's name where blank), cost.
        Other columns are not looked at.
    known : survey, respondent_id, question_id, role, scenario; the pairs of role 'test' and
        'tuning' are those held out. No answer is read.
    everyone : of all pairs of respondents and questions instead, which estimates need.
    questions : survey, question_id, kind, options, low, high.

    Returns
    -------
    Rows as `baselines.predict` returns them, predictor being the setting; value is the number of a
    numeric question, cost as given. What is none of a question's options, no number or one outside
    of the question's range is invalid: it counts against who predicted it, as an LLM's does.

    Raises
    ------
    ValueError : for a missing column, a table of which no row is of a pair of these surveys, and
        probabilities that are none or of no option; naming table, respondent and question.
    """
    pairs = arrow(known).select([*_PAIR, "role", "scenario"])
    if not tables:
        # A survey's keys are a text for every answer in it.
        return ELSEWHERE.empty_table()
    every = _key(pairs)
    held = pc.is_in(pairs["role"], value_set=pa.array(["test", "tuning"]))
    if everyone:
        held = pc.is_valid(pairs["role"])
    names = pc.unique(pairs["survey"]).to_pylist()
    keys = every.filter(held)
    hidden = pairs.filter(held).select(["role", "scenario"])
    asked = {(q["survey"], q["question_id"]): q for q in arrow(questions).to_pylist()}
    rows: list[dict[str, Any]] = []
    for name, given in tables.items():
        table = _completed(arrow(given), name, names)
        own = _key(table)
        if len(own) and not pc.any(pc.is_in(own, value_set=every)).as_py():
            first = {column: table[column][0].as_py() for column in _PAIR}
            raise ValueError(
                f"{name}: none of its {len(own):,} rows is of a respondent and a question of the "
                f"surveys {', '.join(names)}; the first is {first}"
            )
        place = pc.index_in(own, value_set=keys)
        there = pc.is_valid(place)
        found = table.filter(there).to_pylist()
        roles = hidden.take(place.filter(there)).to_pylist()
        for row, role in zip(found, roles, strict=True):
            question = asked[row["survey"], row["question_id"]]
            rows.append(_prediction(row, name, question) | role)
    return pa.Table.from_pylist(rows, schema=ELSEWHERE)


def _completed(table: pa.Table, name: str, surveys: list[str]) -> pa.Table:
    """Return a table with all columns there can be, texts as texts."""
    require(table, _PAIR[1:], name)
    if not {"answer", "probabilities", "number"} & set(table.column_names):
        raise ValueError(f"{name} has no column 'answer', 'probabilities' or 'number'")
    if "survey" not in table.column_names:
        if len(surveys) != 1:
            raise ValueError(f"{name} has no column 'survey', and the project has several")
        table = table.append_column("survey", pa.repeat(surveys[0], table.num_rows))
    for column in _OPTIONAL:
        if column not in table.column_names:
            table = table.append_column(column, pa.nulls(table.num_rows, pa.string()))
    table = table.select([*_PAIR, *_OPTIONAL])
    for i, column in enumerate(table.column_names):
        if not pa.types.is_nested(table[column].type):
            table = table.set_column(i, column, table[column].cast(pa.string()))
    return table


def _key(table: pa.Table) -> pa.Array:
    columns = [pc.fill_null(table[name].cast(pa.string()), "") for name in _PAIR]
    joined = pc.binary_join_element_wise(*columns, "\x1f")
    return joined.combine_chunks() if isinstance(joined, pa.ChunkedArray) else joined


def _prediction(row: Mapping[str, Any], name: str, question: Mapping[str, Any]) -> dict[str, Any]:
    where = f"{name}: respondent {row['respondent_id']}, {row['question_id']}"
    said = (row["answer"] or "").strip()
    answer: str | None = said or None
    value, spread = None, None
    if question["kind"] == "numeric":
        value = _number(row["number"] or said, question["low"], question["high"])
        answer = None if value is None else f"{value:g}"
    elif question["kind"] != "text":
        options = list(question["options"])
        spread = _spread(row["probabilities"], options, where)
        if not said and spread is not None:
            answer = max(options, key=lambda option: spread.get(option, 0.0))
        elif said not in options:
            answer = None
    valid = answer is not None
    return {
        **{column: row[column] for column in _PAIR},
        "predictor": (row["setting"] or "").strip() or SETTING,
        "llm": (row["llm"] or "").strip() or name,
        "answer": answer,
        "probabilities": list(spread.items()) if valid and spread is not None else None,
        "status": "valid" if valid else "invalid",
        "value": value,
        "cost": _number(row["cost"], 0.0, None),
    }


def _number(text: Any, low: float | None, high: float | None) -> float | None:
    """Return a number within limits, None where there is none."""
    try:
        number = float(text)
    except (TypeError, ValueError):
        return None
    inside = (low is None or number >= low) and (high is None or number <= high)
    return number if math.isfinite(number) and inside else None


def _spread(given: Any, options: list[str], where: str) -> dict[str, float] | None:
    """Return the probability of every option, with the sum 1; None where there is none."""
    if isinstance(given, str):
        try:
            given = json.loads(given) if given.strip() else None
        except ValueError as error:
            raise ValueError(f"{where}: the probabilities are not JSON: {given[:80]!r}") from error
    if given is None:
        return None
    pairs = given.items() if isinstance(given, dict) else given
    out = dict.fromkeys(options, 0.0)
    for option, share in pairs:
        number = _number(0.0 if share is None else share, 0.0, None)
        if option not in out or number is None:
            raise ValueError(
                f"{where}: {option!r} has the probability {share}; the options are {options}, and "
                f"a probability is a number of at least 0"
            )
        out[option] = number
    total = sum(out.values())
    if not total > 0:
        raise ValueError(f"{where}: no option has a probability above 0")
    return {option: number / total for option, number in out.items()}
