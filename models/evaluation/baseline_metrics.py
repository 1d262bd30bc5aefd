"""Metrics of the predictors without an LLM, on all test pairs, before any LLM has answered."""

from lupom.science.evaluation import metrics, scores


def model(lupom):
    lupom.config(tags=["holdout"])
    columns = (
        "survey, respondent_id, question_id, predictor, llm, answer, probabilities, missing_mass, "
        "status, call_id"
    )
    scored = scores.score(
        lupom.ref("baselines").select(columns),
        lupom.ref("holdout"),
        lupom.ref("questions"),
        # No pair counts as one of the LLM's, so that all pairs are all there is.
        lupom.ref("llm_pairs").filter("false"),
        lupom.ref("respondents"),
    )
    return metrics.metrics(
        scored,
        seed=lupom.var("seed", 1),
        resamples=lupom.var("bootstrap_resamples", 1000),
        through=lupom.map,
    )
