"""The persona network as a predictor: an answer as one more child of persona dimensions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from lupom.science.bayes.counting import Codes
from lupom.science.bayes.families import FamilyScores
from lupom.science.bayes.network import NamedEdge, PersonaNetwork
from lupom.science.bayes.personas import Personas, encode_personas
from lupom.science.bayes.scores import Score
from lupom.science.predictors import baselines
from lupom.science.predictors.distributions import PREDICTIONS, of_survey
from lupom.science.predictors.task import HIDDEN, Floats, Task, tasks
from lupom.science.predictors.unseen import shares_alike

NAME = "network_persona"
PARENTS = 3
IMAGINARY = 10.0
# The question's name in the network: no dimension's id begins with a control character.
ANSWER = "\x00answer"


def predict(
    known: Any,
    pairs: Any,
    respondents: Any,
    questions: Any,
    values: Any,
    dimensions: Any,
    edges: Any,
    *,
    column: str = "refined_value",
    learners: Any = None,
) -> pa.Table:
    """Predict every pair by the persona network.

    Each question becomes one more child in the network. Its parents are the up to three dimensions
    that raise its BDs score most, one after the other, counted on the reference respondents who
    have a persona and whose answer is known; and its posterior given the respondent's persona is
    exact, values that are not known being summed out. Who has no persona gets the shares of all
    reference respondents, and a question that nobody answered those of questions with the same
    options.

    Parameters
    ----------
    known, pairs, respondents, questions : tables as `task.tasks` takes them.
    values : survey, respondent_id, dimension_id, and the value column.
    dimensions : survey, dimension_id, level, candidate_values.
    edges : survey, parent, child.
    learners : as for `task.tasks`.

    Returns
    -------
    Rows as `baselines.predict` returns them, the predictor being 'network_persona'.

    Raises
    ------
    ValueError : as `task.tasks` and `bayes.encode_personas` do.
    """
    parts = []
    for task in tasks(known, pairs, respondents, questions, learners=learners):
        own = ("survey", "respondent_id", "dimension_id", column)
        described = ("survey", "dimension_id", "level", "candidate_values")
        personas = encode_personas(
            of_survey(values, own, "persona values", task.survey),
            of_survey(dimensions, described, "persona dimensions", task.survey),
            column=column,
            respondents=task.respondents,
        )
        pairs_of = of_survey(edges, ("survey", "parent", "child"), "edges", task.survey)
        named = list(
            zip(pairs_of["parent"].to_pylist(), pairs_of["child"].to_pylist(), strict=True)
        )
        parts.append(baselines.table(task, NAME, _predict(task, personas, named)))
    return pa.concat_tables(parts).combine_chunks() if parts else PREDICTIONS.empty_table()


def _predict(task: Task, personas: Personas, edges: list[NamedEdge]) -> Floats:
    row_of = {name: i for i, name in enumerate(personas.respondents)}
    codes = personas.codes[[row_of[name] for name in task.respondents]]
    described = (codes != HIDDEN).any(axis=1)
    out = np.zeros((len(task.rows), task.width))
    for question, pairs in task.by_question():
        people = task.rows[pairs]
        prior = task.prior(question)
        result = np.tile(prior, (len(people), 1))
        learners = task.learners(question)
        learners = learners[described[learners]]
        told = described[people]
        if len(learners) and told.any():
            given = task.answers[:, [question]].astype(np.int32)
            whole = np.hstack([codes, given])
            network = _network(personas, edges, whole[learners], len(prior))
            result[told] = network.posterior(whole[people[told]], ANSWER)
        if not task.answered[question]:
            result = shares_alike(task.only(pairs), own=False)[:, : len(prior)]
        out[pairs, : len(prior)] = result
    return out


def _network(
    personas: Personas, edges: list[NamedEdge], codes: Codes, options: int
) -> PersonaNetwork:
    """Return the persona network with one question more, the last column of `codes`."""
    cards = [*personas.cardinalities, options]
    score = Score("bds", IMAGINARY)
    families = FamilyScores(codes, cards, score)
    answer = len(cards) - 1
    parents: list[int] = []
    best = families.family(answer, parents)
    while len(parents) < PARENTS:
        rest = [d for d in range(answer) if d not in parents]
        scores = [families.family(answer, [*parents, d]) for d in rest]
        if not scores or max(scores) <= best:
            break
        best = max(scores)
        parents.append(rest[int(np.argmax(scores))])
    names = [*personas.dimensions, ANSWER]
    return PersonaNetwork.from_edges(
        codes,
        cards,
        names,
        [*personas.levels, "low"],
        edges=[*edges, *((names[p], ANSWER) for p in parents)],
        score="bds",
        iss=IMAGINARY,
        missing="available",
    )
