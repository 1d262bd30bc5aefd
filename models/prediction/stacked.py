"""All predictors as one: the stack without the LLM, with it, and by the router's advice."""

from lupom.science.predictors import stack


def model(lupom):
    # Numbers and texts have no distribution over options to combine.
    closed = lupom.ref("closed_questions")
    predictions = lupom.ref("predictions").join(closed, "survey, question_id", how="semi")
    return stack.stack(
        lupom.ref("baselines"),
        predictions,
        lupom.ref("tuning_answers"),
        lupom.ref("questions"),
        personas=lupom.ref("persona_predictions"),
        seed=lupom.var("seed", 1),
        min_gain=lupom.var("router_min_gain", 0.005),
        prices=lupom.var("llm_answer_prices", {}),
        worth=lupom.var("correct_answer_worth", None),
    )
