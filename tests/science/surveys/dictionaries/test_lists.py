"""Codes and their texts, in the forms in which people write them."""

from __future__ import annotations

import pytest

from lupom.science.surveys.dictionaries import lists

YES_NO = {"1": "Yes", "2": "No"}


@pytest.mark.parametrize(
    "cell",
    [
        "1, Yes | 2, No",
        "1=Yes; 2=No",
        "1 = Yes, 2 = No",
        "1: Yes, 2: No",
        "1 - Yes\n2 - No",
        "1. Yes 2. No",
        "1) Yes 2) No",
        "[1] Yes; [2] No",
        "{1: 'Yes', 2: 'No'}",
        '{"1": "Yes", "2": "No"}',
        "Yes=1, No=2",
        "Yes (1), No (2)",
        "01 = Yes, 02 = No",
        "1 Yes 2 No",
        "1 'Yes' 2 'No'",
    ],
)
def test_a_cell_is_a_list_of_codes_however_it_is_written(cell):
    assert lists.cell(cell) == YES_NO


def test_texts_keep_their_own_commas_and_brackets():
    told = lists.cell("0, No (never) | 1, Yes, often | 99, I don't know")
    assert told == {"0": "No (never)", "1": "Yes, often", "99": "I don't know"}
    told = lists.cell("1 = Yes, definitely, 2 = No (not at all), -9 = Missing")
    assert told == {"1": "Yes, definitely", "2": "No (not at all)", "-9": "Missing"}


def test_texts_may_be_ranges_and_ends_stand_in_brackets():
    assert lists.cell("1: 18-24; 2: 25-34; 3: 35+") == {"1": "18-24", "2": "25-34", "3": "35+"}
    assert lists.cell("1=<20, 2=20-39") == {"1": "<20", "2": "20-39"}
    wording, told = lists.prose("Mood: 1 (not at all) to 7 (very much)")
    assert (wording, told) == ("Mood", {"1": "not at all", "7": "very much"})
    assert lists.cell("0: none; 1: some; NA: missing") == {"0": "none", "1": "some"}


def test_codes_may_be_letters_or_the_texts_themselves():
    assert lists.cell("M = Male, F = Female") == {"M": "Male", "F": "Female"}
    assert list(lists.cell("Never; Sometimes; Often")) == ["Never", "Sometimes", "Often"]


@pytest.mark.parametrize("cell", ["", "1-5", "3:1", "18 to 99", "years", "at 10:30"])
def test_other_cells_have_no_codes(cell):
    assert lists.cell(cell) == {}


def test_codes_stand_behind_a_wording():
    assert lists.prose("Sex (1=Male, 2=Female)") == ("Sex", {"1": "Male", "2": "Female"})
    assert lists.prose("Total (0-27)") == ("Total (0-27)", {})
    assert lists.prose("from 10:30 to 11:45 h")[1] == {}
    before, told = lists.prose('rated (1 labelled as "Low", 3 labelled as "High"; 0 = missed)')
    assert (before, told) == ("rated", {"1": "Low", "3": "High", "0": "missed"})


def test_what_follows_the_last_text_is_none_of_it():
    told = lists.prose("where 1=Low, 5=High (0=missed). All were on one page.")[1]
    assert told == {"1": "Low", "5": "High", "0": "missed"}


def test_a_scale_is_told_by_its_ends():
    wording, told = lists.steps("Flying: Not afraid 1-2-3 Very afraid of (integer)")
    assert (wording, told) == ("Flying", {"1": "Not afraid", "2": "2", "3": "Very afraid of"})
    assert lists.steps("History: 1990-1991") == ("History: 1990-1991", {})


def test_steps_between_a_first_and_a_last():
    assert list(lists.span("1-5")) == ["1", "2", "3", "4", "5"]
    assert list(lists.span("0 to 10"))[-1] == "10"
    assert lists.span("18-99") == lists.span("2010-2012") == {}
