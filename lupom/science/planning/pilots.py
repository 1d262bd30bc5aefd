"""What a pilot says of each question: how answers vary, who answers, what predictions explain."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lupom.science.inputs import arrow, require
from lupom.science.names import did_you_mean

SHARE, MEAN = "share", "mean"
# What estimates call predictions that are no LLM's.
_OWN = ("ridge_answers", "all")
_NEEDED = (
    *("survey", "question_id", "statistic", "option", "attribute", "group", "against", "method"),
    *("predictor", "llm", "estimate", "std_error", "n_humans", "n_predicted", "n_effective"),
)
# So many options make a scale, of which the mean is asked for if they are named by numbers.
SCALE = 5
# A mean is known as well as a share of one half: its half-width is that of shares times two
# standard deviations of answers, since one of a share of one half is .5.
DEVIATIONS = 2.0

Key = tuple[str, str | None]
Group = tuple[str | None, str | None]


@dataclass(frozen=True)
class Pilot:
    """What a pilot says of one question in one group.

    Attributes
    ----------
    statistic : 'share' or 'mean'.
    unit : by which the half-width of a share is to be multiplied for that of this question.
    variance : of an answer in that unit, the widest option's, with what the sample's design does
        to it.
    answering : the share of the people interviewed who answered it.
    r2 : by predictor and LLM.
    closed : whether it has options, by which it can be imputed.
    """

    question: str
    statistic: str
    closed: bool
    unit: float
    variance: float
    answering: float
    r2: Mapping[Key, float]


@dataclass(frozen=True)
class Survey:
    """The pilots of one survey's questions, by group, and of which questions there are none.

    Attributes
    ----------
    groups : (null, null) is everybody. keys : predictors with LLMs that predicted any question.
    without : by question, why there is no plan of it.
    """

    name: str
    groups: Mapping[Group, list[Pilot]]
    keys: tuple[Key, ...]
    without: Mapping[str, str]


def surveys(
    estimates: Any,
    *,
    questions: Any = None,
    responses: Any = None,
    respondents: Any = None,
    reach: Any = None,
    worth: Any = None,
    half_width: float,
    half_widths: Mapping[str, float],
    close_gaps: bool,
) -> Iterator[Survey]:
    """Yield what pilots say of each survey; parameters and errors are of `costs.survey_plan`."""
    table = arrow(estimates)
    require(table, _NEEDED, "estimates")
    asked = [] if questions is None else arrow(questions).to_pylist()
    numeric = {_place(r): found for r in asked if (found := _positions(r)) is not None}
    rows = [
        r
        for r in table.select(_NEEDED).to_pylist()
        if r["against"] is None
        and r["std_error"] is not None
        and r["statistic"] == (MEAN if (r["survey"], r["question_id"]) in numeric else SHARE)
    ]
    named = {r["question_id"] for r in (*rows, *asked)}
    if strange := sorted(set(half_widths) - named):
        raise ValueError(
            f"plan_half_widths names {strange[0]!r}, no question{did_you_mean(strange[0], named)}"
        )
    if wrong := sorted(q for q, width in half_widths.items() if not width > 0):
        raise ValueError(f"plan_half_widths are above 0, not {half_widths[wrong[0]]!r}: {wrong[0]}")
    made = [] if reach is None else arrow(reach).to_pylist()
    recodes = {(r["survey"], r["question_id"]): r["recode_of"] for r in made}
    open_to = {(r["survey"], r["question_id"]): r for r in made if close_gaps and r["n_asked"]}
    known: dict[tuple[str, str], dict[Key, float]] = {}
    for r in [] if worth is None else arrow(worth).to_pylist():
        mean = r.get("mean_r2") if _place(r) in numeric else None
        r2 = r["r2"] if mean is None else mean
        known.setdefault(_place(r), {})[r["predictor"], r["llm"]] = r2
    people = None if respondents is None else _people(arrow(respondents))
    spreads = _spreads(numeric, responses, respondents)
    told = {r["survey"] for r in rows}
    for survey in sorted(told | {r["survey"] for r in asked if told}):
        own = [r for r in rows if r["survey"] == survey and not recodes.get(_place(r))]
        # How many times as many people can be asked a question as were.
        more = {
            question: r["asked_of"] * people[survey, None, None] / r["n_asked"]
            for (where, question), r in open_to.items()
            if where == survey and people is not None
        }
        units = {
            question: half_widths[question] / half_width
            if question in half_widths
            else DEVIATIONS * spreads.get((survey, question), 0.0)
            if (survey, question) in numeric
            else 1.0
            for question in dict.fromkeys(r["question_id"] for r in own)
        }
        closed = {question for question in units if numeric.get((survey, question)) != {}}
        groups: dict[Group, list[Pilot]] = {(None, None): []}
        for attribute, group in dict.fromkeys((r["attribute"], r["group"]) for r in own):
            here = [r for r in own if (r["attribute"], r["group"]) == (attribute, group)]
            met = None if people is None else people[survey, attribute, group]
            groups[attribute, group] = _pilots(here, met, more, known, units, closed)
        keys = {key for pilots in groups.values() for one in pilots for key in one.r2}
        there = {one.question for one in groups[None, None]}
        without = {
            r["question_id"]: _why(r, own, recodes.get(_place(r)))
            for r in asked
            if r["survey"] == survey and r["question_id"] not in there
        }
        yield Survey(survey, groups, tuple(sorted(keys, key=str)), without)


def _positions(question: Mapping[str, Any]) -> dict[str, float] | None:
    """Return the number of each option of a question whose mean is asked for; None of others.

    Of a question answered in numbers that is none. Of a scale most options are named by numbers, as
    those from 0 to 10 are of which the ends alone have words.
    """
    if question.get("kind") == "numeric":
        return {}
    places = dict(zip(question.get("options") or (), question.get("ordinal") or (), strict=False))
    numbers = [option for option in places if _is_number(option)]
    if len(places) < SCALE or 2 * len(numbers) <= len(places) or None in places.values():
        return None
    # Positions of 16, 18, 32 that are 1, 2, 3 have a mean that says nothing.
    apart = [places[option] - float(option) for option in numbers]
    if max(apart) - min(apart) > 1e-9:
        return None
    return {option: float(place) for option, place in places.items()}


def _is_number(text: str) -> bool:
    try:
        return bool(np.isfinite(float(text)))
    except ValueError:
        return False


def _place(row: Mapping[str, Any]) -> tuple[str, str]:
    return row["survey"], row["question_id"]


def _why(question: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], source: Any) -> str:
    """Return why there is no plan of a question."""
    if source:
        return f"a recode of {source}, known with it"
    options = question.get("options") or ()
    if question.get("kind") == "text" or (question.get("kind") != "numeric" and not options):
        return "answered in texts, which have no shares"
    if question.get("kind") != "numeric" and len(options) < 2:
        return "it has one option"
    mine = [
        r["n_humans"]
        for r in rows
        if r["question_id"] == question["question_id"] and r["method"] == "classical"
    ]
    if max(mine, default=0) < 2:
        return "fewer than two people answered it, which does not say how answers vary"
    return f"all {max(mine):,} people gave one answer, which does not say how answers vary"


def _people(respondents: pa.Table) -> Counter[tuple[str, str | None, str | None]]:
    """Return how many people there are, by survey, attribute and group."""
    require(respondents, ("survey", "attributes"), "respondents")
    out: Counter[tuple[str, str | None, str | None]] = Counter()
    columns = (respondents[name].to_pylist() for name in ("survey", "attributes"))
    for survey, attributes in zip(*columns, strict=True):
        out[survey, None, None] += 1
        out.update((survey, name, value) for name, value in dict(attributes or {}).items())
    return out


def _spreads(
    numeric: Mapping[tuple[str, str], Mapping[str, float]], responses: Any, respondents: Any
) -> dict[tuple[str, str], float]:
    """Return the standard deviation of the answers to each question, by survey weight.

    numeric : the number of each option, none where answers are numbers.
    """
    if responses is None or not numeric:
        return {}
    table = arrow(responses)
    require(table, ("survey", "respondent_id", "question_id", "status", "answer"), "responses")
    kept = pc.and_(
        pc.is_in(table["question_id"], pa.array(sorted({q for _, q in numeric}), pa.string())),
        pc.and_kleene(pc.equal(table["status"], "answered"), table["answer"].is_valid()),
    )
    weight_of: dict[tuple[str, str], float] = {}
    if respondents is not None and "weight" in arrow(respondents).column_names:
        people = arrow(respondents).select(["survey", "respondent_id", "weight"]).to_pylist()
        weight_of = {(r["survey"], r["respondent_id"]): r["weight"] for r in people}
    said: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for r in table.filter(pc.fill_null(kept, False)).to_pylist():
        if _place(r) in numeric:
            weight = weight_of.get((r["survey"], r["respondent_id"]))
            number = numeric[_place(r)].get(r["answer"])
            number = float(r["answer"]) if number is None else number
            said.setdefault(_place(r), []).append(
                (number, 1.0 if weight is None else float(weight))
            )
    out = {}
    for place, pairs in said.items():
        values, weights = np.array(pairs).T
        some = np.isfinite(values) & (weights > 0)
        if some.any():
            mean = np.average(values[some], weights=weights[some])
            square = np.average(np.square(values[some] - mean), weights=weights[some])
            out[place] = float(np.sqrt(square))
    return out


def _pilots(
    rows: Sequence[Mapping[str, Any]],
    met: int | None,
    more: Mapping[str, float],
    known: Mapping[tuple[str, str], Mapping[Key, float]],
    units: Mapping[str, float],
    closed: Collection[str],
) -> list[Pilot]:
    """Return what a pilot says of each question.

    Parameters
    ----------
    met : how many people it had, if known.
    more : by question, how many times as many will be asked.
    known : by survey and question, what predictors explain where rows do not say it.
    units : by question, as of `Pilot`. closed : those that have options.
    """
    by_question: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        by_question.setdefault(row["question_id"], []).append(row)
    out = []
    for question, own in by_question.items():
        alone = [r for r in own if r["method"] == "classical" and r["n_humans"] > 1]
        unit = units[question]
        if not alone or unit <= 0:
            continue
        variance = max(r["std_error"] ** 2 * r["n_humans"] for r in alone) / unit**2
        r2 = dict(known.get((own[0]["survey"], question), {})) | {
            (r["predictor"], r["llm"]): _explained(r)
            for r in own
            if r["method"] == "powered" and r["predictor"] not in _OWN and r["n_effective"]
        }
        answered = max(r["n_humans"] for r in alone)
        answering = min(more.get(question, 1.0) * answered / met, 1.0) if met else 1.0
        if variance > 0:
            statistic = own[0]["statistic"]
            out.append(
                Pilot(question, statistic, question in closed, unit, variance, answering, r2)
            )
    return out


def _explained(row: Mapping[str, Any]) -> float:
    """Return the share of variance that predictions explain, from a pilot's effective sample."""
    n, predicted, effective = row["n_humans"], row["n_predicted"], row["n_effective"]
    beyond = max(predicted - n, 0)
    if not beyond or effective <= n:
        return 0.0
    # variance ((1 - r2) / n + r2 / m) = variance / effective.
    return float(min((1 - n / effective) / (1 - n / predicted), 1.0))
