import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lupom.science.bayes import parts, posterior, tree
from lupom.science.bayes.counting import check_codes
from lupom.science.bayes.network import PersonaNetwork
from lupom.science.bayes.parameters import ConditionalTable
from lupom.science.bayes.parts import Parts
from lupom.science.bayes.posterior import Posterior
from lupom.science.bayes.scores import Score
from lupom.science.bayes.tree import buckets
from tests.science.bayes.networks import (
    posterior_by_enumeration,
    random_network,
    sample,
    with_gaps,
)


def uneven(d, seed, parents=3):
    """Return a network whose dimensions have two to four values, and rows of it."""
    rng = np.random.default_rng(seed)
    cards = rng.integers(2, 5, d).tolist()
    structure = random_network(d, 4, parents, seed)
    codes = check_codes(sample(structure, 200, seed) % np.array(cards), cards)
    tables = [
        ConditionalTable.fit(codes, cards, child, given, Score("bds"))
        for child, given in enumerate(structure[1])
    ]
    return Posterior(tables, [int(i) for i in structure[0]]), codes


def any_number_known(codes, seed):
    """Return rows of which everything between nothing and all is known."""
    rng = np.random.default_rng(seed)
    place = rng.random(codes.shape).argsort(axis=1).argsort(axis=1)
    count = rng.integers(0, codes.shape[1] + 1, (len(codes), 1))
    return np.where(place < count, codes, -1).astype(np.int32)


def by_tree(engine, codes, monkeypatch):
    """Return all posteriors, elimination being taken for very dear."""
    monkeypatch.setattr(posterior, "_ELIMINATION", 1e9)
    monkeypatch.setattr(posterior, "_PART", 1e6)
    return {t: p for t, _, p in engine.each(codes, range(engine.d))}


def by_elimination(engine, codes, monkeypatch):
    monkeypatch.setattr(posterior, "_ELIMINATION", 0.0)
    return {t: p for t, _, p in engine.each(codes, range(engine.d))}


def by_parts(engine, codes, monkeypatch):
    """Return the posteriors of unknown cells by trees of parts, those of known ones by others."""
    monkeypatch.setattr(posterior, "_ELIMINATION", 1e-3)
    monkeypatch.setattr(posterior, "_PART", 1e-9)
    return {t: p for t, _, p in engine.each(codes, range(engine.d))}


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000))
def test_trees_and_elimination_equal_enumeration_whatever_each_row_knows(seed):
    engine, codes = uneven(6, seed)
    holes = any_number_known(codes[:12], seed)
    with pytest.MonkeyPatch.context() as patch:
        ways = [way(engine, holes, patch) for way in (by_tree, by_elimination, by_parts)]
    for (i, row), target in itertools.product(enumerate(holes), range(6)):
        expected = posterior_by_enumeration(engine.tables, row, target)
        for found in ways:
            assert found[target][i] == pytest.approx(expected, abs=1e-9)


def test_a_tree_of_many_dimensions_equals_elimination(monkeypatch):
    engine, codes = uneven(30, 5, parents=2)
    holes = any_number_known(codes[:60], 5)
    # Blocks of few rows, so that there are several.
    monkeypatch.setattr(posterior, "_TREE_NUMBERS", 20_000)
    tree = by_tree(engine, holes, monkeypatch)
    assert engine._trees
    for target, expected in by_elimination(engine, holes, monkeypatch).items():
        assert np.abs(tree[target] - expected).max() < 1e-9


@pytest.mark.parametrize("large", [0, 1 << 22])
def test_trees_of_parts_equal_elimination_in_one_or_in_several(large, monkeypatch):
    engine, codes = uneven(40, 7)
    holes = any_number_known(codes[:40], 7)
    rows, columns = np.nonzero(holes < 0)
    expected = by_elimination(engine, holes, monkeypatch)
    # Trees above so many numbers are tried to be done with less, by the second order too.
    monkeypatch.setattr(parts, "_LARGE", large)
    monkeypatch.setattr(tree, "_MANY", large)
    monkeypatch.setattr(posterior, "_PART", 1e-9)
    monkeypatch.setattr(posterior, "_ELIMINATION", 1e-3)
    for row, column, p in zip(rows, columns, engine.cells(holes, rows, columns), strict=True):
        r = engine.cardinalities[column]
        assert p[:r] == pytest.approx(expected[column][row], abs=1e-10)


def test_what_is_not_asked_and_has_no_known_descendant_drops_out():
    # 0 -> 1 -> 2 and 0 -> 3: of 0 asked with 3 known, 1 and 2 say nothing.
    found = Parts([(0,), (0, 1), (1, 2), (0, 3)], [2] * 4, [0, 1, 2, 3])
    assert list(found.split(0b0111, 0b0001)) == [(0b0001, 0b1001)]
    assert list(found.split(0b0101, 0b0101)) == [(0b0001, 0b1011), (0b0100, 0b0100)]


def test_cells_are_the_posteriors_of_their_rows(monkeypatch):
    engine, codes = uneven(8, 3)
    holes = with_gaps(codes[:50], 0.4, 3)
    rows, columns = np.nonzero(holes < 0)
    mixed = np.random.default_rng(0).permutation(len(rows))
    rows, columns = rows[mixed], columns[mixed]
    expected = by_elimination(engine, holes, monkeypatch)
    for cost in (0.0, 1e9):
        monkeypatch.setattr(posterior, "_ELIMINATION", cost)
        monkeypatch.setattr(posterior, "BLOCK_ROWS", 20)
        for i, p in enumerate(engine.cells(holes, rows, columns)):
            r = engine.cardinalities[columns[i]]
            assert p[:r] == pytest.approx(expected[columns[i]][rows[i]], abs=1e-9)
            assert not p[r:].any()
    assert not len(engine.cells(holes, rows[:0], columns[:0]))


def test_cells_of_a_network_are_without_the_value_unknown():
    codes = with_gaps(sample(random_network(5, 3, 2, 1), 200, 1), 0.2, 1)
    network = PersonaNetwork.fit(codes, [3] * 5, missing="value")
    rows, columns = np.nonzero(codes[:30] < 0)
    found = network.cells(codes[:30], rows, columns)
    for i, (row, column) in enumerate(zip(rows, columns, strict=True)):
        expected = network.posterior(codes[row : row + 1], str(column))[0]
        assert found[i, :3] == pytest.approx(expected, abs=1e-9)
        assert not found[i, 3:].any()


def test_a_row_whose_products_are_below_what_a_float_holds_has_its_posterior(monkeypatch):
    # A parent of 80 children: 40 say it is 0, as surely as can be, and then 40 that it is 1.
    d = 81
    codes = np.repeat([[0], [1]] * 500, d, axis=1).astype(np.int32)
    score = Score("bds", 1e-9)
    tables = [ConditionalTable.fit(codes, [2] * d, c, [0] if c else [], score) for c in range(d)]
    engine = Posterior(tables, list(range(d)))
    row = np.array([[-1] + [0] * 40 + [1] * 40], dtype=np.int32)
    for way in (by_tree, by_elimination, by_parts):
        found = way(engine, row, monkeypatch)
        assert found[0][0] == pytest.approx([0.5, 0.5])
        # Without its own word the other side is one ahead.
        assert found[1][0].argmax() == 1


def test_a_cell_that_would_need_too_large_a_table_is_told_apart():
    # 12 parents of 6 values with a known child: a table of 6 ** 12 where they are missing.
    d = 13
    codes = np.random.default_rng(0).integers(0, 6, (40, d)).astype(np.int32)
    tables = [
        ConditionalTable.fit(codes, [6] * d, c, list(range(12)) if c == 12 else [], Score("bds"))
        for c in range(d)
    ]
    some = codes[:2].copy()
    some[0, :12] = -1
    some[1, 0] = -1
    zeros = np.zeros(2, dtype=np.int64)
    found = Posterior(tables, list(range(d))).cells(some, np.arange(2), zeros)
    assert np.isnan(found[0]).all()
    assert found[1].sum() == pytest.approx(1)


def test_buckets_sum_over_all_but_what_is_kept():
    # A chain 0 - 1 - 2 - 3 of 2, 3, 4 and 5 values.
    sums, left = buckets([(0, 1), (1, 2), (2, 3)], [2, 3, 4, 5], keep=[3])
    assert sorted(s.variable for s in sums) == [0, 1, 2]
    assert [s.size for s in sums] == [6, 12, 20]
    assert left == (5,)
