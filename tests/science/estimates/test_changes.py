"""Two waves side by side: which questions they share, and how their shares differ."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from scipy.stats import ttest_ind

from lupom.science.estimates.changes import changes, question_matches
from lupom.science.estimates.estimates import estimates

YES_NO = ["Yes", "No"]


def questions(*rows):
    names = ("survey", "question_id", "question", "options", "kind", "ordinal")
    schema = pa.schema(
        [(n, pa.string()) for n in names[:3]]
        + [("options", pa.list_(pa.string())), ("kind", pa.string())]
        + [("ordinal", pa.list_(pa.float64()))]
    )
    held = [dict(zip(names, row, strict=False)) for row in rows]
    return pa.Table.from_pylist(held, schema=schema)


def matched(*rows, surveys=("w1", "w2")):
    found = question_matches(questions(*rows), surveys).to_pylist()
    return {
        r["question_id"]: (r["other_question_id"], r["match"], r["comparable"], r["why_not"])
        for r in found
    }


def test_the_same_words_and_options_are_the_same_question_whatever_its_id():
    assert matched(
        ("w1", "a", "Do you agree?", YES_NO, "single"),
        ("w2", "b", "DO YOU AGREE", ["no", "yes"], "single"),
    ) == {"a": ("b", "wording", True, None)}


def test_other_options_are_named():
    (row,) = matched(
        ("w1", "a", "Do you agree?", YES_NO, "single"),
        ("w2", "a", "Do you agree?", ["Yes", "No", "Not sure"], "single"),
    ).values()
    assert row == ("a", "wording", False, "options differ (only the other: not sure)")


def test_nearly_the_same_words_are_for_a_person_to_look_at():
    (row,) = matched(
        ("w1", "a", "Do you favor or oppose allowing same-sex couples to marry?", YES_NO, "single"),
        (
            "w2",
            "z",
            "Do you favour or oppose allowing same-sex couples to marry?",
            YES_NO,
            "single",
        ),
    ).values()
    assert row == ("z", "close", False, "the wordings differ")


def test_items_of_one_battery_are_not_each_other():
    preface = (
        "How much confidence do you have in each of the following to act in the public interest? "
    )
    items = ("The military", "Religious leaders", "Scientists", "Elected officials")
    rows = [("w1", f"a{i}", preface + item, YES_NO, "single") for i, item in enumerate(items[:2])]
    rows += [("w2", f"b{i}", preface + item, YES_NO, "single") for i, item in enumerate(items[1:])]
    assert matched(*rows) == {"a1": ("b0", "wording", True, None)}


def test_numbers_and_words():
    assert matched(
        ("w1", "a", "How old are you?", [], "numeric"),
        ("w2", "a", "How old are you?", [], "numeric"),
        ("w1", "b", "Why?", [], "text"),
        ("w2", "b", "Why?", [], "text"),
        ("w1", "c", "How many?", [], "numeric"),
        ("w2", "c", "How many?", YES_NO, "single"),
    ) == {
        "a": ("a", "wording", True, None),
        "b": ("b", "wording", False, "answered in words"),
        "c": ("c", "wording", False, "one is answered by a number"),
    }


def test_each_survey_is_compared_with_those_after_it():
    asked = [(survey, "q", "Do you agree?", YES_NO, "single") for survey in ("w3", "w1", "w2")]
    found = question_matches(questions(*asked), ["w1", "w2", "w3"]).to_pylist()
    assert [(r["survey"], r["other_survey"]) for r in found] == [
        ("w1", "w2"),
        ("w1", "w3"),
        ("w2", "w3"),
    ]
    assert question_matches(questions(*asked[:1]), ["w3"]).num_rows == 0


def waves(
    first=(300, 0.4), second=(500, 0.55), people="separate", positions=(None, None), weight=1.0
):
    rng = np.random.default_rng(4)
    asked, answers, people_rows = [], [], []
    for survey, (n, share), scale in zip(("w1", "w2"), (first, second), positions, strict=True):
        asked.append((survey, "q", "Do you agree?", YES_NO, "single", scale))
        said = rng.permutation(np.arange(n) < round(n * share))
        for i in range(n):
            name = f"p{i}" if people == "same" else f"{survey}-{i}"
            answers.append((survey, name, "q", "answered", YES_NO[0] if said[i] else YES_NO[1]))
            people_rows.append((survey, name, [("SEX", ("man", "woman")[i % 2])]))
    names = ("survey", "respondent_id", "question_id", "status", "answer")
    responses = pa.Table.from_pylist([dict(zip(names, r, strict=True)) for r in answers])
    schema = pa.schema(
        [
            ("survey", pa.string()),
            ("respondent_id", pa.string()),
            ("attributes", pa.map_(pa.string(), pa.string())),
        ]
    )
    respondents = pa.Table.from_pylist(
        [dict(zip(schema.names, r, strict=True)) for r in people_rows], schema=schema
    ).append_column("weight", pa.array([weight] * len(people_rows)))
    table = questions(*asked)
    found = estimates(responses, table, respondents)
    return changes(found, question_matches(table, ["w1", "w2"]), respondents).to_pylist()


def test_a_change_has_the_interval_of_two_independent_shares():
    rows = [r for r in waves() if r["attribute"] is None]
    row = next(r for r in rows if r["option"] == "Yes")
    assert (row["estimate"], row["other_estimate"]) == pytest.approx((0.4, 0.55))
    theirs = ttest_ind(
        *(np.arange(n) < yes for n, yes in ((500, 275), (300, 120))), equal_var=False
    )
    assert row["p"] == pytest.approx(theirs.pvalue, rel=1e-6)
    ends = theirs.confidence_interval(0.95)
    assert (row["low"], row["high"]) == pytest.approx((ends.low, ends.high))
    assert row["same_people"] == 0


def test_groups_are_compared_with_the_same_group_and_p_is_corrected_for_all():
    rows = waves()
    assert {(r["attribute"], r["group"]) for r in rows} == {
        (None, None),
        ("SEX", "man"),
        ("SEX", "woman"),
    }
    assert all(r["p_bh"] >= r["p"] for r in rows)


def test_a_panel_says_how_many_are_in_both():
    assert {r["same_people"] for r in waves(people="same")} == {300}


def test_means_are_compared_on_the_same_scale_only():
    same = waves(positions=([1, 2], [1, 2]))
    assert {r["statistic"] for r in same} == {"share", "mean"}
    assert {r["statistic"] for r in waves(positions=([1, 2], [2, 1]))} == {"share"}


def test_without_a_variance_a_change_has_no_interval():
    alike = [r for r in waves(first=(100, 1.0), second=(100, 1.0)) if r["attribute"] is None]
    told = [(r["change"], r["low"], r["p"], r["p_bh"]) for r in alike]
    assert told == [(0, None, None, None)] * 2
    # Nobody counts: there is no share either.
    assert {(r["change"], r["low"]) for r in waves(weight=0.0)} == {(None, None)}


def test_few_sampling_units_make_wide_intervals():
    """Where eight units a wave carry the variance, an interval is 2.1 errors wide and not 1.96."""
    rng = np.random.default_rng(4)
    answers, people_rows, designs = [], [], []
    for survey in ("w1", "w2"):
        for i in range(400):
            name = f"{survey}-{i}"
            said = rng.random() < 0.4 + 0.05 * (i % 8)
            answers.append((survey, name, "q", "answered", YES_NO[0] if said else YES_NO[1]))
            people_rows.append((survey, name, []))
            designs.append((survey, name, str(i % 8), None, None, None))
    names = ("survey", "respondent_id", "question_id", "status", "answer")
    responses = pa.Table.from_pylist([dict(zip(names, r, strict=True)) for r in answers])
    text = pa.string()
    people = pa.schema(
        [("survey", text), ("respondent_id", text), ("attributes", pa.map_(text, text))]
    )
    drawn = pa.schema(
        [
            *((name, text) for name in ("survey", "respondent_id", "cluster", "stratum")),
            ("replicates", pa.list_(pa.float64())),
            ("scale", pa.float64()),
        ]
    )
    respondents, design = (
        pa.Table.from_pylist([dict(zip(schema.names, r, strict=True)) for r in rows], schema=schema)
        for schema, rows in ((people, people_rows), (drawn, designs))
    )
    asked = questions(*((s, "q", "Do you agree?", YES_NO, "single") for s in ("w1", "w2")))
    found = estimates(responses, asked, respondents, designs=design)
    rows = changes(found, question_matches(asked, ["w1", "w2"])).to_pylist()
    row = next(r for r in rows if r["option"] == "Yes")
    assert set(found["degrees"].to_pylist()) == {7.0}
    reach = (row["high"] - row["change"]) / row["std_error"]
    assert 2.14 <= reach < 2.37
