"""The stack: one calibrated distribution made of all predictors', fitted on tuning pairs alone."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lupom.science.blas import one_thread
from lupom.science.inputs import arrow
from lupom.science.predictors import centres, pool, router, stated
from lupom.science.predictors.centres import HELD, LEFT_OUT
from lupom.science.predictors.distributions import PREDICTIONS, Pairs, of_survey, pairs_of
from lupom.science.predictors.pool import Evidence, Shrinkage, Weights
from lupom.science.predictors.task import Bools, Floats, Ints

# A part's probability counts as at least this: none has a veto by holding an answer impossible.
FLOOR = 1e-3

WITH_LLM = (Shrinkage(3.0), Shrinkage(30.0), Shrinkage(300.0), Shrinkage(30.0, 100.0))
FROM_LLM = (Shrinkage(3.0), Shrinkage(30.0))

# With fewer respondents or new questions than this weights are held: all the same, or the best
# part alone. With four new questions to tune on, the log loss of four others (six draws of the
# General Social Survey) is then .850, and .890 by the usual candidates.
FEW_PEOPLE, FEW_QUESTIONS = 10, 30
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

# Evidence, the unit of each pair, the scenario, and whether weights may be fitted.
Choose = Callable[[Evidence, Ints, str, bool], tuple[Weights, Floats]]

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
    min_gain: float = router.MIN_GAIN,
    prices: Mapping[str, float] | None = None,
    worth: float | None = None,
    left_out: Collection[str] = LEFT_OUT,
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
    left_out : baselines that are no parts, unless there are no others.

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
    given = (baselines, predictions, tuning, questions, personas)
    for one in fit_all(*given, seed=seed, left_out=left_out):
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


def calibrated(
    predictions: Any, baselines: Any, tuning: Any, questions: Any, *, seed: int = 0
) -> pa.Table:
    """Return what an LLM's answers without a distribution are worth as distributions (`stated`).

    Parameters as `stack` takes them; of the baselines it is read which pairs are held out. Rows as
    baselines has them, of every held-out pair to which an LLM gave an option and no distribution:
    the likeliest option, which need not be what the LLM said, and the probabilities of all. Of
    tuning pairs they are by what was learned on other respondents.
    """
    parts = []
    for pairs, _, own in _surveys(baselines, predictions, tuning, questions):
        for llm in sorted(pc.unique(own["llm"].drop_null()).to_pylist()):
            of_llm = own.filter(pc.equal(own["llm"], llm))
            asked = _asked(pairs, of_llm)
            for name in sorted(pc.unique(of_llm["predictor"]).to_pylist()):
                _, _, said = pairs.read_stated(of_llm.filter(pc.equal(of_llm["predictor"], name)))
                said = np.where(asked, said, -1)
                if (said >= 0).any():
                    p = _worth(pairs, said, asked, seed).probabilities
                    parts.append(pairs.table(name, p, llm, said >= 0))
    return pa.concat_tables(parts).combine_chunks() if parts else PREDICTIONS.empty_table()


def fit_all(
    baselines: Any,
    predictions: Any,
    tuning: Any,
    questions: Any,
    personas: Any = None,
    *,
    seed: int = 0,
    left_out: Collection[str] = LEFT_OUT,
) -> Iterator[Stack]:
    """Yield the stack of every survey that has baselines, by name."""
    for pairs, plain, asking in _surveys(baselines, predictions, tuning, questions):
        by_persona = asking.slice(0, 0)
        if personas is not None:
            by_persona = of_survey(personas, _LLM, "predictions by personas", pairs.survey)
        parts = parts_of(pc.unique(plain["predictor"]).to_pylist(), left_out)
        yield fit_survey(pairs, plain, asking, by_persona, seed, parts)


def parts_of(names: Collection[str], left_out: Collection[str] = LEFT_OUT) -> list[str]:
    """Return those of some predictors that are parts, sorted: all, where each is left out."""
    return [name for name in sorted(names) if name not in left_out] or sorted(names)


def _surveys(
    baselines: Any, predictions: Any, tuning: Any, questions: Any
) -> Iterator[tuple[Pairs, pa.Table, pa.Table]]:
    """Yield each survey's pairs, baselines and predictions, by name."""
    asked = ("survey", "question_id", "options")
    told = ("survey", "respondent_id", "question_id", "answer")
    for survey in sorted(pc.unique(arrow(baselines)["survey"]).to_pylist()):
        plain = of_survey(baselines, _BASELINES, "baselines", survey)
        pairs = pairs_of(
            survey,
            plain,
            of_survey(tuning, told, "tuning answers", survey),
            of_survey(questions, asked, "questions", survey),
        )
        yield pairs, plain, of_survey(predictions, _LLM, "predictions", survey)


def fit_survey(
    pairs: Pairs,
    baselines: pa.Table,
    predictions: pa.Table,
    personas: pa.Table,
    seed: int,
    names: Sequence[str],
) -> Stack:
    """Return the stack of one survey, whose parts are the baselines of these names.

    They are pooled log-linearly (`pool`), each scenario by weights of its own. How much these
    are shrunk, to what, and whether questions get their own, is decided by the log loss of tuning
    pairs under weights fitted to the other four fifths of respondents (in scenario new_question, of
    questions). An LLM's settings are pooled with the plain stack's predictions of tuning pairs,
    which are themselves cross-fitted; it stays as it is unless the LLM gains more than a standard
    error, or two where there are fewer than 30 respondents or new questions.
    """
    # With several BLAS threads on a busy machine such small fits take four times the CPU.
    with one_thread():
        plain, fits = pooled(pairs, {n: pairs.said(baselines, n) for n in names}, seed)
        llms = {}
        for llm in sorted(pc.unique(predictions["llm"].drop_null()).to_pylist()):
            own = predictions.filter(pc.equal(predictions["llm"], llm))
            llms[llm] = _with_llm(pairs, plain, own, personas, seed)
    return Stack(pairs, plain, fits, llms)


def pooled(
    pairs: Pairs, parts: Mapping[str, Floats], seed: int, *, fitted: bool = True
) -> tuple[Floats, tuple[Fit, ...]]:
    """Return the stack of parts' probabilities (P, width), as `Stack.plain` is, and its weights.

    Where weights are not `fitted`, only what it says of tuning pairs is right.
    """
    logs = np.stack([_log(p) for p in parts.values()], axis=2)
    everyone = np.ones(len(pairs.truth), dtype=bool)
    choose = partial(_without_llm, list(parts), fitted=fitted)
    return _fitted(pairs, logs, seed, everyone, list(parts), choose)


def _with_llm(
    pairs: Pairs, plain: Floats, predictions: pa.Table, personas: pa.Table, seed: int
) -> WithLLM:
    asked = _asked(pairs, predictions)
    # An LLM that is not heard leaves the plain stack as it is, however unlikely an answer.
    names, parts = ["stack_plain"], [np.log(np.maximum(plain, 1e-12))]
    settings = []
    for table in (predictions, personas):
        for name in sorted(pc.unique(table["predictor"]).to_pylist()):
            p, has, said = pairs.read_stated(table.filter(pc.equal(table["predictor"], name)))
            apart = _log(p) - _log(_mean(pairs, p, has))
            if table is predictions:
                stating = asked & (said >= 0)
                if stating.any():
                    found = _worth(pairs, np.where(asked, said, -1), asked, seed)
                    p[stating] = found.probabilities[stating]
                    apart[stating] = np.log(np.maximum(found.likelihood[stating], FLOOR))
                settings.append(name)
                names.append(name)
                # Where it said nothing there is the plain stack.
                parts.append(np.where(has[:, None], _log(p), parts[0]))
            names.append(f"{name} against its mean")
            parts.append(np.where(has[:, None], apart, 0.0))
    one = np.eye(len(names))
    begin = [one[0]]
    for name in settings:
        begin += [one[names.index(name)], one[0] + one[names.index(f"{name} against its mean")]]
    p, fits = _fitted(
        pairs, np.stack(parts, axis=2), seed, asked, names, partial(_with_llms, np.array(begin))
    )
    return WithLLM(asked, p, fits)


def _worth(pairs: Pairs, said: Ints, asked: Bools, seed: int) -> stated.Worth:
    """Return what a setting's answers are worth, learned within each scenario."""
    out = stated.Worth(np.zeros((len(said), pairs.width)), np.zeros((len(said), pairs.width)))
    for scenario in sorted(set(pairs.scenarios[asked])):
        here = asked & (pairs.scenarios == scenario)
        own = pairs.only(here)
        found = stated.worth(own, said[here], _units(own, seed)[1])
        out.likelihood[here], out.probabilities[here] = found.likelihood, found.probabilities
    return out


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
    out = np.zeros(len(pairs.columns), dtype=bool)
    at = pairs.place(predictions["respondent_id"], predictions["question_id"])
    out[at[at >= 0]] = True
    return out


def _fitted(
    pairs: Pairs,
    logs: Floats,
    seed: int,
    chosen: Bools,
    names: Sequence[str],
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
        few = FEW_QUESTIONS if scenario == "new_question" else FEW_PEOPLE
        free = len(np.unique(unit[known])) >= few
        weights, crossed = choose(evidence, unit[known], scenario, free)
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


def _without_llm(
    parts: Sequence[str], evidence: Evidence, unit: Ints, scenario: str, free: bool, *, fitted: bool
) -> tuple[Weights, Floats]:
    """Average the candidates; return the weights and the cross-fitted predictions."""
    pairs = len(evidence.truth)
    tried = (
        centres.candidates(parts, pairs, len(np.unique(unit)), scenario)
        if free
        else centres.held(parts, pairs)
    )
    found, crossed = pool.tried(evidence, tried, fitted=fitted)
    loss = np.array([pool.losses(p, evidence.truth).sum() for p in crossed])
    share = np.exp(loss.min() - loss)
    return pool.averaged(evidence, share / share.sum(), found, crossed)


def _with_llms(
    begin: Floats, evidence: Evidence, unit: Ints, scenario: str, free: bool
) -> tuple[Weights, Floats]:
    """Average what starts from the plain stack, from the LLM alone, and from both together.

    The LLM alone, and both, are those of its setting with the least log loss: `begin` has the
    plain stack's, and two of each setting. With few people or new
    questions the LLM is not heard unless it gains more than two standard errors.
    """
    if len(evidence.truth) < ENOUGH_LLM:
        found, crossed = pool.tried(evidence, [(begin[0], HELD)])
        return found[0], crossed[0]
    held, tried = [begin[0]], [(begin[0], c) for c in WITH_LLM]
    if len(begin) > 1:
        alone = [pool.pooled(evidence.logs, evidence.inside, c) for c in begin[1::2]]
        best = int(np.argmin([pool.losses(p, evidence.truth).sum() for p in alone]))
        own, both = begin[1 + 2 * best : 3 + 2 * best]
        held += [own, both, (begin[0] + both) / 2]
        tried += [(c, s) for c in (own, both) for s in FROM_LLM]
    found, crossed = pool.tried(evidence, [(c, HELD) for c in held])
    if not free and not _gains(evidence, found, crossed, unit):
        return found[0], crossed[0]
    more = pool.tried(evidence, tried)
    found, crossed = found + more[0], crossed + more[1]
    losses = np.stack([pool.losses(p, evidence.truth) for p in crossed], axis=1)
    return pool.averaged(evidence, pool.shares(losses, unit), found, crossed)


def _gains(
    evidence: Evidence, found: Sequence[Weights], crossed: Sequence[Floats], unit: Ints
) -> bool:
    """Say whether held weights gain more than two standard errors over the first.

    What is fitted to four questions seems to hold for these: by weights that are fitted an LLM that
    knows nothing gained as much in one of six draws, and lost .08 nats on other questions.
    """
    losses = np.stack([pool.losses(p, evidence.truth) for p in crossed], axis=1)
    _, mean = pool.averaged(evidence, pool.shares(losses, unit), found, crossed)
    gain = losses[:, 0] - pool.losses(mean, evidence.truth)
    by_unit = np.bincount(unit, weights=gain)[np.bincount(unit) > 0]
    return bool(by_unit.sum() > 2.0 * float(np.std(by_unit) * np.sqrt(len(by_unit))))


def _log(p: Floats) -> Floats:
    return np.asarray(np.log(np.maximum(p, FLOOR)))
