"""Questions that give each other away, by their wording and by their answers."""

from lupom.science.evaluation import twins


def model(lupom):
    # Held-out answers too: a question that is held out from everyone has no others.
    lupom.config(tags=["holdout"])
    found = twins.question_twins(
        lupom.ref("responses").filter("status = 'answered'"),
        lupom.ref("questions"),
        lupom.ref("respondents"),
        least=lupom.var("twin_association", 0.9),
    )
    for note in twins.notes(found):
        lupom.note(note)
    return found
