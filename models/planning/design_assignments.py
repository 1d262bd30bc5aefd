"""Which person is asked which blocks of a split questionnaire: a table to hand to the field."""

from lupom.science.planning import assignments


def model(lupom):
    # It follows from design_blocks, which knows held-out answers.
    lupom.config(tags=["holdout"])
    return assignments.design_assignments(
        lupom.ref("design_blocks"),
        lupom.ref("respondents"),
        questions=lupom.ref("questions"),
        people=lupom.var("plan_people", None),
        seed=lupom.var("seed", 1),
    )
