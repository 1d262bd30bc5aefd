"""An option said in a sentence: "I would say Somewhat agree", "Selected option: B", "**(b) Thin**".

A reply that is neither JSON nor an option alone costs a second request, and says as often as not
quite clearly what it answers. It is read where one option stands where an answer does and no word
before it denies it; a mere mention of an option is none.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

Meant = Callable[[str], "str | None"]

# Longer texts are essays, in which more than one thing is said to be likely.
_MOST = 1200
# Options beyond these are read alone, or not at all: a pattern holds all of them.
_MOST_OPTIONS = 60
_DENIED = re.compile(
    r"\b(?:not|never|cannot|neither|nor|unlikely|unsure|least|less|except|against|avoid|instead"
    r"|reject|wrong|confidence|certainty|probability|hardly)\b|n't\b",
    re.IGNORECASE,
)
# Whoever goes on so takes back what was said, or says nothing.
_BUT = re.compile(
    r"\b(?:but|however|although|though|unless|unable|unclear|impossible|insufficient|either|both)\b"
    r"|\bcan(?:no|'|\u2019)t\b|\bnot (?:sure|enough|possible)\b",
    re.IGNORECASE,
)
# "it says more", "the answer to the other": one word is an option where somebody would answer it.
_SOMEBODY = re.compile(
    r"\b(?:would|will|likely|probably|i|my|person|respondent|participant|is)\b|['\u2019]d\b"
)
_OTHER_THAN = re.compile(r"\W*(?:rather than|instead of|over|and not|not)\b")
_BOLD = re.compile(r"\*\*(?!\s*\*)(.+?)\*\*|__(.+?)__", re.DOTALL)
_BROKEN = re.compile(r"[{\[]\s*[\"']")
_SENTENCE = re.compile(r"(?<=[.!?])\s+|\n+")
# "Selected option: B", "Assistant: B", "Respondent's answer: B"
_NAMED = re.compile(r"(?P<before>[^:\uff1a\u2192\n]{1,60})[:\uff1a\u2192]\s*(?P<said>[^\n]+)")
_SAYS = (
    r"\b(?:answer|respon[ds]|response|reply|replie|choos|chose|choice|pick|select|selection|say"
    r"|said|go with|opt for|lean(?:s|ing)? toward|guess|predict|prediction)(?:e|s|es|ed|ing)?\b"
)
_FILLER = (
    r"(?: ?:? ?\b(?:would|will|is|be|to|that|with|for|as|the|most|very|likely|probably|they|this"
    r"|person|he|she|option|answer|response|choice|following)\b){0,6}"
)
_END = (
    r"[\"'\u201d\u2019*)\]]* ?(?:$|[.,;:!?(\u2013\u2014-]"
    r"|\b(?:because|since|as|given|for|rather|over|instead)\b)"
)


# "Yes, it does", "Good (most of the time)"; in "$30,000" the comma is none.
_HEAD = re.compile(r"\s*([^\W\d][^,;:.(]*?)\s*(?:[,;:.]\s|\s[(\u2013\u2014-]\s?)")


def head(option: str) -> str | None:
    """Return the beginning of an option up to its first sign, by which it is called for short."""
    match = _HEAD.match(option)
    return None if match is None else match[1]


def said(text: str, labels: Mapping[str, str], meant: Meant, field: str = "answer") -> str | None:
    """Return the one option that a text answers with in a sentence, else None.

    Parameters
    ----------
    text : the reply without its thoughts.
    labels : the option of each label.
    field : the name of what was asked for.
    meant : tells which option a few words are, None for what is none or several.
    """
    text = text.strip()
    # Within an object that has no end a sentence is a thought, and what it came to is cut off.
    if not text or len(text) > _MOST or _BROKEN.search(text):
        return None
    for found in (
        _bold(text, meant),
        _after_a_name(text, meant),
        _by_grammar(text, labels, meant),
        _by_being(text, meant, field),
    ):
        if found:
            return found.pop() if len(found) == 1 else None
    return None


def _by_being(text: str, meant: Meant, field: str) -> set[str]:
    """Return the option that all of a text says something is: "They are two different things."."""
    what = re.escape(field.replace("_", " "))
    match = re.fullmatch(
        rf"(?:it|they|this|these|that|those|the (?:{what}|two|answer)) (?:is|are|would be) (.+)",
        text,
        re.IGNORECASE,
    )
    option = None if match is None else meant(match[1].strip())
    return set() if option is None else {option}


def _bold(text: str, meant: Meant) -> set[str]:
    """Return the options that are in bold, where no word of their sentence before denies them."""
    found = set()
    for match in _BOLD.finditer(text):
        option = meant((match[1] or match[2]).strip())
        if option is None:
            continue
        before = _SENTENCE.split(text[: match.start()])[-1]
        if _DENIED.search(before):
            return set()
        found.add(option)
    return found


def _after_a_name(text: str, meant: Meant) -> set[str]:
    """Return the option behind a colon in the one line of a text."""
    match = _NAMED.fullmatch(text)
    if match is None or _DENIED.search(match["before"]) or meant(match["before"]) is not None:
        return set()
    option = meant(match["said"].strip())
    return set() if option is None else {option}


def _by_grammar(text: str, labels: Mapping[str, str], meant: Meant) -> set[str]:
    """Return the options that stand behind a verb of answering, with nothing but fillers between.

    "extremely satisfied" is not the option "Satisfied": what stands before it must be a filler.
    """
    if len(labels) > _MOST_OPTIONS:
        return set()
    texts = {" ".join(option.split()).casefold(): option for option in labels.values()}
    for option in labels.values():
        if (begun := head(option)) is not None and meant(begun) == option:
            texts.setdefault(begun.casefold(), option)
    spelled = "|".join(re.escape(one) for one in sorted(texts, key=len, reverse=True))
    pattern = re.compile(
        rf"{_SAYS}{_FILLER} ?:? ?[\"'\u201c\u2018*(\[]*(?P<label>[a-z])?(?(label)[).:] ?)"
        rf"(?P<option>{spelled}){_END}"
    )
    # "Most choose Good. This one is different: Bad": what is named last counts, or nothing does.
    mention = re.compile(rf"\b(?:{spelled})\b")
    whole = " ".join(text.split()).casefold()
    found = set()
    for sentence in _SENTENCE.split(text):
        one = " ".join(sentence.split()).casefold()
        for match in pattern.finditer(one):
            option, label = texts[match["option"]], match["label"]
            before, after = one[: match.start("option")], one[match.end("option") :]
            named = next((o for key, o in labels.items() if key.casefold() == label), None)
            if " " not in match["option"] and not _SOMEBODY.search(before):
                continue
            if _DENIED.search(before) or _BUT.search(after) or (label and named != option):
                return set()
            if not _OTHER_THAN.match(after):
                rest = whole[whole.rfind(one) + match.end("option") :]
                if any(texts[other[0]] != option for other in mention.finditer(rest)):
                    return set()
            found.add(option)
    return found
