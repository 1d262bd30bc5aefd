"""`lupom import`: seeds and a codebook of a file, by what the codebook says."""

from __future__ import annotations

import pytest

from lupom import Project
from lupom.cli.group import main

CSV = "id,age,trust,note\na,20,Agree,x\nb,64,Disagree,x\nc,40,Refused,x\n"


@pytest.fixture
def lupom(tmp_path, monkeypatch, capsys):
    """Run a command in a project that has no surveys yet; returns exit code, stdout and stderr."""
    (tmp_path / "lupom_project.yml").write_text(
        "name: demo\nvars: {surveys: [other], neighbour_demographics: [RACE]}\n"
    )
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "all.sql").write_text("select {{ var('surveys') | length }} as n")
    (tmp_path / "panel.csv").write_text(CSV)
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        with pytest.raises(SystemExit) as caught:
            main(list(arguments))
        out = capsys.readouterr()
        return caught.value.code, out.out, out.err

    return run


def tables(root):
    return {p.name: p.read_text() for p in (root / "seeds").rglob("*.*")}


def test_a_file_becomes_seeds_and_a_codebook_to_review(lupom, tmp_path):
    code, out, err = lupom("import", "panel.csv")
    assert code == 0
    assert out.splitlines() == [
        "seeds/panel/panel_info.csv",
        "seeds/panel/panel_responses.csv",
        "seeds/panel/panel_metadata.csv",
        "seeds/panel/panel.yml",
        "codebooks/panel.codebook.yml",
    ]
    assert "panel.csv: 3 respondents, 1 questions, 1 attributes." in err
    assert "ignored: note (everyone has the same: x)" in err
    assert "answers: 2 answered, 1 refused" in err
    assert "'surveys: [other, panel]'" in err
    assert "It lacks some of 'neighbour_demographics': set that to 'all' there." in err
    with Project(tmp_path) as project:
        assert project.nodes["panel_responses"].tags == {"holdout"}
        project.run(select="panel_responses")
        assert project.query("select * from panel_responses order by all").rows() == [
            ("a", "Agree", "20"), ("b", "Disagree", "64"), ("c", "Refused", "40"),
        ]  # fmt: skip


def test_an_edited_codebook_is_applied_and_kept(lupom, tmp_path):
    lupom("import", "panel.csv", "--survey", "p1")
    path = tmp_path / "codebooks" / "p1.codebook.yml"
    options = "options: {Agree: I do, Disagree: I do not}"
    edited = "# mine\n" + path.read_text().replace("options: [Agree, Disagree]", options)
    path.write_text(edited)
    code, _, _ = lupom("import", "panel.csv", "--survey", "p1")
    assert code == 0
    assert "a,I do,20" in tables(tmp_path)["p1_responses.csv"]
    assert path.read_text() == edited
    lupom("import", "panel.csv", "--survey", "p1", "--guess")
    assert "a,Agree,20" in tables(tmp_path)["p1_responses.csv"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (CSV + "a,30,Agree,x\n", "row 4: the id 'a' is also that of row 1"),
        (CSV + "d,30,Agred,x\n", "column 'trust', row 4: 'Agred' is not one of the options"),
        (CSV + "d,30\n", "panel.csv:5: 2 cells where the header has 4"),
        (CSV + "d,30,Agr\xe9,x\n", "panel.csv:5: the byte 0xe9 is not utf-8"),
        ("", "panel.csv: the file is empty"),
    ],
)
def test_a_file_with_a_fault_leaves_the_tables_that_were(lupom, tmp_path, text, message):
    lupom("import", "panel.csv")
    before = tables(tmp_path)
    (tmp_path / "panel.csv").write_bytes(text.encode("latin-1"))
    code, out, err = lupom("import", "panel.csv")
    assert (code, out) == (1, "")
    assert message in err
    assert tables(tmp_path) == before


def test_seeds_that_were_not_imported_are_not_written_over(lupom, tmp_path):
    (tmp_path / "seeds" / "panel").mkdir(parents=True)
    (tmp_path / "seeds" / "panel" / "panel_info.csv").write_text("mine\n")
    code, _, err = lupom("import", "panel.csv")
    assert code == 2
    assert "seeds/panel/panel_info.csv is there, and no codebook of it" in err
    assert tables(tmp_path)["panel_info.csv"] == "mine\n"


def test_what_is_misspelt_is_told(lupom):
    assert "there is no file panle.csv" in lupom("import", "panle.csv")[2]
    code, _, err = lupom("import", "panel.csv", "--survey", "wave 1")
    assert code == 2
    assert "'wave 1' is no name for a survey" in err
