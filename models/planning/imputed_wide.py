"""The imputed sets as one sheet, as SPSS, Stata and R's mice take them."""

from lupom.science.planning import sheet


def model(lupom):
    # All answers, held-out ones too: nothing that is scored is made of it.
    lupom.config(tags=["holdout"])
    columns, drawn = lupom.ref("imputed_columns"), lupom.ref("imputations")
    answers = lupom.ref("responses")
    for note in sheet.not_imputed(columns, drawn, answers):
        lupom.note(note)
    for note in sheet.unfilled(lupom.ref("imputed_gaps")):
        lupom.note(note)
    return sheet.sheet(
        columns,
        drawn,
        answers,
        lupom.ref("respondents"),
        designs=lupom.ref("survey_designs"),
    )
