import math

import pytest

from lupom.science.surveys.ranges import amount, spans, within


@pytest.mark.parametrize(
    ("options", "number", "option"),
    [
        (("18-29", "30-49", "50-64", "65+"), 64.9, "50-64"),
        (("18 to 24 years", "25\u201334 years", "35 years and older"), 34, "25\u201334 years"),
        (("Less than $30k", "$30k to under $50k", "$50k or more"), 50_000, "$50k or more"),
        (("$20,000-$40,000", "$40,000-$75,000"), 40_000, "$40,000-$75,000"),
        (("None", "1-2", "3 or more", "Refused"), 0, "None"),
        (("0", "1", "2", "3+"), 7, "3+"),
        (("At most 5", "More than 5"), 5, "At most 5"),
        (("Below 0.5", "0.5 to below 1.2", "1.2 or more"), 1.19, "0.5 to below 1.2"),
    ],
)
def test_a_number_is_in_the_range_that_an_option_is(options, number, option):
    assert within(number, spans(options)) == option


@pytest.mark.parametrize(
    "options",
    [
        ("Male", "Female"),
        ("1", "2", "3"),
        ("10-19", "15-24"),
        ("18-29", "30-49", "Prefer another"),
        ("18-29",),
        ("Over 5", "Over 10"),
    ],
)
def test_options_that_are_no_ranges_or_overlap_have_none(options):
    assert spans(options) == []


def test_the_ends_of_ranges():
    assert spans(("Under 18", "18 or older"))[0][:2] == (-math.inf, 18)
    assert within(17, spans(("18-29", "30+"))) is None


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("34 years", 34),
        ("$52,000", 52_000),
        ("45k", 45_000),
        ("1 000 000", 1_000_000),
        ("-3.5", -3.5),
        ("12 34", None),
        ("about 5", None),
    ],
)
def test_an_amount_is_read_without_its_unit(text, number):
    assert amount(text) == number


def test_what_may_be_a_decimal_is_no_thousand_unless_numbers_are_that_large():
    assert amount("1,234", thousands=False) is None
    assert amount("1,234") == 1234
