"""The persona network beside its peers: structure search, refinement, and what refining is worth.

    python benchmarks/bayes.py --sample data.csv                       5,000 rows, 60 dimensions
    python benchmarks/bayes.py --data data.csv --score bds --iss 10 --search hc
    python benchmarks/bayes.py --refine                                300,000 cells
    python benchmarks/bayes.py --simulate 500 2000 5000                errors before and after
    python benchmarks/bayes.py --large                                 100,000 x 60

Each ends with one line of JSON. One thread. `--data` is compared in the same run with every peer
that is installed: pgmpy, R with bnlearn, and bnlearn's C code in bnlearn-port; `--no-peers` leaves
them out. `score` is computed anew from the edges by the printed formulas, for us and for them.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import time
from collections import Counter
from math import lgamma, log, prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np  # noqa: E402

from lupom.science.bayes import PersonaNetwork, Score, refine, search, to_pgmpy  # noqa: E402
from lupom.science.bayes import simulation as sim  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

    Codes = NDArray[np.int32]

R_SCRIPT = """
a <- commandArgs(TRUE)
suppressMessages(library(bnlearn))
x <- read.csv(a[1], colClasses = "factor", check.names = FALSE)
arguments <- list(x, score = c(bic = "bic", bdeu = "bde", bds = "bds")[[a[2]]])
if (a[2] != "bic") arguments$iss <- as.numeric(a[3])
if (a[4] == "tabu") arguments <- c(arguments, tabu = 100, max.tabu = 100)
t <- system.time(net <- do.call(a[4], arguments))[["elapsed"]]
cat("seconds", t, "\\n")
write.table(arcs(net), sep = "\\t", quote = FALSE, row.names = FALSE, col.names = FALSE)
"""


def formula(
    codes: Codes, cards: list[int], edges: Iterable[tuple[int, int]], score: str, iss: float
) -> float:
    """Return the score of a structure by the formulas as printed, one count after another."""
    rows, pairs, total = codes.tolist(), list(edges), 0.0
    for child, r in enumerate(cards):
        parents = [p for p, c in pairs if c == child]
        q = prod(cards[p] for p in parents)
        n_jk = Counter((tuple(row[p] for p in parents), row[child]) for row in rows)
        n_j = Counter(tuple(row[p] for p in parents) for row in rows)
        if score == "bic":
            total += sum(n * log(n / n_j[j]) for (j, _), n in n_jk.items())
            total -= log(len(rows)) / 2 * q * (r - 1)
            continue
        a = iss / (r * (q if score == "bdeu" else len(n_j)))
        total += sum(lgamma(r * a) - lgamma(r * a + n) for n in n_j.values())
        total += sum(lgamma(a + n) - lgamma(a) for n in n_jk.values())
    return total


def peak_mb() -> float:
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)


def read(file: Path) -> tuple[Codes, list[int], list[str]]:
    import pandas as pd

    frame = pd.read_csv(file, dtype=str, keep_default_na=False)
    columns, cards = [], []
    for name in frame.columns:
        words, codes = np.unique(frame[name].to_numpy(dtype=str), return_inverse=True)
        columns.append(codes)
        cards.append(len(words))
    return np.stack(columns, axis=1).astype(np.int32), cards, [str(c) for c in frame.columns]


def structure(args: argparse.Namespace) -> dict[str, Any]:
    codes, cards, names = read(args.data)
    score = Score(args.score, args.iss)
    # Several runs, since the first pays for warming up; the median counts.
    times = []
    for _ in range(args.repeat):
        start = time.perf_counter()
        found = search(codes, cards, score, method=args.search)
        times.append(time.perf_counter() - start)
    result: dict[str, Any] = {
        "search": args.search,
        "score": round(formula(codes, cards, found.edges, args.score, args.iss), 4),
        "edges": len(found.edges),
        "seconds": round(float(np.median(times)), 3),
        "peak_mb": peak_mb(),
    }
    if args.peers:
        place = {name: i for i, name in enumerate(names)}
        for name, peer in (("pgmpy", _pgmpy), ("bnlearn_port", _port), ("r_bnlearn", _r)):
            answer = peer(args, codes, cards, names)
            if answer is None:
                result[name] = "not installed"
                continue
            edges, seconds = answer
            pairs = [(place[p], place[c]) for p, c in edges]
            result[name] = {
                "score": round(formula(codes, cards, pairs, args.score, args.iss), 4),
                "edges": len(pairs),
                "seconds": round(seconds, 3),
            }
    return result


Found = tuple[list[tuple[str, str]], float]


def _frame(codes: Codes, cards: list[int], names: list[str]) -> Any:
    import pandas as pd

    return pd.DataFrame(
        {
            name: pd.Categorical.from_codes(codes[:, i], [str(v) for v in range(cards[i])])
            for i, name in enumerate(names)
        }
    )


def _pgmpy(
    args: argparse.Namespace, codes: Codes, cards: list[int], names: list[str]
) -> Found | None:
    from pgmpy import structure_score
    from pgmpy.causal_discovery import HillClimbSearch

    frame = _frame(codes, cards, names)
    if args.score == "bic":
        scoring = structure_score.BIC(frame)
    else:
        kind = {"bds": structure_score.BDs, "bdeu": structure_score.BDeu}[args.score]
        scoring = kind(frame, equivalent_sample_size=args.iss)
    start = time.perf_counter()
    climb = HillClimbSearch(
        scoring_method=scoring,
        tabu_length=100 if args.search == "tabu" else 0,
        return_type="dag",
        show_progress=False,
    ).fit(frame)
    return list(climb.causal_graph_.edges()), time.perf_counter() - start


def _port(
    args: argparse.Namespace, codes: Codes, cards: list[int], names: list[str]
) -> Found | None:
    try:
        import pybnlearn  # type: ignore[import-not-found]
    except ImportError:
        return None
    frame = _frame(codes, cards, names)
    options: dict[str, Any] = {} if args.score == "bic" else {"iss": args.iss}
    kind = {"bic": "bic", "bdeu": "bde", "bds": "bds"}[args.score]
    start = time.perf_counter()
    if args.search == "tabu":
        net = pybnlearn.tabu(frame, score=kind, tabu=100, **options)
    else:
        net = pybnlearn.hc(frame, score=kind, **options)
    return [(str(p), str(c)) for p, c in net.arcs], time.perf_counter() - start


def _r(args: argparse.Namespace, codes: Codes, cards: list[int], names: list[str]) -> Found | None:
    if shutil.which("Rscript") is None:
        return None
    done = subprocess.run(
        ["Rscript", "-e", R_SCRIPT, str(args.data), args.score, str(args.iss), args.search],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        return None
    head, *lines = done.stdout.strip().splitlines()
    pairs = [line.split("\t") for line in lines]
    return [(p, c) for p, c in pairs], float(head.split()[1])


def refinement(args: argparse.Namespace) -> dict[str, Any]:
    """Time the refinement of rows x dimensions cells, and check it against exact inference."""
    n, d, r = args.rows, args.dimensions, args.values
    known = sim.random_network(d, r, args.max_parents, args.seed)
    codes = sim.sample(known, n, args.seed)
    network = PersonaNetwork.fit(codes, [r] * d, max_parents=4)
    gaps = sim.with_gaps(codes, 0.2, args.seed)

    def timed(work: Callable[[], Any]) -> float:
        start = time.perf_counter()
        work()
        return round(time.perf_counter() - start, 3)

    result: dict[str, Any] = {
        "cells": n * d,
        "complete_seconds": min(
            timed(lambda: refine(network, codes, reports="facts")) for _ in range(args.repeat)
        ),
        "missing_20_percent_seconds": timed(lambda: refine(network, gaps, reports="facts")),
        "noisy_reports_seconds": timed(lambda: refine(network, codes)),
        "peak_mb": peak_mb(),
    }
    if args.peers:
        result["pgmpy"] = _exact(network, codes, gaps, args.seed)
    return result


def _exact(network: PersonaNetwork, codes: Codes, gaps: Codes, seed: int) -> dict[str, Any]:
    """Compare the posteriors of some cells with pgmpy's variable elimination."""
    from pgmpy.inference import VariableElimination

    engine = VariableElimination(to_pgmpy(network))
    rng = np.random.default_rng(seed)
    result: dict[str, Any] = {}
    for kind, rows in (("complete", codes), ("missing_20_percent", gaps)):
        worst, seconds = 0.0, 0.0
        cells = [
            (int(rng.integers(len(rows))), int(rng.integers(rows.shape[1]))) for _ in range(30)
        ]
        for i, target in cells:
            evidence = {
                network.names[j]: str(v) for j, v in enumerate(rows[i]) if v >= 0 and j != target
            }
            name = network.names[target]
            start = time.perf_counter()
            theirs = engine.query([name], evidence=evidence, show_progress=False)
            seconds += time.perf_counter() - start
            order = [theirs.state_names[name].index(str(k)) for k in range(len(theirs.values))]
            ours = network.posterior(rows[i : i + 1], name)[0]
            worst = max(worst, float(np.abs(ours - theirs.values[order]).max()))
        result[kind] = {
            "largest_difference": worst,
            "seconds_for_all_cells": round(seconds / len(cells) * rows.size, 1),
        }
    return result


def large(args: argparse.Namespace) -> dict[str, Any]:
    """Fit and refine 100,000 respondents, and take the memory."""
    known = sim.random_network(60, 4, 3, args.seed)
    codes = sim.sample(known, 100_000, args.seed)
    start = time.perf_counter()
    network = PersonaNetwork.fit(codes, [4] * 60, max_parents=4)
    middle = time.perf_counter()
    refine(network, codes, reports="facts")
    after = time.perf_counter()
    refine(network, codes)
    return {
        "fit_seconds": round(middle - start, 2),
        "facts_seconds": round(after - middle, 2),
        "noisy_seconds": round(time.perf_counter() - after, 2),
        "peak_mb": peak_mb(),
    }


def simulate(args: argparse.Namespace) -> dict[str, Any]:
    rows = []
    for n in args.simulate:
        for row in sim.as_rows(
            sim.study(
                n,
                wrong=args.wrong,
                removed=args.removed,
                concentration=args.concentration,
                seed=args.seed,
            )
        ):
            print(
                f"{row['option']:34} n={n:<6} wrong {row['wrong_before']:.4f} -> "
                f"{row['wrong_after']:.4f}  gain {row['gain']:+.4f} "
                f"[{row['low']:+.4f}, {row['high']:+.4f}]  filled {row['filled']:.2f}, "
                f"{row['filled_right']:.3f} of them rightly",
                file=sys.stderr,
            )
            rows.append(row)
    return {"wrong": args.wrong, "removed": args.removed, "outcomes": rows}


def write(args: argparse.Namespace) -> dict[str, Any]:
    known = sim.random_network(args.dimensions, args.values, args.max_parents, args.seed)
    codes = sim.sample(known, args.rows, args.seed)
    header = ",".join(f"d{i}" for i in range(args.dimensions))
    np.savetxt(args.sample, codes, fmt="%d", delimiter=",", header=header, comments="")
    return {"file": str(args.sample), "rows": args.rows, "dimensions": args.dimensions}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--data", type=Path, help="CSV file, one column per dimension")
    what.add_argument("--sample", type=Path, help="write such a file from a random network")
    what.add_argument("--refine", action="store_true")
    what.add_argument("--simulate", type=int, nargs="+", metavar="RESPONDENTS")
    what.add_argument("--large", action="store_true")
    parser.add_argument("--score", choices=["bds", "bdeu", "bic"], default="bds")
    parser.add_argument("--iss", type=float, default=10.0)
    parser.add_argument("--search", choices=["hc", "tabu"], default="tabu")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--peers", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--rows", type=int, default=5000)
    parser.add_argument("--dimensions", type=int, default=60)
    parser.add_argument("--values", type=int, default=4)
    parser.add_argument("--max-parents", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--wrong", type=float, default=0.1)
    parser.add_argument("--removed", type=float, default=0.1)
    parser.add_argument("--concentration", type=float, default=0.4)
    args = parser.parse_args()
    if args.data:
        result = structure(args)
    elif args.sample:
        result = write(args)
    elif args.refine:
        result = refinement(args)
    elif args.large:
        result = large(args)
    else:
        result = simulate(args)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
