"""Numbers in the forms in which people and programs write them."""

from __future__ import annotations

import pytest

from lupom.science.surveys.columns import Column, File
from lupom.science.surveys.numerals import plain

MANY = range(1, 31)


@pytest.mark.parametrize(
    ("written", "plainly", "note"),
    [
        ([f"${n},200" for n in MANY], [f"{n}200" for n in MANY], "their sign, '$': x"),
        ([f"{n}%" for n in MANY], [f"{n}" for n in MANY], "their sign, '%': x"),
        ([f"{n}.200,5 \u20ac" for n in MANY], [f"{n}200.5" for n in MANY], "sign, '\u20ac': x"),
        ([f"\u00a3{n}.5" for n in MANY], [f"{n}.5" for n in MANY], "sign, '\u00a3': x"),
        (["94,487", "1,020,400", "8,100", "12"], ["94487", "1020400", "8100", "12"], "commas"),
        (["1.234,5", "12", "980,25"], ["1234.5", "12", "980.25"], "points between thousands"),
        (["0,85", "1,15", "1"], ["0.85", "1.15", "1"], "decimal commas are read as points: x"),
    ],
)
def test_numbers_are_written_in_one_way(written, plainly, note):
    file = plain(File("x.csv", [Column("x", [*written, ""])]))
    assert file.columns[0].values == [*plainly, ""]
    (said,) = file.notes
    assert note in said


@pytest.mark.parametrize(
    "values",
    [
        ["1,3", "2", "1,2"],
        ["1,234", "2,500", "3,100"],
        ["38%", "40%", "60%"],  # options, with their signs
        [*(f"${n}" for n in MANY), "5 \u20ac"],
        [*(f"{n} hours" for n in MANY)],
        ["v1.2,3", "1.2"],
    ],
)
def test_what_may_be_something_else_stays(values):
    file = plain(File("x.csv", [Column("x", list(values))]))
    assert file.columns[0].values == values
    assert file.notes == []


def test_rs_file_of_the_continent_has_na_and_one_decimal():
    values = [*(f"{n},5" for n in MANY), "NA", "18"]
    file = plain(File("x.csv", [Column("x", values)]), thousands=False)
    assert file.columns[0].values == [*(f"{n}.5" for n in MANY), "NA", "18"]
    few = [*["1,3", "2", "1,2"] * 9, "NA"]
    assert plain(File("x.csv", [Column("x", few)]), thousands=False).columns[0].values == few


def test_between_semicolons_a_comma_is_no_thousand():
    values = ["94,487", "10,204", "12,300"]
    assert plain(File("x.csv", [Column("x", values)]), thousands=False).columns[0].values == values


def test_open_ends_of_many_numbers_are_numbers():
    years = [str(n) for n in range(1, 51)]
    column = Column("x", ["Less than 1 year", *years, "More than 50 years", "NA", ""])
    file = plain(File("x.csv", [column]))
    assert file.columns[0].values == ["0", *years, "51", "NA", ""]
    assert file.notes == [
        "among numbers, 'Less than 1 year' as 0 and 'More than 50 years' as 51 is read: x"
    ]
    ages = [str(n) for n in range(18, 89)]
    assert plain(File("x.csv", [Column("x", [*ages, "89 or older"])])).columns[0].values[-1] == "89"


@pytest.mark.parametrize("text", ["Less than 5 years", "Retired", "20-30", "More than 10"])
def test_other_texts_among_numbers_stay(text):
    values = [*(str(n) for n in range(1, 51)), text]
    assert plain(File("x.csv", [Column("x", values)])).columns[0].values == values
