"""The imputed sets as one sheet, as SPSS, Stata and R's mice take them."""

from lupom.science.planning import sheet


def model(lupom):
    # All answers, held-out ones too: nothing that is scored is made of it.
    lupom.config(tags=["holdout"])
    return sheet.sheet(
        lupom.ref("imputed_columns"),
        lupom.ref("imputations"),
        lupom.ref("responses"),
        lupom.ref("respondents"),
        designs=lupom.ref("survey_designs"),
    )
