"""`lupom import`: seeds and a codebook of a file, by what the codebook says."""

from __future__ import annotations

import pandas as pd
import pyreadstat
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
    assert "panel.csv: 3 respondents, 1 question, 1 attribute." in err
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
    assert "'wave 1' is not a name for a survey" in err


@pytest.mark.parametrize(
    ("text", "fault", "edit"),
    [
        ("id,q\n1,Yes\n1,No\n2,Yes\n3,No\n", "the id '1' is also that of row 1", ("id: id", "id:")),
        (
            "id,q,weight\n1,Yes,1.5\n2,No,0.5\n3,Yes,\n",
            "a weight is a number of at least 0, not ''",
            ("weight: weight", "weight:"),
        ),
        (
            "id,q\n1,Yes\n",
            "no column looks like a question; q: everyone has the same: Yes",
            (
                "questions: []\nattributes: []\nignored:\n  q: 'everyone has the same: Yes'",
                "questions: [{column: q, options: ['Yes', 'No']}]",
            ),
        ),
    ],
)
def test_a_file_that_does_not_fit_the_guess_leaves_the_guess_to_edit(
    lupom, tmp_path, text, fault, edit
):
    (tmp_path / "panel.csv").write_text(text)
    code, out, err = lupom("import", "panel.csv")
    assert (code, out) == (1, "")
    assert fault in err
    assert "edit codebooks/panel.codebook.yml, and import again" in err
    assert tables(tmp_path) == {}
    path = tmp_path / "codebooks" / "panel.codebook.yml"
    path.write_text(path.read_text().replace(*edit))
    code, _, err = lupom("import", "panel.csv")
    assert code == 0
    assert "panel.csv: " in err
    assert "1 question," in err


def test_what_a_codebook_says_of_the_survey_is_in_the_tables_for_prompts(lupom, tmp_path):
    lupom("import", "panel.csv", "--survey", "staff_2026")
    path = tmp_path / "codebooks" / "staff_2026.codebook.yml"
    assert "title: Staff 2026\nfielded: null\npopulation: null\n" in path.read_text()
    said = path.read_text().replace("title: Staff 2026", "title: 'Staff: \"all\" of us'")
    path.write_text(said.replace("fielded: null", "fielded: May 2026"))
    properties = tmp_path / "seeds" / "staff_2026" / "staff_2026.yml"
    properties.write_text(
        properties.read_text().replace("description: Attributes", "description: X")
    )
    assert lupom("import", "panel.csv", "--survey", "staff_2026")[0] == 0
    text = properties.read_text()
    assert "description: X of its respondents" in text  # the rest of the file is as it was
    with Project(tmp_path) as project:
        meta = project.nodes["staff_2026_info"].config["meta"]["survey"]
    assert meta == {"title": 'Staff: "all" of us', "fielded": "May 2026", "population": None,
                    "country": None, "language": None}  # fmt: skip
    properties.write_text("version: 2\n")
    _, _, err = lupom("import", "panel.csv", "--survey", "staff_2026")
    assert "note: staff_2026.yml has no 'meta: survey:'" in err
    assert properties.read_text() == "version: 2\n"


def test_texts_that_an_earlier_import_spoilt_are_told_when_the_encoding_is_named(lupom, tmp_path):
    # A file of an older program in Korea: cp949, of which it says nothing.
    label = "\ub9e4\uc6b0 \uc88b\ub2e4"
    frame = pd.DataFrame({"id": map(float, range(8)), "q": [1.0, 2.0] * 4})
    path = tmp_path / "k.sav"
    pyreadstat.write_sav(frame, path, variable_value_labels={"q": {1: "#" * 9, 2: "Bad"}})
    path.write_bytes(path.read_bytes().replace(b"#" * 9, label.encode("cp949")))
    book = tmp_path / "codebooks" / "k.codebook.yml"
    assert lupom("import", "k.sav", "--encoding", "cp1252")[0] == 0
    assert label not in book.read_text(encoding="utf-8")
    # Named, or told by the bytes.
    for named in ((), ("--encoding", "cp949")):
        code, _, err = lupom("import", "k.sav", *named)
        assert code == 0
        assert "texts of the codebook are the file's in another encoding than cp949" in err
        assert "--guess makes the codebook anew" in err
    code, _, err = lupom("import", "k.sav", "--encoding", "cp949", "--guess")
    assert label in book.read_text(encoding="utf-8")
    assert "another encoding" not in err
    # What somebody wrote into the codebook is no spoilt text.
    book.write_text(book.read_text(encoding="utf-8").replace("Bad", "Not good"), encoding="utf-8")
    assert "another encoding" not in lupom("import", "k.sav", "--encoding", "cp949")[2]


def test_a_codebook_beside_the_file_is_read_said_and_turned_off(lupom, tmp_path):
    people = "".join(f"{i},{i % 2 + 1}\n" for i in range(20))
    (tmp_path / "coded.csv").write_text("id,q1\n" + people)
    (tmp_path / "coded.sps").write_text(
        "VARIABLE LABELS q1 'Vote?'.\nVALUE LABELS q1 1 'Yes' 2 'No'."
    )
    book = tmp_path / "codebooks" / "coded.codebook.yml"
    code, _, err = lupom("import", "coded.csv", "--codebook", "coded.sps")
    assert code == 0
    assert "note: read with coded.sps, SPSS syntax: it describes 1 of 2 columns, not id" in err
    assert "question: Vote?" in book.read_text()
    assert "q1,Vote?" in (tmp_path / "seeds" / "coded" / "coded_info.csv").read_text()
    code, _, err = lupom("import", "coded.csv", "--guess", "--no-codebook")
    assert (code, "coded.sps" in err, "Vote?" in book.read_text()) == (0, False, False)


def test_a_codebook_of_another_file_is_one_message_with_its_place(lupom, tmp_path):
    (tmp_path / "bad.sps").write_text("VARIABLE LABELS\n trust 'Trust?\n")
    code, _, err = lupom("import", "panel.csv", "--codebook", "bad.sps")
    assert (code, err.splitlines()[0]) == (
        1,
        "Error: bad.sps:2: a text whose quote does not end in its line",
    )
    code, _, err = lupom("import", "panel.csv", "--codebook", "bad.sps", "--no-codebook")
    assert code == 2
    assert "--codebook and --no-codebook exclude each other" in err
