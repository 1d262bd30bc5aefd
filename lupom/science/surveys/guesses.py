"""What each column of a file most likely is: the first codebook of a survey."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Sequence

from lupom.science.surveys import (
    cells,
    context,
    ids,
    labels,
    missing_codes,
    opinionqa,
    recodes,
    roles,
    sampling,
    scales,
    weights,
    wordings,
)
from lupom.science.surveys.codebook import Attribute, Codebook, Question
from lupom.science.surveys.columns import Column, File, slug, unique
from lupom.science.surveys.missing_codes import MOST_OPTIONS, number_of

RANGES = 4
# Of so few people's answers fewer different numbers are options.
_FEWEST_AMOUNTS = 5
# Two questions are one in other codes where so many answered, and so many not as most did.
_ENOUGH, _SECOND = 30, 8

# Pew's names for what OpinionQA's tables call by these; of several the first that is there.
_PEW = {
    "CREGION": ("F_CREGION",),
    "AGE": ("F_AGECAT", "F_AGECAT_FINAL"),
    "SEX": ("F_SEX", "F_SEX_FINAL", "F_GENDER"),
    "EDUCATION": ("F_EDUCCAT2", "F_EDUCCAT2_FINAL", "F_EDUCCAT", "F_EDUCCAT_FINAL"),
    "CITIZEN": ("F_CITIZEN", "F_CITIZEN_RECODE"),
    "MARITAL": ("F_MARITAL", "F_MARITAL_FINAL"),
    "RELIG": ("F_RELIG", "F_RELIG_FINAL"),
    "RELIGATTEND": ("F_ATTEND", "F_ATTEND_FINAL"),
    "POLPARTY": ("F_PARTY_FINAL", "F_PARTY"),
    "INCOME": ("F_INCOME", "F_INCOME_FINAL", "F_INCOME_RECODE", "F_INC_SDT1"),
    "POLIDEOLOGY": ("F_IDEO", "F_IDEO_FINAL"),
    "RACE": ("F_RACECMB", "F_RACECMB_RECODE", "F_RACETHN", "F_RACETHN_RECRUITMENT", "F_RACETHNMOD"),
}
_DATE = re.compile(
    r"\d{4}[-/]\d{1,2}[-/]\d{1,2}(?:[ T]\d.*)?|\d{1,2}[/.-]\d{1,2}[/.-]\d{2,4},?(?: \d.*)?"
    r"|(?:[A-Z][a-z]{2},? )?(?:\d{1,2} )?[A-Z][a-z]{2,8} \d{1,2}(?:, \d{4}|\s\d{4})?,? \d.*"
)


class Fruitless(ValueError):
    """No column looks like a question; `codebook` says of each why."""

    def __init__(self, message: str, codebook: Codebook) -> None:
        super().__init__(message)
        self.codebook = codebook


def guess(file: File, survey: str) -> Codebook:
    """Return the codebook that fits a file best; every column is in it, once.

    Raises Fruitless when no column can be a question.
    """
    out = Codebook(survey, file.name)
    told = {"title": file.title, "language": file.language}
    out.context = {k: v for k, v in {**context.guessed(survey), **told}.items() if v}
    out.context.setdefault("title", context.title(survey))
    rest = list(file.columns)
    id_ = ids.find(rest)
    # Programs number the rows, whatever a row is.
    own = id_ if id_ is not None and not ids.is_running(id_) else None
    if own is None and (found := ids.repeated(file)) and (item := ids.long(file, *found)):
        raise ValueError(
            f"{file.name}: a row is an answer here, not a person: each of {found[1]:,} people in"
            f" {found[0].name!r} has several, and {item.name!r} says to which question; make it a"
            " row a person and a column a question first (pandas: frame.pivot(index="
            f"{found[0].name!r}, columns={item.name!r}, values=...); Excel: a pivot table)"
        )
    weighing = [c for c in rest if c is not id_ and weights.is_weight(c)]
    weight = weights.best(weighing)
    out.id = id_.name if id_ else None
    out.weight = weight.name if weight else None
    pew = _pew_names([c.name for c in rest])
    for column in rest:
        if column is id_ or column is weight:
            continue
        why = "another column of weights" if column in weighing else _why_not(column, file.rows)
        if why:
            out.ignored[column.name] = why
        elif sampling.role(column):
            out.design.append(column.name)
        elif roles.is_attribute(column, missing_codes.missing(column)):
            out.attributes.append(_attribute(column, pew))
        else:
            out.questions.append(_question(column))
    _without_twins(out, {c.name: c for c in rest})
    recodes.drop(out, {c.name: c for c in rest})
    _name(out)
    if not out.questions:
        columns_why = {c.name: c.why for c in rest}
        # What is not the record's own says more.
        ordered = sorted(
            out.ignored.items(), key=lambda item: columns_why[item[0]] == item[1] != ""
        )
        why = "; ".join(f"{name}: {why}" for name, why in ordered[:5])
        why = why or f"there is only {', '.join(out.columns)}"
        raise Fruitless(f"{file.name}: no column looks like a question; {why}", out)
    return out


def _without_twins(book: Codebook, columns: dict[str, Column]) -> None:
    """Move questions that are another one, or an attribute, in other codes to `ignored`.

    They would foretell each other. Of two the first that has texts is kept; "select all that
    apply" is left alone, where the same few may have picked two.
    """
    kept: dict[tuple[int, ...], str] = {}
    known = [a.column for a in book.attributes if not a.bins]
    asked = [q.column for q in book.questions if q.options and not columns[q.column].group]
    worded = [name for name in asked if not _is_numeric(columns[name])]
    for name in [*known, *worded, *(n for n in asked if n not in worded)]:
        pattern = _pattern(columns[name])
        if pattern is None:
            continue
        twin = kept.setdefault(pattern, name)
        if twin != name and name in asked:
            book.questions = [q for q in book.questions if q.column != name]
            codes = columns[name].values != columns[twin].values
            book.ignored[name] = f"the same as {twin}{', in other codes' if codes else ''}"


def _pattern(column: Column) -> tuple[int, ...] | None:
    """Return who answered alike, whatever it was: 0 blank, 1 as the first did, 2 as the next.

    None where too few did for a likeness to be no chance.
    """
    missing = missing_codes.missing(column)
    values = [v if v not in missing else "" for v in column.values]
    counts = Counter(v for v in values if v)
    if len(counts) < 2 or counts.total() < _ENOUGH or counts.most_common(2)[1][1] < _SECOND:
        return None
    places: dict[str, int] = {"": 0}
    return tuple(places.setdefault(v, len(places)) for v in values)


def _is_numeric(column: Column) -> bool:
    return all(number_of(v) is not None for v in column.values if v) and not column.labels


def extend(codebook: Codebook, file: File) -> list[str]:
    """Add a guess for each column that the codebook does not name; returns the columns' names."""
    known = set(codebook.columns)
    # Choices in the cells of a column that the codebook has as one, or leaves out, are none of it.
    whole = {c for c in known if not any(k.startswith(f"{c} [") for k in known)}
    new = [c for c in file.columns if c.name not in known and c.group not in whole]
    for column in new:
        weight = "a column of weights" if weights.is_weight(column) else ""
        why = weight or _why_not(column, file.rows)
        if why:
            codebook.ignored[column.name] = why
        elif sampling.role(column):
            codebook.design.append(column.name)
        elif roles.is_attribute(column, missing_codes.missing(column)):
            codebook.attributes.append(_attribute(column, {}))
        else:
            codebook.questions.append(_question(column))
    _name(codebook)
    return [c.name for c in new]


def _why_not(column: Column, rows: int) -> str:
    """Return why a column is neither a question nor an attribute, '' if it can be one."""
    values = [v for v in column.values if v]
    different = set(values)
    if column.why:
        return column.why
    if not values:
        return "blank throughout"
    if roles.is_personal(column):
        return "personal data"
    if roles.is_record(column):
        return "of the interview, not of the person"
    if sampling.is_probability(column):
        return "how likely a person was to be drawn"
    if all(_DATE.fullmatch(v) for v in different):
        return "dates"
    if column.group:
        same = column.labels.get(values[0], values[0])
        return "" if len(different) > 1 else f"everyone has the same: {same}"
    # Ids of people with several rows each are fewer than half of these.
    if ids.is_id(column) and len(different) > min(len(values) / 2, MOST_OPTIONS):
        return "another id"
    answers = different - missing_codes.missing(column).keys()
    if len(answers) < 2 and len(column.labels) < 2:
        return f"everyone has the same: {next(iter(answers), values[0])}"[:120]
    unlabelled = [v for v in answers if v not in column.labels]
    numeric = all(number_of(v) is not None for v in unlabelled)
    if len(unlabelled) > MOST_OPTIONS and not numeric:
        units = {cells.unit(v) for v in unlabelled if number_of(v) is None}
        if len(units) == 1 and None not in units:
            example = next(v for v in values if number_of(v) is None)
            return f"numbers with signs beside them, such as '{example}'; plain ones would be read"
        return f"free text: {len(unlabelled):,} different values"
    few = column.labels or column.alike
    if not few and not numeric and rows >= 10 and len(answers) > 0.8 * len(values):
        return f"free text: {len(answers):,} different values in {len(values):,} rows"
    if numeric and ids.is_id(column):
        return "another id"
    if ids.counts(column):
        return "a running number"
    return ""


def _options(column: Column, missing: dict[str, str]) -> dict[str, str]:
    """Return text by code, in the file's order where it has labels, else in the values' own."""
    seen = sorted({*column.values, *column.alike} - {""} - set(missing) - set(column.labels))
    if not column.labels:
        seen = _one_case(column.values, seen)
    if all(number_of(v) is not None for v in seen):
        seen.sort(key=float)
    out = {code: label or code for code, label in column.labels.items() if code not in missing}
    out |= {v: v for v in seen}
    if column.labels and seen and all(number_of(c) is not None for c in out):
        out = dict(sorted(out.items(), key=lambda item: float(item[0])))
    counts = Counter(label.casefold() for label in out.values())
    twice = {code for code, label in out.items() if counts[label.casefold()] > 1}
    out = {c: f"{label} ({c})" if c in twice and c != label else label for c, label in out.items()}
    if not column.labels and (at := scales.positions(list(out))) is not None:
        order = dict(zip(out, at, strict=True))
        out = dict(sorted(out.items(), key=lambda i: (order[i[0]] is None, order[i[0]] or 0)))
    elif not column.labels and (numbered := scales.by_number(list(out))):
        out = {v: v for v in numbered}
    return out


def _one_case(values: Sequence[str], seen: Sequence[str]) -> list[str]:
    """Return of texts that differ in case or spaces only the most frequent; 'a' is not 'A'."""
    counts = Counter(values)
    kept: dict[str, str] = {}
    for text in sorted(seen, key=lambda t: -counts[t]):
        kept.setdefault(text.casefold() if len(text) > 1 else text, text)
    return sorted(kept.values())


def _bins(values: Sequence[str]) -> list[float]:
    """Return edges between ranges that hold about as many people each."""
    numbers = sorted(float(v) for v in values)
    edges = [numbers[len(numbers) * i // RANGES] for i in range(1, RANGES)]
    edges = sorted({float(f"{e:.3g}") for e in edges} - {numbers[0]})
    return [e for e in edges if numbers[0] < e <= numbers[-1]] or [numbers[-1]]


def _ranged(column: Column, missing: dict[str, str]) -> list[float]:
    """Return bins for a column of numbers, [] for one of options."""
    values = [v for v in column.values if v and v not in missing and v not in column.labels]
    if any(number_of(v) is None for v in values):
        return []
    if len(set(values)) <= MOST_OPTIONS and not _scattered(column, values):
        return []
    return _bins(values)


def _scattered(column: Column, values: Sequence[str]) -> bool:
    """Say whether numbers of few people are amounts: mostly different, and far from one another."""
    numbers = {float(v) for v in values}
    if column.labels or column.alike or len(numbers) < _FEWEST_AMOUNTS:
        return False
    wide = max(numbers) - min(numbers) + 1 >= 2 * len(numbers)
    return wide and 2 * len(numbers) > len(values)


def _question(column: Column) -> Question:
    missing = missing_codes.missing(column)
    bins = _ranged(column, missing)
    statuses = {
        status: [c for c, s in missing.items() if s == status]
        for status in (labels.REFUSED, labels.DONT_KNOW, labels.NOT_ASKED)
    }
    out = Question(
        column.name,
        _key(column.name),
        wordings.parted(column.label or column.name)[1],
        "numeric" if bins else "single",
        {} if bins else _options(column, missing),
        bins=bins,
        refused=statuses[labels.REFUSED],
        dont_know=statuses[labels.DONT_KNOW],
        not_asked=statuses[labels.NOT_ASKED],
    )
    if bins:
        return out
    texts = list(out.options.values())
    if column.group:
        out.kind = "multiple"
        return out
    selected = len(texts) == 2 and "not selected" in {t.casefold() for t in texts}
    at = scales.positions(texts)
    at = at or _between(out.options)
    # Two options are a scale of two, unless their numbers say that they are a list.
    two = len(texts) == 2 and not scales.listed(texts)
    if at is None and (column.measure == "ordinal" or two):
        placed = [t for t in texts if not labels.unplaced(t)]
        at = [float(placed.index(t) + 1) if t in placed else None for t in texts]
    if at is not None and sum(p is not None for p in at) >= 2:
        out.positions, out.kind = at, "ordinal"
    if selected:  # one of "select all that apply"
        out.kind = "multiple"
    return out


def _between(options: dict[str, str]) -> list[float | None] | None:
    """Return positions of numbers of which some have a label: 0 'Left', 1, 2, ..., 10 'Right'.

    None where fewer than half are bare. A labelled code that does not go on where the bare ones end
    (97 'Other') has no place.
    """
    numbers = {code: number_of(code) for code in options}
    bare = sorted(n for c, n in numbers.items() if n is not None and options[c] == c)
    if len(bare) < 3 or 2 * len(bare) < len(options) or None in numbers.values():
        return None
    step = max(b - a for a, b in itertools.pairwise(bare))
    low, high = bare[0] - step, bare[-1] + step
    # What is next to an end may have been chosen by nobody; scales begin and end with these, and
    # have labels at both ends.
    first = max((n for n in numbers.values() if n in (0, 1) and n < bare[0]), default=None)
    last = min((n for n in numbers.values() if n in (5, 7, 10, 100) and n > bare[-1]), default=None)
    span = bare[-1] - bare[0]
    if first is not None and last is not None and max(bare[0] - first, last - bare[-1]) <= span:
        low, high = min(low, first), max(high, last)
    return [n if n is not None and low <= n <= high else None for n in numbers.values()]


def _attribute(column: Column, pew: dict[str, str]) -> Attribute:
    missing = {c: s for c, s in missing_codes.missing(column).items() if s == labels.NOT_ASKED}
    named = missing_codes.missing(column)
    bins = _ranged(column, named)
    options = {} if bins else _options(column, missing)
    label = column.label if column.label.casefold() != column.name.casefold() else ""
    label = wordings.parted(label)[1]
    name = pew.get(column.name, column.name)
    # 'Household income' is a name, 'What is your household income?' none.
    if name == column.name and (name.endswith("?") or len(name.split()) > 3):
        name, label = wordings.known(name) or name, wordings.parted(name)[1]
    return Attribute(column.name, name, options, bins, list(missing), label)


def _pew_names(columns: Sequence[str]) -> dict[str, str]:
    """Return OpinionQA's names of the attributes of a Pew file."""
    out = {}
    for name, candidates in _PEW.items():
        found = next((c for c in candidates if c in columns), None)
        if found is not None and name not in columns:
            out[found] = name
    return out


def _key(name: str) -> str:
    """Return a question's key: its column's name where that is short, else of its first words."""
    if re.fullmatch(r"[\w.-]{1,40}", name):
        return name
    return wordings.parted(name)[0] or slug(name) or "question"


def _name(codebook: Codebook) -> None:
    """Give each question and attribute a name of its own that is none of the layout's."""
    reserved = [*(n for n in opinionqa.ID_COLUMNS if n), "status", "answer"]
    taken = list(reserved)
    for attribute in codebook.attributes:
        attribute.name = unique(_fit(attribute.name), taken)
        taken.append(attribute.name)
    for question in codebook.questions:
        question.key = unique(_fit(question.key), taken)
        taken.append(question.key)


def _fit(name: str) -> str:
    # The layout reads WEIGHT and WEIGHT_W34 as survey weights.
    return f"q_{name}" if re.fullmatch(r"weight(_.*)?", name, re.IGNORECASE) else name
