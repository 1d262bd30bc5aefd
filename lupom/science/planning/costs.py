"""How many people, LLM calls and questions reach a precision at least cost."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from lupom.science.estimates.estimates import SMALLEST as FEWEST
from lupom.science.estimates.intervals import NORMAL
from lupom.science.inputs import arrow
from lupom.science.planning import pilots
from lupom.science.planning.pilots import Key, Pilot
from lupom.science.planning.questionnaire import few

SURVEY_PLAN = pa.schema(
    [
        ("survey", pa.string()),
        ("question_id", pa.string()),
        ("statistic", pa.string()),
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
        ("reason", pa.string()),
    ]
)
HUMANS, SPLIT, WITH_LLM = "humans", "split", "humans_and_llm"
# Half-widths of the frontier, beside the wanted one.
FRONTIER = (0.01, 0.015, 0.02, 0.03, 0.04, 0.05, 0.07, 0.1)


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


def survey_plan(
    estimates: Any,
    blocks: Any = None,
    respondents: Any = None,
    reach: Any = None,
    worth: Any = None,
    *,
    questions: Any = None,
    responses: Any = None,
    half_width: float = 0.03,
    half_widths: Mapping[str, float] | None = None,
    prices: Mapping[str, float] | None = None,
    close_gaps: bool = False,
    note: Callable[[str], None] = lambda _: None,
) -> pa.Table:
    """Return what it takes to know each share and mean to a half-width, and what is cheapest.

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
    questions : survey, question_id, kind, options and ordinal. Of those answered in numbers, and of
        scales most options of which are named by numbers, means are planned; when left out all are
        of shares.
    responses : survey, respondent_id, question_id, status and answer: how far numbers spread.
    half_width : of 95 % intervals of shares. That of a mean is as many times two standard
        deviations of its answers, so that it is known as well as a share of one half.
    half_widths : of single questions; of a number in its own units.
    prices : interview (1), question (0; each that is asked), llm_call (.01), in any currency.
    close_gaps : whether those will be asked whom a lot left out in the pilot, by `reach`.
    note : hears of surveys without a plan with an LLM.

    Returns
    -------
    A row for each plan:
        humans : everybody is asked everything.
        split : everybody is asked some blocks, and the rest is imputed.
        humans_and_llm : people are asked, and an LLM predicts them and others of whom attributes
            are known (`allocate`); where it is not worth its price, people alone.
    people are to be interviewed; answering is the share of them who answer, as in the pilot. For a
    question: statistic ('share' or 'mean'), half_width (of a mean in its own units), llm_calls,
    cost (of the answers alone: a human answer's share in the interview's price is that of one of
    the questions that are answered in it), r2 (what the LLM's predictions explain) and r2_needed
    (from which they pay). For a survey (question_id null), at half-widths from .01 to .1, those of
    single questions growing with them: people such that every question is known so well, the
    question that takes as many (limited_by), all calls, and questions_each. Rows of groups (of
    questions alone) count the group's people. cheapest marks the plan of least cost; split, of no
    single question, is among those of the survey. reason says why an LLM is not asked, and, of a
    question without numbers, why there is no plan of it.

    Raises
    ------
    ValueError : for a half-width or price that is none, and unknown prices and questions.
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
    split = [] if blocks is None else arrow(blocks).to_pylist()
    out: list[dict[str, Any]] = []
    for one in pilots.surveys(
        estimates,
        questions=questions,
        responses=responses,
        respondents=respondents,
        reach=reach,
        worth=worth,
        half_width=half_width,
        half_widths=half_widths or {},
        close_gaps=close_gaps,
    ):
        if not one.keys:
            note(
                f"{one.name}: no LLM predicted {FEWEST} people who answered a question, so that"
                " there is no plan with one"
            )
        for (attribute, group), found in one.groups.items():
            # Answers that an interview has on average.
            each = sum(pilot.answering for pilot in found)
            head = {"survey": one.name, "attribute": attribute, "group": group}
            for pilot in found:
                rows = _question(pilot, half_width, paid, each, one.keys)
                of = {"question_id": pilot.question, "statistic": pilot.statistic}
                out += [{**head, **of, **r} for r in _marked(rows)]
            if group is None:
                mine = {r["question_id"]: r for r in split if r["survey"] == one.name}
                for width in sorted({half_width, *FRONTIER}):
                    rows = list(_whole(found, mine, width, paid, one.keys, blocks is not None))
                    out += [{**head, "question_id": None, **r} for r in _marked(rows)]
        out += [
            {"survey": one.name, "question_id": question, "reason": reason, "cheapest": False}
            for question, reason in one.without.items()
        ]
    return pa.Table.from_pylist(out, schema=SURVEY_PLAN)


def _question(
    pilot: Pilot, half_width: float, paid: Prices, each: float, keys: Sequence[Key]
) -> list[dict[str, Any]]:
    variance = pilot.variance * (NORMAL / half_width) ** 2
    human = paid.interview / each + paid.question
    plain = {"half_width": half_width * pilot.unit, "answering": pilot.answering}
    answers = int(np.ceil(variance))

    def people(answers: int) -> int:
        return int(np.ceil(round(answers / pilot.answering, 6)))

    alone = {"people": people(answers), "llm_calls": 0, "cost": answers * human}
    found: list[dict[str, Any]] = [{**plain, "plan": HUMANS, **alone}]
    needed = r2_needed(human, paid.llm_call)
    for predictor, llm in keys:
        row: dict[str, Any] = {"plan": WITH_LLM, "predictor": predictor, "llm": llm}
        r2 = pilot.r2.get((predictor, llm))
        if r2 is None:
            why = f"it predicted fewer than {FEWEST} of the people who answered"
            found.append({**plain, **row, **alone, "r2_needed": needed, "reason": why})
            continue
        one = _bounded(allocate(variance, r2, human, paid.llm_call), variance, r2)
        n, calls = int(np.ceil(one.people)), int(np.ceil(one.predicted))
        cost = n * human + calls * paid.llm_call
        if cost >= answers * human:
            n, calls, cost = answers, 0, answers * human
            row["reason"] = "predictions explain too little for their price (r2, r2_needed)"
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
    pilots: Sequence[Pilot],
    split: Mapping[str, Mapping[str, Any]],
    half_width: float,
    paid: Prices,
    keys: Sequence[Key],
    designed: bool,
) -> Iterator[dict[str, Any]]:
    """Yield the plans of a whole questionnaire: all its questions to one half-width.

    designed : whether a split questionnaire was asked for; it is told where there is none.
    """
    if not pilots:
        return
    scale = (NORMAL / half_width) ** 2
    each = sum(p.answering for p in pilots)

    def row(plan: str, people: float, each: float, needs: Pilot, calls: float) -> dict[str, Any]:
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
    if lacking := [p.question for p in pilots if p.question not in split]:
        if designed:
            why = f"design_blocks has no block of {few(lacking)}"
            yield {"half_width": half_width, "plan": SPLIT, "reason": why}
    else:
        # Numbers are imputed as ranges, which have no mean, or not at all.
        left = {
            p.question: _needed(p) / split[p.question]["efficiency" if p.closed else "asked"]
            for p in pilots
        }
        first = max(pilots, key=lambda p: left[p.question])
        asked = sum(p.answering * split[p.question]["asked"] for p in pilots)
        yield row(SPLIT, left[first.question] * scale, asked, first, 0)
    for key in keys:
        unknown = [p.question for p in pilots if key not in p.r2]
        tried = [_shared(pilots, key, n, scale, paid, each) for n in _tried(pilots, scale)]
        best = min(tried, key=lambda found: found[0])
        # What would not do with fewer: of those predicted more calls might.
        first = max(pilots, key=lambda p: _needed(p) * (1 - p.r2.get(key, 0.0)))
        yield {
            **row(WITH_LLM, best[1], each, first, best[2]),
            "predictor": key[0],
            "llm": key[1],
            "reason": f"people alone answer {few(unknown)}, of whose answers it predicted fewer"
            f" than {FEWEST}"
            if unknown
            else None,
        }


def _needed(pilot: Pilot) -> float:
    """Return how many people are to be met, for a variance of 1 with people alone."""
    return pilot.variance / pilot.answering


def _tried(pilots: Sequence[Pilot], scale: float) -> Sequence[float]:
    """Return numbers of people to try: up to what people alone need."""
    most = max(map(_needed, pilots)) * scale
    return [float(n) for n in np.geomspace(max(most / 50, 2), most, 200)]


def _shared(
    pilots: Sequence[Pilot],
    key: Key,
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
    costs = [r.get("cost", np.inf) for r in rows]
    first = int(np.argmin(costs)) if costs else -1
    return [{**r, "cheapest": i == first} for i, r in enumerate(rows)]
