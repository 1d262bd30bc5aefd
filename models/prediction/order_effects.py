"""How often the LLM chose the option in each place, in the order given and shuffled."""

from lupom.science.evaluation import orders


def model(lupom):
    columns = "survey, respondent_id, question_id, setting, llm, draw, answer"
    answers = lupom.ref("prediction_answers").select(columns)
    answers = answers.union(lupom.ref("prediction_thoughts").select(columns))
    # Of stated probabilities the likeliest option is the answer, of equals the one asked first.
    likeliest = columns.replace(
        " answer",
        " map_keys(probabilities)[list_position(map_values(probabilities),"
        " list_max(map_values(probabilities)))] as answer",
    )
    answers = answers.union(lupom.ref("prediction_distributions").select(likeliest))
    answers = answers.union(lupom.ref("prediction_thought_distributions").select(likeliest))
    return orders.order_effects(
        lupom.ref("prediction_requests"), answers, seed=lupom.var("seed", 1)
    )
