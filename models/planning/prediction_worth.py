"""What an LLM's predictions explain of the answers of people who gave them, by question."""

from lupom.science.estimates import worth


def model(lupom):
    # It is of answers that were held out, and nothing is predicted from it that is scored.
    lupom.config(tags=["holdout"])
    return worth.prediction_worth(
        lupom.ref("responses"),
        lupom.ref("questions"),
        lupom.ref("respondents"),
        lupom.ref("everyones_predictions"),
        seed=lupom.var("seed", 1),
    )
