"""lupom ask: which questions tell most of the others, and what to ask a person next."""

from __future__ import annotations

import json
import re
import shutil

import duckdb
import pytest

import lupom as package
from lupom import Interview, Project
from tests.support.commands import lupom
from tests.support.shipped import copy_project


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The shipped project with 300 respondents and its plan of three questions."""
    path = copy_project(tmp_path_factory.mktemp("ask") / "project", respondents=300)
    values = {"group_attributes": ["SEX"], "plan_questions": 3}
    with Project(path, vars=values) as project:
        assert project.run("+question_plan").status == "success"
    return path


@pytest.fixture
def ask(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)

    def ask(*arguments):
        code = lupom("ask", *arguments)
        out = capsys.readouterr()
        return code, out.out, out.err

    return ask


def test_questions_in_their_order_with_what_is_left(ask, folder):
    code, out, err = ask("--format", "json")
    assert (code, err) == (0, "")
    rows = json.loads(out)
    assert [r["questions"] for r in rows] == [0, 1, 2, 3]
    assert all(r["question"] for r in rows[1:])
    assert all(r["low"] < r["nll"] < r["high"] for r in rows)
    with Project(folder) as project:
        assert [tuple(r.values()) for r in rows] == project.ask().rows()


def test_other_ways_to_choose_and_groups(ask):
    _, out, _ = ask("--all", "--format", "json")
    assert {r["strategy"] for r in json.loads(out)} == {"chosen", "adaptive", "entropy", "random"}
    _, out, _ = ask("--by", "sex", "--format", "json")
    assert {r["group"] for r in json.loads(out)} == {"Female", "Male"}


def test_a_form_that_the_least_certain_questions_beat_is_told(folder, tmp_path):
    path = tmp_path / "project"
    shutil.copytree(folder, path)
    with duckdb.connect(str(path / "lupom.duckdb")) as store:
        store.execute(
            "update question_plan set difference = -0.02, difference_high = -0.01 "
            "where strategy = 'entropy' and questions = 3"
        )
    with Project(path) as project:
        told = []
        project.ask(note=told.append)
        project.ask(every=True, note=told.append)
    [said] = told
    assert said.startswith("gss_2018: the 3 least certain questions leave 0.020 nats less than")


def test_groups_of_few_people_are_named_with_how_many_they_are(tmp_path):
    path = copy_project(tmp_path / "project", respondents=60)
    values = path / "lupom_project.yml"
    few = "vars:\n  plan_questions: 1\n  plan_smallest: 30\n"
    values.write_text(values.read_text().replace("vars:\n", few, 1))
    with Project(path) as project:
        assert project.run("+question_plan").status == "success"
        told = []
        rows = project.ask(by="SEX", note=told.append).df()
        with pytest.raises(package.LupomError) as caught:
            project.ask(by="POLIDEOLOGY")
    with Project(path, vars={"group_attributes": ["SEX"], "plan_questions": 1}) as project:
        project.run("question_plan")
        with pytest.raises(package.LupomError, match="'RACE': the var group_attributes names SEX"):
            project.ask(by="RACE")
    sizes = dict(part.rsplit(" ", 1) for part in told[0].split(": ")[1].split(", "))
    assert re.match(r"left out, with too few people for plan_smallest \(30\): ", told[0])
    assert set(sizes) | set(rows["group"]) == {"Male", "Female"}
    assert all(int(count) < 30 for count in sizes.values())
    said = str(caught.value)
    assert "no groups of 'POLIDEOLOGY': none has plan_smallest (30) people; Moderate " in said


def test_what_to_ask_a_person_next(ask, folder):
    code, out, err = ask("--answer", "abany=Yes", "--known", "SEX=Female", "--format", "json")
    assert (code, err) == (0, "")
    rows = json.loads(out)
    assert "abany" not in {r["question_id"] for r in rows}
    assert [r["nats_saved"] for r in rows] == sorted((r["nats_saved"] for r in rows), reverse=True)
    with Project(folder) as project:
        interview = Interview(project, attributes={"SEX": "Female"})
        interview.answer("abany", "Yes")
        assert interview.next() == rows[0]["question_id"]


def test_a_number_that_is_no_option_is_told(folder):
    with Project(folder) as project:
        interview = Interview(project)
        with pytest.raises(package.LupomError, match="'absingle' has no option '7'"):
            interview.answer("absingle", 7)
        interview.answer("absingle", 1)
        assert interview.answers == {"absingle": "Yes"}, "1 is its code"
        with pytest.raises(package.LupomError, match="'AGE' has no value '-3'"):
            Interview(project, attributes={"AGE": -3})


def test_a_second_answer_is_no_slip_only_if_it_is_said_to_be_none(folder):
    with Project(folder) as project:
        interview = Interview(project)
        with pytest.raises(package.LupomError, match="'SEX' and 'sex' are both the attribute"):
            Interview(project, attributes={"SEX": "Male", "sex": "Female"})
    interview.answer("abany", "Yes")
    interview.answer("ABANY", "yes")
    with pytest.raises(package.LupomError, match="'abany' was answered 'Yes', and now 'No'"):
        interview.answer("Abany", "No")
    assert interview.answers == {"abany": "Yes"}
    interview.answer("abany", "No", replace=True)
    assert interview.answers == {"abany": "No"}
    with pytest.raises(package.LupomError, match="the answer to 'absingle' is blank"):
        interview.answer("absingle", " ")


def test_an_interview_takes_an_open_project(folder):
    with pytest.raises(package.LupomError, match="an open project, and not of a str"):
        Interview(str(folder))


def test_an_interview_takes_mappings(folder):
    with Project(folder) as project:
        with pytest.raises(package.LupomError, match="given by attribute, and not as a list"):
            Interview(project, attributes=["Female"])
        with pytest.raises(package.LupomError, match="given by closed question, and not as a str"):
            Interview(project).take("abany=Yes")


def test_who_does_not_know_is_not_asked_again(folder):
    """A question that is refused tells nothing, and would be the best to ask next for ever."""
    with Project(folder) as project:
        interview = Interview(project)
        first, second = (name for name, _ in interview.ranked()[:2])
        before = interview.predict()
        interview.answer(first, "Don't know")
        assert interview.next() == second
        assert (interview.answers, interview.passed) == ({}, (first,))
        assert interview.predict() == before
        interview.answer(first, None)
        assert interview.next() == first
        asked = project.next_questions({first: "Refused"}).df()["question_id"]
        assert first not in set(asked)


def test_an_interview_learns_from_what_is_said_and_what_is_taken_back(folder):
    with Project(folder) as project:
        interview = Interview(project)
    before = interview.predict("abnomore")["Yes"]
    interview.answer("absingle", "Yes")
    assert interview.predict("abnomore")["Yes"] > before + 0.1
    assert interview.answers == {"absingle": "Yes"}
    assert interview.predict("absingle") == {"Yes": 1.0, "No": 0.0}
    interview.answer("absingle", None)
    assert interview.predict("abnomore")["Yes"] == before
    asked = []
    while (question := interview.next()) is not None:
        asked.append(question)
        interview.answer(question, next(iter(interview.predict(question))))
    assert len(asked) == len(set(asked)) == 24


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--by", "GENDER"), "the plan has no attribute 'GENDER'"),
        (("--by", "RACE"), "no groups of 'RACE', which has some .* built with other vars"),
        (("--by", "abany"), "no groups of 'abany': it is a question"),
        (
            ("--by", "POLPARTY", "--vars", "{group_attributes: null}"),
            "'question_plan' was built with other vars than those given now \\(group_attributes",
        ),
        (("--vars", "{plan_questions: 5}"), "with other vars than those given now .plan_questions"),
        (("--survey", "gss"), "the plan has no survey 'gss'"),
        (("--answer", "abany"), "no '='"),
        (("--answer", "abny=Yes"), "no closed question 'abny'.*abany"),
        (("--answer", "abany=Perhaps"), "'abany' has no option 'Perhaps'.*there are Yes, No"),
        (("--answer", "abany=No", "--answer", "abany=Yes"), "given twice: No and Yes"),
        (("--known", "SEX=Femal"), "no value 'Femal'.*did you mean 'Female'"),
        (("--known", "SEKS=Male"), "no attribute 'SEKS'"),
        (("--known", "abany=Yes"), "'abany' is a question, and no attribute"),
        (("--answer", "sex=Male"), "'sex' is an attribute, and no closed question"),
        (("--known", "SEX=Male", "--by", "SEX"), "of one person"),
    ],
)
def test_mistakes_are_told(ask, arguments, said):
    code, out, err = ask(*arguments)
    assert (code, out) == (2, "")
    assert re.search(said, " ".join(err.split()))


def test_of_one_question_there_is_no_plan_and_that_is_told(tmp_path, monkeypatch, capsys):
    path = copy_project(tmp_path / "project", respondents=30)
    info = path / "seeds" / "gss_2018" / "gss_2018_info.csv"
    info.write_text("".join(info.read_text().splitlines(keepends=True)[:2]))
    monkeypatch.chdir(path)
    assert lupom("run", "--no-llm", "--select", "+question_plan") == 0
    said = " ".join(capsys.readouterr().err.split())
    assert "gss_2018: there is 1 closed question that people answered, so that there is" in said
    for arguments in ((), ("--by", "SEX")):
        assert lupom("ask", *arguments, "--format", "csv") == 0
        out, err = capsys.readouterr()
        assert out.splitlines()[1:] == []
        assert "the plan is empty: it takes two closed questions" in " ".join(err.split())


def test_what_is_not_built_is_told(tmp_path, monkeypatch, capsys):
    path = copy_project(tmp_path / "project", respondents=30)
    monkeypatch.chdir(path)
    assert lupom("ask") == 1
    assert "lupom run builds it" in capsys.readouterr().err
    with Project(path) as project:
        project.run("survey_designs", no_llm=True)
        project.run("+questions")
        for call in (project.ask, lambda: Interview(project)):
            with pytest.raises(package.LupomError, match="not built"):
                call()
