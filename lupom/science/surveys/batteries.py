"""Question texts split into the preface a battery of items shares and what is the item's own."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

# Fewer than three questions with one beginning are a coincidence or a pair of variants.
SMALLEST_BATTERY = 3

# A sentence ends at . or ! before a capital, a digit or a quote; at ? or : before anything.
_BOUNDARY = re.compile(
    r"(?:[.!]['\")\]\u201d\u2019]*\s+(?=[^a-z\s])|[?:]['\")\]\u201d\u2019]*\s+(?=\S))"
)
_ABBREVIATION = re.compile(r"(?:\b[A-Za-z]|\b(?:Dr|Mr|Mrs|Ms|St|vs|etc|No|Jr|Sr))\.$")


def split(texts: Sequence[str]) -> list[tuple[str, str]]:
    """Return (preface, item) for each text; the preface is '' when no battery shares it.

    A preface is the longest beginning, up to the end of a sentence, that at least three different
    texts share with something left after it. Joined by a space, the two give the text back, save
    for runs of white space.
    """
    texts = [" ".join(text.split()) for text in texts]
    counts: Counter[str] = Counter()
    for text in set(texts):
        counts.update(_prefaces(text))
    out = []
    for text in texts:
        shared = [p for p in _prefaces(text) if counts[p] >= SMALLEST_BATTERY]
        preface = max(shared, key=len, default="")
        out.append((preface, text[len(preface) :].strip()))
    return out


def _prefaces(text: str) -> list[str]:
    """Return the beginnings of `text` that end where a sentence does."""
    out = []
    for match in _BOUNDARY.finditer(text):
        preface = text[: match.end()].rstrip()
        if not _ABBREVIATION.search(preface) and re.search(r"\w", text[match.end() :]):
            out.append(preface)
    return out
