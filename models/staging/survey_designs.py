"""One row per respondent: sampling unit, stratum, replicate weights; of surveys that tell."""

from lupom.science.surveys import designs


def model(lupom):
    # The var `survey_design` names columns of the file the answers are in; questions are refused.
    lupom.config(filters_holdout=True)
    info = lupom.refs("{}_info", "surveys")
    responses = lupom.refs("{}_responses", "surveys")
    return designs.designs(
        {name: (info[name], responses[name]) for name in info}, lupom.var("survey_design", {})
    )
