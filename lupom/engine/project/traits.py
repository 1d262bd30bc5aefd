"""What is known of an alias before anything is asked of it: what it can give, and how it answers.

Models decide by it how to ask: a select has it as `llms`. What only an endpoint itself can tell
(`lupom.engine.llm.providers.capabilities`) is not here: a select must not differ from run to run.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lupom.engine.project.providers import LLMSettings

# Models that think before they answer, by the families that have said so in their names. Their
# endpoints refuse temperature and log-probabilities, or leave both out.
_THINKERS = re.compile(
    r"(^|[/.:])(o[1-9]|gpt-5(?!.*chat)|deepseek-(r1|reasoner)|magistral|qwq)"
    r"|-(thinking|reasoner|reasoning)\b",
    re.IGNORECASE,
)
# Words in `extra` that say how much a model is to think, and those that say it is not to.
_EFFORTS = ("reasoning_effort", "reasoning", "effort", "thinking", "enable_thinking", "think")
_NO_EFFORT = ("none", "off", "disabled", "false", "0", "")


@dataclass(frozen=True, slots=True)
class Traits:
    """What is known of an alias.

    Attributes
    ----------
    profile : which prompts it is asked with, 'capable' or 'small'.
    reasons : it thinks before it answers.
    logprobs : it may be expected to give the log-probabilities of an answer's tokens.
    sampled : two draws of one question may differ: a temperature above 0, or a model that reasons.
    """

    profile: str
    reasons: bool
    logprobs: bool
    sampled: bool


def traits_of(settings: LLMSettings) -> Traits:
    """Return what is known of an alias by its settings.

    `logprobs` in the settings, where it is given, is believed.
    """
    effort = effort_of(settings.extra)
    reasons = _THINKERS.search(settings.model or "") is not None if effort is None else effort
    able = settings.gives_logprobs and not reasons
    if "logprobs" in settings.model_fields_set:
        able = settings.logprobs and settings.gives_logprobs
    return Traits(
        profile=settings.profile,
        reasons=reasons,
        logprobs=able,
        sampled=reasons or _temperature(settings) > 0,
    )


def _temperature(settings: LLMSettings) -> float:
    """Return the temperature that is sent: `extra` has the last word."""
    given = [value for _, name, value in _leaves(settings.extra) if name == "temperature"]
    given = [v for v in given if isinstance(v, int | float)]
    return float(given[-1]) if given else settings.temperature


def effort_of(extra: Mapping[str, Any]) -> bool | None:
    """Return whether `extra` asks a model to think; None where it does not say."""
    said = [
        value is not False and str(value).strip().lower() not in _NO_EFFORT
        for group, name, value in _leaves(extra)
        if name in _EFFORTS or (group in _EFFORTS and name == "type")
    ]
    return any(said) if said else None


def _leaves(value: Mapping[str, Any], group: str = "") -> Iterator[tuple[str, str, Any]]:
    """Yield (name of the group, name, value) of all that is in nested mappings."""
    for name, inner in value.items():
        if isinstance(inner, Mapping):
            yield from _leaves(inner, name)
        else:
            yield group, name, inner
