"""Planning: do few questions chosen by a survey's answers tell the others, and by how much more?

    python benchmarks/planning.py [--data FOLDER] [--seed 1] [--ceiling 5] [--exchanged]

Prints JSON: by survey what `question_plan` finds of 5 questions (and 1, 3, 10), on people who had
no part in the choice, with 95 % intervals over people:

    nll               mean log loss of all answers not asked for, and before anything was asked
    against_random    of the chosen form, less that of forms drawn by lot (mean over 10)
    against_entropy   less that of the least certain questions
    adaptive          of each person's own, less that of the chosen form
    abortion          of gss_2018 alone: 3 of 7 questions on one scale, where item response theory
                      applies: a 2PL model by girth and catsim's choice by maximal information,
                      beside ours (installed apart: pip install girth catsim)
    ceiling           with --ceiling K: forms of K questions that are chosen with sight of the
                      people they are judged on, by their log loss (one after the other, then
                      exchanges until none helps), less the chosen form: as far as any form
                      could get. Takes minutes

FOLDER holds masculinity_2018; without it gss_2018 alone is read.
"""

from __future__ import annotations

import argparse
import csv
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from lupom.science.planning import classes, forms
from lupom.science.planning.classes import Pool
from lupom.science.planning.moments import Cells, Moments, cells, fit
from lupom.science.planning.question_plan import Judge, Sums, question_plan, summaries, uncertain
from lupom.science.planning.questionnaire import answered, questionnaires
from lupom.science.predictors.task import Floats, Ints, everyone

ROOT = Path(__file__).resolve().parent.parent
Tables = tuple[pa.Table, pa.Table, pa.Table]
# Cells that are no answers.
STATUSES = {"": "not_asked", "NA": "not_asked", "No answer": "refused"}
ABORTION = ("abany", "abdefect", "abhlth", "abnomore", "abpoor", "abrape", "absingle")


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        return list(csv.DictReader(file))


def tables(
    survey: str, rows: list[dict[str, str]], questions: list[str], attributes: list[str]
) -> Tables:
    ids = [str(i) for i in range(len(rows))]
    kind = pa.map_(pa.string(), pa.string())
    return (
        pa.Table.from_pylist(
            [
                {
                    "survey": survey,
                    "respondent_id": i,
                    "question_id": q,
                    "status": STATUSES.get(row[q], "answered"),
                    "answer": None if row[q] in STATUSES else row[q],
                }
                for i, row in zip(ids, rows, strict=True)
                for q in questions
            ]
        ),
        pa.table(
            {
                "survey": [survey] * len(ids),
                "respondent_id": ids,
                "attributes": pa.array([[(a, row[a]) for a in attributes] for row in rows], kind),
            }
        ),
        pa.Table.from_pylist(
            [
                {
                    "survey": survey,
                    "question_id": q,
                    "options": sorted({r[q] for r in rows} - set(STATUSES)),
                }
                for q in questions
            ]
        ),
    )


def gss() -> Tables:
    here = ROOT / "seeds" / "gss_2018"
    rows = read(here / "gss_2018_responses.csv")
    questions = [row["key"] for row in read(here / "gss_2018_info.csv")]
    attributes = [row["key"] for row in read(here / "gss_2018_metadata.csv")]
    return tables("gss_2018", rows, questions, [a for a in attributes if a in rows[0]])


def masculinity(folder: Path) -> Tables:
    rows = read(folder / "masculinity_2018" / "raw-responses.csv")
    attributes = ["q0024", "q0026", "q0028", "q0029", "age3", "racethn4", "educ4", "kids"]
    attributes = [name for name in attributes if name in rows[0]]
    questions = [
        name
        for name in rows[0]
        if name.startswith("q")
        and name not in attributes
        and 2 <= len({row[name] for row in rows} - set(STATUSES)) <= 9
    ]
    return tables("masculinity_2018", rows, questions, attributes)


def plan(given: Tables, seed: int) -> dict[str, Any]:
    rows = question_plan(*given, interviewed=given[1].num_rows, seed=seed).to_pylist()
    found = {(r["strategy"], r["questions"]): r for r in rows if r["attribute"] is None}
    out: dict[str, Any] = {
        "form": [found["chosen", k]["question_id"] for k in range(1, 6)],
        "nll": {k: _three(found["chosen", k]) for k in (0, 1, 3, 5, 10)},
    }
    for strategy in ("random", "entropy"):
        out[f"against_{strategy}"] = {k: _against(found[strategy, k], -1) for k in (1, 3, 5, 10)}
    out["adaptive"] = {k: _against(found["adaptive", k], 1) for k in (1, 3, 5)}
    groups = [
        (r["attribute"], r["group"], r["nll"], r["nll_before"])
        for r in rows
        if r["attribute"] is not None and (r["strategy"], r["questions"]) == ("chosen", 5)
    ]
    saved = sorted((1 - nll / before, f"{a}: {g}") for a, g, nll, before in groups)
    out["groups_saved"] = (
        [[round(s, 3), name] for s, name in (saved[0], saved[-1])] if saved else []
    )
    return out


def ceiling(given: Tables, seed: int, size: int) -> dict[str, list[float]]:
    """Return the log loss of the chosen form, of the least certain questions, and of the best."""
    (asked,) = questionnaires(*given, attributes=True)
    people = cells(asked.task)
    rng = np.random.default_rng(seed)
    fold = rng.permutation(len(people.codes)) % 5
    found: dict[str, list[tuple[Ints, Sums]]] = {"chosen": [], "entropy": [], "best": []}
    for k in range(5):
        learned, part, at = (
            people.only(fold != k),
            people.only(fold == k),
            np.flatnonzero(fold == k),
        )
        moments = fit(learned, seed=seed)
        judge = Judge(Pool(moments, classes.fit(learned, seed=seed)), part)
        reach = asked.reach.only(fold != k)
        chosen = forms.choose(moments, learned, size + 8, together=reach.together)

        best = _best(judge, part, chosen, size)
        full = [*best, *(q for q in chosen if q not in best)]
        for name, form in (
            ("chosen", chosen),
            ("entropy", uncertain(moments, reach.shares)),
            ("best", full),
        ):
            found[name].append((at, judge.sums(form, size)))
    whole = {name: _joined(parts) for name, parts in found.items()}
    everybody = np.ones((1, len(people.codes)), dtype=bool)
    out = {}
    for name, sums in whole.items():
        against = None if name == "chosen" else whole["chosen"]
        (row,) = summaries(sums, against, people.weights, everybody)
        out[name] = _three(row)
        if against is not None:
            out[f"{name}_less_chosen"] = _against(row, 1)
    return out


def _best(judge: Judge, people: Cells, spare: list[int], size: int) -> list[int]:
    """Return a form of so many questions by its loss on the people that it is judged on."""

    def loss(form: list[int]) -> float:
        # Who has no answer to one of them is asked the next, as in the plan.
        sums = judge.sums([*form, *(q for q in spare if q not in form)], len(form))
        return float(people.weights @ sums.loss / (people.weights @ sums.count))

    every = set(range(people.codes.shape[1]))
    best: list[int] = []
    while len(best) < size:
        best = min(([*best, q] for q in sorted(every - set(best))), key=loss)
    least, found = np.inf, loss(best)
    while found < least:
        least = found
        for place in range(size):
            others = ([*best[:place], q, *best[place + 1 :]] for q in sorted(every - set(best)))
            best = min([best, *others], key=loss)
        found = loss(best)
    return best


def exchanged(given: Tables, seed: int, sizes: Sequence[int] = (3, 5, 10, 20)) -> dict[int, Any]:
    """Return by length how many of five forms differ once exchanged, and their loss less ours."""
    (asked,) = questionnaires(*given, attributes=True)
    people = cells(asked.task)
    sizes = [size for size in sizes if size < people.codes.shape[1] - 1]
    rng = np.random.default_rng(seed)
    fold = rng.permutation(len(people.codes)) % 5
    found: dict[tuple[str, int], list[tuple[Ints, Sums]]] = {}
    differ = dict.fromkeys(sizes, 0)
    for k in range(5):
        learned, part = people.only(fold != k), people.only(fold == k)
        at, moments = np.flatnonzero(fold == k), fit(learned, seed=seed)
        judge = Judge(Pool(moments, classes.fit(learned, seed=seed)), part)
        together = asked.reach.only(fold != k).together
        chosen = forms.choose(moments, learned, max(sizes) + 5, together=together)
        for size in sizes:
            better = _exchanged(moments, learned, chosen[:size], together)
            differ[size] += set(better) != set(chosen[:size])
            full = [*better, *(q for q in chosen if q not in better)]
            for name, form in (("chosen", chosen), ("exchanged", full)):
                found.setdefault((name, size), []).append((at, judge.sums(form, size)))
    everybody = np.ones((1, len(people.codes)), dtype=bool)
    out: dict[int, Any] = {}
    for size in sizes:
        whole, other = (_joined(found[name, size]) for name in ("exchanged", "chosen"))
        (row,) = summaries(whole, other, people.weights, everybody)
        out[size] = {"differ": differ[size], "less_chosen": _against(row, 1)}
    return out


def _exchanged(moments: Moments, people: Cells, form: list[int], together: Floats) -> list[int]:
    """Return a form, each question of which is the best beside the others (five rounds at most)."""
    for _ in range(5):
        before = set(form)
        for question in list(form):
            others = [q for q in form if q != question]
            form = forms.choose(moments, people, len(form), together=together, first=others)
        if set(form) == before:
            break
    return form


def made_up(seed: int, people: int = 1200, questions: int = 60, dimensions: int = 6) -> Tables:
    rng = np.random.default_rng(seed)
    latent = rng.normal(size=(people, dimensions))
    said = {}
    for q in range(questions):
        load = np.zeros(dimensions)
        load[rng.integers(dimensions)] = rng.uniform(0.2, 0.9)
        load[rng.integers(dimensions)] += rng.uniform(0, 0.4)
        place = 0.8 * latent @ load + rng.normal(size=people) * 0.6
        cuts = np.sort(rng.normal(size=int(rng.integers(1, 7))))
        said[f"q{q}"] = [f"o{code}" for code in np.searchsorted(cuts, place)]
    said["SEX"] = ["fm"[i] for i in rng.integers(0, 2, people)]
    rows = [dict(zip(said, row, strict=True)) for row in zip(*said.values(), strict=True)]
    return tables("made_up", rows, [q for q in said if q != "SEX"], ["SEX"])


def _three(row: dict[str, Any]) -> list[float]:
    return [round(row[name], 4) for name in ("nll", "low", "high")]


def _against(row: dict[str, Any], sign: int) -> list[float]:
    ends = sorted(sign * row[name] for name in ("difference_low", "difference_high"))
    return [round(x, 4) for x in (sign * row["difference"], *ends)]


def irt(given: Tables, seed: int, size: int = 3) -> dict[str, Any]:
    """Compare with item response theory on one scale, of people with all seven answers."""
    responses, respondents, questions = given
    kept = pa.array([q in ABORTION for q in questions["question_id"].to_pylist()])
    asked = pa.array([q in ABORTION for q in responses["question_id"].to_pylist()])
    (task,) = everyone(responses.filter(asked), respondents, questions.filter(kept))
    people = cells(answered(task), attributes=False)
    people = people.only(np.flatnonzero((people.codes >= 0).all(axis=1)))
    fold = np.random.default_rng(seed).permutation(len(people.codes)) % 5
    found: dict[str, list[tuple[Ints, Sums]]] = {"chosen": [], "adaptive": [], "irt": []}
    for k in range(5):
        learned, part = people.only(fold != k), people.only(fold == k)
        moments = fit(learned, seed=seed)
        pool = Pool(moments, classes.fit(learned, seed=seed))
        judge, at = Judge(pool, part), np.flatnonzero(fold == k)
        found["chosen"].append((at, judge.sums(forms.choose(moments, learned, size), size)))
        found["adaptive"].append((at, judge.sums(forms.adaptive(pool, part, size), size)))
        found["irt"].append((at, _irt(learned, part, size)))
    whole = {name: _joined(parts) for name, parts in found.items()}
    everybody = np.ones((1, len(people.codes)), dtype=bool)
    out: dict[str, Any] = {"people": len(people.codes)}
    for name, sums in whole.items():
        against = whole["irt"] if name != "irt" else None
        (row,) = summaries(sums, against, people.weights, everybody)
        out[name] = _three(row)
        if against is not None:
            out[f"{name}_less_irt"] = _against(row, 1)
    return out


def _joined(parts: list[tuple[Ints, Sums]]) -> Sums:
    at = np.concatenate([rows for rows, _ in parts])
    order = np.argsort(at)
    return Sums(
        *(
            np.concatenate([getattr(sums, name) for _, sums in parts])[order]
            for name in Sums.__dataclass_fields__
        )
    )


def _irt(learned: Cells, part: Cells, size: int) -> Sums:
    """Return the sums of a 2PL model's predictions after catsim's choice of questions."""
    import girth
    from catsim.item_bank import ItemBank
    from catsim.selection import MaxInfoSelector

    # All options are Yes and No: turned so that all questions go in one direction.
    fitted = girth.twopl_mml(learned.codes.T)
    slope, place = fitted["Discrimination"], fitted["Difficulty"]
    bank = ItemBank(np.column_stack([slope, place, np.zeros(len(slope)), np.ones(len(slope))]))
    grid = np.linspace(-4, 4, 81)
    yes = 1 / (1 + np.exp(-slope * (grid[:, None] - place)))
    n, count = part.codes.shape
    posterior = np.tile(np.exp(-(grid**2) / 2), (n, 1))
    asked = np.zeros((n, count), dtype=bool)
    selector = MaxInfoSelector()
    for person in range(n):
        for _ in range(size):
            theta = float(posterior[person] @ grid / posterior[person].sum())
            done = np.flatnonzero(asked[person]).tolist()
            chosen = selector.select(item_bank=bank, administered_items=done, est_theta=theta)
            asked[person, chosen] = True
            said = part.codes[person, chosen]
            posterior[person] *= yes[:, chosen] if said else 1 - yes[:, chosen]
    p = posterior @ yes / posterior.sum(axis=1, keepdims=True)
    given: Floats = np.where(part.codes == 1, p, 1 - p)
    rest = ~asked
    return Sums(
        (-np.log(np.clip(given, 1e-4, 1)) * rest).sum(axis=1),
        np.zeros(n),
        ((given >= 0.5) & rest).sum(axis=1).astype(np.float64),
        rest.sum(axis=1).astype(np.float64),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--ceiling", type=int, metavar="K")
    parser.add_argument("--exchanged", action="store_true")
    given = parser.parse_args()
    surveys = {"gss_2018": gss()}
    if given.data:
        surveys["masculinity_2018"] = masculinity(given.data)
    out: dict[str, Any] = {"seed": given.seed}
    for name, one in surveys.items():
        began = time.process_time()
        out[name] = plan(one, given.seed)
        out[name]["cpu_seconds"] = round(time.process_time() - began, 1)
        if given.ceiling:
            out[name]["ceiling"] = ceiling(one, given.seed, given.ceiling)
    if given.exchanged:
        surveys["made_up"] = made_up(given.seed)
        for name, one in surveys.items():
            out.setdefault(name, {})["exchanged"] = exchanged(one, given.seed)
    try:
        out["gss_2018"]["abortion"] = irt(surveys["gss_2018"], given.seed)
    except ImportError as error:
        out["gss_2018"]["abortion"] = f"left out: {error}"
    print(json.dumps(out, indent=2))


if __name__ == "__main__":
    main()
