"""SPSS syntax (.sps): VARIABLE LABELS, VALUE LABELS, MISSING VALUES, VARIABLE LEVEL."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lupom.science.surveys.dictionaries import lists
from lupom.science.surveys.dictionaries.dictionary import Dictionary, expand, plain

TITLE = "SPSS syntax"
_TOKEN = re.compile(
    r"(?P<blank>[ \t]+)|(?P<line>\r?\n)|(?P<note>/\*[^\n]*)"
    r"|(?P<text>'(?:[^'\n]|'')*'|\"(?:[^\"\n]|\"\")*\")"
    r"|(?P<open>['\"])|(?P<sign>[/,()=+])|(?P<word>[^\s'\"/,()=+]+)"
)
# A command and its least abbreviation, of three letters a word.
_COMMANDS = {
    "labels": re.compile(r"var(?:i(?:a(?:b(?:l(?:es?)?)?)?)?)? lab(?:e(?:ls?)?)?"),
    "values": re.compile(r"(?:add )?val(?:ue?)? lab(?:e(?:ls?)?)?"),
    "missing": re.compile(r"mis(?:s(?:i(?:ng?)?)?)? val(?:u(?:es?)?)?"),
    "level": re.compile(r"var(?:i(?:a(?:b(?:l(?:es?)?)?)?)?)? lev(?:el?)?"),
}
_BEGINS = re.compile(
    r"(?:var\w*[ \t]+(?:lab|lev)\w*|(?:add[ \t]+)?val\w*[ \t]+lab\w*|mis\w*[ \t]+val\w*"
    r"|exec\w*[ \t]*\.)",
    re.IGNORECASE,
)
_CODE = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)")
# Stands for a quote that nothing closes.
_OPEN = "\0"


@dataclass(frozen=True, slots=True)
class _Token:
    text: str
    line: int
    quoted: bool = False


def recognises(text: str) -> bool:
    """Say whether a text is SPSS syntax that labels something."""
    return any(_BEGINS.match(line.lstrip()) for line in text.splitlines())


def read(text: str, name: str, columns: Sequence[str]) -> Dictionary:
    """Return what syntax says of variables; other commands are passed over.

    Parameters
    ----------
    text : of the file. name : the file's. columns : of the data, in order, for 'q1 TO q5'.

    Raises
    ------
    ValueError : naming file and line, for a text whose quote does not end, and for a label without
        a variable or a code.
    """
    out = Dictionary(name, TITLE)
    for command in _commands(text):
        words = [t.text.casefold() for t in command[:3] if not t.quoted]
        for kind, pattern in _COMMANDS.items():
            taken = next(
                (n for n in (3, 2) if pattern.fullmatch(" ".join(words[:n])) and len(words) >= n), 0
            )
            if taken:
                _check(command, name)
                _READERS[kind](command[taken:], out, columns)
                break
    for variable in out.variables.values():
        variable.missing |= {
            c for c in variable.labels if any(a <= _number(c) <= b for a, b in variable.ranges)
        }
    return out


def _check(command: Sequence[_Token], name: str) -> None:
    for token in command:
        if token.text == _OPEN:
            raise ValueError(f"{name}:{token.line}: a text whose quote does not end in its line")


def _commands(text: str) -> Iterator[list[_Token]]:
    """Yield commands as tokens; they end with a full stop at a line's end, or a blank line."""
    held: list[_Token] = []
    line, empty = 1, True
    comment = False
    for found in _TOKEN.finditer(text):
        kind, said = found.lastgroup, found[0]
        if kind == "line":
            line += 1
            ended = held and not held[-1].quoted and held[-1].text.endswith(".")
            stop = held and held[-1].text == "." and not held[-1].quoted
            if (ended or stop or empty) and held:
                last = held.pop()
                if last.quoted or not (ended or stop):
                    held.append(last)
                elif last.text != ".":
                    held.append(_Token(last.text[:-1], last.line))
                if held and not comment:
                    yield held
                held, comment = [], False
            empty = True
            continue
        if kind in ("blank", "note"):
            continue
        # Programs that write syntax forget the full stop.
        if empty and held and _BEGINS.match(text, found.start()):
            if not comment:
                yield held
            held, comment = [], False
        empty = False
        if not held and (
            said.startswith("*") or said.casefold() in ("comment", "title", "subtitle")
        ):
            comment = True
        if kind == "open":
            held.append(_Token(_OPEN, line))
            continue
        if kind == "text":
            said = said[1:-1].replace(said[0] * 2, said[0])
        held.append(_Token(said, line, kind == "text"))
    if held and not comment:
        last = held[-1]
        if not last.quoted and last.text.endswith("."):
            held[-1] = _Token(last.text[:-1], last.line)
        yield [t for t in held if t.text or t.quoted]


def _joined(tokens: Sequence[_Token]) -> list[_Token]:
    """Return tokens with texts that are joined by '+' as one."""
    out: list[_Token] = []
    for token in tokens:
        if token.quoted and len(out) > 1 and out[-1].text == "+" and out[-2].quoted:
            out.pop()
            before = out.pop()
            token = _Token(before.text + token.text, before.line, True)
        out.append(token)
    return [t for t in out if t.quoted or t.text not in (",", "=")]


def _labels(tokens: Sequence[_Token], out: Dictionary, columns: Sequence[str]) -> None:
    name: _Token | None = None
    for token in _joined(tokens):
        if token.quoted:
            if name is None:
                raise ValueError(
                    f"{out.name}:{token.line}: the label {token.text[:60]!r} is of no variable"
                )
            for one in expand([name.text], columns):
                out.variable(one, name.line).label = plain(token.text)
            name = None
        elif token.text != "/":
            name = token


def _values(tokens: Sequence[_Token], out: Dictionary, columns: Sequence[str]) -> None:
    names: list[_Token] = []
    code: _Token | None = None
    coded = False
    for token in [*_joined(tokens), _Token("/", 0)]:
        if token.text == "/" and not token.quoted:
            if code is not None:
                raise ValueError(f"{out.name}:{code.line}: the code {code.text} has no label")
            names, code, coded = [], None, False
            continue
        if code is not None:
            if not token.quoted:
                raise ValueError(
                    f"{out.name}:{token.line}: a label in quotes should follow the code"
                    f" {code.text}, not {token.text!r}"
                )
            for one in expand([n.text for n in names], columns):
                variable = out.variable(one, names[0].line)
                variable.labels[lists.code(code.text)] = plain(token.text) or code.text
            code = None
        elif token.quoted or (names and _CODE.fullmatch(token.text)):
            if not names:
                raise ValueError(f"{out.name}:{token.line}: labels of no variable: {token.text!r}")
            code, coded = token, True
        elif coded:
            raise ValueError(
                f"{out.name}:{token.line}: {token.text!r} stands where a code should, or a / is"
                " missing before it"
            )
        else:
            names.append(token)


def _missing(tokens: Sequence[_Token], out: Dictionary, columns: Sequence[str]) -> None:
    names: list[str] = []
    inside: list[_Token] | None = None
    line = tokens[0].line if tokens else 0
    for token in tokens:
        if token.quoted or token.text not in ("(", ")", "/"):
            (names.append(token.text) if inside is None else inside.append(token))
        elif token.text == "(":
            inside = []
        elif token.text == ")" and inside is not None:
            codes, ranges = _codes(inside)
            everyone = [n for n in names if n != ","]
            which = list(columns) if everyone == ["ALL"] else expand(everyone, columns)
            for one in which:
                variable = out.variable(one, line)
                variable.missing |= codes
                variable.ranges += ranges
            names, inside = [], None


def _codes(tokens: Sequence[_Token]) -> tuple[frozenset[str], list[tuple[float, float]]]:
    """Return the codes and the ranges of '-9, 97 THRU HI'."""
    said = [t.text for t in tokens if t.quoted or t.text != ","]
    codes: set[str] = set()
    ranges: list[tuple[float, float]] = []
    i = 0
    while i < len(said):
        if i + 2 < len(said) and said[i + 1].casefold() in ("thru", "through"):
            ranges.append((_number(said[i]), _number(said[i + 2])))
            i += 3
        else:
            codes.add(lists.code(said[i]))
            i += 1
    return frozenset(codes), ranges


def _number(text: str) -> float:
    """Return a number, an infinite one for LO and HI, NaN for none."""
    folded = text.casefold()
    if folded in ("lo", "lowest"):
        return -math.inf
    if folded in ("hi", "highest"):
        return math.inf
    try:
        return float(text)
    except ValueError:
        return math.nan


def _level(tokens: Sequence[_Token], out: Dictionary, columns: Sequence[str]) -> None:
    names: list[str] = []
    inside = False
    for token in tokens:
        if token.text in ("(", ")"):
            inside = token.text == "("
        elif inside:
            measure = token.text.casefold()
            for one in expand(names, columns):
                if measure in ("nominal", "ordinal", "scale"):
                    out.variable(one, token.line).measure = measure
            names = []
        elif token.text not in ("/", ","):
            names.append(token.text)


_READERS = {"labels": _labels, "values": _values, "missing": _missing, "level": _level}
