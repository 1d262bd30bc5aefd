"""Choices: options asked by single-token labels, and their distribution read at the label."""

from __future__ import annotations

import math
import re
import string
from collections.abc import Sequence

from lupom.engine.llm.providers.base import TokenLogprobs

# Letters are one token in every tokenizer we know, with and without a quote or space before them.
LABELS = string.ascii_uppercase + string.ascii_lowercase

# The most alternatives the OpenAI interface gives at one position.
MOST_ALTERNATIVES = 20


def alternatives(count: int) -> int:
    """Return how many alternatives to ask for, so that `count` labels are among them.

    Twice the labels: a label may come in two spellings (`B` and `B"`), and a token or two that is
    no label may stand between.
    """
    return min(MOST_ALTERNATIVES, 2 * count + 2)


def distribution(
    text: str, tokens: Sequence[TokenLogprobs] | None, field: str, labels: Sequence[str]
) -> tuple[dict[str, float], float] | None:
    """Read the labels' probabilities at the token that holds the answered label.

    The label may share its token with what stands before it (a quote): alternatives count when
    they begin with the same characters and go on with a label, and those of one label are added.
    Probabilities of the labels are renormalised to 1; a label outside the alternatives has 0.

    Returns
    -------
    (probability per label, missing mass), the mass being what the alternatives leave to anything
    but a label before renormalising; None where there are no log-probabilities, or the label's
    token cannot be found.
    """
    if not tokens:
        return None
    found = re.search(rf'"{re.escape(field)}"\s*:\s*"', text)
    if found is None:
        return None
    shift = "".join(token.token for token in tokens).find(text)
    if shift < 0:
        return None
    start = found.end() + shift
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
        label = re.split(r'["\s}]', spelling[offset:], maxsplit=1)[0]
        if label in sums:
            sums[label] += math.exp(min(0.0, logprob))
    mass = math.fsum(sums.values())
    if mass <= 0.0:
        return None
    return {label: p / mass for label, p in sums.items()}, max(0.0, 1.0 - mass)
