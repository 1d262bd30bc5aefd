"""One row per respondent: survey weight and attributes."""

from lupom.science.surveys import opinionqa


def model(lupom):
    # Attributes stand in the same file as the answers. The reader takes the columns that metadata
    # names and refuses one that is also a question, so no answer passes.
    lupom.config(filters_holdout=True)
    return opinionqa.respondents(
        {
            "gss_2018": (
                lupom.ref("gss_2018_info"),
                lupom.ref("gss_2018_responses"),
                lupom.ref("gss_2018_metadata"),
            ),
        }
    )
