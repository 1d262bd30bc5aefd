"""Option labels that are not answers (refused, don't know, not asked) or that have no position.

Spellings are those of public files: ANES ('-9. Refused'), WVS ('Missing; Unknown'), ESS, GSS
('IAP', 'CANT CHOOSE'), Pew, Afrobarometer ('Refused [DNR]'), Latinobarometro ('NS/NR'),
Eurobarometer ('DK (SPONTANEOUS)', "Inap. (not 1 in Q1)").
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache

from lupom.science.surveys import languages

ANSWERED, REFUSED, DONT_KNOW, NOT_ASKED = "answered", "refused", "dont_know", "not_asked"

_ANSWER = r"(?:answer|say|respond|reply|state|disclose|specify|share|tell|comment|choose)"
_WORDS = {
    DONT_KNOW: (
        r"(?:do(?:es)?n'?t|do not|does not|did not|didn'?t|not) know(?: at all)?",
        r"(?:dk|d k|dunno|ns|nsp|nspp|idk)(?: ?(?:cc|cs))?",
        rf"(?:can'?t|cannot|can not|couldn'?t|could not|unable to) "
        rf"(?:{_ANSWER}|rate|judge|decide|recall|remember|evaluate)",
        r"(?:hard|difficult|too (?:hard|difficult)) to (?:say|answer|tell|choose)",
        r"don'?t (?:recogni[sz]e|remember|recall)",
    ),
    REFUSED: (
        r"(?:refus(?:ed|al|e|es)|ref|rf|rfsd)(?: (?:to|the)? ?(?:answer|say|respond|question))?",
        r"no (?:answer|response|reply)(?: given)?|na|not answered|unanswered|left blank",
        r"(?:did not|didn'?t) (?:answer|respond|reply)(?: the question)?",
        r"(?:item )?non-? ?response",
        rf"declin(?:ed?|es)(?: to (?:{_ANSWER}))?",
        rf"(?:prefer(?:red|s)?|would (?:rather|prefer)|'?d rather|rather|choose|chose|wish) "
        rf"not (?:to )?{_ANSWER}",
        rf"(?:do(?:es)?n'?t|do(?:es)? not|did not|didn'?t) (?:want|wish|like) to {_ANSWER}",
        rf"(?:not willing|unwilling) to {_ANSWER}",
        r"web blank|blank|nr|(?:does not|doesn'?t) (?:answer|respond|reply)",
        r"(?:item|question) (?:not answered|unanswered)",
    ),
    NOT_ASKED: (
        r"(?:question |item )?(?:was )?not (?:asked|administered|presented|shown|fielded)\b.*",
        r"(?:not|non) (?:applicable|available|ascertained|in universe|imputable|documented)\b.*",
        r"does not apply|doesn'?t apply|n/a|niu|nap(?:[;:,(/].*)?",
        r"not included|(?:entry|data|generation) error|not generable",
        r"proxy(?: (?:interview|resp).*)?",
        r"inapp?(?:licable|l)?\b.*|iap\b.*",
        r"(?:legitimate(?:ly)? |valid |invalid |survey )?skip(?:ped)?"
        r"(?: (?:on|by|pattern|due)\b.*)?",
        r"(?:other |system |user |item |sys|no answer )?-?missing"
        r"(?:$|[;:,(/-].*"
        r"| (?:values?|data|codes?|cases?|answers?|responses?|information|by|in|due)\b.*)",
        r"sysmis|no data|data not available|no information|uncodeable|uncodable|unknown",
        r"no (?:post|pre)[- ](?:election|data)\b.*",
        r"(?:technical|interviewer|data entry|coding) error\b.*",
        r"(?:unit|wave|panel|household) non-? ?response\b.*",
        r"(?:sufficient )?(?:partial )?interview breakoff\b.*|break-?off\b.*|restricted access",
    ),
}
_PATTERNS = {
    status: re.compile("|".join(f"(?:{w})" for w in words)) for status, words in _WORDS.items()
}
# 'ns/nr' is of two languages, and one word.
_FOREIGN = {
    status: re.compile("|".join(f"(?:{w})" for w in words))
    for status, words in (
        (DONT_KNOW, (r"ns ?/ ?n[rc]", *languages.DONT_KNOW)),
        (REFUSED, languages.REFUSED),
        (NOT_ASKED, languages.NOT_ASKED),
    )
}
_UNPLACED = re.compile(
    r"(?:not sure|unsure|no opinion|not sure/no opinion|undecided)(?:/(?:no opinion|don'?t know))?"
    r"|(?:do not|don'?t) know enough\b.*|haven'?t (?:heard|thought)\b.*|no preference"
    r"|.*\((?:n/?a|not applicable)"
    rf"|{languages.UNPLACED}"
)
# Every sign that stands for an apostrophe somewhere: typographic, accents, primes, full width.
_APOSTROPHES = dict.fromkeys(
    map(ord, "\u2018\u2019\u201b\u00b4`\u02bc\u02b9\u2032\uff07\ufffd"), "'"
)
_DASHES = dict.fromkeys(map(ord, "\u2010\u2011\u2012\u2013\u2014\u2212\ufe63\uff0d"), "-")
# A code before its label: '-9. ', '99 = ', '(8) ', '9: ', '.d: ', '8 - ', and '-1 Inapplicable'.
_CODE = re.compile(
    r"^\s*(?:[(\[]\s*[-+]?\d{1,6}\s*[)\]]|\.[a-z](?=\s*[:=.)-])|[-+]?\d{1,6})"
    r"(?:\s*[.:;=)\]]+\s*|\s+-+\s*|\s*-+\s+|\s+)(?=\D)"
)
# How it was said, not what: '(VOL.)', '[DNR]', 'SPONTANEOUS', '(do not read out)'.
_ASIDE = (
    r"(?:vol(?:unt(?:eered|ary))?|spont(?:aneous(?:ly)?)?|dnr|(?:do not|don'?t|not) read"
    r"(?: (?:out|aloud))?|nicht vorlesen|esp\w*)"
)
_ASIDES = re.compile(
    rf"[\[(]\s*(?:{_ASIDE}\b[^\])]*|interviewer|web|phone|ph)[\])]|^{_ASIDE}[.:]+\s*|\s*-\s*{_ASIDE}$"
)
_TRAILING = re.compile(r"\s*[\[(][^\])]*[\])]?\s*$")
# 'iap,dk,na,uncodeable'; a text of more words between signs is one.
_MOST_PARTS = 8
# SPSS cuts labels at 120 bytes; what is far longer is what somebody wrote.
_LONGEST = 300
_EDGES = " .,;:!*-_\"'()[]<>{}"


@lru_cache(maxsize=1 << 14)
def nonresponse(label: str) -> str | None:
    """Return 'refused', 'dont_know' or 'not_asked' for a label that says so, else None.

    Of several in one ('DK/NA', "Don't know or refused") the first counts. "Not sure" is none of
    them: OpinionQA's surveys offer it to read, as an option among others.
    """
    if len(label) > _LONGEST:
        return None
    plain = _plain(label)
    # An initial numbering is not part of it, unless nothing would be left.
    if re.fullmatch(r"-\d+[.:]? ?restricted", plain):  # of ANES; 'Restricted' alone is an answer
        return NOT_ASKED
    bare = _edged(_CODE.sub("", _CODE.sub("", plain)))
    for text in dict.fromkeys((plain, bare, _edged(_ASIDES.sub("", bare) or bare))):
        status = _status(text)
        if status is None and (short := _edged(_TRAILING.sub("", text))) != text:
            status = _status(short) if short else None
        if status is not None:
            return status
    return None


def among(labels: Iterable[str]) -> dict[str, str]:
    """Return the status of each of a question's labels that is not an answer, in their order.

    A label beside its opposite is an answer, whatever it says: 'Not available' beside 'Available',
    'Do not know' beside 'Know a little', 'Refused' beside 'Accepted'.
    """
    given = list(dict.fromkeys(labels))
    bare = {label: _CODE.sub("", _plain(label)) for label in given}
    texts = set(bare.values())
    known = any(re.match(r"(?:i )?know\b", text) for text in texts)
    taken = texts & {"accepted", "agreed", "consented", "granted", "approved", "complied"}
    return {
        label: status
        for label in given
        if (status := nonresponse(label)) is not None
        and not any(opposite in texts for opposite in _opposites(bare[label]))
        and not (known and re.fullmatch(r"(?:i )?(?:do not|don'?t) know", bare[label]))
        and not (taken and re.fullmatch(r"refused|declined", bare[label]))
    }


def _opposites(text: str) -> list[str]:
    out = [f"not {text}", f"nicht {text}", f"un{text}"]
    starts = ("not ", "nicht ", "un", "non-")
    return out + [text.removeprefix(p) for p in starts if text.startswith(p)]


def unplaced(label: str) -> bool:
    """Say whether a label has no place on an ordinal scale: a nonresponse, or "Not sure"."""
    plain = _plain(label)
    bare = _CODE.sub("", plain)
    told = _UNPLACED.fullmatch(bare) or _UNPLACED.fullmatch(languages.unaccented(bare))
    return nonresponse(label) is not None or told is not None


def numbered(label: str) -> tuple[int, str] | None:
    """Return the list number a label begins with and the rest: '2. Green' is (2, 'Green').

    None for a label without one, and where the number is a quantity: '2.5', '2 - 3 times', '18-29',
    '2) ' alone.
    """
    found = re.match(
        r"\s*[(\[]?(\d{1,3})(?:[.)\]:=]+\s+|\s+[-=:]\s+|\s*=\s*)(?=\S)", _dashed(label)
    )
    if found is None:
        return None
    rest = label[found.end() :].strip()
    dashed = "-" in found[0]
    return None if dashed and not rest[:1].isalpha() else (int(found[1]), rest)


def _status(plain: str) -> str | None:
    if not plain:
        return None
    whole = _whole(plain)
    if whole is not None:
        return whole
    # All of several say so: 'dk/na', "don't know, refused", 'iap,dk,na,uncodeable'.
    parts = [
        _edged(p)
        for p in re.split(r"\s*(?:[/,;|&]|\b(?:or|and|oder|und|ou|et|o|y|en|of)\b| - )\s*", plain)
    ]
    parts = [part for part in parts if part]
    hard: str | None = None
    for part in parts if 1 < len(parts) <= _MOST_PARTS else ():
        status = _whole(part) or _whole(_edged(_TRAILING.sub("", part)))
        # "Don't know/Not sure" and "Don't know/Haven't heard enough" say no more than their one.
        if status is None and not _UNPLACED.fullmatch(part):
            return None
        hard = hard or status
    return hard


def _whole(plain: str) -> str | None:
    plain = re.sub(r"^(?:i'?|r|resp(?:ondent)?) (?!$)", "", plain)
    plain = re.sub(r"^i(?='d )", "", plain)
    own = next((s for s, pattern in _PATTERNS.items() if pattern.fullmatch(plain)), None)
    if own is not None:
        return own
    bare = languages.unaccented(plain)
    return next((s for s, pattern in _FOREIGN.items() if pattern.fullmatch(bare)), None)


def _plain(label: str) -> str:
    """Return a label in lower case, without '(VOL.)' and the like, with straight apostrophes."""
    # UTF-8 that was read as Windows-1252.
    label = re.sub("[\u00e2\u00c2]\u20ac\u2122", "'", label)
    plain = unicodedata.normalize("NFKC", label.translate(_APOSTROPHES)).translate(_DASHES)
    plain = " ".join(plain.casefold().split()).strip("* ")
    # d.k., n.a., k.a.; and n/a, which is no two of anything.
    plain = re.sub(r"\b([a-z])\.\s?([a-z])\b\.?", r"\1\2", plain)
    plain = re.sub(r"\bn/a\b", "not applicable", plain)
    plain = re.sub(r"\bd/k\b", "dk", plain)
    plain = _unwrapped(plain)
    return _edged(_unwrapped(_ASIDES.sub("", plain) or plain))


def _unwrapped(text: str) -> str:
    found = re.fullmatch(r"[(\[](.*)[)\]][ .]*", text.strip())
    if found is None:
        return text
    depth = 0
    for sign in found[1]:
        depth += (sign in "([") - (sign in ")]")
        if depth < 0:  # two brackets, and not one around all: '(9) No answer (VOL.)'
            return text
    return found[1]


def _edged(text: str) -> str:
    # A sign before a number belongs to it.
    out = text.strip().rstrip(_EDGES)
    return out if re.match(r"[(\[]?-?\d|\.[a-z]\b", out) else out.lstrip(_EDGES)


def _dashed(label: str) -> str:
    return label.translate(_DASHES)
