"""The one number that a few words say: "about 45", "45 years", "I'd say 7 out of 10"."""

from __future__ import annotations

import re

_LONGEST = 200
_NUMBER = re.compile(r"[-+\u2212]?\d[\d,.' ]*\d|[-+\u2212]?\d")
_PLAIN = re.compile(r"[-+]?\d+(?:\.\d+)?")
_OUT_OF = re.compile(r"\s*(?:out of|on a scale of|on a scale from)\b.*", re.DOTALL)
# What makes another number of it, or none: magnitudes, bounds, ranges, shares, denials, and units
# that a question may have others of: hours or minutes, dollars or thousands of them.
_CHANGED = re.compile(
    r"[%$\u20ac\u00a3\u00a5\u20b9<>\u2264\u2265+/*^=]|\b(?:k|m|bn|mn|million|billion|thousand|hundred|dozen|percent|per"
    r"|times|between|to|or|and|from|under|over|above|below|least|most|more|less|fewer|than|up"
    r"|not|never|cannot|unless|but|unknown|refuse|question|row|month|week|day|hour|minute|second"
    r"|half|double|twice|minus|negative)s?\b|n't\b",
    re.IGNORECASE,
)


def one_number(text: str) -> str | None:
    """Return the number that is the only one in a few words, as Python writes it; else None.

    None, too, where a word makes another number of it ("5 million", "less than 5", "5 weeks"), and
    for "1,200", which may be 1200 or 1.2.
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
    if _CHANGED.search(f"{before} {after}") or re.search(r"\w$", before):
        return None
    if before.rstrip().endswith("-") or re.match(r"\w", after):
        return None
    number = match[0].replace("\u2212", "-").strip()
    return number if _PLAIN.fullmatch(number) else None
