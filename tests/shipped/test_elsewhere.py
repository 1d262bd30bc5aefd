"""Predictions made elsewhere in the shipped project, and the example of docs/predictions.md."""

from __future__ import annotations

import csv
import json
import random
import re
import shlex
from pathlib import Path

import pytest

from lupom import Project, import_predictions
from tests.support.commands import lupom
from tests.support.shipped import FEW_DRAWS, copy_project

ROOT = Path(__file__).parents[2]
TWINS = ROOT / "tests" / "support" / "twin_mega_study"
PAGE = (ROOT / "docs" / "predictions.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"<!-- example: human.csv llm.csv -->\n```sh\n(.*?)```", PAGE, re.S)[0]
QUICK = {
    **FEW_DRAWS,
    **{"predictors": ["majority"], "test_pairs": 60, "tuning_pairs": 200},
}


def cut(name: str, people: int = 200, questions: int = 5) -> None:
    """Write the first people and questions of a file of the study where we are."""
    with (TWINS / name).open(newline="", encoding="utf-8") as file:
        lines = [row[: questions + 1] for row in csv.reader(file)][: people + 1]
    with open(name, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(lines)


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """The page's example, run on some of the people."""
    folder = tmp_path_factory.mktemp("study")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        cut("human.csv")
        cut("llm.csv")
        for command in COMMANDS.splitlines():
            words = shlex.split(command)[1:]
            if words[0] == "run":
                words += ["--select", "+leaderboard +router", "--vars", json.dumps(QUICK)]
            assert lupom(*words) == 0, command
    return folder / "study"


def test_the_example_is_scored_beside_the_others(study):
    with Project(study) as project:
        board = project.query("select predictor, llm, pairs, n from leaderboard").rows()
        names = {(predictor, llm) for predictor, llm, _, _ in board}
        assert {("elsewhere", "twins"), ("stack", "twins"), ("majority", None)} <= names
        # Nobody was asked, so that there are no pairs of an LLM's.
        assert {pairs for _, _, pairs, _ in board} == {"all"}
        assert len({n for *_, n in board}) == 1
        assert project.query("select count(*) from router where llm = 'twins'").rows() != [(0,)]
        assert project.query("select count(*) from lupom.calls").rows() == [(0,)]
    assert "elsewhere (twins)" in (study / "target" / "report.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def board(tmp_path_factory):
    """The General Social Survey's first people, predicted by three who know some answers.

    `seer` knows all of them, `half` those of half the test pairs, and `lucky` those of the test
    pairs while it guesses the tuning pairs. Rows of the leaderboard by (pairs, predictor, llm).
    """
    folder = copy_project(tmp_path_factory.mktemp("gss") / "project", respondents=150)
    with Project(folder, vars=QUICK) as project:
        project.run(select="+holdout questions")
        rows = project.query(
            "select respondent_id, question_id, answer, options, role from holdout"
            " join questions using (survey, question_id)"
            " order by role, md5(concat(respondent_id, question_id))"
        ).rows()
    draw = random.Random(1)
    test = [row[:3] for row in rows if row[4] == "test"]
    guessed = [(r, q, draw.choice(options)) for r, q, _, options, role in rows if role == "tuning"]
    said = {"seer": [row[:3] for row in rows], "half": test[::2], "lucky": test + guessed}
    for name, pairs in said.items():
        path = folder / f"{name}.csv"
        lines = ["respondent_id,question_id,answer", *(f'{r},{q},"{a}"' for r, q, a in pairs)]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        imported = import_predictions(path, folder)
        assert (imported.rows, imported.named) == (len(pairs), True)
    with Project(folder, vars=QUICK) as project:
        assert project.run(select="+leaderboard", no_llm=True).status == "success"
        columns = "pairs, predictor, llm, accuracy, n, nll"
        found = project.query(f"select {columns} from leaderboard").rows()
    return {tuple(row[:3]): row[3:] for row in found}


def test_the_stack_hears_who_was_right_on_tuning_pairs(board):
    plain = board["all", "stack_plain", None][0]
    assert board["all", "elsewhere", "seer"][0] == 1.0
    assert board["all", "stack", "seer"][0] > plain + 0.2


def test_the_stack_does_not_hear_who_was_right_on_test_pairs_alone(board):
    assert board["all", "elsewhere", "lucky"][0] == 1.0
    # Two hundred guesses look by chance as if they told a little: of what seer gains a hundredth.
    plain = board["all", "stack_plain", None][2]
    assert plain - board["all", "stack", "seer"][2] > 0.5
    assert abs(board["all", "stack", "lucky"][2] - plain) < 0.005


def test_who_predicts_some_pairs_is_judged_on_these_with_everyone(board):
    count = board["all", "majority", None][1]
    own = {key[1:]: n for key, (_, n, _) in board.items() if key[0] == "half"}
    assert set(own.values()) == {-(-count // 2)}
    assert {("elsewhere", "half"), ("elsewhere", "seer"), ("majority", None)} <= set(own)
    assert ("all", "elsewhere", "half") not in board
