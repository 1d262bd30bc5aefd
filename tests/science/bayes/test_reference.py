"""Totals of R bnlearn on the same data; data/bnlearn.json says how they were made."""

import json
from pathlib import Path

import numpy as np
import pytest

from lupom.science.bayes import Score, search
from lupom.science.bayes.families import FamilyScores
from tests.science.bayes.networks import random_network, sample

FIGURES = json.loads((Path(__file__).parent / "data" / "bnlearn.json").read_text())


@pytest.mark.parametrize("figure", FIGURES["searches"], ids=lambda f: f"{f['score']}-{f['search']}")
def test_searches_reach_the_totals_of_bnlearn(figure):
    network = random_network(figure["d"], figure["r"], figure["max_parents"], figure["seed"])
    codes = sample(network, figure["n"], figure["seed"])
    found = search(
        codes,
        [figure["r"]] * figure["d"],
        Score(figure["score"], figure["iss"]),
        method=figure["search"],
    )
    assert found.score >= figure["total"] - 1e-6
    if figure["search"] == "hc":
        assert found.score == pytest.approx(figure["total"], abs=1e-6)
        assert len(found.edges) == figure["edges"]


@pytest.mark.parametrize("name", ["bds", "bdeu", "bic", "k2"])
def test_a_family_with_unobserved_configurations_scores_as_in_bnlearn(name):
    figure = FIGURES["six_parents"]
    codes = np.random.default_rng(0).integers(0, 4, (figure["rows"], 7)).astype(np.int32)
    ours = FamilyScores(codes, [4] * 7, Score(name, figure["iss"])).family(0, range(1, 7))
    assert ours == pytest.approx(figure["scores"][name], abs=1e-6)
