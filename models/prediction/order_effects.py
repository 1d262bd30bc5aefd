"""How often the LLM chose the option in each place, in the order given and shuffled."""

from lupom.science.evaluation import orders


def model(lupom):
    columns = "survey, respondent_id, question_id, setting, llm, draw, answer"
    answers = lupom.ref("prediction_answers").select(columns)
    answers = answers.union(lupom.ref("prediction_thoughts").select(columns))
    return orders.order_effects(
        lupom.ref("prediction_requests"), answers, seed=lupom.var("seed", 1)
    )
