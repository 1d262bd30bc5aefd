"""One row per respondent and question: the answer, or why there is none."""

from lupom.science.surveys import opinionqa


def model(lupom):
    # All answers, those to be predicted among them: models read known_responses instead.
    lupom.config(tags=["holdout"])
    info = lupom.refs("{}_info", "surveys")
    responses = lupom.refs("{}_responses", "surveys")
    return opinionqa.responses(
        {name: (info[name], responses[name]) for name in info},
        refusals=lupom.var("refusals", "exclude"),
    )
