import numpy as np
import pytest

from lupom.science.bayes import PersonaNetwork, Score, search
from lupom.science.bayes.completion import (
    as_value,
    complete,
    em_tables,
    fit_tables,
    structural_em,
)
from lupom.science.bayes.parts import pick
from lupom.science.bayes.posterior import Posterior
from tests.science.bayes.networks import edges_of, random_network, sample, with_gaps


def test_draws_have_the_joint_posterior_of_what_is_missing():
    network = random_network(5, 2, 2, 1, concentration=0.5)
    codes = sample(network, 300, 1)
    tables, order = fit_tables(codes, [2] * 5, edges_of(network), Score("bds"))
    posterior = Posterior(tables, order)
    row = codes[0].copy()
    row[[0, 2, 3]] = -1
    drawn = complete(posterior, np.repeat(row[None], 20_000, axis=0), copies=1, seed=0)
    assert (drawn[:, [1, 4]] == row[[1, 4]]).all()
    grid = np.repeat(row[None], 8, axis=0)
    grid[:, [0, 2, 3]] = np.indices((2, 2, 2)).reshape(3, 8).T
    joint = np.prod([t.likelihood({m: grid[:, m] for m in t.members}) for t in tables], axis=0)
    seen = np.bincount(drawn[:, 0] * 4 + drawn[:, 2] * 2 + drawn[:, 3], minlength=8) / 20_000
    assert seen == pytest.approx(joint / joint.sum(), abs=0.012)


@pytest.mark.parametrize("most", [None, 64])
def test_parts_are_drawn_as_cells_one_after_the_other_are(most, monkeypatch):
    if most is not None:
        # Parts with larger tables are drawn cell by cell, until they fall apart.
        monkeypatch.setattr("lupom.science.bayes.posterior.MAX_TABLE", most)
    network = random_network(10, 3, 2, 3)
    codes = with_gaps(sample(network, 200, 3), 0.4, 3)
    posterior = Posterior(*fit_tables(codes, [3] * 10, edges_of(network), Score("bds")))
    uniforms = np.random.default_rng([5, 0]).random(codes.shape)
    wanted = codes.copy()
    for target in np.argsort((codes < 0).sum(axis=0), kind="stable"):
        rows = np.flatnonzero(codes[:, target] < 0)
        for _, some, p in Posterior(posterior.tables, posterior.order).each(wanted[rows], [target]):
            wanted[rows[some], target] = pick(p, uniforms[rows[some], target])
    assert (complete(posterior, codes, copies=1, seed=5) == wanted).all()


def test_uniform_numbers_pick_values_by_their_probability():
    p = np.array([[0.2, 0.3, 0.5]] * 4 + [[0.0, 1.0, 0.0]] * 2)
    assert pick(p, np.array([0.0, 0.19, 0.2, 0.99, 0.0, 0.999])).tolist() == [0, 0, 1, 2, 1, 1]


def test_structural_em_finds_more_of_the_structure_than_available_cases():
    network = random_network(20, 4, 3, 4)
    truth = sample(network, 1500, 4)
    gaps = with_gaps(truth, 0.2, 4)
    true = {frozenset(edge) for edge in edges_of(network)}

    def wrong(edges):
        return len({frozenset(edge) for edge in edges} ^ true)

    available = search(gaps, [4] * 20, Score("bds"), max_parents=4).edges
    em = structural_em(gaps, [4] * 20, Score("bds"), {"max_parents": 4}, seed=1)
    assert wrong(em.edges) < wrong(available)
    assert em == structural_em(gaps, [4] * 20, Score("bds"), {"max_parents": 4}, seed=1)


def test_without_gaps_structural_em_is_the_search():
    codes = sample(random_network(8, 3, 2, 2), 300, 2)
    score = Score("bdeu")
    assert structural_em(codes, [3] * 8, score, {}) == search(codes, [3] * 8, score)


def test_parameters_by_em_count_every_respondent_and_come_nearer_the_truth():
    network = random_network(12, 3, 2, 6)
    truth = sample(network, 3000, 6)
    gaps = with_gaps(truth, 0.3, 6)
    edges, cards, score = edges_of(network), [3] * 12, Score("bds")
    tables, _, filled = em_tables(gaps, cards, edges, score, seed=1)
    assert [t.counts.sum() for t in tables] == pytest.approx([3000] * 12)
    assert (filled.reshape(5, 3000, 12)[:, gaps >= 0] == gaps[gaps >= 0]).all()
    test = sample(network, 3000, 7)

    def surprise(of):
        return -sum(t.likelihood({m: test[:, m] for m in t.members}, log=True).mean() for t in of)

    assert surprise(tables) < surprise(fit_tables(gaps, cards, edges, score)[0])


def test_an_unknown_that_tells_something_is_used_as_a_value():
    # Whether the first is known follows the second exactly; nothing else is there to see.
    rng = np.random.default_rng(0)
    first, second = rng.integers(0, 2, 600), rng.integers(0, 2, 600)
    codes = np.stack([np.where(second == 1, -1, first), second], axis=1)
    coded, cards, unknown = as_value(codes.astype(np.int32), [2, 2])
    assert cards == [3, 2]
    assert unknown == [True, False]
    assert coded.min() == 0
    blind = PersonaNetwork.fit(codes, [2, 2])
    seeing = PersonaNetwork.fit(codes, [2, 2], missing="value")
    assert blind.edges().num_rows == 0
    assert seeing.edges().num_rows == 1
    row = np.array([[-1, -1]])
    assert seeing.posterior(row, "1")[0, 1] > 0.99
    assert seeing.posterior(row, "0").shape == (1, 2)
    words = {(r["dimension"], r["value"]) for r in seeing.parameters().to_pylist()}
    assert ("0", None) in words


def test_the_node_average_likelihood_needs_bic_and_an_unknown_way_is_refused():
    codes = with_gaps(sample(random_network(5, 3, 2, 2), 400, 2), 0.1, 2)
    fitted = PersonaNetwork.fit(codes, [3] * 5, score="bic", missing="nal")
    assert fitted.edges().num_rows > 0
    with pytest.raises(ValueError, match="goes with score 'bic'"):
        PersonaNetwork.fit(codes, [3] * 5, missing="nal")
    with pytest.raises(ValueError, match="known are em, available, nal, value"):
        PersonaNetwork.fit(codes, [3] * 5, missing="gibbs")
