"""One row per question: wording, battery and item, options in order with their positions."""

from lupom.science.surveys import opinionqa


def model(lupom):
    # A survey of your own: put NAME_info.csv, NAME_responses.csv and NAME_metadata.csv under seeds/
    # and add its line here, in respondents.py and in responses.py.
    return opinionqa.questions(
        {
            "gss_2018": lupom.ref("gss_2018_info"),
        }
    )
