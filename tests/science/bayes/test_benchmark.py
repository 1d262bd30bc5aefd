import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[3] / "benchmarks" / "bayes.py"


def last_line(*arguments):
    command = [sys.executable, str(SCRIPT), "--no-peers", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.strip().splitlines()[-1])


@pytest.mark.parametrize(("score", "search"), [("bds", "hc"), ("bic", "tabu")])
def test_a_search_over_a_file_ends_with_one_line_of_json(tmp_path, score, search):
    file = tmp_path / "data.csv"
    last_line("--sample", str(file), "--rows", "400", "--dimensions", "6")
    found = last_line("--data", str(file), "--score", score, "--search", search)
    assert set(found) == {"search", "score", "edges", "seconds", "peak_mb"}
    assert found["score"] < 0
    assert found["edges"] > 0
