import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lupom.science.dimensions import METHODS, cluster


def three_groups(seed=0, size=8, spread=0.05):
    """Return vectors around three directions at right angles, shuffled, and their groups."""
    rng = np.random.default_rng(seed)
    centres = np.eye(12)[:3]
    group = np.repeat([0, 1, 2], size)
    vectors = centres[group] + rng.normal(0, spread, (3 * size, 12))
    order = rng.permutation(len(group))
    return vectors[order], group[order]


def same_partition(a, b):
    return np.array_equal(
        a[:, None] == a[None, :], np.asarray(b)[:, None] == np.asarray(b)[None, :]
    )


@pytest.mark.parametrize("method", ["kmeans", "gaussian_mixture"])
def test_the_number_of_clusters_is_found_where_it_is_plain(method):
    vectors, group = three_groups()
    assert same_partition(cluster(vectors, method, k_max=8, seed=1), group)


@pytest.mark.parametrize("method", ["kmeans", "gaussian_mixture"])
def test_the_number_of_clusters_can_be_given(method):
    vectors, group = three_groups()
    assert same_partition(cluster(vectors, method, k=3, seed=1), group)


@pytest.mark.parametrize("method", ["dbscan", "mean_shift"])
def test_density_methods_find_clusters_within_a_radius(method):
    vectors, group = three_groups()
    assert same_partition(cluster(vectors, method, radius=0.6), group)


def test_what_dbscan_finds_in_no_cluster_is_a_cluster_of_its_own():
    vectors = [[1, 0, 0], [1, 0.01, 0], [0, 1, 0], [0, 0, 1]]
    assert cluster(vectors, "dbscan", radius=0.1).tolist() == [0, 0, 1, 2]


@pytest.mark.parametrize("method", METHODS)
def test_equal_vectors_share_a_cluster_however_many_are_asked_for(method):
    assert cluster([[1.0, 0.0]] * 4, method, k=3).tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize("method", METHODS)
def test_nothing_and_one_vector_are_no_special_case(method):
    assert cluster(np.zeros((0, 3)), method).tolist() == []
    assert cluster([[0.2, 0.1, 0.0]], method).tolist() == [0]


def test_length_has_no_part_in_it():
    vectors = [[1, 0], [50, 1], [0, 1], [1, 70]]
    assert cluster(vectors, "kmeans", k=2).tolist() == [0, 0, 1, 1]


@pytest.mark.parametrize("method", METHODS)
def test_one_seed_gives_one_answer(method):
    vectors, _ = three_groups(seed=4, spread=0.4)
    first = cluster(vectors, method, seed=7)
    assert np.array_equal(first, cluster(vectors, method, seed=7))


@settings(deadline=None, max_examples=15)
@given(
    n=st.integers(1, 12),
    k=st.integers(1, 14),
    method=st.sampled_from(METHODS),
    seed=st.integers(0, 5),
)
def test_clusters_are_numbered_in_the_order_they_occur(n, k, method, seed):
    vectors = np.random.default_rng(seed).normal(size=(n, 5))
    labels = cluster(vectors, method, k=k, seed=seed)
    first = list(dict.fromkeys(labels.tolist()))
    assert first == list(range(len(first)))
    if method in ("kmeans", "gaussian_mixture"):
        assert len(first) <= min(n, k)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"method": "spectral"}, "unknown method 'spectral'; known: kmeans"),
        ({"k": 0}, "k is 0"),
        ({"k_max": 0}, "k_max is 0"),
    ],
)
def test_what_cannot_be_is_said(arguments, message):
    with pytest.raises(ValueError, match=message):
        cluster([[1.0, 0.0], [0.0, 1.0]], **arguments)


def test_vectors_must_be_finite_numbers_in_rows():
    with pytest.raises(ValueError, match="must be a matrix"):
        cluster([1.0, 2.0])
    with pytest.raises(ValueError, match="NaN or infinity"):
        cluster([[1.0, float("nan")]])
