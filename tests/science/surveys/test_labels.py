"""Labels that are not answers, in the spellings of public survey files."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lupom.science.surveys import labels

# fmt: off
REFUSED = [
    "97. VOLUNTEERED: REFUSED", "(96) Refused", "Does not respond", "Question not answered", "NR",
    "Refused*", "RF (Refused)", "Refused/Web blank", "No answer, refused",
    "Refused", "(Refused)", "[Refused]", "-9. Refused", "-9 Refused", "99 = Refused",
    "99. REFUSED", "Refusal", "Refusal (SPONTANEOUS)", "Refused [DNR]", "Refused to answer",
    "NA", "No answer", "NO ANSWER", "-2. No answer", "No Answer/Refused", "Prefer not to say",
    "I prefer not to say", "I'd rather not say", "I would prefer not to answer",
    "Prefer not to disclose", "Declined to answer", "Decline to state", "DECLINED", "Web blank",
    "No response", "No contesta", "Keine Angabe", "k.A.", "Sans r\u00e9ponse",
    "Do not wish to answer", "I don't want to answer", "Not answered", "Refused (VOL.)", "Ref",
    "Refused.", "** NO ANSWER **", "rather not answer", "Refused/Don't know", "(9) No answer",
    "Respondent refused", "Nonresponse", "Non-response", "RF", "Refuse to answer", "9: Refused",
    "PREFER NOT TO ANSWER", "Choose not to answer",
]
DONT_KNOW = [
    "Don't know/Haven't heard enough [DNR]", "Don't know/Not Sure", "Not sure/Don't know", "D/K",
    "998. VOLUNTEERED: DON'T KNOW", "DK (Don't Know); NA (Not Ascertained)", "Don't know*",
    "Can't choose, don't know", "Don\ufffdt know", "Don\u00e2\u20ac\u2122t know", "NS",
    "Don't know/Not Sure/Refused/Missing", "Wei\u00df nicht, keine Angabe",
    "Don't know", "DON'T KNOW", "Don\u2019t know", "Don\u00b4t know", "Don`t know", "Dont know",
    "Don\u2018t know", "DK", "D.K.", "D.K./N.A.", "DK/NA", "DK/Ref", "DK / Refused",
    "Don't know/Refused", "-8. Don't know", "998. Don't know", "999. Don't recognize",
    "Don't know (VOL.)", "(VOL) Don't know", "[VOL. DO NOT READ] Don't know", "DK (SPONTANEOUS)",
    "Can't choose", "CANT CHOOSE", "Cannot choose", "Can't say", "Hard to say",
    "Don't know [DNR]", "No sabe", "No sabe / No contesta", "No sabe/No responde", "NS/NR",
    "Wei\u00df nicht", "weiss nicht", "Ne sait pas", "I don't know", "Do not know",
    "Doesn't know", "88 Don't know", ".d:  Do not Know/Cannot Choose", "Don't know, refused",
    "Don't know or refused", "Unable to answer", "8: DK", "VOL: Don't know",
    "Don't know (no opinion)", "DK,NA", "Can\u2019t choose", "Difficult to answer",
    "Don't know / No answer",
]
NOT_ASKED = [
    "NAP, other countries", "999. MISSING", "Not asked or Missing", "Not applicable*", "proxy",
    "No aplicable", "Sin dato", "NAP (Code 2 in V1)", "No preguntada",
    "-1. Inapplicable", "Inapplicable", "Inap. (not 1 in Q1)", "INAP", "IAP", "Inap",
    "Not applicable", "N/A", "N/A.", "Not asked", "Not asked in this country",
    "-4 Not asked in survey", "Not asked (split B)", "Missing", "99 = missing",
    "Missing; Unknown", "-5. Missing; Unknown", "Other missing; Multiple answers Mail (EVS)",
    "MISSING DATA", "Skipped", "Legitimate skip", "Skipped on Web", ".s:  Skipped on Web",
    ".i:  Inapplicable", "Not available", "Not available in this year", "-4. Technical error",
    "-6. No post-election interview", "-7. No post data, deleted due to incomplete IW",
    "-5. Interview breakoff (sufficient partial IW)", "System missing", "Not ascertained",
    "Unit non-response", "Wave nonresponse (panel)",
    "IAP,DK,NA,uncodeable", "Does not apply", "Valid skip", "No data", "-3. Restricted", "Nap",
    "Not in universe", "Not shown",
    "-2. Missing, other specify not coded for preliminary release", "666 Not applicable",
    "Question not asked", "unknown", "Inap, coded 2 in q1", "Missing: system",
]
# Answers, however much they look like one of those.
ANSWERS = [
    "Not sure/no opinion", "It depends (SPONTANEOUS)", "None (SPONTANEOUS)", "Both/Neither",
    "Other/Refugee", "Nap or rest", "Don't know them or not close", "Sinn Fein", "NSA",
    "Not sure", "No opinion", "Yes", "No", "None", "None of these", "Nothing", "Neither",
    "1. Labour", "2. Green", "No religion", "No party", "Never", "Other", "Independent",
    "Reference", "Missing my friends and family", "Skipping meals", "Not at all", "Not very",
    "Naples", "Refugees", "Don't care", "Don't know enough to say", "NATO", "No one", "Black",
    "Know a little", "Do not agree", "Unsure", "Never heard of", "Can't afford it",
    "Don't trust them", "No answer is right", "Refused entry to the country", "Not important",
    "18-29", "3", "-1", "10 or more", "99", "NAFTA", "Car", "Answer", "No changes at all",
    "No problem", "Restricted diet", "Not often", "1", "Can't see the screen", "No preference",
    "Unknown soldier", "Web", "Spain", "Refuse collection", "Both", "Inappropriate",
    "Skips meals", "Nothing in particular", "An appropriate use of technology",
    "Declined in value", "Missing persons", "Prefer not to vote", "Rather not",
    "Choose not to vote", "Don't want to move",
]
# fmt: on
EXPECTED = {
    **dict.fromkeys(REFUSED, "refused"),
    **dict.fromkeys(DONT_KNOW, "dont_know"),
    **dict.fromkeys(NOT_ASKED, "not_asked"),
    **dict.fromkeys(ANSWERS),
}


@pytest.mark.parametrize("label", EXPECTED)
def test_what_a_label_says(label):
    assert labels.nonresponse(label) == EXPECTED[label]


@pytest.mark.parametrize(
    "form", ["{}", "({})", "[{}]", " {} ", "{}.", "{} (VOL.)", "{} [DNR]", "**{}**"]
)
@pytest.mark.parametrize("case", [str, str.upper, str.lower, str.title])
def test_brackets_case_and_asides_change_nothing(form, case):
    labelled = [*REFUSED, *DONT_KNOW, *NOT_ASKED]
    assert {label: labels.nonresponse(form.format(case(label))) for label in labelled} == {
        label: EXPECTED[label] for label in labelled
    }


@pytest.mark.parametrize("sign", "'\u2019\u2018\u00b4`\u02bc\u2032\uff07")
def test_every_sign_for_an_apostrophe_is_one(sign):
    assert labels.nonresponse(f"Don{sign}t know") == "dont_know"
    assert labels.nonresponse(f"I{sign}d rather not say") == "refused"


@given(st.text(max_size=40))
def test_any_text_has_a_status_or_none(text):
    assert labels.nonresponse(text) in ("refused", "dont_know", "not_asked", None)


def test_what_somebody_wrote_at_length_is_no_label():
    assert labels.nonresponse("Missing: " + "we miss the old way " * 20) is None


def test_a_label_beside_its_opposite_is_an_answer():
    assert labels.among(["Available", "Not available", "DK"]) == {"DK": "dont_know"}
    assert labels.among(["1. Known", "2. Unknown"]) == {}
    assert labels.among(["Agree", "Not available"]) == {"Not available": "not_asked"}


@pytest.mark.parametrize(
    ("label", "found"),
    [
        ("1. Labour", (1, "Labour")),
        ("(2) Green", (2, "Green")),
        ("3 = Liberal", (3, "Liberal")),
        ("4) Yes", (4, "Yes")),
        ("1 - Very good", (1, "Very good")),
        ("18-29", None),
        ("2 - 3 times", None),
        ("2.5 hours", None),
        ("2 children", None),
        ("7", None),
    ],
)
def test_list_numbers_are_told_from_amounts(label, found):
    assert labels.numbered(label) == found
