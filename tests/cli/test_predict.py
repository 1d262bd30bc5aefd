"""lupom predict: people who were not there get the numbers that the pipeline gives."""

from __future__ import annotations

import csv
import json
import re
import subprocess
import sys
from io import BytesIO
from shutil import copytree
from types import SimpleNamespace

import pandas as pd
import pyreadstat
import pytest

from lupom import LupomError, Project
from tests.support.commands import lupom
from tests.support.shipped import RESPONSES, copy_project

QUICK = ["majority", "logistic_demographics", "neighbours_answers", "logistic_answers"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The shipped project with 400 respondents, its quick predictors fitted."""
    path = copy_project(tmp_path_factory.mktemp("predict") / "project", respondents=400)
    values = path / "lupom_project.yml"
    text = values.read_text().replace("  test_pairs: 1000", "  test_pairs: 150")
    text = text.replace("  tuning_pairs: 1000", f"  tuning_pairs: 200\n  predictors: {QUICK}")
    values.write_text(text.replace("new_respondents: 0", "new_respondents: 10"))
    with Project(path) as project:
        result = project.run(["+fitted_card", "+stacked", "+prediction_sets"], no_llm=True)
        assert result.status == "success"
    return path


@pytest.fixture(scope="module")
def people(folder, tmp_path_factory):
    """The test people of the pipeline as a file: what is known of them, and nothing else."""
    with Project(folder) as project:
        known = project.query(
            "select respondent_id, question_id, answer from known_responses "
            "where answer is not null and respondent_id in "
            "(select respondent_id from known_responses where role = 'test')"
        ).rows()
        attributes = dict(project.query("select respondent_id, attributes from respondents").rows())
        test = project.query(
            "select distinct respondent_id from known_responses where role = 'test'"
        )
    rows = {r: {"respondent_id": r, **attributes[r]} for (r,) in test.rows()}
    for respondent, question, answer in known:
        rows[respondent][question] = answer
    path = tmp_path_factory.mktemp("people") / "people.csv"
    names = list(dict.fromkeys(name for row in rows.values() for name in row))
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows(rows.values())
    return path


def spread(project, table, name, scenario):
    return {
        (respondent, question): dict(probabilities)
        for respondent, question, probabilities in project.query(
            f"select respondent_id, question_id, probabilities from {table} "
            "where predictor = ? and role = 'test' and scenario = ?",
            [name, scenario],
        ).rows()
    }


def test_what_is_not_needed_is_not_imported(folder, people):
    """pandas and scipy's functions are .5 s of CPU, the half of what a command may take."""
    said = subprocess.run(
        [sys.executable, "-c", _TELLING, "predict", str(people), "--project-dir", str(folder)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stderr.splitlines()[-1] == "slow: []"


_TELLING = """
import sys
from lupom.cli import main
try:
    main()
finally:
    slow = {"pandas", "scipy.special", "scipy.linalg", "asyncio", "sqlmodel", "sklearn"}
    print("slow:", sorted(slow & set(sys.modules)), file=sys.stderr)
"""


@pytest.mark.parametrize("scenario", ["known", "new_respondent"])
def test_the_numbers_are_those_of_the_pipeline(folder, people, scenario):
    with Project(folder) as project:
        every = project.predict(people, every=True).df()
        for name in QUICK:
            wanted = spread(project, "baselines", name, scenario)
            own = every[every["predictor"] == name]
            found = {
                (r.respondent_id, r.question_id): dict(r.probabilities) for r in own.itertuples()
            }
            assert len(wanted) > 20
            for pair, probabilities in wanted.items():
                assert found[pair] == pytest.approx(probabilities, abs=1e-9), (name, pair)


def test_so_are_the_combination_and_its_sets(folder, people):
    with Project(folder) as project:
        wanted = spread(project, "stacked", "stack_plain", "known")
        sets = {
            (respondent, question): options
            for respondent, question, options in project.query(
                "select respondent_id, question_id, options from prediction_sets "
                "where predictor = 'stack_plain' and scenario = 'known'"
            ).rows()
        }
        found = {
            (respondent, question): (dict(probabilities), options)
            for _, respondent, question, _, _, _, options, probabilities, *_ in project.predict(
                people
            ).rows()
        }
    assert len(wanted) == 150
    for pair, probabilities in wanted.items():
        assert found[pair][0] == pytest.approx(probabilities, abs=1e-9), pair
        assert found[pair][1] == sets[pair]


def test_one_person_by_what_is_known(folder):
    with Project(folder) as project:
        one = project.predict(
            attributes={"SEX": "Female"},
            answers={"absingle": "Yes"},
            questions=["abany", "natheal"],
        )
        said = dict(zip(one.df()["question_id"], one.df()["probabilities"], strict=True))
        other = project.predict(answers={"absingle": "No"}, questions=["abany"]).df()
        unknown = project.predict(answers={"absingle": None}, questions=["absingle"]).df()
        by_code = project.predict(answers={"absingle": 2.0}, questions=["abany"]).df()
        with pytest.raises(LupomError, match=r"'absingle' has no option '7'.*or codes 1, 2"):
            project.predict(answers={"absingle": 7})
        with pytest.raises(LupomError, match="'SEX' has no value '1'"):
            project.predict(attributes={"SEX": 1})
    assert len(unknown) == 1
    assert by_code.equals(other)
    assert set(said) == {"abany", "natheal"}
    assert dict(said["abany"])["Yes"] > dict(other["probabilities"][0])["Yes"]


def test_what_was_answered_is_not_predicted_and_nothing_is_built(
    folder, tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir(folder)
    file = tmp_path / "people.csv"
    file.write_text("respondent_id,abany,SEX,Notes\na,Yes,Male,tall\nb,,,\n", encoding="utf-8")
    before = (folder / "lupom.duckdb").read_bytes()
    assert lupom("predict", str(file), "--format", "json") == 0
    told = capsys.readouterr()
    assert "note: no question or attribute, and not looked at: Notes\n" in told.err
    rows = json.loads(told.out)
    asked = {who: {r["question_id"] for r in rows if r["respondent_id"] == who} for who in "ab"}
    assert (len(asked["a"]), len(asked["b"])) == (24, 25)
    assert "abany" not in asked["a"]
    assert all(r["answer"] in r["options"] for r in rows)
    assert (folder / "lupom.duckdb").read_bytes() == before


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("abany\nPerhaps\n", r"line 2.*'abany' has no option 'Perhaps'.*there are Yes, No"),
        ("abany,SEX\nYes,Male\nNo,Femal\n", "line 3.*no value 'Femal'.*did you mean 'Female'"),
        ("abanny\nYes\n", "no question or attribute: abanny.*did you mean 'abany'"),
        ("abany,absingl,SEXX\nYes,Yes,Male\n", "absingl, SEXX.*mean 'absingle', 'SEX'"),
        ("Notes\ntall\n", "no column is a question or an attribute: Notes"),
        ("abany,abany\nYes,No\n", "columns 'abany' and 'abany' have the same name"),
        ("abany,ABANY\nYes,No\n", "columns 'abany' and 'ABANY' have the same name"),
        ("abany;SEX\n\nYes;Male\nNo;Femal\n", "line 4.*no value 'Femal'"),
        ("abany\n", "people.csv: there are columns but no rows"),
        ("", "people.csv: the file is empty"),
        ('[{"abany": "Yes"}]', "that is JSON; write it as CSV"),
        ("respondent_id,abany\na,Yes\na,No\n", "line 3.*respondent_id 'a' is that of line 2 too"),
        ("abany\nYes,No\n", "people.csv:2: 2 cells where the header has 1"),
        ("abany,SEX\nYes\n", "people.csv:2: 1 cells where the header has 2"),
        ('abany,Notes\nYes,"tall\nNo,\nNo,\n', "people.csv:2: a quotation.*does not end"),
        ('abany,Notes\nYes,"tall" and thin\n', "people.csv:2: .*expected after"),
    ],
)
def test_mistakes_in_a_file_are_told(folder, tmp_path, text, said):
    file = tmp_path / "people.csv"
    file.write_text(text, encoding="utf-8")
    with Project(folder) as project, pytest.raises(LupomError) as told:
        project.predict(file)
    assert re.search(said, " ".join(str(told.value).replace(f"{file}:", "line ").split()))


def test_a_file_of_another_survey_of_the_project_is_told_to_be_that(folder, tmp_path):
    project_folder = copytree(folder, tmp_path / "project")
    seeds = project_folder / "seeds" / "panel"
    seeds.mkdir()
    (seeds / "panel_info.csv").write_text("key,question\ntrust,Trust?\nhealth,Well?\n")
    (seeds / "panel_metadata.csv").write_text("key,options\nTOWN,\"['A', 'B']\"\n")
    with Project(project_folder) as project, pytest.raises(LupomError) as told:
        project.predict([{"TRUST": "Yes", "Town": "A", "height": "180"}])
    assert "no column is a question or an attribute: TRUST, Town, height" in str(told.value)
    assert "2 of 3 columns are of survey 'panel': --survey panel" in str(told.value)


def test_a_raw_age_is_put_into_the_survey_s_ranges(folder):
    with Project(folder) as project:
        with pytest.warns(UserWarning, match="'AGE' are read as its ranges: 34 is '30-49'"):
            raw = project.predict([{"AGE": 34, "abany": "Yes"}], questions="natheal").rows()
        person = {"attributes": {"AGE": 34}, "answers": {"abany": "Yes"}}
        assert project.predict(**person, questions="natheal").rows() == raw
        ranged = project.predict([{"AGE": "30-49", "abany": "Yes"}], questions="natheal")
    assert ranged.rows() == raw


def test_an_open_answer_may_be_long_and_have_lines(folder, tmp_path):
    """131,072 characters are the most that Python's csv takes by itself."""
    file = tmp_path / "people.csv"
    answer = "It depends.\n" * 20_000
    file.write_text(f'abany,SEX,Notes\nYes,Male,"{answer}"\nNo,Female,\n', encoding="utf-8")
    plain = [{"abany": "Yes", "SEX": "Male"}, {"abany": "No", "SEX": "Female"}]
    with Project(folder) as project:
        with pytest.warns(UserWarning, match="not looked at: Notes"):
            found = project.predict(file, questions=["natheal"]).rows()
        assert [row[2:] for row in found] == [
            row[2:] for row in project.predict(plain, questions=["natheal"]).rows()
        ]


@pytest.mark.parametrize("parted", [",", ";", "\t"])
def test_case_blanks_and_what_parts_the_cells_do_not_matter(folder, tmp_path, parted):
    rows = [["Respondent_ID", " ABANY", "sex"], ["2", "yes ", " FEMALE "], ["", "No", "male"]]
    file = tmp_path / "people.csv"
    file.write_text("\n".join(map(parted.join, rows)) + "\n", encoding="utf-8")
    plain = [
        {"respondent_id": "2", "abany": "Yes", "SEX": "Female"},
        {"respondent_id": "row 2", "abany": "No", "SEX": "Male"},
    ]
    with Project(folder) as project:
        found = project.predict(file, questions=["natheal"]).rows()
        assert found == project.predict(plain, questions=["natheal"]).rows()
    assert [row[1] for row in found] == ["2", "row 2"]


@pytest.mark.parametrize("blank", [None, float("nan"), pd.NA, pd.NaT, "", "  "])
def test_a_blank_cell_of_any_kind_is_not_known(folder, blank):
    with Project(folder) as project:
        asked = {"questions": ["natheal"]}
        plain = project.predict([{"SEX": "Male", "absingle": "No"}], **asked).rows()
        person = {"SEX": "Male", "absingle": "No", "abany": blank, "RACE": blank}
        assert project.predict([person], **asked).rows() == plain
        one = project.predict(attributes={"SEX": "Male"}, answers={"abany": blank}, **asked)
        assert one.rows() == project.predict(attributes={"SEX": "Male"}, **asked).rows()


def test_other_questions_are_no_misspellings(folder):
    """A survey's file has questions that the project has not, with names that are much alike."""
    told = []
    one = {"natheal": None, "nathealy": "Too little", "abany": "Yes", "respondent": "7"}
    with Project(folder) as project:
        project.predict([one], questions=["natheal"], note=told.append)
        with pytest.warns(UserWarning, match="not looked at: nathealy") as warned:
            project.predict([one], questions=["natheal"])
    assert warned[0].filename == __file__
    assert len(told) == 1
    assert re.search("nathealy.*, respondent .did you mean 'respondent_id'", told[0])


def test_the_card_says_what_is_fitted(folder):
    with Project(folder) as project:
        rows = project.query(
            "select predictor, people, tuning_pairs, parts, length(sha256) from fitted_card"
        ).rows()
    cards = {name: rest for name, *rest in rows}
    assert set(cards) == {*QUICK, "stack_plain"}
    assert all(0 < cards[name][0] < 400 for name in QUICK)
    assert cards["stack_plain"][1] == 200
    assert set(cards["stack_plain"][2]) <= set(QUICK)
    assert {length for *_, length in rows} == {64}


def test_many_people_are_worked_in_blocks(folder, people, monkeypatch):
    asked = {"questions": ["natheal", "abany"], "every": True}
    with Project(folder) as project:
        whole = project.predict(people, **asked).arrow
        monkeypatch.setattr("lupom.predicting.BLOCK", 7)
        parts = project.predict(people, **asked).arrow
    assert len(whole) > 4 * 7 * len(QUICK)
    same = [name for name in whole.column_names if name not in ("probability", "probabilities")]
    assert parts.select(same).equals(whole.select(same))
    assert parts["probability"].to_pylist() == pytest.approx(whole["probability"].to_pylist())


def test_sets_take_tuning_pairs(folder, tmp_path):
    """Of few pairs there are no thresholds: that the column is blank is told, with their number."""
    few = {"tuning_pairs": 20, "test_pairs": 150}
    own = copytree(folder, tmp_path / "project")
    with Project(own, vars=few) as project:
        with pytest.raises(LupomError, match="built with other vars than those given now"):
            project.predict(answers={"abany": "Yes"})
        assert project.run("+fitted_stack", no_llm=True).status == "success"
        told = []
        rows = project.predict(answers={"abany": "Yes"}, note=told.append).df()
    assert told == [
        "options are blank: they take 30 tuning pairs (var tuning_pairs), of which there are 20"
    ]
    assert rows["options"].isna().all()


def test_where_nothing_is_built_the_hint_builds_all(tmp_path):
    with Project(copy_project(tmp_path / "project", respondents=50)) as project:
        project.run("settings")
        with pytest.raises(LupomError, match=r"lupom run --select \+fitted_stack"):
            project.predict(answers={"abany": "Yes"})


def test_what_is_not_fitted_is_told():
    from lupom.science.predictors import fitted, new_people

    nothing = fitted.FITTED.empty_table(), new_people.FITTED_STACK.empty_table()
    with pytest.raises(ValueError, match="nothing was fitted for the survey s"):
        new_people.read(*nothing, "s")


def test_the_file_that_was_imported_is_one_of_people(folder, capsys, monkeypatch):
    """Codes, ids in a column of their own, a column of which nothing is learned."""
    monkeypatch.chdir(folder)
    rows = (folder / RESPONSES).read_text(encoding="utf-8").splitlines()[:21]
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=BytesIO("\n".join(rows).encode())))
    assert lupom("predict", "-", "--format", "json") == 0
    out, err = capsys.readouterr()
    assert err == "note: no question or attribute, and not looked at: gss_id\n"
    asked = [(row["respondent_id"], row["question_id"]) for row in json.loads(out)]
    cells = [dict(zip(rows[0].split(","), row, strict=True)) for row in csv.reader(rows[1:])]
    names = [name for name in cells[0] if name.startswith(("nat", "ab"))]
    assert len(names) == 25
    wanted = {(row["index"], name) for row in cells for name in names if not row[name]}
    assert set(asked) == wanted
    assert len(asked) == len(wanted)


def test_a_wave_in_the_form_of_the_first(tmp_path, monkeypatch, capsys):
    """What the codebook says of columns and codes holds of the next file, in any format."""
    monkeypatch.chdir(tmp_path)
    labels = {"mood": {1: "Bad", 2: "Fair", 3: "Good", 9: "Refused"}, "sex": {1: "Man", 2: "Woman"}}
    people = range(120)
    wave = pd.DataFrame(
        {
            "caseid": [f"a{i}" for i in people],
            "mood": [(1, 2, 3, 9)[i % 4] for i in people],
            "walks": [(1, 2)[i % 4 < 2] for i in people],
            "sex": [1 + i % 2 for i in people],
            "weight": [1.5 for _ in people],
        }
    )
    labels["walks"] = {1: "Yes", 2: "No"}
    pyreadstat.write_sav(wave, "wave1.sav", variable_value_labels=labels)
    assert lupom("init", "pets", "--from", "wave1.sav") == 0
    monkeypatch.chdir(tmp_path / "pets")
    few = "{predictors: [majority, logistic_answers], tuning_pairs: 60, test_pairs: 10}"
    assert lupom("run", "--select", "+fitted_stack", "--vars", few) == 0
    second = wave.head(8).assign(walks=None, caseid=[f"b{i}" for i in range(8)])
    pyreadstat.write_sav(second, "w2.sav", variable_value_labels=labels)
    second.to_csv("w2.csv", index=False)
    capsys.readouterr()
    said = []
    for name in ("w2.sav", "w2.csv"):
        assert lupom("predict", name, "--format", "json", "--vars", few) == 0
        out, err = capsys.readouterr()
        assert err == ""
        said.append(json.loads(out))
    assert said[0] == said[1]
    walks = {r["respondent_id"]: r["answer"] for r in said[0] if r["question_id"] == "walks"}
    assert [walks[f"b{i}"] for i in range(3)] == ["No", "No", "Yes"]
    moods = {r["respondent_id"] for r in said[0] if r["question_id"] == "mood"}
    assert moods == {"b3", "b7"}, "who refused is predicted"


def test_one_name_is_one_question_and_no_letters(folder):
    with Project(folder) as project:
        one = project.predict(answers={"abany": "Yes"}, questions="natheal").rows()
        assert one == project.predict(answers={"abany": "Yes"}, questions=["NATHEAL"]).rows()
        with pytest.raises(LupomError, match="questions are names, and 3 is a int"):
            project.predict(answers={"abany": "Yes"}, questions=3)
        with pytest.raises(LupomError, match="--key: no column 'respondent' "):
            project.diff("questions", key="respondent")


@pytest.mark.parametrize(
    ("people", "said"),
    [
        ({"abany": "Yes"}, "one person: attributes="),
        ([["abany", "Yes"]], "person 1 is a list"),
        (7, "these are no people: expected a table"),
        ([{"abany": "Yes", "ABANY": "No"}], "'abany' and 'ABANY' have the same name"),
        ([{"abany": "Yes"}, {"abany": "Perhaps"}], "person 2: 'abany' has no option 'Perhaps'"),
        (pd.DataFrame([["Yes", "No"]], columns=["abany", "abany"]), "abany"),
        ([], "nobody to predict"),
        (pd.DataFrame({"abany": []}), "nobody to predict"),
    ],
)
def test_what_are_no_people_is_told(folder, people, said):
    with Project(folder) as project, pytest.raises(LupomError, match=said):
        project.predict(people)
