"""How good the predictors and the stack are, on other held-out pairs with every seed.

    python benchmarks/predictors.py --seeds 1 2 3 4 5 6 7 8
    python benchmarks/predictors.py --seeds 1 2 3 4 --scenarios
    python benchmarks/predictors.py --seeds 1 2 3 4 --llm
    python benchmarks/predictors.py --project FOLDER --survey NAME

Copies a project (the one that ships), holds out pairs by each seed, and prints accuracy and log
loss of every predictor on the test pairs, and what the stack has more or less than each, with 95 %
intervals by a bootstrap clustered on respondents (over all seeds: a respondent counts with all of
their pairs). --scenarios holds out new respondents and new questions besides. --llm adds made-up
LLMs to the stack (with --nobody-tested predictors learn nothing from people who are tested):
one that knows nothing, one that always gives the first option, and ones that are
right more often than chance by some evidence of the truth. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from lupom import Project  # noqa: E402
from lupom.science.predictors import router, stack  # noqa: E402
from lupom.science.predictors.distributions import pairs_of  # noqa: E402

PAIR = ["respondent_id", "question_id"]
SCENARIOS = {
    "new_respondents": 60,
    "new_respondents_tuning": 60,
    "new_questions": 4,
    "new_questions_tuning": 4,
}
# How much an LLM's log-odds of the truth are moved by what it knows, beside noise of deviation 1.
EVIDENCE = {"knows nothing": 0.0, "knows a little": 0.7, "knows much": 2.0}
METRICS = ("accuracy", "nll")


def tables(
    folder: Path, survey: str, seeds: list[int], scenarios: bool, tested: bool
) -> Iterator[dict[str, Any]]:
    """Yield the tables of every seed's held-out pairs, as Arrow tables, and the CPU seconds."""
    names = ("baselines", "questions", "tuning_answers", "holdout")
    for seed in seeds:
        settings = {"seed": seed, "learn_from_tested": tested, **(SCENARIOS if scenarios else {})}
        with Project(folder, vars=settings) as project:
            start = time.process_time()
            result = project.run(select=[f"+{name}" for name in names], no_llm=True)
            failed = [node.message for node in result.nodes if node.status == "error"]
            if failed:
                raise SystemExit("\n".join(map(str, failed)))
            found: dict[str, Any] = {
                name: project.query(
                    f"select * from {name} where survey = ? order by survey, question_id", [survey]
                ).arrow
                for name in names
            }
        yield {**found, "seed": seed, "cpu": time.process_time() - start}


def scored(predictions: pa.Table, holdout: pa.Table, seed: int) -> pd.DataFrame:
    """Return test predictions with whether they are right, and their log loss."""
    truth = holdout.to_pandas().query("role == 'test'")[[*PAIR, "answer"]]
    frame = predictions.to_pandas().merge(
        truth.rename(columns={"answer": "truth"}), on=PAIR, validate="many_to_one"
    )
    frame["accuracy"] = (frame["answer"] == frame["truth"]).astype(float)
    given = [dict(p)[t] for p, t in zip(frame["probabilities"], frame["truth"], strict=True)]
    frame["nll"] = -np.log(np.maximum(given, 1e-4))
    frame["predictor"] = frame["predictor"].where(
        frame["llm"].isna(), frame["predictor"] + " (" + frame["llm"].fillna("") + ")"
    )
    return frame[[*PAIR, "scenario", "predictor", *METRICS]].assign(seed=seed)


def compared(frame: pd.DataFrame, one: str, other: str, draws: int = 2000) -> dict[str, Any]:
    """Return the mean difference of two predictors on the pairs both have, with intervals."""
    wide = frame.pivot_table(index=["seed", *PAIR], columns="predictor", values=list(METRICS))
    out: dict[str, Any] = {}
    for metric in METRICS:
        both = wide[metric][[one, other]].dropna()
        difference = (both[one] - both[other]).groupby("respondent_id").agg(["sum", "count"])
        sums, counts = difference.to_numpy().T
        rng = np.random.default_rng(0)
        drawn = rng.integers(len(sums), size=(draws, len(sums)))
        means = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
        low, high = np.quantile(means, [0.025, 0.975])
        out[metric] = [round(float(v), 4) for v in (sums.sum() / counts.sum(), low, high)]
    return out


def made_up(found: dict[str, Any], survey: str) -> pa.Table:
    """Return predictions of the LLMs that are made up, of every test and tuning pair."""
    holdout = found["holdout"]
    pairs = pairs_of(survey, found["baselines"], found["tuning_answers"], found["questions"])
    told = holdout.to_pandas().set_index(PAIR)["answer"].to_dict()
    truth = np.array(
        [
            pairs.options[c].index(told[r, pairs.questions[c]])
            for r, c in zip(pairs.respondents, pairs.columns, strict=True)
        ]
    )
    rng = np.random.default_rng(found["seed"])
    parts = []
    for name, evidence in EVIDENCE.items():
        logits = rng.normal(0.0, 1.0, pairs.inside.shape)
        logits[np.arange(len(truth)), truth] += evidence
        p = np.exp(logits) * pairs.inside
        parts.append(pairs.table("history", p / p.sum(axis=1, keepdims=True), name))
    first = np.where(np.arange(pairs.width) == 0, 0.9, 0.05) * pairs.inside
    parts.append(pairs.table("history", first / first.sum(axis=1, keepdims=True), "first option"))
    return pa.concat_tables(parts)


def summary(frame: pd.DataFrame) -> dict[str, Any]:
    """Return means by predictor, and what stack_plain has over each baseline."""
    means = frame.groupby("predictor")[list(METRICS)].mean().round(4)
    baselines = [p for p in means.index if "stack" not in p and "(" not in p]
    return {
        "pairs": int(frame.groupby(["seed", *PAIR]).ngroups),
        "means": means.T.to_dict(),
        "stack_plain_less": {p: compared(frame, "stack_plain", p) for p in baselines},
    }


def advised(routers: list[pd.DataFrame], llm: str) -> float:
    """Return for which share of questions the router recommends an LLM."""
    rows = pd.concat(routers).query("llm == @llm").dropna(subset="question_id")
    return round(float((rows["recommendation"] == "llm").mean()), 3)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--project", type=Path, default=ROOT)
    parser.add_argument("--survey", default="gss_2018")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--scenarios", action="store_true")
    parser.add_argument("--llm", action="store_true")
    parser.add_argument("--nobody-tested", action="store_true")
    args = parser.parse_args()
    frames, routers, seconds = [], [], []
    with tempfile.TemporaryDirectory(prefix="lupom-predictors-") as name:
        folder = Path(name) / "project"
        for part in ("models", "prompts", "seeds"):
            shutil.copytree(args.project / part, folder / part)
        shutil.copy(args.project / "lupom_project.yml", folder)
        for found in tables(
            folder, args.survey, args.seeds, args.scenarios, not args.nobody_tested
        ):
            predictions = found["baselines"].slice(0, 0)
            if args.llm:
                predictions = made_up(found, args.survey)
            start = time.process_time()
            stacked = stack.stack(
                *(found["baselines"], predictions, found["tuning_answers"], found["questions"]),
                seed=found["seed"],
            )
            seconds.append((found["cpu"], time.process_time() - start))
            routers.append(
                router.router(stacked, found["tuning_answers"], found["questions"]).to_pandas()
            )
            every = pa.concat_tables(
                [t.cast(stacked.schema) for t in (found["baselines"], predictions, stacked)]
            )
            frames.append(scored(every, found["holdout"], found["seed"]))
    frame = pd.concat(frames)
    result: dict[str, Any] = {
        "seeds": args.seeds,
        "cpu_seconds_run": round(float(np.mean([s[0] for s in seconds])), 1),
        "cpu_seconds_stack": round(float(np.mean([s[1] for s in seconds])), 1),
    }
    for scenario, part in frame.groupby("scenario"):
        result[str(scenario)] = summary(part)
        by_seed = part.groupby(["seed", "predictor"])[list(METRICS)].mean().unstack("seed").round(3)
        print(f"\n{scenario}\n{by_seed.to_string()}", file=sys.stderr)
        for other, less in result[str(scenario)]["stack_plain_less"].items():
            print(f"stack_plain less {other}: {less}", file=sys.stderr)
    if args.llm:
        llms = sorted({llm for r in routers for llm in r["llm"]})
        result["llm"] = {
            llm: {
                "stack_less_stack_plain": compared(frame, f"stack ({llm})", "stack_plain"),
                "routed_less_stack_plain": compared(frame, f"routed ({llm})", "stack_plain"),
                "stack_less_llm": compared(frame, f"stack ({llm})", f"history ({llm})"),
                "questions_for_llm": advised(routers, llm),
            }
            for llm in llms
        }
        print(json.dumps(result["llm"], indent=1), file=sys.stderr)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
