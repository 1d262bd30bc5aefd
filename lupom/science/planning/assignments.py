"""Who is asked which blocks of a split questionnaire: a table to hand to the field."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa

from lupom.science.inputs import arrow, require
from lupom.science.planning.designs import CORE, design_of, letter

ASSIGNMENTS = pa.schema(
    [
        ("survey", pa.string()),
        ("person", pa.int64()),
        ("form", pa.int64()),
        ("blocks", pa.string()),
        ("questions", pa.list_(pa.string())),
    ]
)


def design_assignments(
    blocks: Any,
    respondents: Any,
    *,
    questions: Any = None,
    people: int | None = None,
    seed: int = 0,
) -> pa.Table:
    """Return who is asked which blocks, a row a person, to hand to the field.

    Parameters
    ----------
    blocks : what `design_blocks` returned. respondents : survey and respondent_id, to be counted.
    questions : survey, question_id and position, the place in the questionnaire, in the order of
        which a person's questions are listed; without it they are in that of `blocks`.
    people : how many to assign; as many as the survey has respondents when left out.

    Returns
    -------
    person (from 1, in the order of the interviews), form, blocks, questions. The order is drawn by
    lot; each run of as many people as there are forms has every form once (permuted blocks), so
    that forms are balanced whenever fieldwork ends.
    """
    names = arrow(respondents)["survey"].to_pylist()
    place = {} if questions is None else _places(questions)
    found, parts = arrow(blocks).to_pylist(), []
    for survey in dict.fromkeys(r["survey"] for r in found):
        # A recode is no question to ask.
        own = [r for r in found if r["survey"] == survey and r["recode_of"] is None]
        chosen, size = design_of(own), people or names.count(survey)
        rng = np.random.default_rng(seed)
        count = len(chosen.forms)
        runs = [rng.permutation(count) for _ in range(-(-size // count))]
        form = np.concatenate(runs)[:size] if runs else np.zeros(0, dtype=np.int64)
        core = [CORE] if (chosen.block < 0).any() else []
        words = [" ".join([*core, *map(letter, name)]) for name in chosen.names]
        names_of = [[own[q]["question_id"] for q in np.flatnonzero(one)] for one in chosen.forms]
        lists = [sorted(one, key=partial(_place, place, survey)) for one in names_of]
        part = {
            "survey": [survey] * size,
            "person": np.arange(1, size + 1),
            "form": form + 1,
            "blocks": [words[f] for f in form],
            "questions": [lists[f] for f in form],
        }
        parts.append(pa.table(part, schema=ASSIGNMENTS))
    return pa.concat_tables(parts) if parts else ASSIGNMENTS.empty_table()


def _place(places: dict[tuple[str, str], int], survey: str, question: str) -> int:
    return places.get((survey, question), 0)


def _places(questions: Any) -> dict[tuple[str, str], int]:
    table = arrow(questions)
    require(table, ("survey", "question_id", "position"), "questions")
    return {(r["survey"], r["question_id"]): r["position"] for r in table.to_pylist()}
