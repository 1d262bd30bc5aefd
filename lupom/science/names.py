"""The names that settings may call surveys and attributes by."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from difflib import get_close_matches
from typing import Any, TypeVar

from lupom.science.inputs import arrow

DEFAULT = "default"
# The wave of a panel, as in american_trends_panel_w34 and atp_W82_2021: a w and digits that are a
# word of their own.
_WAVE = re.compile(r"(?<![A-Za-z0-9])[wW](\d+)(?![A-Za-z0-9])")

T = TypeVar("T")


def names_of(survey: str) -> tuple[str, ...]:
    """Return what a survey goes by, its own name first and 'default' last.

    Between them are what follows a source's dot ('W34' of 'opinionqa.W34') and the wave that its
    name holds ('W34' of 'american_trends_panel_w34'), where it holds one.
    """
    waves = {int(number) for number in _WAVE.findall(survey)}
    wave = [f"W{waves.pop()}"] if len(waves) == 1 else []
    return tuple(dict.fromkeys([survey, survey.rpartition(".")[2], *wave, DEFAULT]))


def of_survey(setting: T | Mapping[str, T], survey: str) -> T | None:
    """Return a setting that is one for all surveys, or one by a name of `names_of`.

    None where it is given by survey, and neither for this one nor by 'default'.
    """
    if not isinstance(setting, Mapping):
        return setting
    return next((setting[name] for name in names_of(survey) if name in setting), None)


def did_you_mean(word: str, known: Collection[str]) -> str:
    """Return '; did you mean ...?' where a known word is near, else ''."""
    near = get_close_matches(str(word), sorted(known), 1)
    return f"; did you mean {near[0]!r}?" if near else ""


def check_attributes(respondents: Any, names: Collection[str], var: str) -> None:
    """Raise ValueError for a name that is no attribute of anybody, of any survey.

    Parameters
    ----------
    respondents : survey and attributes (map of text). var : what the names stand in, for messages.
    """
    people = arrow(respondents)
    known: set[str] = set()
    for part in people["attributes"].chunks:
        # A frame's are lists of pairs.
        keys = getattr(part, "keys", None)
        known.update(
            keys.unique().to_pylist()
            if keys is not None
            else (name for given in part.to_pylist() for name in dict(given or {}))
        )
    strange = [name for name in names if name not in known]
    there = ", ".join(sorted(known)[:20]) or "none"
    if strange and len(people):
        raise ValueError(
            f"{var} names {strange[0]!r}, no attribute of people"
            f"{did_you_mean(strange[0], known) or f'; there are {there}'}"
        )
