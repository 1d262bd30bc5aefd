import pyarrow as pa
import pytest

from lupom.science.names import check_attributes, names_of, of_survey

MAP = pa.map_(pa.string(), pa.string())


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


def test_attributes_that_nobody_has_are_told():
    people = {"survey": ["a", "b"], "attributes": [[("SEX", "f")], [("AGE", "30-49")]]}
    table = pa.table({**people, "attributes": pa.array(people["attributes"], MAP)})
    check_attributes(table, ["AGE", "SEX"], "group_attributes")
    with pytest.raises(ValueError, match=r"group_attributes names 'SEXX', .*did you mean 'SEX'\?"):
        check_attributes(table, ["SEXX"], "group_attributes")
    with pytest.raises(ValueError, match="no attribute of people; there are AGE, SEX"):
        check_attributes(table, ["income"], "group_attributes")
