"""Positions guessed from the wording of options."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lupom.science.surveys.scales import by_number, positions

AGREE = ["Strongly disagree", "Disagree", "Neither agree nor disagree", "Agree", "Strongly agree"]


@pytest.mark.parametrize(
    "options",
    [
        AGREE,
        AGREE[::-1],
        ["Too little", "About right", "Too much"],
        ["Never", "Rarely", "Sometimes", "Often", "Always"],
        ["Very important", "Somewhat important", "Not too important", "Not at all important"],
        ["Poor", "Only fair", "Good", "Excellent"],
        ["A great deal", "A fair amount", "Not too much", "None at all"],
        ["Less than $20,000", "$20,000-$39,999", "$40,000 or more"],
        ["18-29", "30-49", "50-64", "65+"],
        ["<18", "18\u201324", "25\u201334", "35+"],
        ["\u2264 1,000", "1,001 to 2,000", "> 2,000"],
        ["Strongly disagree", "Disagree", "Undecided", "Agree", "Strongly agree"],
        ["1. Very bad", "2. Bad", "3. No opinion", "4. Good", "5. Very good"],
        [f"{text} ({i})" for i, text in enumerate(AGREE, 1)],
        ["Very happy", "Pretty happy", "Not too happy"],
        ["0 Not at all likely", "1", "2", "3 Extremely likely"],
        ["Very liberal", "Liberal", "Moderate", "Conservative", "Very conservative"],
        ["StronglyDisagree", "Disagree", "Agree", "StronglyAgree"],
        ["Very low", "Fairly low", "Average", "Fairly high", "Very high"],
        ["Very easy", "Somewhat easy", "Neither easy nor hard", "Somewhat hard", "Very hard"],
        ["Not keen at all", "Slightly keen", "Keen", "Very keen", "Extremely keen"],
        ["Low trust", "Middle trust", "High trust"],
        ["None of us", "Some of us", "Yes, all of us"],
        ["No skills", "Beginner", "Intermediate", "Expert"],
        ["Primary school", "High school", "Some college", "Bachelor's degree", "PhD"],
        ["No", "Maybe", "Yes"],
        ["No, not odd at all", "Yes, somewhat odd", "Yes, very odd"],
        ["Every day", "A few times per week", "Once a month or less", "Never"],
        ["Never", "Once in a while", "About half the time", "Usually", "Always"],
        ["Once", "Twice", "Three times", "More than three times"],
        ["4'11\"", "5'0\"", "5'9\"", "5'10\"", "6'1\""],
        ["I eat much less than he", "I eat about the same as he", "I eat much more than he"],
        ["Pas utile / Not useful", "Utile", "Très utile / Very useful"],
        ["Nicht nett", "Kaum nett", "Mäßig nett", "Nett", "Sehr nett"],
        ["gar nicht", "selten", "eher selten", "eher häufig", "sehr häufig"],
        ["gar nicht", "wenig", "etwas", "stark", "sehr stark"],
        ["sehr unzufrieden", "eher unzufrieden", "weder noch", "zufrieden", "sehr zufrieden"],
        ["Stimme gar nicht zu", "Stimme eher nicht zu", "Stimme eher zu", "Stimme voll zu"],
        ["Pas du tout d'accord", "Plutôt pas d'accord", "Plutôt d'accord", "Tout à fait d'accord"],
        ["Jamais", "Rarement", "Parfois", "Souvent", "Toujours"],
        ["Muy en desacuerdo", "En desacuerdo", "Neutral", "De acuerdo", "Muy de acuerdo"],
        ["Nunca", "Casi nunca", "A veces", "Casi siempre", "Siempre"],
        ["Discordo totalmente", "Discordo", "Neutro", "Concordo", "Concordo totalmente"],
        ["Per niente utile", "Poco utile", "Abbastanza utile", "Molto utile"],
        ["Helemaal niet mee eens", "Niet mee eens", "Neutraal", "Mee eens", "Helemaal mee eens"],
    ],
)
def test_a_scale_listed_in_order_is_numbered(options):
    assert positions(options) == [float(i) for i in range(1, len(options) + 1)]


def test_list_numbers_order_options_and_make_no_scale():
    parties = ["Green [10]", "Labour [2]", "Liberal [3]"]
    assert positions(parties) is None
    assert by_number(parties) == ["Labour [2]", "Liberal [3]", "Green [10]"]
    assert by_number(["10. Green", "2. Labour"]) == ["2. Labour", "10. Green"]
    assert by_number(["Green (1)", "Labour (1)"]) is None
    assert by_number(["Green", "Labour"]) is None


def test_a_middle_listed_last_stands_between():
    assert positions(["Better", "Worse", "About the same"]) == [1, 2, 1.5]
    four = ["Strongly favor", "Favor", "Oppose", "Strongly oppose", "Neither"]
    assert positions([*four[:4], "Neither favor nor oppose"]) == [1, 2, 3, 4, 2.5]


def test_not_sure_has_no_place():
    assert positions(["Good idea", "Bad idea", "Not sure"]) == [1, 2, None]
    assert positions(["Very favorably", "Unfavorably", "Never met (N/A)"]) == [1, 2, None]


def test_undecided_listed_last_or_beside_a_refusal_is_no_middle_by_accident():
    four = ["Strongly agree", "Agree", "Disagree", "Strongly disagree"]
    assert positions([*four, "Undecided"]) == [1, 2, 3, 4, None]
    between = [*four[:2], "Undecided", *four[2:], "Refused"]
    assert positions(between) == [1, 2, 3, 4, 5, None]


@pytest.mark.parametrize(
    "options",
    [
        ["Red", "Green", "Blue"],
        ["Agree"],
        [],
        ["Yes", "No", "It depends"],
        ["Very red", "Very blue"],
        ["Party of Work", "Party of Peace"],
        ["At home", "At work", "At school"],
        ["Team 1", "Team 2 (new)", "Side 3"],
        ["Male", "Female", "Other"],
    ],
)
def test_names_are_no_scale(options):
    assert positions(options) is None


@given(st.permutations(AGREE))
def test_in_whatever_order_the_scale_is_the_same_or_its_reverse(options):
    at = dict(zip(options, positions(options), strict=True))
    listed = [at[o] for o in AGREE]
    ends = [listed[0], listed[1], listed[3], listed[4]]
    assert ends in (sorted(ends), sorted(ends, reverse=True))
    assert min(ends) < listed[2] < max(ends)


@pytest.mark.parametrize(
    "options",
    [
        ["strongly_disagree", "disagree", "neither", "agree", "strongly_agree"],
        ["None", "1 or 2", "3 to 5", "More than 5"],
        ["Never", "1-2 times a week", "3-5 times a week"],
        ["1 to 9 employees", "100 to 999 employees", "1000 to 9999 employees", "10 000 or more"],
        ["Continuously", "Daily", "Weekly", "Never"],
        ["nie", "selten", "manchmal", "oft", "täglich"],
        ["Very bad", "Bad", "So so", "Good", "Very good"],
        ["less", "same", "more"],
        ["Too short", "Appropriate in length", "Too long"],
        ["Complete confidence", "Some confidence", "Little confidence", "No confidence"],
        ["Very weak", "Weak", "Neither powerful nor weak", "Powerful", "Very powerful"],
        ["Nada satisfecho", "No muy satisfecho", "Más bien satisfecho", "Muy satisfecho"],
        ["Ninguna confianza", "Poca confianza", "Algo de confianza", "Mucha confianza"],
        ["sehr laut", "laut", "weder laut noch leise", "leise", "sehr leise"],
    ],
)
def test_scales_of_people_who_were_asked_are_put_in_order(options):
    at = [float(i) for i in range(1, len(options) + 1)]
    assert positions(options) == at
    shuffled = sorted(options)
    told = dict(zip(shuffled, positions(shuffled), strict=True))
    assert sorted(shuffled, key=told.__getitem__) in (options, options[::-1])


def test_no_is_nothing_among_amounts_alone():
    assert positions(["No", "Red", "Blue"]) is None
    assert positions(["No", "Channel 4", "Channel 5"]) is None
