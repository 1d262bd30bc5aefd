"""The project that ships with LUPoM, copied to a folder of its own."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

ROOT = Path(__file__).parents[2]


INFO = "seeds/gss_2018/gss_2018_info.csv"


RESPONSES = "seeds/gss_2018/gss_2018_responses.csv"


# Vars of a run whose intervals and groups nobody looks at: with the defaults the evaluation is most
# of the time that a run of a few hundred people takes.
FEW_DRAWS: dict[str, object] = {
    "bootstrap_resamples": 20,
    "group_resamples": 10,
    "group_attributes": ["SEX"],
    "value_curve_sizes": [30],
    "plan_questions": 1,
    "plan_smallest": 1000,
    "plan_from": 100,
}


# Of runs in which nothing depends on how good the predictors without an LLM are, either.
SMALL_EVALUATION: dict[str, object] = FEW_DRAWS | {"predictors": ["majority", "logistic_answers"]}


def copy_project(
    folder: Path, *, respondents: int | None = None, base_url: str | None = None
) -> Path:
    """Copy the shipped project, cut to its first respondents, with its LLM at `base_url`."""
    for name in ("models", "prompts", "seeds", "tests/data", "lupom_project.yml"):
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, folder / name)
    if respondents is not None:
        lines = read_csv(folder / RESPONSES)
        write_csv(folder / RESPONSES, lines[: respondents + 1])
    if base_url is not None:
        path = folder / "lupom_project.yml"
        text = path.read_text(encoding="utf-8")
        head, tail = text.split("\nllms:\n")
        rest = tail[tail.index("\nembeddings:") :]
        served = f"  default: {{provider: openai, base_url: {base_url}, model: test-model}}\n"
        path.write_text(f"{head}\nllms:\n{served}{rest}", encoding="utf-8")
    return folder


def run_without_llm(folder: Path) -> Path:
    """Copy the project, and run it over the whole survey without an LLM."""
    from lupom import Project

    copy_project(folder)
    few = {"group_attributes": ["AGE", "SEX"], "group_resamples": 50, "value_curve_sizes": [100]}
    with Project(folder, vars=few) as project:
        result = project.run(no_llm=True)
    assert [node for node in result.nodes if node.status == "error"] == []
    return folder


def read_csv(path: Path) -> list[list[str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def write_csv(path: Path, rows: list[list[str]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)
