import pytest

from lupom.science.names import names_of, of_survey


@pytest.mark.parametrize(
    ("survey", "names"),
    [
        ("gss_2018", ("gss_2018", "default")),
        ("W34", ("W34", "default")),
        ("opinionqa.W34", ("opinionqa.W34", "W34", "default")),
        ("american_trends_panel_w34", ("american_trends_panel_w34", "W34", "default")),
        ("ATP-W082_2021", ("ATP-W082_2021", "W82", "default")),
        ("pew.atp_w41", ("pew.atp_w41", "atp_w41", "W41", "default")),
        # No wave of its own, or more than one.
        ("new34", ("new34", "default")),
        ("w34_and_w41", ("w34_and_w41", "default")),
        ("w34b", ("w34b", "default")),
    ],
)
def test_a_survey_goes_by_its_name_what_follows_a_dot_and_its_wave(survey, names):
    assert names_of(survey) == names


def test_a_setting_is_one_for_all_or_found_by_a_name():
    assert of_survey("bic", "w") == "bic"
    by_survey = {"W34": "bds", "default": "bic"}
    assert of_survey(by_survey, "american_trends_panel_w34") == "bds"
    assert of_survey(by_survey, "gss") == "bic"
    assert of_survey({"W34": "bds"}, "gss") is None
