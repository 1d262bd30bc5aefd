"""Predictions of the held-out pairs by predictors that need no LLM."""

from lupom.science.predictors import baselines, fitted


def model(lupom):
    # Where there are options: number_baselines has numeric questions, and texts have no baseline.
    closed = lupom.ref("closed_questions")
    known = lupom.ref("known_responses").join(closed, "survey, question_id", how="semi")
    pairs = known.filter("role in ('test', 'tuning')")
    # Who is learned from and who is predicted, of however many there are.
    learners = lupom.ref("learning_respondents").select("survey, respondent_id")
    people = learners.union(pairs.select("survey, respondent_id")).distinct()
    return baselines.predict(
        known.join(people, "survey, respondent_id", how="semi"),
        pairs,
        lupom.ref("respondents").join(people, "survey, respondent_id", how="semi"),
        lupom.ref("learning_questions"),
        seed=lupom.var("seed", 1),
        group=lupom.var("majority_group", []),
        predictors=lupom.entry_points("lupom.predictors", "predictors"),
        states=fitted.read(lupom.ref("fitted_predictors")),
        learners=learners,
    )
