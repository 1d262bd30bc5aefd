"""`lupom init`: a project of its own from nothing, or from each kind of file; and it runs."""

from __future__ import annotations

import importlib.metadata
import json
import os
import random
import subprocess
import sys
import zipfile
from pathlib import Path

import openpyxl
import pandas as pd
import pyreadstat
import pytest

from lupom import Project
from lupom.cli.group import main
from lupom.engine.project import shipped
from tests.support import opinionqa
from tests.support.shipped import FEW_DRAWS

ROOT = Path(__file__).parents[2]
QUICK = FEW_DRAWS | {"group_attributes": ["sex"]}
COLUMNS = ["id", "age", "sex", "trust", "order", "like"]
LABELS = {
    "age": {1: "18-29", 2: "30-49", 3: "50+"},
    "sex": {1: "Male", 2: "Female"},
    "trust": {1: "Agree", 2: "Disagree", 9: "Refused"},
    "order": {1: "Never", 2: "Sometimes", 3: "Often"},
    "like": {1: "Red", 2: "Blue", 3: "Green"},
}
# What the columns of .sav and .dta are called.
COLUMN_LABELS = {
    "trust": "Most people can be trusted.",
    "order": "How often do you read a newspaper?",
    "like": "Which colour do you like best?",
}
INFO = "key,question,option_mapping\n" + "".join(
    f'{key},What of {key}?,"{LABELS[key]}"\n' for key in ("trust", "order", "like")
)
METADATA = "key,options\n" + "".join(
    f'{key},"{list(LABELS[key].values())}"\n' for key in ("age", "sex")
)


def codes() -> pd.DataFrame:
    draw = random.Random(1)
    rows = [[i, *(draw.choice(list(LABELS[c])) for c in COLUMNS[1:])] for i in range(30)]
    return pd.DataFrame(rows, columns=COLUMNS)


def texts() -> pd.DataFrame:
    frame = codes()
    for name, labels in LABELS.items():
        frame[name] = frame[name].map(labels)
    return frame


def write(kind: str, folder: Path) -> Path:
    """Write the same thirty respondents as a file of some kind."""
    path = folder / f"panel.{kind}"
    if kind in ("sav", "zsav"):
        pyreadstat.write_sav(
            codes(), path,
            column_labels=COLUMN_LABELS,
            variable_value_labels=LABELS,
            compress=kind == "zsav",
        )  # fmt: skip
    elif kind == "dta":
        pyreadstat.write_dta(codes(), path, variable_value_labels=LABELS)
    elif kind == "xlsx":
        book = openpyxl.Workbook()
        for row in [COLUMNS, *texts().to_numpy().tolist()]:
            book.active.append(row)
        book.save(path)
    elif kind == "parquet":
        texts().to_parquet(path)
    elif kind == "csv":
        texts().to_csv(path, index=False)
    elif kind == "qualtrics.csv":
        body = texts().rename(columns={"id": "ResponseId"})
        # Questions have a QID; any other ImportId is embedded data.
        asked = {"like": "QID1", "order": "QID2", "trust": "QID3"}
        ids = [json.dumps({"ImportId": asked.get(c, c)}) for c in body.columns]
        heads = [body.columns, body.columns, ids]
        lines = [
            *(dict(zip(body.columns, h, strict=True)) for h in heads[1:]),
            *body.to_dict("records"),
        ]
        pd.DataFrame(lines, columns=body.columns).to_csv(path, index=False)
    else:  # a folder in OpinionQA's layout
        path.mkdir()
        (path / "info.csv").write_text(INFO)
        (path / "metadata.csv").write_text(METADATA)
        answers = codes() if kind == "codes" else texts()
        for name in ("age", "sex"):
            answers[name] = texts()[name]
        answers.rename(columns={"id": "index"}).to_csv(path / "responses.csv", index=False)
    return path


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as caught:
        main(list(arguments))
    assert isinstance(caught.value.code, int)
    return caught.value.code


KINDS = ("sav", "zsav", "dta", "xlsx", "parquet", "csv", "qualtrics.csv", "codes", "texts")


@pytest.mark.parametrize("kind", KINDS)
def test_init_from_each_kind_of_file_ends_in_a_finished_run(tmp_path, monkeypatch, kind):
    monkeypatch.chdir(tmp_path)
    write(kind, tmp_path)
    assert run("init", "mine", "--from", f"panel.{kind}", "--survey", "panel") == 0
    monkeypatch.chdir(tmp_path / "mine")
    # The whole run for one kind; for the others as far as they differ: the staging tables.
    select = () if kind == "sav" else ("--select", "+responses", "+respondents")
    assert run("run", "--no-llm", "--vars", json.dumps(QUICK), *select) == 0
    with Project(tmp_path / "mine") as project:
        counts = "select question_id, answer, count(*) from responses group by all order by all"
        expected = texts()
        rows = []
        for key in ("like", "order", "trust"):
            for answer, n in sorted(expected[key].value_counts().items()):
                rows.append((key, None if answer == "Refused" else answer, n))
        found = project.query(counts).rows()
        assert sorted(map(str, found)) == sorted(map(str, rows))
        (attributes,) = project.query(
            "select attributes['age'] from respondents where respondent_id = '7'"
        ).rows()[0]
        assert attributes == expected["age"][7]


def test_init_from_a_published_wave_with_its_real_header(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    wave = opinionqa.write(tmp_path, 30) / "American_Trends_Panel_W34"
    assert run("init", "mine", "--from", str(wave)) == 0
    said = capsys.readouterr().err
    assert "kept, but not read (no question, no attribute): Unnamed: 0.1, Unnamed: 0, QKEY" in said
    assert "note: responses.csv: column 1 has no name and is left out" in said
    monkeypatch.chdir(tmp_path / "mine")
    assert run("run", "--no-llm", "--select", "+histories", "+respondents", "surveys") == 0
    with Project(tmp_path / "mine") as project:
        ids = project.query(
            "select list(respondent_id::int order by respondent_id::int) from respondents"
        )
        assert ids.rows()[0][0][:7] == [0, 1, 2, 3, 4, 6, 7]
        titles = project.query("select title, country from surveys").rows()
        assert titles == [("American Trends Panel, wave 34", "United States")]


def test_init_without_a_file_copies_the_project_that_ships(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run("init", "demo") == 0
    out = capsys.readouterr()
    assert out.out == "demo\n"
    assert "cd demo" in out.err
    assert "lupom run" in out.err
    for part in ("models", "prompts", "seeds"):
        for path in (ROOT / part).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                copy = tmp_path / "demo" / path.relative_to(ROOT)
                assert copy.read_bytes() == path.read_bytes()
    settings = (tmp_path / "demo" / "lupom_project.yml").read_text()
    assert "\nname: demo\n" in settings
    assert ".lupom/" in (tmp_path / "demo" / ".gitignore").read_text()
    with Project(tmp_path / "demo") as project:
        assert project.warnings == []


def test_a_folder_that_is_not_empty_is_left_as_it_is(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "thesis.txt").write_text("years of work")
    assert run("init", "demo") == 2
    assert "demo is there and not empty" in capsys.readouterr().err
    assert [p.name for p in (tmp_path / "demo").iterdir()] == ["thesis.txt"]
    assert run("init", "demo", "--force") == 0
    assert (tmp_path / "demo" / "thesis.txt").read_text() == "years of work"


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        (("staff", "staff.csv"), "'--from staff.csv'"),
        (("staff.csv",), "'staff --from staff.csv'"),
    ],
)
def test_a_survey_without_its_option_is_told_of_it(given, meant, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("staff.csv").write_text("id,trust\n1,Yes\n")
    assert run("init", *given) == 2
    assert capsys.readouterr().err.rstrip().endswith(f"Did you mean {meant}?")
    assert [path.name for path in tmp_path.iterdir()] == ["staff.csv"]


def test_a_file_with_a_fault_leaves_no_folder(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.sav").write_text("id,q\n")
    assert run("init", "mine", "--from", "x.sav") == 1
    assert "x.sav: not a .sav file" in capsys.readouterr().err
    assert not (tmp_path / "mine").exists()


def test_a_file_that_does_not_fit_the_guess_makes_a_project_with_the_guess(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.csv").write_text("id,sex,q\n1,Man,Yes\n1,Woman,No\n2,Man,Yes\n")
    assert run("init", "mine", "--from", "x.csv") == 1
    err = capsys.readouterr().err
    assert "the id '1' is also that of row 1" in err
    assert "edit codebooks/x.codebook.yml, then `lupom import ../x.csv --survey x`" in err
    monkeypatch.chdir(tmp_path / "mine")
    path = tmp_path / "mine" / "codebooks" / "x.codebook.yml"
    path.write_text(path.read_text().replace("id: id", "id:"))
    assert run("import", "../x.csv", "--survey", "x") == 0
    assert (
        run("run", "--no-llm", "--select", "+responses", "+respondents", "+attribute_labels") == 0
    )
    with Project(tmp_path / "mine") as project:
        assert project.query("select respondent_id from respondents order by 1").rows() == [
            ("1",), ("2",), ("3",),
        ]  # fmt: skip
        assert project.query("select attribute, label from attribute_labels").rows() == [
            ("sex", "Sex")
        ]


def test_settings_fit_the_survey(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write("csv", tmp_path)
    run("init", "my project", "--from", "panel.csv")
    with Project(tmp_path / "my project") as project:
        assert project.files.settings.name == "my_project"
        settings = (tmp_path / "my project" / "lupom_project.yml").read_text()
        assert "# A LUPoM project on the survey panel.\nname: my_project\n" in settings
        assert project.files.vars["surveys"] == ["panel"]
        assert project.files.vars["neighbour_demographics"] == ["age", "sex"]
        assert "gss_2018_info" not in project.nodes


def test_the_wheel_carries_the_project_and_runs_outside_a_checkout(tmp_path):
    wheels, target = tmp_path / "wheels", tmp_path / "target"
    pip = [sys.executable, "-m", "pip", "-q", "--disable-pip-version-check"]
    # What is installed for the tests builds it; an older setuptools lets pip fetch its own.
    modern = int(importlib.metadata.version("setuptools").split(".")[0]) >= 77
    isolation = ["--no-build-isolation"] if modern else []
    source = tmp_path / "source"
    listed = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "-co", "--exclude-standard"],
        capture_output=True, text=True, check=False,
    ).stdout.splitlines()  # fmt: skip
    if not listed:
        pytest.skip("the checkout has no git")
    for name in listed:
        if (ROOT / name).is_file() and not name.startswith(("benchmarks/", "docs/")):
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
    subprocess.run(
        [*pip, "wheel", "--no-deps", *isolation, "-w", str(wheels), str(source)], check=True
    )
    (wheel,) = wheels.glob("lupom-*.whl")
    # Of Python alone it is installed by unpacking it.
    assert wheel.name.endswith("-py3-none-any.whl")
    zipfile.ZipFile(wheel).extractall(target)
    carried = {p.relative_to(target / "lupom/shipped").as_posix()
               for p in (target / "lupom/shipped").rglob("*")
               if p.is_file() and "__pycache__" not in p.parts}  # fmt: skip
    parts = tuple(f"{part}/" for part in shipped.PARTS)
    assert carried == {n for n in listed if n.startswith(parts) or n in shipped.PARTS}
    environment = {**os.environ, "PYTHONPATH": str(target)}

    def lupom(*arguments: str, cwd: Path) -> str:
        return subprocess.run(
            [sys.executable, "-m", "lupom", *arguments], cwd=cwd, env=environment,
            capture_output=True, text=True, check=True,
        ).stdout  # fmt: skip

    lupom("init", "demo", cwd=tmp_path)
    lupom("run", "--no-llm", "--select", "+histories", cwd=tmp_path / "demo")
    counted = lupom(
        "query", "select count(*) from histories", "--format", "csv", cwd=tmp_path / "demo"
    )
    assert counted.split()[-1] == "2348"
    page = Path(lupom("docs", "generate", cwd=tmp_path / "demo").strip())
    assets = {path.name for path in (ROOT / "lupom/site/assets").iterdir()}
    assert assets <= {path.name for path in page.parent.iterdir()}


def test_the_survey_may_come_with_a_codebook(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    people = "".join(f"{i},{i % 2 + 1}\n" for i in range(20))
    Path("coded.csv").write_text("id,q1\n" + people)
    Path("labels.do").write_text('label variable q1 "Vote?"\n')
    with pytest.raises(SystemExit) as ended:
        main(["init", "p", "--from", "coded.csv", "--codebook", "labels.do"])
    assert ended.value.code == 0, capsys.readouterr().err
    assert "question: Vote?" in Path("p/codebooks/coded.codebook.yml").read_text()
    assert "coded.csv --codebook ../labels.do" in Path("p/README.md").read_text()
