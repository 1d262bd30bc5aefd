"""Stata do-files and dictionaries: label variable, label define, label values, mvdecode."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase

from lupom.science.surveys.dictionaries import lists
from lupom.science.surveys.dictionaries.dictionary import Dictionary, expand, plain

TITLE = "a Stata do-file"
_QUOTED = r"`\"(?P<{0}>.*?)\"'|\"(?P<{0}_>[^\"]*)\""
_TEXT = re.compile(_QUOTED.format("text"), re.DOTALL)
_PAIR = re.compile(
    r"(?P<code>[-+]?\d+|\.[a-z])\s*(?:" + _QUOTED.format("text") + r"|(?P<bare>[^\s,\"`]+))",
    re.DOTALL,
)
_COMMAND = re.compile(
    r"(?:(?:cap(?:ture)?|qui(?:etly)?|noi(?:sily)?)\s*:?\s+)*la(?:b(?:el?)?)?\s+(?P<what>\w+)\s+(?P<rest>.*)",
    re.DOTALL | re.IGNORECASE,
)
_DECODE = re.compile(
    r"(?:(?:cap(?:ture)?|qui(?:etly)?)\s*:?\s+)*mvdecode\s+(?P<names>[^,]+),\s*mv\((?P<codes>.*)\)",
    re.DOTALL,
)
# 'byte q1 %1f "Do you cook?"' of a .dct file.
_FIELD = re.compile(
    r"\s*(?:_(?:column|skip|newline|lines?|line)\([^)]*\)\s*|_newline\s*|\*\s*)*"
    r"(?:(?:byte|int|long|float|double|str\d*)\s+)?(?P<name>[A-Za-z_]\w*)\s+(?:%\S+\s+)?"
    r"\"(?P<label>[^\"]*)\""
)


def recognises(text: str) -> bool:
    """Say whether a text labels something as Stata does."""
    return (
        re.search(
            r"^\s*(?:(?:cap(?:ture)?|qui(?:etly)?)\s*:?\s+)*(?:la(?:b(?:el?)?)?\s+"
            r"(?:var\w*|def\w*|val\w*)\s|(?:infile|infix)?\s*dictionary\b)",
            text,
            re.IGNORECASE | re.MULTILINE,
        )
        is not None
    )


def read(text: str, name: str, columns: Sequence[str]) -> Dictionary:
    """Return what a do-file's labels say of variables; other commands are passed over.

    Parameters
    ----------
    text : of the file. name : the file's. columns : of the data, in order, for 'q1-q5' and 'q*'.

    Raises
    ------
    ValueError : naming file and line, for a text whose quote does not end.
    """
    out = Dictionary(name, TITLE)
    sets: dict[str, dict[str, str]] = {}
    used: list[tuple[str, str, int]] = []
    dictionary = re.search(r"\bdictionary\b[^{\n]*\{", text) is not None
    for line, command in _commands(text):
        if dictionary and (field := _FIELD.match(command)) and not _COMMAND.match(command):
            out.variable(_own(field["name"], columns), line).label = plain(field["label"])
            continue
        if found := _DECODE.match(command):
            _decoded(found, out, columns, line)
            continue
        found = _COMMAND.match(command)
        if found is None:
            continue
        what, rest = found["what"].casefold(), found["rest"].strip()
        if what in ("var", "vari", "varia", "variab", "variabl", "variable"):
            parts = rest.split(None, 1)
            said = _TEXT.search(parts[1]) if len(parts) > 1 else None
            if said is None and rest.count('"') % 2:
                raise ValueError(f"{name}:{line}: a label whose quote does not end: {rest[:60]}")
            if said is not None:
                for one in _names(parts[0], columns):
                    out.variable(one, line).label = plain(said["text"] or said["text_"] or "")
        elif what in ("def", "defi", "defin", "define"):
            _defined(rest, sets, name, line)
        elif what in ("val", "valu", "value", "values"):
            words = [w for w in rest.split(",")[0].split() if w != "."]
            if len(words) > 1:
                names = [n for w in words[:-1] for n in _names(w, columns)]
                used += [(one, words[-1], line) for one in names]
    for one, given, line in used:
        variable = out.variable(one, line)
        # Of two label sets of one variable the last one that is defined counts.
        variable.labels = dict(sets.get(given, variable.labels))
        variable.missing |= {c for c in variable.labels if re.fullmatch(r"[a-z]", c)}
        if given not in sets:
            out.notes.append(f"{name}:{line}: no label set {given!r} is defined, of {one}")
    return out


def _defined(rest: str, sets: dict[str, dict[str, str]], name: str, line: int) -> None:
    parts = rest.split(None, 1)
    if len(parts) < 2:
        return
    body = parts[1]
    if re.sub(r"`\".*?\"'", "", body, flags=re.DOTALL).count('"') % 2:
        raise ValueError(f"{name}:{line}: a label whose quote does not end: {body[:60]}")
    pairs = {
        lists.code(p["code"]): plain(p["text"] or p["text_"] or p["bare"] or "") or p["code"]
        for p in _PAIR.finditer(body)
    }
    options = _TEXT.sub("", body).rpartition(",")[2].split()
    if any(o in ("add", "modify", "modif") for o in options):
        sets.setdefault(parts[0], {}).update(pairs)
    else:
        sets[parts[0]] = pairs


def _decoded(found: re.Match[str], out: Dictionary, columns: Sequence[str], line: int) -> None:
    codes = {
        lists.code(c) for c in re.findall(r"(?<![.\w])-?\d+(?=\s*(?:=|\\|\s|$))", found["codes"])
    }
    for word in found["names"].split():
        names = list(columns) if word == "_all" else _names(word, columns)
        for one in names:
            out.variable(one, line).missing |= codes


def _names(word: str, columns: Sequence[str]) -> list[str]:
    """Return the variables of 'q1', 'q1-q5' and 'q*'."""
    if "*" in word or "?" in word:
        return [c for c in columns if fnmatchcase(c.casefold(), word.casefold())]
    first, dash, last = word.partition("-")
    return expand([first, "to", last] if dash and last else [first], columns)


def _own(name: str, columns: Sequence[str]) -> str:
    return expand([name], columns)[0]


def _commands(text: str) -> Iterator[tuple[int, str]]:
    """Yield commands with the line each begins in, without comments, whatever ends them."""
    text = re.sub(r"/\*.*?\*/", lambda m: "\n" * m[0].count("\n"), text, flags=re.DOTALL)
    held, start, until_semicolon = "", 1, False
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw
        if change := re.match(r"\s*#d(?:elimit)?\s*(;|cr)?", line):
            if held.strip():
                yield start, held.strip()
            held, until_semicolon = "", change[1] == ";"
            continue
        if not held.strip():
            start = number
            if re.match(r"\s*(?:\*|//)", line):
                continue
        goes_on = False
        if mark := re.search(r"(?:^|\s)///.*$", line):
            line, goes_on = line[: mark.start()], True
        elif mark := re.search(r"(?:^|\s)//.*$", line):
            line = line[: mark.start()] if line[: mark.start()].count('"') % 2 == 0 else line
        held += line + "\n"
        if until_semicolon:
            *whole, held = _split(held)
            for command in whole:
                yield start, command.strip()
                start = number
        elif not goes_on:
            yield start, held.strip()
            held = ""
    if held.strip():
        yield start, held.strip()


def _split(text: str) -> list[str]:
    """Return a text's parts between semicolons that no quotes enclose."""
    out, start, quoted = [], 0, False
    for i, sign in enumerate(text):
        if sign == '"':
            quoted = not quoted
        elif sign == ";" and not quoted:
            out.append(text[start:i])
            start = i + 1
    return [*out, text[start:]]
