"""SPSS and Stata files, written by pyreadstat."""

from __future__ import annotations

import struct

import pandas as pd
import pyarrow as pa
import pyreadstat
import pytest

from lupom.science.surveys import codebook, files, guesses, layout, opinionqa

# A wave as Pew publishes it: numbers with labels, refusals as 99, blank where it was not asked.
FRAME = pd.DataFrame(
    {
        "QKEY": [100197.0, 100260.0, 100314.0, 100446.0],
        "DEVICE_TYPE_W34": [1.0, 2.0, 1.0, 1.0],
        "SC1_W34": [1.0, 2.0, 3.0, 99.0],
        "MED4_W34": [4.0, 1.0, None, 2.0],
        "FOOD_a_W34": [1.0, 0.0, 0.0, 1.0],
        "F_CREGION": [1.0, 2.0, 3.0, 4.0],
        "F_AGECAT": [1.0, 2.0, 99.0, 4.0],
        "F_SEX": [1.0, 2.0, 2.0, 1.0],
        "WEIGHT_W34": [0.5, 1.25, 1.0, 2.0],
    }
)
WORDINGS = {
    "SC1_W34": "Overall, would you say science has had a mostly positive effect on our society?",
    "MED4_W34": "How closely do you follow news about medical treatments?",
    "FOOD_a_W34": "Which of these have you eaten? Organic food",
}
LABELS = {
    "DEVICE_TYPE_W34": {1.0: "Desktop", 2.0: "Phone"},
    "SC1_W34": {1.0: "Mostly positive", 2.0: "Mostly negative",
                3.0: "Equal positive and negative effects", 99.0: "Refused"},
    "MED4_W34": {1.0: "Very closely", 2.0: "Somewhat closely", 3.0: "Not too closely",
                 4.0: "Not at all closely", 99.0: "Refused"},
    "FOOD_a_W34": {0.0: "Not selected", 1.0: "Selected"},
    "F_CREGION": {1.0: "Northeast", 2.0: "Midwest", 3.0: "South", 4.0: "West"},
    "F_AGECAT": {1.0: "18-29", 2.0: "30-49", 3.0: "50-64", 4.0: "65+", 99.0: "Refused"},
    "F_SEX": {1.0: "Male", 2.0: "Female"},
}  # fmt: skip
MEASURES = {"SC1_W34": "nominal", "MED4_W34": "ordinal"}

# The same wave as OpinionQA publishes it: texts, and lists as Python literals.
INFO = [
    ["key", "question", "references", "option_mapping", "option_ordinal"],
    *(
        [key, WORDINGS[key], str(list(LABELS[key].values())), str(LABELS[key]), str(ordinal)]
        for key, ordinal in (
            ("SC1_W34", [1.0, 2.0, 1.5]),
            ("MED4_W34", [1.0, 2.0, 3.0, 4.0]),
            ("FOOD_a_W34", [1.0, 2.0]),
        )
    ),
]
RESPONSES = """index,SC1_W34,MED4_W34,FOOD_a_W34,CREGION,AGE,SEX,WEIGHT_W34
100197,Mostly positive,Not at all closely,Selected,Northeast,18-29,Male,0.5
100260,Mostly negative,Very closely,Not selected,Midwest,30-49,Female,1.25
100314,Equal positive and negative effects,,Not selected,South,Refused,Female,1.0
100446,Refused,Somewhat closely,Selected,West,65+,Male,2.0
"""
METADATA = """key,options
CREGION,"['Northeast', 'Midwest', 'South', 'West']"
AGE,"['18-29', '30-49', '50-64', '65+', 'Refused']"
SEX,"['Male', 'Female']"
"""


def staged(tables: layout.Layout) -> list[pa.Table]:
    info, responses, metadata = map(layout.arrow, (tables.info, tables.responses, tables.metadata))
    return [
        opinionqa.questions({"w34": info}),
        opinionqa.respondents({"w34": (info, responses, metadata)}),
        opinionqa.responses({"w34": (info, responses)}),
    ]


def imported(path) -> tuple[codebook.Codebook, layout.Layout]:
    file = files.read(path)
    book = guesses.guess(file, "w34")
    # What the user reviews is what is applied: it goes through the YAML.
    book = codebook.load(codebook.dump(book), "w34.codebook.yml")
    return book, layout.build(file, book)


@pytest.mark.parametrize("name", ["W34.sav", "W34.zsav"])
def test_a_pew_file_becomes_the_tables_of_opinionqas_csv(tmp_path, name):
    path = tmp_path / name
    pyreadstat.write_sav(
        FRAME, path, column_labels=WORDINGS, variable_value_labels=LABELS,
        variable_measure=MEASURES, compress=name.endswith(".zsav"),
    )  # fmt: skip
    (tmp_path / "csv").mkdir()
    for part, text in (
        ("info", layout.text(INFO)),
        ("responses", RESPONSES),
        ("metadata", METADATA),
    ):
        (tmp_path / "csv" / f"{part}.csv").write_text(text, encoding="utf-8")
    book, tables = imported(path)
    expected = staged(files.read_layout(tmp_path / "csv", "w34"))
    for table, same in zip(staged(tables), expected, strict=True):
        assert table.to_pylist() == same.to_pylist()
    assert book.ignored == {"DEVICE_TYPE_W34": "of the interview, not of the person"}


def test_stata_labels_and_missing_codes_are_read(tmp_path):
    path = tmp_path / "panel.dta"
    frame = pd.DataFrame(
        {
            "respid": [1, 2, 3, 4],
            "trust": pd.Series([1, 2, "r", "d"], dtype=object),
            "happy": [1, 2, 3, 3],
            "sex": [1, 2, 2, 1],
            "pweight": [1.0, 2.0, 0.5, 0.5],
        }
    )
    pyreadstat.write_dta(
        frame, path, column_labels={"trust": "Can people be trusted?"}, version=15,
        variable_value_labels={
            "trust": {1: "Yes", 2: "No", "r": "Refused", "d": "Don't know"},
            "happy": {1: "Very happy", 2: "Pretty happy", 3: "Not too happy"},
            "sex": {1: "Male", 2: "Female"},
        },
        missing_user_values={"trust": ["r", "d"]},
    )  # fmt: skip
    book, tables = imported(path)
    assert (book.id, book.weight) == ("respid", "pweight")
    trust = book.questions[0]
    assert (trust.question, trust.refused, trust.dont_know) == (
        "Can people be trusted?", ["r"], ["d"],
    )  # fmt: skip
    rows = [r for r in staged(tables)[2].to_pylist() if r["question_id"] == "trust"]
    assert [(r["status"], r["answer"]) for r in rows] == [
        ("answered", "Yes"), ("answered", "No"), ("refused", None), ("dont_know", None),
    ]  # fmt: skip


def test_values_an_spss_file_marks_as_missing_are_no_answers(tmp_path):
    path = tmp_path / "g.sav"
    frame = pd.DataFrame({"id": [1.0, 2.0, 3.0, 4.0], "q": [1.0, 2.0, 7.0, 8.0]})
    pyreadstat.write_sav(
        frame, path, variable_value_labels={"q": {1.0: "Red", 2.0: "Blue", 7.0: "Form B"}},
        missing_ranges={"q": [{"lo": 7.0, "hi": 9.0}]},
    )  # fmt: skip
    book, tables = imported(path)
    assert book.questions[0].not_asked == ["7", "8"]
    assert list(book.questions[0].options.values()) == ["Red", "Blue"]
    assert tables.answers == {"answered": 2, "not_asked": 2}


@pytest.mark.parametrize("name", ["x.sav", "x.zsav", "x.dta"])
def test_a_file_that_only_has_the_name_is_refused(tmp_path, name):
    (tmp_path / name).write_text("id,q\n1,2\n")
    with pytest.raises(ValueError, match=rf"{name}: not a \.\w+ file, or a damaged one"):
        files.read(tmp_path / name)


def test_a_file_that_was_cut_off_is_refused(tmp_path):
    whole = tmp_path / "whole.sav"
    pyreadstat.write_sav(FRAME, whole, variable_value_labels=LABELS)
    (tmp_path / "cut.sav").write_bytes(whole.read_bytes()[:-80])
    with pytest.raises(ValueError, match=r"cut\.sav: "):
        files.read(tmp_path / "cut.sav")


def test_an_empty_file_is_refused(tmp_path):
    (tmp_path / "x.sav").touch()
    with pytest.raises(ValueError, match=r"x\.sav: the file is empty"):
        files.read(tmp_path / "x.sav")


@pytest.fixture
def latin1(tmp_path):
    """A file with labels in Latin-1 that says they are UTF-8."""
    path = tmp_path / "x.sav"
    frame = pd.DataFrame({"id": [1.0, 2.0, 3.0], "q": [1.0, 2.0, 1.0]})
    labels = {"q": {1: "Trxs bien", 2: "Pas du tout"}}
    pyreadstat.write_sav(frame, path, variable_value_labels=labels, file_label="Enquxte")
    path.write_bytes(
        path.read_bytes().replace(b"Trxs", b"Tr\xe8s").replace(b"Enquxte", b"Enqu\xeate")
    )
    return path


def test_labels_that_are_not_in_the_declared_encoding_are_read_as_windows(latin1):
    file = files.read(latin1)
    assert file.columns[1].labels == {"1": "Tr\u00e8s bien", "2": "Pas du tout"}
    assert file.title == "Enqu\u00eate"
    assert file.notes[0].startswith("text that is not in the encoding the file declares is read as")


@pytest.mark.parametrize("suffix", ["sav", "DTA"])
@pytest.mark.parametrize(
    ("encoding", "wording", "option"),
    [
        ("cp949", "얼마나 만족하십니까", "매우 좋음"),
        ("cp932", "生活に満足していますか", "ふつう"),
        ("gb18030", "您对生活满意吗", "不满意"),
        ("cp1251", "Насколько вы довольны", "Полностью"),
        ("cp1253", "Πόσο ικανοποιημένος", "Καθόλου"),
        ("cp1255", "כמה אתה מרוצה מהחיים", "מאוד"),
        ("cp1256", "ما مدى رضاك عن الحياة", "قليلا"),
        ("cp1250", "Jak bardzo jesteś rad?", "Częściowo"),
        ("cp1254", "İlgi duyuyor musunuz", "Hiç değil"),
        ("cp1252", "Êtes-vous satisfait", "Très"),
    ],
)
def test_an_encoding_that_no_file_declares_is_told_by_its_bytes(
    tmp_path, suffix, encoding, wording, option
):
    path = tmp_path / f"x.{suffix}"
    frame = pd.DataFrame({"id": [1.0, 2.0, 3.0], "q": [1.0, 2.0, 1.0]})
    told = {"column_labels": {"q": "W" * 24}, "variable_value_labels": {"q": {1: "V" * 18, 2: "B"}}}
    if suffix == "sav":
        pyreadstat.write_sav(frame, path, **told)
    else:
        pyreadstat.write_dta(frame, path, version=10, **told)
    data = path.read_bytes()
    for place, text in (("W" * 24, wording), ("V" * 18, option)):
        data = data.replace(place.encode(), text.encode(encoding).ljust(len(place)))
    path.write_bytes(data)
    column = files.read(path).columns[1]
    assert (column.label, column.labels["1"]) == (wording, option)
    assert column.name == "q"


def test_a_file_that_declares_windows_and_is_utf_8_is_read_as_such(tmp_path):
    path = tmp_path / "x.sav"
    labels = {"q": {1: "Überhaupt nicht", 2: "Très bien"}}
    frame = pd.DataFrame({"id": [1.0, 2.0], "q": [1.0, 2.0]})
    pyreadstat.write_sav(frame, path, variable_value_labels=labels)
    # The record of the encoding: its length, and its name.
    declared = (b"\x05\0\0\0UTF-8", b"\x0c\0\0\0windows-1252")
    path.write_bytes(path.read_bytes().replace(*declared))
    file = files.read(path)
    assert file.columns[1].labels == {"1": "Überhaupt nicht", "2": "Très bien"}
    assert file.notes[0].startswith("texts are read as utf-8, which their bytes are, though")
    given = files.read(path, encoding="cp1252")
    assert given.columns[1].labels["2"] == "TrÃ¨s bien"


def test_the_encoding_of_a_labelled_file_can_be_given(latin1):
    file = files.read(latin1, encoding="latin1")
    assert file.columns[1].labels["1"] == "Tr\u00e8s bien"
    assert file.notes == []
    with pytest.raises(ValueError, match=r"x\.sav: not a \.sav file in the encoding 'utf-9'"):
        files.read(latin1, encoding="utf-9")


def test_labels_and_codes_of_attributes_reach_the_tables(tmp_path):
    frame = pd.DataFrame({"id": [1.0, 2.0], "age": [5.0, 2.0], "q": [1.0, 2.0]})
    pyreadstat.write_sav(
        frame, tmp_path / "x.sav", column_labels={"age": "Age in years, grouped"},
        variable_value_labels={"age": {2: "Young", 5: "Old"}, "q": {1: "Yes", 2: "No"}},
    )  # fmt: skip
    file = files.read(tmp_path / "x.sav")
    book = codebook.load(codebook.dump(guesses.guess(file, "x")), "c.yml")
    tables = layout.build(file, book)
    assert tables.metadata[1] == [
        "age",
        "['Young', 'Old']",
        "Age in years, grouped",
        "{2: 'Young', 5: 'Old'}",
    ]
    info, metadata = layout.arrow(tables.info), layout.arrow(tables.metadata)
    assert opinionqa.codes(info, metadata, "x") == {
        "age": {"2": "Young", "5": "Old"},
        "q": {"1": "Yes", "2": "No"},
    }


def test_a_multiple_response_set_of_spss_is_what_was_selected_and_what_not(tmp_path):
    frame = pd.DataFrame({"id": [1.0, 2.0, 3.0], "news_tv": [1.0, 2.0, 9.0],
                          "news_web": [2.0, 1.0, None]})  # fmt: skip
    yes_no = {1: "Yes", 2: "No", 9: "Refused"}
    path = tmp_path / "x.sav"
    pyreadstat.write_sav(
        frame, path, column_labels={"news_tv": "Television", "news_web": "The web"},
        variable_value_labels={"news_tv": yes_no, "news_web": yes_no},
    )  # fmt: skip
    # The record of sets is put before the end of the dictionary, as SPSS writes it.
    record = b"$news=D1 1 20 Where do you follow? news_tv news_web\n"
    assert len("Where do you follow?") == 20
    head = struct.pack("<iiii", 7, 7, 1, len(record))
    end = struct.pack("<ii", 999, 0)
    path.write_bytes(path.read_bytes().replace(end, head + record + end, 1))
    file = files.read(path)
    tv, web = guesses.guess(file, "x").questions
    assert (tv.kind, web.kind) == ("multiple", "multiple")
    assert tv.question == "Where do you follow? Television"
    made = layout.build(file, guesses.guess(file, "x"))
    assert [row[1:] for row in made.responses[1:]] == [
        ["Selected", "Not selected"], ["Not selected", "Selected"], ["Refused", ""],
    ]  # fmt: skip
