"""What the predictors that need no LLM learned of reference respondents."""

from lupom.science.predictors import fitted


def model(lupom):
    return fitted.fit(
        lupom.ref("learning_answers"),
        lupom.ref("learning_respondents"),
        lupom.ref("learning_questions"),
        seed=lupom.var("seed", 1),
        group=lupom.var("majority_group", []),
        predictors=lupom.entry_points("lupom.predictors", "predictors"),
        # Of a survey that is the same, and by the same code, nothing is learned again.
        before=lupom.this(),
        # A predictor at a time, wherever the target says.
        through=lupom.map,
    )
