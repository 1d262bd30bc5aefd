"""One row per question: wording, battery and item, options in order with their positions."""

from lupom.science.surveys import opinionqa


def model(lupom):
    # The var `surveys` names them: NAME is seeds/NAME_info.csv, SOURCE.NAME a source's table.
    info = lupom.refs("{}_info", "surveys")
    topics = lupom.refs("{}", "topic_mappings", default=[])
    return opinionqa.questions(info, topics=topics, refusals=lupom.var("refusals", "exclude"))
