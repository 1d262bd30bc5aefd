"""Questions where several choices count: a column for each, or several in a cell."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence

from lupom.science.surveys import cells, conventions, grids, labels
from lupom.science.surveys.columns import SELECTED, Column, File, fill, prefix

SEVERAL = "several choices in a cell; a column for each would be read as such"
# The same by a word, of which more is asked: brand_Nike, 'Which? - Nike'.
_BY_WORD = re.compile(r"(.+)(?:_|: | - )([^_]+)")
_BEFORE = re.compile(r"([^:]+):(.+)", re.DOTALL)
_PARTED = re.compile(r"(.+)[._]([^._]+)")
_CHECKED = (
    *("1", "yes", "y", "x", "true", "selected", "checked", "ja", "oui", "si", "s\u00ed", "s\u00ec"),
    *("sim", "tak", "da", "ano", "\u2713", "\u2714"),
)
# What a program writes in every column of such a question, of what was selected and what not.
_TICKS = (("1", "0"), ("Checked", "Unchecked"))
# More choices than this of one question are texts of people's own.
_MOST = 60
_LONGEST_CHOICE = 120
# Of what stands in cells of choices, this share at least is listed in others, too.
_AGAIN = 0.8
# Of more different cells so many tell whether it is worth to part them all.
_FIRST = 400
_CODES = re.compile(r"\d{1,2}(?: \d{1,2})*")
_MADE = re.compile(r"(.+) \[(.+)\]", re.DOTALL)


def gather(file: File) -> File:
    """Return the file with its "select all that apply" columns read as such, and grids marked.

    They are at least two columns of one prefix (Q5_1, Q5_2) that hold one value or nothing: the
    value is "selected"; or a number of its own each; or that hold 1 and 0 without labels, or
    Checked and Unchecked; neighbours that hold their own names; or a column with several choices
    in a cell, which becomes a column for each. Each is given the labels '1' Selected and '0' Not
    selected.
    """
    _factors(file)
    _ticks(file)
    groups: dict[str, list[Column]] = {}
    for column in file.columns:
        held = set(column.values) - {""}
        if len(held) == 1 and not column.group and not column.why:
            found = prefix(column.name)
            if found is None:
                found = _by_word(column)
            if found:
                groups.setdefault(found, []).append(column)
    for start, members in [*_numbered(file.columns), *_by_value(file.columns)]:
        if len(members) > len(groups.get(start, ())):
            groups[start] = members
    for start, members in groups.items():
        _one_or_nothing(file, start, members)
    fill(file.columns)
    prefixes = {c.group for c in file.columns if c.group}
    for column in file.columns:
        if column.name in prefixes and not column.group and not column.why:
            column.why = "made of other columns"
    split(file)
    file.notes += grids.mark(file.columns)
    file.notes += conventions.mark(file.columns)
    return file


def _by_word(column: Column) -> str | None:
    """Return the question of a choice whose one value is its name's last word, or a cross.

    brand_Nike, 'Which? - Nike'; Alchemer writes 'Nike:Which?'.
    """
    value = next(v for v in column.values if v)
    said = column.labels.get(value, value).casefold()
    first = _BEFORE.fullmatch(column.name)
    if first and said == first[1].strip().casefold():
        return first[2].strip()
    word = _BY_WORD.fullmatch(column.name)
    return word[1] if word and said in (word[2].casefold(), *_CHECKED) else None


def _one(column: Column) -> str | None:
    """Return the one value of a column that has blanks beside it and no labels, else None."""
    held = set(column.values)
    plain = not (column.labels or column.why or column.group or column.known)
    return max(held) if plain and len(held) == 2 and "" in held else None


def _numbered(columns: Sequence[Column]) -> list[tuple[str, list[Column]]]:
    """Return choices of one beginning that hold a number of their own: role.dev 2, role.fin 4."""
    groups: dict[str, list[Column]] = {}
    for column in columns:
        value, found = _one(column), _PARTED.fullmatch(column.name)
        if found and value is not None and value.isdecimal() and prefix(column.name) is None:
            groups.setdefault(found[1], []).append(column)
    out = []
    for start, members in groups.items():
        numbers = [int(_one(c) or 0) for c in members]
        if len(members) > 1 and numbers == sorted(set(numbers)):
            out.append((start, members))
    return out


def _by_value(columns: Sequence[Column]) -> list[tuple[str, list[Column]]]:
    """Return neighbours that hold their own names or nothing, as Typeform's choices do."""
    out: list[tuple[str, list[Column]]] = []
    run: list[Column] = []
    for column in [*columns, None]:
        if column is not None and (_one(column) or "").casefold() == column.name.casefold():
            run.append(column)
            continue
        if len(run) > 1:
            out.append((" / ".join(c.name for c in run), run))
        run = []
    return out


def _one_or_nothing(file: File, start: str, members: Sequence[Column]) -> None:
    members = [c for c in members if not c.group]
    if len(members) < 2 or not all("" in c.values for c in members):
        return
    values = [(set(c.values) - {""}).pop() for c in members]
    texts = [c.labels.get(v, v) for c, v in zip(members, values, strict=True)]
    told = [t.casefold() not in _CHECKED for t in texts]
    if any(told) and len(set(texts)) < len(texts):
        return  # rows of a matrix that everyone answered alike
    for column, choice, says in zip(members, texts, told, strict=True):
        if says and not (choice.isdecimal() and prefix(column.name) is None):
            text, said = column.label or start, " ".join(choice.split())
            column.label = text if said in " ".join(text.split()) else f"{text}: {said}"
        column.values = ["1" if v else "" for v in column.values]
        column.labels = dict(SELECTED)
        column.missing, column.group = frozenset(), start
    file.notes.append(
        f"{members[0].name} to {members[-1].name} hold one value or nothing: read as "
        f"choices of a question where several count"
    )


def _factors(file: File) -> None:
    """Take columns 'sex.factor', in which REDCap's script for R has labels of 'sex', as such."""
    columns = {column.name: column for column in file.columns}
    for name, worded in columns.items():
        coded = columns.get(name.removesuffix(".factor"))
        if coded is None or coded is worded or coded.labels or coded.why:
            continue
        pairs = {pair for pair in zip(coded.values, worded.values, strict=True) if any(pair)}
        told = {code: text for code, text in pairs if not _absent(code) and not _absent(text)}
        if not told or len(told) < sum(not (_absent(a) and _absent(b)) for a, b in pairs):
            continue
        if len(set(told.values())) == len(told):
            coded.labels = dict(sorted(told.items(), key=_by_number))
            worded.why = f"the labels of {coded.name}"


def _by_number(item: tuple[str, str]) -> tuple[float, str]:
    try:
        return float(item[0]), item[0]
    except ValueError:
        return float("inf"), item[0]


def _absent(value: str) -> bool:
    return not value or value.casefold() in cells.ABSENT


def _ticks(file: File) -> None:
    """Read columns of one prefix that hold two signs, such as 0 and 1 without labels, as choices.

    0 and 1 alone may have labels that say a refusal.
    """
    for yes, no in _TICKS:
        groups: dict[str, list[Column]] = {}
        for column in file.columns:
            found = prefix(column.name)
            held = {v for v in column.values if not _absent(v)} - column.missing
            told = {labels.nonresponse(label) for label in column.labels.values()}
            if (
                found
                and not column.group
                and not column.why
                and held <= {yes, no}
                and (None not in told or set(column.labels.values()) <= {"Checked", "Unchecked"})
            ):
                groups.setdefault(found, []).append(column)
        for start, members in groups.items():
            # One value in all of them says nothing of what the others of a pair mean.
            if len(members) < 2 or not any({yes, no} <= set(c.values) for c in members):
                continue
            code = {yes: "1", no: "0"}
            for column in members:
                column.values = ["" if _absent(v) else code.get(v, v) for v in column.values]
                kept = {c: text for c, text in column.labels.items() if labels.nonresponse(text)}
                column.labels, column.group = {**SELECTED, **kept}, start
            signs = "0 and 1" if no == "0" else f"{no} and {yes}"
            said = "1 selected" if no == "0" else f"{yes} selected"
            file.notes.append(
                f"{members[0].name} to {members[-1].name} hold {signs}: read as choices of a "
                f"question where several count, {said}"
            )


def split(file: File) -> None:
    """Make a column for each choice of columns with several choices in a cell: 'Use [Tea]'.

    Where the choices are numbers without a wording, the column is left as it is and says so.
    """
    columns: list[Column] = []
    names = {c.name.casefold() for c in file.columns}
    lists = {
        id(column): found
        for column in file.columns
        if not (column.labels or column.why or column.group or column.known)
        and (found := listed(column.values)) is not None
    }
    told = {o.casefold() for c in file.columns for o in lists.get(id(c), ([], 0))[0]}
    # Where other columns list choices, a few cells tell that one does.
    semicolons = any(
        ";" in v for c in file.columns if lists.get(id(c), ([], 0))[0] for v in c.values
    )
    for column in file.columns:
        columns.append(column)
        if column.labels or column.why or column.group or column.known:
            continue
        found = lists.get(id(column)) or (_too(column.values, told) if semicolons else None)
        if found is None:
            continue
        options, others = found
        if not options:
            column.why = SEVERAL
            continue
        made = [_made(column, option) for option in options]
        if any(c.name.casefold() in names for c in made):
            continue
        column.why = "several choices in a cell: each is a question of its own"
        columns += made
        also = f"; {others} more that hardly anybody gave are left out" if others else ""
        file.notes.append(
            f"{column.name} has several choices in a cell: read as {len(made)} questions, such as "
            f"'{made[0].name}'{also}"
        )
    file.columns[:] = columns


def _too(values: Sequence[str], told: Collection[str]) -> tuple[list[str], int] | None:
    """Return the choices of cells with semicolons, of a file in which other columns list choices.

    Some of them stand in two cells or more, or are choices of the other columns; none is a text.
    """
    cells_ = [v for v in values if v and v.casefold() not in cells.ABSENT]
    parts = [list(dict.fromkeys(_apart(v, ";"))) for v in cells_]
    given = Counter(part.casefold() for listed_ in parts for part in listed_)
    written = {part.casefold(): part for listed_ in reversed(parts) for part in listed_}
    several = [listed_ for listed_ in parts if len(listed_) > 1]
    known = [
        p for listed_ in several for p in listed_ if given[p.casefold()] > 1 or p.casefold() in told
    ]
    all_ = [p for listed_ in several for p in listed_]
    if not several or 2 * len(known) < len(all_) or len(given) > _MOST:
        return None
    if max(map(len, given)) > _LONGEST_CHOICE:
        return None
    return [written[part] for part, _ in given.most_common()], 0


def derive(file: File, names: Iterable[str]) -> None:
    """Add the columns 'Use [Tea]' that are named and can be made of one of the file, 'Use'."""
    own = {c.name: c for c in file.columns}
    for name in names:
        found = None if name in own else _MADE.fullmatch(name)
        if found and found[1] in own and not own[found[1]].group:
            own[name] = _made(own[found[1]], found[2])
            file.columns.append(own[name])


def listed(values: Sequence[str]) -> tuple[list[str], int] | None:
    """Return the choices that cells list, and how many of hardly anybody's there are beside them.

    'Tea;Coffee', 'Coffee', 'Tea|Milk', 'Tea, Milk', '1 3 5'. Most of what stands between the signs
    occurs in other cells, too. With commas, which texts have of their own, some cell joins two
    others, or choices stand before and behind others: unlike 'Agree, strongly' beside 'Agree'.
    Commas within brackets part nothing, and what is never without its neighbour is one with it.

    Returns
    -------
    the choices in the order in which most gave them; none where they are but numbers; None where
    cells are no lists.
    """
    counts = Counter(v for v in values if v and v.casefold() not in cells.ABSENT)
    codes = bool(counts) and all(_CODES.fullmatch(v.strip("; ")) for v in counts)
    first = Counter(dict(itertools.islice(counts.items(), _FIRST)))
    for sign in (";", "|", ",", *([" "] if codes else [])):
        if len(counts) > _FIRST and _parts(first, sign) is None:
            continue
        found = _parts(counts, sign)
        if found is None:
            continue
        if all(part.isdecimal() for parts in found.values() for part in parts):
            return [], 0
        given: Counter[str] = Counter()
        written: dict[str, Counter[str]] = {}
        for value, parts in found.items():
            for part in dict.fromkeys(parts):
                given[part.casefold()] += counts[value]
                written.setdefault(part.casefold(), Counter())[part] += counts[value]
        enough = max(2, 0.005 * counts.total())
        kept = [part for part, n in given.most_common() if n >= enough]
        if 2 <= len(kept) <= _MOST:
            return [written[part].most_common(1)[0][0] for part in kept], len(given) - len(kept)
    return None


def _parts(counts: Counter[str], sign: str) -> dict[str, list[str]] | None:
    """Return the choices of each cell, None where what a sign parts are none."""
    apart = {value: _apart(value, sign) for value in counts}
    if sum(len(parts) > 1 for parts in apart.values()) < 2:
        return None
    if sign == ",":
        apart = _rejoined(apart)
    several = [parts for parts in apart.values() if len(parts) > 1]
    occurs = Counter(p.casefold() for parts in apart.values() for p in dict.fromkeys(parts))
    again = sum(n for n in occurs.values() if n > 1)
    if len(several) < 2 or again < _AGAIN * occurs.total():
        return None
    alone = {parts[0].casefold() for parts in apart.values() if len(parts) == 1}
    if sign in ";|":
        return apart if len(several) > 2 or any(occurs[part] > 1 for part in alone) else None
    before = {p.casefold() for parts in several for p in parts[:-1]}
    behind = {p.casefold() for parts in several for p in parts[1:]}
    between = len(before & behind) > 1 and len(several) > 2
    folded = {value.casefold(): len(parts) > 1 for value, parts in apart.items()}
    joined = any(more and _joins(value, folded) for value, more in folded.items())
    return apart if between or joined else None


def _apart(value: str, sign: str) -> list[str]:
    """Return what a sign parts, commas within brackets aside."""
    if sign != ",":
        return [part.strip() for part in value.split(sign) if part.strip()]
    out, depth, start = [], 0, 0
    for i, letter in enumerate(value):
        depth += (letter in "([") - (letter in ")]" and depth > 0)
        if letter == "," and not depth:
            out.append(value[start:i])
            start = i + 1
    return [part.strip() for part in [*out, value[start:]] if part.strip()]


def _rejoined(apart: dict[str, list[str]]) -> dict[str, list[str]]:
    """Put together what is never parted: 'Employed, full-time' beside 'Employed, part-time'."""
    pairs = [(a, b) for parts in apart.values() for a, b in itertools.pairwise(["", *parts, ""])]
    before: dict[str, set[str]] = {}
    for a, b in pairs:
        before.setdefault(b, set()).add(a)
    after: dict[str, set[str]] = {}
    for a, b in pairs:
        after.setdefault(a, set()).add(b)
    open_ = {a for a, follow in after.items() if a and all(before[b] == {a} and b for b in follow)}
    out = {}
    for value, parts in apart.items():
        whole: list[str] = []
        for i, part in enumerate(parts):
            if i and parts[i - 1] in open_:
                whole[-1] += f", {part}"
            else:
                whole.append(part)
        out[value] = whole
    return out


def _joins(value: str, others: Collection[str]) -> bool:
    """Say whether a cell is two other cells with a comma, or a space, between."""
    signs = [i for i, sign in enumerate(value) if sign in ", "]
    return any(value[:i] in others and value[i + 1 :].strip() in others for i in signs)


def _made(column: Column, option: str) -> Column:
    """Return the column of one choice of a column that lists them."""
    told: dict[str, str] = {}
    for value in set(column.values):
        # Who refused as a whole did not leave this one out.
        refused = bool(value) and (labels.nonresponse(value) or value.casefold() in cells.ABSENT)
        own = value.strip("; ").casefold() == option.casefold()
        told[value] = value if not value or (refused and not own) else "01"[_picked(value, option)]
    text = column.label or column.name
    return Column(
        f"{column.name} [{option}]",
        [told[value] for value in column.values],
        label=f"{text} {option}" if text[-1:] in "?:." else f"{text}: {option}",
        labels=dict(SELECTED),
        group=column.name,
    )


def _picked(value: str, option: str) -> bool:
    if "(" not in option and "[" not in option:
        value = re.sub(r"[(\[][^()\[\]]*[)\]]", "()", value)
    pattern = rf"(?:^|[;|,])\s*{re.escape(option)}\s*(?=[;|,]|$)"
    return re.search(pattern, value, re.IGNORECASE) is not None
