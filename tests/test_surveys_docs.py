"""The examples of docs/surveys.md, run as they stand there."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import openpyxl
import pandas as pd
import pyreadstat
import pytest

from lupom.cli.group import main
from lupom.science.surveys import codebook

PAGE = (Path(__file__).parents[1] / "docs" / "surveys.md").read_text(encoding="utf-8")
EXAMPLES = dict(re.findall(r"<!-- example: (.*?) -->\n```sh\n(.*?)```", PAGE, re.S))

FRAME = pd.DataFrame({"QKEY": [1, 2, 3], "TRUST_W34": [1, 2, 99], "F_SEX": [1, 2, 2]})
LABELS = {
    "TRUST_W34": {1: "Agree", 2: "Disagree", 99: "Refused"},
    "F_SEX": {1: "Male", 2: "Female"},
}
TEXTS = pd.DataFrame({"id": [1, 2, 3], "sex": list("mfm"), "trust": ["Agree", "Disagree", "Agree"]})
QSF = {
    "QuestionID": "QID1",
    "QuestionType": "MC",
    "Selector": "SAVR",
    "QuestionText": "Do you trust us?",
    "Choices": {"1": {"Display": "Yes"}, "2": {"Display": "No"}},
}


def write(name: str) -> None:
    if name.endswith(".sav"):
        pyreadstat.write_sav(FRAME, name, variable_value_labels=LABELS)
    elif name.endswith(".dta"):
        pyreadstat.write_dta(FRAME, name, variable_value_labels=LABELS)
    elif name.endswith(".xlsx"):
        book = openpyxl.Workbook()
        for row in [list(TEXTS.columns), *TEXTS.to_numpy().tolist()]:
            book.active.append(row)
        book.save(name)
    elif name.endswith(".parquet"):
        TEXTS.to_parquet(name)
    elif name == "form.csv":
        Path(name).write_text(re.findall(r"```csv\n(.*?)```", PAGE, re.S)[0])
    elif name == "data.csv":
        rows = [["id", "Q1", "Q2"], *([i, i % 2 + 1, i % 5 + 1] for i in range(40))]
        pd.DataFrame(rows[1:], columns=rows[0]).to_csv(name, index=False)
    elif name == "codebook.txt":
        Path(name).write_text("Rated where 1=No, 5=Yes\nQ2\tI feel calm.\n\nQ1\tSex? 1=f, 2=m\n")
    elif name == "answers.csv":
        ids = [json.dumps({"ImportId": i}) for i in ("_recordId", "QID1")]
        rows = [["Response ID", "Trust"], ids, ["R_1", "Yes"], ["R_2", "No"]]
        pd.DataFrame(rows, columns=["ResponseId", "Q1"]).to_csv(name, index=False)
    elif name.endswith(".qsf"):
        Path(name).write_text(json.dumps({"SurveyElements": [{"Element": "SQ", "Payload": QSF}]}))
    else:
        Path(name).mkdir()
        Path(name, "info.csv").write_text(
            "key,question,references\ntrust,Trust?,\"['Agree', 'Disagree']\"\n"
        )
        Path(name, "metadata.csv").write_text("key,options\nsex,\"['m', 'f']\"\n")
        TEXTS.rename(columns={"id": "index"}).to_csv(Path(name, "responses.csv"), index=False)


@pytest.mark.parametrize("files", EXAMPLES)
def test_an_example_runs(tmp_path, monkeypatch, capsys, files):
    (tmp_path / "lupom_project.yml").write_text("name: demo\n")
    monkeypatch.chdir(tmp_path)
    for name in files.split():
        write(name)
    for command in EXAMPLES[files].splitlines():
        with pytest.raises(SystemExit) as caught:
            main(shlex.split(command)[1:])
        assert caught.value.code == 0, capsys.readouterr().err
    written = sorted(tmp_path.rglob("*_responses.csv"))
    assert len(written) == len(EXAMPLES[files].splitlines())


def test_there_is_an_example_for_each_kind_of_file():
    names = " ".join(EXAMPLES)
    for suffix in (".sav", ".dta", ".qsf", ".csv", ".xlsx", ".parquet", "folder"):
        assert suffix in names


def test_the_codebook_shown_is_one():
    (shown,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.S)
    book = codebook.load(shown, "shown")
    assert [q.kind for q in book.questions] == ["ordinal", "numeric"]
    assert book.attributes[0].blank == ["X"]
