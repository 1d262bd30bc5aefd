"""The shipped survey's staging models, built."""

from __future__ import annotations

from tests.support.fake_project import FakeProject

STAGING = (
    *("questions.py", "closed_questions.sql", "respondents.py", "responses.py"),
    *("drawn_pairs.sql", "unscored_responses.sql", "follow_ups.py", "holdout.sql"),
    *("known_responses.sql", "histories.sql", "llm_respondents.sql", "llm_pairs.sql"),
)

# What predictors learn from.
LEARNING = ("learning_respondents.sql", "learning_answers.sql", "learning_questions.sql")


def with_baselines(project: FakeProject) -> None:
    for name in (*LEARNING, "fitted_predictors.py", "baselines.py"):
        project.build(f"prediction/{name}")


def staged(change: str = "", **vars: object) -> FakeProject:
    project = FakeProject(surveys=["gss_2018"], **vars)
    project.seed("gss_2018/gss_2018_info.csv")
    project.seed("gss_2018/gss_2018_metadata.csv")
    project.seed("gss_2018/gss_2018_responses.csv", HISPANIC="VARCHAR")
    if change:
        project.connection.execute(change)
    for name in STAGING:
        project.build(f"staging/{name}")
    return project
