"""The stack: one calibrated distribution made of all predictors', fitted on tuning pairs alone."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lupom.science.blas import one_thread
from lupom.science.inputs import arrow
from lupom.science.predictors import pool, router
from lupom.science.predictors.distributions import PREDICTIONS, Pairs, of_survey, pairs_of
from lupom.science.predictors.pool import INFINITE, Evidence, Shrinkage, Weights
from lupom.science.predictors.task import Bools, Floats, Ints

# A part's probability counts as at least this: none has a veto by holding an answer impossible.
FLOOR = 1e-3

# Tried on the tuning pairs by cross-fitting. The General Social Survey's log loss under common
# weights with a ridge of 1, 10, 100 and 1,000 is .670, .670, .670 and .684 (mean of three draws),
# with weights by question and a group ridge of 100 and 20 .674 and .682.
PLAIN = (
    Shrinkage(10.0),
    Shrinkage(100.0),
    Shrinkage(10.0, 100.0),
    Shrinkage(10.0, centre="best"),
    Shrinkage(100.0, centre="best"),
    Shrinkage(10.0, 100.0, centre="best"),
    Shrinkage(INFINITE, centre="best"),
)
WITH_LLM = (Shrinkage(3.0), Shrinkage(30.0), Shrinkage(300.0), Shrinkage(30.0, 100.0))
NONE = Shrinkage(INFINITE)

# With fewer tuning pairs than this the best part is found by luck, and all count the same before.
ENOUGH = 100
# With fewer respondents than this, or new questions, weights are held: all the same, or the best
# part alone. With four new questions to tune on, the log loss of four others (six draws of the
# General Social Survey) is then .850, and .890 by the usual candidates.
FEW = 30
HELD = (Shrinkage(INFINITE), Shrinkage(INFINITE, centre="best"))
# With fewer than this the LLM is not heard: there is nothing to say whether it helps.
ENOUGH_LLM = 30

WEIGHTS = pa.schema(
    [
        ("survey", pa.string()),
        ("predictor", pa.string()),
        ("llm", pa.string()),
        ("scenario", pa.string()),
        ("part", pa.string()),
        ("weight", pa.float64()),
        ("n", pa.int64()),
    ]
)

Choose = Callable[[Evidence, Floats, Ints], tuple[Weights, Floats]]

_PREDICTION = ("survey", "respondent_id", "question_id", "predictor", "llm", "answer")
_BASELINES = (*_PREDICTION, "probabilities", "status", "role", "scenario")
_LLM = (*_PREDICTION, "probabilities", "status")


@dataclass(frozen=True)
class Fit:
    """The weights of one scenario.

    Attributes
    ----------
    scenario, parts, n : its name, the parts' names, and how many tuning pairs were there.
    weights : common ones and by question.
    """

    scenario: str
    parts: tuple[str, ...]
    n: int
    weights: Weights


@dataclass(frozen=True)
class WithLLM:
    """What one LLM's predictions make of the plain stack.

    Attributes
    ----------
    asked : (P), which pairs the LLM was asked.
    probabilities : (P, width), of those; zeros elsewhere.
    fits : weights by scenario.
    """

    asked: Bools
    probabilities: Floats
    fits: tuple[Fit, ...]


@dataclass(frozen=True)
class Stack:
    """The stack of one survey.

    Attributes
    ----------
    pairs : every held-out pair.
    plain : (P, width), of the predictors that need no LLM. Of a tuning pair it is made by weights
        that were fitted to other respondents' pairs; of a test pair by those fitted to all.
    fits : weights of plain by scenario.
    llms : what each LLM makes of it, by alias.
    """

    pairs: Pairs
    plain: Floats
    fits: tuple[Fit, ...]
    llms: Mapping[str, WithLLM]


def stack(
    baselines: Any,
    predictions: Any,
    tuning: Any,
    questions: Any,
    *,
    personas: Any = None,
    seed: int = 0,
    min_gain: float = 0.0,
    prices: Mapping[str, float] | None = None,
    worth: float | None = None,
) -> pa.Table:
    """Combine all predictors' distributions, by weights fitted on tuning pairs alone.

    Parameters
    ----------
    baselines : table as `baselines.predict` returns it, of test and tuning pairs.
    predictions : table of the LLMs' predictions of some of them, the same columns without role and
        scenario; each setting is a part of its own.
    tuning : survey, respondent_id, question_id, answer of the tuning pairs.
    questions : survey, question_id, options.
    personas : predictions by the persona network, if any (`personas.predict`). An LLM made the
        personas, so they are a part of stack and not of stack_plain.
    seed : of the folds that respondents fall into; see `fit_survey`.
    min_gain, prices, worth : what 'routed' goes by; see `router.router`.

    Returns
    -------
    Rows as baselines has them, by predictor
        stack_plain : of the baselines, every pair.
        stack : with an LLM's settings, the pairs that LLM was asked.
        routed : of those, the test pairs: stack where the router recommends the LLM, else
            stack_plain.
    Predictions of tuning pairs are made by weights that were fitted to other respondents.

    Raises
    ------
    ValueError : for a missing column, and an answer or question that does not fit.
    """
    parts = []
    for one in fit_all(baselines, predictions, tuning, questions, personas, seed=seed):
        parts.append(one.pairs.table("stack_plain", one.plain))
        test = one.pairs.roles == "test"
        for llm, with_llm in one.llms.items():
            asked = with_llm.asked
            parts.append(one.pairs.table("stack", with_llm.probabilities, llm, asked))
            routed = one.plain.copy()
            price = (prices or {}).get(llm)
            for scenario, gains in router.gains(
                one.pairs, one.plain, with_llm.probabilities, asked
            ):
                chosen = router.recommended(gains, min_gain=min_gain, price=price, worth=worth)
                here = chosen[one.pairs.columns] & (one.pairs.scenarios == scenario)
                routed[here] = with_llm.probabilities[here]
            parts.append(one.pairs.table("routed", routed, llm, asked & test))
    return pa.concat_tables(parts).combine_chunks() if parts else PREDICTIONS.empty_table()


def weights(
    baselines: Any,
    predictions: Any,
    tuning: Any,
    questions: Any,
    *,
    personas: Any = None,
    seed: int = 0,
) -> pa.Table:
    """Return what the stack makes of each part, parameters as `stack` takes them.

    Rows survey, predictor ('stack_plain' or 'stack'), llm, scenario, part, weight (common to all
    questions), n (tuning pairs it was fitted to). An LLM's setting has two parts: its
    log-probability, and '... against its mean', that less the log of its mean over the question;
    the persona network has the latter alone.
    """
    rows = []
    for one in fit_all(baselines, predictions, tuning, questions, personas, seed=seed):
        fits: list[tuple[str, str | None, Fit]] = [("stack_plain", None, f) for f in one.fits]
        fits += [("stack", llm, f) for llm, with_llm in one.llms.items() for f in with_llm.fits]
        for predictor, llm, found in fits:
            for part, weight in zip(found.parts, found.weights.common, strict=True):
                rows.append(
                    {
                        "survey": one.pairs.survey,
                        "predictor": predictor,
                        "llm": llm,
                        "scenario": found.scenario,
                        "part": part,
                        "weight": float(weight),
                        "n": found.n,
                    }
                )
    return pa.Table.from_pylist(rows, schema=WEIGHTS)


def fit_all(
    baselines: Any,
    predictions: Any,
    tuning: Any,
    questions: Any,
    personas: Any = None,
    *,
    seed: int = 0,
) -> Iterator[Stack]:
    """Yield the stack of every survey that has baselines, by name."""
    names = pc.unique(arrow(baselines)["survey"]).to_pylist()
    asked = ("survey", "question_id", "options")
    told = ("survey", "respondent_id", "question_id", "answer")
    for survey in sorted(names):
        plain = of_survey(baselines, _BASELINES, "baselines", survey)
        pairs = pairs_of(
            survey,
            plain,
            of_survey(tuning, told, "tuning answers", survey),
            of_survey(questions, asked, "questions", survey),
        )
        asking = of_survey(predictions, _LLM, "predictions", survey)
        by_persona = asking.slice(0, 0)
        if personas is not None:
            by_persona = of_survey(personas, _LLM, "predictions by personas", survey)
        yield fit_survey(pairs, plain, asking, by_persona, seed)


def fit_survey(
    pairs: Pairs, baselines: pa.Table, predictions: pa.Table, personas: pa.Table, seed: int
) -> Stack:
    """Return the stack of one survey.

    The parts are pooled log-linearly (`pool`), each scenario by weights of its own. How much these
    are shrunk, to what, and whether questions get their own, is decided by the log loss of tuning
    pairs under weights fitted to the other four fifths of respondents (in scenario new_question, of
    questions). An LLM's settings are pooled with the plain stack's predictions of tuning pairs,
    which are themselves cross-fitted; it stays as it is unless the LLM gains more than a standard
    error, or two where there are fewer than 30 respondents or new questions.
    """
    # With several BLAS threads on a busy machine such small fits take four times the CPU.
    with one_thread():
        names = sorted(pc.unique(baselines["predictor"]).to_pylist())
        logs = []
        for name in names:
            p, has = pairs.read(baselines.filter(pc.equal(baselines["predictor"], name)))
            p[~has] = pairs.uniform()[~has]
            logs.append(_log(p))
        centre = np.full(len(names), 1.0 / len(names))
        everyone = np.ones(len(pairs.truth), dtype=bool)
        plain, fits = _fitted(
            pairs, np.stack(logs, axis=2), seed, everyone, names, centre, _without_llm
        )
        llms = {}
        for llm in sorted(pc.unique(predictions["llm"].drop_null()).to_pylist()):
            own = predictions.filter(pc.equal(predictions["llm"], llm))
            llms[llm] = _with_llm(pairs, plain, own, personas, seed)
    return Stack(pairs, plain, fits, llms)


def _with_llm(
    pairs: Pairs, plain: Floats, predictions: pa.Table, personas: pa.Table, seed: int
) -> WithLLM:
    asked = _asked(pairs, predictions)
    # An LLM that is not heard leaves the plain stack as it is, however unlikely an answer.
    names, parts = ["stack_plain"], [np.log(np.maximum(plain, 1e-12))]
    for table in (predictions, personas):
        for name in sorted(pc.unique(table["predictor"]).to_pylist()):
            p, has = pairs.read(table.filter(pc.equal(table["predictor"], name)))
            own = np.where(has[:, None], _log(p), 0.0)
            apart = np.where(has[:, None], own - _log(_mean(pairs, p, has)), 0.0)
            if table is predictions:
                names.append(name)
                parts.append(own)
            names.append(f"{name} against its mean")
            parts.append(apart)
    centre = np.eye(len(names))[0]
    p, fits = _fitted(pairs, np.stack(parts, axis=2), seed, asked, names, centre, _with_llms)
    return WithLLM(asked, p, fits)


def _mean(pairs: Pairs, p: Floats, has: Bools) -> Floats:
    """Return the mean distribution of each pair's question, one that knows nothing being added.

    An LLM that gives the first option to whatever it is asked says nothing by giving it. To see
    that no answers need be known, so all pairs it was asked count, test pairs among them.
    """
    mean = pairs.uniform()
    for column in np.unique(pairs.columns[has]):
        here = pairs.columns == column
        told = p[here & has]
        mean[here] = (told.sum(axis=0) + mean[here][0]) / (len(told) + 1.0)
    return mean


def _asked(pairs: Pairs, predictions: pa.Table) -> Bools:
    ids = predictions.select(["respondent_id", "question_id"])
    found = set(zip(*(column.to_pylist() for column in ids.columns), strict=True))
    keys = zip(pairs.respondents, pairs.columns, strict=True)
    return np.array([(r, pairs.questions[c]) in found for r, c in keys], dtype=bool)


def _fitted(
    pairs: Pairs,
    logs: Floats,
    seed: int,
    chosen: Bools,
    names: Sequence[str],
    centre: Floats,
    choose: Choose,
) -> tuple[Floats, tuple[Fit, ...]]:
    """Return the pool of some pairs, (P, width), and its weights by scenario."""
    out = np.zeros((len(chosen), pairs.width))
    fits = []
    for scenario in sorted(set(pairs.scenarios[chosen])):
        here = chosen & (pairs.scenarios == scenario)
        _, group = np.unique(pairs.columns[here], return_inverse=True)
        unit, fold = _units(pairs.only(here), seed)
        everything = Evidence(logs[here], pairs.inside[here], pairs.truth[here], group, fold)
        known = everything.truth >= 0
        evidence = everything.part(known)
        weights, crossed = choose(evidence, centre, unit[known])
        result = pool.pooled(everything.logs, everything.inside, weights.of(group))
        result[known] = crossed
        out[here] = result
        fits.append(Fit(scenario, tuple(names), int(known.sum()), weights))
    return out, tuple(fits)


def _units(pairs: Pairs, seed: int) -> tuple[Ints, Ints]:
    """Return to which respondent each pair belongs, and to which fold that belongs.

    What is learned on some new questions is used on others, so that there it is the question.
    """
    if (pairs.scenarios == "new_question").all():
        known = np.unique(pairs.columns[pairs.truth >= 0])
        place = np.searchsorted(known, pairs.columns)
        return place, place % pool.FOLDS
    people, unit = np.unique(pairs.respondents.astype(str), return_inverse=True)
    of = [zlib.crc32(f"{seed}|{pairs.survey}|{r}".encode()) % pool.FOLDS for r in people]
    return unit, np.array(of, dtype=np.int64)[unit]


def _without_llm(evidence: Evidence, centre: Floats, unit: Ints) -> tuple[Weights, Floats]:
    """Average the candidates; return the weights and the cross-fitted predictions."""
    candidates = PLAIN if len(np.unique(unit)) >= FEW else HELD
    enough = len(evidence.truth) >= ENOUGH
    return _averaged(evidence, centre, [c for c in candidates if c.centre == "given" or enough])


def _with_llms(evidence: Evidence, centre: Floats, unit: Ints) -> tuple[Weights, Floats]:
    """Average the candidates if that gains more than a standard error (of few, two) over none."""
    none = pool.crossed(evidence, centre, NONE)
    if len(evidence.truth) >= ENOUGH_LLM:
        weights, crossed = _averaged(evidence, centre, WITH_LLM)
        gain = pool.losses(none, evidence.truth) - pool.losses(crossed, evidence.truth)
        by_unit = np.bincount(unit, weights=gain - gain.mean())
        errors = 1.0 if len(np.unique(unit)) >= FEW else 2.0
        if gain.sum() > errors * float(np.sqrt(np.square(by_unit).sum())):
            return weights, crossed
    return pool.fit(evidence, centre, NONE), none


def _averaged(
    evidence: Evidence, centre: Floats, candidates: Sequence[Shrinkage]
) -> tuple[Weights, Floats]:
    """Return the mean weights, each candidate counting by its cross-fitted likelihood.

    Choosing the best instead would change the stack by the luck of the folds: their log losses
    often differ by less than a nat in all. (Pseudo-BMA, Yao, Vehtari, Simpson and Gelman 2018.)
    """
    crossed = [pool.crossed(evidence, centre, c) for c in candidates]
    loss = np.array([pool.losses(p, evidence.truth).sum() for p in crossed])
    share = np.exp(loss.min() - loss)
    share /= share.sum()
    found = [pool.fit(evidence, centre, c) for c in candidates]
    weights = Weights(
        np.asarray(sum(a * w.common for a, w in zip(share, found, strict=True))),
        np.asarray(sum(a * w.groups for a, w in zip(share, found, strict=True))),
    )
    # A pool under mean weights is the pool of the pools.
    logs = np.stack([np.log(np.maximum(p, 1e-300)) for p in crossed], axis=2)
    return weights, pool.pooled(logs, evidence.inside, share)


def _log(p: Floats) -> Floats:
    return np.asarray(np.log(np.maximum(p, FLOOR)))
