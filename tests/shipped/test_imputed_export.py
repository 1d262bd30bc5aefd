"""lupom export: imputed sets as a statistician opens them in SPSS, Stata and R."""

from __future__ import annotations

import pyarrow.parquet as pq
import pyreadstat
import pytest

from lupom import Project
from tests.support.commands import lupom
from tests.support.shipped import INFO, RESPONSES, copy_project, read_csv, write_csv


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The shipped project with 200 respondents, of whom ten refused, and two imputed sets."""
    path = copy_project(tmp_path_factory.mktemp("export") / "project", respondents=200)
    info, said = read_csv(path / INFO), read_csv(path / RESPONSES)
    row = next(row for row in info if row[0] == "abany")
    row[2] = "{1: 'Yes', 2: 'No', 9: 'Refused'}"
    for cells in said[1:11]:
        cells[said[0].index("abany")] = "9"
    write_csv(path / INFO, info)
    write_csv(path / RESPONSES, said)
    with Project(path, vars={"imputation_sets": 2}) as project:
        assert project.run("+imputed_wide").status == "success"
    return path


@pytest.mark.parametrize("form", ["sav", "dta"])
def test_imputed_sets_have_people_weights_and_labels(folder, form, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    assert lupom("export", "imputed_wide", "--format", form) == 0
    assert capsys.readouterr().out == f"export/imputed_wide.{form}\n"
    read = pyreadstat.read_sav if form == "sav" else pyreadstat.read_dta
    frame, meta = read(f"export/imputed_wide.{form}")
    # Sets one after the other and people in one order: SPSS's split file and mice's as.mids.
    assert frame["Imputation_"].tolist() == [n for n in range(3) for _ in range(200)]
    people = frame["respondent_id"].tolist()
    assert people[:200] == people[200:400] == people[400:]
    assert (frame["weight"] == 1).all()
    assert meta.variable_value_labels["SEX"] == {1: "Male", 2: "Female"}
    ages = meta.variable_value_labels["AGE"].values()
    assert list(ages) == ["18-29", "30-49", "50-64", "65+"], "in the survey's order"
    refused = 9 if form == "sav" else "a"
    assert meta.variable_value_labels["abany"] == {1: "Yes", 2: "No", refused: "Refused"}
    whole, _ = read(f"export/imputed_wide.{form}", user_missing=True)
    stayed = whole["respondent_id"][whole["abany"] == refused]
    assert sorted(map(int, stayed)) == [i for i in range(10) for _ in range(3)], "in all sets"
    assert meta.column_names_to_labels["natspac"].startswith("Space exploration program. (We are")
    assert list(frame.columns)[4:6] == ["AGE", "SEX"]
    assert list(frame.columns)[-25:-22] == ["natspac", "natenvir", "natheal"]
    before, after = (frame[frame["Imputation_"] == n].reset_index(drop=True) for n in (0, 1))
    asked = before["abany"].notna()
    assert 50 < asked.sum() < 150
    assert (before["abany"] == after["abany"])[asked].all(), "what was said stays"
    assert after["abany"].isin([1, 2]).sum() > 180
    if form == "sav":
        assert meta.variable_measure["natspac"] == "ordinal"
        assert meta.variable_measure["weight"] == "scale"


def test_the_same_sets_are_texts_in_parquet(folder, monkeypatch):
    monkeypatch.chdir(folder)
    assert lupom("export", "imputed_wide", "--format", "parquet") == 0
    assert lupom("export", "imputed_wide", "--format", "sav") == 0
    texts = pq.read_table("export/imputed_wide.parquet").to_pandas()
    codes, _ = pyreadstat.read_sav("export/imputed_wide.sav", apply_value_formats=True)
    for name in ("SEX", "natspac", "abany"):
        assert texts[name].fillna("").tolist() == codes[name].astype(object).fillna("").tolist()
