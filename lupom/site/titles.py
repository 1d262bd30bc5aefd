"""What predictors are called for a reader: a name of the method, ours beside it in small."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from lupom import entry_points
from lupom.science.predictors.predictor import GROUP, MADE, as_predictor

_NEIGHBOURS = {
    "bare": "what most similar people answered",
    "common": "what most similar people answered",
    "answers": "each similar person's answer",
    "distribution": "the shares of similar people's answers",
}
_DISTRIBUTIONS = {"stated": "stating probabilities", "draws": "in several draws"}


def titles(names: Iterable[str], settings: Iterable[Mapping[str, Any]] = ()) -> dict[str, str]:
    """Return a title for each predictor that has one, by name.

    Parameters
    ----------
    names : predictors, as the evaluation's tables name them.
    settings : rows of prediction_settings (what an LLM is told): a title is made of the columns.

    A predictor of a package that cannot be imported any more goes by its own name.
    """
    wanted = set(names)
    found = {name: title for name, title in MADE.items() if name in wanted}
    offered = entry_points.offers(GROUP)
    for name in wanted & offered.keys():
        try:
            title = as_predictor(offered[name].load(), name).title
        except ValueError:
            continue
        found[name] = title
    return found | {row["setting"]: of_setting(row) for row in settings if row["setting"] in wanted}


def of_setting(row: Mapping[str, Any]) -> str:
    """Return what a prediction setting is: an LLM, and what it is told of the person."""
    told = []
    if row.get("history"):
        told.append("the person's other answers")
    if row.get("demographics"):
        told.append("demographics")
    if row.get("persona") in ("raw", "refined"):
        told.append("persona" if row["persona"] == "refined" else "unrefined persona")
    if row.get("neighbours") in _NEIGHBOURS:
        told.append(_NEIGHBOURS[row["neighbours"]])
    how = ["thinking first"] if row.get("thought") else []
    how += (
        [_DISTRIBUTIONS[row["distribution"]]] if row.get("distribution") in _DISTRIBUTIONS else []
    )
    if row.get("option_order") == "shuffled":
        how.append("options shuffled")
    said = f"LLM told {_listed(told)}" if told else "LLM told nothing of the person"
    return ", ".join([said, *how])


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
