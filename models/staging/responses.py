"""One row per respondent and question: the answer, or why there is none."""

from lupom.science.surveys import opinionqa


def model(lupom):
    # All answers, those to be predicted among them: models read known_responses instead.
    lupom.config(tags=["holdout"])
    return opinionqa.responses(
        {
            "gss_2018": (lupom.ref("gss_2018_info"), lupom.ref("gss_2018_responses")),
        }
    )
