"""The one number that a few words say: "about 45", "45 years", "I'd say 7 out of 10"."""

from __future__ import annotations

import re

_LONGEST = 200
_NUMBER = re.compile(r"[-+\u2212]?\d[\d,.' ]*\d|[-+\u2212]?\d")
_PLAIN = re.compile(r"[-+]?\d+(?:\.\d+)?")
_OUT_OF = re.compile(r"\s*(?:out of|on a scale (?:of|from)) \d+(?: ?(?:to|-|\u2013) ?\d+)?\W*$")
# All that may stand around it. Any other word may make another number of it ("5 Mio", "max 40"),
# name another unit ("45 km"), or say what else is counted ("step 1", "born in 1980").
_AROUND = re.compile(
    r"(?:[\s.,:;!~\u2248*_()\[\]\"'\u2018\u2019\u201c\u201d]|\b(?:about|around|roughly|approximately"
    r"|approx|ca|circa|i|would|will|d|say|m|am|the|my|this|best|final|single|predicted|most|likely"
    r"|probably|answer|response|guess|estimate|prediction|choice|rating|score|is|be|it|he|she|they|are"
    r"|person|respondent|participant|age|aged|years?|yrs?|yo|old|of|stars?|points?|choose|guess|pick"
    r"|predict|have|has|children|child|kids?|people|persons?|jahren?|ans|a\u00f1os|anni|anos)\b)*",
    re.IGNORECASE,
)


def one_number(text: str) -> str | None:
    """Return the number that is the only one in a few words, as Python writes it; else None.

    None, too, where a word makes another number of it ("5 million", "less than 5", "5 weeks"), and
    for "1,200", which may be 1200 or 1.2. Words that are not known make it none.
    """
    if len(text) > _LONGEST:
        return None
    # Of "7 out of 10" the second is the scale.
    text = _OUT_OF.sub("", text) if len(_NUMBER.findall(text)) > 1 else text
    found = list(_NUMBER.finditer(text))
    if len(found) != 1:
        return None
    match = found[0]
    before, after = text[: match.start()], text[match.end() :]
    # "B5", "5th" and "- 5" are something else.
    if not (_AROUND.fullmatch(before) and _AROUND.fullmatch(after)):
        return None
    if re.search(r"\w$", before) or before.rstrip().endswith("-") or re.match(r"\w", after):
        return None
    # "1. I think" counts, and says nothing.
    if not before.strip() and re.match(r"[.):]\s*\w", after):
        return None
    number = match[0].replace("\u2212", "-").strip()
    return number if _PLAIN.fullmatch(number) else None
