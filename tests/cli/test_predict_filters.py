"""lupom predict and Interview where some questions are asked of some people only."""

from __future__ import annotations

import csv
import json
from io import StringIO

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from lupom import Interview, Project, predicting
from lupom.engine.run.tables import Table
from tests.support.commands import lupom

VARS = {
    "predictors": ["majority", "logistic_demographics", "logistic_answers"],
    "tuning_pairs": 200,
    "test_pairs": 50,
}


def people(n, seed):
    """People of a town: the young work more, who works has a boss or not, who has one likes them or
    not; the content answer so."""
    rng = np.random.default_rng(seed)
    young = rng.random(n) < 0.5
    content = rng.random(n) < 0.5
    work = rng.random(n) < np.where(young, 0.8, 0.3)
    boss = rng.random(n) < 0.6
    likes = rng.random(n) < np.where(content, 0.85, 0.2)
    told = {
        "age_group": np.where(young, "18-40", "41-90"),
        "mood": np.where(rng.random(n) < np.where(content, 0.9, 0.1), "Good", "Bad"),
        "sleep": np.where(rng.random(n) < np.where(content, 0.8, 0.3), "Well", "Badly"),
        "work": np.where(work, "Yes", "No"),
        "boss": np.where(work, np.where(boss, "Yes", "No"), ""),
        "likes_boss": np.where(work & boss, np.where(likes, "Yes", "No"), ""),
    }
    return pd.DataFrame({"respondent_id": [f"p{seed}_{i}" for i in range(n)], **told})


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("filters")
    people(1500, 1).to_csv(path / "town.csv", index=False)
    assert lupom("init", str(path / "town"), "--from", str(path / "town.csv")) == 0
    with Project(path / "town", vars=VARS) as project:
        run = project.run(["+fitted_stack", "+closed_questions", "+respondents"], no_llm=True)
        assert run.status == "success"
    return path / "town"


def test_what_is_known_rules_out_is_not_predicted_as_if_asked(folder):
    known = {"work": "No", "mood": "Good"}
    with Project(folder, vars=VARS) as project:
        rows = {r["question_id"]: r for r in project.predict(answers=known).arrow.to_pylist()}
        every = project.predict(answers=known, questions=["boss"], every=True).arrow.to_pylist()
        only = project.predict(answers={"work": "No"}, questions=["likes_boss"]).arrow.to_pylist()
    assert set(rows) == {"sleep", "boss", "likes_boss"}
    for name in ("boss", "likes_boss"):
        row = rows[name]
        assert row["asked"] == 0
        assert row["ruled_out_by"] == ["work: No"]
        for column in ("answer", "probability", "options", "probabilities"):
            assert row[column] is None, column
    assert rows["sleep"]["answer"] == "Well"
    assert (rows["sleep"]["asked"], rows["sleep"]["ruled_out_by"]) == (1, None)
    assert sorted(r["predictor"] for r in every) == sorted(VARS["predictors"])
    assert [r["ruled_out_by"] for r in [*every, *only]] == [["work: No"]] * 4


def test_an_open_filter_gives_the_probability_that_a_question_is_asked(folder):
    """New people of the same town, of whom age and mood are known: how many are asked what."""
    truth = people(4000, 2)
    asked = truth.assign(work="", boss="", likes_boss="")
    with Project(folder, vars=VARS) as project:
        said = project.predict(asked).df()
    for name in ("boss", "likes_boss"):
        own = said[said["question_id"] == name].set_index("respondent_id")
        true = (truth.set_index("respondent_id")[name] != "")[own.index]
        for age in ("18-40", "41-90"):
            here = truth.set_index("respondent_id")["age_group"][own.index] == age
            share = own["asked"][here].mean()
            # Of 1,500 people learned from, and 2,000 that are judged by.
            error = 3 * np.sqrt(0.25 / 400 + 0.25 / 2000)
            assert abs(share - true[here].mean()) < error, (name, age)
        # What is predicted is the answer of those who are asked.
        there = own[true]
        right = truth.set_index("respondent_id")[name][there.index]
        assert abs(there["probability"].mean() - (there["answer"] == right).mean()) < 0.08
    work = said[said["question_id"] == "work"].set_index("respondent_id")
    assert (work["asked"] == 1).all()
    # That boss is blank is no sign of "No": nobody has been asked yet.
    yes = (truth.set_index("respondent_id")["work"] == "Yes")[work.index]
    likely = work["probabilities"].map(lambda p: dict(p)["Yes"])
    assert likely.mean() == pytest.approx(yes.mean(), abs=0.05)


def test_an_answer_that_hangs_on_a_filter_says_how_that_was_answered(folder):
    with Project(folder, vars=VARS) as project:
        rows = project.predict(answers={"boss": "Yes"}).arrow.to_pylist()
    said = {r["question_id"]: r for r in rows}
    assert said["likes_boss"]["asked"] == pytest.approx(1)
    assert dict(said["work"]["probabilities"])["Yes"] > 0.8


def test_filters_change_no_number_of_what_is_predicted(folder, monkeypatch):
    """With the filter's answer and without: the same people, and none of them left out."""
    some = people(300, 3).assign(sleep="", boss="", likes_boss="")
    with Project(folder, vars=VARS) as project:
        whole = project.predict(some).df()
        monkeypatch.setattr("lupom.science.planning.screening.Screening.ruled_out", none_is)
        free = project.predict(some).df()
    there = whole["answer"].notna()
    assert 0 < (~there).sum() < there.sum()
    assert (whole["ruled_out_by"].notna() == ~there).all()
    for column in ("respondent_id", "question_id"):
        assert (whole[column] == free[column]).all()
    assert (whole["answer"] == free["answer"])[there].all()
    spread = zip(whole["probabilities"][there], free["probabilities"][there], strict=True)
    assert all(dict(one) == pytest.approx(dict(other), abs=1e-12) for one, other in spread)


def none_is(self, values):
    return np.zeros((len(values), self.bars.shape[1]), dtype=bool)


def test_all_forms_say_it(folder, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    people(6, 4).assign(work="No", boss="").to_csv(tmp_path / "six.csv", index=False)
    given = ("predict", str(tmp_path / "six.csv"), "--question", "boss", "--vars", json.dumps(VARS))
    assert lupom(*given, "--format", "csv") == 0
    rows = list(csv.DictReader(StringIO(capsys.readouterr().out)))
    assert [(r["answer"], r["probabilities"], r["asked"]) for r in rows] == [("", "", "0.0")] * 6
    assert {r["ruled_out_by"] for r in rows} == {'["work: No"]'}
    assert lupom(*given, "--format", "json") == 0
    rows = json.loads(capsys.readouterr().out)
    assert [r["ruled_out_by"] for r in rows] == [["work: No"]] * 6
    assert [r["answer"] for r in rows] == [None] * 6
    with Project(folder, vars=VARS) as project:
        pq.write_table(project.predict(tmp_path / "six.csv").arrow, tmp_path / "said.parquet")
    rows = pq.read_table(tmp_path / "said.parquet").to_pylist()
    assert [r["asked"] for r in rows if r["question_id"] == "boss"] == [0] * 6


def test_of_a_table_that_keeps_no_filters_it_is_told(folder, monkeypatch):
    """One that was built before there were such: all else is as it was."""

    def before(context, name):
        table = standing(context, name).arrow
        kept = [column for column in table.column_names if column != "filters"]
        return Table(table.select(kept))

    standing = predicting.standing
    monkeypatch.setattr(predicting, "standing", before)
    told: list[str] = []
    with Project(folder, vars=VARS) as project:
        rows = project.predict(answers={"work": "No"}, note=told.append).df()
    assert told == [
        "asked is blank: filters are kept with the combination, and fitted_stack has none"
        " (lupom run --select +fitted_stack; in a project of before filters were kept, take"
        " models/prediction/fitted_stack.py from a new one, which `lupom init` makes, first)"
    ]
    assert rows["asked"].isna().all()
    assert rows["answer"].notna().all()


def test_of_fits_that_saw_what_hangs_on_a_filter_it_is_told(folder, monkeypatch):
    monkeypatch.setattr("lupom.science.predictors.new_people.Fitted.layers", [])
    told: list[str] = []
    with Project(folder, vars=VARS) as project:
        project.predict(answers={"mood": "Good"}, note=told.append)
    assert [text.split(":")[0] for text in told] == [
        "boss and what else tells who is asked a question is predicted as of people who left that"
        " blank"
    ]


def test_an_interview_asks_and_predicts_nothing_that_is_ruled_out(folder):
    with Project(folder, vars=VARS) as project:
        one = Interview(project, attributes={"age_group": "18-40"})
        assert one.ruled_out == {}
        likely = one.predict()
        assert one.asked("boss") == pytest.approx(likely["work"]["Yes"])
        both = likely["work"]["Yes"] * likely["boss"]["Yes"]
        assert one.asked("likes_boss") == pytest.approx(both)
        assert 0.5 < one.asked("boss") < 0.9
        assert one.asked("mood") == 1
        one.answer("work", "Yes")
        assert one.asked("boss") == one.asked("work") == 1
        assert one.asked("likes_boss") == pytest.approx(0.6, abs=0.08)
        one.answer("work", "No", replace=True)
        assert one.ruled_out == {"boss": ["work: No"], "likes_boss": ["work: No"]}
        assert one.asked("likes_boss") == 0
        assert one.predict("boss") == {}
        assert set(one.predict()) == {"work", "mood", "sleep"}
        assert sum(one.predict("mood").values()) == pytest.approx(1)
