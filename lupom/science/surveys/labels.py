"""Option labels that are no answer (refused, don't know, not asked) or that have no position."""

from __future__ import annotations

import re

ANSWERED, REFUSED, DONT_KNOW, NOT_ASKED = "answered", "refused", "dont_know", "not_asked"

_DONT_KNOW = r"(?:don'?t know|do not know|dk|can'?t choose|cannot choose|can'?t say)"
_REFUSED = (
    r"(?:refused|refusal|refuse|ref|rf|no answer|na|declined?(?: to (?:answer|state|say))?"
    r"|(?:prefer|would rather)(?:red)? not (?:to )?(?:say|answer|respond|state)|web blank)"
)
_PATTERNS = {
    # "Don't know/Refused" in one code is nearer to not knowing: a refusal alone has its own code.
    DONT_KNOW: re.compile(rf"{_DONT_KNOW}(?:\s*(?:/|or|,)\s*{_REFUSED})?"),
    REFUSED: re.compile(rf"{_REFUSED}(?:\s*(?:/|or|,)\s*{_DONT_KNOW})?"),
    NOT_ASKED: re.compile(r"(?:not asked|inapplicable|inap|iap|skipped|missing)"),
}
_UNPLACED = re.compile(r"(?:not sure|unsure|no opinion|not sure/no opinion|undecided)")


def nonresponse(label: str) -> str | None:
    """Return 'refused', 'dont_know' or 'not_asked' for a label that says so, else None.

    "Not sure" is none of them: OpinionQA's surveys offer it to read, as an option among others.
    """
    plain = _plain(label)
    return next((s for s, pattern in _PATTERNS.items() if pattern.fullmatch(plain)), None)


def unplaced(label: str) -> bool:
    """Say whether a label has no place on an ordinal scale: a nonresponse, or "Not sure"."""
    return nonresponse(label) is not None or _UNPLACED.fullmatch(_plain(label)) is not None


def _plain(label: str) -> str:
    """Return a label in lower case, without '(VOL.)' and the like, with straight apostrophes."""
    plain = label.replace("\u2019", "'").casefold()
    plain = re.sub(r"[\[(]\s*vol(?:unteered|\.)?[^\])]*[\])]", "", plain)
    return plain.strip(" .()[]")
