"""Choices: options asked by single-token labels, and their distribution read at the label."""

from __future__ import annotations

import math
import re
import string
from collections.abc import Mapping, Sequence
from typing import Any

from lupom.engine.llm import latex
from lupom.engine.llm.lenient import NAMES, fitting, plain
from lupom.engine.llm.prose import head
from lupom.engine.llm.providers.base import TokenLogprobs

# Letters are one token in every tokenizer we know, with and without a quote or space before them.
LABELS = string.ascii_uppercase + string.ascii_lowercase

# The most alternatives the OpenAI interface gives at one position.
MOST_ALTERNATIVES = 20
# Probabilities of one token's alternatives add up to 1, and some servers round.
_MOST_MASS = 1.02
# From here on the rest does not matter.
_NEARLY_ALL = 0.99


def alternatives(count: int) -> int:
    """Return how many alternatives to ask for, so that `count` labels are among them.

    None, where there are more labels than letters: those are more than one token long, and have no
    distribution at one.

    Twice the labels: a label may come in two spellings (`B` and `B"`), and a token or two that is
    no label may stand between.
    """
    return min(MOST_ALTERNATIVES, 2 * count + 2) if count <= len(LABELS) else 0


def labelled(options: Sequence[str]) -> dict[str, str]:
    """Return the option of each label: letters, as far as they go.

    More options than there are letters are numbered from 1; where one of those is a number itself,
    which a number before it would be taken for, each option is its own label.
    """
    if len(options) <= len(LABELS):
        return dict(zip(LABELS, options, strict=False))
    if any(option.strip().isdigit() for option in options):
        return {option: option for option in options}
    return {str(i): option for i, option in enumerate(options, 1)}


def meant(
    value: Any, labels: Mapping[str, str], field: str = "answer", depth: int = 0
) -> str | None:
    """Return the one option that a value spells otherwise: its label, its text, or both.

    It may be within lists, or in an object under the field's name or one like it; what says it
    twice has to say the same. None where none fits, or several do.
    """
    if isinstance(value, list | dict):
        if depth == _DEEPEST:
            return None
        if isinstance(value, dict):
            return _meant_by(value, labels, field, depth + 1)
        found = {meant(one, labels, field, depth + 1) for one in value}
        return found.pop() if len(found) == 1 else None
    if isinstance(value, str) and (inside := latex.only_box(value)) is not None:
        value = inside
    spelled = {labels[label] for label in labels if fitting(value, [label])}
    text = fitting(value, labels.values()) or (None if spelled else _begun(value, labels))
    spelled |= {text} if text is not None else set()
    # What says an option in a few words more is little longer; patterns take the square of a text.
    if isinstance(value, str) and len(value) <= _AROUND + max(map(len, labels.values()), default=0):
        both = _BOTH.fullmatch(value)
        option = None if both is None else labels.get(both["label"])
        rest = "" if both is None else both["rest"].strip()
        if option is None and rest and both is not None:
            # "b) Thin": in another case a label alone may be a word.
            option = labels.get(both["label"].swapcase())
        if option is not None and (
            not rest or fitting(rest, [option]) or _begun(rest, labels) == option
        ):
            spelled.add(option)
        if not spelled and (option_ := _said_twice(value, labels)) is not None:
            return option_
        named = None if spelled else _NAMED.fullmatch(value.strip())
        # "I would say a": not a label, but the rest is missing.
        if named is not None and named[1] != "a":
            option = meant(named[1], labels, field, _DEEPEST)
            # "The answer is good" is about the answer, where the option is "Good".
            about = value[: named.start(1)].strip().endswith("is") and named[1][:1].islower()
            own = option is None or named[1].casefold().strip(" .!") in _SURE
            return option if not about or own or (option or "")[:1].islower() else None
        inner = None if spelled else _MARKED.fullmatch(value.strip())
        if inner is not None and inner[1] != value.strip():
            return meant(inner[1], labels, field, depth)
    return spelled.pop() if len(spelled) == 1 else None


def _begun(value: Any, labels: Mapping[str, str]) -> str | None:
    """Return the one option that a text is the beginning of, up to its first sign: "Yes" is "Yes,
    it does", where no other option begins so."""
    if not isinstance(value, str) or len(value) > _AROUND:
        return None
    heads = {one: head(one) for one in labels.values()}
    begun = [one for one, short in heads.items() if short is not None and fitting(value, [short])]
    return begun[0] if len(begun) == 1 else None


def _said_twice(value: str, labels: Mapping[str, str]) -> str | None:
    """Return the option that a text says by its label and in full: "Sad (B)", "B = Sad", and by its
    place where labels are letters: "2. Sad"."""
    for pattern in _TWICE:
        match = pattern.fullmatch(value)
        if match is None:
            continue
        option = labels.get(match["label"])
        # "1.0" and "7. 6" on a scale from 0 to 10 are no places.
        placed = not any(one.strip().isdigit() for one in (*labels, *labels.values()))
        if option is None and match["label"].isdigit() and placed:
            place = int(match["label"]) - 1
            option = list(labels.values())[place] if 0 <= place < len(labels) else None
        if option is not None and fitting(match["rest"].strip(" ()[]"), [option]):
            return option
    return None


def _meant_by(
    value: Mapping[str, Any], labels: Mapping[str, str], field: str, depth: int
) -> str | None:
    """Return the option that an object means: under a name for it, or as the one key that is true
    ({"B": true, "A": false}) or says itself once more ({"B": "Yes"})."""
    names = {plain(field), *NAMES}
    named = [inner for name, inner in value.items() if plain(name) in names]
    if named:
        return meant(named, labels, field, depth)
    said = [(meant(name, labels), inner) for name, inner in value.items()]
    if len(said) == 1 and isinstance(said[0][1], str):
        option, inner = said[0]
        return option if meant(inner, labels) == option else None
    if not all(inner is None or isinstance(inner, bool) for _, inner in said):
        return None
    chosen = [option for option, inner in said if inner]
    return chosen[0] if len(chosen) == 1 else None


_DEEPEST = 4
# Characters of what may stand around an option.
_AROUND = 300
# What may stand before the word for an answer.
BEFORE = r"(?:(?:the|my|his|her|their|person's|final|best|predicted)\s+)*"
# "Option B", "the answer is B", "I would choose B"
_NAMED = re.compile(
    rf"(?:{BEFORE}(?:option|choice|answer|label|prediction)(?:\s+is)?\s*:?"
    r"|i\s+(?:(?:would\s+|will\s+)?(?:choose|pick|select|answer)|would\s+say)\s*:?)\s+(\S.*)",
    re.IGNORECASE | re.DOTALL,
)
# "**B**", "<B>", "[B]"
_MARKED = re.compile(r"[*_`<\[(\s]*(.*?)[*_`>\])\s.]*", re.DOTALL)
_SURE = ("yes", "no")
_TWICE = (
    re.compile(
        r"\s*[(\[]?(?P<label>[A-Za-z]|\d{1,5})[\s).:=,|\]\-\u2013\u2014]+(?P<rest>.+)", re.S
    ),
    re.compile(r"(?P<rest>.+?)\s*[(\[](?:option\s+)?(?P<label>[A-Za-z]|\d{1,5})[)\]]\.?\s*", re.S),
)


# "B: Sad", "(B) Sad", "B.", "57. Sad"
_BOTH = re.compile(
    r"\s*\(?(?P<label>[A-Za-z]|\d{1,5})\s*[).:\-\u2013\u2014]+(?P<rest>.*)", re.DOTALL
)


def distribution(
    text: str,
    tokens: Sequence[TokenLogprobs] | None,
    field: str,
    labels: Sequence[str],
    answered: str | None = None,
) -> tuple[dict[str, float], float] | None:
    """Read the labels' probabilities at the token that holds the answered label.

    `text` is the answer's object as it was written, `answered` its label, where that is known. Of
    equal objects in the tokens (a thought, and the answer) and of equal fields in the object, the
    last is the answer.
    The label may share its token with what stands before it (a quote): alternatives count when
    they begin with the same characters and go on with a label, and those of one label are added.
    Probabilities of the labels are renormalised to 1; a label outside the alternatives has 0.

    Returns
    -------
    (probability per label, missing mass), the mass being what the alternatives leave to anything
    but a label before renormalising; None where there are no log-probabilities, where what was
    answered is not a label as it stands, and where its token cannot be found or says nothing.
    """
    if not tokens or not alternatives(len(labels)):
        return None
    named = re.escape(field)
    places = list(re.finditer(rf"""["']{named}["']\s*:\s*["']([^"']*)(?:["']|$)""", text))
    if not places or places[-1][1] not in (labels if answered is None else [answered]):
        return None
    shift = "".join(token.token for token in tokens).rfind(text)
    if shift < 0:
        return None
    start = places[-1].start(1) + shift
    position = 0
    for token in tokens:
        if position <= start < position + len(token.token):
            return _at(token, start - position, labels)
        position += len(token.token)
    return None


def _at(
    token: TokenLogprobs, offset: int, labels: Sequence[str]
) -> tuple[dict[str, float], float] | None:
    before = token.token[:offset]
    spellings = dict(token.top)
    spellings.setdefault(token.token, token.logprob)
    sums = dict.fromkeys(labels, 0.0)
    for spelling, logprob in spellings.items():
        if not spelling.startswith(before):
            continue
        label = re.split(r'["\'\s}]', spelling[offset:], maxsplit=1)[0]
        if label not in sums:
            continue
        if math.isnan(logprob):
            return None
        sums[label] += math.exp(min(0.0, logprob))
    mass = math.fsum(sums.values())
    # More than everything are not probabilities: some servers put zeros in their place.
    if mass <= 0.0 or mass > _MOST_MASS:
        return None
    if len(spellings) < 2 and mass < _NEARLY_ALL:
        # No alternatives were given: how the rest is spread is not known.
        return None
    return {label: p / mass for label, p in sums.items()}, max(0.0, 1.0 - mass)
