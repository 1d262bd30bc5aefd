"""People who were not there: a file or table of them, read as their survey's own file was."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from lupom.science.surveys import cells, choices, labels
from lupom.science.surveys.codebook import Attribute, Codebook
from lupom.science.surveys.codebook import Question as Coded
from lupom.science.surveys.columns import SELECTED, Column, File, fill, prefix
from lupom.science.surveys.fields import Field, Misread, printable
from lupom.science.surveys.questions import Question

ID = "respondent_id"
QUESTION, ATTRIBUTE = "closed question", "attribute"
_OTHER = {QUESTION: "an attribute", ATTRIBUTE: "a question"}

# Of a name of five letters one is wrong, two are swapped or one is too many: 'abnay' for 'abany'.
# At difflib's own .6 other questions of a survey (natenvir for natheal) would be slips.
SLIP = 0.8


@dataclass(frozen=True)
class Known:
    """What can be said of a person of a survey.

    Attributes
    ----------
    questions, attributes : by name; of a question what can be answered, of an attribute its values.
    ids : what the column of persons' ids may be called, the best first.
    aside : other columns of the survey's own file, of which nothing is learned.
    """

    questions: Mapping[str, Field]
    attributes: Mapping[str, Field]
    ids: Sequence[str] = (ID,)
    aside: frozenset[str] = frozenset()

    def named(self) -> dict[str, list[Field]]:
        """Return the fields that each name may mean, in lower case: their own, and columns'."""
        out: dict[str, list[Field]] = {}
        fields = [*self.questions.values(), *self.attributes.values()]
        for own in (True, False):
            for one in fields:
                name = _folded(one.name if own else one.column)
                # What is a field's own name is no other's column.
                if name and (own or name not in out):
                    out.setdefault(name, []).append(one)
        return out


@dataclass
class People:
    """People as they were read.

    Attributes
    ----------
    ids : each once. answers : (n, Q), the option's place by question, -1 where not known.
    attributes : value by name, of each person. notes : what was noticed.
    """

    ids: list[str]
    answers: np.ndarray[tuple[int, int], np.dtype[np.int64]]
    attributes: list[dict[str, str]]
    notes: list[str] = field(default_factory=list)


def known(
    questions: Mapping[str, Sequence[str]],
    attributes: Mapping[str, Sequence[str]],
    *,
    asked: Iterable[Question] = (),
    values: Mapping[str, Sequence[str]] | None = None,
    book: Codebook | None = None,
    others: Iterable[str] = (),
) -> Known:
    """Return what can be said of people, and how the survey's own file says it.

    Parameters
    ----------
    questions, attributes : options, and values, by name: those that were learned of.
    asked : the survey's questions, with their codes. values : of attributes, as the survey lists
        them. book : its codebook, if it came from a file. others : columns of which nothing is
        learned.
    """
    codes = {q.key: q.codes for q in asked}
    own = {q.key: q for q in book.questions} if book else {}
    told = {a.name: a for a in book.attributes} if book else {}
    listed = values or {}
    aside = [*others]
    ids = [ID]
    if book is not None:
        ids += [book.id] if book.id else []
        aside += [*book.ignored, *book.design, *([book.weight] if book.weight else [])]
        aside += [q.column for q in book.questions if q.key not in questions]
        aside += [a.column for a in book.attributes if a.name not in attributes]
    else:
        ids += ["index", "QKEY"]
    return Known(
        {
            name: _question(name, tuple(options), codes.get(name, {}), own.get(name))
            for name, options in questions.items()
        },
        {
            name: _attribute(
                name, tuple(dict.fromkeys([*listed.get(name, ()), *learned])), told.get(name)
            )
            for name, learned in attributes.items()
        },
        ids,
        frozenset(aside),
    )


def _question(
    name: str, options: tuple[str, ...], codes: Mapping[str, str], own: Coded | None
) -> Field:
    by_code = {code: text if text in options else "" for code, text in codes.items()}
    if own is None:
        return Field(name, "question", options, by_code)
    by_code |= {code: text for code, text in own.options.items() if text in options}
    for status, codes_of in (
        (labels.REFUSED, own.refused),
        (labels.DONT_KNOW, own.dont_know),
        (labels.NOT_ASKED, own.not_asked),
    ):
        # An option among others where the survey says so (`refusals: option`).
        meant = next((o for o in options if labels.nonresponse(o) == status), "")
        for code in codes_of:
            by_code.setdefault(code, meant)
    choice = own.kind == "multiple" and own.options == SELECTED
    wording = own.question if choice else ""
    return Field(name, "question", options, by_code, own.bins, own.column, wording)


def _attribute(name: str, values: tuple[str, ...], own: Attribute | None) -> Field:
    if own is None:
        return Field(name, "attribute", values)
    codes = {code: text for code, text in own.options.items() if text in values}
    codes |= dict.fromkeys(own.blank, "")
    return Field(name, "attribute", values, codes, own.bins, own.column)


def read(file: File, known: Known) -> People:
    """Return the people of a file, a row each.

    Columns are questions and attributes, by their names or by those of the columns of the file
    that was imported, in any case; cells are options and values, or their codes, or blank; what
    says that nothing was answered is blank, too.

    Raises
    ------
    Misread : for a column that is nearly a name, a thing said by two columns, a cell that is no
        option and no code, a person twice. `row` counts from 0.
    """
    notes: list[str] = []
    choices.derive(file, (one.column for one in known.questions.values()))
    columns, named, strange = _columns(file, known)
    if file.head and not _restored(file, columns, known):
        notes += [note for note in file.notes if "header has two lines" in note]
    coded = _coded(columns, known, notes)
    _fill(columns, known, notes)
    notes += _ranged(columns, known, coded)
    ids = _ids(named, file)
    answers = np.full((file.rows, len(known.questions)), -1, dtype=np.int64)
    attributes: list[dict[str, str]] = [{} for _ in range(file.rows)]
    for name, column in columns.items():
        if name in known.questions:
            one = known.questions[name]
            place = {option: i for i, option in enumerate(one.options)} | {"": -1}
            texts = _meant(column, one, coded[name])
            answers[:, list(known.questions).index(name)] = [place[text] for text in texts]
        else:
            texts = _meant(column, known.attributes[name], coded[name])
            for person, text in zip(attributes, texts, strict=True):
                if text:
                    person[name] = text
    if strange:
        absent = [n for n in (ID, *known.questions, *known.attributes) if n not in columns]
        shown = [f"{name}{_near(name, absent)}" for name in strange[:20]]
        more = f" and {len(strange) - 20} more" if len(strange) > 20 else ""
        notes.append(f"no question or attribute, and not looked at: {', '.join(shown)}{more}")
    return People(ids, answers, attributes, [printable(note) for note in notes])


def one(attributes: Mapping[str, str], answers: Mapping[str, str], known: Known) -> People:
    """Return a person of whom attributes and answers are known, by name.

    Raises Misread as `read` does, and for a name that is none.
    """
    codes = np.full((1, len(known.questions)), -1, dtype=np.int64)
    places = {name: place for place, name in enumerate(known.questions)}
    for name, value in by_name(answers, known.questions, others=known.attributes).items():
        if text := known.questions[name].meaning(value):
            codes[0, places[name]] = known.questions[name].options.index(text)
    own = by_name(attributes, known.attributes, ATTRIBUTE, known.questions).items()
    said = {name: known.attributes[name].meaning(value) for name, value in own}
    return People(["1"], codes, [{name: text for name, text in said.items() if text}])


def by_name(
    given: Mapping[str, str],
    fields: Mapping[str, Field],
    what: str = QUESTION,
    others: Mapping[str, Field] | None = None,
) -> dict[str, str]:
    """Return what is given by words by the fields' own names.

    Parameters are as of `field_of`. Raises Misread for a word that is no field, for two that are
    the same, and for what is no mapping.
    """
    if not isinstance(given, Mapping):
        raise Misread(
            f"what is known is given by {what}, and not as a {type(given).__name__}",
            f"a mapping: {{'{next(iter(fields), 'name')}': ...}}",
        )
    words: dict[str, str] = {}
    out: dict[str, str] = {}
    for word, value in given.items():
        name = field_of(word, fields, what, others).name
        if name in words:
            raise Misread(
                f"'{words[name]}' and '{word}' are both the {what} '{name}': "
                f"'{out[name]}' and '{value}'",
                "give it once",
            )
        words[name], out[name] = word, value
    return out


def field_of(
    word: str,
    fields: Mapping[str, Field],
    what: str = QUESTION,
    others: Mapping[str, Field] | None = None,
) -> Field:
    """Return the field that a word names: itself, in any case, or by its column.

    Parameters
    ----------
    what : what the fields are, for messages. others : attributes in place of questions, and the
        other way round: a word may be meant for one.

    Raises Misread where there is none.
    """
    word = str(word)  # of Python, where a number may be given
    if word in fields:
        return fields[word]
    for same in (
        [one for one in fields.values() if _folded(one.name) == _folded(word)],
        [one for one in fields.values() if _folded(one.column) == _folded(word) != ""],
    ):
        if len(same) == 1:
            return same[0]
    close = difflib.get_close_matches(_folded(word), map(_folded, fields), n=1)
    if _folded(word) in map(_folded, others or ()):
        raise Misread(f"'{word}' is {_OTHER[what]}, and no {what}", f"give it as {_OTHER[what]}")
    names = {_folded(name): name for name in fields}
    there = ", ".join(list(fields)[:20]) or "none"
    hint = f"did you mean '{names[close[0]]}'?" if close else f"there are {there}"
    raise Misread(f"there is no {what} '{word}'", hint)


def _columns(file: File, known: Known) -> tuple[dict[str, Column], Column | None, list[str]]:
    """Return the column of each field that has one, that of ids, and the names of all others."""
    named, found, others = known.named(), dict[str, Column](), list[str]()
    places = {_folded(name): place for place, name in reversed(list(enumerate(known.ids)))}
    candidates: dict[int, Column] = {}
    for column in file.columns:
        word = _folded(column.name)
        if word in places and word not in named:
            candidates.setdefault(places[word], column)
            continue
        fields = named.get(word, [])
        # Two names may differ in their case alone.
        fields = [one for one in fields if column.name.strip() == one.name] or fields
        if len(fields) > 1:
            may = " or ".join(one.name for one in fields)
            raise Misread(f"the column '{column.name}' may be {may}", "write it so")
        if not fields:
            _not_twice(column.name, [c.name for c in file.columns], named)
            others.append(column.name)
            continue
        name = fields[0].name
        if name in found:
            raise Misread(
                f"the columns '{found[name].name}' and '{column.name}' are both "
                f"{fields[0].what} '{name}'",
                "leave one of them out",
            )
        found[name] = column
    others = [name for name in others if name.strip()]
    aside = {_folded(name) for name in known.aside}
    strange = [name for name in others if _folded(name) not in aside]
    absent = [name for name in (*known.questions, *known.attributes) if name not in found]
    slips = {name: near for name in strange if (near := _slip(name, absent))}
    if slips:
        meant = ", ".join(f"'{name}'" for name in slips.values())
        raise Misread(
            f"no question or attribute: {', '.join(slips)}",
            f"did you mean {meant}? If not, leave it out",
        )
    if not found:
        raise _unrelated([column.name for column in file.columns], known)
    ids = candidates[min(candidates)] if candidates else None
    return found, ids, strange


def _not_twice(name: str, columns: Sequence[str], named: Mapping[str, object]) -> None:
    """Raise Misread where a column's name is that of another with the number of the later one."""
    found = re.fullmatch(r"(.+) \(\d+\)", name)
    first = next((c for c in columns if found and _folded(c) == _folded(found[1])), None)
    if found and first is not None and _folded(first) in named:
        raise Misread(
            f"the columns '{first}' and '{found[1]}' have the same name", "leave one of them out"
        )


class Unrelated(Misread):
    """A file of which no column is a question or an attribute; `columns` are their names."""

    columns: Sequence[str] = ()


def _unrelated(columns: Sequence[str], known: Known) -> Unrelated:
    names = [*sorted(known.questions), *sorted(known.attributes)]
    folded = {_folded(name): name for name in names}
    near = {
        column: folded[close[0]]
        for column in columns
        if (close := difflib.get_close_matches(_folded(column), folded, n=1))
    }
    hint = "a row is a person and a column a question; "
    if near:
        meant = ", ".join(f"'{name}' for '{column}'" for column, name in list(near.items())[:5])
        hint += f"did you mean {meant}? "
    hint += (
        f"questions are {_listed(sorted(known.questions), 8)}, attributes "
        f"{_listed(sorted(known.attributes), 8)}"
    )
    error = Unrelated(f"no column is a question or an attribute: {_listed(columns, 20)}", hint)
    error.columns = list(columns)
    return error


def _listed(names: Sequence[str], most: int) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return (", ".join(names[:most]) or "none") + more


def alike(columns: Sequence[str], names: Iterable[str]) -> int:
    """Return how many columns are called as some names are, in any case."""
    folded = {_folded(name) for name in names}
    return sum(_folded(column) in folded for column in columns)


def _slip(column: str, names: Sequence[str]) -> str | None:
    """Return the name that a column is a misspelling of, or None; q12 is none of q11."""
    word = _folded(column)
    digits = re.sub(r"\D", "", word)
    alike = {_folded(name): name for name in names if re.sub(r"\D", "", name) == digits}
    close = difflib.get_close_matches(word, list(alike), n=1, cutoff=SLIP)
    return alike[close[0]] if close else None


def _restored(file: File, columns: Mapping[str, Column], known: Known) -> bool:
    """Put back a first row that was taken for wordings, if it is a person's: it has an option."""
    fields = {**known.attributes, **known.questions}
    heads = {c.name: text for c, text in zip(file.columns, file.head, strict=False)}
    if not any(fields[name].worded(heads.get(c.name, "")) for name, c in columns.items()):
        return False
    for column, text in zip(file.columns, file.head, strict=True):
        column.values.insert(0, text)
    file.lines[:0] = [file.lines[0] - 1] if file.lines else []
    return True


def _coded(columns: Mapping[str, Column], known: Known, notes: list[str]) -> dict[str, bool]:
    """Return of each column whether what is an option and the code of another is the code.

    A column of texts that are no codes tells it, and one of codes that are no options. Where a
    column is both, the other columns of the file do, those of questions for a question.
    """
    told: dict[str, bool] = {}
    unsure: dict[str, Column] = {}
    for name, column in columns.items():
        one = known.questions.get(name) or known.attributes[name]
        texts = {value for value in column.values if value}
        worded = [one.worded(text) for text in texts]
        coded = [one.by_code(text) for text in texts]
        if worded == coded:
            continue
        if None not in worded and None not in coded:
            unsure[name] = column
        elif None not in worded or None not in coded:
            told[name] = None not in coded
    out = dict.fromkeys(columns, False) | told
    for name, column in unsure.items():
        asked = name in known.questions
        same = [is_code for n, is_code in told.items() if (n in known.questions) is asked]
        votes = same or list(told.values())
        out[name] = bool(column.labels) or (bool(votes) and sum(votes) * 2 > len(votes))
        if not column.labels and len(set(votes)) != 1:
            what = "codes" if out[name] else "options, not as codes"
            notes.append(f"the cells of '{name}' are read as {what}")
    return out


def _fill(columns: Mapping[str, Column], known: Known, notes: list[str]) -> None:
    """Tell 'not selected' from 'not known' where a file has a choice or nothing.

    As at the import: blank beside a choice of the same question is the first. Where the option's
    own text, 'Selected', is written, blank is not known.
    """
    groups: dict[str, list[Column]] = {}
    for name, column in columns.items():
        one = known.questions.get(name)
        start = prefix(column.name)
        if one is not None and one.chosen and start:
            groups.setdefault(start, []).append(column)
    for members in groups.values():
        said = {_folded(value) for column in members for value in column.values} - {""}
        if len(members) < 2 or not said or said & {"0", "no", "false", "selected", "not selected"}:
            continue
        for column in members:
            column.group = column.group or members[0].name
        fill(members)
        ends = f"{members[0].name} to {members[-1].name}"
        notes.append(f"{ends}: blank beside a choice is read as not selected")


def _ranged(
    columns: Mapping[str, Column], known: Known, coded: Mapping[str, bool]
) -> Iterator[str]:
    """Say which columns hold numbers that are read as the ranges of which options are the texts."""
    for name, column in columns.items():
        one = known.questions.get(name) or known.attributes[name]
        for value in dict.fromkeys(column.values):
            if one.worded(value) or (coded[name] and one.by_code(value)) or value in column.labels:
                continue
            if (found := one.ranged(value)) and one.by_code(value) is None:
                yield f"the numbers of '{name}' are read as its ranges: {value} is '{found}'"
                break


def _meant(column: Column, one: Field, coded: bool) -> list[str]:
    """Return what each cell of a column means."""
    found: dict[str, str] = {}
    for row, value in enumerate(column.values):
        if value not in found:
            try:
                found[value] = one.meaning(
                    value, coded=coded, own=column.labels, missing=column.missing
                )
            except Misread as error:
                raise Misread(error.message, error.hint, row) from error
    return [found[value] for value in column.values]


def _ids(column: Column | None, file: File) -> list[str]:
    """Return each person's id: their own, or where it is blank their number, if nobody has it."""
    own = column.values if column is not None else [""] * file.rows
    taken, ids = set(own), list[str]()
    rows: dict[str, int] = {}
    for number, name in enumerate(own, 1):
        before = rows.setdefault(name, number) if name else number
        if before != number:
            where = f"line {file.lines[before - 1]}" if file.lines else f"person {before}"
            what = column.name if column is not None else ID
            raise Misread(
                f"{what} '{name}' is that of {where} too", "a row is a person", number - 1
            )
        free = name or str(number)
        while not name and free in taken:
            free = f"row {free}"
        taken.add(free)
        ids.append(free)
    return ids


def _near(word: str, names: Sequence[str]) -> str:
    folded = {_folded(name): name for name in names}
    close = difflib.get_close_matches(_folded(word), folded, n=1)
    return f" (did you mean '{folded[close[0]]}'?)" if close else ""


def _folded(text: str) -> str:
    return " ".join(cells.seen(text).split()).casefold()
