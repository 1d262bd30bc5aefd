import numpy as np
import pytest

from lupom.science.bayes import PersonaNetwork, refine
from lupom.science.bayes.simulation import OPTIONS, study, with_errors
from tests.science.bayes.networks import random_network, sample, with_gaps

TRUTH = sample(random_network(9, 3, 2, 7, concentration=0.2), 800, 7)
GIVEN = with_gaps(with_errors(TRUTH, 3, 0.1, 1), 0.1, 1)
LEVELS = ["low"] * 3 + ["mid"] * 3 + ["high"] * 3


@pytest.fixture(scope="module")
def network():
    return PersonaNetwork.fit(GIVEN, [3] * 9, None, LEVELS)


def test_each_level_has_its_own_thresholds(network):
    result = refine(
        network,
        GIVEN,
        reports="facts",
        min_probability={"mid": 1.1, "high": 0.6},
        min_fill={"mid": 0, "high": 1.1},
    )
    replaced, filled = result.changed & (GIVEN >= 0), result.changed & (GIVEN < 0)
    assert not replaced[:, :6].any()
    assert replaced[:, 6:].any()
    assert filled[:, 3:6].sum() == (GIVEN[:, 3:6] < 0).sum()
    assert not filled[:, 6:].any()
    assert result.probability[replaced].min() >= 0.6


def test_iterations_refine_what_was_refined_and_keep_the_raw_values_in_sight(network):
    once = refine(network, GIVEN, reports="facts", min_probability=0.6)
    twice = refine(network, GIVEN, reports="facts", min_probability=0.6, iterations=2)
    assert (once.codes != twice.codes).any()
    assert (twice.changed == (twice.codes != GIVEN)).all()
    by_hand = refine(network.refit(once.codes), once.codes, reports="facts", min_probability=0.6)
    assert (by_hand.codes == twice.codes).all()
    assert np.isnan(twice.raw_probability[GIVEN < 0]).all()
    assert np.isfinite(twice.raw_probability[GIVEN >= 0]).all()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"levels": ["top"]}, "unknown level 'top'"),
        ({"min_fill": {"top": 1}}, "unknown level 'top'"),
        ({"reports": "none"}, "known are noisy, facts"),
        ({"iterations": 0}, "at least 1"),
        ({"iterations": 2}, "iterations goes with reports='facts'"),
        ({"evidence_levels": ["low"]}, "evidence_levels goes with reports='facts'"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(network, settings, message):
    with pytest.raises(ValueError, match=message):
        refine(network, GIVEN, **settings)


@pytest.mark.parametrize("n", [500, 2000, 5000])
def test_refining_mends_and_replacing_wholesale_spoils(n):
    names = ["published, from low dimensions", "published, from all others", "noisy (default)"]
    found = {
        outcome.option: outcome
        for outcome in study(
            n, d=24, networks=1, seed=3, options={name: OPTIONS[name] for name in names}
        )
    }
    default = found["noisy (default)"]
    # At 500 respondents it does no harm that can be seen; from 2,000 it fixes beyond doubt.
    assert default.high > 0 if n == 500 else default.low > 0
    assert default.right_after > default.right_before + 0.03
    for name in names[:2]:
        assert found[name].high < 0
        assert found[name].wrong_after > 2 * found[name].wrong_before
