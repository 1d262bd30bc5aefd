import numpy as np
import pytest

from lupom.science.bayes import PersonaNetwork, refine
from tests.science.bayes.networks import edges_of, random_network, sample, with_gaps

NETWORK = random_network(10, 3, 2, 7, concentration=0.2)
CODES = sample(NETWORK, 1500, 7)
NAMES = [f"d{i}" for i in range(10)]
LEVELS = ["low"] * 4 + ["mid"] * 3 + ["high"] * 3


@pytest.fixture(scope="module")
def network():
    return PersonaNetwork.fit(CODES, [3] * 10, NAMES, LEVELS)


def test_edges_are_described(network):
    table = network.edges()
    found = {frozenset((r["parent"], r["child"])) for r in table.to_pylist()}
    true = {frozenset((NAMES[p], NAMES[c])) for p, c in edges_of(NETWORK)}
    assert len(found & true) >= 0.7 * len(true)
    assert all(r["gain"] > 0 and r["p_value"] <= 0.05 and r["n"] == 1500 for r in table.to_pylist())


def test_parameters_sum_to_one_in_each_configuration(network):
    rows = network.parameters().to_pylist()
    sums: dict[tuple[str, str], float] = {}
    for row in rows:
        key = (row["dimension"], str(row["parents"]))
        sums[key] = sums.get(key, 0) + row["probability"]
    assert list(sums.values()) == pytest.approx([1] * len(sums))
    assert sum(row["n"] for row in rows) == 1500 * 10


def test_the_same_arguments_give_the_same_network(network):
    again = PersonaNetwork.fit(CODES, [3] * 10, NAMES, LEVELS)
    assert again.edges().equals(network.edges())
    assert again.parameters().equals(network.parameters())


def test_a_network_from_its_edges_is_the_same_network(network):
    pairs = [(r["parent"], r["child"]) for r in network.edges().to_pylist()]
    again = PersonaNetwork.from_edges(CODES, [3] * 10, NAMES, LEVELS, edges=pairs)
    assert again.log_score == pytest.approx(network.log_score)
    assert again.parameters().equals(network.parameters())


def test_refinement_mends_more_than_it_breaks(network):
    rng = np.random.default_rng(0)
    wrong = rng.random(CODES.shape) < 0.1
    reported = np.where(wrong, (CODES + rng.integers(1, 3, CODES.shape)) % 3, CODES)
    fitted = PersonaNetwork.fit(reported, [3] * 10, NAMES, ["mid"] * 10)
    noisy = refine(fitted, reported).codes
    facts = refine(fitted, reported, reports="facts").codes
    assert (noisy != CODES).mean() < (facts != CODES).mean() < (reported != CODES).mean()
    # Wholesale replacement, as published, makes these personas worse.
    wholesale = refine(fitted, reported, reports="facts", min_probability=0).codes
    assert (wholesale != CODES).mean() > (reported != CODES).mean()


def test_only_the_levels_asked_for_change(network):
    holes = with_gaps(CODES, 0.1, 1)
    result = refine(network, holes, levels=["high"], reports="facts", min_probability=0, min_fill=0)
    assert not result.changed[:, :7].any()
    assert (result.codes[:, :7] == holes[:, :7]).all()
    assert (result.codes[:, 7:] >= 0).all()
    assert (result.changed == (result.codes != holes)).all()


def test_thresholds_decide_what_is_overruled_and_filled(network):
    holes = with_gaps(CODES, 0.1, 1)
    result = refine(network, holes, reports="facts", min_probability=0.8, min_fill=0.6)
    overruled = result.changed & (holes >= 0)
    filled = result.changed & (holes < 0)
    assert overruled.any()
    assert filled.any()
    assert result.probability[overruled].min() >= 0.8
    assert result.probability[filled].min() >= 0.6
    assert np.isnan(result.probability[result.codes < 0]).all()
    assert result.entropy.min() >= 0
    assert result.entropy.max() <= np.log(3) + 1e-9
    untouched = refine(network, holes, reports="facts", min_probability=1.1, min_fill=1.1)
    assert not untouched.changed.any()


def test_the_posterior_of_one_dimension_is_what_refinement_uses(network):
    p = network.posterior(CODES, "d8")
    result = refine(network, CODES, reports="facts", min_probability=0)
    assert (p.argmax(axis=1) == result.codes[:, 8]).mean() > 0.999
    assert result.probability[:, 8] == pytest.approx(p.max(axis=1))


def test_predicting_from_some_levels_ignores_the_others(network):
    other = CODES.copy()
    other[:, 4:] = (other[:, 4:] + 1) % 3
    published = {"reports": "facts", "min_probability": 0, "evidence_levels": ["low"]}
    ours = refine(network, CODES, **published).codes[:, 4:]
    theirs = refine(network, other, **published).codes[:, 4:]
    assert (ours == theirs).mean() > 0.99  # the raw value breaks ties


def test_equally_probable_values_keep_the_raw_one():
    codes = np.array([[0], [1]] * 20)
    result = refine(PersonaNetwork.fit(codes, [2]), codes, reports="facts", min_probability=0)
    assert not result.changed.any()


@pytest.mark.parametrize("missing", ["em", "available", "value"])
@pytest.mark.parametrize("score", ["bic", "bdeu", "bds", "k2"])
@pytest.mark.parametrize(
    ("codes", "cards"),
    [
        (np.empty((0, 0), dtype=int), []),
        (np.empty((0, 2), dtype=int), [2, 3]),
        (np.array([[1, 0, -1]]), [2, 3, 1]),
        (np.zeros((30, 1), dtype=int), [4]),
        (np.full((30, 2), -1), [2, 3]),
        (np.stack([np.zeros(30, dtype=int), np.arange(30), np.arange(30) % 2], 1), [1, 1000, 2]),
    ],
)
def test_degenerate_data_is_served(score, missing, codes, cards):
    fitted = PersonaNetwork.fit(codes, cards, score=score, missing=missing)
    result = refine(fitted, codes, reports="facts")
    assert result.codes.shape == codes.shape
    if missing != "value":
        assert refine(fitted, codes).codes.shape == codes.shape
    assert fitted.edges().column_names[:2] == ["parent", "child"]
    assert fitted.parameters().schema.field("probability").type == "double"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"names": ["a", "a"]}, "used twice: 'a'"),
        ({"names": ["a"]}, "2 columns need 2 names"),
        ({"levels": ["mid", "medium"]}, "level 'medium'"),
        ({"required": [("0", "x")]}, "unknown dimension 'x'"),
        ({"score": "aic"}, "unknown score"),
    ],
)
def test_what_cannot_be_meant_is_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        PersonaNetwork.fit(np.zeros((3, 2), dtype=int), [2, 2], **settings)


def test_level_order_lets_high_cause_low_and_never_the_reverse():
    network = PersonaNetwork.fit(CODES, [3] * 10, NAMES, LEVELS, level_order=True)
    rank = {name: ["high", "mid", "low"].index(lv) for name, lv in zip(NAMES, LEVELS, strict=True)}
    assert all(rank[r["parent"]] <= rank[r["child"]] for r in network.edges().to_pylist())
    assert network.edges().num_rows > 0
