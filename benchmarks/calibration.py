"""What the stack and the router make of LLMs, from few reference respondents to all of them.

    python benchmarks/calibration.py
    python benchmarks/calibration.py --twins human.csv llm.csv
    python benchmarks/calibration.py --code OTHER_CHECKOUT

Draws test and reference respondents with each seed, of these as many as a size says, and holds out
pairs as the project does: 1,000 test pairs, and for tuning a fifth of what reference respondents
answered, at most 1,000. On the survey that ships LLMs are made up (`LLMS`). --twins takes a real
one instead: two files with a row a respondent and a column an outcome, the first column the id
(combined_dv_*.csv of TianyiPeng/Twin-2K-500-Mega-Study): the 34 outcomes that most people have
with three different values or more, in up to five ordered options of about equal size.

--code measures another checkout on the same draws; --cache keeps the plain predictors' tables,
which take most of the time. Prints JSON: for each LLM and size the mean accuracy and log loss over
draws of majority, stack_plain, the LLM alone (llm), calibrated, stack and routed, what the stack
has more than the better of the plain one and the LLM (accuracy, mean and worst draw; log loss, of
the LLM calibrated where it is), and what routed loses against the better of always and never.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import pickle
import shutil
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

ROOT = Path(__file__).parents[1]
TEST_PEOPLE, TEST_PAIRS, TUNING_PAIRS = 250, 1000, 1000
ITEMS, BINS = 34, 5


@dataclass(frozen=True)
class Survey:
    """Answers (R, Q), -1 where none; option labels; attributes and weights of people."""

    name: str
    answers: np.ndarray
    options: list[list[str]]
    attributes: list[dict[str, str]]
    weights: np.ndarray
    said: np.ndarray | None = None


def shipped(folder: Path) -> Survey:
    """Return the survey that ships."""
    from lupom import Project

    for part in ("models", "prompts", "seeds"):
        shutil.copytree(ROOT / part, folder / part)
    shutil.copy(ROOT / "lupom_project.yml", folder)
    with Project(folder) as project:
        project.run(select=["+responses", "+questions", "+respondents"], no_llm=True)
        responses, questions, people = (
            project.query(f"select * from {name} where survey = 'gss_2018'").df()
            for name in ("responses", "questions", "respondents")
        )
    questions, people = (
        questions.sort_values("question_id"),
        people.sort_values("respondent_id"),
    )
    row = {r: i for i, r in enumerate(people["respondent_id"])}
    column = {q: i for i, q in enumerate(questions["question_id"])}
    options = [list(o) for o in questions["options"]]
    answers = np.full((len(row), len(column)), -1)
    for r in responses.query("status == 'answered'").itertuples():
        answers[row[r.respondent_id], column[r.question_id]] = options[column[r.question_id]].index(
            r.answer
        )
    return Survey(
        "gss",
        answers,
        options,
        [dict(a) for a in people["attributes"]],
        people["weight"].to_numpy(),
    )


def twins(human: Path, llm: Path) -> Survey:
    """Return outcomes of people and what the LLM says of them, both in ordered options."""
    tables = []
    for path in (human, llm):
        with path.open(newline="", encoding="utf-8") as file:
            rows = csv.reader(file)
            header = next(rows)
            tables.append({r[0]: [float(v) if v else np.nan for v in r[1:]] for r in rows})
    ids = sorted(set(tables[0]) & set(tables[1]))
    truth, said = (np.array([t[i] for i in ids]) for t in tables)
    both = np.isfinite(truth) & np.isfinite(said)
    fit = [
        q
        for q in np.argsort(-both.sum(axis=0), kind="stable")
        if len(np.unique(truth[both[:, q], q])) >= 3
    ][:ITEMS]
    codes = [np.full((len(ids), len(fit)), -1) for _ in tables]
    options = []
    for i, q in enumerate(fit):
        here = both[:, q]
        values = np.unique(truth[here, q])
        if len(values) <= BINS:
            edges = (values[1:] + values[:-1]) / 2
        else:
            edges = np.unique(np.quantile(truth[here, q], np.arange(1, BINS) / BINS))
        for code, told in zip(codes, (truth, said), strict=True):
            code[here, i] = np.searchsorted(edges, told[here, q], side="left")
        options.append([f"{header[q + 1]} {k}" for k in range(len(edges) + 1)])
    return Survey("twins", codes[0], options, [{} for _ in ids], np.ones(len(ids)), said=codes[1])


@dataclass(frozen=True)
class Draw:
    """Tables of one draw, and of each held-out pair person, question, answer and role."""

    known: pa.Table
    pairs: pa.Table
    tuning: pa.Table
    questions: pa.Table
    respondents: pa.Table
    rows: np.ndarray
    columns: np.ndarray
    test: np.ndarray


def drawn(survey: Survey, size: int | None, seed: int) -> Draw:
    """Return what is known and what is held out, with `size` reference respondents."""
    rng = np.random.default_rng(seed)
    people = rng.permutation(len(survey.answers))
    tested, rest = people[:TEST_PEOPLE], people[TEST_PEOPLE:]
    reference = rest if size is None else rest[:size]
    held = []
    for group, most, role in (
        (tested, TEST_PAIRS, "test"),
        (reference, TUNING_PAIRS, "tuning"),
    ):
        cells = np.argwhere(survey.answers[group] >= 0)
        chosen = cells[rng.permutation(len(cells))[: min(most, len(cells) // 5)]]
        held += [(group[r], q, role) for r, q in chosen]
    hidden = {(r, q): role for r, q, role in held}
    everyone = sorted({*tested.tolist(), *reference.tolist()})
    known = []
    for r in everyone:
        for q in np.flatnonzero(survey.answers[r] >= 0):
            role = hidden.get((r, q), "known")
            label = survey.options[q][survey.answers[r, q]]
            known.append((f"{r:05}", f"q{q:03}", role, label))

    def table(rows: list[tuple[str, str, str, str]], *names: str) -> pa.Table:
        records = [
            dict(zip(("respondent_id", "question_id", "role", "answer"), r, strict=True))
            for r in rows
        ]
        chosen = [
            {n: ("s" if n == "survey" else "known" if n == "scenario" else r[n]) for n in names}
            for r in records
        ]
        return pa.Table.from_pylist(chosen)

    cell = ("survey", "respondent_id", "question_id")
    out = [k for k in known if k[2] != "known"]
    shown = table(known, *cell, "role", "answer")
    answers = pa.array(
        [
            a if k[2] == "known" else None
            for k, a in zip(known, shown["answer"].to_pylist(), strict=True)
        ]
    )
    return Draw(
        shown.set_column(4, "answer", answers),
        table(out, *cell, "role", "scenario"),
        table([k for k in out if k[2] == "tuning"], *cell, "answer"),
        pa.table(
            {
                "survey": ["s"] * len(survey.options),
                "question_id": [f"q{i:03}" for i in range(len(survey.options))],
                "options": survey.options,
            }
        ),
        pa.table(
            {
                "survey": ["s"] * len(everyone),
                "respondent_id": [f"{r:05}" for r in everyone],
                "attributes": pa.array(
                    [list(survey.attributes[r].items()) for r in everyone],
                    pa.map_(pa.string(), pa.string()),
                ),
                "weight": survey.weights[everyone],
            }
        ),
        np.array([int(k[0]) for k in out]),
        np.array([int(k[1][1:]) for k in out]),
        np.array([k[2] == "test" for k in out]),
    )


# What an LLM says of pairs, given the truth (P), the number of options (P), the questions (P),
# shares of answers to each question, and a generator: an answer (P) or probabilities (P, width).
Says = Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.random.Generator], np.ndarray]


def _knows(truth: Any, sizes: Any, columns: Any, shares: Any, rng: Any) -> Any:
    """Is right in three of four, else next to it."""
    step = np.where(rng.random(len(truth)) < 0.5, -1, 1)
    near = np.clip(truth + step, 0, sizes - 1)
    near = np.where(near == truth, np.clip(truth - step, 0, sizes - 1), near)
    return np.where(rng.random(len(truth)) < 0.75, truth, near)


def _biased(truth: Any, sizes: Any, columns: Any, shares: Any, rng: Any) -> Any:
    """Knows people, but in every other question says the option after what they say."""
    said = _knows(truth, sizes, columns, shares, rng)
    return np.where(columns % 2 == 0, np.minimum(said + 1, sizes - 1), said)


def _marginals(truth: Any, sizes: Any, columns: Any, shares: Any, rng: Any) -> Any:
    """Draws from what all people answer."""
    return (shares[columns].cumsum(axis=1) < rng.random((len(truth), 1))).sum(axis=1)


def _nothing(truth: Any, sizes: Any, columns: Any, shares: Any, rng: Any) -> Any:
    return rng.integers(sizes)


def _a_little(truth: Any, sizes: Any, columns: Any, shares: Any, rng: Any) -> Any:
    """Is right by knowing in one of five, else draws from what all people answer."""
    other = _marginals(truth, sizes, columns, shares, rng)
    return np.where(rng.random(len(truth)) < 0.2, truth, other)


def _overconfident(truth: Any, sizes: Any, columns: Any, shares: Any, rng: Any) -> Any:
    """Has evidence, and gives it three times the weight it deserves."""
    logits = rng.normal(0.0, 1.0, shares[columns].shape)
    logits[np.arange(len(truth)), truth] += 1.2
    p = np.exp(3.0 * logits) * (np.arange(shares.shape[1]) < sizes[:, None])
    return p / p.sum(axis=1, keepdims=True)


LLMS: dict[str, Says] = {
    "knows people": _knows,
    "biased": _biased,
    "knows a little": _a_little,
    "knows marginals": _marginals,
    "knows nothing": _nothing,
    "overconfident": _overconfident,
}


def asked(survey: Survey, draw: Draw, seed: int) -> list[dict[str, Any]]:
    """Return the LLMs' predictions of all held-out pairs."""
    truth = survey.answers[draw.rows, draw.columns]
    sizes = np.array([len(o) for o in survey.options])
    shares = np.zeros((len(sizes), sizes.max()))
    for q in range(len(sizes)):
        given = survey.answers[survey.answers[:, q] >= 0, q]
        shares[q] = np.bincount(given, minlength=sizes.max()) / len(given)
    told: dict[str, np.ndarray] = {}
    if survey.said is not None:
        told["twin"] = survey.said[draw.rows, draw.columns]
    else:
        for name, says in LLMS.items():
            rng = np.random.default_rng([seed, len(told)])
            told[name] = says(truth, sizes[draw.columns], draw.columns, shares, rng)
    rows = []
    for llm, said in told.items():
        for i, (r, q) in enumerate(zip(draw.rows, draw.columns, strict=True)):
            labels, spread = survey.options[q], None
            if said.ndim == 2:
                spread = list(zip(labels, said[i, : len(labels)].tolist(), strict=True))
            best = said[i].argmax() if said.ndim == 2 else said[i]
            rows.append(
                {
                    "survey": "s",
                    "respondent_id": f"{r:05}",
                    "question_id": f"q{q:03}",
                    "predictor": "history",
                    "llm": llm,
                    "answer": labels[best],
                    "probabilities": spread,
                    "status": "valid",
                }
            )
    return rows


def measured(survey: Survey, size: int | None, seed: int, cache: Path | None) -> dict[str, Any]:
    """Return, by LLM and predictor, accuracy and log loss on one draw's test pairs."""
    from lupom.science.predictors import baselines, stack

    draw = drawn(survey, size, seed)
    file = cache / f"{survey.name}-{size}-{seed}.pkl" if cache else None
    if file is not None and file.exists():
        plain = pickle.loads(file.read_bytes())
    else:
        plain = baselines.predict(
            draw.known, draw.pairs, draw.respondents, draw.questions, seed=seed
        )
        if file is not None:
            file.write_bytes(pickle.dumps(plain))
    llms = pa.Table.from_pylist(
        asked(survey, draw, seed),
        schema=pa.schema([f for f in plain.schema if f.name not in ("role", "scenario")]),
    )
    stacked = stack.stack(plain, llms, draw.tuning, draw.questions, seed=seed)
    if hasattr(stack, "calibrated"):
        worth = stack.calibrated(llms, plain, draw.tuning, draw.questions, seed=seed)
        names = pa.array(["calibrated"] * len(worth), pa.string())
        column = worth.schema.get_field_index("predictor")
        stacked = pa.concat_tables([stacked, worth.set_column(column, "predictor", names)])
    truth = {
        (f"{r:05}", f"q{q:03}"): survey.options[q][survey.answers[r, q]]
        for r, q, test in zip(draw.rows, draw.columns, draw.test, strict=True)
        if test
    }
    found: dict[Any, list[tuple[bool, float | None]]] = defaultdict(list)
    for table in (plain, llms, stacked):
        columns = ("respondent_id", "question_id", "predictor", "llm", "answer", "probabilities")
        for r, q, predictor, llm, answer, spread in zip(
            *(table[c].to_pylist() for c in columns), strict=True
        ):
            right = truth.get((r, q))
            if right is not None and (predictor in ("majority", "stack_plain") or llm):
                p = dict(spread).get(right, 0.0) if spread else None
                nll = None if p is None else -float(np.log(max(p, 1e-4)))
                found[llm, predictor].append((answer == right, nll))
    out: dict[str, Any] = {}
    for llm in sorted({key[0] for key in found} - {None}):
        row = {}
        for (own, predictor), values in found.items():
            if own in (None, llm):
                name = "llm" if predictor == "history" else predictor
                losses = [n for _, n in values if n is not None]
                row[name] = (
                    float(np.mean([right for right, _ in values])),
                    float(np.mean(losses)) if losses else float("nan"),
                )
        out[llm] = row
    return out


def summary(draws: list[dict[str, tuple[float, float]]]) -> dict[str, Any]:
    """Return means over draws, and what stack and routed have over the best they could be."""
    mean = {
        name: (
            float(np.mean([d[name][0] for d in draws])),
            float(np.mean([d[name][1] for d in draws])),
        )
        for name in draws[0]
    }
    out: dict[str, Any] = {
        name: [round(accuracy, 4), None if np.isnan(nll) else round(nll, 4)]
        for name, (accuracy, nll) in mean.items()
    }
    best = max(("stack_plain", "llm"), key=lambda name: mean[name][0])
    more = [d["stack"][0] - d[best][0] for d in draws]
    out["stack_more_accurate"] = [round(float(np.mean(more)), 4), round(min(more), 4)]
    least = np.nanmin([mean[n][1] for n in ("stack_plain", "calibrated", "llm") if n in mean])
    out["stack_log_loss_over_better"] = round(mean["stack"][1] - float(least), 4)
    fixed = min(mean["stack_plain"][1], mean["stack"][1])
    out["routed_regret"] = round(mean["routed"][1] - fixed, 4)
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--twins", type=Path, nargs=2, metavar=("HUMAN", "LLM"))
    parser.add_argument("--code", type=Path, default=ROOT)
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--sizes", nargs="+", default=["30", "100", "300", "all"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5, 6])
    args = parser.parse_args()
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = "1"
    sys.path.insert(0, str(args.code.resolve()))
    with tempfile.TemporaryDirectory(prefix="lupom-calibration-") as name:
        survey = twins(*args.twins) if args.twins else shipped(Path(name) / "project")
    start = time.process_time()
    result: dict[str, dict[str, Any]] = defaultdict(dict)
    for size in args.sizes:
        number = None if size == "all" else int(size)
        draws = [measured(survey, number, seed, args.cache) for seed in args.seeds]
        for llm in draws[0]:
            result[llm][size] = summary([d[llm] for d in draws])
        print(f"{size}: {time.process_time() - start:.0f} s of CPU", file=sys.stderr)
    print(json.dumps({"survey": survey.name, "seeds": args.seeds, "llms": result}))


if __name__ == "__main__":
    main()
