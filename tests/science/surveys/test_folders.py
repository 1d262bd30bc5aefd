"""A folder in OpinionQA's layout, as its files really are."""

from __future__ import annotations

import pytest

from lupom.science.surveys import files
from tests.support import opinionqa


@pytest.fixture(scope="module")
def wave(tmp_path_factory):
    return opinionqa.write(tmp_path_factory.mktemp("waves"), 12) / "American_Trends_Panel_W34"


@pytest.fixture
def edited(wave, tmp_path):
    """Copy a wave with a change to its responses' header and rows."""

    def edit(change):
        for path in wave.iterdir():
            lines = path.read_text().splitlines(keepends=True)
            if path.name == "responses.csv":
                lines = [change(line, i) for i, line in enumerate(lines)]
            (tmp_path / path.name).write_text("".join(lines))
        return files.read_layout(tmp_path, "w34")

    return edit


def test_the_id_is_index_and_the_running_numbers_before_it_are_not(wave):
    layout = files.read_layout(wave, "w34")
    header = layout.responses[0]
    assert header[:5] == ["Unnamed: 0.1", "Unnamed: 0", "index", "QKEY", "Device_Type_W34"]
    ids = [row[header.index("index")] for row in layout.responses[1:]]
    assert ids == ["0", "1", "2", "3", "4", "6", "7", "8", "9", "10", "12", "13"]
    assert layout.notes == ["responses.csv: column 1 has no name and is left out"]
    assert layout.attributes.keys() == opinionqa.METADATA.keys()


def test_every_column_that_no_table_is_made_of_is_told(wave):
    assert files.read_layout(wave, "w34").unread == [
        *("Unnamed: 0.1", "Unnamed: 0", "QKEY", "Device_Type_W34", "LANGUAGE_W34", "FORM_W34"),
        *("F_CREGION_FINAL", "F_INTERNET_FINAL"),
    ]


def test_a_running_number_without_a_name_is_the_id_where_no_other_column_is(edited):
    names = "Unnamed: 0.1,Unnamed: 0,index,QKEY"

    def change(line, i):
        return line.replace(names, "a,b,c,d") if i == 0 else line

    layout = edited(change)
    assert layout.responses[0][:3] == ["index", "a", "b"]
    assert layout.notes == [
        "responses.csv: no column is called index, respondent_id or QKEY: the first, which has no "
        "name, has the respondents' ids"
    ]


def test_a_running_number_that_pandas_named_is_the_id_with_a_word(edited):
    names = ",Unnamed: 0.1,Unnamed: 0,index,QKEY"

    def change(line, i):
        return line.replace(names, "a,b,Unnamed: 0,c,d") if i == 0 else line

    layout = edited(change)
    assert "Unnamed: 0" not in layout.unread
    assert layout.notes == [
        "w34: responses has no column 'index', 'respondent_id' or 'QKEY': the running numbers in "
        "'Unnamed: 0' are the respondents' ids"
    ]


def test_where_there_is_a_qkey_running_numbers_are_no_ids(edited):
    layout = edited(
        lambda line, i: line.replace("Unnamed: 0,index", "Unnamed: 0,c") if i == 0 else line
    )
    assert {"Unnamed: 0", "c"} <= set(layout.unread)
    assert "QKEY" not in layout.unread
    assert layout.notes == ["responses.csv: column 1 has no name and is left out"]


@pytest.mark.parametrize("name", ["INDEX", "Index", "Respondent_ID", "qkey"])
def test_an_id_in_another_case_is_the_id(edited, name):
    names = "Unnamed: 0.1,Unnamed: 0,index,QKEY"

    def change(line, i):
        return line.replace(names, f"a,b,{name},d") if i == 0 else line

    layout = edited(change)
    assert layout.responses[0][:4] == ["a", "b", "index", "d"]
    assert layout.responses[1][2] == "0"
    assert layout.notes == ["responses.csv: column 1 has no name and is left out"]


def test_a_second_column_of_one_name_is_left_out_unless_it_is_asked_for(edited):
    layout = edited(lambda line, i: line.replace("LANGUAGE_W34", "form_w34") if i == 0 else line)
    assert "form_w34" in layout.responses[0]
    assert layout.notes[1] == (
        "responses.csv: column 8 is called 'FORM_W34', as column 7 and is left out"
    )
    with pytest.raises(ValueError, match="the columns 9 and 10 are both called 'SAFE_W34'"):
        edited(lambda line, i: line.replace("BETTER_W34", "SAFE_W34") if i == 0 else line)


def test_a_folder_of_waves_is_told_apart_from_a_wave(wave):
    with pytest.raises(ValueError, match=r"no info\.csv \(it is in .*W34, .*W41, .*W82: name"):
        files.read_layout(wave.parent, "w34")
