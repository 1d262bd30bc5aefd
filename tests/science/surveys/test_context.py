"""What is known of a survey as a whole, and its attributes in words."""

from __future__ import annotations

import pyarrow as pa
import pytest

from lupom.science.surveys import context


def metadata(**columns: list[str | None]) -> pa.Table:
    return pa.table(columns)


def test_what_is_not_said_is_null_and_the_title_is_made_of_the_name():
    table = context.surveys(
        {
            "gss_2018": {"survey": {"title": "The GSS", "fielded": 2018}},
            "panel.w34": {"owner": "us"},
        }
    )
    assert table.to_pylist() == [
        {"survey": "gss_2018", "title": "The GSS", "fielded": "2018", "population": None,
         "country": None, "language": None},
        {"survey": "panel.w34", "title": "Panel W34", "fielded": None, "population": None,
         "country": None, "language": None},
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("survey", "title"),
    [
        ("gss_2018", "GSS 2018"),
        ("staff_survey", "Staff survey"),
        ("American_Trends_Panel_W34", "American Trends Panel, wave 34"),
        ("opinionqa.W82", "Opinionqa W82"),
    ],
)
def test_titles_of_names(survey, title):
    assert context.title(survey) == title


@pytest.mark.parametrize(
    ("key", "label"),
    [
        ("RELIGATTEND", "Religious attendance"),
        ("F_CREGION", "Region"),
        ("F_PARTY_FINAL", "Political party"),
        ("department", "Department"),
        ("yearsEmployed", "Years Employed"),
        ("home_town", "Home town"),
        ("SEX", "Sex"),
        ("Wie alt sind Sie?", "Wie alt sind Sie?"),
        ("", ""),
    ],
)
def test_keys_in_words(key, label):
    assert context.label_of(key) == label


def test_a_label_is_the_properties_then_the_tables_then_made_of_the_key():
    table = metadata(key=["AGE", "DEPT", "SEX"], question=["How old are you?", "Where?", None])
    metas = {"s": {"survey": {"attributes": {"DEPT": "Department"}}}}
    assert [
        (row["attribute"], row["label"], row["position"])
        for row in context.attribute_labels({"s": table}, metas).to_pylist()
    ] == [("AGE", "How old are you?", 1), ("DEPT", "Department", 2), ("SEX", "Sex", 3)]


@pytest.mark.parametrize(
    ("survey", "message"),
    [
        ({"titel": "x"}, r"s: meta\.survey has no key 'titel' \(did you mean 'title'\?\)"),
        ({"title": ["x"]}, r"s: meta\.survey\.title is a text, not \['x'\]"),
        ("x", r"s: meta\.survey holds keys such as 'title', not 'x'"),
    ],
)
def test_what_is_misspelt_is_named(survey, message):
    with pytest.raises(ValueError, match=message):
        context.surveys({"s": {"survey": survey}})


def test_a_label_of_no_attribute_is_named():
    metas = {"s": {"survey": {"attributes": {"AGES": "Age"}}}}
    with pytest.raises(ValueError, match=r"there is no attribute 'AGES' .did you mean 'AGE'"):
        context.attribute_labels({"s": metadata(key=["AGE"])}, metas)
