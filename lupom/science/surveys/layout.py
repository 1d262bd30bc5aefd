"""A file and its codebook as the three tables of OpinionQA's layout, which the models read."""

from __future__ import annotations

import csv
import difflib
import io
import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from lupom.arrow_columns import texts
from lupom.science.surveys import cells, labels, opinionqa
from lupom.science.surveys.codebook import Attribute, Codebook, Question
from lupom.science.surveys.columns import Column, File

Rows = list[list[str]]

_CANONICAL = {labels.REFUSED: "Refused", labels.DONT_KNOW: "Don't know"}
INFO = ("key", "question", "option_mapping", "references", "option_ordinal", "topic", "kind")


@dataclass
class Layout:
    """The three tables, as rows of text with their header first, and what they hold.

    `answers` counts statuses, `options` those of each question, `unread` are columns of responses
    that no table is made of, `notes` say what was noticed while they were read.
    """

    info: Rows
    responses: Rows
    metadata: Rows
    answers: dict[str, int] = field(default_factory=dict)
    unread: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    options: dict[str, int] = field(default_factory=dict)

    def check(self, survey: str) -> None:
        """Read the tables as the models do; raises ValueError for what would fail there."""
        info, responses, metadata = map(arrow, (self.info, self.responses, self.metadata))
        asked = opinionqa.questions({survey: info}).to_pylist()
        self.options = {q["question_id"]: len(q["options"]) for q in asked}
        opinionqa.respondents({survey: (info, responses, metadata)})
        statuses = opinionqa.responses({survey: (info, responses)})["status"]
        counted = statuses.value_counts().to_pylist()
        self.answers = {row["values"]: row["counts"] for row in counted}
        self.unread = opinionqa.unread(info, responses, metadata)
        self.notes += opinionqa.id_notes({survey: responses.column_names})

    @property
    def attributes(self) -> dict[str, int]:
        """Return how many options each attribute has."""
        key, options = self.metadata[0].index("key"), self.metadata[0].index("options")
        return {
            row[key]: len(cells.literal(row[options], list, table="", column="", row=""))
            for row in self.metadata[1:]
        }


def build(file: File, codebook: Codebook) -> Layout:
    """Return the tables of a file as its codebook describes it, checked.

    Raises
    ------
    ValueError : naming file, column and row of a value that is not an option, an id that is there
        twice, a weight that is not a number; or the codebook's column that the file has not.
    """
    columns = {c.name: c for c in file.columns}
    _check_columns(columns, codebook, file.name)
    if not codebook.questions:
        raise ValueError(f"{file.name}: the codebook has no questions")
    numbers = any(question.is_number for question in codebook.questions)
    info: Rows = [[*INFO, *(["range"] if numbers else [])]]
    header, body = ["index"], [_ids(columns, codebook, file)]
    for question in codebook.questions:
        row, values = _asked(columns[question.column], question, file.name)
        info.append([*row, *[""] * (len(info[0]) - len(row))])
        header.append(question.key)
        body.append(values)
    coded = any(_coded(attribute) for attribute in codebook.attributes)
    metadata: Rows = [["key", "options", "label", *(["option_mapping"] if coded else [])]]
    for attribute in codebook.attributes:
        row, values = _known(columns[attribute.column], attribute, file.name)
        metadata.append([*row, _mapping(attribute)] if coded else row)
        header.append(attribute.name)
        body.append(values)
    if codebook.weight is not None:
        name = codebook.weight
        header.append(name if re.fullmatch(r"weight(_.*)?", name, re.I) else "weight")
        body.append(_weights(columns[name], file.name))
    for name in codebook.design:
        header.append(name)
        body.append(list(columns[name].values))
    folded = [h.casefold() for h in header]
    twice = next((h for h in header if folded.count(h.casefold()) > 1), None)
    if twice is not None:
        raise ValueError(f"{file.name}: two columns are called {twice!r}; give one another name")
    layout = Layout(info, [header, *map(list, zip(*body, strict=True))], metadata)
    layout.check(codebook.survey)
    layout.unread = [name for name in layout.unread if name not in codebook.design]
    return layout


def arrow(rows: Rows) -> pa.Table:
    """Return rows, header first, as an Arrow table of texts."""
    columns = zip(*rows[1:], strict=True) if len(rows) > 1 else ([] for _ in rows[0])
    return pa.Table.from_arrays(
        [texts(list(column)) for column in columns], names=[str(name) for name in rows[0]]
    )


def text(rows: Rows) -> str:
    """Return rows as CSV."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue()


def _check_columns(columns: dict[str, Column], codebook: Codebook, name: str) -> None:
    for column in codebook.columns:
        if column not in columns:
            close = difflib.get_close_matches(column, columns, n=1)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            raise ValueError(f"{name} has no column {column!r}, which the codebook names{hint}")


def _ids(columns: dict[str, Column], codebook: Codebook, file: File) -> list[str]:
    if codebook.id is None:
        return [str(i) for i in range(1, file.rows + 1)]
    seen: dict[str, int] = {}
    for row, value in enumerate(columns[codebook.id].values, 1):
        where = f"{file.name}, column {codebook.id!r}, row {row}"
        if not value:
            raise ValueError(f"{where}: the respondent's id is blank")
        if value in seen:
            raise ValueError(
                f"{where}: the id {value!r} is also that of row {seen[value]}; if rows are not "
                f"respondents' own, leave 'id' empty in the codebook to number them"
            )
        seen[value] = row
    return list(seen)


def _weights(column: Column, name: str) -> list[str]:
    for row, value in enumerate(column.values, 1):
        try:
            good = float(value) >= 0 and math.isfinite(float(value))
        except ValueError:
            good = False
        if not good:
            raise ValueError(
                f"{name}, column {column.name!r}, row {row}: a weight is a number of at least 0, "
                f"not {value!r}; name another column of weights in the codebook, or none"
            )
    return list(column.values)


def _asked(column: Column, q: Question, name: str) -> tuple[list[str], list[str]]:
    """Return a question's row of info, and its column of responses as texts."""
    said = dict.fromkeys(q.not_asked, "")
    for status, codes in ((labels.REFUSED, q.refused), (labels.DONT_KNOW, q.dont_know)):
        for code in codes:
            # The file's own word where it says the same, as OpinionQA's tables have it.
            own = column.labels.get(code, code)
            said[code] = own if labels.nonresponse(own) == status else _CANONICAL[status]
    if q.is_number:
        return _numbers(column, q, _unsaid(column, said), name)
    # A code that says it is not an answer is not a number, whether the codebook has it or not.
    if q.bins:
        said = _unsaid(column, said)
    options = list(ranges(q.bins, column.values)) if q.bins else list(q.options.values())
    for option in options:
        if not cells.text(option):
            raise ValueError(
                f"{name}, column {column.name!r}: the option {option!r} is blank; leave it out"
            )
    for option in labels.among(options):
        raise ValueError(
            f"{name}, column {column.name!r}: the option {option!r} reads as no answer; put "
            f"its code under refused, dont_know or not_asked, or give it another text"
        )
    texts = _decoded(column, q.options, q.bins, said, name)
    used = dict.fromkeys(v for v in said.values() if v)
    references = [*options, *used]
    positions: list[Any] = list(q.positions)
    if q.bins or (q.kind == "ordinal" and not positions):
        positions = [float(i) for i in range(1, len(options) + 1)]
    mapping: dict[Any, str] = {}
    if not q.bins and any(code != label for code, label in q.options.items()):
        mapping = {_plain(c): label for c, label in q.options.items()}
        mapping |= {_plain(c): label for c, label in said.items() if label}
    elif q.bins:
        mapping = _codes_of(said)
    if len({cells.code(c) for c in mapping}) < len(mapping):
        mapping = {}  # the responses hold texts; the codes are for who reads the table
    cells_ = (
        repr(mapping) if mapping else "",
        repr(references),
        repr(positions) if positions else "",
    )
    kind = "ordinal" if q.bins else q.kind  # ranges of numbers are predicted as steps of a scale
    return [q.key, q.question, *cells_, q.topic, kind], texts


def _codes_of(said: dict[str, str]) -> dict[Any, str]:
    """Return the codes of refusals and the like, which an export gives back, and their texts."""
    return {_plain(code): text for code, text in said.items() if text and text != code}


def _numbers(
    column: Column, q: Question, said: dict[str, str], name: str
) -> tuple[list[str], list[str]]:
    """Return row and column of a question that is answered by a number."""
    loosely = {cells.code(code): text for code, text in said.items()}
    texts = []
    for row, value in enumerate(column.values, 1):
        text = loosely.get(cells.code(value), value)
        if text == value and value and not _is_number(value):
            raise ValueError(
                f"{name}, column {column.name!r}, row {row}: {value!r} is not a number; fix the "
                f"file, or put it under refused, dont_know or not_asked in the codebook"
            )
        texts.append(text)
    used = list(dict.fromkeys(text for text in said.values() if text))
    limits = repr([_short(limit) for limit in q.range]) if q.range else ""
    mapping = _codes_of(said)
    if len({cells.code(code) for code in mapping}) < len(mapping):
        mapping = {}
    given = repr(mapping) if mapping else ""
    return [q.key, q.question, given, repr(used), "", q.topic, q.kind, limits], texts


def _is_number(value: str) -> bool:
    try:
        return math.isfinite(float(value))
    except ValueError:
        return False


def _short(number: float) -> float:
    return int(number) if float(number).is_integer() else number


def _unsaid(column: Column, said: dict[str, str]) -> dict[str, str]:
    """Add the codes whose labels, or the file, say that they are not answers."""
    told = labels.among(column.labels.values())
    out = dict(said)
    for code, label in column.labels.items():
        if code not in out and label in told:
            out[code] = "" if told[label] == labels.NOT_ASKED else label
    return out | {code: "" for code in column.missing if code not in out}


def _known(column: Column, a: Attribute, name: str) -> tuple[list[str], list[str]]:
    """Return an attribute's row of metadata, and its column of responses."""
    said = dict.fromkeys(a.blank, "")
    if a.bins:  # refusals and the like among the numbers stay as they are
        # As codes with labels, or as words where the file has these.
        words = {v: v for v in dict.fromkeys(column.values) if not _is_number(v)}
        told = labels.among({**words, **column.labels}.values())
        for code, label in {**words, **column.labels}.items():
            if code not in said and label in told:
                said[code] = "" if told[label] == labels.NOT_ASKED else label
        said |= {c: "" for c in column.missing if c not in said}
    texts = _decoded(column, a.options, a.bins, said, name)
    options = list(ranges(a.bins, column.values)) if a.bins else list(a.options.values())
    options += [v for v in dict.fromkeys(said.values()) if v and v not in options]
    return [a.name, repr(options), a.label], texts


def _coded(a: Attribute) -> bool:
    return not a.bins and any(code != label for code, label in a.options.items())


def _mapping(a: Attribute) -> str:
    """Return an attribute's values by code, where the file has codes; blank ones say nothing."""
    return repr({_plain(code): label for code, label in a.options.items()}) if _coded(a) else ""


def _decoded(
    column: Column, options: dict[str, str], bins: list[float], said: dict[str, str], name: str
) -> list[str]:
    by_code = {"": "", **options, **said}
    # A code can be written in several ways, unless the codebook tells those apart.
    written = Counter(map(cells.code, by_code))
    loosely = {cells.code(c): t for c, t in by_code.items() if written[cells.code(c)] == 1}
    by_label = {label.casefold(): label for label in options.values()}
    texts = ranges(bins, column.values) if bins else []
    out, found = [], {}
    for row, value in enumerate(column.values, 1):
        if value not in found:
            text = by_code.get(value)
            if text is None:
                text = loosely.get(cells.code(value))
            if text is None and bins:
                text = range_of(value, bins, texts)
            if text is None:
                text = by_label.get(value.casefold())
            if text is None:
                close = difflib.get_close_matches(value, [*options, *options.values()], n=1)
                hint = f"; did you mean {close[0]!r}?" if close else ""
                known = "a number" if bins else f"one of the options {list(options.items())[:12]}"
                raise ValueError(
                    f"{name}, column {column.name!r}, row {row}: {value!r} is not {known}{hint}; "
                    f"fix the file, or add it to the codebook"
                )
            found[value] = text
        out.append(found[value])
    return out


def ranges(bins: Sequence[float], values: Sequence[str]) -> list[str]:
    """Return the texts of the ranges that edges make: below the first, between, from the last."""
    if not bins:
        return []
    whole = all(float(b).is_integer() for b in bins) and not any("." in v for v in values)
    edges = [f"{int(b):,}" if float(b).is_integer() else f"{b:g}" for b in bins]
    between = [
        (f"{edges[i]} to {int(bins[i + 1]) - 1:,}" if bins[i + 1] - bins[i] > 1 else edges[i])
        if whole
        else f"{edges[i]} to below {edges[i + 1]}"
        for i in range(len(bins) - 1)
    ]
    return [f"Below {edges[0]}", *between, f"{edges[-1]} or more"]


def range_of(value: str, bins: Sequence[float], texts: Sequence[str]) -> str | None:
    """Return which of the ranges a number is in; None for what is no number."""
    try:
        number = float(value)
    except ValueError:
        return None
    return texts[sum(number >= edge for edge in bins)] if math.isfinite(number) else None


def _plain(code: str) -> Any:
    try:
        number = float(code)
    except ValueError:
        return code
    if cells.code(code) != code or not math.isfinite(number):
        return code
    return int(number) if number.is_integer() else number
