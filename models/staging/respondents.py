"""One row per respondent: survey weight and attributes."""

from lupom.science.surveys import opinionqa


def model(lupom):
    # Attributes stand in the same file as the answers. The reader takes the columns that metadata
    # names and refuses one that is also a question, so no answer passes.
    lupom.config(filters_holdout=True)
    info = lupom.refs("{}_info", "surveys")
    responses = lupom.refs("{}_responses", "surveys")
    metadata = lupom.refs("{}_metadata", "surveys")
    for note in opinionqa.id_notes({name: responses[name].columns for name in responses}):
        lupom.note(note)
    return opinionqa.respondents(
        {name: (info[name], responses[name], metadata[name]) for name in info}
    )
