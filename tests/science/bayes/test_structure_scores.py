"""Our scores where pgmpy takes a score."""

import numpy as np
import pandas as pd
import pytest
from pgmpy import structure_score as theirs
from pgmpy.causal_discovery import HillClimbSearch
from pgmpy.models import DiscreteBayesianNetwork

from lupom.science.bayes import Score, search
from lupom.science.bayes import structure_scores as ours
from lupom.science.bayes.families import FamilyScores
from tests.science.bayes.networks import random_network, sample, with_gaps

NAMES = [f"d{i}" for i in range(8)]
CODES = sample(random_network(8, 3, 2, 4, concentration=0.3), 500, 5)
KINDS = {"bds": ours.BDs, "bdeu": ours.BDeu, "bic": ours.BIC, "k2": ours.K2}


def frame(codes=CODES):
    return pd.DataFrame(
        {name: pd.Categorical.from_codes(codes[:, i], list("abc")) for i, name in enumerate(NAMES)}
    )


def climb(score, data):
    found = HillClimbSearch(score, tabu_length=0, return_type="dag", show_progress=False).fit(data)
    return set(found.causal_graph_.edges())


def ours_from(edges, codes, name):
    """Climb on from some edges by our own search, which ends at once where nothing gains."""
    start = [(NAMES.index(p), NAMES.index(c)) for p, c in edges]
    return search(codes, [3] * 8, Score(name), method="hc", start=start)


@pytest.mark.parametrize("name", KINDS)
def test_pgmpys_hill_climbing_climbs_our_scores(name):
    found = climb(KINDS[name](frame()), frame())
    structure = ours_from(found, CODES, name)
    assert len(found) > 5
    # Equal first steps may lead to another summit than our search's, but to a summit.
    assert (structure.moves, len(structure.edges)) == (0, len(found))
    model = DiscreteBayesianNetwork(found)
    model.add_nodes_from(NAMES)
    assert KINDS[name](frame()).score(model) == pytest.approx(structure.score)


def test_where_every_configuration_occurs_pgmpys_own_scores_are_the_same():
    data = frame(np.random.default_rng(1).integers(0, 3, (500, 8)))
    for mine, other in (
        (ours.BDeu(data, iss=7), theirs.BDeu(data, equivalent_sample_size=7)),
        (ours.BDs(data, iss=7), theirs.BDs(data, equivalent_sample_size=7)),
        (ours.K2(data), theirs.K2(data)),
        (ours.BIC(data), theirs.BIC(data)),
    ):
        for parents in ((), ("d1",), ("d1", "d2")):
            assert mine.local_score("d0", parents) == pytest.approx(
                other.local_score("d0", parents)
            )


def test_configurations_that_do_not_occur_add_nothing():
    # Each respondent has parents of their own: the score is that of 40 configurations of one each.
    data = frame(np.random.default_rng(2).integers(0, 3, (40, 8)))
    parents = tuple(NAMES[1:6])
    seen = len(data[list(parents)].drop_duplicates())
    codes = np.stack([data[name].cat.codes for name in NAMES], axis=1).astype(np.int32)
    for mine, other, score in (
        (ours.BDs(data), theirs.BDs(data), Score("bds")),
        (ours.K2(data), theirs.K2(data), Score("k2")),
    ):
        expected = FamilyScores(codes, [3] * 8, score).family(0, range(1, 6))
        assert mine.local_score("d0", parents) == pytest.approx(expected)
        assert other.local_score("d0", parents) - expected != pytest.approx(0, abs=10)
    assert seen < 3**5


def test_what_is_missing_is_left_out_family_by_family():
    gaps = with_gaps(CODES, 0.2, 6)
    expected = FamilyScores(gaps, [3] * 8, Score("bic"))
    score = ours.BIC(frame(gaps))
    for child, parents in ((0, ()), (3, (1,)), (5, (2, 4))):
        found = score.local_score(NAMES[child], tuple(NAMES[p] for p in parents))
        assert found == pytest.approx(expected.family(child, parents))
    # HillClimbSearch itself refuses what is missing; it needs no more than the columns.
    found = climb(score, frame())
    assert ours_from(found, gaps, "bic").moves == 0
