"""lupom estimate: what was built, by question, group and method; a codebook's design columns."""

from __future__ import annotations

import csv
import io
import json

import pytest

import lupom as package
from lupom import Project
from tests.support.commands import lupom
from tests.support.shipped import copy_project

SELECT = "+estimates"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The shipped project with 300 respondents, its estimates built without an LLM."""
    path = copy_project(tmp_path_factory.mktemp("estimate") / "project", respondents=300)
    values = {"group_attributes": ["SEX"], "test_pairs": 50, "tuning_pairs": 50}
    with Project(path, vars=values) as project:
        assert project.run(SELECT, no_llm=True).status == "success"
    return path


@pytest.fixture
def ask(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)

    def ask(*arguments):
        code = lupom("estimate", *arguments)
        out = capsys.readouterr()
        return code, out.out, out.err

    return ask


def test_a_question_s_shares_with_their_intervals(ask, folder):
    code, out, err = ask("natspac", "--format", "json")
    assert (code, err) == (0, "")
    rows = json.loads(out)
    assert [(r["statistic"], r.get("option")) for r in rows] == [
        *[("share", option) for option in ("Too little", "About right", "Too much")],
        ("mean", None),
    ]
    assert sum(r["estimate"] for r in rows[:3]) == pytest.approx(1)
    assert all(r["low"] < r["estimate"] < r["high"] and r["valid"] for r in rows)
    with Project(folder) as project:
        assert [tuple(r.values()) for r in rows] == project.estimate("natspac").rows()


def test_groups_and_their_difference(ask):
    _, out, _ = ask("natspac", "--by", "sex", "--format", "csv")
    assert {row["group"] for row in csv.DictReader(io.StringIO(out))} == {"Male", "Female"}
    _, out, _ = ask("natspac", "--by", "SEX", "--differences", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert len({(row["group"], row["against"]) for row in rows}) == 1
    assert len(rows) == 4


def test_every_method_and_a_table_to_read(ask):
    code, out, _ = ask("abany", "--all")
    assert code == 0
    assert "classical" in out
    assert "ridge_answers" in out


def test_groups_of_few_answers_are_named(tmp_path):
    path = copy_project(tmp_path / "project", respondents=120)
    values = {"group_attributes": ["MARITAL"], "test_pairs": 50, "tuning_pairs": 50}
    with Project(path, vars=values) as project:
        assert project.run(SELECT, no_llm=True).status == "success"
        told = []
        rows = project.estimate("natspac", by="MARITAL", note=told.append).df()
        with pytest.warns(UserWarning, match="left out") as warned:
            project.estimate("natspac", by="MARITAL")
        people = project.query(
            "select attributes['MARITAL'], count(*) from respondents group by 1"
        ).rows()
    assert warned[0].filename == __file__
    (said,) = told
    assert said.startswith("left out, with too few people for estimate_smallest (20): ")
    named = {part.rsplit(" ", 1)[0] for part in said.split(": ")[1].split(", ")}
    assert named | set(rows["group"]) == {group for group, _ in people if group}
    assert not named & set(rows["group"])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("natspc",), "no estimates of the question 'natspc'"),
        (("natspac", "--by", "GENDER"), "the estimates have no attribute 'GENDER'"),
        (("natspac", "--survey", "gss"), "there are gss_2018"),
        (("natspac", "--differences"), "--by ATTRIBUTE"),
    ],
)
def test_slips_are_told_in_words(ask, arguments, said):
    code, out, err = ask(*arguments)
    assert (code, out) == (2, "")
    assert said in err


def test_before_they_are_built(tmp_path, monkeypatch, capsys):
    path = copy_project(tmp_path / "project", respondents=20)
    monkeypatch.chdir(path)
    assert lupom("estimate") == 1
    assert "lupom run builds it" in capsys.readouterr().err


def test_design_columns_of_a_codebook_reach_the_intervals(folder, tmp_path):
    """Twenty interviewers, each of whom hears one answer only."""
    file = tmp_path / "visits.csv"
    rows = "".join(
        f"{i},{('Yes', 'No')[i % 20 < 8]},{('Good', 'Bad', 'Fair')[i % 3]},{i % 20}\n"
        for i in range(400)
    )
    file.write_text(f"id,Do you agree?,How is it?,interviewer\n{rows}", encoding="utf-8")
    package.import_survey(file, folder)
    book = folder / "codebooks" / "visits.codebook.yml"
    text = book.read_text(encoding="utf-8").replace("design: []", "design: [interviewer]")
    start = text.index("- column: interviewer")
    end = min(
        (
            place
            for mark in ("\n- column", "\nattributes:", "\nignored:")
            if (place := text.find(mark, start)) > 0
        ),
    )
    book.write_text(text[:start].rstrip(" ") + text[end + 1 :], encoding="utf-8")
    package.import_survey(file, folder)
    errors = []
    for design in ({}, {"cluster": "interviewer"}):
        values = {"surveys": ["visits"], "survey_design": design}
        with Project(folder, vars=values) as project:
            assert project.run(SELECT, no_llm=True).status == "success"
            errors.append(
                project.query(
                    "select std_error from estimates where option = 'Yes' and method = 'classical'"
                ).rows()[0][0]
            )
    # 20 clusters say what 400 people seem to: the error is 4.5 times as large.
    assert errors[1] / errors[0] == pytest.approx(20**0.5, rel=0.05)
