"""Conditional queries by pgmpy, against our own exact posterior."""

import numpy as np
import pytest

from lupom.science.bayes import PersonaNetwork
from lupom.science.bayes.parameters import ConditionalTable
from lupom.science.bayes.queries import ImpossibleError, conditional
from lupom.science.bayes.scores import Score
from tests.science.bayes.networks import random_network, sample, with_gaps

NAMES = [f"d{i}" for i in range(6)]
CODES = sample(random_network(6, 3, 2, 1, concentration=0.3), 300, 2)


@pytest.mark.parametrize("missing", ["em", "value"])
def test_queries_agree_with_the_posterior(missing):
    network = PersonaNetwork.fit(with_gaps(CODES, 0.2, 3), [3] * 6, NAMES, missing=missing)
    given = {"d1": 2, "d4": 0}
    row = np.full((1, 6), -1)
    row[0, [1, 4]] = [2, 0]
    found = conditional(network, given, ["d0", "d5", "d1"])
    assert found["d1"][2] == 1
    assert found["d1"].sum() == 1
    for name in ("d0", "d5"):
        p = found[name]
        assert p.sum() == pytest.approx(1)
        assert len(p) == 3 + (missing == "value")
        if missing == "em":
            assert p == pytest.approx(network.posterior(row, name)[0], abs=1e-9)


def test_unknown_can_be_given_where_it_is_a_value():
    network = PersonaNetwork.fit(with_gaps(CODES, 0.2, 3), [3] * 6, NAMES, missing="value")
    found = conditional(network, {"d0": 3}, ["d1"])["d1"]
    rows = np.full((1, 6), 3)
    # The posterior of our own engine takes what is missing as the value unknown, everywhere.
    assert found.shape == (4,)
    assert network.unknown == (True,) * 6
    assert network.evidence(np.full((1, 6), -1)).tolist() == rows.tolist()


def test_what_never_occurs_together_is_refused_with_what_came_before():
    # b repeats a, and c has two values of which one never occurs.
    tables = [
        ConditionalTable([2, 2, 2], 0, [], np.zeros((1, 0)), np.array([[0.5, 0.5]])),
        ConditionalTable([2, 2, 2], 1, [0], np.array([[0], [1]]), np.eye(2)),
        ConditionalTable([2, 2, 2], 2, [], np.zeros((1, 0)), np.array([[1.0, 0.0]])),
    ]
    network = PersonaNetwork(tables, ["a", "b", "c"], ["mid"] * 3, Score("bds"))
    assert conditional(network, {"a": 1}, ["b"])["b"] == pytest.approx([0, 1], abs=1e-9)
    with pytest.raises(ImpossibleError) as caught:
        conditional(network, {"a": 1, "b": 0}, ["c"])
    assert (caught.value.dimension, caught.value.before) == ("b", ("a",))
    with pytest.raises(ImpossibleError) as caught:
        conditional(network, {"c": 1}, ["a"])
    assert (caught.value.dimension, caught.value.before) == ("c", ())
