"""What a guessed codebook may have wrong, for whoever reviews it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress

from lupom.science.surveys import sampling
from lupom.science.surveys.codebook import Codebook, Question
from lupom.science.surveys.columns import Column, File, slug
from lupom.science.surveys.ids import is_running, repeated
from lupom.science.surveys.weights import is_of_bodies, is_weight, may_be_weights, named_as_weight

# Codes that surveys give to "don't know", "refused" and the like.
_SPECIAL = {7, 8, 9, 66, 77, 88, 96, 97, 98, 99}
# More of the answers than this are hardly refusals.
_MOST = 0.3
_NAMED = 3
# A scale's lowest step is taken by more than these; in tests of openpsychometrics 0 is 'missed'.
_FEW_ZEROS = 0.02
_PLACE = re.compile(
    r"(?:\w+_)?(?:county|state|country|city|town|municipality|district|region|province|precinct"
    r"|ward|constituency|gemeinde|kreis|landkreis|wahlkreis|bundesland|stadt|commune|departement"
    r"|comuna|municipio|provincia|school|cntry)(?:_?name)?"
)
_FEWEST_PLACES = 10
_COUNT = re.compile(
    r"freq(?:uency)?|counts?|n|number|anzahl|people|respondents|(?:un)?weighted_(?:n|base)|base"
)
_SHARE = re.compile(r"(?:\w+_)?(?:percent(?:age)?|pct|share|estimates?|prop(?:ortion)?|prozent)")


def doubts(file: File, book: Codebook) -> list[str]:
    """Return a note on each guess that the values speak against, of a file's guessed codebook."""
    columns = {column.name: column for column in file.columns}
    return [
        *_people(file, book),
        *_counted(file, book),
        *_places(file, book),
        *_weights(columns, book),
        *([drawn] if (drawn := sampling.note(book.design)) else []),
        *_codes(columns, book.questions),
        *_zeros(columns, book.questions),
    ]


def _counted(file: File, book: Codebook) -> list[str]:
    """Note rows that are counts of people, each of which has its own answers, and no people."""
    texts = {q.column for q in book.questions if q.kind != "numeric" and not _numeric(q.options)}
    texts |= {a.column for a in book.attributes if a.options and not _numeric(a.options)}
    counts, shares = (
        [c for c in file.columns if names.fullmatch(slug(c.name)) and _amounts(c)]
        for names in (_COUNT, _SHARE)
    )
    rest = [c for c in file.columns if c.name in texts]
    if not (counts or shares) or len(rest) < 2:
        return []
    kinds = set(zip(*(c.values for c in rest), strict=True))
    if len(kinds) < file.rows:
        return []
    if shares:
        return [
            f"each row is another combination of texts, and {shares[0].name} may be what share of"
            " people gave it: this is a table of results, and a row is taken for a person here;"
            " import the file of people's own answers"
        ]
    return [
        f"each row is another combination of answers, and {counts[0].name} may be how many people"
        " gave it; a row is taken for a person here: write each as often as it was given (pandas:"
        f" frame.loc[frame.index.repeat(frame[{counts[0].name!r}])])"
    ]


def _amounts(column: Column) -> bool:
    return bool(column.values) and all(v.replace(".", "", 1).isdecimal() for v in column.values)


def _numeric(options: Iterable[str]) -> bool:
    return all(o.lstrip("-").replace(".", "", 1).isdecimal() for o in options)


def _zeros(columns: dict[str, Column], questions: Sequence[Question]) -> list[str]:
    """Note a 0 that few gave beside 1 to 5 and the like, without a label: it may be no answer."""
    found: dict[str, list[str]] = {}
    for question in questions:
        numbers = list(question.options)
        column = columns[question.column]
        if column.labels or numbers not in ([str(i) for i in range(n)] for n in (5, 6, 7, 8, 10)):
            continue
        counts = Counter(column.values)
        if 0 < counts["0"] <= _FEW_ZEROS * sum(counts[c] for c in numbers):
            found.setdefault(f"1 to {numbers[-1]}", []).append(question.column)
    notes = []
    for rest, names in found.items():
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        notes.append(
            f"{', '.join(names[:_NAMED])}{more}: 0 among {rest} without a label, of few; if it is"
            " not an answer (missed), move it from options: to not_asked: in the codebook"
        )
    return notes


def _people(file: File, book: Codebook) -> list[str]:
    """Note rows that are several of a person's: they tell each other."""
    columns = {column.name: column for column in file.columns}
    own = columns.get(book.id or "")
    found = repeated(file) if own is None or is_running(own) else None
    if found is None or not _same_people(columns, book, found[0]):
        return []
    return [
        f"{found[0].name} has {found[1]:,} ids in {file.rows:,} rows, which are numbered and taken"
        " for respondents; if they are waves or visits of the same people, import one of each,"
        " since a person's own rows would predict each other"
    ]


def _same_people(columns: dict[str, Column], book: Codebook, ids: Column) -> bool:
    """Say whether rows of one id may be one person's: what is known of people is mostly the same.

    An interviewer's id, or a place's, has people of both sexes. Without attributes nothing speaks
    against it.
    """
    told = []
    for attribute in book.attributes:
        column = columns[attribute.column]
        if attribute.bins or column is ids:
            continue
        kinds: dict[str, set[str]] = {}
        for person, value in zip(ids.values, column.values, strict=True):
            if value:
                kinds.setdefault(person, set()).add(value)
        several = [held for held in kinds.values() if held]
        told.append(sum(len(held) > 1 for held in several) > len(several) / 2)
    return not told or not all(told)


def _places(file: File, book: Codebook) -> list[str]:
    """Note rows that are places, each once, with numbers of what people there said."""
    if file.rows < _FEWEST_PLACES or any(q.kind not in ("numeric",) for q in book.questions):
        return []
    for column in file.columns:
        values = [v for v in column.values if v]
        named = _PLACE.fullmatch(slug(column.name)) and not column.labels
        if named and len(set(values)) == file.rows and not any(v.isdecimal() for v in values):
            return [
                f"each row is another {column.name}, and all else are numbers: a row may be a place"
                " and not a person; import the file of people's own answers"
            ]
    return []


def garbled(file: File, book: Codebook, encoding: str) -> list[str]:
    """Return a note where a codebook has texts of the file as they are in a wrong encoding.

    It was guessed before the file's `encoding` was named, and what is in it stays.
    """
    told = {c.label for c in file.columns}
    told |= {label for c in file.columns for label in c.labels.values()}
    said = [text for q in book.questions for text in (q.question, *q.options.values())]
    said += [text for a in book.attributes for text in (a.label, *a.options.values())]
    spoilt = [t for t in dict.fromkeys(said) if t not in told and _mended(t, encoding) in told]
    if not spoilt:
        return []
    return [
        f"texts of the codebook are the file's in another encoding than {encoding}"
        f" ({len(spoilt)}, such as '{spoilt[0]}'); --guess makes the codebook anew"
    ]


def _mended(text: str, encoding: str) -> str | None:
    """Return what a text that was read as Windows' cp1252 is in its own encoding."""
    with suppress(UnicodeError, LookupError):
        return text.encode("cp1252").decode(encoding)
    return None


def _weights(columns: dict[str, Column], book: Codebook) -> list[str]:
    notes = [
        f"{column.name} is taken for what people weigh ({_span(column)}); if they are survey"
        " weights, name it under weight: in the codebook"
        for column in columns.values()
        if is_of_bodies(column) and column.name != book.weight
    ]
    asked = {question.column for question in book.questions}
    notes += [
        f"{column.name} has the name of survey weights and values below 0 ({_span(column)}), and is"
        " taken for a question; if they are weights, put the file right, and name it under weight:"
        for column in columns.values()
        if column.name in asked and named_as_weight(column) and not is_of_bodies(column)
    ]
    if book.weight is None:
        notes += [
            f"{column.name} has numbers with a mean of 1 ({_span(column)}), as survey weights have,"
            " and is taken for a question; if they are weights, name it under weight:"
            for column in columns.values()
            if column.name in asked and may_be_weights(column)
        ]
    else:
        others = [
            column.name
            for column in columns.values()
            if column.name in book.ignored and is_weight(column)
        ]
        if others:
            notes.append(
                f"of {len(others) + 1} columns of weights {book.weight} is taken; if estimates are"
                f" to have {' or '.join(others[:4])}, name it under weight: in the codebook"
            )
        numbers = [float(v) for v in columns[book.weight].values if v]
        mean = sum(numbers) / len(numbers)
        if not 0.5 <= mean <= 2:
            notes.append(
                f"{book.weight} is taken for survey weights, and their mean is {mean:.3g}"
                f" ({_span(columns[book.weight])}); if they are something else, leave weight:"
                " empty in the codebook"
            )
    return notes


def _codes(columns: dict[str, Column], questions: Sequence[Question]) -> list[str]:
    """Note numbers without a label that stand apart: 8 and 9 among answers of 1 to 5."""
    found: dict[tuple[str, str], list[tuple[str, float]]] = {}
    for question in questions:
        apart = _apart(question)
        if not apart:
            continue
        codes, rest = apart
        counts = Counter(columns[question.column].values)
        share = sum(counts[c] for c in codes) / sum(counts[c] for c in question.options)
        if share <= _MOST:
            key = (" and ".join(codes), f"{rest[0]} to {rest[-1]}")
            found.setdefault(key, []).append((question.column, share))
    notes = []
    for (codes_, rest_), members in found.items():
        names = ", ".join(name for name, _ in members[:_NAMED])
        more = f" and {len(members) - _NAMED} more" if len(members) > _NAMED else ""
        shares = [share for _, share in members]
        least, most = f"{min(shares):.0%}", f"{max(shares):.0%}"
        notes.append(
            f"{names}{more}: {codes_} among {rest_} without a label"
            f" ({least if least == most else f'{least} to {most}'} of answers); if it is not an"
            " answer, move it from options: to refused:, dont_know: or not_asked: in the codebook"
        )
    return notes


def _apart(question: Question) -> tuple[list[str], list[int]] | None:
    """Return codes without a label that are beyond a gap above all others, and the others."""
    if question.kind == "multiple":
        return None
    try:
        numbers = {code: int(code) for code in question.options}
    except ValueError:
        return None
    ordered = sorted(numbers, key=numbers.__getitem__)
    run = [c for i, c in enumerate(ordered) if numbers[c] == numbers[ordered[0]] + i]
    apart = ordered[len(run) :]
    rest = [numbers[c] for c in run]
    if any(numbers[c] not in _SPECIAL or question.options[c] != c for c in apart):
        return None
    enough = 2 if all(question.options[c] != c for c in numbers if c not in apart) else 3
    if not apart or len(rest) < enough or rest != list(range(rest[0], rest[-1] + 1)):
        return None
    return apart, rest


def _span(column: Column) -> str:
    numbers = [float(v) for v in column.values if v]
    return f"{min(numbers):g} to {max(numbers):g}"
