"""Imputed sets as one sheet for SPSS, Stata and R: a row a person and set, a column a question."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lupom.science.inputs import Rows, arrow, columns_of, require
from lupom.science.planning.numbers import NUMBER
from lupom.science.planning.questionnaire import NOT_ASKED, few
from lupom.science.predictors.task import HIDDEN, Ints
from lupom.science.surveys.columns import unique
from lupom.science.tables import option_codes

COLUMNS = pa.schema(
    [
        ("column", pa.string()),
        ("kind", pa.string()),
        ("key", pa.string()),
        ("label", pa.string()),
        ("options", pa.list_(pa.string())),
        ("codes", pa.list_(pa.float64())),
        ("measure", pa.string()),
    ]
)
GAPS = pa.schema(
    [
        ("survey", pa.string()),
        ("respondent_id", pa.string()),
        ("column", pa.string()),
        ("label", pa.string()),
        ("code", pa.string()),
    ]
)
NUMERIC = "numeric"
# SPSS takes a file for one of imputed sets by this name; 0 is what was there before.
SET = "Imputation_"
# The number that an option begins with: '10', '0 not at all', '89 or older', not '18-29'.
_BEGINS = re.compile(r"(-?\d+(?:\.\d+)?)(?![\d.,]|\s?[-\u2013\u2014]\s?\d)")
_HEAD = (
    (SET, "set", "Imputed set; 0: the answers as they are", "nominal"),
    ("survey", "survey", "Survey", "nominal"),
    ("respondent_id", "respondent", "Respondent", "nominal"),
    ("weight", "weight", "Survey weight", "scale"),
    ("cluster", "cluster", "Sampling unit", "nominal"),
    ("stratum", "stratum", "Stratum", "nominal"),
)


def columns(
    respondents: Any,
    questions: Any,
    *,
    designs: Any = None,
    labels: Any = None,
    values: Mapping[str, Mapping[str, Sequence[str]]] | None = None,
    codes: Mapping[str, Mapping[str, Mapping[str, str]]] | None = None,
) -> pa.Table:
    """Return the columns of the sheet, in their order, and what each says.

    Parameters
    ----------
    respondents : survey, respondent_id, weight, attributes.
    questions : survey, question_id, options, kind, battery, item and question, in their order;
        those that are answered in texts have no column.
    designs : cluster and stratum, for surveys that tell them.
    labels : survey, attribute and label: attributes in words.
    values : the values of attributes in their order, by survey and attribute.
    codes : texts by the code of the survey's own file, by survey and question or attribute.

    Returns
    -------
    A row a column: column (its name, each once), kind ('set', 'survey', 'respondent', 'weight',
    'cluster', 'stratum', 'attribute', 'question' or 'number', a question answered in numbers), key
    (the attribute or question), label, options (of texts, in their order; null where there are
    none), codes (of the options, in the file, where each has a number of its own in all surveys;
    null otherwise), measure ('nominal', 'ordinal' or 'scale').
    """
    people, asked = arrow(respondents), arrow(questions)
    require(people, ("survey", "respondent_id", "weight", "attributes"), "respondents")
    require(asked, ("survey", "question_id", "options", "kind", "item", "battery"), "questions")
    told = set() if designs is None else _told(arrow(designs))
    rows: list[tuple[Any, ...]] = [
        (name, kind, None, label, None, measure)
        for name, kind, label, measure in _HEAD
        if kind not in ("cluster", "stratum") or kind in told
    ]
    words = {} if labels is None else _words(arrow(labels))
    listed: dict[str, dict[str, None]] = {}
    for given in (values or {}).values():
        for name, some in given.items():
            listed.setdefault(name, {}).update(dict.fromkeys(some))
    found = _values(people["attributes"])
    # In the survey's order where it is told.
    named = [name for name in words if name in found]
    for name in [*named, *sorted(set(found) - set(named))]:
        options = list(dict.fromkeys([*listed.get(name, ()), *sorted(found[name])]))
        rows.append((name, "attribute", name, words.get(name, name), options, "nominal"))
    questions_of: dict[str, dict[str, Any]] = {}
    for one in asked.to_pylist():
        before = questions_of.setdefault(one["question_id"], {**one, "options": {}})
        before["options"].update(dict.fromkeys(one["options"] or ()))
    for name, one in questions_of.items():
        if one["options"]:
            measure = "ordinal" if one["kind"] == "ordinal" else "nominal"
            rows.append((name, "question", name, _wording(one), list(one["options"]), measure))
        elif one["kind"] == NUMERIC:
            rows.append((name, "number", name, _wording(one), None, "scale"))
    taken: list[str] = []
    for row in rows:
        taken.append(unique(str(row[0]), taken))
    of_file = [dict(own) for own in (codes or {}).values()]
    out = []
    for column, (_, kind, key, label, options, measure) in zip(taken, rows, strict=True):
        coded = None if options is None else _codes(options, [own.get(key, {}) for own in of_file])
        parts = (column, kind, key, label, options, coded, measure)
        out.append(dict(zip(COLUMNS.names, parts, strict=True)))
    return pa.Table.from_pylist(out, schema=COLUMNS)


def sheet(
    columns: Any, imputations: Any, responses: Any, respondents: Any, *, designs: Any = None
) -> pa.RecordBatchReader:
    """Return the imputed sets of surveys that have such: for each set all people, by set.

    Parameters
    ----------
    columns : as `columns` returns them.
    imputations : survey, imputation, respondent_id, question_id, answer.
    responses : survey, respondent_id, question_id, answer.
    respondents, designs : as `columns` takes them.

    Returns
    -------
    A reader, a batch for each set and survey, set 0 (the answers as they are) first. Texts, numbers
    of the kind 'number', which are as they were answered in all sets, and null for what is not
    known; people are in the same order in each set.
    """
    plan = arrow(columns).to_pylist()
    drawn, known, people = arrow(imputations), arrow(responses), arrow(respondents)
    require(
        drawn, ("survey", "imputation", "respondent_id", "question_id", "answer"), "imputations"
    )
    types = {"set": pa.int64(), "weight": pa.float64(), "number": pa.float64()}
    schema = pa.schema([(row["column"], types.get(row["kind"], pa.string())) for row in plan])
    told = None if designs is None else arrow(designs)
    surveys = sorted(pc.unique(drawn["survey"]).to_pylist())

    def batches() -> Iterator[pa.RecordBatch]:
        sheets = []
        for survey in surveys:
            own = (
                None if t is None else t.filter(pc.equal(t["survey"], survey))
                for t in (drawn, known, people, told)
            )
            sheets.append(_Sheet(survey, plan, schema, *own))
        for number in range(1 + max((one.sets for one in sheets), default=-1)):
            for one in sheets:
                yield one.batch(number)

    return pa.RecordBatchReader.from_batches(schema, batches())


def not_imputed(columns: Any, imputations: Any, responses: Any) -> list[str]:
    """Return a sentence for each survey with sets in which numbers have gaps, which stay.

    Parameters
    ----------
    columns, imputations : as `sheet` takes them. responses : with status.
    """
    numbers = [row["key"] for row in arrow(columns).to_pylist() if row["kind"] == "number"]
    if not numbers:
        return []
    sets, out = set(Rows(imputations).distinct("survey")), []
    rows = columns_of(responses, ("survey", "question_id", "status"), "responses")
    gap = pc.and_(
        pc.equal(rows["status"], NOT_ASKED),
        pc.is_in(rows["question_id"], pa.array(numbers, pa.string())),
    )
    rows = rows.filter(gap)
    for survey in sorted(sets & set(rows["survey"].unique().to_pylist())):
        own = rows.filter(pc.equal(rows["survey"], survey))
        names = own["question_id"].unique().to_pylist()
        out.append(
            f"{survey}: {few(names)} {'is' if len(names) == 1 else 'are'} answered in"
            f" numbers, which are not imputed: {len(own):,}"
            f" {'gap stays' if len(own) == 1 else 'gaps stay'} (bins in the codebook make"
            " options of them)"
        )
    return out


def gaps(columns: Any, imputations: Any, unanswered: Any) -> pa.Table:
    """Return who was asked and gave no answer, where no set has one, of surveys that have sets.

    Parameters
    ----------
    columns, imputations : as `sheet` takes them. unanswered : as `unanswered.unanswered` returns.

    Returns
    -------
    A row a person and column of the sheet: label and code, of the survey's file.
    """
    drawn, said = arrow(imputations), arrow(unanswered)
    key = ["survey", "respondent_id", "question_id"]
    require(drawn, key, "imputations")
    surveys = pc.unique(drawn["survey"].combine_chunks())
    said = said.filter(pc.is_in(said["survey"], value_set=surveys))
    filled = drawn.select(key).group_by(key).aggregate([])
    kept = said.join(filled, key, join_type="left anti")
    asked = [r for r in arrow(columns).to_pylist() if r["kind"] in ("question", "number")]
    at = pc.index_in(kept["question_id"], pa.array([r["key"] for r in asked], pa.string()))
    kept, at = kept.filter(pc.is_valid(at)), at.drop_null()
    names = pa.array([r["column"] for r in asked], pa.string()).take(at)
    out = kept.append_column("column", names).select(GAPS.names).cast(GAPS)
    return out.sort_by([(name, "ascending") for name in ("survey", "column", "respondent_id")])


def unfilled(gaps: Any) -> list[str]:
    """Return a sentence for each survey in which who was asked has no answer in any set."""
    counts = Counter(arrow(gaps)["survey"].to_pylist())
    return [
        f"{survey}: {n:,} refusals and don't knows stay (blank; in SPSS and Stata missing values of"
        " the user's); imputation_gaps fills them"
        for survey, n in sorted(counts.items())
    ]


class _Sheet:
    """The sheet of one survey: what is the same in all sets, and the answers of each."""

    def __init__(
        self,
        survey: str,
        plan: list[dict[str, Any]],
        schema: pa.Schema,
        drawn: pa.Table,
        known: pa.Table,
        people: pa.Table,
        designs: pa.Table | None,
    ) -> None:
        self._plan, self._schema = plan, schema
        people = people.sort_by("respondent_id")
        self._ids = people["respondent_id"].combine_chunks()
        self._questions = [row for row in plan if row["kind"] == "question"]
        self._keys = pa.array([row["key"] for row in self._questions], pa.string())
        self._options = [row["options"] or [] for row in self._questions]
        self._answers = np.full((len(self._ids), len(self._keys)), HIDDEN, dtype=np.int64)
        self._fill(self._answers, known)
        self._drawn = {
            number: drawn.filter(pc.equal(drawn["imputation"], number))
            for number in pc.unique(drawn["imputation"]).to_pylist()
        }
        self.sets = max(self._drawn, default=0)
        maps = [dict(given or {}) for given in people["attributes"].to_pylist()]
        self._same: dict[str, pa.Array] = {}
        for row in plan:
            if row["kind"] == "attribute":
                said = [given.get(row["key"]) or None for given in maps]
                self._same[row["column"]] = pa.array(said, pa.string())
            elif row["kind"] == "survey":
                self._same[row["column"]] = pa.repeat(survey, len(self._ids))
            elif row["kind"] == "respondent":
                self._same[row["column"]] = self._ids
            elif row["kind"] == "weight":
                self._same[row["column"]] = people["weight"].combine_chunks().cast(pa.float64())
            elif row["kind"] in ("cluster", "stratum"):
                self._same[row["column"]] = self._design(designs, row["kind"])
            elif row["kind"] == "number":
                self._same[row["column"]] = self._numbers(known, row["key"])

    def _design(self, designs: pa.Table | None, name: str) -> pa.Array:
        if designs is None or not len(designs):
            return pa.nulls(len(self._ids), pa.string())
        at = pc.index_in(self._ids, designs["respondent_id"].combine_chunks())
        return designs[name].combine_chunks().take(at)

    def _numbers(self, known: pa.Table, question: str) -> pa.Array:
        own = known.filter(pc.equal(known["question_id"], question))
        at = pc.index_in(self._ids, own["respondent_id"].combine_chunks())
        # Of another survey it may have options, which are no numbers.
        texts = own["answer"].combine_chunks()
        number = pc.match_substring_regex(texts, NUMBER)
        return pc.if_else(number, texts, None).cast(pa.float64()).take(at)

    def _fill(self, answers: Ints, rows: pa.Table) -> None:
        at = pc.index_in(rows["question_id"], self._keys)
        rows, at = rows.filter(pc.is_valid(at)), at.drop_null()
        columns = np.asarray(at, dtype=np.int64)
        people = np.asarray(pc.index_in(rows["respondent_id"], self._ids), dtype=np.int64)
        answers[people, columns] = option_codes(rows["answer"], columns, self._options)

    def batch(self, number: int) -> pa.RecordBatch:
        answers = self._answers
        if number in self._drawn:
            answers = answers.copy()
            self._fill(answers, self._drawn[number])
        place = {row["column"]: i for i, row in enumerate(self._questions)}
        arrays = []
        for row in self._plan:
            name = row["column"]
            if name in place:
                codes = answers[:, place[name]]
                indices = pa.array(codes, pa.int32(), mask=codes == HIDDEN)
                arrays.append(pa.array(row["options"], pa.string()).take(indices))
            elif row["kind"] == "set":
                arrays.append(pa.array(np.full(len(self._ids), number)))
            else:
                arrays.append(self._same[name])
        return pa.RecordBatch.from_arrays(arrays, schema=self._schema)


def _codes(options: Sequence[str], own: Sequence[Mapping[str, str]]) -> list[float] | None:
    """Return the code of each option; None where one has none or several, or another's.

    Of a file without codes options that are numbers are their own: a mean of answers from 0 to 10
    is one, and not one of places from 1 to 11.

    Parameters
    ----------
    own : texts by code, of each survey.
    """
    found: dict[str, set[float]] = {text: set() for text in options}
    for texts in own:
        for code, text in texts.items():
            if text in found and re.fullmatch(NUMBER, code):
                found[text].add(float(code))
    if not any(found.values()):
        found = {text: {float(number[1])} for text in options if (number := _BEGINS.match(text))}
        if 2 * sum(re.fullmatch(NUMBER, text) is not None for text in options) < len(options):
            return None
    out = [min(codes) for codes in found.values() if len(codes) == 1]
    return out if len(out) == len(options) and len(set(out)) == len(out) else None


def _words(labels: pa.Table) -> dict[str, str]:
    return {row["attribute"]: row["label"] for row in labels.to_pylist() if row["label"]}


def _values(attributes: pa.ChunkedArray) -> dict[str, set[str]]:
    """Return the values of each attribute that anybody has."""
    found: dict[str, set[str]] = {}
    for part in attributes.chunks:
        # Of a million people only what differs becomes Python's.
        pairs = pa.table({"name": part.keys, "value": part.items})
        for row in pairs.group_by(["name", "value"]).aggregate([]).to_pylist():
            if row["value"]:
                found.setdefault(row["name"], set()).add(row["value"])
    return found


def _told(designs: pa.Table) -> set[str]:
    """Return which of cluster and stratum anybody has."""
    return {n for n in ("cluster", "stratum") if designs[n].null_count < len(designs)}


def _wording(question: Mapping[str, Any]) -> str:
    """Return what tells a question of a battery first: programs cut labels."""
    item, battery = (" ".join(str(question[k] or "").split()) for k in ("item", "battery"))
    return f"{item} ({battery})" if battery else item or str(question["question_id"])
