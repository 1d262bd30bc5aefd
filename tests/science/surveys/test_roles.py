"""What a column is by its name and its cells."""

from __future__ import annotations

import pytest

from lupom.science.surveys import ids, roles
from lupom.science.surveys.columns import Column


@pytest.mark.parametrize(
    ("column", "known"),
    [
        (Column("attend", ["Never", "Once a year", "Every week"]), True),
        (Column("attend", [str(i) for i in range(9)]), True),
        (Column("attend", ["0", "1"], label="How often r attends religious services"), True),
        (Column("attend", ["Will attend", "Will not attend", "Maybe"]), False),
        (Column("attend", ["Yes", "No"]), False),
        (Column("ATTEND", ["1", "2", "3", "4", "5"], label="Would attend a protest"), False),
    ],
)
def test_attend_is_known_of_people_where_it_is_of_church(column, known):
    assert roles.is_attribute(column) is known


@pytest.mark.parametrize(
    "name",
    [
        "gndr",
        "agea",
        "cntry",
        "eisced",
        "hinctnta",
        "B_COUNTRY_ALPHA",
        "State/Region",
        "site_no",
        "Study Site",
        "Quel est votre sexe ?",
    ],
)
def test_names_of_international_surveys_and_platforms_are_known(name):
    assert roles.is_attribute(Column(name, ["1", "2"]))


@pytest.mark.parametrize(
    "column",
    [
        Column("survey.1.player.age", ["18", "19"]),
        Column("Condition", ["control", "treatment"]),
        Column("Ethnicity simplified", ["White", "Black"]),
        Column("Qual seu nível de escolaridade?", ["Ensino médio", "Ensino superior"]),
        Column("Em qual estado você mora?", ["SP", "RJ"]),
    ],
)
def test_what_platforms_know_of_people_is_known(column):
    assert roles.is_attribute(column)


@pytest.mark.parametrize(
    "name",
    [
        "TIME001",
        "MISSREL",
        "dispcode",
        "rts12",
        "participant.payoff",
        "survey.1.group.id_in_subsession",
    ],
)
def test_what_platforms_write_of_an_interview_is_of_it(name):
    assert roles.is_record(Column(name, ["1", "2"]))
    assert not roles.is_record(Column("survey.1.player.risk", ["1", "2"]))


@pytest.mark.parametrize("name", ["_gps_latitude", "m1650_loc_gps_coords", "Longitude", "geopoint"])
def test_where_an_interview_was_is_of_the_interview(name):
    assert roles.is_record(Column(name, ["1.5", "2.5"]))


def test_a_postal_code_is_personal():
    assert roles.is_personal(Column("Postal", ["04101", "04102"]))


def test_ids_by_name():
    for name in ("D_INTERVIEW", "idno", "interview_id", "Respondent ID"):
        assert ids.is_id(Column(name, ["7", "8"]))
    assert ids.counts(Column("student", [str(i) for i in range(20)]))
    assert not ids.counts(Column("hours", [str(i) for i in range(20)]))
