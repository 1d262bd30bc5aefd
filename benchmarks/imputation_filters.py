"""Planned gaps in a survey with filters and numbers: do intervals of imputed answers hold?

    python benchmarks/imputation_filters.py [--data FOLDER] [--draws 60] [--people 800] [--sets 10]
                                            [--first 0] [--keep FOLDER]

Two populations, of which it is known what is true. `made` is made up: two traits that answers
depend on; a filter (work) with what hangs on it (hours, in ranges; boss, and who has one is asked
three questions on them), which half of the people or fewer can be asked; an attribute that rules a
question out; numbers, one in ranges (age) and one as it is (income), which is asked of everybody.
`masculinity_2018` is that survey's people who answered all that they were asked (--data).

People are drawn with replacement, again and again; each is asked two of four blocks, filters being
in the core (`design_blocks`); `imputed.imputations` and `imputed.estimates` do the rest, from
tables, as `lupom run` does, so that filters are found in answers with gaps. Prints JSON, of 95 %
intervals:

    shares         of options, among the people who can be asked (`imputation_estimates`)
    groups         the same, within the groups of an attribute
    associations   of two questions' first options, Fisher's z, among who can be asked both
    numbers        of a question's first option and income
    reached        how many people get an answer or have one, of those who can be asked: mean and
                   the shares of draws and questions within 1 %

each by kind of question: `plain`, `filter`, `behind` (a filter), `range`; `held` with a 95 %
interval by a bootstrap of the draws, `alone` that of intervals from those asked, `width` against
these, `bias` the mean error in standard errors, on average and of the worst estimate. Chance alone
makes that .8 / sqrt(draws) on average.
--closed imputes without the numbers, from closed questions and attributes alone.
With --keep each draw's intervals are kept in a folder, and a longer run goes on from these.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from imputation import Tally, asked_alone, held_between, width  # type: ignore[import-not-found]
from planning import masculinity  # type: ignore[import-not-found]

from lupom.science.planning import blocks, designs, imputed, rubin
from lupom.science.planning.questionnaire import questionnaires
from lupom.science.predictors.task import Bools, Floats, Ints

PLAIN, FILTER, BEHIND, RANGE = "plain", "filter", "behind", "range"
# People of the made-up population.
MANY = 200_000


@dataclass(frozen=True)
class Population:
    """People of whom all is known.

    Attributes
    ----------
    codes : (n, Q), -1 where a person cannot be asked. traits : (n, T) of attributes, as texts.
    numbers : (n, M), as they are.
    """

    name: str
    questions: tuple[str, ...]
    options: tuple[tuple[str, ...], ...]
    codes: Ints
    attributes: tuple[str, ...]
    traits: np.ndarray[Any, Any]
    numbers: Floats
    kinds: tuple[str, ...]

    @property
    def offsets(self) -> Ints:
        return np.concatenate([[0], np.cumsum([len(o) for o in self.options])])


def made(seed: int = 1) -> Population:
    rng = np.random.default_rng(seed)
    n = MANY
    content, left = rng.normal(size=(2, n))
    old = rng.random(n) < 0.35
    woman = rng.random(n) < 0.52

    def choice(score: Floats, cuts: list[float], noise: float = 1.0) -> Ints:
        return np.asarray((score[:, None] + noise * rng.normal(size=(n, 1)) > cuts).sum(axis=1))

    told: dict[str, tuple[Ints, str]] = {}
    for i in range(4):
        told[f"mood{i}"] = choice(content, [-0.8 + 0.4 * i, 0.8]), PLAIN
    for i in range(4):
        told[f"politics{i}"] = choice(left + 0.2 * content, [0.3 * i - 0.4]), PLAIN
    years = np.clip(18 + 30 * rng.beta(2, 3, n) + 35 * old, 18, 95)
    told["age"] = np.digitize(years, [25, 35, 45, 55, 65, 75]), RANGE
    work = rng.random(n) < 1 / (1 + np.exp(-(0.9 - 2.2 * old + 0.4 * content)))
    told["work"] = work.astype(int), FILTER
    hours = np.clip(38 + 8 * rng.normal(size=n) - 3 * left, 1, 80)
    told["hours"] = np.where(work, np.digitize(hours, [20, 30, 35, 40, 45]), -1), RANGE
    boss = work & (rng.random(n) < 0.65)
    told["boss"] = np.where(work, boss, -1).astype(int), FILTER
    for i in range(3):
        told[f"boss_good{i}"] = np.where(boss, choice(content, [0.2 * i]), -1), BEHIND
    told["retired_well"] = np.where(~work, choice(content - 0.3, [-0.5, 0.7]), -1), BEHIND
    told["pregnant"] = np.where(woman, choice(left, [0.6]), -1), BEHIND
    income = np.exp(10 + 0.5 * content + 0.6 * work - 0.3 * left + 0.5 * rng.normal(size=n))
    return Population(
        "made",
        tuple(told),
        tuple(tuple(f"o{k}" for k in range(codes.max() + 1)) for codes, _ in told.values()),
        np.column_stack([codes for codes, _ in told.values()]),
        ("SEX", "OLD"),
        np.column_stack([np.where(woman, "f", "m"), np.where(old, "yes", "no")]),
        np.log(income)[:, None],
        tuple(kind for _, kind in told.values()),
    )


def of_survey(folder: Path) -> Population:
    (one,) = questionnaires(*masculinity(folder))
    task, found = one.task, one.reach
    whole = (found.there | ~found.asked).all(axis=1) & (found.asked | found.barred).all(axis=1)
    screens = {s for q in range(len(task.questions)) for s in found.screens(q)}
    kinds = [
        FILTER if q in screens else BEHIND if found.kinds[q] == "filter" else PLAIN
        for q in range(len(task.questions))
    ]
    names = np.array([(*told, "") for told in task.trait_values], dtype=object)
    traits = [np.array(told)[task.traits[whole, t]] for t, told in enumerate(names)]
    return Population(
        task.survey,
        task.questions,
        task.options,
        task.answers[whole],
        task.trait_names,
        np.column_stack(traits),
        np.zeros((int(whole.sum()), 0)),
        tuple(kinds),
    )


Tables = tuple[pa.Table, pa.Table, pa.Table]


def tables(people: Population, asked: Bools) -> Tables:
    """Return people who were asked some questions as tables; who cannot be asked was not."""
    n = len(people.codes)
    ids = np.array([f"p{i:05}" for i in range(n)], dtype=object)
    row, column = np.nonzero(np.ones_like(people.codes, dtype=bool))
    codes = np.where(asked, people.codes, -1)[row, column]
    labels = pa.array([o for told in people.options for o in told])
    said = labels.take(pa.array(people.offsets[column] + np.maximum(codes, 0), mask=codes < 0))
    status = np.where(codes < 0, "not_asked", "answered")
    responses = pa.table(
        {
            "survey": pa.repeat("s", len(row)),
            "respondent_id": pa.array(ids[row].tolist()),
            "question_id": pa.array(np.array(people.questions, dtype=object)[column].tolist()),
            "status": pa.array(status.tolist()),
            "answer": said,
        }
    )
    maps = [list(zip(people.attributes, one, strict=True)) for one in people.traits.tolist()]
    respondents = pa.table(
        {
            "survey": pa.repeat("s", n),
            "respondent_id": pa.array(ids.tolist()),
            "weight": pa.array(np.ones(n)),
            "attributes": pa.array(maps, pa.map_(pa.string(), pa.string())),
        }
    )
    questions = pa.table(
        {
            "survey": pa.repeat("s", len(people.questions)),
            "question_id": pa.array(people.questions),
            "options": pa.array([list(told) for told in people.options]),
        }
    )
    return responses, respondents, questions


def numbers(people: Population) -> pa.Table:
    """Return what people answered in numbers as a table."""
    n, count = people.numbers.shape
    return pa.table(
        {
            "survey": pa.repeat("s", n * count),
            "respondent_id": pa.array([f"p{i:05}" for i in range(n)] * count, pa.string()),
            "question_id": pa.array([f"n{m}" for m in range(count) for _ in range(n)], pa.string()),
            "answer": pa.array(np.char.mod("%.2f", people.numbers.T.ravel()).tolist(), pa.string()),
        }
    )


def associated(codes: Ints, x: Floats) -> tuple[Floats, Floats]:
    """Return Fisher's z of each question's first option and numbers, (Q * M), and variances."""
    z, variance = [], []
    for question in range(codes.shape[1]):
        there = codes[:, question] >= 0
        y = (codes[there, question] == 0).astype(float)
        y = (y - y.mean()) / max(y.std(), 1e-6)
        for column in x[there].T:
            one = (column - column.mean()) / column.std()
            r = float(np.clip((y * one).mean(), -0.99, 0.99))
            parts = y * one - r * (y**2 + one**2) / 2
            z.append(np.arctanh(r))
            variance.append(parts.var() / (len(y) - 1) / (1 - r**2) ** 2)
    return np.array(z), np.array(variance)


def pooled(what: str, values: list[Floats], variances: list[Floats], n: int) -> dict[str, Floats]:
    """Return estimates of sets together and half-widths; of what nobody can be asked none."""
    v, u = np.array(values), np.array(variances)
    fine = np.asarray((np.isfinite(v) & np.isfinite(u)).all(axis=0))
    value, half = np.full((2, v.shape[1]), np.nan)
    one = rubin.pool(v[:, fine], u[:, fine], n - 1)
    value[fine], half[fine] = one.value, one.high - one.value
    return {what: value, f"{what}_half": half}


def drawn(
    people: Population, asked: Bools, groups: list[tuple[str, str]], given: Any, seed: int
) -> dict[str, Floats]:
    """Return estimates and half-widths of one draw, imputed and of those asked alone."""
    own = tables(people, asked)
    filled = imputed.imputations(
        *own, sets=given.sets, seed=seed, numbers=None if given.closed else numbers(people)
    )
    place = {q: i for i, q in enumerate(people.questions)}
    number = np.asarray(filled["imputation"])
    row = np.array([int(p[1:]) for p in filled["respondent_id"].to_pylist()])
    column = np.array([place[q] for q in filled["question_id"].to_pylist()])
    said = zip(column, filled["answer"].to_pylist(), strict=True)
    codes = np.array([people.options[q].index(answer) for q, answer in said])
    known = np.where(asked, people.codes, -1)
    sets = np.tile(known, (given.sets, 1, 1))
    sets[number - 1, row, column] = codes
    found = [asked_alone(one, people.offsets) for one in sets]
    out: dict[str, Floats] = {}
    n = len(known)
    alone = asked_alone(known, people.offsets)
    out |= pooled("associations", [f[2] for f in found], [f[3] for f in found], n)
    out |= {"associations_alone": alone[2], "associations_alone_half": 1.96 * np.sqrt(alone[3])}
    if people.numbers.shape[1]:
        each = [associated(one, people.numbers) for one in sets]
        out |= pooled("numbers", [f[0] for f in each], [f[1] for f in each], n)
        z, variance = associated(known, people.numbers)
        out |= {"numbers_alone": z, "numbers_alone_half": 1.96 * np.sqrt(variance)}
    out |= {"shares_alone": alone[0], "shares_alone_half": 1.96 * np.sqrt(alone[1])}
    rows = imputed.estimates(*own, filled, smallest=50).to_pylist()
    for what, among in (("shares", [(None, None)]), ("groups", groups)):
        values = np.full((len(among), int(people.offsets[-1]), 2), np.nan)
        at = {key: i for i, key in enumerate(among)}
        for r in rows:
            key = (r["attribute"], r["group"])
            if key in at:
                q = place[r["question_id"]]
                option = people.offsets[q] + people.options[q].index(r["option"])
                values[at[key], option] = r["low"], r["high"]
        low, high = values.reshape(-1, 2).T
        # Intervals of shares are no longer at one end: as a middle and a half-width.
        out |= {what: (low + high) / 2, f"{what}_half": (high - low) / 2}
    out["reached"] = (sets[0] >= 0).sum(axis=0) / np.maximum((people.codes >= 0).sum(axis=0), 1)
    return out


def group_names(people: Population) -> list[tuple[str, str]]:
    return [
        (name, value)
        for t, name in enumerate(people.attributes)
        for value in np.unique(people.traits[:, t]).tolist()
        if value and (people.traits[:, t] == value).mean() > 0.2
    ]


def truth(people: Population) -> dict[str, Floats]:
    whole = asked_alone(people.codes, people.offsets)
    groups = []
    for name, value in group_names(people):
        here = people.traits[:, people.attributes.index(name)] == value
        told = np.zeros((int(here.sum()), int(people.offsets[-1])))
        codes = people.codes[here]
        row, column = np.nonzero(codes >= 0)
        told[row, people.offsets[column] + codes[row, column]] = 1
        counts = np.repeat((codes >= 0).sum(axis=0), np.diff(people.offsets))
        groups.append(told.sum(axis=0) / np.maximum(counts, 1))
    out = {"shares": whole[0], "associations": whole[2], "groups": np.concatenate(groups)}
    if people.numbers.shape[1]:
        out["numbers"] = associated(people.codes, people.numbers)[0]
    return out


def measured(people: Population, given: Any) -> dict[str, Any]:
    rng = np.random.default_rng(1)
    n, own = given.people, people
    some = rng.integers(0, len(people.codes), min(5000, len(people.codes)))
    everybody = only(people, some)
    design = blocks.design_blocks(*tables(everybody, everybody.codes >= 0), seed=1).to_pylist()
    at = {r["question_id"]: r for r in design}
    chosen = designs.design_of([at[q] for q in people.questions])
    true = truth(own)
    tally = Tally()
    reached = []
    for draw in range(given.draws):
        number = given.first + draw
        file = given.keep and given.keep / f"{own.name}-{n}-{given.sets}-{number}.npz"
        if file and file.exists():
            kept = dict(np.load(file))
        else:
            lot = np.random.default_rng([9, number])
            mine = only(own, lot.integers(0, len(own.codes), n))
            form = chosen.forms[lot.permutation(n) % len(chosen.forms)]
            kept = drawn(mine, form & (mine.codes >= 0), group_names(own), given, number)
            if file:
                file.parent.mkdir(parents=True, exist_ok=True)
                np.savez(file, allow_pickle=False, **kept)
        for what in [key for key in kept if f"{key}_half" in kept]:
            tally.add(what, kept[what], kept[f"{what}_half"])
        reached.append(kept["reached"])
        print(f"{own.name}: draw {draw + 1} of {given.draws}", file=sys.stderr)
    gaps = np.asarray(~chosen.forms.all(axis=0))
    return {
        "design": {q: at[q]["block"] for q in people.questions},
        **{
            what: kinds_of(own, what, true[what], tally, gaps, given.draws)
            for what in true
            if what in tally.value
        },
        "reached": reach_of(own, np.array(reached)),
    }


def reach_of(people: Population, reached: Floats) -> dict[str, list[float]]:
    out = {}
    for kind in sorted(set(people.kinds)):
        part = reached[:, np.array(people.kinds) == kind]
        near = float((np.abs(part - 1) < 0.01).mean())
        out[kind] = [round(float(x), 3) for x in (part.mean(), near)]
    return out


def kinds_of(
    people: Population, what: str, true: Floats, tally: Tally, gaps: Bools, draws: int
) -> dict[str, Any]:
    kinds = np.array(people.kinds)
    owner = np.repeat(np.arange(len(kinds)), np.diff(people.offsets))
    # First options that next to nobody gives, or all do, have no correlation worth its name.
    first = asked_alone(people.codes, people.offsets)[0][people.offsets[:-1]]
    common = (first > 0.1) & (first < 0.9)
    if what in ("shares", "groups"):
        of = np.tile(owner, len(true) // len(owner))
        names, gappy = kinds[of], gaps[of]
    elif what == "numbers":
        of = np.repeat(np.arange(len(kinds)), people.numbers.shape[1])
        names, gappy = kinds[of], gaps[of] & common[of]
    else:
        i, j = np.triu_indices(len(kinds), 1)
        names = np.array(
            [" x ".join(sorted(both)) for both in zip(kinds[i], kinds[j], strict=True)]
        )
        gappy = (gaps[i] | gaps[j]) & common[i] & common[j]
    rng = np.random.default_rng(1)
    ours = tally.errors(what, true, draws)
    signed = np.array(tally.value[what]) - true
    # Of two that few can be asked both some draws have nobody.
    there = np.isfinite(ours[0]).all(axis=0) & np.isfinite(ours[1]).all(axis=0) & gappy
    if what in ("shares", "groups"):
        # A share of next to nobody has no interval worth its name.
        there &= (true > 0.02) & (true < 0.98)
    out: dict[str, Any] = {}
    for kind in ("all", *sorted(set(names.tolist()))):
        here = there if kind == "all" else there & (names == kind)
        if not here.any():
            continue
        mine = ours[0][:, here], ours[1][:, here]
        z = signed[:, here].mean(axis=0) / np.maximum(signed[:, here].std(axis=0), 1e-9)
        row: dict[str, Any] = {
            "estimates": int(here.sum()),
            "held": held_between(mine, rng),
            "held_worst": round(float((mine[0] <= mine[1]).mean(axis=0).min()), 3),
            "bias": [round(float(x), 2) for x in (np.abs(z).mean(), np.abs(z).max())],
        }
        if f"{what}_alone" in tally.value:
            wrong, half = tally.errors(f"{what}_alone", true, draws)
            here &= np.isfinite(wrong).all(axis=0) & np.isfinite(half).all(axis=0)
            mine = ours[0][:, here], ours[1][:, here]
            other = wrong[:, here], half[:, here]
            row |= {"alone": held_between(other, rng), "width": round(width(mine, other), 3)}
        out[kind] = row
    return out


def only(people: Population, rows: Ints) -> Population:
    return Population(
        people.name,
        people.questions,
        people.options,
        people.codes[rows],
        people.attributes,
        people.traits[rows],
        people.numbers[rows],
        people.kinds,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--draws", type=int, default=60)
    parser.add_argument("--people", type=int, default=800)
    parser.add_argument("--sets", type=int, default=10)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--closed", action="store_true")
    given = parser.parse_args()
    # Of two questions that nobody can be asked both of there is nothing.
    np.seterr(divide="ignore", invalid="ignore")
    populations = [of_survey(given.data)] if given.data else [made()]
    out: dict[str, Any] = {"people": given.people, "sets": given.sets, "draws": given.draws}
    for people in populations:
        out[people.name] = {"population": len(people.codes), **measured(people, given)}
    print(json.dumps(out, indent=2))


if __name__ == "__main__":
    main()
