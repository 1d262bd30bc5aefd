"""A file of predictions that were made elsewhere, read against the survey it is of."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any

from lupom.science.surveys import cells, tables
from lupom.science.surveys.columns import Column, File, slug
from lupom.science.surveys.layout import range_of
from lupom.science.surveys.questions import Question

# What a column may be called, beside its role's own name.
ROLES: Mapping[str, tuple[str, ...]] = {
    "respondent_id": ("respondent", "person", "person_id", "participant", "participant_id", "id"),
    "question_id": ("question", "question_key", "item", "item_id", "variable", "key"),
    "survey": (),
    "answer": ("prediction", "predicted", "predicted_answer", "response"),
    "probabilities": ("distribution", "probs"),
    "option": ("category",),
    "probability": ("prob", "share"),
    "number": ("value", "predicted_value"),
    "llm": ("model",),
    "setting": ("prompt", "condition"),
    "cost": ("cost_usd", "price"),
}
HEADER = (
    *("survey", "respondent_id", "question_id", "setting", "llm"),
    *("answer", "probabilities", "number", "cost"),
)
# The column of `lupom predict` that says why there is no prediction.
RULED_OUT = "ruled_out_by"
_EXAMPLES = 3

# A text, and what it may be by what it is called: the one option that it spells otherwise, or None.
Meant = Callable[[str, Mapping[str, str]], str | None]


@dataclass(frozen=True)
class Asked:
    """A question, the column it came from, and the edges of its ranges where it has such."""

    question: Question
    column: str
    bins: Sequence[float] = ()


@dataclass(frozen=True)
class Known:
    """The survey that predictions are of: questions by id, respondents, and the ids' column."""

    survey: str
    questions: Mapping[str, Asked]
    respondents: Sequence[str]
    id: str | None = None


@dataclass
class Predicted:
    """Rows that fit, as HEADER names their columns, and a line for each thing that does not."""

    rows: list[list[str]]
    form: str
    notes: list[str] = field(default_factory=list)
    invalid: int = 0


def open_file(path: Path, *, encoding: str | None = None) -> File:
    """Read a CSV, Excel or Parquet file as columns of text; maps and lists as JSON."""
    file = tables.read(path, encoding=encoding)
    if path.suffix.lower() == ".parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        data = pq.read_table(path)
        for column, found in zip(file.columns, data.columns, strict=True):
            if pa.types.is_nested(found.type):
                column.values = [_json(value) for value in found.to_pylist()]
    return file


def read(
    file: File,
    known: Known,
    meant: Meant,
    *,
    columns: Mapping[str, str] | None = None,
    llm: str = "",
    setting: str = "",
) -> Predicted:
    """Read predictions, one a row or a column for each question.

    Parameters
    ----------
    file : its columns. With a column of questions a row is a prediction (or, with option and
        probability, one option of it); without, a row is a respondent and columns are questions. A
        row that `lupom predict` wrote of what a person is not asked is none.
    known : the survey.
    meant : which option a text means that is none as it stands, nor one of the question's codes.
    columns : the file's column by role (a key of ROLES), where it is not called as one.
    llm, setting : of rows that do not say it themselves.

    Raises
    ------
    ValueError : where columns cannot be found, nothing fits, or a pair is predicted twice.
    """
    found = _columns(file, known, columns or {})
    wide = "question_id" not in found
    reader = _Reader(known, meant)
    ruled = next((c for c in file.columns if c.name == RULED_OUT), None)
    rows = _wide(file, found, known, reader) if wide else _long(found, ruled)
    out = Predicted([], "a column for each question" if wide else "one prediction a row")
    seen: dict[tuple[str, ...], int] = {}
    for line, said in rows:
        said["llm"], said["setting"] = said.get("llm") or llm, said.get("setting") or setting
        row = reader.row(said)
        if row is None:
            continue
        key = tuple(row[:5])
        if key in seen:
            raise ValueError(
                f"{file.name}: rows {seen[key]} and {line} both predict the answer of "
                f"{row[1]} to {row[2]}; give each a 'setting' or 'llm' of its own, or draws as "
                f"probabilities"
            )
        seen[key] = line
        out.rows.append(row)
    out.notes, out.invalid = [*reader.notes()], sum(reader.unread.values())
    if not out.rows or out.invalid == len(out.rows):
        raise ValueError(f"{file.name}: nothing fits the survey {known.survey}: " + _and(out.notes))
    return out


def _columns(file: File, known: Known, given: Mapping[str, str]) -> dict[str, Column]:
    """Return the file's column of each role that has one."""
    there = {column.name: column for column in file.columns}
    found: dict[str, Column] = {}
    for role, name in given.items():
        if role not in ROLES:
            raise ValueError(f"there is no role {role!r}{_near(role, ROLES)}: {', '.join(ROLES)}")
        if name not in there:
            raise ValueError(f"{file.name}: there is no column {name!r}{_near(name, there)}")
        found[role] = there[name]
    slugs = {slug(name): column for name, column in there.items()}
    questions = {slug(word) for q, asked in known.questions.items() for word in (q, asked.column)}
    for role, others in ROLES.items():
        names = [role, *others, *([known.id] if role == "respondent_id" and known.id else [])]
        free = [slug(n) for n in names if slug(n) in slugs and slug(n) not in questions]
        for name in free:
            if slugs[name] not in found.values():
                found.setdefault(role, slugs[name])
    if "respondent_id" not in found:
        people = set(known.respondents)
        shares = {c.name: sum(v in people for v in c.values) for c in file.columns}
        best = max(shares, key=lambda name: shares[name])
        if shares[best] * 2 < file.rows:
            raise ValueError(
                f"{file.name}: which column has the respondents? None is called 'respondent_id' or "
                f"holds those of {known.survey}; say it with --column respondent_id=NAME. "
                f"Columns: {', '.join(list(there)[:20])}"
            )
        found["respondent_id"] = there[best]
    said = {"answer", "number", "probabilities"} & found.keys()
    if "question_id" in found and not said and not {"option", "probability"} <= found.keys():
        raise ValueError(
            f"{file.name}: which column has the predictions? None is called 'answer', 'number' or "
            f"'probabilities'; say it with --column answer=NAME. "
            f"Columns: {', '.join(list(there)[:20])}"
        )
    return found


def _long(
    found: Mapping[str, Column], ruled: Column | None
) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield each prediction of a file with one a row, and its row's number.

    Parameters
    ----------
    ruled : says of a row why there is no prediction; blank where there is one.
    """
    names = list(found)
    lines = zip(*(column.values for column in found.values()), strict=True)
    rows = (
        (i, dict(zip(names, line, strict=True)))
        for i, line in enumerate(lines, 1)
        if ruled is None or not ruled.values[i - 1]
    )
    if not {"option", "probability"} <= found.keys() or "probabilities" in found:
        yield from rows
        return
    spreads: dict[tuple[str, ...], tuple[int, dict[str, str], list[list[str]]]] = {}
    for number, row in rows:
        option, share = row.pop("option"), row.pop("probability")
        key = tuple(row.get(name, "") for name in HEADER[:5])
        spreads.setdefault(key, (number, row, []))[2].append([option, share])
    for number, row, spread in spreads.values():
        yield number, row | {"probabilities": json.dumps(spread, ensure_ascii=False)}


def _wide(
    file: File, found: Mapping[str, Column], known: Known, reader: _Reader
) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield each prediction of a file with a column for each question, and its row's number."""
    roles = {r: c for r, c in found.items() if r in ("respondent_id", "llm", "setting", "cost")}
    asked = {
        column.name: reader.question(column.name)
        for column in file.columns
        if not any(column is taken for taken in roles.values())
    }
    strange = [name for name, question in asked.items() if question is None]
    for name in strange:
        reader.columns.append(name)
    here = [(c, asked[c.name]) for c in file.columns if asked.get(c.name) is not None]
    for i in range(file.rows):
        said = [(question, c.values[i]) for c, question in here if c.values[i]]
        row = {role: column.values[i] for role, column in roles.items()}
        if row.get("cost"):
            row["cost"] = _share(row["cost"], len(said))
        for question, value in said:
            yield i + 1, {**row, "question_id": str(question), "answer": value}


class _Reader:
    """Reads the rows of one file, and counts what does not fit."""

    def __init__(self, known: Known, meant: Meant) -> None:
        self.known = known
        self.people: Counter[str] = Counter()
        self.questions: Counter[str] = Counter()
        self.surveys: Counter[str] = Counter()
        self.unread: Counter[tuple[str, str]] = Counter()
        self.columns: list[str] = []
        self._meant = meant
        self._names = _names(known)
        by_code = Counter(map(cells.code, known.respondents))
        self._people = {cells.code(p): p for p in known.respondents if by_code[cells.code(p)] == 1}
        self._people |= {person: person for person in known.respondents}
        self.read = cache(self._read)

    def question(self, name: str) -> str | None:
        """Return the id of the question a name means, None where it means none."""
        return self._names.get(name) or self._names.get(slug(name))

    def row(self, said: dict[str, str]) -> list[str] | None:
        """Return a prediction as HEADER has it; None where it is of nobody or nothing here."""
        survey = said.get("survey") or self.known.survey
        if survey != self.known.survey:
            self.surveys[survey] += 1
            return None
        person = self._people.get(said["respondent_id"])
        person = person or self._people.get(cells.code(said["respondent_id"]))
        question = self.question(said["question_id"])
        if person is None:
            self.people[said["respondent_id"]] += 1
        elif question is None:
            self.questions[said["question_id"]] += 1
        if person is None or question is None:
            return None
        answer, spread, number = (said.get(n, "") for n in ("answer", "probabilities", "number"))
        answer, number = self.read(question, answer, number)
        spread, unread = self._spread(question, spread)
        if answer.startswith(_UNREAD):
            answer = unread = answer.removeprefix(_UNREAD)
        if unread or not (answer or spread or number):
            self.unread[question, unread] += 1
        return [
            *(survey, person, question, said["setting"], said["llm"]),
            *(answer, spread, number, said.get("cost", "")),
        ]

    def _read(self, question: str, answer: str, number: str) -> tuple[str, str]:
        """Return what is predicted as an option's or own words, and as a number.

        What cannot be read is the answer as it stands, behind a sign.
        """
        asked = self.known.questions[question]
        q = asked.question
        if q.kind == "text":
            return " ".join(answer.split()), ""
        if q.kind == "numeric":
            value = _float(number or answer)
            low = -math.inf if q.low is None else q.low
            high = math.inf if q.high is None else q.high
            if value is None or not low <= value <= high:
                given = number or answer
                return (_UNREAD + given if given else ""), ""
            return "", cells.code(value)
        given = answer or number
        if not given:
            return "", ""
        option = self._option(asked, given)
        return (option if option is not None else _UNREAD + given), ""

    def _option(self, asked: Asked, given: str) -> str | None:
        q = asked.question
        if given in q.options:
            return given
        option = q.codes.get(cells.code(given))
        if option is None and asked.bins:
            option = range_of(given, asked.bins, q.options)
        if option is None:
            codes = {code: text for code, text in q.codes.items() if text in q.options}
            option = self._meant(given, codes or {text: text for text in q.options})
        return option if option in q.options else None

    def _spread(self, question: str, given: str) -> tuple[str, str]:
        """Return probabilities as JSON by option, and what was given where they are none."""
        if not given:
            return "", ""
        asked = self.known.questions[question]
        try:
            said = json.loads(given)
            pairs = said.items() if isinstance(said, dict) else [(o, p) for o, p in said]
            out: dict[str, float] = {}
            for name, share in pairs:
                option, value = self._option(asked, str(name)), _float(str(share or 0))
                if option is None or value is None or value < 0:
                    raise ValueError(name)
                out[option] = out.get(option, 0.0) + value
            total = sum(out.values())
            if not total > 0:
                raise ValueError(given)
        except (ValueError, TypeError):
            return "", given
        return json.dumps({o: v / total for o, v in out.items()}, ensure_ascii=False), ""

    def notes(self) -> Iterator[str]:
        """Yield a line for each kind of thing that did not fit."""
        known = self.known
        if self.columns:
            listed = _listed(self.columns, known.questions)
            yield f"{len(self.columns)} columns are no questions of {known.survey}: {listed}"
        for what, counted, there in (
            ("surveys that are not asked for", self.surveys, [known.survey]),
            (f"respondents that {known.survey} does not have", self.people, known.respondents),
            (f"questions that {known.survey} does not have", self.questions, known.questions),
        ):
            if counted:
                listed = _listed([name for name, _ in counted.most_common()], there)
                yield f"{counted.total():,} rows are of {what} and left out: {listed}"
        if self.unread:
            said = []
            for (question, given), count in self.unread.most_common(_EXAMPLES):
                asked = known.questions[question].question
                near = _near(given, asked.options)
                said.append(f"{question} {given[:40]!r} ({count:,} times{near})")
            if len(self.unread) > _EXAMPLES:
                said.append(f"and {len(self.unread) - _EXAMPLES:,} others")
            yield (
                f"{self.unread.total():,} rows have an answer that is none of the question's, and "
                f"count as invalid: {', '.join(said)}"
            )


_UNREAD = "\x00"


def _names(known: Known) -> dict[str, str]:
    """Return the question that each name means: its id, its column, and these in other letters."""
    out: dict[str, str] = {}
    loosely = Counter(slug(q) for q in known.questions)
    for question, asked in known.questions.items():
        for name in (slug(question), slug(asked.column), asked.column):
            if name and loosely[name] <= 1:
                out.setdefault(name, question)
    return out | {question: question for question in known.questions}


def _json(value: Any) -> str:
    if value is None:
        return ""
    pairs = value.items() if isinstance(value, dict) else value
    return json.dumps([list(p) if isinstance(p, tuple) else p for p in pairs], ensure_ascii=False)


def _float(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _share(cost: str, count: int) -> str:
    """Return a row's cost as that of each of its predictions."""
    value = _float(cost)
    return cost if value is None or not count else f"{value / count:.12g}"


def _listed(names: Sequence[str], known: Any) -> str:
    shown = [f"{name!r}{_near(name, known)}" for name in names[:_EXAMPLES]]
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more:,} others" if more else "")


def _near(word: str, known: Any) -> str:
    near = get_close_matches(word, list(known)[:5000], n=1)
    return f" (did you mean {near[0]!r}?)" if near and near[0] != word else ""


def _and(notes: Sequence[str]) -> str:
    return "; ".join(notes) or "it has no predictions"
