"""Lists of codes and their texts, in the forms in which people write them into one cell."""

from __future__ import annotations

import ast
import re

from lupom.science.surveys import cells, labels
from lupom.science.surveys.dictionaries.dictionary import plain

# What stands between a code and its text, the surest first.
_SIGNS = (
    r"=+>?|,? (?:labell?ed(?: as)?|means?|meaning|stands for|corresponds to)\b",
    r":(?!\d)",
    r"\)",
    r"\]",
    r"\s[-\u2013\u2014]|[-\u2013\u2014](?=\s)",
    r"\.(?=\s)",
    r"\t",
)
_NUMBER = r"[-\u2212]?\d{1,6}(?:\.\d+)?|\.[a-z]"
# What may stand before a code: '1=Yes, 2=No', '(1 = Yes', '[1] Yes'.
_START = r"(?:^|(?<=[\s,;|/(\[{]))[(\[]?[\"']?"
_ENDS = " \t\r\n,;|/\"'"
# Where a text ends that has a bracket of its own: '5=Agree (0=missed). All were shown'.
_LONGEST = 300
_ABSENT = re.compile(
    r"(?:\W*)(?:missed|missing|no (?:answer|response)(?: (?:chosen|given|selected))?|unanswered"
    r"|not answered|skipped|blank|no data|left blank|omitted)\b.*",
    re.IGNORECASE,
)
_SPAN = re.compile(
    r"^(?P<text>.*?)(?P<low>[^:=()]+?)\s+(?P<steps>\d+(?:\s?[-\u2013.]{1,3}\s?\d+){2,10})"
    r"\s+(?P<high>[^:=()]+?)\s*(?:\([a-z]+\))?$",
    re.DOTALL,
)


# '1 (not at all) to 7 (very much)'.
_ENDS_IN_BRACKETS = re.compile(
    r"(?<![\w.])(?P<low>\d{1,3}) ?\((?P<a>[^()\d][^()]{0,80})\)"
    r"\s*(?:to|through|and|bis|[-\u2013\u2014,;]|\.\.+)\s*"
    r"(?P<high>\d{1,3}) ?\((?P<b>[^()\d][^()]{0,80})\)"
)
# '1 Yes 2 No', with quotes or without.
_SPACED = re.compile(r"(-?\d{1,4})\s+[\"']?([^\W\d][^\d\"']*?)[\"']?[\s,;/]*(?=-?\d{1,4}\s|$)")


def is_absent(label: str) -> bool:
    """Say whether a code's text says that there is no answer: 'missed', 'No answer chosen'."""
    return labels.nonresponse(label) is not None or _ABSENT.fullmatch(label) is not None


def cell(text: str) -> dict[str, str]:
    """Return text by code of a cell that holds nothing but a list of them, {} if it holds none.

    Forms are '1, Yes | 2, No', '1=Yes; 2=No', '1 - Yes', '[1] Yes', '{1: "Yes"}', 'Yes = 1;
    No = 2', 'M = Male, F = Female', and lists of texts without codes, which are their own.
    """
    text = text.strip()
    if not text or len(text) > cells.LONGEST_LITERAL:
        return {}
    if text[0] in "{[" and (found := _literal(text)):
        return found
    if "|" in text and (found := _barred(text)):
        return found
    before, found = prose(text)
    if found and not before:
        return found
    return _turned(text) or _of_letters(text) or _spaced(text) or _texts(text)


def prose(text: str) -> tuple[str, dict[str, str]]:
    """Return what stands before a list of codes, and the list: 'Sex (1=Male, 2=Female)'.

    At least two codes, or one behind the sign '='; {} where there is none.
    """
    for sign in _SIGNS:
        pattern = rf"{_START}(?P<code>{_NUMBER})[\"']?\s*(?:{sign})[ \t]*"
        marks = [m for m in re.finditer(pattern, text) if m.end() < len(text)]
        if len({m["code"] for m in marks}) < 2:
            continue
        found: dict[str, str] = {}
        ends = [m.start() for m in marks[1:]] + [len(text)]
        for mark, end in zip(marks, ends, strict=True):
            part = _cut(text[mark.end() : end], last=end == len(text))
            if part and len(part) <= _LONGEST:
                found.setdefault(code(mark["code"]), part)
        # '3:1' is a ratio, and so are times; '1: 18-24' is a code.
        if len(found) > 1 and not all(re.fullmatch(r"[\d.]+", t) for t in found.values()):
            head = text[: marks[0].start()].rstrip()
            return plain(re.sub(r"[\s(\[{:;,]+$", "", head)), found
    if pair := _ENDS_IN_BRACKETS.search(text):
        found = {code(pair["low"]): plain(pair["a"]), code(pair["high"]): plain(pair["b"])}
        return plain(re.sub(r"[\s(\[{:;,]+$", "", text[: pair.start()])), found
    return plain(text), {}


def span(text: str) -> dict[str, str]:
    """Return the steps of a scale that is told by its first and last: '1-5', '0 to 10'."""
    found = re.fullmatch(r"(\d{1,2})\s*(?:-|\u2013|\.\.|to|bis|:)\s*(\d{1,2})", text.strip())
    if found is None:
        return {}
    low, high = int(found[1]), int(found[2])
    if low > 1 or not 1 <= high - low <= 10:
        return {}
    return {str(n): str(n) for n in range(low, high + 1)}


def code(text: str) -> str:
    """Return a code of a data dictionary as the cells of a file have it."""
    return cells.code(text.strip().replace("\u2212", "-").removeprefix("."))


def steps(text: str) -> tuple[str, dict[str, str]]:
    """Return the wording and the ends of a scale: 'I like it: Not at all 1-2-3-4-5 Very much'."""
    found = _SPAN.match(text.strip()) if len(text) <= _LONGEST * 2 else None
    if found is None:
        return text, {}
    numbers = [int(n) for n in re.findall(r"\d+", found["steps"])]
    if numbers != list(range(numbers[0], numbers[0] + len(numbers))):
        return text, {}
    out = {str(n): str(n) for n in numbers}
    out |= {str(numbers[0]): plain(found["low"]), str(numbers[-1]): plain(found["high"])}
    return plain(found["text"]).rstrip(":").strip(), out


def _cut(part: str, *, last: bool) -> str:
    """Return a code's text without what parts it from the next, and without what follows a list."""
    text = part.strip(_ENDS)
    quoted = re.match(r"[\"'\u201c](.+?)[\"'\u201d]", part.strip())
    if quoted:
        return plain(quoted[1])
    text = re.sub(r"[,;]?\s+(?:and|und|et|or|y)$", "", text)
    if text.count("(") < text.count(")") or text.count("[") < text.count("]"):
        text = re.split(r"[)\]]", text, maxsplit=1)[0]
    if text.count("(") > text.count(")"):
        text = text[: text.rindex("(")]
    if last:  # a sentence may follow the last one
        text = re.split(r"[;|]\s*(?=[A-Za-z.]{1,3}\s*[:=])", text)[0]
        text = re.split(r"(?<=[\w)])\.\s+(?=[A-Z])|\n\s*\n|\n(?=[A-Z][^\n]*[.:]$)", text)[0]
    return plain(text.strip(_ENDS).strip("}]")).rstrip(".:").strip()


def _literal(text: str) -> dict[str, str]:
    """Return a Python or JSON dict, or a list of texts."""
    if len(text) > cells.LONGEST_LITERAL:
        return {}
    try:
        found = ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return {}
    if isinstance(found, dict):
        return {code(str(k)): plain(str(v)) for k, v in found.items()}
    if isinstance(found, list) and all(isinstance(v, str) for v in found):
        return {plain(v): plain(v) for v in found}
    return {}


def _barred(text: str) -> dict[str, str]:
    """Return REDCap's '1, Yes | 2, No'."""
    out: dict[str, str] = {}
    parts = [part.strip() for part in text.split("|") if part.strip()]
    for part in parts:
        found = re.fullmatch(r"([^\s,=:]{1,40})\s*[,=:]\s*(.*)", part, re.DOTALL)
        if found is None:
            return {plain(p): plain(p) for p in parts} if not out else {}
        out.setdefault(code(found[1]), plain(found[2]) or found[1])
    return out


def _turned(text: str) -> dict[str, str]:
    """Return 'Yes = 1; No = 2' and 'Yes (1), No (2)'."""
    if len(text) > 20 * _LONGEST:
        return {}
    for pattern in (rf"([^;|\n=]+?)\s*=\s*({_NUMBER})", rf"([^;|\n()]+?)\s*\(({_NUMBER})\)"):
        parts = re.findall(rf"{pattern}\s*(?:[,;|\n]\s*|$)", text)
        whole = re.fullmatch(rf"(?:{pattern}\s*(?:[,;|\n]\s*|$))+", text)
        if whole and len(parts) > 1:
            return {code(n): plain(t.strip(_ENDS)) for t, n in parts}
    return {}


def _spaced(text: str) -> dict[str, str]:
    """Return '1 Yes 2 No', where all of a text is so."""
    marks = list(_SPACED.finditer(text)) if len(text) <= 20 * _LONGEST else []
    whole = "".join(m[0] for m in marks) == text
    found = {code(m[1]): plain(m[2]) for m in marks}
    return found if whole and len(found) == len(marks) > 1 else {}


def _of_letters(text: str) -> dict[str, str]:
    """Return 'M = Male, F = Female'."""
    parts = [p.strip() for p in re.split(r"[,;|\n]", text) if p.strip()]
    pairs = [re.fullmatch(r"[\"']?([A-Za-z]\w{0,9})[\"']?\s*[=:]\s*(.+)", p) for p in parts]
    if len(parts) < 2 or not all(pairs):
        return {}
    return {p[1]: plain(p[2].strip(_ENDS)) for p in pairs if p is not None}


def _texts(text: str) -> dict[str, str]:
    """Return texts that are parted by one sign, the surest there is, as their own codes."""
    for sign in ("\n", ";", "|", " / ", ",", "/"):
        parts = [plain(p.strip(" \t\r\n\"'-*\u2022")) for p in text.split(sign)]
        parts = [p for p in parts if p]
        if len(parts) > 1 and len(set(parts)) == len(parts) and max(map(len, parts)) < 120:
            return {p: p for p in parts}
    return {}
