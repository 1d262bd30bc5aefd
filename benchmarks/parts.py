"""What each predictor adds to the stack, by how many people are learned from and answers are known.

    python benchmarks/parts.py --seeds 1 2 3 4 5 6 7 8
    python benchmarks/parts.py --seeds 1 2 3 4 --csv FILE
    python benchmarks/parts.py --people 30 100 0 --known 5 0

Reads the survey that ships, one of the project's seeds (--survey) or a file of any kind that `lupom
import` reads (--csv), and holds out pairs by each seed. Predictors learn from the first 30, 100,
... respondents in an order that the seed draws (0: from all), whose tuning pairs weigh the stack;
with --nobody-tested only from those without a test pair. With --known 5 of everybody who is
predicted five other answers are known (0: all there are), and what was learned is the same. Printed
on stderr are accuracy and log loss of every predictor and of the stack, what the stack has less
that of its best part, and what it loses without each part, or gains with each that is none, on the
same pairs with 95 % intervals by a bootstrap clustered on respondents over all seeds. JSON on
stdout.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import width  # noqa: E402

from lupom import entry_points  # noqa: E402
from lupom.science.predictors import baselines, centres, stack, states  # noqa: E402
from lupom.science.predictors.distributions import PREDICTIONS  # noqa: E402
from lupom.science.predictors.task import HIDDEN, Task, tasks  # noqa: E402
from tests.support.fake_project import FakeProject  # noqa: E402
from tests.support.staged import STAGING  # noqa: E402

GROUP = "lupom.predictors"
FLOOR = 1e-4
Array = npt.NDArray[Any]
Scores = dict[str, Array]


def drawn(args: argparse.Namespace, seed: int) -> tuple[Task, dict[tuple[str, str], str], Any]:
    """Return the task of all held-out pairs, their answers, and the table of questions."""
    given = SimpleNamespace(
        survey=None if args.csv else args.survey, csv=args.csv, pairs=args.pairs, predictors=None
    )
    project = FakeProject(
        surveys=[given.survey or "imported"],
        test_pairs=args.pairs,
        tuning_pairs=args.pairs,
        seed=seed,
    )
    if given.survey:
        for part in ("info", "metadata", "responses"):
            project.seed(f"{given.survey}/{given.survey}_{part}.csv")
    else:
        for part, table in width.imported(args.csv, "imported").items():
            project.add(f"imported_{part}", table)
    for path in STAGING:
        project.build(f"staging/{path}")
    project.build("prediction/learning_questions.sql")
    closed = project.ref("learning_questions").to_arrow_table()
    known = project.connection.sql(
        "from known_responses semi join closed_questions using (survey, question_id)"
    ).to_arrow_table()
    pairs = known.filter(pc.is_in(known["role"], pa.array(["test", "tuning"])))
    (task,) = tasks(
        known,
        pairs,
        project.ref("respondents"),
        closed,
        learners=None if args.nobody_tested else project.ref("respondents"),
    )
    told = project.rows("select respondent_id, question_id, answer from holdout")
    return task, {(r, q): a for r, q, a in told}, closed


def learned_from(task: Task, people: int, seed: int) -> Task:
    """Return the task with so many reference respondents and their tuning pairs; 0 for all."""
    reference = np.flatnonzero(task.reference)
    if not people or people >= len(reference):
        return task
    chosen = np.zeros_like(task.reference)
    chosen[np.random.default_rng([seed, people]).permutation(reference)[:people]] = True
    kept = (task.roles == "test") | chosen[task.rows]
    # A new object: what the task has worked out is of all reference respondents.
    return replace(task.only(np.flatnonzero(kept)), reference=chosen)


def knowing(task: Task, answers: int, seed: int) -> Task:
    """Return the task with so many known answers of everybody who is predicted; 0 for all."""
    if not answers:
        return task
    rng = np.random.default_rng([seed, answers])
    hidden = task.answers.copy()
    for row in np.unique(task.rows):
        told = np.flatnonzero(hidden[row] != HIDDEN)
        hidden[row, rng.permutation(told)[answers:]] = HIDDEN
    return replace(task, answers=hidden)


def fitted(task: Task, predictors: Mapping[str, Any], seed: int) -> dict[str, Any]:
    return {name: states.fit(one, task, seed) for name, one in predictors.items()}


def stacked(
    task: Task,
    parts: Mapping[str, Array],
    truth: Mapping[tuple[str, str], str],
    questions: Any,
    seed: int,
) -> Array:
    """Return the stack of some parts, (P, width)."""
    tuning = np.flatnonzero(task.roles == "tuning")
    keys = [(task.respondents[task.rows[i]], task.questions[task.columns[i]]) for i in tuning]
    answers = pa.table(
        {
            "survey": pa.repeat(task.survey, len(keys)),
            "respondent_id": pa.array([r for r, _ in keys], pa.string()),
            "question_id": pa.array([q for _, q in keys], pa.string()),
            "answer": pa.array([truth[key] for key in keys], pa.string()),
        }
    )
    tables = pa.concat_tables([baselines.table(task, name, p) for name, p in parts.items()])
    (one,) = stack.fit_all(
        tables, PREDICTIONS.empty_table(), answers, questions, seed=seed, left_out=()
    )
    # Pairs of both are in order of question and respondent.
    return one.plain


def judged(task: Task, p: Array, truth: Array) -> Array:
    """Return of each test pair whether it is right, its log loss and its rank error, (N, 3)."""
    test = np.flatnonzero(task.roles == "test")
    said, told = p[test], truth[test]
    ranks = np.abs(np.arange(task.width) - told[:, None])
    return np.stack(
        [
            said.argmax(axis=1) == told,
            -np.log(np.maximum(said[np.arange(len(test)), told], FLOOR)),
            (said * ranks).sum(axis=1),
        ],
        axis=1,
    ).astype(float)


def measured(args: argparse.Namespace, seed: int) -> Iterator[tuple[str, Scores, Any]]:
    """Yield what is measured of a draw, by people and known answers."""
    whole, truth, questions = drawn(args, seed)
    offers = entry_points.chosen(GROUP, args.predictors or "all", "predictors")
    predictors = baselines.prepared({name: offer.load() for name, offer in offers.items()})
    for people in args.people:
        task = learned_from(whole, people, seed)
        learned = fitted(task, predictors, seed)
        right = np.array(
            [
                task.options[c].index(truth[task.respondents[r], task.questions[c]])
                for r, c in zip(task.rows, task.columns, strict=True)
            ]
        )
        for known in args.known:
            part = knowing(task, known, seed)
            p = states.predict(predictors, learned, part)
            own = [name for name in p if name not in centres.LEFT_OUT]
            sets = {"stack_plain": own}
            if args.each:
                sets |= {f"without {n}": [o for o in own if o != n] for n in own}
                sets |= {f"with {n}": [*own, n] for n in p if n not in own}
            p |= {
                label: stacked(part, {n: p[n] for n in names}, truth, questions, seed)
                for label, names in sets.items()
            }
            test = np.flatnonzero(task.roles == "test")
            who = np.array([task.respondents[r] for r in task.rows[test]])
            yield (
                f"{people or 'all'} people, {known or 'all'} answers",
                {name: judged(part, one, right) for name, one in p.items()},
                who,
            )


def compared(one: Array, other: Array, who: Array, draws: int = 2000) -> Any:
    """Return mean differences with 95 % intervals: accuracy, log loss, rank error."""
    _, person = np.unique(who, return_inverse=True)
    count = np.bincount(person).astype(float)
    sums = np.stack([np.bincount(person, weights=d) for d in (one - other).T], axis=1)
    rng = np.random.default_rng(0)
    means = []
    for _ in range(draws):
        times = rng.multinomial(len(count), np.full(len(count), 1.0 / len(count)))
        means.append(times @ sums / (times @ count))
    low, high = np.quantile(means, [0.025, 0.975], axis=0)
    mean = sums.sum(axis=0) / count.sum()
    names = ("accuracy", "nll", "rank_error")
    return {
        name: [round(float(v), 4) for v in (mean[i], low[i], high[i])]
        for i, name in enumerate(names)
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--survey", default="gss_2018")
    parser.add_argument("--csv", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--people", type=int, nargs="+", default=[30, 100, 300, 1000, 0])
    parser.add_argument("--known", type=int, nargs="+", default=[0])
    parser.add_argument("--pairs", type=int, default=1000)
    parser.add_argument("--predictors", nargs="+")
    parser.add_argument("--nobody-tested", action="store_true")
    parser.add_argument("--each", action="store_true", help="the stack without and with each")
    args = parser.parse_args()
    start = time.process_time()
    found: dict[str, dict[str, list[Array]]] = {}
    people: dict[str, list[Array]] = {}
    for seed in args.seeds:
        for case, scores, who in measured(args, seed):
            people.setdefault(case, []).append(who)
            for name, values in scores.items():
                found.setdefault(case, {}).setdefault(name, []).append(values)
        print(f"seed {seed}: {time.process_time() - start:.0f} s of CPU", file=sys.stderr)
    out: dict[str, Any] = {"seeds": args.seeds, "survey": str(args.csv or args.survey)}
    for case, several in found.items():
        who = np.concatenate(people[case])
        judgements = {name: np.concatenate(draws) for name, draws in several.items()}
        means = {
            name: [round(float(v), 4) for v in one.mean(axis=0)] for name, one in judgements.items()
        }
        ours = judgements["stack_plain"]
        plain = [n for n in judgements if " " not in n and n != "stack_plain"]
        rows = {
            **{f"less {n}": compared(ours, judgements[n], who) for n in plain},
            **{n: compared(judgements[n], ours, who) for n in judgements if " " in n},
        }
        out[case] = {"means": means, "stack_plain": rows}
        print(f"\n{case} (accuracy, log loss, rank error)", file=sys.stderr)
        for name, mean in means.items():
            if " " not in name:
                print(f"  {name:<24}{mean}", file=sys.stderr)
        for name, row in rows.items():
            print(f"  stack_plain {name:<32}{row}", file=sys.stderr)
    out["cpu_seconds"] = round(time.process_time() - start)
    print(json.dumps(out))


if __name__ == "__main__":
    main()
