"""How answers to the same question differ between two waves or surveys."""

from lupom.science.estimates import changes


def model(lupom):
    lupom.config(tags=["holdout"])
    return changes.changes(
        lupom.ref("estimates"), lupom.ref("question_matches"), lupom.ref("respondents")
    )
