"""Who was asked, by a data dictionary's branching: REDCap's and XLSForm's conditions, evaluated.

A question where several count is exported as 0 for whoever did not tick a choice, also for those
who never saw it (REDCap).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from lupom.science.surveys import cells
from lupom.science.surveys.columns import Column, File
from lupom.science.surveys.dictionaries.dictionary import Variable

_TOKEN = re.compile(
    r"\s*(?:(?P<field>\[[\w()-]+\]|\$\{[\w-]+\})|(?P<text>'[^']*'|\"[^\"]*\")|(?P<number>-?\d+(?:\.\d+)?)"
    r"|(?P<sign><>|!=|<=|>=|=|<|>|\(|\)|,)|(?P<word>[A-Za-z_][\w-]*))"
)
_LONGEST = 5_000
_DEEPEST = 50
Value = str | bool
Row = Callable[[str], str | None]


class NotRead(ValueError):
    """A condition in other words than these."""


def hide(file: File, pairs: Sequence[tuple[Column, Variable]]) -> list[str]:
    """Make blank what a choice's column holds of people who were not asked; returns its questions.

    Conditions that are not understood, or of columns that are not there, hide nothing.
    """
    columns = {c.name.casefold(): c for c in file.columns}
    for column in file.columns:
        columns.setdefault(column.name.rpartition("/")[2].casefold(), column)
    groups: dict[str, tuple[str, list[Column]]] = {}
    for column, variable in pairs:
        if column.group and variable.several and variable.asked_if:
            groups.setdefault(variable.name, (variable.asked_if, []))[1].append(column)
    hidden = []
    for name, (condition, members) in groups.items():
        try:
            asked = [_asked(condition, columns, row) for row in range(file.rows)]
        except NotRead:
            continue
        if all(asked) or not any(asked):
            continue
        if any(c.values[i] == "1" for c in members for i, seen in enumerate(asked) if not seen):
            continue  # who was not asked has answered: the condition is another one than is said
        for column in members:
            column.values = [
                v if seen else "" for v, seen in zip(column.values, asked, strict=True)
            ]
        hidden.append(name)
    return hidden


def _asked(condition: str, columns: Mapping[str, Column], row: int) -> bool:
    def value(name: str) -> str | None:
        column = columns.get(name.casefold())
        return None if column is None else column.values[row]

    return evaluate(condition, value)


def evaluate(condition: str, row: Row) -> bool:
    """Return whether a condition holds: "[sex] = '1' and [tea(2)] = '1'", "${sex} = 'f'".

    Parameters
    ----------
    row : a field's name to its cell, '' where blank, None where there is none.

    Raises
    ------
    NotRead : for a condition in other words, or of a field that is not there.
    """
    if len(condition) > _LONGEST:
        raise NotRead(f"a condition of {len(condition):,} characters")
    tokens: list[tuple[str, str]] = []
    at = 0
    while at < len(condition) and condition[at:].strip():
        found = _TOKEN.match(condition, at)
        if found is None:
            raise NotRead(condition[at : at + 40])
        kind = found.lastgroup or ""
        tokens.append((kind, found[kind]))
        at = found.end()
    parser = _Parser(tokens, row)
    out = parser.either(0)
    if parser.at < len(tokens):
        raise NotRead(tokens[parser.at][1])
    return _true(out)


class _Parser:
    def __init__(self, tokens: Sequence[tuple[str, str]], row: Row) -> None:
        self.tokens, self.row, self.at = tokens, row, 0

    def _next(self, *wanted: str) -> str | None:
        if self.at < len(self.tokens):
            kind, said = self.tokens[self.at]
            if kind in ("word", "sign") and said.casefold() in wanted:
                self.at += 1
                return said.casefold()
        return None

    def either(self, depth: int) -> Value:
        if depth > _DEEPEST:
            raise NotRead("too many brackets")
        out = self._both(depth)
        while self._next("or"):
            second = self._both(depth)
            out = _true(out) or _true(second)
        return out

    def _both(self, depth: int) -> Value:
        out = self._compared(depth)
        while self._next("and"):
            second = self._compared(depth)
            out = _true(out) and _true(second)
        return out

    def _compared(self, depth: int) -> Value:
        left = self._one(depth)
        sign = self._next("=", "!=", "<>", "<", ">", "<=", ">=")
        if sign is None:
            return left
        return _compare(sign, str(left), str(self._one(depth)))

    def _one(self, depth: int) -> Value:
        if self._next("("):
            out = self.either(depth + 1)
            self._close()
            return out
        if self.at >= len(self.tokens):
            raise NotRead("the end")
        kind, said = self.tokens[self.at]
        self.at += 1
        if kind == "field":
            return self._field(said)
        if kind == "text":
            return said[1:-1]
        if kind == "number":
            return said
        if kind == "word" and self._next("("):
            return self._called(said.casefold(), depth)
        raise NotRead(said)

    def _called(self, name: str, depth: int) -> Value:
        if name == "selected":
            held = str(self.either(depth + 1))
            if not self._next(","):
                raise NotRead(name)
            wanted = str(self.either(depth + 1))
            self._close()
            return wanted in held.split()
        if name == "not":
            out = not _true(self.either(depth + 1))
            self._close()
            return out
        raise NotRead(name)

    def _close(self) -> None:
        if not self._next(")"):
            raise NotRead("a bracket that does not close")

    def _field(self, said: str) -> str:
        name = said.strip("[]${}")
        choice = re.fullmatch(r"(.+)\((.+)\)", name)  # REDCap's [tea(2)]
        found = self.row(f"{choice[1]}___{choice[2]}" if choice else name)
        if found is None:
            raise NotRead(said)
        return found


def _true(value: Value) -> bool:
    return value if isinstance(value, bool) else value not in ("", "0")


def _compare(sign: str, left: str, right: str) -> bool:
    if sign in ("=", "!=", "<>"):
        return (cells.code(left) == cells.code(right)) is (sign == "=")
    try:
        a, b = float(left), float(right)
    except ValueError:
        return False
    return {"<": a < b, ">": a > b, "<=": a <= b, ">=": a >= b}[sign]
