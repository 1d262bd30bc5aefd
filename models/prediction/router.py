"""For which questions the LLM is worth its price, estimated on tuning pairs."""

from lupom.science.predictors import router


def model(lupom):
    return router.router(
        lupom.ref("stacked"),
        lupom.ref("tuning_answers"),
        lupom.ref("questions"),
        min_gain=lupom.var("router_min_gain", 0.005),
        prices=lupom.var("llm_answer_prices", {}),
        worth=lupom.var("correct_answer_worth", None),
    )
