"""`lupom import predictions`: a seed, its name in the project, and what does not fit."""

from __future__ import annotations

import shutil

import pytest

from lupom.cli.group import main

SURVEY = "id,trust,hours\n" + "".join(
    f"p{i},{('Agree', 'Disagree')[i % 2]},{i * 3}\n" for i in range(60)
)
PREDICTIONS = "respondent_id,question_id,answer\np1,trust,agree\np2,trust,Agre\nx,trust,Agree\n"


@pytest.fixture
def lupom(tmp_path, monkeypatch, capsys):
    """Run a command in a project of one imported survey; returns exit code, stdout and stderr."""
    (tmp_path / "lupom_project.yml").write_text(
        "name: demo\nvars:\n  surveys: [panel]\n  predictions_elsewhere: []  # mine\n"
    )
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "taken.sql").write_text("select 1 as one")
    (tmp_path / "panel.csv").write_text(SURVEY)
    (tmp_path / "twins.csv").write_text(PREDICTIONS)
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        with pytest.raises(SystemExit) as caught:
            main(list(arguments))
        out = capsys.readouterr()
        return caught.value.code, out.out, out.err

    assert run("import", "panel.csv")[0] == 0
    return run


def seed(root):
    return (root / "seeds" / "predictions" / "twins.csv").read_text()


def test_a_file_becomes_a_seed_that_the_project_names(lupom, tmp_path):
    code, out, err = lupom("import", "predictions", "twins.csv", "--llm", "gpt", "--setting", "own")
    assert code == 0
    assert out.splitlines() == ["seeds/predictions/twins.csv", "seeds/predictions/twins.yml"]
    assert seed(tmp_path) == (
        "survey,respondent_id,question_id,setting,llm,answer,probabilities,number,cost\n"
        "panel,p1,trust,own,gpt,Agree,,,\npanel,p2,trust,own,gpt,Agre,,,\n"
    )
    assert "one prediction a row: 2 predictions of 2 respondents of panel and 1 questions" in err
    assert "respondents that panel does not have and left out: 'x'" in err
    assert "trust 'Agre' (1 times (did you mean 'Agree'?))" in err
    assert "  predictions_elsewhere: [twins]" in (tmp_path / "lupom_project.yml").read_text()
    # Again, it is the same file and the same name.
    assert lupom("import", "predictions", "twins.csv")[0] == 0
    assert "predictions_elsewhere: [twins]" in (tmp_path / "lupom_project.yml").read_text()


def test_a_number_is_put_into_the_codebook_s_ranges(lupom, tmp_path):
    (tmp_path / "twins.csv").write_text("id,hours\np1,4\np2,1000\n")
    assert lupom("import", "predictions", "twins.csv")[0] == 0
    first, second = [line.split(",")[5] for line in seed(tmp_path).splitlines()[1:]]
    assert first.startswith("Below")
    assert second.endswith("or more")


QUESTIONS = """select 'panel' as survey, 'trust' as question_id, 'Trust?' as question,
    '' as battery, 'Trust?' as item, ['Agree', 'Disagree'] as options, [1.0, 2.0] as ordinal,
    null as topic,
    'single' as kind, null::double as low, null::double as high"""


def test_of_a_survey_without_seeds_the_built_tables_say_what_there_is(lupom, tmp_path):
    shutil.rmtree(tmp_path / "seeds" / "panel")
    (tmp_path / "models" / "questions.sql").write_text(QUESTIONS)
    people = "select 'panel' as survey, unnest(['p1', 'p2']) as respondent_id"
    (tmp_path / "models" / "respondents.sql").write_text(people)
    code, _, err = lupom("import", "predictions", "twins.csv")
    assert code == 1
    assert "the questions and respondents of panel are not known yet" in err
    assert "lupom run --select questions respondents" in err
    assert lupom("run", "--select", "questions", "respondents")[0] == 0
    assert lupom("import", "predictions", "twins.csv")[0] == 0
    assert "panel,p1,trust,,twins,Agree,,," in seed(tmp_path)


def test_where_the_var_has_no_line_it_is_said(lupom, tmp_path):
    (tmp_path / "lupom_project.yml").write_text("name: demo\nvars: {surveys: [panel]}\n")
    code, _, err = lupom("import", "predictions", "twins.csv")
    assert code == 0
    assert "Put it into lupom_project.yml, under 'vars:': 'predictions_elsewhere: [twins]'" in err


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["twin.csv"], 2, "there is no file twin.csv"),
        (["twins.csv", "--survey", "panle"], 2, "no survey 'panle' under the var 'surveys' (did"),
        (["twins.csv", "--name", "taken"], 2, "models/taken.sql has the name 'taken', too"),
        (["twins.csv", "--name", "2x"], 2, "'2x' is not a name for a seed"),
        (["twins.csv", "--column", "answer"], 2, "--column answer: no '='"),
        (
            ["twins.csv", "--column", "answer=a", "--column", "answer=b"],
            2,
            "--column answer is given twice: a and b",
        ),
        (["twins.csv", "--column", "answer=said"], 1, "twins.csv: there is no column 'said'"),
        (["panel.csv", "--column", "respondent_id=trust"], 1, "nothing fits the survey panel"),
    ],
)
def test_what_cannot_be_is_said_and_nothing_written(lupom, tmp_path, arguments, code, message):
    said = lupom("import", "predictions", *arguments)
    assert said[0] == code
    assert message in said[2]
    assert not (tmp_path / "seeds" / "predictions").exists()


def test_a_file_called_predictions_is_a_survey_still(lupom, tmp_path):
    (tmp_path / "predictions").mkdir()
    assert "there is no info.csv" in lupom("import", "predictions")[2]
