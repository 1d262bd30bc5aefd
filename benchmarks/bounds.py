"""What the bounds that keep a million respondents affordable cost in accuracy.

    python benchmarks/bounds.py
    python benchmarks/bounds.py --people 200000 --learn 10000 50000 all --candidates 5000 20000 all
    python benchmarks/bounds.py --learn --candidates --teach 10000 50000 all

A survey that is made up as in `scale.py`. Predictors learn from so many drawn reference respondents
(`learn_from`) and predict the test pairs; of so many drawn candidates (`neighbour_candidates`) the
nearest by persona values vote on hidden answers; and a persona network that so many teach refines
the personas of others, whose true values are known. Questions of a short form are chosen, and the
rest is told by them, from so many people (`plan_from`). Prints accuracy and log loss, and what each
number has less than the largest, paired, with its standard error (clustered on respondents). Lines
are JSON.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).resolve().parents[1])]

import scale  # noqa: E402

from lupom import Project  # noqa: E402
from lupom.science import bayes  # noqa: E402
from lupom.science.neighbours import nearest, vote  # noqa: E402

QUESTIONS, DIMENSIONS = 25, 40
LEARNING = ("learning_respondents", "learning_answers", "learning_questions")
READ = """
select b.predictor, b.respondent_id, b.question_id,
    (b.answer = h.answer)::double as accuracy,
    -ln(greatest(coalesce(b.probabilities[h.answer], 0), 1e-4)) as nll
from baselines as b join holdout as h using (survey, respondent_id, question_id)
where h.role = 'test'
"""


def number(text: str) -> int | None:
    return None if text == "all" else int(text)


def told(what: str, frames: dict[int | None, pd.DataFrame]) -> None:
    """Print the means of each number's rows, and what the last has more, paired."""
    names = sorted(set.intersection(*(set(frame["of"]) for frame in frames.values())))
    *_, most = frames.values()
    for of in names:
        best = most[most["of"] == of].set_index(["respondent_id", "question_id"])
        for n, frame in frames.items():
            mine = frame[frame["of"] == of].set_index(["respondent_id", "question_id"])
            row: dict[str, Any] = {what: n or "all", "of": of, "pairs": len(mine)}
            for metric in ("accuracy", "nll"):
                if metric in mine:
                    less = mine[metric] - best[metric].reindex(mine.index)
                    sums = (less - less.mean()).groupby("respondent_id").sum()
                    row[metric] = round(float(mine[metric].mean()), 4)
                    row[f"{metric}_difference"] = round(float(less.mean()), 4)
                    row[f"{metric}_error"] = round(float(np.sqrt((sums**2).sum()) / len(less)), 4)
            print(json.dumps(row), flush=True)


def learned(folder: Path, data: Path, args: argparse.Namespace) -> None:
    """Predict test pairs by what is learned of so many respondents."""
    given = argparse.Namespace(
        pairs=args.pairs, people_now=args.people, predictors=args.predictors, memory=args.memory
    )
    scale.project(folder, data, given, "local")
    frames: dict[int | None, pd.DataFrame] = {}
    for n in args.learn:
        with Project(folder, vars={"learn_from": n}) as project:
            # Nothing of personas has a part in these predictions.
            steps = [*scale.STEPS["staging"], *LEARNING, "fitted_predictors", "baselines"]
            result = project.run(select=steps, no_llm=True)
            failed = [node.message for node in result.nodes if node.status == "error"]
            if failed:
                raise SystemExit("\n".join(map(str, failed)))
            frames[n] = project.query(READ).df().rename(columns={"predictor": "of"})
            took = project.query("select sum(seconds) from fitted_predictors").rows()[0][0]
        print(json.dumps({"learn_from": n or "all", "seconds_of_fits": round(took, 1)}), flush=True)
    told("learn_from", frames)


def voted(data: Path, args: argparse.Namespace) -> None:
    """Have the nearest of so many candidates vote on a hidden answer of each asked respondent."""
    values = pq.read_table(data / "values.parquet", columns=["value"])["value"]
    words = [f"value {k}" for k in range(scale.VALUES)]
    codes = values.to_pandas().map({w: k for k, w in enumerate(words)}).fillna(-1)
    matrix = codes.to_numpy(dtype=np.int8).reshape(args.people, DIMENSIONS)
    names = [f"q{place:03}" for place in range(QUESTIONS)]
    said = pq.read_table(data / "up_responses.parquet", columns=names).to_pandas()
    answers = said.fillna("0").astype(np.int64).to_numpy() - 1
    rng = np.random.default_rng(1)
    order = rng.permutation(args.people)
    asked, others = order[: args.asked], order[args.asked :]
    frames: dict[int | None, pd.DataFrame] = {}
    for n in args.candidates:
        reference = np.zeros(args.people, dtype=bool)
        reference[others[:n]] = True
        near, similarity = nearest(
            matrix, [scale.VALUES] * DIMENSIONS, reference, args.k, asked=asked
        )
        rows = []
        for j in range(QUESTIONS):
            known = answers[:, j]
            found = vote(near, known, int(known.max()) + 1)
            for i in np.flatnonzero(known[asked] >= 0):
                right = float(found.answer[i] == known[asked[i]])
                rows.append((f"vote of {args.k}", int(asked[i]), j, right))
        frames[n] = pd.DataFrame(rows, columns=["of", "respondent_id", "question_id", "accuracy"])
        print(
            json.dumps(
                {
                    "candidates": n or len(others),
                    "similarity": round(float(np.nanmean(similarity)), 4),
                }
            ),
            flush=True,
        )
    told("neighbour_candidates", frames)


def taught(args: argparse.Namespace) -> None:
    """Refine the personas of `asked` respondents by a network that so many others teach."""
    d, r = args.network_dimensions, scale.VALUES
    rng = np.random.default_rng(1)
    of_dimensions = rng.normal(0.0, 0.9, (scale.FACTORS, d))
    factors = rng.normal(size=(args.people, scale.FACTORS))
    lean = factors @ of_dimensions + rng.normal(0.0, 0.7, (args.people, d))
    true = np.searchsorted(np.linspace(-2, 2, r + 1)[1:-1], lean).astype(np.int32)
    codes = true.copy()
    wrong = rng.random(codes.shape) < scale.WRONG
    codes[wrong] = rng.integers(0, r, wrong.sum())
    codes[rng.random(codes.shape) < scale.MISSING] = -1
    variant = bayes.Variant()
    levels = [("low", "mid", "high")[j % 3] for j in range(d)]
    others = slice(args.asked, None)
    frames: dict[int | None, pd.DataFrame] = {}
    for n in args.teach:
        teachers = codes[others][:n]
        begun = time.process_time()
        network = bayes.PersonaNetwork.fit(
            teachers, [r] * d, [f"d{j}" for j in range(d)], levels, **variant.fitting()
        ).with_error_rates(teachers, levels=variant.levels)
        took = time.process_time() - begun
        found = bayes.refine(network, codes[: args.asked], **variant.refining())
        # Of what may change, the values that are true; an unknown one is none.
        rows, columns = np.nonzero(
            np.broadcast_to(np.isin(levels, variant.levels), (args.asked, d))
        )
        frames[n] = pd.DataFrame(
            {
                "of": "refined values",
                "respondent_id": rows,
                "question_id": columns,
                "accuracy": (found.codes == true[: args.asked])[rows, columns].astype(float),
            }
        )
        raw = (codes[: args.asked] == true[: args.asked])[rows, columns].mean()
        row = {"taught_by": n or "all", "cpu": round(took, 1), "raw_accuracy": round(raw, 4)}
        print(json.dumps(row), flush=True)
    told("taught_by", frames)


def planned(args: argparse.Namespace) -> None:
    """Choose questions by so many people, and judge 5 of them on others."""
    from lupom.science.blas import one_thread
    from lupom.science.planning import classes, forms
    from lupom.science.planning.classes import Pool
    from lupom.science.planning.moments import Cells, fit
    from lupom.science.planning.question_plan import Judge

    rng = np.random.default_rng(1)
    options = 2 + np.arange(QUESTIONS) % 4
    theme = rng.normal(size=(args.people + 5000, 4)) @ rng.normal(size=(4, QUESTIONS))
    lean = theme + 1.5 * rng.normal(size=theme.shape)
    codes = np.empty(lean.shape, dtype=np.int64)
    for j, k in enumerate(options):
        cuts = np.quantile(lean[:, j], np.sort(rng.uniform(0.1, 0.9, k - 1)))
        codes[:, j] = np.searchsorted(cuts, lean[:, j])
    offsets = np.concatenate([[0], options.cumsum()])
    values = np.zeros((len(codes), int(offsets[-1])), dtype=np.float32)
    values[np.arange(len(codes))[:, None], offsets[:-1] + codes] = 1
    everybody = Cells(codes, values, np.ones(len(codes)), offsets)
    others = everybody.only(np.arange(args.people, len(codes)))
    frames: dict[int | None, pd.DataFrame] = {}
    for n in args.plan:
        begun = time.process_time()
        learned_from = everybody.only(np.arange(args.people)[:n])
        with one_thread():
            moments = fit(learned_from)
            form = forms.choose(moments, learned_from.only(np.arange(1000)), 5)
            pool = Pool(moments, classes.fit(learned_from))
            sums = Judge(pool, others).sums(form, 5)
        said = {"plan_from": n or "all", "form": form}
        print(json.dumps({**said, "seconds": round(time.process_time() - begun, 1)}), flush=True)
        frames[n] = pd.DataFrame(
            {
                "of": "the rest after 5 questions",
                "respondent_id": np.arange(len(others.codes)),
                "question_id": "all",
                "accuracy": sums.right / sums.count,
                "nll": sums.loss / sums.count,
            }
        )
    told("plan_from", frames)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--people", type=int, default=100_000)
    parser.add_argument("--pairs", type=int, default=5000, help="test pairs")
    parser.add_argument("--learn", type=number, nargs="*", default=[10_000, 20_000, 50_000, None])
    parser.add_argument("--candidates", type=number, nargs="*", default=[5000, 20_000, None])
    parser.add_argument("--teach", type=number, nargs="*", default=[10_000, 20_000, 50_000, None])
    parser.add_argument(
        "--plan", type=number, nargs="*", default=[5000, 10_000, 20_000, 50_000, None]
    )
    parser.add_argument("--network-dimensions", type=int, default=20)
    parser.add_argument(
        "--asked", type=int, default=4000, help="respondents who are voted on and refined"
    )
    parser.add_argument("--k", type=int, default=20, help="neighbours")
    parser.add_argument("--predictors", nargs="+", help="of all those that ship")
    parser.add_argument("--memory", help="DuckDB's share, as the target's 'memory'")
    args = parser.parse_args()
    if args.teach:
        taught(args)
    if args.plan:
        planned(args)
    if not args.candidates and not args.learn:
        return
    with tempfile.TemporaryDirectory(prefix="lupom-bounds-") as temporary:
        data = Path(temporary) / "data"
        scale.make(data, args.people, QUESTIONS, DIMENSIONS)
        if args.candidates:
            voted(data, args)
        if args.learn:
            learned(Path(temporary) / "project", data, args)


if __name__ == "__main__":
    main()
