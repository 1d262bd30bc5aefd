"""XLSForm and DDI: what a survey was written in, and what archives publish."""

from __future__ import annotations

import pytest

from lupom.science.surveys.dictionaries import ddi, xlsform

SHEETS = {
    "survey": [
        ["type", "name", "label::English (en)", "label::French (fr)", "relevant"],
        ["start", "start", None, None, None],
        ["begin_group", "g", "About you", None, None],
        ["select_one sex", "sex", "What is your sex?", "Sexe ?", None],
        ["select_multiple tea or_other", "tea", "Which tea?", None, "${sex} = 'm'"],
        ["note", "thanks", "Thanks", None, None],
        ["end_group", None, None, None, None],
    ],
    "choices": [
        ["list_name", "name", "label::English (en)", "label::French (fr)"],
        ["sex", "m", "Male", "Homme"],
        ["sex", "f", "Female", "Femme"],
        ["tea", 1, "Green", "Vert"],
    ],
    "settings": [["form_title", "default_language"], ["Teas", "French (fr)"]],
}
DDI = """<?xml version="1.0" encoding="UTF-8"?>
<codeBook xmlns="ddi:codebook:2_5">
<stdyDscr><citation><titlStmt><titl>My survey</titl></titlStmt></citation></stdyDscr>
<dataDscr><var name="V1" nature="ordinal"><labl>Vote</labl>
<qstn><qstnLit>Did you vote?</qstnLit></qstn><universe>Adults</universe>
<invalrng><item VALUE="-1"/><range min="97" max="99"/></invalrng>
<catgry><catValu>1</catValu><labl>Yes</labl></catgry>
<catgry missing="Y"><catValu>8</catValu><labl>DK</labl></catgry></var></dataDscr></codeBook>
"""


def test_an_xlsform_in_its_default_language():
    assert xlsform.recognises(SHEETS)
    found = xlsform.read(SHEETS, "form.xlsx")
    assert (found.title, list(found.variables)) == ("Teas", ["start", "sex", "tea", "thanks"])
    sex, tea = found.variables["sex"], found.variables["tea"]
    assert (sex.label, sex.labels) == ("Sexe ?", {"m": "Homme", "f": "Femme"})
    assert (tea.label, tea.several, tea.asked_if) == ("Which tea?", True, "${sex} = 'm'")
    assert found.variables["thanks"].why == "no question"


def test_a_list_of_choices_that_is_not_there_is_an_error():
    sheets = {**SHEETS, "choices": SHEETS["choices"][:3]}
    with pytest.raises(ValueError, match=r"form.xlsx, sheet 'survey', row 5: .* choices 'tea'"):
        xlsform.read(sheets, "form.xlsx")


def test_a_ddi_codebook():
    found = ddi.read(DDI, "x.xml")
    assert found.title == "My survey"
    vote = found.variables["V1"]
    assert (vote.label, vote.measure, vote.asked_if) == ("Did you vote?", "ordinal", "Adults")
    assert vote.labels == {"1": "Yes", "8": "DK"}
    assert (vote.missing, vote.ranges) == ({"-1", "8"}, [(97.0, 99.0)])


def test_broken_xml_is_told_with_its_line_and_entities_are_refused():
    with pytest.raises(ValueError, match=r"x.xml:8: not well-formed XML"):
        ddi.read(DDI.replace("</dataDscr>", ""), "x.xml")
    with pytest.raises(ValueError, match="a DOCTYPE of its own"):
        ddi.read('<!DOCTYPE x [<!ENTITY a "b">]><codeBook>&a;</codeBook>', "x.xml")
