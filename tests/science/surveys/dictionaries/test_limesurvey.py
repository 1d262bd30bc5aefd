"""LimeSurvey's structure of a survey, in both of its forms, beside an export of codes."""

from __future__ import annotations

import pytest

from lupom.science.surveys import files, guesses
from lupom.science.surveys.dictionaries import limesurvey

OLD = """<?xml version="1.0" encoding="UTF-8"?>
<document><LimeSurveyDocType>Survey</LimeSurveyDocType>
<languages><language>en</language></languages><answers><rows>
<row><qid>1</qid><code>A1</code><answer>Never</answer><language>en</language></row>
<row><qid>1</qid><code>A2</code><answer>Often</answer><language>en</language></row>
<row><qid>1</qid><code>A1</code><answer>Nie</answer><language>de</language></row>
</rows></answers>
<questions><rows>
<row><qid>1</qid><parent_qid>0</parent_qid><type>F</type><title>Q1</title>
<question><![CDATA[<p>How often?</p>]]></question>
<relevance>1</relevance><language>en</language></row>
<row><qid>4</qid><parent_qid>0</parent_qid><type>Y</type><title>Q2</title>
<question>Do you vote?</question><relevance>Q1.NAOK == "A1"</relevance><language>en</language></row>
</rows></questions>
<subquestions><rows>
<row><qid>2</qid><parent_qid>1</parent_qid><title>SQ001</title><question>Tea</question></row>
<row><qid>3</qid><parent_qid>1</parent_qid><title>SQ002</title><question>Milk</question></row>
</rows></subquestions></document>
"""
NEW = """<document><LimeSurveyDocType>Survey</LimeSurveyDocType>
<languages><language>en</language></languages>
<answers><rows><row><aid>7</aid><qid>1</qid><code>A1</code></row></rows></answers>
<answer_l10ns><rows><row><aid>7</aid><answer>Never</answer><language>en</language></row></rows>
</answer_l10ns>
<questions><rows><row><qid>1</qid><parent_qid>0</parent_qid><type>L</type><title>Q1</title></row>
</rows></questions>
<question_l10ns><rows><row><qid>1</qid><question>How often?</question><language>en</language></row>
</rows></question_l10ns></document>
"""
TABLE = (
    "id\trelated_id\tclass\ttype/scale\tname\trelevance\ttext\tlanguage\n"
    "\t\tS\t\tlanguage\t\ten\t\n"
    "1\t\tQ\tF\tQ1\t1\tHow often?\ten\n"
    "2\t1\tSQ\t0\tSQ001\t1\tTea\ten\n"
    "2\t1\tSQ\t0\tSQ001\t1\tTee\tde\n"
    "\t1\tA\t0\tA1\t\tNever\ten\n"
    "\t1\tA\t0\tA2\t\tOften\ten\n"
    "3\t\tQ\tM\tQ3\t1\tWhich?\ten\n"
    "4\t3\tSQ\t0\tSQ001\t1\tTea\ten\n"
)


def test_rows_of_an_array_have_its_wording_and_its_options():
    read = limesurvey.read(OLD, "x.lss").variables
    assert list(read) == ["Q1[SQ001]", "Q1[SQ002]", "Q2"]
    assert read["Q1[SQ002]"].label == "How often? Milk"
    assert read["Q1[SQ002]"].labels == {"A1": "Never", "A2": "Often"}
    assert read["Q2"].labels == {"Y": "Yes", "N": "No"}
    assert read["Q2"].asked_if == 'Q1.NAOK == "A1"'


def test_texts_of_later_versions_stand_in_tables_of_their_own():
    question = limesurvey.read(NEW, "x.lss").variables["Q1"]
    assert (question.label, question.labels) == ("How often?", {"A1": "Never"})


def test_the_structure_as_a_table():
    assert limesurvey.recognises(TABLE)
    read = limesurvey.read(TABLE, "x.txt").variables
    assert read["Q1[SQ001]"].labels == {"A1": "Never", "A2": "Often"}
    assert (read["Q3[SQ001]"].label, read["Q3[SQ001]"].labels) == ("Which? Tea", {})


def test_broken_xml_is_told_with_its_line():
    with pytest.raises(ValueError, match=r"x.lss:\d+: not well-formed XML"):
        limesurvey.read(OLD.replace("</document>", ""), "x.lss")


@pytest.mark.parametrize(
    "header", ["id,Q1[SQ001],Q1[SQ002],Q2", "id,Q1[SQ001]. How often? [Tea],Q1_SQ002,Q2. Vote?"]
)
def test_an_export_of_codes_has_the_options_of_the_structure_beside_it(tmp_path, header):
    (tmp_path / "limesurvey_survey_1.lss").write_text(OLD)
    rows = [f"{i},{('A1', 'A2')[i % 3 == 0]},A1,{'YN'[i % 2]}" for i in range(40)]
    path = tmp_path / "results-survey1.csv"
    path.write_text("\n".join([header, *rows]) + "\n")
    book = guesses.guess(files.read(path, beside=True), "x")
    assert [q.question for q in book.questions] == [
        "How often? Tea",
        "How often? Milk",
        "Do you vote?",
    ]
    assert book.questions[1].options == {"A1": "Never", "A2": "Often"}
