import csv
from pathlib import Path

import pytest

from lupom.science.neighbours import Setting, settings_of

SEED = Path(__file__).parents[3] / "seeds" / "retrieval.csv"


def shipped():
    with SEED.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_default_row_says_what_the_vars_say():
    base = Setting(k=7, max_skew=4, demographics=["AGE"], encoding="ordinal")
    assert settings_of(shipped(), ["gss_2018"], "default", base) == {"gss_2018": base}


@pytest.mark.parametrize(
    ("survey", "retrieval", "similarity", "k", "max_skew", "personas"),
    [
        ("W34", "published", "persona_demographics", 80, 10, "raw"),
        ("W34", "published_network", "persona_demographics", 80, 10, "refined"),
        ("W41", "published", "persona", 150, 3, "raw"),
        ("W41", "published_network", "persona", 160, 15, "refined"),
        ("W82", "published", "persona_demographics", 80, 7, "raw"),
        ("W82", "published_network", "persona_demographics", 100, 2, "refined"),
    ],
)
def test_the_published_settings_are_rows(survey, retrieval, similarity, k, max_skew, personas):
    (setting,) = settings_of(shipped(), [f"opinionqa.{survey}"], retrieval).values()
    assert (setting.similarity, setting.encoding) == (similarity, "embedding")
    assert (setting.k, setting.max_skew, setting.personas) == (k, max_skew, personas)


def test_each_survey_may_have_its_own():
    chosen = {"W34": "published", "default": "answers"}
    found = settings_of(shipped(), ["W34", "W41"], {**chosen, "W41": "published_network"})
    assert (found["W34"].k, found["W41"].k) == (80, 160)
    only = settings_of(shipped(), ["W34", "gss_2018"], {"W34": "published"})
    assert only["gss_2018"] == Setting()


def test_values_are_read_whatever_the_reader_made_of_them():
    row = {"survey": None, "retrieval": "x", "k": 5.0, "certainty": True, "max_skew": "none"}
    row |= {"demographics": "AGE / SEX", "demographic_weight": "2"}
    (setting,) = settings_of([row], ["s"], "x").values()
    assert (setting.k, setting.certainty, setting.max_skew) == (5, True, None)
    assert (setting.demographics, setting.demographic_weight) == (("AGE", "SEX"), 2)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"similarity": "personas"}, "unknown similarity 'personas'.*did you mean 'persona'"),
        ({"encoding": "binary"}, "known are onehot, ordinal, embedding"),
        ({"personas": "best"}, "known are raw, refined"),
        ({"certainty": "maybe"}, "unknown certainty"),
        ({"k": "0"}, "k must be at least 1"),
        ({"k": "many"}, "k must be a number, got 'many'"),
        ({"max_skew": "0.5"}, "max_skew must be at least 1"),
        ({"encoding": "embedding", "certainty": "true"}, "cannot weigh the embedding"),
    ],
)
def test_a_row_that_cannot_be_meant_is_named(row, message):
    with pytest.raises(ValueError, match=f"retrieval 'x' of survey 'default': .*{message}"):
        settings_of([{"survey": "default", "retrieval": "x", **row}], ["s"], "x")


def test_an_unknown_retrieval_is_refused():
    with pytest.raises(ValueError, match="no retrieval 'published' for survey 'gss_2018'; known"):
        settings_of(shipped(), ["gss_2018"], "published")
    row = {"survey": "default", "retrieval": "x"}
    with pytest.raises(ValueError, match="has two rows"):
        settings_of([row, row], ["s"], "x")
    with pytest.raises(ValueError, match="list or 'all'"):
        Setting(demographics="AGE")
