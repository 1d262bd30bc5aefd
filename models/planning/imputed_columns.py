"""The columns of `imputed_wide`, what each says, and its values: labels for SPSS and Stata."""

from lupom.science.planning import sheet
from lupom.science.surveys import opinionqa


def model(lupom):
    lupom.config(tags=["holdout"])
    # The var `surveys` names them, as in staging.
    info = lupom.refs("{}_info", "surveys")
    listed = lupom.refs("{}_metadata", "surveys")
    return sheet.columns(
        lupom.ref("respondents"),
        lupom.ref("questions").order("survey, position"),
        designs=lupom.ref("survey_designs"),
        labels=lupom.ref("attribute_labels"),
        values={name: opinionqa.listed(table) for name, table in listed.items()},
        codes={name: opinionqa.codes(info[name], listed[name], name) for name in info},
    )
