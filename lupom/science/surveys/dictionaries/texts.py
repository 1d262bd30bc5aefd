"""Codebooks in plain text: a variable a line, and the codes beside it, below it or above it.

openpsychometrics.org's are such: 'Q1<tab>I feel ...' below 'rated where 1=Disagree, 5=Agree', and
'gender<tab>1=Male, 2=Female (0=missed)'.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from lupom.science.surveys.dictionaries import lists
from lupom.science.surveys.dictionaries.dictionary import Dictionary, Variable, plain

TITLE = "a codebook in text"
# What may stand before a name: a bullet, a quote, Markdown's emphasis.
_BULLET = r"[\s>|]*(?:[-*+\u2022\u2013][ \t]+|\d{1,4}[.)][ \t]+)?[*`\"'\u2018\u201c#]*[ \t]*"
_NAMED = re.compile(
    rf"(?P<before>{_BULLET})(?P<name>[^\W\d][\w.\[\]/-]*|\w+)[*`\"'\u2019\u201d]*"
    r"(?P<sign>\t+|[ \t]{2,}|[ \t]*(?:::?|=|\||[-\u2013\u2014](?=\s)|\.(?=\s)|\))[ \t]*|[ \t]+|$)"
    r"(?P<rest>.*)"
)
_RANGE = re.compile(
    rf"{_BULLET}(?P<low>[^\W\d]\w*?\d+)\s*(?:[-\u2013\u2014]|to|through|bis|\.\.)\s*"
    r"(?P<high>[^\W\d]\w*?\d+)\s*[\t:=\u2013\u2014-]*\s*(?P<rest>.*)"
)
_CODED = re.compile(
    r"[-\u2212]?\d{1,6}(?:\.\d+)?(?=\s*[=:)\].\t]|\s+[-\u2013\u2014]?\s*\S)|\.[a-z]\s*="
)
# 'variables ending in _E', 'stored in variable A (e.g. Q1A)', 'the time taken ... (E)'.
_ENDING = re.compile(r"(?:variables?|columns?) (?:ending|that end) (?:in|with) [\"'`]?(_?\w{1,12})")
_ANSWER = re.compile(r"(?:stored|recorded|saved) in (?:the )?variable [\"'`]?([A-Za-z])\b")
_MARKED = re.compile(r"(time|milliseconds|position|order)\b[^().]*\((\w)\)")
_RANKED = re.compile(r"\b(?:scale[ds]?|rat(?:ed?|ings?)|likert|point)\b", re.IGNORECASE)
_TIME = re.compile(r"\b(?:time|milliseconds|seconds|duration|how long)\b", re.IGNORECASE)


def read(text: str, name: str, columns: Sequence[str]) -> Dictionary:
    """Return what a text says of some columns.

    A line whose first word is a column begins a variable; so does one whose first word, without
    blanks, is parted by a tab from what follows. Lines of codes below one are its own; a sentence
    with at least two codes holds for the variables below it, until the next sentence.

    Parameters
    ----------
    text : of the file, decoded. name : the file's, for what is noted. columns : of the data.
    """
    out = Dictionary(name, TITLE)
    known = {column.casefold(): column for column in columns}
    scale: dict[str, str] = {}
    holds = True  # whether the scale is of what stands below it
    used = False  # whether a variable has come below the scale
    below = False  # whether the last line was a variable's, or one of its codes
    current: list[Variable] = []
    lent: set[str] = set()  # names of variables without codes of their own
    sentence, ranked = "", False
    starts: dict[str, dict[str, Variable]] = {}
    late: list[tuple[Variable, dict[str, str]]] = []
    absent: set[str] = set()  # codes that a sentence says are no answer: '0=missed'
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            below = False
            continue
        if found := _variables(line, known, out, number):
            current, rest = found
            for variable in current:
                if start := _start(variable.name):
                    starts.setdefault(start, {})[variable.name] = variable
            if not _describe(current, rest, scale if holds else {}):
                lent |= {variable.name for variable in current}
                for variable in current if holds and scale and ranked else ():
                    variable.measure = "ordinal"
            used = below = True
            continue
        codes = _codes(line)
        worded = _is_sentence(line)
        if codes and below and not worded:
            for variable in current:
                held = {} if variable.labels == scale else variable.labels
                variable.labels = {**held, **codes}
            continue
        if codes:
            absent |= {c for c, t in codes.items() if worded and lists.is_absent(t)}
            # Lines of one code each are of one scale, whatever stands between them.
            scale = codes if used or worded or len(codes) > 1 else {**scale, **codes}
            said = line if worded else sentence
            ranked = _RANKED.search(f"{sentence} {line}") is not None
            # 'The TIPI items were rated ...' may stand below them.
            words = starts.keys() & set(re.findall(r"\w+", said))
            above = [v for w in words for v in starts[w].values() if not v.labels or v.name in lent]
            holds = not above
            late += [(variable, scale) for variable in above]
        elif used:
            scale = {}  # a sentence behind items ends what holds for them; one before them does not
        if worded or not codes:
            out.endings |= {
                k: v for k, v in _endings(line, sentence).items() if k not in out.endings
            }
            sentence = line
        used = below = False
    for variable, codes in late:
        variable.labels, variable.measure = dict(codes), "ordinal"
    for variable in out.variables.values():
        variable.missing |= {c for c, t in variable.labels.items() if lists.is_absent(t)}
        if variable.labels:
            variable.missing |= absent - variable.labels.keys()
    return out


def _start(name: str) -> str:
    """Return what numbered items have in common, 'TIPI' of 'TIPI3', '' of others."""
    found = re.sub(r"[\W\d_]+$", "", name)
    return found if 1 < len(found) < len(name) else ""


def _variables(
    line: str, known: dict[str, str], out: Dictionary, number: int
) -> tuple[list[Variable], str] | None:
    """Return the variables a line begins with, and what follows them."""
    several = _RANGE.fullmatch(line)
    if several and several["low"].casefold() in known and several["high"].casefold() in known:
        order = list(known.values())
        at = [order.index(known[several[k].casefold()]) for k in ("low", "high")]
        names = order[at[0] : at[1] + 1]
        if names:
            return [out.variable(n, number) for n in names], several["rest"]
    found = _NAMED.fullmatch(line)
    if found is None:
        return None
    name, sign = found["name"], found["sign"]
    bare = name.rstrip(".:)-")
    ours = known.get(name.casefold()) or known.get(bare.casefold())
    if ours is None:
        tabbed = sign.startswith("\t") and not found["before"].strip() and _is_name(name)
        if not tabbed:
            return None
        ours = bare
    elif sign == " " and re.match(r"(?:is|was|are|were|has|of|and|or|in|to|the)\b", found["rest"]):
        return None  # 'age was entered as text' may be a sentence; 'Q1 I feel calm' is none
    return [out.variable(ours, number)], found["rest"]


def _is_name(text: str) -> bool:
    """Say whether a word is more likely a variable's name than a word of prose."""
    return len(text) <= 32 and re.fullmatch(r"[^\W\d][\w.]*", text) is not None


def _describe(variables: list[Variable], rest: str, scale: dict[str, str]) -> bool:
    """Read what stands behind a name into variables; returns whether it has codes of its own."""
    wording, codes = lists.prose(rest)
    if not codes:
        wording, codes = lists.steps(wording)
    if told := re.match(r"[\"\u201c]([^\"\u201c\u201d]{3,})[\"\u201d]\s+\w", wording):
        wording = told[1]  # '"What is your age?" entered as text'
    wording = re.sub(
        r"[,;:]?\s*(?:chosen from (?:a )?(?:list|drop ?down menu)(?: where)?|where)$", "", wording
    )
    wording = (
        wording.strip().strip("\"'\u201c\u201d").rstrip(",;:").strip("\"'\u201c\u201d").strip()
    )
    wording = re.sub(r"\s+\([-+]\)$", "", wording)  # how an item is scored
    for variable in variables:
        if not variable.label:
            variable.label = plain(wording)
        if codes or not variable.labels:
            variable.labels = dict(codes or scale)
    return bool(codes)


def _codes(line: str) -> dict[str, str]:
    """Return the codes of a line: several, or one that it begins with."""
    found = lists.prose(line)[1]
    if found:
        return found
    bare = re.sub(r"^[\s>|*+\u2022(-]*(?=[-\u2212]?\d|\.[a-z]\s*=)", "", line)
    mark = _CODED.match(bare)
    if mark is None:
        return {}
    text = re.sub(r"^\s*(?:=+>?|:|\)|\]|\.|[-\u2013\u2014])?\s*", "", bare[mark.end() :])
    text = plain(text.rstrip(" ,;.)"))
    code = lists.code(mark[0].rstrip(" ="))
    return {code: text} if text and len(text) < 120 else {}


def _is_sentence(line: str) -> bool:
    """Say whether words stand before the codes of a line, or nothing but words in it."""
    before, codes = lists.prose(line)
    return len(before.split()) > 1 and (bool(codes) or not _codes(line))


def _endings(line: str, before: str) -> dict[str, str]:
    """Return what is said of columns that are a variable's name and an ending."""
    out: dict[str, str] = {}
    for what, ending in _MARKED.findall(line):
        shown = what in ("position", "order")
        out[ending] = "the order in which things were shown" if shown else "how long it took"
    if (found := _ENDING.search(line)) and _TIME.search(f"{before} {line[: found.start()]}"):
        out[found[1]] = "how long it took"
    if found := _ANSWER.search(line):
        out[found[1]] = ""
    return out
