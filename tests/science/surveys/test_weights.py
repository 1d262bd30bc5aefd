"""Which columns are survey weights, and which of several is taken."""

from __future__ import annotations

import pytest

from lupom.science.surveys import doubts, guesses
from lupom.science.surveys.columns import Column, File
from lupom.science.surveys.weights import best, is_weight

ONES = [f"{0.5 + i / 20:.2f}" for i in range(20)]


def column(name: str, label: str = "", values: list[str] | None = None) -> Column:
    return Column(name, values or ONES, label)


@pytest.mark.parametrize(
    ("names", "wanted"),
    [
        (["dweight", "pspwght", "pweight"], "pspwght"),
        (["pweight", "dweight", "anweight"], "anweight"),
        (["BASEWT_W34", "WEIGHT_W34"], "WEIGHT_W34"),
        (["weight_raw", "weight_trimmed", "weight"], "weight_trimmed"),
        (["design_weight", "wt"], "wt"),
        (["hh_weight", "weight"], "weight"),
    ],
)
def test_the_one_that_brings_the_sample_to_its_population_is_taken(names, wanted):
    columns = [column(name) for name in names]
    assert all(map(is_weight, columns))
    found = best(columns)
    assert found is not None
    assert found.name == wanted
    # Wherever it stands.
    assert best(columns[::-1]) is found


def test_labels_tell_what_names_do_not():
    columns = [
        column("v1", "Design weight"),
        column("v2", "Post-stratification weight, final"),
    ]
    assert all(map(is_weight, columns))
    assert best(columns) is columns[1]


@pytest.mark.parametrize(
    ("label", "values"),
    [
        ("What is your weight?", ONES),
        ("Weight in kg", ONES),
        ("Birth weight", ONES),
        ("Importance: weight of tradition", ["1", "2", "3", "4", "5"] * 4),
        ("Income in thousands", ONES),
    ],
)
def test_other_weights_are_none(label, values):
    assert not is_weight(column("v3", label, values))


@pytest.mark.parametrize("name", ["weight", "wt71", "WEIGHT_2"])
def test_what_people_weigh_is_none(name):
    assert not is_weight(column(name, values=[f"{60 + 3.1 * (i % 17):.1f}" for i in range(60)]))


def test_of_several_it_is_said_which_was_taken():
    file = File(
        "ess.csv",
        [
            column("dweight"),
            column("pspwght"),
            Column("trust", ["a", "b", "c", "d"] * 5, "How much do you trust?"),
        ],
    )
    book = guesses.guess(file, "ess")
    assert book.weight == "pspwght"
    assert book.ignored["dweight"] == "another column of weights"
    (note,) = [n for n in doubts.doubts(file, book) if "pspwght" in n]
    assert note == (
        "of 2 columns of weights pspwght is taken; if estimates are to have dweight, name it under"
        " weight: in the codebook"
    )
