"""Which questions of one survey another one has, too, by wording and options."""

from lupom.science.estimates import changes


def model(lupom):
    return changes.question_matches(lupom.ref("questions"), lupom.var("surveys", []))
