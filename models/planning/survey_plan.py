"""How many people, LLM calls and questions reach the precision that is wanted, at least cost."""

from lupom.science.planning import costs


def model(lupom):
    # Estimates and blocks are of all answers, held-out ones too.
    lupom.config(tags=["holdout"])
    return costs.survey_plan(
        lupom.ref("estimates"),
        lupom.ref("design_blocks"),
        lupom.ref("respondents"),
        lupom.ref("question_reach"),
        lupom.ref("prediction_worth"),
        questions=lupom.ref("questions"),
        responses=lupom.ref("responses"),
        half_width=lupom.var("plan_half_width", 0.03),
        half_widths=lupom.var("plan_half_widths", {}),
        prices=lupom.var("plan_prices", {}),
        close_gaps=lupom.var("plan_gaps", "kept") == "closed",
        note=lupom.note,
    )
