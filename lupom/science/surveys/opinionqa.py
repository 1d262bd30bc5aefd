"""Surveys in OpinionQA's layout as the tables questions, respondents and responses.

The layout (Santurkar et al., "Whose Opinions Do Language Models Reflect?", ICML 2023) is three
tables a survey: info (a row a question), responses (a row a respondent: answers, attributes and a
weight) and metadata (a row an attribute).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from lupom.science.inputs import arrow, require
from lupom.science.surveys import cells
from lupom.science.surveys import questions as _questions
from lupom.science.surveys import topics as _topics
from lupom.science.surveys.answers import decode

# What pandas and DuckDB call a column without a header: most often the numbers of a file's rows.
RUNNING = ("Unnamed: 0", "column0", "column00", "")
# What a respondent's column is called, the best first: OpinionQA's own names, then those.
ID_COLUMNS = ("index", "respondent_id", "QKEY", *RUNNING)
# What is read of the tables info and metadata.
INFO_COLUMNS = (
    *("key", "question", "references", "option_mapping", "option_ordinal"),
    *("topic", "kind", "range", "refusals"),
)
METADATA_COLUMNS = ("key", "options", "label", "question", "description", "option_mapping")
_WEIGHT = re.compile(r"weight(_.*)?", re.IGNORECASE)

QUESTIONS = pa.schema(
    [
        ("survey", pa.string()),
        ("question_id", pa.string()),
        ("position", pa.int64()),
        ("question", pa.string()),
        ("battery", pa.string()),
        ("item", pa.string()),
        ("options", pa.list_(pa.string())),
        ("ordinal", pa.list_(pa.float64())),
        ("nonresponse", pa.list_(pa.string())),
        ("topic", pa.string()),
        ("kind", pa.string()),
        ("low", pa.float64()),
        ("high", pa.float64()),
    ]
)
RESPONDENTS = pa.schema(
    [
        ("survey", pa.string()),
        ("respondent_id", pa.string()),
        ("weight", pa.float64()),
        ("attributes", pa.map_(pa.string(), pa.string())),
    ]
)
RESPONSES = pa.schema(
    [
        ("survey", pa.string()),
        ("respondent_id", pa.string()),
        ("question_id", pa.string()),
        ("status", pa.string()),
        ("answer", pa.string()),
    ]
)


def questions(
    surveys: Mapping[str, Any],
    *,
    topics: Mapping[str, Any] | None = None,
    refusals: str = "exclude",
) -> pa.Table:
    """Return one row per question of every survey.

    Parameters
    ----------
    surveys : the info table by survey name.
    topics : tables with the bytes of a topic_mapping.npy each, by any name; they give the topic of
        a question whose info table gives none.
    refusals : whether refusals and "don't know" are options; see `questions.read`.

    Returns
    -------
    Columns survey, question_id, position (from 1, in the info table's order), question (the full
    text), battery (the preface that at least three questions share, '' if none), item (the rest),
    options (without refusals), ordinal (a position per option, null where it has none),
    nonresponse (labels such as 'Refused'), topic ('; ' between several, null if none), kind (one of
    `questions.KINDS`), low and high (the range of a numeric question).

    Raises
    ------
    ValueError : naming survey, table, column and row of what is malformed.
    """
    mapped = _topics.read((topics or {}).values())
    rows = [
        {
            "survey": survey,
            "question_id": q.key,
            "position": position,
            "question": q.text,
            "battery": q.preface,
            "item": q.item,
            "options": q.options,
            "ordinal": q.ordinal,
            "nonresponse": list(q.nonresponse),
            "topic": q.topic or mapped.of(q.text) or None,
            "kind": q.kind,
            "low": q.low,
            "high": q.high,
        }
        for survey, info in surveys.items()
        for position, q in enumerate(
            _questions.read(arrow(info), survey, refusals=refusals), start=1
        )
    ]
    return pa.Table.from_pylist(rows, schema=QUESTIONS)


def respondents(surveys: Mapping[str, tuple[Any, Any, Any]]) -> pa.Table:
    """Return one row per respondent of every survey. Columns of questions are never read.

    Parameters
    ----------
    surveys : the tables (info, responses, metadata) by survey name.

    Returns
    -------
    Columns survey, respondent_id, weight (1.0 where the survey has none) and attributes, a map of
    what is not blank. An attribute's value need not be among the options metadata lists: the
    published lists are incomplete.

    Raises
    ------
    ValueError : for respondents without an id or with the same one, a weight that is not a number
        or negative, an attribute that is not a column or that is also a question.
    """
    parts = []
    for survey, tables in surveys.items():
        info, table, metadata = (arrow(t) for t in tables)
        ids = respondent_ids(table, survey)
        attributes = _attributes(info, table, metadata, survey)
        columns = [_attribute(table[name], options) for name, options in attributes.items()]
        maps = [
            [(n, v) for n, v in zip(attributes, values, strict=True) if v]
            for values in zip(*columns, strict=True)
        ] or [[]] * len(ids)
        parts.append(
            pa.table(
                [pa.repeat(survey, len(ids)), ids, _weights(table, survey), maps],
                schema=RESPONDENTS,
            )
        )
    return pa.concat_tables(parts) if parts else RESPONDENTS.empty_table()


def responses(surveys: Mapping[str, tuple[Any, Any]], *, refusals: str = "exclude") -> pa.Table:
    """Return one row per respondent and question of every survey.

    Parameters
    ----------
    surveys : the tables (info, responses) by survey name.
    refusals : as in `questions`.

    Returns
    -------
    Columns survey, respondent_id, question_id, status ('answered', 'refused', 'dont_know' or
    'not_asked') and answer (the option's text, or the number or text
    given; null unless answered).

    Raises
    ------
    ValueError : naming table, column and row of an answer that is neither an option nor a code,
        and of a question that has no column.
    """
    parts = []
    for survey, (info, table) in surveys.items():
        table = arrow(table)
        ids = respondent_ids(table, survey)
        known = _questions.read(arrow(info), survey, refusals=refusals)
        require(table, (q.key for q in known), f"{survey}: responses")
        for q in known:
            status, answer = decode(table[q.key], q, f"{survey}: responses")
            columns = [pa.repeat(survey, len(ids)), ids, pa.repeat(q.key, len(ids)), status, answer]
            parts.append(pa.table(columns, schema=RESPONSES))
    return pa.concat_tables(parts).combine_chunks() if parts else RESPONSES.empty_table()


def id_notes(responses: Mapping[str, Sequence[str]]) -> list[str]:
    """Return what is to be said of respondents' ids, given the columns of responses by survey.

    The numbers of a file's rows are ids that another file of the same people may not have.
    """
    found = ((survey, _id_column(columns)) for survey, columns in responses.items())
    return [
        f"{survey}: responses has no column 'index', 'respondent_id' or 'QKEY': "
        f"the running numbers in {name!r} are the respondents' ids"
        for survey, name in found
        if name in RUNNING
    ]


def _id_column(columns: Sequence[str]) -> str | None:
    return next((name for name in ID_COLUMNS if name in columns), None)


def respondent_ids(table: pa.Table, survey: str) -> pa.Array:
    """Return the respondents' ids as text, checked to be there and each once."""
    name = _id_column(table.column_names)
    if name is None:
        raise ValueError(
            f"{survey}: responses has no column 'index' with the respondents' ids; "
            f"its columns are {', '.join(map(repr, table.column_names[:40]))}"
        )
    ids = [cells.text(v) for v in table[name].to_pylist()]
    seen: dict[str, int] = {}
    for row, value in enumerate(ids, start=1):
        if not value:
            raise ValueError(f"{survey}: responses, column {name!r}, row {row}: the id is blank")
        if value in seen:
            raise ValueError(
                f"{survey}: responses, column {name!r}, row {row}: "
                f"the id {value!r} is also that of row {seen[value]}"
            )
        seen[value] = row
    return pa.array(ids, pa.string())


def unread(info: Any, table: Any, metadata: Any) -> list[str]:
    """Return the columns of responses that none of the tables here are made of."""
    info, table, metadata = (arrow(t) for t in (info, table, metadata))
    keys = {cells.text(k) for t in (info, metadata) for k in t["key"].to_pylist()}
    names, id_ = table.column_names, _id_column(table.column_names)
    return [n for n in names if n not in keys and n != id_ and not _WEIGHT.fullmatch(n)]


def _weights(table: pa.Table, survey: str) -> pa.Array:
    names = [n for n in table.column_names if _WEIGHT.fullmatch(n)]
    if len(names) > 1:
        raise ValueError(f"{survey}: responses has several columns of weights: {names}; keep one")
    if not names:
        return pa.array([1.0] * table.num_rows, pa.float64())
    return pa.array(cells.weights(table[names[0]], names[0], survey), pa.float64())


def _attributes(
    info: pa.Table, table: pa.Table, metadata: pa.Table, survey: str
) -> dict[str, list[str]]:
    """Return the options metadata lists, by attribute."""
    where = f"{survey}: metadata"
    require(metadata, ("key",), where)
    require(info, ("key",), f"{survey}: info")
    asked = {cells.text(key) for key in info["key"].to_pylist()}
    out: dict[str, list[str]] = {}
    for number, row in enumerate(metadata.to_pylist(), start=1):
        key = cells.text(row["key"])
        if not key or key in out:
            fault = "is blank" if not key else "appears twice"
            raise ValueError(f"{where}, column 'key', row {number}: the key {key!r} {fault}")
        if key in asked:
            # Attributes are shown to every model: a held-out answer would go with them.
            raise ValueError(f"{where}, column 'key', row {number}: {key!r} is a question in info")
        if _WEIGHT.fullmatch(key):
            continue
        options = cells.literal(
            row.get("options"),
            list,
            table=where,
            column="options",
            row=f"row {number} (key {key!r})",
        )
        out[key] = [cells.text(option) for option in options]
    require(table, out, f"{survey}: responses (for the attributes of metadata)")
    return out


def listed(metadata: Any) -> dict[str, list[str]]:
    """Return the values that metadata lists, by attribute; raises ValueError as `respondents`."""
    table = arrow(metadata)
    require(table, ("key",), "metadata")
    out = {}
    for number, row in enumerate(table.to_pylist(), start=1):
        key = cells.text(row["key"])
        where = f"row {number} (key {key!r})"
        given = row.get("options")
        values = cells.literal(given, list, table="metadata", column="options", row=where)
        out[key] = [cells.text(value) for value in values]
    return out


def codes(info: Any, metadata: Any, survey: str) -> dict[str, dict[str, str]]:
    """Return texts by code of the survey's own file, by question or attribute that has such.

    Parameters
    ----------
    info, metadata : tables of a survey; `option_mapping` of either has the codes. survey : its
        name, for messages.

    Raises
    ------
    ValueError : as `questions` and `respondents`.
    """
    out = {q.key: dict(q.codes) for q in _questions.read(arrow(info), survey) if q.codes}
    for number, row in enumerate(arrow(metadata).to_pylist(), start=1):
        key, given = cells.text(row["key"]), row.get("option_mapping")
        where = f"row {number} (key {key!r})"
        found = cells.literal(given, dict, table="metadata", column="option_mapping", row=where)
        if found:
            out[key] = {cells.code(code): cells.text(text) for code, text in found.items()}
    return out


def _attribute(column: pa.ChunkedArray, options: list[str]) -> list[str]:
    """Return an attribute's values as text, '' where blank."""
    if pa.types.is_boolean(column.type):
        # A reader of typed CSV turns a column of Yes and No into booleans; the options tell.
        yes = next((o for o in options if o.casefold() in ("yes", "true", "y", "t")), "True")
        no = next((o for o in options if o.casefold() in ("no", "false", "n", "f")), "False")
        column = pc.if_else(column, yes, no)
    texts = [cells.text(value) for value in column.to_pylist()]
    return ["" if t.casefold() in cells.ABSENT and t not in options else t for t in texts]
