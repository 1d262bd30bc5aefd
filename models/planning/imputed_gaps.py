"""Who refused or did not know, where that stays so in imputed sets: codes for SPSS and Stata."""

from lupom.science.planning import sheet
from lupom.science.surveys.unanswered import unanswered


def model(lupom):
    lupom.config(tags=["holdout"])
    # The var `surveys` names them, as in staging.
    info = lupom.refs("{}_info", "surveys")
    answers = lupom.refs("{}_responses", "surveys")
    return sheet.gaps(
        lupom.ref("imputed_columns"),
        lupom.ref("imputations"),
        unanswered(
            {name: (info[name], answers[name]) for name in info},
            refusals=lupom.var("refusals", "exclude"),
        ),
    )
