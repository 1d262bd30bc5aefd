"""A file's columns given the wordings, labels and missing codes that a data dictionary has."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from lupom.science.surveys import cells, labels
from lupom.science.surveys.columns import SELECTED, Column, File
from lupom.science.surveys.dictionaries import reading, shown
from lupom.science.surveys.dictionaries.dictionary import Dictionary, Variable, plain
from lupom.science.surveys.missing_codes import number_of

# A file beside the data is its codebook where it has so much of the columns.
_SHARE, _FEWEST = 0.5, 2
# Codes are a column's where they are so many of its cells.
_FIT = 0.5
# A code outside of a scale that is told in full is no answer where so few gave it.
_FEW = 0.05
_LONGEST_SCALE = 12
_TOLD = 5
# What is not asked for is not to take long.
_LARGEST_BESIDE = 5_000_000
_LONGEST_CONDITION = 60
_CODE = re.compile(r"(\w+(?:\[\w+\])*)\. ")


def described(file: File, path: Path, *, encoding: str | None = None) -> File:
    """Return the file with what a data dictionary says of its columns, and a note on it.

    Raises
    ------
    ValueError : as `reading.read` does, and where the dictionary has none of the columns.
    """
    names = [column.name for column in file.columns]
    dictionary = reading.read(path, names, encoding=encoding)
    pairs = _pairs(file, dictionary)
    if not pairs:
        theirs = ", ".join(list(dictionary.variables)[:3]) or "nothing"
        raise ValueError(
            f"{path.name}: it describes none of the columns of {file.name} ({', '.join(names[:3])}"
            f", ...), but {theirs}; is it the codebook of another file?"
        )
    _describe(file, dictionary, pairs)
    return file


def described_beside(file: File, path: Path, *, encoding: str | None = None) -> File:
    """Return the file with what the codebook says that stands beside it, if one plainly does.

    One does whose name says so, or a workbook's other sheet, and which has at least half of the
    columns. What may have been meant and is not read is noted.
    """
    names = [column.name for column in file.columns]
    candidates = reading.beside(path)
    if any("; not read: " in note for note in file.notes):  # a workbook with other sheets
        candidates.insert(0, path)
    found: list[tuple[Path, Dictionary, list[tuple[Column, Variable]]]] = []
    for other in candidates:
        if other != path and other.stat().st_size > _LARGEST_BESIDE:
            continue
        try:
            dictionary = reading.read(other, names, encoding=encoding)
        except (ValueError, OSError) as error:
            if other != path and "describes no column" not in str(error):
                file.notes.append(f"{other.name} beside it is not read as its codebook: {error}")
            continue
        pairs = _pairs(file, dictionary)
        if len(pairs) >= max(_FEWEST, _SHARE * len(names)) and _says_something(pairs):
            found.append((other, dictionary, pairs))
    if not found:
        return file
    # One that is named after the file goes before others; of several that say the same, the first.
    named = [one for one in found if _squeezed(path.stem) in _squeezed(one[0].stem)]
    best, dictionary, pairs = max(named or found, key=lambda one: len(one[2]))
    _describe(file, dictionary, pairs)
    others = [] if named else [other.name for other, _, _ in found if other != best]
    if others:
        file.notes.append(f"{', '.join(others)} may be its codebook, too; --codebook names one")
    return file


def _says_something(pairs: Sequence[tuple[Column, Variable]]) -> bool:
    return any(v.labels or (v.label and v.label != v.name) for _, v in pairs)


def _pairs(file: File, dictionary: Dictionary) -> list[tuple[Column, Variable]]:
    """Return the columns that a dictionary describes, each with its variable."""
    exact = dictionary.variables
    folded = {name.casefold(): v for name, v in reversed(exact.items())}
    squeezed = {_squeezed(name): v for name, v in reversed(exact.items())}
    worded = {v.label.casefold(): v for v in reversed(exact.values()) if v.label}
    own = {c.name: v for c in file.columns if (v := _own(c.name, exact, folded)) is not None}
    claimed = {id(variable) for variable in own.values()}
    out = []
    for column in file.columns:
        name = column.name
        found = own.get(name) or _of_several(name, folded) or _of_ending(name, dictionary, folded)
        if found is None:
            # Kobo writes group/question, ODK group-question, LimeSurvey 'Q1[SQ001]. How often?'.
            coded = _CODE.match(name)
            likely = [folded.get(name.rpartition(sign)[2].casefold()) for sign in "/-."]
            likely += [folded.get(coded[1].casefold()) if coded else None]
            likely += [squeezed.get(_squeezed(name)), worded.get(plain(name).casefold())]
            found = next((v for v in likely if v is not None and id(v) not in claimed), None)
        if found is not None:
            out.append((column, found))
    return out


def _own(name: str, exact: dict[str, Variable], folded: dict[str, Variable]) -> Variable | None:
    return exact.get(name) or folded.get(name.casefold())


def _squeezed(name: str) -> str:
    return re.sub(r"[\W_]+", "", name.casefold())


def _choice(name: str) -> tuple[str, str] | None:
    """Return the question and the choice of a column's name: q___1, group/q/tea."""
    found = re.fullmatch(r"(.+?)(?:___|/)([^/]+)", name.casefold())
    if found is None or "___" in name:
        return (found[1], found[2]) if found else None
    start, _, choice = name.casefold().rpartition("/")
    return start.rpartition("/")[2], choice


def _of_several(name: str, folded: dict[str, Variable]) -> Variable | None:
    told = _choice(name)
    found = folded.get(told[0]) if told else None
    return found if found is not None and found.several else None


def _of_ending(name: str, dictionary: Dictionary, folded: dict[str, Variable]) -> Variable | None:
    """Return the variable of a column that is its name and an ending: Q1A, EXT1_E."""
    for ending, why in dictionary.endings.items():
        start = name.removesuffix(ending)
        found = folded.get(start.casefold()) if start != name else None
        if found is not None:
            return Variable(name, found.line, why=why) if why else found
    return None


def _describe(file: File, dictionary: Dictionary, pairs: list[tuple[Column, Variable]]) -> None:
    total = len(file.columns)
    paired = {id(column) for column, _ in pairs}
    rest = [c.name for c in file.columns if id(c) not in paired]
    unlike: list[str] = []
    outside: dict[str, list[str]] = {}
    for column, variable in pairs:
        _wording(column, variable)
        column.why = column.why or variable.why
        if variable.several and _is_choice(column, variable):
            continue
        if variable.several and _together(file, column, variable, pairs):
            continue
        fits = not variable.labels or bool(column.labels) or _labels(column, variable)
        # A description may be taken for a list of texts, which it is not.
        if not fits and any(code != text for code, text in variable.labels.items()):
            unlike.append(column.name)
        column.missing |= _missing(column, variable)
        column.measure = column.measure or variable.measure
        _scale(column)
        for code in _outside(column):
            column.missing |= {code}
            outside.setdefault(code, []).append(column.name)
    hidden = shown.hide(file, pairs)
    described = {id(variable) for _, variable in pairs}
    absent = [
        v.name for v in dictionary.variables.values() if id(v) not in described and v.why == ""
    ]
    file.title = file.title or dictionary.title
    file.notes = [note.replace("; not read: ", "; not read as answers: ") for note in file.notes]
    said = f"read with {dictionary.name}, {dictionary.format}: it describes {len(pairs):,} of"
    said += f" {total:,} columns"
    said += f", not {_listed(rest)}" if rest else ""
    file.notes.append(f"{said}; --no-codebook reads the file without it")
    file.notes += dictionary.notes
    if absent and len(absent) < len(dictionary.variables):
        file.notes.append(f"{dictionary.name} describes what the file has not: {_listed(absent)}")
    if unlike:
        file.notes.append(
            f"{dictionary.name} has other codes than the file for {_listed(unlike)}, which are read"
            " without them"
        )
    for code, names in outside.items():
        file.notes.append(
            f"{code} is none of the codes {dictionary.name} gives {_listed(names)}, and of few: it"
            " is taken for not asked"
        )
    filtered = dict.fromkeys(
        f"{v.name} ({v.asked_if[:_LONGEST_CONDITION]})" for _, v in pairs if v.asked_if
    )
    if filtered:
        file.notes.append(f"asked of some, as {dictionary.name} says: {_listed(list(filtered))}")
    if hidden:
        file.notes.append(
            f"{_listed(hidden)}: cells of people who were not asked, as {dictionary.name} says, are"
            " blank"
        )


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _TOLD:,} more" if len(names) > _TOLD else ""
    return ", ".join(names[:_TOLD]) + more


def _wording(column: Column, variable: Variable) -> None:
    if variable.label and (not column.label or column.label == column.name):
        column.label = variable.label


def _is_choice(column: Column, variable: Variable) -> bool:
    """Read a column that is one choice of a question where several count; says whether it is."""
    told = _choice(column.name)
    if told is None or told[0] != variable.name.casefold():
        return False
    codes = {code.casefold(): code for code in variable.labels}
    # REDCap writes -9 as _9.
    code = codes.get(told[1]) or codes.get(re.sub(r"^_", "-", told[1]))
    code = code or {_squeezed(c): c for c in variable.labels}.get(_squeezed(told[1]))
    text = variable.labels.get(code or "", told[1])
    held = {v.casefold() for v in column.values if v} - cells.ABSENT
    if not held <= {"0", "1", "true", "false", "checked", "unchecked", "yes", "no"}:
        return False
    column.values = [
        "" if v.casefold() not in held else "01"[v.casefold() in ("1", "true", "checked", "yes")]
        for v in column.values
    ]
    column.label = f"{variable.label or variable.name}: {text}"
    column.labels, column.group = dict(SELECTED), variable.name
    if code is not None and code in variable.missing:
        column.why = "a code for no answer"
    return True


def _together(
    file: File, column: Column, variable: Variable, pairs: Sequence[tuple[Column, Variable]]
) -> bool:
    """Read a column with the codes of several choices in a cell: 'green black'; says if it is one.

    Each choice becomes a column, as Kobo names them: 'tea/green', where there is none yet.
    """
    parts = {v: v.split() for v in dict.fromkeys(column.values) if v}
    if not all(part in variable.labels for told in parts.values() for part in told):
        return False
    if any(other is not column and v is variable and _choice(other.name) for other, v in pairs):
        column.why = column.why or "made of other columns"
        return True
    column.why = column.why or "several choices in a cell: each is a question of its own"
    made = []
    for code, text in variable.labels.items():
        values = ["" if not v else "01"[code in parts[v]] for v in column.values]
        label = f"{variable.label or variable.name}: {text}"
        name = f"{column.name}/{code}"
        why = "a code for no answer" if code in variable.missing else ""
        made.append(Column(name, values, label, dict(SELECTED), group=variable.name, why=why))
    at = next(i for i, c in enumerate(file.columns) if c is column) + 1
    file.columns[at:at] = made
    return True


def _labels(column: Column, variable: Variable) -> bool:
    """Give a column a variable's labels, its cells as codes; says whether they are its own."""
    told = _without_codes(variable.labels)
    counts = Counter(v for v in column.values if v)
    texts = {" ".join(text.split()).casefold(): code for code, text in told.items()}
    written: dict[str, str] = {}
    for value in counts:
        code = cells.code(value)
        written[value] = value if value in told else code if code in told else ""
    by_code = sum(counts[v] for v, code in written.items() if code)
    if by_code < counts.total():
        by_text = {v: texts.get(" ".join(v.split()).casefold(), "") for v in counts}
        if sum(counts[v] for v, code in by_text.items() if code) > by_code:
            written = {v: code or written[v] for v, code in by_text.items()}
    fit = sum(counts[v] for v, code in written.items() if code)
    absent = variable.missing | {c for c in told if labels.nonresponse(told[c])}
    answers = [code for code in written.values() if code and code not in absent]
    # A number with labels for what is no answer, or for its ends, is one with them.
    amounts = all(number_of(v) is not None for v, code in written.items() if not code)
    if counts and fit < _FIT * counts.total() and not (amounts and (answers or absent)):
        return False
    if counts and not answers and not amounts:
        return False
    column.values = [written.get(v) or v for v in column.values]
    column.labels = dict(told)
    return True


def _without_codes(told: dict[str, str]) -> dict[str, str]:
    """Return labels without the codes that all of them begin with: '1: Yes', '-9: Refused'."""
    bare = {
        code: re.sub(rf"^{re.escape(code)}\s*[:.)=]\s+(?=\S)", "", text)
        for code, text in told.items()
    }
    return bare if all(bare[code] != text for code, text in told.items()) else told


def _missing(column: Column, variable: Variable) -> frozenset[str]:
    codes = {*column.values, *column.labels} - {""}
    numbers = {code: number_of(code) for code in codes}
    spans = {
        code
        for code, n in numbers.items()
        if n is not None and any(low <= n <= high for low, high in variable.ranges)
    }
    return frozenset(spans | (variable.missing & codes))


def _scale(column: Column) -> None:
    """Fill in the steps between the labelled ends of a scale: 1 Disagree, 3 Neutral, 5 Agree."""
    codes = [c for c in column.labels if c not in column.missing]
    codes = [c for c in codes if labels.nonresponse(column.labels[c]) is None]
    numbers = [n for c in codes if (n := number_of(c)) is not None and n.is_integer()]
    if len(numbers) < 2 or len(numbers) < len(codes):
        return
    low, high = int(min(numbers)), int(max(numbers))
    steps = [str(n) for n in range(low, high + 1)]
    bare = [step for step in steps if step not in column.labels]
    if not bare or len(steps) > _LONGEST_SCALE or not set(bare) & set(column.values):
        return
    rest = {c: text for c, text in column.labels.items() if c not in steps}
    column.labels = {step: column.labels.get(step, step) for step in steps} | rest
    column.measure = column.measure or "ordinal"


def _outside(column: Column) -> list[str]:
    """Return numbers outside of a scale that is told from end to end, which few gave."""
    inside = [c for c in column.labels if c not in column.missing]
    inside = [c for c in inside if labels.nonresponse(column.labels[c]) is None]
    numbers = sorted(n for c in inside if (n := number_of(c)) is not None)
    whole = numbers == [numbers[0] + i for i in range(len(numbers))] if numbers else False
    if len(numbers) < 3 or not whole or len(numbers) < len(inside):
        return []
    counts = Counter(v for v in column.values if v)
    apart = [
        v
        for v in counts
        if v not in column.labels
        and v not in column.missing
        and (n := number_of(v)) is not None
        and not numbers[0] <= n <= numbers[-1]
    ]
    few = sum(counts[v] for v in apart) <= _FEW * counts.total()
    return apart if few and len(apart) <= 2 else []
