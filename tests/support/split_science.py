"""What science hands out in batches, made with small batches of a small survey."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from lupom.batches import Map
from lupom.science.bayes import blocks, network_edges, network_parameters, refine_personas
from lupom.science.neighbours import Inputs, Setting, neighbour_answers, similar_respondents
from lupom.science.neighbours import respondents as voting
from lupom.science.predictors import baselines, fitted

PEOPLE, DIMENSIONS = 120, 4


def tables(through: Map) -> dict[str, pa.Table]:
    """Return refined personas, neighbours and their answers of a survey, worked `through`."""
    import sys

    searching = sys.modules["lupom.science.neighbours.nearest"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "BLOCK_ROWS", 50)
        patch.setattr(searching, "_ROWS", 50)
        patch.setattr(voting, "_ROWS", 50)
        return _tables(through)


def _tables(through: Map) -> dict[str, pa.Table]:
    rng = np.random.default_rng(1)
    ids = [f"r{i:03}" for i in range(PEOPLE)]
    lean = rng.random((PEOPLE, 1))
    code = (3 * (0.5 * rng.random((PEOPLE, DIMENSIONS)) + 0.5 * lean)).astype(int)
    known = rng.random(code.shape) > 0.1
    rows: list[dict[str, Any]] = [
        {
            "survey": "w",
            "respondent_id": one,
            "dimension_id": f"d{j}",
            "value": f"v{code[i, j]}" if known[i, j] else None,
        }
        for i, one in enumerate(ids)
        for j in range(DIMENSIONS)
    ]
    values = pa.Table.from_pylist(rows)
    dimensions = pa.Table.from_pylist(
        [
            {
                "survey": "w",
                "dimension_id": f"d{j}",
                "level": ("high", "mid", "low", "low")[j],
                "candidate_values": ["v0", "v1", "v2"],
            }
            for j in range(DIMENSIONS)
        ]
    )
    edges = network_edges(values, dimensions)
    parameters = network_parameters(values, dimensions, edges)
    refined = refine_personas(values, dimensions, parameters, through=through)
    facts = refine_personas(
        values, dimensions, parameters, reports="facts", iterations=2, through=through
    )
    roles = [{"survey": "w", "respondent_id": one, "role": "reference"} for one in ids]
    inputs = Inputs(refined, dimensions, pa.Table.from_pylist(roles), through=through)
    # Ordered values are compared by sums of broken numbers.
    setting = Setting("persona", encoding="ordinal", certainty=True, k=7)
    similar = similar_respondents(inputs, setting)
    answers = [
        {"survey": "w", "respondent_id": one, "question_id": f"q{q}", "answer": f"a{code[i, q]}"}
        for i, one in enumerate(ids)
        for q in range(2)
        if (i + q) % 5
    ]
    votes = neighbour_answers(similar, pa.Table.from_pylist(answers), through=through)
    names = ("majority", "logistic_demographics", "factors_answers", "gaussian_answers")
    shipped = baselines.shipped()
    fits = fitted.fit(
        pa.Table.from_pylist(answers),
        pa.Table.from_pylist(
            [{"survey": "w", "respondent_id": one, "attributes": [("x", "y")]} for one in ids]
        ),
        pa.Table.from_pylist(
            [
                {"survey": "w", "question_id": f"q{q}", "options": ["a0", "a1", "a2"]}
                for q in range(2)
            ]
        ),
        predictors={name: shipped[name] for name in names},
        through=through,
    )
    return {
        "fitted": fits.drop(["seconds"]),
        "refined": refined,
        "facts": facts,
        "similar": similar,
        "votes": votes,
    }


def same(one: pa.Table, other: pa.Table) -> bool:
    """Tell whether two tables are the same to the last bit."""
    return _bytes(one) == _bytes(other)


def _bytes(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    whole = table.combine_chunks()
    with pa.ipc.new_stream(sink, whole.schema) as writer:
        writer.write_table(whole)
    return bytes(sink.getvalue())
