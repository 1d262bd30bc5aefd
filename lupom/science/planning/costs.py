"""How many people, LLM calls and questions reach a precision at least cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from lupom.science.estimates.intervals import NORMAL
from lupom.science.inputs import arrow, require

SURVEY_PLAN = pa.schema(
    [
        ("survey", pa.string()),
        ("question_id", pa.string()),
        ("attribute", pa.string()),
        ("group", pa.string()),
        ("half_width", pa.float64()),
        ("plan", pa.string()),
        ("predictor", pa.string()),
        ("llm", pa.string()),
        ("people", pa.int64()),
        ("answering", pa.float64()),
        ("limited_by", pa.string()),
        ("llm_calls", pa.int64()),
        ("questions_each", pa.float64()),
        ("cost", pa.float64()),
        ("r2", pa.float64()),
        ("r2_needed", pa.float64()),
        ("cheapest", pa.bool_()),
    ]
)
HUMANS, SPLIT, WITH_LLM = "humans", "split", "humans_and_llm"
# Half-widths of the frontier, beside the wanted one.
FRONTIER = (0.01, 0.015, 0.02, 0.03, 0.04, 0.05, 0.07, 0.1)
# What estimates call predictions that are no LLM's.
_OWN = ("ridge_answers", "all")
_NEEDED = (
    *("survey", "question_id", "statistic", "option", "attribute", "group", "against", "method"),
    *("predictor", "llm", "estimate", "std_error", "n_humans", "n_predicted", "n_effective"),
)


@dataclass(frozen=True)
class Prices:
    """What is paid for: an interview, each question in it, and an LLM's call."""

    interview: float = 1.0
    question: float = 0.0
    llm_call: float = 0.01


@dataclass(frozen=True)
class Allocation:
    """How many people answer a question, and of how many an LLM predicts the answer (them too)."""

    people: float
    predicted: float


def allocate(variance: float, r2: float, human: float, call: float) -> Allocation:
    """Return the cheapest numbers that leave a variance of 1 in an estimate with predictions.

    With n people who answer and m who are predicted, n of them among these, the variance of a
    power-tuned estimate is variance ((1 - r2) / n + r2 / m) (Angelopoulos, Duchi and Zrnic 2023);
    it is that of double sampling with regression, and so is what is cheapest (Cochran 1977, 12.7):
    n and m as the roots of (1 - r2) / human and r2 / call.

    Parameters
    ----------
    variance : of an answer. r2 : the share of it that predictions explain.
    human, call : prices.
    """
    r2 = min(max(r2, 0.0), 0.9999)
    first, second = np.sqrt((1 - r2) * human), np.sqrt(r2 * call)
    people = variance * np.sqrt((1 - r2) / human) * (first + second)
    predicted = variance * np.sqrt(r2 / call) * (first + second) if call > 0 else np.inf
    if predicted <= people:
        # Predictions so dear that there are none of others: then they are of no use at all.
        return Allocation(variance, 0.0)
    return Allocation(float(people), float(predicted))


def r2_needed(human: float, call: float) -> float:
    """Return the share of variance that predictions must explain to be worth their price.

    4 g / (1 + g)^2, g being the price of a call in those of a human answer (Cochran 1977, 12.9).
    """
    ratio = call / human
    return float(4 * ratio / (1 + ratio) ** 2) if ratio < 1 else 1.0


@dataclass(frozen=True)
class _Pilot:
    """What a pilot says of one question in one group.

    Attributes
    ----------
    variance : of an answer, the widest option's, with what the sample's design does to it.
    answering : the share of the people interviewed who answered it.
    r2 : by predictor and LLM.
    """

    question: str
    variance: float
    answering: float
    r2: Mapping[tuple[str, str | None], float]


def survey_plan(
    estimates: Any,
    blocks: Any = None,
    respondents: Any = None,
    reach: Any = None,
    worth: Any = None,
    *,
    half_width: float = 0.03,
    prices: Mapping[str, float] | None = None,
    close_gaps: bool = False,
) -> pa.Table:
    """Return what it takes to know each question's shares to a half-width, and what is cheapest.

    Parameters
    ----------
    estimates : a pilot's, as `estimates.estimates` returns them: they say how much answers vary
        and how much of that predictions explain (their effective sample size).
    blocks : a split questionnaire, as `blocks.design_blocks` returns it.
    respondents : the pilot's, survey and attributes (map of text): not all whom an interviewer
        meets answer a question, be it that a filter or a lot decides who is asked, or that they
        refuse, and as many more are to be met. When left out everybody answers.
    reach : as `questionnaire.question_reach` returns it; what is a recode there is no question.
    worth : as `worth.prediction_worth` returns it: what predictions explain, by those who answered
        and were predicted. It counts where the estimates do not say it, which know it of questions
        that others than those who answered were predicted, too.
    half_width : of 95 % intervals of shares.
    prices : interview (1), question (0; each that is asked), llm_call (.01), in any currency.
    close_gaps : whether those will be asked whom a lot left out in the pilot, by `reach`.

    Returns
    -------
    A row for each plan:
        humans : everybody is asked everything.
        split : everybody is asked some blocks, and the rest is imputed.
        humans_and_llm : people are asked, and an LLM predicts them and others of whom attributes
            are known (`allocate`); where it is not worth its price, people alone.
    people are to be interviewed; answering is the share of them who answer, as in the pilot. For a
    question: llm_calls, cost (of the answers alone: a human answer's share in the interview's price
    is that of one of the questions that are answered in it), r2 (what the LLM's predictions
    explain) and r2_needed (from which they pay). For a survey (question_id null), at half-widths
    from .01 to .1: people such that every question is known so well, the question that takes as
    many (limited_by), all calls, and questions_each. Rows of groups (of questions alone) count the
    group's people. cheapest marks the plan of least cost; split, of no single question, is among
    those of the survey.

    Raises
    ------
    ValueError : for a half-width or price that is none, and unknown prices.
    """
    if not 0 < half_width < 0.5:
        raise ValueError(f"plan_half_width, of a share, is between 0 and .5, not {half_width!r}")
    known = {f: getattr(Prices, f) for f in Prices.__dataclass_fields__}
    strange = sorted(set(prices or {}) - set(known))
    if strange:
        raise ValueError(f"plan_prices has no {strange[0]!r}; it has {', '.join(known)}")
    paid = Prices(**{**known, **{k: float(v) for k, v in (prices or {}).items()}})
    if paid.interview <= 0 or paid.question < 0 or paid.llm_call < 0:
        raise ValueError("plan_prices are above 0; question and llm_call may be 0")
    table = arrow(estimates)
    require(table, _NEEDED, "estimates")
    rows = [
        r
        for r in table.select(_NEEDED).to_pylist()
        if r["statistic"] == "share" and r["against"] is None and r["std_error"] is not None
    ]
    split = [] if blocks is None else arrow(blocks).to_pylist()
    made = [] if reach is None else arrow(reach).to_pylist()
    recodes = {(r["survey"], r["question_id"]) for r in made if r["recode_of"] is not None}
    asked = {(r["survey"], r["question_id"]): r for r in made if close_gaps and r["n_asked"]}
    rows = [r for r in rows if (r["survey"], r["question_id"]) not in recodes]
    known_r2: dict[tuple[str, str], dict[tuple[str, str | None], float]] = {}
    for r in [] if worth is None else arrow(worth).to_pylist():
        of_question = known_r2.setdefault((r["survey"], r["question_id"]), {})
        of_question[r["predictor"], r["llm"]] = r["r2"]
    people = None if respondents is None else _people(arrow(respondents))
    out: list[dict[str, Any]] = []
    for survey in sorted({r["survey"] for r in rows}):
        own = [r for r in rows if r["survey"] == survey]
        groups = dict.fromkeys((r["attribute"], r["group"]) for r in own)
        # How many times as many people can be asked a question as were.
        more = {
            question: r["asked_of"] * people[survey, None, None] / r["n_asked"]
            for (where, question), r in asked.items()
            if where == survey and people is not None
        }
        for attribute, group in groups:
            here = [r for r in own if (r["attribute"], r["group"]) == (attribute, group)]
            met = None if people is None else people[survey, attribute, group]
            pilots = _pilots(here, met, more, known_r2)
            # Answers that an interview has on average.
            each = sum(pilot.answering for pilot in pilots)
            head = {"survey": survey, "attribute": attribute, "group": group}
            for pilot in pilots:
                found = _question(pilot, half_width, paid, each)
                out += [{**head, "question_id": pilot.question, **r} for r in _marked(found)]
            if group is None:
                mine = {r["question_id"]: r for r in split if r["survey"] == survey}
                for width in sorted({half_width, *FRONTIER}):
                    found = list(_whole(pilots, mine, width, paid))
                    out += [{**head, "question_id": None, **r} for r in _marked(found)]
    return pa.Table.from_pylist(out, schema=SURVEY_PLAN)


def _people(respondents: pa.Table) -> Counter[tuple[str, str | None, str | None]]:
    """Return how many people there are, by survey, attribute and group."""
    require(respondents, ("survey", "attributes"), "respondents")
    out: Counter[tuple[str, str | None, str | None]] = Counter()
    columns = (respondents[name].to_pylist() for name in ("survey", "attributes"))
    for survey, attributes in zip(*columns, strict=True):
        out[survey, None, None] += 1
        out.update((survey, name, value) for name, value in dict(attributes or {}).items())
    return out


def _pilots(
    rows: Sequence[Mapping[str, Any]],
    met: int | None,
    more: Mapping[str, float],
    known: Mapping[tuple[str, str], Mapping[tuple[str, str | None], float]],
) -> list[_Pilot]:
    """Return what a pilot says of each question.

    Parameters
    ----------
    met : how many people it had, if known.
    more : by question, how many times as many will be asked.
    known : by survey and question, what predictors explain where rows do not say it.
    """
    out = []
    for question in dict.fromkeys(r["question_id"] for r in rows):
        own = [r for r in rows if r["question_id"] == question]
        alone = [r for r in own if r["method"] == "classical" and r["n_humans"] > 1]
        if not alone:
            continue
        variance = max(r["std_error"] ** 2 * r["n_humans"] for r in alone)
        r2 = dict(known.get((own[0]["survey"], question), {})) | {
            (r["predictor"], r["llm"]): _explained(r)
            for r in own
            if r["method"] == "powered" and r["predictor"] not in _OWN and r["n_effective"]
        }
        answered = max(r["n_humans"] for r in alone)
        answering = min(more.get(question, 1.0) * answered / met, 1.0) if met else 1.0
        if variance > 0:
            out.append(_Pilot(question, variance, answering, r2))
    return out


def _explained(row: Mapping[str, Any]) -> float:
    """Return the share of variance that predictions explain, from a pilot's effective sample."""
    n, predicted, effective = row["n_humans"], row["n_predicted"], row["n_effective"]
    beyond = max(predicted - n, 0)
    if not beyond or effective <= n:
        return 0.0
    # variance ((1 - r2) / n + r2 / m) = variance / effective.
    return float(min((1 - n / effective) / (1 - n / predicted), 1.0))


def _question(pilot: _Pilot, half_width: float, paid: Prices, each: float) -> list[dict[str, Any]]:
    variance = pilot.variance * (NORMAL / half_width) ** 2
    human = paid.interview / each + paid.question
    plain = {"half_width": half_width, "questions_each": None, "answering": pilot.answering}
    answers = int(np.ceil(variance))

    def people(answers: int) -> int:
        return int(np.ceil(round(answers / pilot.answering, 6)))

    alone = {"people": people(answers), "llm_calls": 0, "cost": answers * human}
    found: list[dict[str, Any]] = [{**plain, "plan": HUMANS, **alone}]
    for (predictor, llm), r2 in sorted(pilot.r2.items(), key=str):
        one = _bounded(allocate(variance, r2, human, paid.llm_call), variance, r2)
        n, calls = int(np.ceil(one.people)), int(np.ceil(one.predicted))
        row: dict[str, Any] = {"plan": WITH_LLM, "predictor": predictor, "llm": llm}
        needed = r2_needed(human, paid.llm_call)
        cost = n * human + calls * paid.llm_call
        if cost >= answers * human:
            n, calls, cost = answers, 0, answers * human
        row |= {"people": people(n), "llm_calls": calls, "cost": cost}
        row |= {"r2": r2, "r2_needed": needed}
        found.append({**plain, **row})
    return found


def _bounded(one: Allocation, variance: float, r2: float) -> Allocation:
    """Return an allocation with a finite number of calls: beyond 100 a person they add nothing."""
    if np.isfinite(one.predicted):
        return one
    people = variance * ((1 - r2) + r2 / 100.0)
    return Allocation(people, 100.0 * people)


def _whole(
    pilots: Sequence[_Pilot],
    split: Mapping[str, Mapping[str, Any]],
    half_width: float,
    paid: Prices,
) -> Iterator[dict[str, Any]]:
    """Yield the plans of a whole questionnaire: all its questions to one half-width."""
    if not pilots:
        return
    scale = (NORMAL / half_width) ** 2
    each = sum(p.answering for p in pilots)

    def row(plan: str, people: float, each: float, needs: _Pilot, calls: float) -> dict[str, Any]:
        n, made = int(np.ceil(round(people, 6))), int(np.ceil(calls))
        cost = n * (paid.interview + paid.question * each) + made * paid.llm_call
        return {
            "half_width": half_width,
            "plan": plan,
            "people": n,
            "answering": needs.answering,
            "limited_by": needs.question,
            "llm_calls": made,
            "questions_each": each,
            "cost": cost,
        }

    most = max(pilots, key=_needed)
    yield row(HUMANS, _needed(most) * scale, each, most, 0)
    if all(p.question in split for p in pilots):
        left = {p.question: _needed(p) / split[p.question]["efficiency"] for p in pilots}
        first = max(pilots, key=lambda p: left[p.question])
        asked = sum(p.answering * split[p.question]["asked"] for p in pilots)
        yield row(SPLIT, left[first.question] * scale, asked, first, 0)
    for predictor, llm in sorted({key for p in pilots for key in p.r2}, key=str):
        key = predictor, llm
        tried = [_shared(pilots, key, n, scale, paid, each) for n in _tried(pilots, scale)]
        best = min(tried, key=lambda found: found[0])
        # What would not do with fewer: of those predicted more calls might.
        first = max(pilots, key=lambda p: _needed(p) * (1 - p.r2.get(key, 0.0)))
        yield {
            **row(WITH_LLM, best[1], each, first, best[2]),
            "predictor": predictor,
            "llm": llm,
        }


def _needed(pilot: _Pilot) -> float:
    """Return how many people are to be met, for a variance of 1 with people alone."""
    return pilot.variance / pilot.answering


def _tried(pilots: Sequence[_Pilot], scale: float) -> Sequence[float]:
    """Return numbers of people to try: up to what people alone need."""
    most = max(map(_needed, pilots)) * scale
    return [float(n) for n in np.geomspace(max(most / 50, 2), most, 200)]


def _shared(
    pilots: Sequence[_Pilot],
    key: tuple[str, str | None],
    people: float,
    scale: float,
    paid: Prices,
    each: float,
) -> tuple[float, float, float]:
    """Return cost, people and calls where so many people are met; infinite if too few."""
    calls = 0.0
    for pilot in pilots:
        r2 = pilot.r2.get(key, 0.0)
        target, answers = pilot.variance * scale, people * pilot.answering
        if answers >= target * (1 - 1e-9):
            continue
        # (1 - r2) / n + r2 / m = 1 / target.
        over = 1 / target - (1 - r2) / answers
        if over <= 0 or r2 <= 0:
            return float("inf"), people, 0.0
        calls += r2 / over
    cost = people * (paid.interview + paid.question * each) + calls * paid.llm_call
    return cost, people, calls


def _marked(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    least = min((r["cost"] for r in rows), default=0.0)
    first = next((i for i, r in enumerate(rows) if r["cost"] <= least), -1)
    return [{**r, "cheapest": i == first} for i, r in enumerate(rows)]
